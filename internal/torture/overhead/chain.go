//go:build unix

package main

import (
	"cmp"
	"slices"
	"time"
)

// call is one call as a stand-in served it, from its arrival to its answer.
type call struct {
	what       string
	start, end time.Time
	// model is set for a question to a model.
	model bool
}

func (c call) took() time.Duration { return c.end.Sub(c.start) }

// seam is how much two calls may overlap and still count as one after the other: clocks are read on both sides.
const seam = time.Millisecond

// longestChain gives the calls, one after the other, whose times sum up to most: what a review that was served these calls
// as they came cannot have taken less than.
func longestChain(calls []call) []call {
	calls = slices.Clone(calls)
	slices.SortFunc(calls, func(a, b call) int { return cmp.Or(a.end.Compare(b.end), a.start.Compare(b.start)) })
	type link struct {
		sum      time.Duration
		previous int
	}
	links := make([]link, len(calls))
	best := -1
	for i, c := range calls {
		links[i] = link{c.took(), -1}
		for j := range calls[:i] {
			if calls[j].end.After(c.start.Add(seam)) {
				continue
			}
			if sum := links[j].sum + c.took(); sum > links[i].sum {
				links[i] = link{sum, j}
			}
		}
		if best < 0 || links[i].sum > links[best].sum {
			best = i
		}
	}
	var chain []call
	for i := best; i >= 0; i = links[i].previous {
		chain = append(chain, calls[i])
	}
	slices.Reverse(chain)
	return chain
}

// sum adds up what calls took.
func sum(calls []call) (total time.Duration) {
	for _, c := range calls {
		total += c.took()
	}
	return total
}

// within gives the calls of a span of time.
func within(calls []call, from, to time.Time) []call {
	var out []call
	for _, c := range calls {
		if !c.start.Before(from) && !c.start.After(to) {
			out = append(out, c)
		}
	}
	return out
}
