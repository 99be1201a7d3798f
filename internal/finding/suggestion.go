package finding

import (
	"strings"
	"unicode"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// Bounds of a suggestion. What is longer is a rewrite, not a fix to commit with one click.
const (
	maxSuggestionBytes = 8 << 10
	maxSuggestionLines = 100
)

// SuggestionProblem says in a phrase why a replacement of the anchored lines cannot be offered, or "". It checks the
// text alone; whether the file still parses is the parser's question. Fences inside are no problem: the renderer takes
// a longer one.
func SuggestionProblem(d *diff.Diff, a diff.Anchor, suggestion string) string {
	anchored := d.Text(a)
	lines := splitSuggestion(suggestion)
	switch {
	case anchored == nil:
		return "it has no lines to replace"
	case a.Side != diff.New:
		return "the lines are of the old side, where nothing can be replaced"
	case len(suggestion) > maxSuggestionBytes || len(lines) > maxSuggestionLines:
		return "it is too long"
	case equalLines(anchored, lines):
		return "it changes nothing"
	}
	for _, line := range lines {
		if elision(line) && !contains(anchored, line) {
			return "it leaves code out"
		}
		for _, r := range line {
			if r == 0 || r == unicode.ReplacementChar || r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
				return "it holds invisible characters"
			}
		}
	}
	if marked(lines) && !marked(anchored) {
		return "it is written as a diff"
	}
	return repeats(d, a, anchored, lines)
}

// splitSuggestion gives the lines of a suggestion; an empty one has none.
func splitSuggestion(suggestion string) []string {
	suggestion = strings.ReplaceAll(suggestion, "\r\n", "\n")
	suggestion = strings.TrimSuffix(suggestion, "\n")
	if suggestion == "" {
		return nil
	}
	return strings.Split(suggestion, "\n")
}

// equalLines compares without regard to white space at the ends of lines.
func equalLines(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if strings.TrimRight(a[i], " \t\r") != strings.TrimRight(b[i], " \t\r") {
			return false
		}
	}
	return true
}

func contains(lines []string, line string) bool {
	for _, l := range lines {
		if strings.TrimSpace(l) == strings.TrimSpace(line) {
			return true
		}
	}
	return false
}

// marked says whether lines look like the body of a diff: each begins with a marker, and both kinds of marker occur.
func marked(lines []string) bool {
	plus, minus := false, false
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "+"):
			plus = true
		case strings.HasPrefix(line, "-"):
			minus = true
		case line == "" || line[0] == ' ':
		default:
			return strings.HasPrefix(line, "@@ -")
		}
	}
	return plus && minus
}

// repeats finds the commonest mistake of models: the replacement goes on with the line that stands after the anchor
// already, or begins with the one before it.
func repeats(d *diff.Diff, a diff.Anchor, anchored, lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	f := d.File(a.Path)
	same := func(n int, line, anchoredLine string) bool {
		l, ok := f.Lookup(diff.New, n)
		return ok && weight(line) >= 4 && strings.TrimSpace(l.Text) == strings.TrimSpace(line) &&
			strings.TrimSpace(anchoredLine) != strings.TrimSpace(line)
	}
	if last := lines[len(lines)-1]; same(a.End+1, last, anchored[len(anchored)-1]) {
		return "it repeats the line after the lines it replaces"
	}
	if same(a.Start-1, lines[0], anchored[0]) {
		return "it repeats the line before the lines it replaces"
	}
	return ""
}
