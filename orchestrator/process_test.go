package orchestrator

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"

	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/review"
)

// TestSlices: a review that is longer than an attempt goes on from its checkpoints.
func TestSlices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.JobTimeout, w.cfg.RescueAfter = 3*time.Second, 5*time.Second
	w.answers(func(*llmv1.CompleteRequest) (*llmv1.CompleteResponse, error) {
		<-time.After(900 * time.Millisecond) // a slow model, whose calls come one after the other
		return nil, nil
	})
	w.start(t)
	number, head := w.open(githubtest.PullRequestSpec{})
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Findings {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.once(number, 2)
	if _, attempt := w.job(row.JobID); attempt != 1 {
		t.Errorf("it took %d attempts, want 1 in slices", attempt)
	}
	if !strings.Contains(w.log.String(), "why=slice") {
		t.Error("it was done in one slice")
	}
}

// TestShutdown: what is cut by a stop goes on afterwards, without an attempt lost.
func TestShutdown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.StopTimeout = 50 * time.Millisecond
	reached := make(chan struct{})
	w.fails(at("model_called", func(ctx context.Context) error {
		close(reached)
		<-ctx.Done()
		return ctx.Err()
	}))
	number, head := w.open(githubtest.PullRequestSpec{})
	got := w.request(number, head)
	stop := w.start(t)
	<-reached
	stop()
	row := w.review(got.Review.ID)
	if _, attempt := w.job(row.JobID); row.State != review.Running || attempt != 0 {
		t.Errorf("state %s (%s), attempt %d", row.State, row.Reason, attempt)
	}
	w.deps.Registry = newRegistry()
	w.start(t)
	if row := w.ended(got.Review.ID); row.State != review.Findings {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
}

// TestZombie freezes an attempt on its way to the submit, cuts the session that holds its lock, lets another worker
// finish, and thaws the first. It stops at the fence.
func TestZombie(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"intent", "drafted", "before_submit"} {
		w := newWorld(t)
		frozen, thaw := make(chan struct{}), make(chan struct{})
		w.fails(at(point, func(context.Context) error {
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
		w.exec(`SELECT pg_terminate_backend(pid) FROM pg_locks
			WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		if row := w.ended(got.Review.ID); row.State != review.Findings {
			t.Errorf("%s: state %s (%s)", point, row.State, row.Reason)
		}
		w.eventually("the other worker is done", func() bool {
			state, _ := w.job(job)
			return state == "completed"
		})
		w.once(number, 2)
		before, ended := len(w.github.Requests()), w.attemptsEnded()
		close(thaw)
		w.eventually("the zombie is done", func() bool { return w.attemptsEnded() > ended })
		for _, r := range w.github.Requests()[before:] {
			if r.Method != http.MethodGet && r.Applied {
				t.Errorf("%s: the zombie did %s %s", point, r.Method, r.Path)
			}
		}
		w.once(number, 2)
	}
}

// attemptsEnded counts the attempts of the orchestrator that ended.
func (h *hall) attemptsEnded() (n float64) {
	families, err := h.deps.Registry.Gather()
	if err != nil {
		return -1
	}
	for _, f := range families {
		if f.GetName() == "openrabbit_review_attempts_total" {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Pool().Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// TestStuckJobs: a job that is deaf to its timeout gets its slot replaced, and when there are too many the process ends.
func TestStuckJobs(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	o, err := New(h.cfg, h.deps)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if r := o.jobStuck(t.Context(), river.JobStuckHandlerParams{TotalStuckJobs: 1}); !r.AddWorkerSlot {
		t.Error("the first stuck job keeps its slot")
	}
	if err := o.health(); err == nil {
		t.Error("ready before it works")
	}
	for range 2 {
		o.jobStuck(t.Context(), river.JobStuckHandlerParams{TotalStuckJobs: maxStuck})
	}
	if err := o.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "started anew") {
		t.Errorf("Run ended with %v", err)
	}
}
