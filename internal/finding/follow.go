package finding

import (
	"slices"
	"sort"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// linesOf cuts a file into lines, without their newlines.
func linesOf(content []byte) []string {
	lines := strings.Split(string(content), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// follow finds where lines from to to (0-based, inclusive) of one version of a file are in another. White space does
// not count, nor do line breaks.
//
// Lines are mapped between the versions as far as they certainly are the same ones (align). The anchored code stands
// when there is one copy of it in the newer version, no other line of the older one can be what stands there, and it is
// in its place: mapped, and beside at least one of the lines beside which it stood (both for a line like many others,
// none for code that says much). Code that says much may also have moved. It is gone when no copy is left, or when each
// copy left is, beyond doubt, one that stood elsewhere. Anything else nobody can tell.
func follow(before, after []string, from, to int) (at span, fate Fate) {
	for from < to && squeeze(before[from]) == "" {
		from++
	}
	for to > from && squeeze(before[to]) == "" {
		to--
	}
	if slices.Equal(before, after) {
		return span{from, to}, Stands
	}
	code := before[from : to+1]
	copies, rivals := copiesOf(after, code), 0
	if len(copies) == 0 {
		return span{}, Gone
	}
	image := align(before, after)
	// Copies in the newer version that are whole copies of elsewhere in the older one are not the anchored code; and a
	// copy of the older version that is nowhere for sure may be what stands in the newer one.
	says := weight(strings.Join(code, ""))
	olds := copiesOf(before, code)
	for _, other := range olds {
		if other.from == from && other.to == to {
			continue
		}
		if now, ok := wholly(image, before, other); ok && beside(before, image, other, now) == 2 {
			copies = slices.DeleteFunc(copies, func(s span) bool { return s == now })
		} else {
			rivals++
		}
	}
	if len(copies) == 0 && says >= minTelling {
		return span{}, Gone
	}
	if len(copies) != 1 || rivals > 0 || says < minExact {
		return span{}, FateUnknown
	}
	switch only := copies[0]; {
	case only == span{image[from], image[to]}:
		if n := beside(before, image, span{from, to}, only); n == 2 || n == 1 && says > 2*minPart || says >= minTelling {
			return only, Stands
		}
	case says >= minTelling && len(olds) == 1 && apart(image, span{from, to}, only):
		return only, Stands // moved, or wrapped
	}
	return span{}, FateUnknown
}

// wholly gives the image of a span when all of its lines that are not blank are mapped, in their order.
func wholly(image []int, before []string, s span) (now span, ok bool) {
	last := -1
	for i := s.from; i <= s.to; i++ {
		if squeeze(before[i]) == "" {
			continue
		}
		if image[i] <= last {
			return span{}, false
		}
		if last < 0 {
			now.from = image[i]
		}
		last = image[i]
	}
	now.to = last
	return now, last >= 0
}

// minTelling is the weight from which on code is known again wherever it stands: less may be written twice by chance.
const minTelling = 24

// apart says that no line inside a span of the older version is mapped outside one of the newer, nor the other way.
func apart(image []int, was, now span) bool {
	for i, j := range image {
		if j >= 0 && (was.from <= i && i <= was.to) != (now.from <= j && j <= now.to) {
			return false
		}
	}
	return true
}

// beside counts the lines, above and below, beside which a span that is mapped stood and still stands. The ends of the
// file are no lines.
func beside(before []string, image []int, was, now span) (n int) {
	if neighbour(before, image, was.from, -1) == now.from {
		n++
	}
	if neighbour(before, image, was.to, 1) == now.to {
		n++
	}
	return n
}

// neighbour gives the line of the newer version beside which a line would stand if it stood where its neighbour above
// (step -1) or below (1), blank lines aside, stands now; -2 when that is not known.
func neighbour(before []string, image []int, line, step int) int {
	i, blank := line+step, 0
	for i >= 0 && i < len(before) && squeeze(before[i]) == "" {
		i, blank = i+step, blank+1
	}
	if i < 0 || i >= len(before) || image[i] < 0 {
		return -2
	}
	return image[i] - step*(blank+1)
}

// copiesOf finds the runs of whole lines that are the code, white space and line breaks aside.
func copiesOf(lines, code []string) []span {
	numbered := make([]diff.Line, len(lines))
	for i, line := range lines {
		numbered[i] = diff.Line{Kind: diff.Context, Old: i + 1, New: i + 1, Text: line}
	}
	return newSequence(numbered, diff.New).loose(code)
}

// align maps lines of one version of a file to those of another that they certainly are, by index; the others to -1.
// White space does not count.
func align(before, after []string) []int {
	a, b := squeezed(before), squeezed(after)
	image := make([]int, len(a))
	for i := range image {
		image[i] = -1
	}
	prevA, prevB := -1, -1
	between := func(i, j int) {
		gap(a, b, image, span{prevA + 1, i}, span{prevB + 1, j})
		prevA, prevB = i, j
	}
	for _, p := range inOrder(pairs(a, b)) {
		image[p.from] = p.to
		between(p.from, p.to)
	}
	between(len(a), len(b))
	return image
}

func squeezed(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = squeeze(line)
	}
	return out
}

// pairs gives the lines that stand once in each version and say something, as (index before, index after), in the order
// of the older version.
func pairs(a, b []string) []span {
	const several = -2
	where := func(lines []string) map[string]int {
		at := make(map[string]int, len(lines))
		for i, line := range lines {
			if _, ok := at[line]; ok {
				i = several
			}
			at[line] = i
		}
		return at
	}
	inA, inB := where(a), where(b)
	var out []span
	for i, line := range a {
		if j, ok := inB[line]; ok && j != several && inA[line] == i && weight(line) >= minExact {
			out = append(out, span{i, j})
		}
	}
	return out
}

// inOrder gives the longest run of pairs that are in the same order in both versions (patience sorting).
func inOrder(ps []span) []span {
	var tops []int // of each pile, the index of its top pair
	below := make([]int, len(ps))
	for i, p := range ps {
		pile := sort.Search(len(tops), func(k int) bool { return ps[tops[k]].to >= p.to })
		below[i] = -1
		if pile > 0 {
			below[i] = tops[pile-1]
		}
		if pile == len(tops) {
			tops = append(tops, i)
		} else {
			tops[pile] = i
		}
	}
	out := make([]span, len(tops))
	for k, i := len(tops)-1, -1; k >= 0; k-- {
		if i < 0 {
			i = tops[k]
		} else {
			i = below[i]
		}
		out[k] = ps[i]
	}
	return out
}

// maxGap bounds the work on one gap, in pairs of lines. In a larger one, which is a file written anew, nothing is mapped.
const maxGap = 1 << 22

// gap maps the lines between two that are mapped; both spans exclude their ends. A line is mapped when every longest
// common run of lines of the gap has it, always with the same partner: else one of several equal lines was added or
// taken away, and which it was cannot be told.
func gap(a, b []string, image []int, in, out span) {
	n, m := in.to-in.from, out.to-out.from
	if n == 0 || m == 0 {
		return
	}
	a, b = a[in.from:in.to], b[out.from:out.to]
	if slices.Equal(a, b) {
		for i := range a {
			image[in.from+i] = out.from + i
		}
		return
	}
	if n > maxGap/m {
		return
	}
	// head[i][j] is the length of the longest common run of a[:i] and b[:j], tail[i][j] that of a[i:] and b[j:].
	head, tail := table(n+1, m+1), table(n+1, m+1)
	for i := 1; i <= n; i++ {
		for j := 1; j <= m; j++ {
			if a[i-1] == b[j-1] {
				head[i][j] = head[i-1][j-1] + 1
			} else {
				head[i][j] = max(head[i-1][j], head[i][j-1])
			}
		}
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if a[i] == b[j] {
				tail[i][j] = tail[i+1][j+1] + 1
			} else {
				tail[i][j] = max(tail[i+1][j], tail[i][j+1])
			}
		}
	}
	longest := head[n][m]
	for i := range n {
		partner, sure := -1, true
		for j := 0; j <= m && sure; j++ {
			if head[i][j]+tail[i+1][j] == longest {
				sure = false // there is one without this line
			}
			if j < m && a[i] == b[j] && head[i][j]+1+tail[i+1][j+1] == longest {
				sure = sure && partner < 0
				partner = j
			}
		}
		if sure && partner >= 0 {
			image[in.from+i] = out.from + partner
		}
	}
}

// table makes rows over one array.
func table(rows, columns int) [][]int32 {
	cells := make([]int32, rows*columns)
	out := make([][]int32, rows)
	for i := range out {
		out[i] = cells[i*columns : (i+1)*columns]
	}
	return out
}
