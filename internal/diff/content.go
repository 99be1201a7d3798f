package diff

import (
	"bytes"
	"fmt"
)

// NewLines gives the lines that the change adds, in order.
func (f *File) NewLines() []Line {
	var lines []Line
	for _, h := range f.Hunks {
		for _, l := range h.Lines {
			if l.Kind == Added {
				lines = append(lines, l)
			}
		}
	}
	return lines
}

// Side gives the lines of the hunk that stand on a side, in order: the new side is context and added lines, the old
// side context and deleted ones.
func (h *Hunk) Side(s Side) []Line {
	var lines []Line
	for _, l := range h.Lines {
		if l.Number(s) > 0 {
			lines = append(lines, l)
		}
	}
	return lines
}

// Lookup finds the line of a number on a side; false when no hunk shows it.
func (f *File) Lookup(s Side, n int) (Line, bool) {
	if n < 1 || s != Old && s != New {
		return Line{}, false
	}
	i := f.HunkOf(Anchor{Side: s, Start: n, End: n})
	if i < 0 {
		return Line{}, false
	}
	// Numbers grow along the hunk; a line that stands on the other side only is passed over to the left.
	lines := f.Hunks[i].Lines
	low, high := 0, len(lines)
	for low < high {
		mid := (low + high) / 2
		at := mid
		for at > low && lines[at].Number(s) == 0 {
			at--
		}
		switch number := lines[at].Number(s); {
		case number == n:
			return lines[at], true
		case number == 0 || number < n:
			low = mid + 1
		default:
			high = at
		}
	}
	return Line{}, false
}

// Text gives the lines of an anchor without their newlines; nil when the anchor is not inside one hunk of the diff.
func (d *Diff) Text(a Anchor) []string {
	if d.Valid(a) != nil {
		return nil
	}
	f := d.File(a.Path)
	var text []string
	for _, l := range f.Hunks[f.HunkOf(a)].Lines {
		if n := l.Number(a.Side); a.Start <= n && n <= a.End {
			text = append(text, l.Text)
		}
	}
	return text
}

// Verify compares a file's lines with the contents at both ends of the change: every line must be the line of its
// number, and a missing newline at the end must be missing there. It says the first difference.
func Verify(f *File, before, after []byte) error {
	if f.Binary || f.Submodule {
		return nil
	}
	sides := [...]struct {
		side  Side
		lines [][]byte
	}{{Old, splitLines(before)}, {New, splitLines(after)}}
	for i := range f.Hunks {
		for _, l := range f.Hunks[i].Lines {
			for _, s := range sides {
				n := l.Number(s.side)
				if n == 0 {
					continue
				}
				if n > len(s.lines) {
					return fmt.Errorf("verify diff of %s: %s line %d is beyond the file's %d", f.Path(), s.side, n, len(s.lines))
				}
				text, whole := bytes.CutSuffix(s.lines[n-1], []byte("\n"))
				if string(text) != l.Text || whole == l.NoEOL {
					return fmt.Errorf("verify diff of %s: %s line %d differs from the file's", f.Path(), s.side, n)
				}
			}
		}
	}
	return nil
}

// splitLines cuts after each newline.
func splitLines(content []byte) [][]byte {
	lines := bytes.SplitAfter(content, []byte("\n"))
	if last := len(lines) - 1; len(lines[last]) == 0 {
		lines = lines[:last]
	}
	return lines
}
