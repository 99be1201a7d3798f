package facts

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// The lines git writes around the two sides of a conflict.
var (
	conflictStart = regexp.MustCompile(`^<{7}(?: (.+))?$`)
	conflictEnd   = regexp.MustCompile(`^>{7}(?: (.+))?$`)
	fence         = regexp.MustCompile("^ {0,3}(?:```|~~~)")
)

const conflictMiddle = "======="

// conflicts finds conflict markers that the change adds. Only the whole shape counts, in its order: a line of equal
// signs alone is a heading in several formats.
func (f *file) conflicts() []finding.Finding {
	var found []finding.Finding
	var start, middle diff.Line
	var ours string
	for _, l := range f.newSide() {
		text := strings.TrimSuffix(l.Text, "\r")
		if m := conflictStart.FindStringSubmatch(text); m != nil {
			start, middle, ours = l, diff.Line{}, m[1]
			continue
		}
		if text == conflictMiddle && start.New > 0 && middle.New == 0 {
			middle = l
			continue
		}
		m := conflictEnd.FindStringSubmatch(text)
		if m == nil || middle.New == 0 {
			continue
		}
		if markers := [...]diff.Line{start, middle, l}; anyAdded(markers[:]) && !f.meant(start.New, l.New) {
			found = append(found, f.conflict(markers, ours, m[1]))
		}
		start, middle = diff.Line{}, diff.Line{}
	}
	return found
}

// newSide gives the lines of all hunks as they stand in the new file.
func (f *file) newSide() []diff.Line {
	var lines []diff.Line
	for i := range f.File.Hunks {
		lines = append(lines, f.File.Hunks[i].Side(diff.New)...)
	}
	return lines
}

func anyAdded(lines []diff.Line) bool {
	for _, l := range lines {
		if l.Kind == diff.Added {
			return true
		}
	}
	return false
}

func (f *file) conflict(markers [3]diff.Line, ours, theirs string) finding.Finding {
	at := markers[0].New
	for _, l := range markers {
		if l.Kind == diff.Added {
			at = l.New
			break
		}
	}
	found := f.fact(RuleConflictMarker, at, at)
	found.Severity = finding.High
	found.Title = "A merge conflict was left unresolved"
	found.Body = fmt.Sprintf("Lines %d to %d hold both sides of a merge conflict%s with the markers around them. %s",
		markers[0].New, markers[2].New, sides(ours, theirs),
		"Nothing that reads this file expects them, and one of the two versions is not wanted. Choose what belongs here and delete the marker lines.")
	return found
}

// sides names the two branches, where the markers do.
func sides(ours, theirs string) string {
	if ours == "" || theirs == "" {
		return ""
	}
	return fmt.Sprintf(" (`%s` and `%s`)", plainName(ours), plainName(theirs))
}

// plainName keeps a branch name inside its backticks.
func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '`' || r < ' ' {
			return -1
		}
		return r
	}, s)
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// meant says whether markers are text that somebody wants to show: in a fenced block of prose, or inside a literal,
// where a language that is parsed has no error because of them.
func (f *file) meant(start, end int) bool {
	if ProsePath(f.File.NewPath) {
		return f.fenced(start)
	}
	if f.After == nil || f.After.Status != syntax.StatusOK {
		return false
	}
	for _, e := range f.After.Errors {
		if e.Range.Overlaps(start, end) {
			return false
		}
	}
	return true
}

// fenced says whether a line stands in a fenced block. It needs the content; without it nothing is fenced.
func (f *file) fenced(line int) bool {
	open := false
	for i, text := range strings.Split(string(f.New), "\n") {
		if i+1 >= line {
			return open
		}
		if fence.MatchString(text) {
			open = !open
		}
	}
	return false
}
