// Package eval measures reviews against what people said of the same pull requests. It is pure: what was reviewed and what
// the model was shown are handed to it.
package eval

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
)

// Golden is a comment that a review should make.
type Golden struct {
	Text string
	// Path is empty, and the lines 0, where the data say nothing of the place.
	Path       string
	Side       diff.Side
	Start, End int
}

// Placed says whether the comment has lines.
func (g Golden) Placed() bool { return g.Path != "" && g.Start > 0 }

// Pull is what a pr.json says of a pull request.
type Pull struct {
	Title, Base, Head, Repository string
	Golden                        []Golden
}

// ParsePull reads a pr.json: title, base, head, repo, and golden comments with `comment` or `note`, and where they have a
// place `path`, `side` ("left" for the old side), `from_line` and `to_line`.
func ParsePull(text []byte) (Pull, error) {
	var raw struct {
		Title, Base, Head, Repo string
		Golden                  []struct {
			Comment, Note, Path, Side string
			From                      int `json:"from_line"`
			To                        int `json:"to_line"`
		}
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return Pull{}, fmt.Errorf("read pull request: %w", err)
	}
	p := Pull{Title: raw.Title, Base: raw.Base, Head: raw.Head, Repository: raw.Repo}
	for _, g := range raw.Golden {
		one := Golden{Text: g.Comment + g.Note, Path: g.Path, Side: diff.New, Start: g.From, End: max(g.From, g.To)}
		if strings.EqualFold(g.Side, "left") {
			one.Side = diff.Old
		}
		p.Golden = append(p.Golden, one)
	}
	return p, nil
}

// near is how many lines apart a finding and a comment about the same thing may stand.
const near = 3

// ByLocation pairs findings with golden comments of the same file on the same lines, or within a few, each at most once,
// the nearest first. It gives, for each golden comment, the index of its finding or -1. Comments without a place are never
// paired: this says nothing about them.
func ByLocation(golden []Golden, found []finding.Finding) []int {
	pairs := make([]int, len(golden))
	taken := make([]bool, len(found))
	for i := range pairs {
		pairs[i] = -1
	}
	for distance := 0; distance <= near; distance++ {
		for i, g := range golden {
			for j := range found {
				f := &found[j]
				if pairs[i] >= 0 || taken[j] || !g.Placed() || f.Path != g.Path || !f.Anchored() || f.Anchor.Side != g.Side {
					continue
				}
				if apart(g.Start, g.End, f.Anchor.Start, f.Anchor.End) <= distance {
					pairs[i], taken[j] = j, true
				}
			}
		}
	}
	return pairs
}

// apart is how many lines lie between two ranges, 0 when they overlap.
func apart(a, b, c, d int) int { return max(c-b, a-d, 0) }

// Score counts what was hit.
type Score struct {
	// Golden is how many comments there are to find, Hit how many were found.
	Golden, Hit int
	// Found is how many findings there were.
	Found int
}

// Count makes the score of one pull request. Findings that hit nothing count as wrong, also where people overlooked
// something: the measure is of agreement with them.
func Count(golden []Golden, found []finding.Finding, pairs []int, placedOnly bool) Score {
	s := Score{Found: len(found)}
	for i, g := range golden {
		if placedOnly && !g.Placed() {
			continue
		}
		s.Golden++
		if pairs[i] >= 0 {
			s.Hit++
		}
	}
	return s
}

// Add adds another score.
func (s *Score) Add(o Score) {
	s.Golden += o.Golden
	s.Hit += o.Hit
	s.Found += o.Found
}

// Precision is the share of findings that say what a golden comment says; 0 when there is nothing to divide by, as below.
func (s Score) Precision() float64 { return share(s.Hit, s.Found) }

// Recall is the share of golden comments that were found.
func (s Score) Recall() float64 { return share(s.Hit, s.Golden) }

// F1 is the harmonic mean of precision and recall.
func (s Score) F1() float64 {
	p, r := s.Precision(), s.Recall()
	if p+r == 0 {
		return 0
	}
	return 2 * p * r / (p + r)
}

func share(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
