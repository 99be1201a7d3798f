package orchestrator

import (
	"context"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/review"
)

// TestFrozenHolder freezes an attempt that holds the posting lock and cuts nothing. Postgres ends the lock's session when
// it was silent past the attempt's deadline: the other worker finishes while the first is still frozen.
func TestFrozenHolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.JobTimeout = 4 * time.Second
	frozen, thaw := make(chan struct{}), make(chan struct{})
	w.fails(at("before_submit", func(context.Context) error {
		close(frozen)
		<-thaw
		return nil
	}))
	w.start(t)
	number, head := w.open(githubtest.PullRequestSpec{})
	got := w.request(number, head)
	<-frozen
	job := w.review(got.Review.ID).JobID
	w.exec(`UPDATE river_job SET state = 'available', scheduled_at = now() WHERE id = $1`, job) // as the rescuer does
	if row := w.ended(got.Review.ID); row.State != review.Findings {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.eventually("the other worker is done", func() bool {
		state, _ := w.job(job)
		return state == "completed"
	})
	ended := w.attemptsEnded()
	close(thaw)
	w.eventually("the zombie is done", func() bool { return w.attemptsEnded() > ended })
	w.once(number, 2)
}
