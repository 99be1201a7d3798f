package finding

import (
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// Bounds of the comparison by edit distance.
const (
	minEdited = 24      // a shorter quote, white space left out, is like too much other code
	maxEdits  = 40      // of a long quote
	maxCells  = 1 << 26 // of work for one quote
)

// edited finds the one run of whole lines that differs from the quote by few characters: a tenth of it at most, and
// nothing else on that side within a fifth.
func edited(in []*sequence, quote []string) []match {
	q := squeeze(strings.Join(quote, "\n"))
	limit := min(len(q)/10, maxEdits)
	if len(q) < minEdited {
		return nil
	}
	height := 0
	for _, line := range quote {
		if strings.TrimSpace(line) != "" {
			height++
		}
	}
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
			case b.side == diff.SideUnknown:
				*b = near{m, distance}
			default:
				others[m.side] = true
			}
		}
	}
	after, before := best[diff.New], best[diff.Old]
	winner := after
	if after.side == diff.SideUnknown || before.side != diff.SideUnknown && before.distance < after.distance {
		winner = before
	}
	if winner.side == diff.SideUnknown || others[winner.side] || winner.distance > limit {
		return nil
	}
	return []match{winner.match}
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
