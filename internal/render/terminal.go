package render

import (
	"fmt"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
)

// TerminalOptions say how text for a terminal looks.
type TerminalOptions struct {
	// Color switches ANSI colours on.
	Color bool
	// Width is where prose is wrapped; 0 means 100.
	Width int
}

// Terminal writes a review for a person at a terminal: each finding with its place, the code, the comment and the
// suggestion, then what the reader must know beside them. Nothing of it can control the terminal: of what others wrote,
// control characters are left out or shown.
func Terminal(d *diff.Diff, r *review.Result, o TerminalOptions) string {
	if o.Width <= 0 {
		o.Width = 100
	}
	t := terminal{TerminalOptions: o, d: d}
	for _, note := range r.Notes {
		t.prose("", "! "+note, yellow)
	}
	if len(r.Notes) > 0 {
		t.out.WriteByte('\n')
	}
	if r.Summary != "" {
		t.prose("", r.Summary, "")
		t.out.WriteByte('\n')
	}
	for i := range r.Findings {
		t.finding(&r.Findings[i])
	}
	t.closing(r)
	return t.out.String()
}

// The colours.
const (
	red, green, yellow, cyan, bold, dim = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[1m", "\x1b[2m"

	reset = "\x1b[0m"
)

type terminal struct {
	TerminalOptions
	d   *diff.Diff
	out strings.Builder
}

// paint colours a text.
func (t *terminal) paint(color, s string) string {
	if !t.Color || color == "" {
		return s
	}
	return color + s + reset
}

// codeText makes a line of code safe, with tabs of four.
func codeText(s string) string {
	return strings.ReplaceAll(shown(strings.TrimSuffix(strings.ToValidUTF8(s, "\uFFFD"), "\r")), "\t", "    ")
}

// finding writes one finding.
func (t *terminal) finding(f *finding.Finding) {
	where := oneLine(f.Path, 500)
	if where == "" {
		where = "the change as a whole"
	}
	switch a := f.Anchor; {
	case !f.Anchored():
	case a.Start == a.End:
		where += fmt.Sprintf(":%d", a.Start)
	default:
		where += fmt.Sprintf(":%d-%d", a.Start, a.End)
	}
	if f.Anchor.Side == diff.Old {
		where += " (deleted)"
	}
	severity := f.Severity.String()
	color := cyan
	if f.Severity >= finding.High {
		color = red
	} else if f.Severity == finding.Medium {
		color = yellow
	}
	fmt.Fprintf(&t.out, "%s  %s  %s\n", t.paint(bold, where), t.paint(color, severity), oneLine(string(f.Category), 50))
	t.prose("  ", f.Title, bold)
	t.excerpt(f)
	if strings.TrimSpace(f.Body) != "" {
		t.out.WriteByte('\n')
		t.prose("  ", f.Body, "")
	}
	if f.HasSuggestion && f.Anchored() {
		t.suggestion(f)
	}
	t.out.WriteByte('\n')
}

// excerpt shows the anchored lines with two around them.
func (t *terminal) excerpt(f *finding.Finding) {
	if t.d == nil || t.d.Valid(f.Anchor) != nil {
		return
	}
	file := t.d.File(f.Path)
	if file == nil || file.Path() != f.Anchor.Path {
		file = t.d.File(f.Anchor.Path)
	}
	h := file.Hunks[file.HunkOf(f.Anchor)]
	t.out.WriteByte('\n')
	for _, l := range h.Side(f.Anchor.Side) {
		n := l.Number(f.Anchor.Side)
		if n < f.Anchor.Start-2 || n > f.Anchor.End+2 {
			continue
		}
		if n == f.Anchor.Start+20 && f.Anchor.End > n {
			t.out.WriteString("        …\n")
		}
		if n >= f.Anchor.Start+20 && n <= f.Anchor.End {
			continue
		}
		inside := n >= f.Anchor.Start && n <= f.Anchor.End
		bar, color := "│", dim
		if inside {
			bar, color = "┃", ""
		}
		fmt.Fprintf(&t.out, "  %s %s\n", t.paint(dim, fmt.Sprintf("%5d %s", n, bar)), t.paint(color, codeText(l.Text)))
	}
}

// suggestion shows what the lines would become.
func (t *terminal) suggestion(f *finding.Finding) {
	t.out.WriteString("\n  " + t.paint(dim, "Suggestion:") + "\n")
	if t.d != nil {
		for _, text := range t.d.Text(f.Anchor) {
			t.out.WriteString("  " + t.paint(red, "- "+codeText(text)) + "\n")
		}
	}
	code := strings.TrimSuffix(newlines(f.Suggestion), "\n")
	if code == "" {
		return
	}
	for _, text := range strings.Split(code, "\n") {
		t.out.WriteString("  " + t.paint(green, "+ "+codeText(text)) + "\n")
	}
}

// prose writes text of others wrapped and indented. Lines of fenced code are not wrapped.
func (t *terminal) prose(indent, text, color string) {
	var fence opener
	inside := false
	for _, line := range strings.Split(strings.TrimSpace(newlines(text)), "\n") {
		if o, ok := opening(line); !inside && ok {
			fence, inside = o, true
			continue
		} else if inside && fence.closes(line) {
			inside = false
			continue
		}
		if inside {
			t.out.WriteString(indent + "    " + codeText(line) + "\n")
			continue
		}
		clean := strings.TrimRight(stripped(line), " ")
		hang := clean[:len(clean)-len(strings.TrimLeft(clean, " "))]
		for _, part := range wrap(strings.TrimLeft(clean, " "), t.Width-len(indent)-len(hang)) {
			t.out.WriteString(strings.TrimRight(indent+hang+t.paint(color, part), " ") + "\n")
		}
	}
}

// wrap breaks a line at blanks. A longer word stays whole.
func wrap(s string, width int) []string {
	words := strings.Fields(s)
	if len(words) == 0 {
		return []string{""}
	}
	var lines []string
	current, size := words[0], len([]rune(words[0]))
	for _, word := range words[1:] {
		n := len([]rune(word))
		if size+1+n > width {
			lines = append(lines, current)
			current, size = word, n
			continue
		}
		current, size = current+" "+word, size+1+n
	}
	return append(lines, current)
}

// closing writes what was and was not looked at.
func (t *terminal) closing(r *review.Result) {
	t.out.WriteString(t.paint(bold, capital(countFindings(r.Findings))) + fmt.Sprintf(" in %d of %s reviewed.", r.FilesReviewed, count(r.FilesChanged, "file")) + "\n")
	if r.Partial {
		t.prose("", "Reviewed in part: "+r.PartialReason, yellow)
	}
	for _, o := range omissionsOf(r) {
		where := ""
		if o.Path != "" {
			where = o.Path + ": "
		}
		t.prose("  ", "left out: "+where+o.Reason, dim)
	}
	if dropped := droppedWords(r.Dropped); dropped != "" {
		t.prose("", "Not shown: "+dropped+".", dim)
	}
	if u := r.Usage; u.Calls > 0 {
		cost := ""
		if u.CostMicros > 0 {
			cost = fmt.Sprintf(", $%.4f", float64(u.CostMicros)/1e6)
		}
		t.prose("", fmt.Sprintf("%s to %s: %d tokens in, %d out%s.", count(u.Calls, "call"), strings.Join(r.Models, ", "), u.InputTokens, u.OutputTokens, cost), dim)
	}
}
