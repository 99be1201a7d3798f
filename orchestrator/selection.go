package orchestrator

import (
	"fmt"
	"slices"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// selection says where each finding of a result is told.
type selection struct {
	// told is the result as the walkthrough tells it. What was commented on before comes first in it, and has room of
	// its own under the cap, so that it takes no place from what is new.
	told review.Result
	// comments are the findings that get a comment, in the order of the request.
	comments []finding.Finding
	// repeats are the fingerprints of findings that have a comment since an earlier review.
	repeats map[finding.Fingerprint]bool
	// earlier are the findings that other reviews showed.
	earlier []earlierFinding
	// capped is set when there are to be no comments at all.
	capped bool
}

// choose decides. Earlier are the findings that other reviews of the pull request showed: what one of them said in a
// comment is not said in a comment again; what stood in the walkthrough stands in the new one, which replaces it.
func choose(r *review.Result, d *diff.Diff, earlier []earlierFinding) selection {
	s := selection{told: *r, earlier: earlier, repeats: map[finding.Fingerprint]bool{}, capped: r.MaxComments <= 0}
	var old, fresh []finding.Finding
	room := r.MaxComments
	for _, f := range r.Findings {
		// The base may have moved since the result was stored, and with it the diff.
		if f.Anchored() && d.Valid(f.Anchor) != nil {
			f.Anchor = diff.Anchor{}
		}
		if commented(f, earlier) {
			s.repeats[f.Fingerprint] = true
			old = append(old, f)
			if f.Anchored() {
				room++
			}
			continue
		}
		fresh = append(fresh, f)
	}
	s.told.Findings = slices.Concat(old, fresh)
	s.told.MaxComments = room
	if len(old) > 0 {
		s.told.Notes = append(slices.Clone(r.Notes), stand(len(old)))
	}
	if s.capped {
		return s
	}
	for _, f := range render.Place(&s.told, nil).Comments {
		if !s.repeats[f.Fingerprint] && len(s.comments) < r.MaxComments {
			s.comments = append(s.comments, f)
		}
	}
	return s
}

func stand(n int) string {
	if n == 1 {
		return "One finding stands since an earlier revision: its comment is there already."
	}
	return fmt.Sprintf("%d findings stand since an earlier revision: their comments are there already.", n)
}

// commented says whether a finding has had a comment: it is the same as one that did, where that one's code stands now.
func commented(f finding.Finding, earlier []earlierFinding) bool {
	return slices.ContainsFunc(earlier, func(e earlierFinding) bool {
		return e.Shown == store.ShownComment && (e.Finding.Fingerprint == f.Fingerprint || finding.Same(e.now(), f))
	})
}

// drafts renders the comments.
func (s *selection) drafts(repository string) []post.Comment {
	out := make([]post.Comment, 0, len(s.comments))
	for _, f := range s.comments {
		body, fallbacks := render.Comment(f, render.Options{Repository: repository})
		out = append(out, post.Comment{Anchor: f.Anchor, Body: body, Fallbacks: fallbacks})
	}
	return out
}

// refused gives the fingerprints whose comment is not on GitHub, so that the walkthrough tells them in full.
func (s *selection) refused(posted post.Result) []finding.Fingerprint {
	var out []finding.Fingerprint
	for _, i := range posted.Refused {
		out = append(out, s.comments[i].Fingerprint)
	}
	if s.capped {
		for _, f := range s.told.Findings {
			if !s.repeats[f.Fingerprint] {
				out = append(out, f.Fingerprint)
			}
		}
	}
	return out
}

// stored says where each finding was shown, given what was posted. Until the walkthrough is written, what stands only
// there was shown nowhere.
func (s *selection) stored(posted post.Result, walkthrough bool) []store.StoredFinding {
	on := make(map[finding.Fingerprint]bool, len(posted.Posted))
	for _, i := range posted.Posted {
		on[s.comments[i].Fingerprint] = true
	}
	out := make([]store.StoredFinding, 0, len(s.told.Findings))
	for _, f := range s.told.Findings {
		shown := store.ShownNowhere
		switch {
		case on[f.Fingerprint]:
			shown = store.ShownComment
		case s.repeats[f.Fingerprint]:
		case walkthrough:
			shown = store.ShownWalkthrough
		}
		out = append(out, store.StoredFinding{Finding: f, Shown: shown})
	}
	return out
}
