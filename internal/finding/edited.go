package finding

import (
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// Bounds of the comparison by edit distance.
const (
	minEdited = 24      // a shorter quote, white space left out, is like too much other code
	maxEdits  = 40      // of a long quote
	maxCells  = 1 << 26 // of work for one quote
)

// edited finds the one run of whole lines that differs from the quote by few characters: a tenth of it at most, each
// line alike the quote's, and nothing else within a fifth. It is one of the new side: a line that was
// changed is near on both, and a deleted one that is nearer, or nearly as near, leaves open which was meant.
func edited(in []*sequence, quote []string) []match {
	q := squeeze(strings.Join(quote, "\n"))
	limit := min(len(q)/10, maxEdits)
	if len(q) < minEdited {
		return nil
	}
	quote = slices.DeleteFunc(slices.Clone(quote), func(line string) bool { return strings.TrimSpace(line) == "" })
	height := len(quote)
	type near struct {
		match
		distance int
	}
	var best [3]near
	var others [3]bool
	work := 0
	for _, s := range in {
		for _, p := range s.windows(height) {
			m, ok := s.match(p)
			if !ok {
				continue
			}
			text := s.stream[s.starts[p.from]:s.starts[p.to+1]]
			if work += len(q) * (4*limit + 1); work > maxCells {
				return nil
			}
			distance := editDistance(q, text, 2*limit)
			if distance > 2*limit {
				continue
			}
			b := &best[m.side]
			switch {
			case b.side == diff.SideUnknown && s.alike(p, quote):
				*b = near{m, distance}
			default:
				others[m.side] = true
			}
		}
	}
	winner, loser := best[diff.New], best[diff.Old]
	if winner.side == diff.SideUnknown || others[diff.New] || others[diff.Old] || winner.distance > limit {
		return nil
	}
	if loser.side != diff.SideUnknown && loser.distance < 2*winner.distance {
		return nil
	}
	return []match{winner.match}
}

// alike says whether each line of a span differs from that of a quote by a quarter of its characters at most, blank lines
// and white space aside.
func (s *sequence) alike(p span, quote []string) bool {
	i := p.from
	for _, line := range quote {
		for s.blank(i) {
			i++
		}
		a, b := squeeze(line), s.stream[s.starts[i]:s.starts[i+1]]
		limit := min(len(a), len(b)) / 4
		if editDistance(a, b, limit) > limit {
			return false
		}
		i++
	}
	return true
}

// windows gives every run of a number of lines that are not blank, without blank lines at its ends.
func (s *sequence) windows(height int) []span {
	var at []int
	for i := range s.lines {
		if !s.blank(i) {
			at = append(at, i)
		}
	}
	var found []span
	for i := 0; i+height <= len(at); i++ {
		found = append(found, span{at[i], at[i+height-1]})
	}
	return found
}

// editDistance gives the Levenshtein distance of two texts in bytes, or limit+1 when it is more than limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	previous, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		low, high := max(1, i-limit), min(len(b), i+limit)
		// What lies outside the band is more than limit.
		row[low-1] = limit + 1
		if low == 1 {
			row[0] = i
		}
		smallest := row[low-1]
		for j := low; j <= high; j++ {
			cost := previous[j-1]
			if a[i-1] != b[j-1] {
				up := limit + 1
				if j < i+limit {
					up = previous[j]
				}
				cost = 1 + min(cost, up, row[j-1])
			}
			row[j] = cost
			smallest = min(smallest, cost)
		}
		if smallest > limit {
			return limit + 1
		}
		previous, row = row, previous
	}
	return min(previous[len(b)], limit+1)
}
