package orchestrator

import (
	"context"
	"testing"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/review"
)

// TestChangesDuringThePosting: what happens to the pull request, the repository or the App after the intent to post, and
// after the draft, ends the review quietly or is followed. Nothing is left half done.
func TestChangesDuringThePosting(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.start(t)
	for name, tt := range map[string]struct {
		change func(w *world, number int) error
		state  review.State
		reason string
		// check is the check run's conclusion, empty where nobody may write it any more.
		check string
	}{
		"closed": {
			func(w *world, n int) error { return w.github.ClosePullRequest(w.repo, n, false) }, review.Skipped, reasonClosed, "skipped",
		},
		"merged": {
			func(w *world, n int) error { return w.github.ClosePullRequest(w.repo, n, true) }, review.Skipped, reasonClosed, "skipped",
		},
		"locked": {
			func(w *world, n int) error { return w.github.Lock(w.repo, n, true) }, review.Skipped, reasonLocked, "skipped",
		},
		"made a draft": {
			func(w *world, n int) error { return w.github.SetDraft(w.repo, n, true) }, review.Skipped, "it is a draft", "skipped",
		},
		"the repository is removed": {
			func(w *world, _ int) error { w.github.RemoveRepository(w.repo); return nil }, review.Skipped, reasonGone, "",
		},
		"the repository is renamed": {
			func(w *world, _ int) error { return w.github.RenameRepository(w.repo, w.repo+"-renamed") }, review.Findings, "", "neutral",
		},
		"the app is suspended": {
			func(w *world, _ int) error { w.github.Suspend(int64(w.installation), true); return nil }, review.Failed, "", "",
		},
		"the tokens are revoked": {
			func(w *world, _ int) error { w.github.RevokeTokens(); return nil }, review.Findings, "", "neutral",
		},
	} {
		for _, point := range []string{"intent", "drafted"} {
			t.Run(name+" at "+point, func(t *testing.T) {
				t.Parallel()
				w := h.world(t)
				number, head := w.open(githubtest.PullRequestSpec{})
				w.fails(at(point, func(context.Context) error { return tt.change(w, number) }))
				row := w.ended(w.request(number, head).Review.ID)
				if row.State != tt.state || tt.reason != "" && row.Reason != tt.reason {
					t.Errorf("state %s (%s), want %s (%s)", row.State, row.Reason, tt.state, tt.reason)
				}
				if name == "the repository is renamed" {
					w.repo += "-renamed"
				}
				want := 0
				if tt.state == review.Findings {
					want = 1
				}
				if shown := w.submitted(number); len(shown) != want {
					t.Errorf("%d reviews are shown, want %d", len(shown), want)
				}
				if tt.check != "" {
					w.concluded(row.ID, tt.check)
				}
			})
		}
	}
}
