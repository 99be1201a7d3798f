package finding

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// sequence is what a quote is searched in: the lines of one hunk as they stand on a side, or as they are printed.
type sequence struct {
	lines []diff.Line
	// side is SideUnknown for a hunk as printed.
	side diff.Side
	// stream is the lines without white space, starts the offset of each line in it and one more for the end.
	stream string
	starts []int
}

func newSequence(lines []diff.Line, side diff.Side) *sequence {
	s := &sequence{lines: lines, side: side, starts: make([]int, 0, len(lines)+1)}
	var b strings.Builder
	for _, l := range lines {
		s.starts = append(s.starts, b.Len())
		b.WriteString(squeeze(l.Text))
	}
	s.starts = append(s.starts, b.Len())
	s.stream = b.String()
	return s
}

// blank says whether a line is nothing but white space.
func (s *sequence) blank(i int) bool { return s.starts[i] == s.starts[i+1] }

// span is a run of lines of a sequence, by index, both ends included.
type span struct{ from, to int }

// Bounds of what is searched further once it is clear that a quote says too little.
const (
	maxPlaces = 64   // of one segment of a quote with elisions
	maxParts  = 1000 // places of a part of a line
)

// minExact is the weight from which on a quote's indentation is trusted: a brace alone is the same brace anywhere.
const minExact = 3

// exact finds runs of lines equal to the quote's; a carriage return at the end of a line does not count. A quote in
// which nothing is indented may have lost its white space, so that it is compared without any; one whose first line is
// not indented may have lost it there, as text does that is trimmed.
func (s *sequence) exact(quote []string) []span {
	if weight(strings.Join(quote, "")) < minExact || !slices.ContainsFunc(quote, indented) {
		return nil
	}
	var found []span
	for i := 0; i+len(quote) <= len(s.lines); i++ {
		same := true
		for j, q := range quote {
			text := s.lines[i+j].Text
			if j == 0 && !indented(q) {
				text = strings.TrimLeft(text, " \t")
			}
			if strings.TrimSuffix(text, "\r") != strings.TrimSuffix(q, "\r") {
				same = false
				break
			}
		}
		if same {
			found = append(found, span{i, i + len(quote) - 1})
		}
	}
	return found
}

func indented(line string) bool { return line != "" && (line[0] == ' ' || line[0] == '\t') }

// loose finds runs of whole lines that equal the quote when white space and line breaks are left out.
func (s *sequence) loose(quote []string) []span {
	q := squeeze(strings.Join(quote, "\n"))
	if q == "" {
		return nil
	}
	var found []span
	for i := range s.lines {
		if s.blank(i) || !strings.HasPrefix(s.stream[s.starts[i]:], q) {
			continue
		}
		if last, ok := s.lineEndingAt(s.starts[i] + len(q)); ok {
			found = append(found, span{i, last})
		}
	}
	return found
}

// lineAt gives the line that holds the byte at an offset of the stream.
func (s *sequence) lineAt(offset int) int {
	low, high := 0, len(s.lines)-1
	for low < high {
		mid := (low + high + 1) / 2
		if s.starts[mid] <= offset {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low
}

// lineEndingAt gives the line whose last byte is just before an offset.
func (s *sequence) lineEndingAt(offset int) (int, bool) {
	i := s.lineAt(offset - 1)
	return i, s.starts[i+1] == offset
}

// minPart is the weight that a quote of less than a line needs: shorter ones are anywhere.
const minPart = 8

// part finds the quote inside lines, white space left out, where it splits no word at its ends.
func (s *sequence) part(quote []string) []span {
	q := strings.TrimSuffix(strings.TrimSuffix(squeeze(strings.Join(quote, "\n")), "..."), "…")
	q = strings.TrimPrefix(strings.TrimPrefix(q, "..."), "…")
	if weight(q) < minPart {
		return nil
	}
	var found []span
	from := 0
	for range maxParts {
		i := strings.Index(s.stream[from:], q)
		if i < 0 {
			break
		}
		at := from + i
		if end := at + len(q); !s.splitsWord(at) && !s.splitsWord(end) {
			p := span{s.lineAt(at), s.lineAt(end - 1)}
			head, tail := s.stream[at:min(end, s.starts[p.from+1])], s.stream[max(at, s.starts[p.to]):end]
			// Of several lines, the first and the last are whole, or what is quoted of them says something.
			if (at == s.starts[p.from] || weight(head) >= minExact) && (end == s.starts[p.to+1] || weight(tail) >= minExact) {
				found = append(found, p)
			}
		}
		from = at + 1
	}
	return found
}

// splitsWord says whether an offset lies between two characters of one word of a line.
func (s *sequence) splitsWord(offset int) bool {
	if offset == 0 || offset == len(s.stream) {
		return false
	}
	line := s.lineAt(offset)
	if s.starts[line] == offset {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(s.stream[:offset])
	after, _ := utf8.DecodeRuneInString(s.stream[offset:])
	if !wordRune(before) || !wordRune(after) {
		return false
	}
	// The stream has no white space; the line knows whether some stood there.
	left := offset - s.starts[line]
	for _, r := range s.lines[line].Text {
		size := len(squeeze(string(r)))
		if left == 0 {
			return size > 0
		}
		left -= size
	}
	return false
}

// chain finds where segments follow each other in one sequence, anything between them. It gives every pair of a first
// and a last place, so that two of them mean that the quote is ambiguous.
func (s *sequence) chain(parts [][]string, find func(*sequence, []string) []span) []span {
	places := make([][]span, len(parts))
	for i, part := range parts {
		if places[i] = find(s, part); len(places[i]) == 0 || len(places[i]) > maxPlaces {
			return nil
		}
	}
	var found []span
	for _, head := range places[0] {
		end, ok := head.to, true
		for _, middle := range places[1 : len(parts)-1] {
			if end, ok = earliestAfter(middle, end); !ok {
				break
			}
		}
		if !ok {
			continue
		}
		for _, tail := range places[len(parts)-1] {
			if tail.from > end {
				found = append(found, span{head.from, tail.to})
			}
		}
	}
	return found
}

// earliestAfter gives the end of the first place that begins after a line.
func earliestAfter(places []span, line int) (int, bool) {
	for _, p := range places {
		if p.from > line {
			return p.to, true
		}
	}
	return 0, false
}

// match turns a span into a place on a side. A span of the old side without a deleted line is none: the new side
// shows its lines too. A span of the printed hunk is a place of the new side when it has lines there.
func (s *sequence) match(p span) (match, bool) {
	m := match{side: s.side}
	deleted := false
	for _, l := range s.lines[p.from : p.to+1] {
		m.added = m.added || l.Kind == diff.Added
		deleted = deleted || l.Kind == diff.Deleted
		if l.New > 0 && m.side == diff.SideUnknown {
			m.side = diff.New
		}
	}
	if m.side == diff.SideUnknown {
		m.side = diff.Old
	}
	if m.side == diff.Old && !deleted {
		return match{}, false
	}
	says := 0
	for _, l := range s.lines[p.from : p.to+1] {
		if n := l.Number(m.side); n > 0 {
			if m.start == 0 {
				m.start = n
			}
			m.end = n
			says += weight(l.Text)
		}
	}
	// Of lines of both sides, those of the one that is taken must be more than a brace.
	return m, m.start > 0 && (s.side != diff.SideUnknown || says >= minExact)
}

// search gives the matches of the first reading and the first kind of comparison that has any; near is set when they
// are only like the quote.
func search(f *diff.File, quote string) (found []match, near bool) {
	var sides, printed []*sequence
	for i := range f.Hunks {
		h := &f.Hunks[i]
		sides = append(sides, newSequence(h.Side(diff.New), diff.New), newSequence(h.Side(diff.Old), diff.Old))
		printed = append(printed, newSequence(h.Lines, diff.SideUnknown))
	}
	readings := quotes(quote)
	try := func(in []*sequence, find func(*sequence, []string) []span) []match {
		for _, reading := range readings {
			if found := collect(in, reading, find); len(found) > 0 {
				return found
			}
		}
		return nil
	}
	for _, level := range []struct {
		in   []*sequence
		find func(*sequence, []string) []span
	}{
		{sides, (*sequence).exact},
		{sides, (*sequence).loose},
		{printed, (*sequence).exact},
		{printed, (*sequence).loose},
		{sides, (*sequence).part},
		{sides, elided((*sequence).exact)},
		{sides, elided((*sequence).loose)},
		{sides, skipped},
	} {
		if found := try(level.in, level.find); len(found) > 0 {
			return found, false
		}
	}
	for _, reading := range readings {
		if found := edited(sides, reading); len(found) > 0 {
			return found, true
		}
	}
	return nil, false
}

// collect gathers the distinct matches of one comparison.
func collect(in []*sequence, quote []string, find func(*sequence, []string) []span) []match {
	var found []match
	seen := map[match]bool{}
	for _, s := range in {
		for _, p := range find(s, quote) {
			if m, ok := s.match(p); ok && !seen[m] {
				seen[m] = true
				found = append(found, m)
			}
		}
	}
	return found
}

// elided compares a quote that leaves code out and says so.
func elided(find func(*sequence, []string) []span) func(*sequence, []string) []span {
	return func(s *sequence, quote []string) []span {
		parts := segments(quote)
		whole := len(parts) == 1 && len(parts[0]) == len(quote)
		says := 0
		for _, part := range parts {
			says += weight(strings.Join(part, ""))
		}
		switch {
		case whole || says < minPart:
			return nil
		case len(parts) == 1:
			return find(s, parts[0])
		}
		return s.chain(parts, find)
	}
}

// skipped compares a quote that leaves lines out without saying so: its lines follow each other in the hunk, with few
// others between.
func skipped(s *sequence, quote []string) []span {
	var parts [][]string
	strong := 0
	for _, line := range quote {
		if strings.TrimSpace(line) == "" || elision(line) {
			continue
		}
		if weight(line) >= minPart {
			strong++
		}
		parts = append(parts, []string{line})
	}
	if len(parts) < 2 || strong < 2 {
		return nil
	}
	var found []span
	for _, p := range s.chain(parts, (*sequence).loose) {
		if p.to-p.from < 2*len(parts)+10 {
			found = append(found, p)
		}
	}
	return found
}
