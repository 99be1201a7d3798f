package review

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/prompt"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

const (
	// maxScope is the longest definition that is shown whole for a change inside it, in lines.
	maxScope = 120
	// around is how many lines are shown around a change in a longer one, or outside any.
	around = 12
	// maxGap is how many lines between two windows are shown rather than left out.
	maxGap = 4
	// maxDeleted is how many lines of a deleted file are shown.
	maxDeleted = 120
)

// window is a run of lines of the new file, first to last. An empty one (last = first-1) holds deleted lines only.
type window struct{ first, last int }

// windows gives what is shown of a file: its hunks, each grown to the definitions around its changed lines.
func (s *subject) windows() []window {
	var list []window
	for i := range s.file.Hunks {
		list = append(list, s.windowOf(&s.file.Hunks[i]))
	}
	return merge(list)
}

// windowOf grows one hunk.
func (s *subject) windowOf(h *diff.Hunk) window {
	w := window{first: h.NewStart, last: h.NewStart + h.NewCount - 1}
	if h.NewCount == 0 {
		// Deleted lines only: they stand after the line that the header names.
		w = window{first: h.NewStart + 1, last: h.NewStart}
		if s.file.NewPath == "" {
			w = window{first: 1, last: 0}
		}
	}
	if s.lines == nil {
		return w
	}
	grown := w
	for _, n := range changedAt(h) {
		grown = grown.with(s.scopeWindow(n, around))
	}
	return grown.within(len(s.lines))
}

// changedAt gives the new lines at which a hunk changes something: the added ones, and those beside deleted ones.
func changedAt(h *diff.Hunk) []int {
	var at []int
	last := max(h.NewStart, 1)
	for _, l := range h.Lines {
		switch l.Kind {
		case diff.Added:
			at = append(at, l.New)
		case diff.Deleted:
			at = append(at, last)
		case diff.Context:
		}
		if l.New > 0 {
			last = l.New
		}
	}
	return slices.Compact(at)
}

// scopeWindow gives the definition around a line, or the lines around it when there is none or it is too long.
func (s *subject) scopeWindow(n, margin int) window {
	if def := s.enclosing(diff.New, n); def != nil && def.Range.EndLine-def.Range.StartLine < maxScope {
		return window{first: def.Range.StartLine, last: def.Range.EndLine}
	}
	return window{first: n - margin, last: n + margin}
}

func (w window) with(o window) window {
	return window{first: min(w.first, o.first), last: max(w.last, o.last)}
}

// within cuts a window to a file of so many lines.
func (w window) within(lines int) window {
	w.first = min(max(w.first, 1), lines+1)
	w.last = max(min(w.last, lines), w.first-1)
	return w
}

// merge joins windows that touch or nearly do.
func merge(list []window) []window {
	slices.SortStableFunc(list, func(a, b window) int { return cmp.Compare(a.first, b.first) })
	var out []window
	for _, w := range list {
		if n := len(out); n > 0 && w.first <= out[n-1].last+1+maxGap {
			out[n-1] = out[n-1].with(w)
			continue
		}
		out = append(out, w)
	}
	return out
}

// part shows a window.
func (s *subject) part(w window) prompt.Part {
	var p prompt.Part
	p.Scope = s.scopeOf(w.first)
	for n := w.first; n <= w.last; n++ {
		p.Lines = s.deletedBefore(p.Lines, n)
		text, ok := s.line(n)
		if !ok {
			continue
		}
		marker := byte(' ')
		if s.added[n] {
			marker = '+'
		}
		p.Lines = append(p.Lines, prompt.Line{Marker: marker, Number: n, Text: text})
	}
	p.Lines = s.deletedBefore(p.Lines, w.last+1)
	if s.file.NewPath == "" && len(p.Lines) > maxDeleted {
		p.Cut = len(p.Lines) - maxDeleted
		p.Lines = p.Lines[:maxDeleted]
	}
	return p
}

func (s *subject) deletedBefore(lines []prompt.Line, n int) []prompt.Line {
	for _, text := range s.deleted[n] {
		lines = append(lines, prompt.Line{Marker: '-', Text: text})
	}
	return lines
}

// line gives a line of the new side as it may be shown.
func (s *subject) line(n int) (string, bool) {
	if n >= 1 && n <= len(s.lines) {
		return s.lines[n-1], true
	}
	text, ok := s.hunkLines[n]
	return text, ok
}

// scopeOf names what encloses a part and is not shown by it: the signature of the definition around its first line,
// or the type that a method belongs to.
func (s *subject) scopeOf(first int) string {
	def := s.enclosing(diff.New, first)
	switch {
	case def == nil:
		return s.section(first)
	case def.Range.StartLine < first:
		return cmp.Or(def.Signature, def.QualifiedName())
	}
	if outer := outerOf(s.after, def); outer != nil {
		return cmp.Or(outer.Signature, outer.QualifiedName())
	}
	return def.Container
}

// section is what the diff's own header says of the place, for a file that was not parsed.
func (s *subject) section(first int) string {
	if s.after != nil && s.after.Status == syntax.StatusOK {
		return ""
	}
	for _, h := range s.file.Hunks {
		if h.NewStart == first {
			return h.Section
		}
	}
	return ""
}

func outerOf(f *syntax.Facts, def *syntax.Symbol) *syntax.Symbol {
	if f == nil || def.Parent < 0 || def.Parent >= len(f.Symbols) {
		return nil
	}
	return &f.Symbols[def.Parent]
}

// tokens estimates what a part takes in a prompt.
func tokens(p prompt.Part) int { return prompt.Tokens(prompt.Show(p)) }

// halve cuts a part in two near its middle, before a definition if one begins near there. It says false for a part
// that is too short to cut.
func (s *subject) halve(p prompt.Part) (first, second prompt.Part, ok bool) {
	n := len(p.Lines)
	if n < 4 {
		return p, prompt.Part{}, false
	}
	at := s.seam(p.Lines, n/4, n/2, n-n/4)
	first, second = p, p
	first.Lines, first.Cut = p.Lines[:at:at], 0
	second.Lines = p.Lines[at:]
	second.Scope = s.scopeOf(numberAt(second.Lines))
	return first, second, true
}

// split cuts a part into parts of at most room tokens each. A single line always fits: long ones are cut when shown.
func (s *subject) split(p prompt.Part, room int) []prompt.Part {
	if tokens(p) <= room {
		return []prompt.Part{p}
	}
	a, b, ok := s.halve(p)
	if !ok {
		return []prompt.Part{p}
	}
	return append(s.split(a, room), s.split(b, room)...)
}

// seam chooses where to cut between low and high: before the definition, else the empty line, that is nearest to mid.
func (s *subject) seam(lines []prompt.Line, low, mid, high int) int {
	starts := map[int]bool{}
	if s.after != nil {
		for i := range s.after.Symbols {
			starts[s.after.Symbols[i].Range.StartLine] = true
		}
	}
	for _, good := range []func(i int) bool{
		func(i int) bool { return lines[i].Number > 0 && starts[lines[i].Number] },
		func(i int) bool { return strings.TrimSpace(lines[i-1].Text) == "" },
	} {
		for d := 0; d <= high-low; d++ {
			for _, i := range []int{mid - d, mid + d} {
				if i > max(low, 0) && i < high && good(i) {
					return i
				}
			}
		}
	}
	return mid
}

// numberAt gives the number of the first line that has one, 0 without any.
func numberAt(lines []prompt.Line) int {
	for _, l := range lines {
		if l.Number > 0 {
			return l.Number
		}
	}
	return 0
}

// spanOf names the lines of a part for a reader.
func spanOf(p prompt.Part) string {
	first, last := 0, 0
	for _, l := range p.Lines {
		if l.Number > 0 {
			if first == 0 {
				first = l.Number
			}
			last = l.Number
		}
	}
	if first == 0 {
		return "its deleted lines"
	}
	return fmt.Sprintf("lines %d to %d", first, last)
}
