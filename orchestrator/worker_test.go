package orchestrator

import (
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

func TestReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	number, head := w.open(githubtest.PullRequestSpec{})
	got := w.request(number, head)
	row := w.ended(got.Review.ID)
	if row.State != review.Findings || row.Stage != review.StagePublish {
		t.Fatalf("state %s (%s), stage %s", row.State, row.Reason, row.Stage)
	}
	shown := w.submitted(number)
	if len(shown) != 1 || len(shown[0].Comments) != 2 || shown[0].State != "COMMENTED" {
		t.Fatalf("reviews = %+v", shown)
	}
	for i, line := range []int{6, 8} {
		if c := shown[0].Comments[i]; c.Path != "cart.go" || c.Line != line || c.Side != "RIGHT" {
			t.Errorf("comment %d at %s:%d %s, want line %d", i, c.Path, c.Line, c.Side, line)
		}
	}
	walkthroughs := w.walkthroughs(number)
	if len(walkthroughs) != 1 || !strings.Contains(walkthroughs[0].Body, "2 findings") {
		t.Errorf("walkthroughs = %+v", walkthroughs)
	}
	w.concluded(row.ID, "neutral")
	findings, err := w.store.FindingsOf(t.Context(), row.ID)
	if err != nil || len(findings) != 2 || findings[0].Shown != store.ShownComment {
		t.Errorf("findings = %+v, %v", findings, err)
	}
	if row.Usage.Calls == 0 || row.Usage.CostMicros == 0 || row.MergeBase == "" {
		t.Errorf("usage %+v, merge base %q", row.Usage, row.MergeBase)
	}
	w.valid()
}
