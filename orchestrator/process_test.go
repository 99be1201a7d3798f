package orchestrator

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

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
	if err := o.health(); err == nil {
		t.Error("ready before it works")
	}
	o.stuck.grace = time.Millisecond
	deaf := make(chan struct{})
	var jobs sync.WaitGroup
	defer jobs.Wait()
	defer close(deaf)
	for i := range maxStuck {
		runDeaf(&jobs, o.stuck, int64(i), deaf)
		r := o.jobStuck(t.Context(), river.JobStuckHandlerParams{ID: int64(i)})
		if want := i+1 < maxStuck; r.AddWorkerSlot != want {
			t.Errorf("stuck job %d: another slot %v, want %v", i+1, r.AddWorkerSlot, want)
		}
	}
	if err := o.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "started anew") {
		t.Errorf("Run ended with %v", err)
	}
}

// runDeaf runs a job that ends when it is let go, and returns once it runs.
func runDeaf(jobs *sync.WaitGroup, s *stuckJobs, id int64, end <-chan struct{}) {
	running := make(chan struct{})
	jobs.Go(func() {
		_ = s.watch(context.Background(), &rivertype.JobRow{ID: id}, func(context.Context) error {
			close(running)
			<-end
			return nil
		})
	})
	<-running
}

// TestPausedJobs: a process that was paused finds all its jobs past their timeouts at once. They end, and it goes on.
func TestPausedJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStuckJobs()
		over := make(chan struct{})
		found := s.forGood(over)
		var jobs sync.WaitGroup
		stick := func(end <-chan struct{}) {
			for i := range maxStuck {
				runDeaf(&jobs, s, int64(i), end)
				s.mark(int64(i))
			}
			s.many <- struct{}{}
		}
		paused := make(chan struct{})
		stick(paused)
		time.Sleep(stuckGrace / 2)
		close(paused)
		jobs.Wait()
		if n := s.mark(0); n != 0 {
			t.Errorf("%d jobs are stuck after all have ended", n)
		}
		time.Sleep(2 * stuckGrace)
		select {
		case <-found:
			t.Error("gave up although all jobs had ended")
		default:
		}
		deaf := make(chan struct{})
		stick(deaf)
		select {
		case <-found:
		case <-time.After(2 * stuckGrace):
			t.Error("deaf jobs are left to themselves")
		}
		close(deaf)
		jobs.Wait()
		close(over)
	})
}
