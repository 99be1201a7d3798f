package diff

import (
	"fmt"
	"slices"
	"strings"
)

// maxNumber bounds line numbers and counts, so that their sums cannot overflow.
const maxNumber = 1<<31 - 1

// hunkHeader reads "@@ -1,2 +3,4 @@ section". A count that is left out is 1.
func hunkHeader(line string) (h Hunk, problem string) {
	rest, ok := strings.CutPrefix(line, "@@ -")
	if ok {
		h.OldStart, h.OldCount, rest, ok = numbers(rest)
	}
	if ok {
		rest, ok = strings.CutPrefix(rest, " +")
	}
	if ok {
		h.NewStart, h.NewCount, rest, ok = numbers(rest)
	}
	if ok {
		rest, ok = strings.CutPrefix(rest, " @@")
	}
	if !ok {
		return Hunk{}, "the hunk header is malformed"
	}
	// Some tools print the section without the blank.
	h.Section = strings.TrimPrefix(rest, " ")
	switch {
	case h.OldCount == 0 && h.NewCount == 0:
		return Hunk{}, "the hunk is empty"
	case h.OldCount > 0 && h.OldStart == 0, h.NewCount > 0 && h.NewStart == 0:
		return Hunk{}, "the hunk header counts lines from 0"
	}
	return h, ""
}

// numbers reads "12,3" or "12".
func numbers(s string) (start, count int, rest string, ok bool) {
	start, rest, ok = number(s)
	if !ok {
		return 0, 0, s, false
	}
	after, ok := strings.CutPrefix(rest, ",")
	if !ok {
		return start, 1, rest, true
	}
	count, rest, ok = number(after)
	return start, count, rest, ok
}

// number reads digits up to maxNumber.
func number(s string) (n int, rest string, ok bool) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		if n = n*10 + int(s[i]-'0'); n > maxNumber {
			return 0, s, false
		}
		i++
	}
	return n, s[i:], i > 0
}

// first gives the first line of a side that a hunk covers; with a count of 0 it is the one after the start.
func first(start, count int) int {
	if count == 0 {
		return start + 1
	}
	return start
}

// hunkParser collects the lines of one hunk after the other. Its buffers are used again, so a hunk costs two exact
// allocations: its lines and one string that they share.
type hunkParser struct {
	h            Hunk
	oldAt, newAt int // the numbers of the next lines
	oldLeft      int // lines the header still promises
	newLeft      int
	oldEnd       bool // the side's last line had no newline: nothing may follow
	newEnd       bool
	lines        []Line
	text         []byte
	ends         []int
}

// begin starts a hunk; prev is the file's last one or nil.
func (p *hunkParser) begin(line string, prev *Hunk) (problem string) {
	h, problem := hunkHeader(line)
	if problem != "" {
		return problem
	}
	oldAt, newAt := first(h.OldStart, h.OldCount), first(h.NewStart, h.NewCount)
	if prev == nil {
		p.oldEnd, p.newEnd = false, false
	} else if oldAt < first(prev.OldStart, prev.OldCount)+prev.OldCount || newAt < first(prev.NewStart, prev.NewCount)+prev.NewCount {
		return "the hunks overlap or are out of order"
	}
	p.h, p.oldAt, p.newAt, p.oldLeft, p.newLeft = h, oldAt, newAt, h.OldCount, h.NewCount
	p.lines, p.text, p.ends = p.lines[:0], p.text[:0], p.ends[:0]
	return ""
}

// full says whether the hunk has all the lines its header promises.
func (p *hunkParser) full() bool { return p.oldLeft == 0 && p.newLeft == 0 }

// add takes one line of the hunk.
func (p *hunkParser) add(line []byte) (problem string) {
	l := Line{Kind: Context}
	if len(line) > 0 {
		switch line[0] {
		case ' ':
			line = line[1:]
		case '+':
			l.Kind, line = Added, line[1:]
		case '-':
			l.Kind, line = Deleted, line[1:]
		case '\r': // an empty line of a CRLF file whose leading blank an editor has stripped
		case '\\':
			return p.noEOL()
		default:
			return "the hunk has fewer lines than its header says"
		}
	}
	if l.Kind != Added {
		if p.oldLeft == 0 {
			return "the hunk has other lines than its header says"
		}
		l.Old, p.oldLeft, p.oldAt = p.oldAt, p.oldLeft-1, p.oldAt+1
	}
	if l.Kind != Deleted {
		if p.newLeft == 0 {
			return "the hunk has other lines than its header says"
		}
		l.New, p.newLeft, p.newAt = p.newAt, p.newLeft-1, p.newAt+1
	}
	if l.Old > 0 && p.oldEnd || l.New > 0 && p.newEnd {
		return "a line follows the one that ends the file without a newline"
	}
	p.lines = append(p.lines, l)
	p.text = append(p.text, line...)
	p.ends = append(p.ends, len(p.text))
	return ""
}

// noEOL takes "\ No newline at end of file", which is about the line before.
func (p *hunkParser) noEOL() (problem string) {
	if len(p.lines) == 0 || p.lines[len(p.lines)-1].NoEOL {
		return "a mark of a missing newline follows no line"
	}
	l := &p.lines[len(p.lines)-1]
	l.NoEOL = true
	p.oldEnd = p.oldEnd || l.Old > 0
	p.newEnd = p.newEnd || l.New > 0
	return ""
}

// hunk gives the finished hunk.
func (p *hunkParser) hunk() Hunk {
	h := p.h
	h.Lines = slices.Clone(p.lines)
	text, from := string(p.text), 0
	for i, to := range p.ends {
		h.Lines[i].Text, from = text[from:to], to
	}
	return h
}

// promised says in words what a hunk that ended too early lacks.
func (p *hunkParser) promised() string {
	return fmt.Sprintf("the hunk has fewer lines than its header says: %d old and %d new are missing", p.oldLeft, p.newLeft)
}
