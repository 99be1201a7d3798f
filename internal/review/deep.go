package review

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/openrabbit/openrabbit/internal/finding"
)

const (
	// deepPasses is how often a deep review looks at the same code.
	deepPasses = 3
	// leastVotes is how many looks must report the same for it to be heard, unless one is as sure as aloneConfidence.
	leastVotes      = 2
	aloneConfidence = 0.85
)

// look asks for the defects of one bundle, several times for a deep review.
func (r *run) look(ctx context.Context, number int, b *bundle) (report, error) {
	if r.options.Depth != Deep {
		return r.find(ctx, number, b, 0, true)
	}
	passes := make([]report, deepPasses)
	err := inParallel(ctx, deepPasses, deepPasses, func(ctx context.Context, pass int) error {
		var err error
		passes[pass], err = r.find(ctx, number, b.shuffled(number, pass), pass, true)
		return err
	})
	if err != nil {
		return report{}, err
	}
	// What any look has read was reviewed.
	var all report
	best := passes[0]
	for _, p := range passes {
		all.candidates = append(all.candidates, p.candidates...)
		if len(p.missed) < len(best.missed) {
			best = p
		}
		if len(p.missed) == 0 {
			all.passes++
		}
	}
	all.reviewed, all.missed = best.reviewed, best.missed
	if all.passes > 0 && all.passes < deepPasses {
		all.notes = []string{"Not every look of the deep review was answered, so parts of the change were looked at less often."}
	}
	return all, nil
}

// shuffled gives a bundle with its files in the order of a pass. The first pass has them as they are.
func (b *bundle) shuffled(number, pass int) *bundle {
	if pass == 0 {
		return b
	}
	files := b.subjects()
	rng := rand.New(rand.NewPCG(uint64(number), uint64(pass))) //nolint:gosec // an order, the same at every retry, is wanted
	rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	other := &bundle{surroundings: b.surroundings, tokens: b.tokens}
	for _, s := range files {
		for _, p := range b.pieces {
			if p.subject == s {
				other.pieces = append(other.pieces, p)
			}
		}
	}
	return other
}

// looks is how often the review looks at the same code.
func (r *run) looks() int {
	if r.options.Depth == Deep {
		return deepPasses
	}
	return 1
}

// heard takes the vote of a deep review: what several looks reported, or one that was sure. When only one look was
// answered there is nobody to vote.
func (r *run) heard(found []finding.Finding, passes []int) []finding.Finding {
	if r.looks() == 1 || len(slices.Compact(slices.Sorted(slices.Values(passes)))) < leastVotes {
		return found
	}
	var list []finding.Finding
	for i := range found {
		votes := map[int]bool{}
		for j := range found {
			if agree(&found[i], &found[j]) {
				votes[passes[j]] = true
			}
		}
		if len(votes) >= leastVotes || found[i].Confidence >= aloneConfidence {
			list = append(list, found[i])
		}
	}
	return list
}

// agree says whether two looks speak of the same thing. It is looser than being the same finding: it decides what is
// heard, and merges nothing.
func agree(a, b *finding.Finding) bool {
	if a.Path != b.Path {
		return false
	}
	if a.Anchored() && b.Anchored() {
		return a.Anchor.Side == b.Anchor.Side && a.Anchor.Start <= b.Anchor.End && b.Anchor.Start <= a.Anchor.End &&
			(a.Category == b.Category || finding.Same(*a, *b))
	}
	return finding.Same(*a, *b)
}
