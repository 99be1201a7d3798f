package orchestrator

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

const (
	pullRoute    = "/repos/{owner}/{repo}/pulls/{pull_number}"
	draftRoute   = "POST " + pullRoute + "/reviews"
	submitRoute  = "POST " + pullRoute + "/reviews/{review_id}/events"
	commentRoute = "POST /repos/{owner}/{repo}/issues/{issue_number}/comments"
	checkRoute   = "POST /repos/{owner}/{repo}/check-runs"
	endRoute     = "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}"
)

var failpoints = []string{
	"loaded", "check_run", "analyzed", "model_called", "result_saved", "intent", "drafted", "before_submit", "submitted",
	"walkthrough", "done",
}

// TestCrash kills the attempt at each failpoint. The next one finishes: one review, one walkthrough, one check run, and
// no answer of the model is paid for twice.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, point := range failpoints {
		for _, how := range []string{"error", "panic"} {
			if point == "model_called" && how == "panic" {
				continue // on a goroutine of the engine: that is the end of the process, and the fault harness's matter
			}
			t.Run(point+", "+how, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				var landed atomic.Bool
				w.deps.Failpoint = at(point, func(context.Context) error {
					landed.Store(true)
					if how == "panic" {
						panic("the worker dies")
					}
					return errors.New("the worker dies")
				})
				number, head := w.open(githubtest.PullRequestSpec{})
				got := w.request(number, head)
				w.start()
				row := w.ended(got.Review.ID)
				w.eventually("the job is done", func() bool { return w.jobsLeft() == 0 })
				if !landed.Load() {
					t.Fatal("the crash did not land")
				}
				if row.State != review.Findings {
					t.Fatalf("state %s (%s)", row.State, row.Reason)
				}
				shown := w.submitted(number)
				if len(shown) != 1 || len(shown[0].Comments) != 2 || len(w.github.Reviews(repoName, number)) != 1 {
					t.Errorf("reviews = %+v", w.github.Reviews(repoName, number))
				}
				if n := len(w.walkthroughs(number)); n != 1 {
					t.Errorf("%d walkthroughs", n)
				}
				if n := len(w.github.CheckRuns(repoName)); n != 1 {
					t.Errorf("%d check runs", n)
				}
				w.concluded(row.ID, "neutral")
				// Summary, findings, two verdicts; an answer that was under way when the worker died may be asked for again.
				if n := w.model.calls(); n > 4 && point != "model_called" || n > 6 {
					t.Errorf("%d model calls: %v", n, w.model.asked)
				}
				w.valid()
			})
		}
	}
}

// jobsLeft counts the jobs that have not ended.
func (w *world) jobsLeft() (n int) {
	err := w.db.Pool().QueryRow(w.t.Context(), `SELECT count(*) FROM river_job
		WHERE state NOT IN ('completed', 'cancelled', 'discarded')`).Scan(&n)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestAmbiguousWrites loses the answer to each write, done or not. Nothing is there twice.
func TestAmbiguousWrites(t *testing.T) {
	t.Parallel()
	for name, route := range map[string]string{
		"draft": draftRoute, "submit": submitRoute, "walkthrough": commentRoute, "check run": checkRoute, "check run's end": endRoute,
	} {
		for when, fault := range map[string]githubtest.Fault{
			"before": {When: githubtest.Before, Status: http.StatusBadGateway},
			"after":  {When: githubtest.AfterCommit, Status: http.StatusBadGateway},
			"reset":  {When: githubtest.AfterCommit, Reset: true},
			"later":  {When: githubtest.Later, Status: http.StatusBadGateway, ApplyAfter: 100 * time.Millisecond},
		} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.cfg.Settle = 200 * time.Millisecond
				fault.Route, fault.Times = route, 1
				armed := w.github.Inject(fault)
				number, head := w.open(githubtest.PullRequestSpec{})
				got := w.request(number, head)
				w.start()
				row := w.ended(got.Review.ID)
				if row.State != review.Findings || armed.Landed() != 1 {
					t.Fatalf("state %s (%s), the fault landed %d times", row.State, row.Reason, armed.Landed())
				}
				if shown := w.submitted(number); len(shown) != 1 || len(shown[0].Comments) != 2 {
					t.Errorf("reviews = %+v", shown)
				}
				if n := len(w.walkthroughs(number)); n != 1 {
					t.Errorf("%d walkthroughs", n)
				}
				if n := len(w.github.CheckRuns(repoName)); n != 1 {
					t.Errorf("%d check runs", n)
				}
				w.concluded(row.ID, "neutral")
			})
		}
	}
}

// TestRateLimit: a limit makes the job wait, for as long as GitHub says, and costs no attempt.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	for name, route := range map[string]string{"draft": draftRoute, "read": "GET " + pullRoute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			armed := w.github.Inject(githubtest.Fault{
				Route: route, Status: http.StatusForbidden, RetryAfter: "2", Times: 1,
				Body: `{"message":"You have exceeded a secondary rate limit."}`,
			})
			number, head := w.open(githubtest.PullRequestSpec{})
			got := w.request(number, head)
			w.start()
			var until time.Time
			w.eventually("everybody is told", func() (told bool) {
				var err error
				if until, err = w.store.BlockedUntil(t.Context(), installation, store.ResourceContent); err != nil {
					t.Fatal(err)
				}
				return !until.IsZero()
			})
			row := w.ended(got.Review.ID)
			if row.State != review.Findings || armed.Landed() != 1 {
				t.Fatalf("state %s (%s), the fault landed %d times", row.State, row.Reason, armed.Landed())
			}
			limited := time.Time{}
			for _, r := range w.github.Requests() {
				if r.Status == http.StatusForbidden {
					limited = r.At
				} else if !limited.IsZero() && r.At.Before(limited.Add(2*time.Second)) {
					t.Errorf("%s %s came %s after the limit was met", r.Method, r.Path, r.At.Sub(limited))
				}
			}
			if attempt := w.attempts(row.JobID); attempt != 1 {
				t.Errorf("it took %d attempts, want 1", attempt)
			}
			if n := len(w.submitted(number)); n != 1 {
				t.Errorf("%d reviews", n)
			}
		})
	}
}

// attempts gives how many attempts a job took.
func (w *world) attempts(job int64) (n int) {
	if err := w.db.Pool().QueryRow(w.t.Context(), `SELECT attempt FROM river_job WHERE id = $1`, job).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// lastChance leaves a job one attempt.
func (w *world) lastChance(job int64) {
	if _, err := w.db.Pool().Exec(w.t.Context(), `UPDATE river_job SET max_attempts = 1 WHERE id = $1`, job); err != nil {
		w.t.Fatal(err)
	}
}

// TestLastAttempt: a review whose attempts are used up fails, says why, and is not green.
func TestLastAttempt(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(w *world){
		"error": func(w *world) {
			w.deps.Failpoint = func(_ context.Context, at string) error {
				if at == "result_saved" {
					return errors.New("the disk is on fire")
				}
				return nil
			}
		},
		"panic": func(w *world) {
			w.deps.Failpoint = func(_ context.Context, at string) error {
				if at == "result_saved" {
					panic("the disk is on fire")
				}
				return nil
			}
		},
		"github": func(w *world) {
			w.github.Inject(githubtest.Fault{Route: "GET " + pullRoute, Status: http.StatusBadGateway})
		},
		"forbidden": func(w *world) {
			w.github.Inject(githubtest.Fault{
				Route: draftRoute, Status: http.StatusForbidden, Body: `{"message":"Resource not accessible by integration"}`,
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			prepare(w)
			number, head := w.open(githubtest.PullRequestSpec{})
			got := w.request(number, head)
			w.lastChance(w.review(got.Review.ID).JobID)
			w.start()
			row := w.ended(got.Review.ID)
			if row.State != review.Failed || row.Reason == "" || strings.Contains(row.Reason, "fire") {
				t.Errorf("state %s (%s)", row.State, row.Reason)
			}
			w.concluded(row.ID, "failure")
			if n := len(w.submitted(number)); n != 0 {
				t.Errorf("%d reviews", n)
			}
		})
	}
}

func (w *world) review(id review.ID) store.Review {
	row, err := w.store.Review(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return row
}

// TestModelDown: without the model the review is partial, says so, and is not green. With patience it waits.
func TestModelDown(t *testing.T) {
	t.Parallel()
	limited := func(*llmv1.CompleteRequest) (*llmv1.CompleteResponse, error) {
		return &llmv1.CompleteResponse{Outcome: llmv1.Outcome_OUTCOME_RATE_LIMITED, RetryAfterMs: 300}, nil
	}
	unavailable := func(*llmv1.CompleteRequest) (*llmv1.CompleteResponse, error) {
		return nil, status.Error(codes.Unavailable, "down")
	}
	t.Run("no patience", func(t *testing.T) {
		t.Parallel()
		for name, fault := range map[string]func(*llmv1.CompleteRequest) (*llmv1.CompleteResponse, error){
			"limited": limited, "unavailable": unavailable,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.model.override = fault
				number, head := w.open(githubtest.PullRequestSpec{})
				got := w.request(number, head)
				w.start()
				row := w.ended(got.Review.ID)
				if row.State != review.Partial || row.Reason == "" {
					t.Errorf("state %s (%s)", row.State, row.Reason)
				}
				w.concluded(row.ID, "neutral")
				if row.Usage.CostMicros != 0 {
					t.Errorf("usage %+v", row.Usage)
				}
			})
		}
	})
	t.Run("not configured", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.model.none = true
		number, head := w.open(githubtest.PullRequestSpec{})
		got := w.request(number, head)
		w.start()
		if row := w.ended(got.Review.ID); row.State != review.Partial || !strings.Contains(row.Reason, "no model") {
			t.Errorf("state %s (%s)", row.State, row.Reason)
		}
	})
	t.Run("patience", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.cfg.Patience = time.Minute
		var failed atomic.Int32
		w.model.override = func(q *llmv1.CompleteRequest) (*llmv1.CompleteResponse, error) {
			if q.GetSchema().GetName() == "findings" && failed.Add(1) <= 2 {
				return limited(q)
			}
			return nil, nil
		}
		number, head := w.open(githubtest.PullRequestSpec{})
		got := w.request(number, head)
		w.start()
		row := w.ended(got.Review.ID)
		if row.State != review.Findings || len(w.submitted(number)) != 1 {
			t.Errorf("state %s (%s)", row.State, row.Reason)
		}
		if n := w.attempts(row.JobID); n != 1 {
			t.Errorf("it took %d attempts, want 1", n)
		}
		summaries := 0
		for _, name := range w.model.asked {
			if name == "summary" {
				summaries++
			}
		}
		if summaries != 1 {
			t.Errorf("%d summaries were paid for", summaries)
		}
	})
}

// TestBudget: beyond its budget a review is partial, and nothing is spent.
func TestBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Limits.ReviewTokens = 10
	number, head := w.open(githubtest.PullRequestSpec{})
	got := w.request(number, head)
	w.start()
	row := w.ended(got.Review.ID)
	if row.State != review.Partial || w.model.calls() != 0 {
		t.Errorf("state %s (%s), %d model calls", row.State, row.Reason, w.model.calls())
	}
	w.concluded(row.ID, "neutral")
}

// TestParserRestart: a parser tier that comes back within the patience costs nothing.
func TestParserRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		w.parser.broken = append(w.parser.broken, status.Error(codes.Unavailable, "restarting"))
	}
	number, head := w.open(githubtest.PullRequestSpec{})
	got := w.request(number, head)
	w.start()
	if row := w.ended(got.Review.ID); row.State != review.Findings {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
}

// TestRefusedComment: GitHub refuses a review for a comment; the comment goes to the walkthrough, the review is posted.
func TestRefusedComment(t *testing.T) {
	t.Parallel()
	for _, leaves := range []bool{false, true} {
		w := newWorld(t)
		w.github.LeaveBodyOnRefusal(leaves)
		// The diff moves under the stored result: one of its comments is outside now.
		var number int
		w.deps.Failpoint = at("intent", func(context.Context) error { return nil })
		number, head := w.open(githubtest.PullRequestSpec{})
		w.github.Inject(githubtest.Fault{
			Route: draftRoute, Status: http.StatusUnprocessableEntity, Times: 1,
			Body: `{"message":"Validation Failed","errors":[{"resource":"PullRequestReview","field":"comments[1].line","code":"invalid"}]}`,
		})
		got := w.request(number, head)
		stop := w.start()
		row := w.ended(got.Review.ID)
		stop()
		if row.State != review.Findings {
			t.Errorf("state %s (%s)", row.State, row.Reason)
		}
		shown := w.submitted(number)
		if len(shown) != 1 || len(shown[0].Comments) != 1 {
			t.Fatalf("reviews = %+v", shown)
		}
		if body := w.walkthroughs(number)[0].Body; !strings.Contains(body, "Panics without prices") {
			t.Errorf("walkthrough = %s", body)
		}
		run := w.concluded(row.ID, "neutral")
		if len(run.Annotations) != 1 || run.Annotations[0].StartLine != 8 {
			t.Errorf("annotations = %+v", run.Annotations)
		}
		findings, err := w.store.FindingsOf(t.Context(), row.ID)
		if err != nil || findings[1].Shown != store.ShownWalkthrough {
			t.Errorf("findings = %+v, %v", findings, err)
		}
	}
}

// TestHeal: the worker dies after the submit and a newer revision ends the review before anything was written down. The
// next review does not say the same again.
func TestHeal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	number, old := w.open(githubtest.PullRequestSpec{})
	var head string
	w.deps.Failpoint = at("submitted", func(context.Context) (err error) {
		if head, err = w.github.Push(repoName, number, githubtest.With(headFiles, map[string]string{"x.go": "package shop\n"})); err == nil {
			w.request(number, head)
		}
		panic("the worker dies")
	})
	got := w.request(number, old, func(r *store.Wanted) { r.EventAt = time.Now().Add(-time.Minute) })
	w.start()
	if row := w.ended(got.Review.ID); row.State != review.Superseded {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.eventually("the new head is reviewed", func() bool {
		rows, _, err := w.store.Reviews(t.Context(), store.Filter{}, store.Page{})
		return err == nil && rows[0].Head == head && rows[0].State == review.Findings
	})
	if shown := w.submitted(number); len(shown) != 1 || len(shown[0].Comments) != 2 {
		t.Errorf("reviews = %+v", shown)
	}
}

// TestSweep: a job that ends without its review takes the review with it.
func TestSweep(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end   string
		state review.State
		check string
	}{
		"discarded": {end: "discarded", state: review.Failed, check: "failure"},
		"cancelled": {end: "cancelled", state: review.Cancelled, check: "cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.cfg.SweepEvery = 200 * time.Millisecond
			number, head := w.open(githubtest.PullRequestSpec{})
			got := w.request(number, head)
			job := w.review(got.Review.ID).JobID
			if _, err := w.db.Pool().Exec(t.Context(), `UPDATE river_job SET state = $2::river_job_state, finalized_at = now() WHERE id = $1`,
				job, tt.end); err != nil {
				t.Fatal(err)
			}
			w.start()
			if row := w.ended(got.Review.ID); row.State != tt.state {
				t.Errorf("state %s (%s), want %s", row.State, row.Reason, tt.state)
			}
			w.concluded(got.Review.ID, tt.check)
		})
	}
}

// TestPoison: a job that kills its workers is left alone after the third.
func TestPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	number, head := w.open(githubtest.PullRequestSpec{})
	got := w.request(number, head)
	dead := `'{"at":"2026-01-01T00:00:00Z","attempt":1,"error":"Stuck job rescued by JobRescuer","trace":""}'::jsonb`
	if _, err := w.db.Pool().Exec(t.Context(), `UPDATE river_job SET errors = ARRAY[`+dead+`,`+dead+`,`+dead+`], attempt = 3`); err != nil {
		t.Fatal(err)
	}
	w.start()
	if row := w.ended(got.Review.ID); row.State != review.Failed || row.Reason != reasonWorkersDied {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.concluded(got.Review.ID, "failure")
}

// TestSlices: a review that is longer than an attempt goes on from its checkpoints.
func TestSlices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.JobTimeout, w.cfg.RescueAfter = 2*time.Second, 5*time.Second
	w.model.override = func(*llmv1.CompleteRequest) (*llmv1.CompleteResponse, error) {
		<-time.After(600 * time.Millisecond) // a slow model, whose calls come one after the other
		return nil, nil
	}
	number, head := w.open(githubtest.PullRequestSpec{})
	got := w.request(number, head)
	w.start()
	row := w.ended(got.Review.ID)
	if row.State != review.Findings || len(w.submitted(number)) != 1 {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	if n := w.attempts(row.JobID); n != 1 {
		t.Errorf("it took %d attempts, want 1 in slices", n)
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
	w.deps.Failpoint = at("model_called", func(ctx context.Context) error {
		close(reached)
		<-ctx.Done()
		return ctx.Err()
	})
	number, head := w.open(githubtest.PullRequestSpec{})
	got := w.request(number, head)
	stop := w.start()
	<-reached
	stop()
	row := w.review(got.Review.ID)
	if n := w.attempts(row.JobID); row.State != review.Running || n != 0 {
		t.Errorf("state %s (%s), attempt %d", row.State, row.Reason, n)
	}
	w.deps.Registry = newRegistry()
	w.start()
	if row := w.ended(got.Review.ID); row.State != review.Findings {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
}

// TestPostingLock: two workers never post to one pull request at once.
func TestPostingLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	number, head := w.open(githubtest.PullRequestSpec{})
	session, err := pg.Session(t.Context(), w.db)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if ok, err := session.TryLock(t.Context(), postingLock(repoID, number)); err != nil || !ok {
		t.Fatal(ok, err)
	}
	got := w.request(number, head)
	w.start()
	w.eventually("it waits for the lock", func() bool { return strings.Contains(w.log.String(), "posting lock") })
	if n := len(w.github.Reviews(repoName, number)); n != 0 {
		t.Errorf("%d reviews while the lock is held", n)
	}
	session.Close()
	if row := w.ended(got.Review.ID); row.State != review.Findings {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
}
