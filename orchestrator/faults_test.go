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

// TestCrash kills the attempt at each failpoint. The next one finishes: one review, one walkthrough, one check run, and
// no answer of the model is paid for twice.
func TestCrash(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.start(t)
	for _, point := range []string{
		"loaded", "check_run", "analyzed", "model_called", "result_saved", "intent", "drafted", "before_submit", "submitted",
		"walkthrough", "done",
	} {
		for _, how := range []string{"error", "panic"} {
			if point == "model_called" && how == "panic" {
				continue // on a goroutine of the engine: that is the end of the process, and the fault harness's matter
			}
			t.Run(point+", "+how, func(t *testing.T) {
				t.Parallel()
				w := h.world(t)
				var landed atomic.Bool
				w.fails(at(point, func(context.Context) error {
					landed.Store(true)
					if how == "panic" {
						panic("the worker dies")
					}
					return errors.New("the worker dies")
				}))
				number, head := w.open(githubtest.PullRequestSpec{})
				row := w.ended(w.request(number, head).Review.ID)
				w.eventually("the job is done", func() bool {
					state, _ := w.job(w.review(row.ID).JobID)
					return state == "completed"
				})
				if !landed.Load() || row.State != review.Findings {
					t.Fatalf("landed %v, state %s (%s)", landed.Load(), row.State, row.Reason)
				}
				w.once(number, 2)
				w.concluded(row.ID, "neutral")
				// Summary, findings, two verdicts; what was under way when the worker died may be asked again.
				if asked := w.asked(); len(asked) > 4 && point != "model_called" || len(asked) > 6 {
					t.Errorf("the model was asked %v", asked)
				}
			})
		}
	}
}

// TestAmbiguousWrites loses the answer to each write, done or not. Nothing is there twice. The faults are of all
// GitHub, so it is one after the other.
func TestAmbiguousWrites(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.cfg.Settle = 150 * time.Millisecond
	h.start(t)
	for name, route := range map[string]string{
		"draft": draftRoute, "submit": submitRoute, "walkthrough": commentRoute, "check run": checkRoute, "check run's end": endRoute,
	} {
		for when, fault := range map[string]githubtest.Fault{
			"before": {When: githubtest.Before, Status: http.StatusBadGateway},
			"after":  {When: githubtest.AfterCommit, Status: http.StatusBadGateway},
			"reset":  {When: githubtest.AfterCommit, Reset: true},
			"later":  {When: githubtest.Later, Status: http.StatusBadGateway, ApplyAfter: 50 * time.Millisecond},
		} {
			t.Run(name+" "+when, func(t *testing.T) {
				w := h.world(t)
				fault.Route, fault.Times = route, 1
				armed := h.github.Inject(fault)
				number, head := w.open(githubtest.PullRequestSpec{})
				row := w.ended(w.request(number, head).Review.ID)
				if row.State != review.Findings || armed.Landed() != 1 {
					t.Fatalf("state %s (%s), the fault landed %d times", row.State, row.Reason, armed.Landed())
				}
				w.once(number, 2)
				w.concluded(row.ID, "neutral")
			})
		}
	}
	t.Run("annotations", func(t *testing.T) {
		w := h.world(t)
		armed := h.github.Inject(githubtest.Fault{Route: endRoute, When: githubtest.AfterCommit, Status: http.StatusBadGateway, Times: 1})
		row := w.ended(w.request(w.outsideTheDiff()).Review.ID)
		if run := w.concluded(row.ID, "neutral"); len(run.Annotations) != 1 || armed.Landed() != 1 {
			t.Errorf("annotations = %+v, the fault landed %d times", run.Annotations, armed.Landed())
		}
	})
}

// TestRateLimit: a limit makes the job wait, for as long as GitHub says, and costs no attempt.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.start(t)
	for name, route := range map[string]string{"draft": draftRoute, "read": "GET " + pullRoute} {
		t.Run(name, func(t *testing.T) {
			w := h.world(t)
			armed := h.github.Inject(githubtest.Fault{
				Route: route, Status: http.StatusForbidden, RetryAfter: "1", Times: 1,
				Body: `{"message":"You have exceeded a secondary rate limit."}`,
			})
			number, head := w.open(githubtest.PullRequestSpec{})
			got := w.request(number, head)
			w.eventually("everybody is told", func() bool {
				_, wait, err := w.store.Gate(w.installation, store.ContentLimits{}, nil).Enter(t.Context(), 0)
				if err != nil {
					t.Fatal(err)
				}
				return wait > 0
			})
			row := w.ended(got.Review.ID)
			if row.State != review.Findings || armed.Landed() != 1 {
				t.Fatalf("state %s (%s), the fault landed %d times", row.State, row.Reason, armed.Landed())
			}
			limited := time.Time{}
			for _, r := range h.github.Requests() {
				switch {
				case !strings.Contains(r.Path, w.repo+"/"):
				case r.Status == http.StatusForbidden:
					limited = r.At
				case !limited.IsZero() && r.At.Before(limited.Add(time.Second)):
					t.Errorf("%s %s came %s after the limit was met", r.Method, r.Path, r.At.Sub(limited))
				}
			}
			if _, attempt := w.job(row.JobID); attempt != 1 {
				t.Errorf("it took %d attempts, want 1", attempt)
			}
			w.once(number, 2)
		})
	}
}

// TestLastAttempt: a review whose attempts are used up fails, says why, and is not green.
func TestLastAttempt(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.start(t)
	for name, prepare := range map[string]func(w *world) *githubtest.Armed{
		"error": func(w *world) *githubtest.Armed {
			w.fails(at("result_saved", func(context.Context) error { return errors.New("the disk is on fire") }))
			return nil
		},
		"panic": func(w *world) *githubtest.Armed {
			w.fails(at("result_saved", func(context.Context) error { panic("the disk is on fire") }))
			return nil
		},
		"github": func(w *world) *githubtest.Armed {
			return h.github.Inject(githubtest.Fault{Route: "GET " + pullRoute, Status: http.StatusBadGateway})
		},
		"forbidden": func(w *world) *githubtest.Armed {
			w.inJob = "" // it fails at once, whatever attempts are left
			return h.github.Inject(githubtest.Fault{
				Route: draftRoute, Status: http.StatusForbidden, Body: `{"message":"Resource not accessible by integration"}`,
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := h.world(t)
			w.inJob = "max_attempts = 1"
			if armed := prepare(w); armed != nil {
				defer armed.Disarm()
			}
			number, head := w.open(githubtest.PullRequestSpec{})
			row := w.ended(w.request(number, head).Review.ID)
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

func modelLimited(*llmv1.CompleteRequest) (*llmv1.CompleteResponse, error) {
	return &llmv1.CompleteResponse{Outcome: llmv1.Outcome_OUTCOME_RATE_LIMITED, RetryAfterMs: 300}, nil
}

func modelUnavailable(*llmv1.CompleteRequest) (*llmv1.CompleteResponse, error) {
	return nil, status.Error(codes.Unavailable, "down")
}

// testModelDown: without the model the review is partial, says so, and is not green.
func testModelDown(w *world, f override) {
	w.answers(f)
	number, head := w.open(githubtest.PullRequestSpec{})
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Partial || row.Reason == "" || row.Usage.CostMicros != 0 {
		w.t.Errorf("state %s (%s), usage %+v", row.State, row.Reason, row.Usage)
	}
	w.concluded(row.ID, "neutral")
}

// TestNoModel: a mesh without a model reviews what it can, and says so.
func TestNoModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.model.none = true
	w.start(t)
	number, head := w.open(githubtest.PullRequestSpec{})
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Partial || !strings.Contains(row.Reason, "no model") {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.concluded(row.ID, "neutral")
}

// TestPatience: a review waits for a model and for a parser that come back, and pays for nothing twice.
func TestPatience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Patience = 5 * time.Minute
	var limited atomic.Int32
	w.answers(func(q *llmv1.CompleteRequest) (*llmv1.CompleteResponse, error) {
		if q.GetSchema().GetName() == "findings" && limited.Add(1) <= 2 {
			return modelLimited(q)
		}
		return nil, nil
	})
	w.parser.broken = []error{status.Error(codes.Unavailable, "restarting"), status.Error(codes.Unavailable, "restarting")}
	w.start(t)
	number, head := w.open(githubtest.PullRequestSpec{})
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Findings {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.once(number, 2)
	if _, attempt := w.job(row.JobID); attempt != 1 {
		t.Errorf("it took %d attempts, want 1", attempt)
	}
	summaries := 0
	for _, name := range w.asked() {
		if name == "summary" {
			summaries++
		}
	}
	if summaries != 1 || limited.Load() != 3 {
		t.Errorf("%d summaries, %d questions for findings", summaries, limited.Load())
	}
}

// TestBudget: beyond its budget a review is partial, and nothing is spent.
func TestBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Limits.ReviewTokens = 10
	w.start(t)
	number, head := w.open(githubtest.PullRequestSpec{})
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Partial || len(w.asked()) != 0 {
		t.Errorf("state %s (%s), asked %v", row.State, row.Reason, w.asked())
	}
	w.concluded(row.ID, "neutral")
}

// TestRefusedComment: GitHub refuses a comment; it goes to the walkthrough and to the check run, the review is posted.
func TestRefusedComment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(t)
	w.github.Inject(githubtest.Fault{
		Route: draftRoute, Status: http.StatusUnprocessableEntity, Times: 1,
		Body: `{"message":"Validation Failed","errors":[{"resource":"PullRequestReview","field":"comments[1].line","code":"invalid"}]}`,
	})
	number, head := w.open(githubtest.PullRequestSpec{})
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Findings {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.once(number, 1)
	if body := w.walkthroughs(number)[0].Body; !strings.Contains(body, "Panics without prices") {
		t.Errorf("walkthrough = %s", body)
	}
	run := w.concluded(row.ID, "neutral")
	if len(run.Annotations) != 1 || run.Annotations[0].StartLine != 8 {
		t.Errorf("annotations = %+v", run.Annotations)
	}
	findings, err := w.store.FindingsOf(t.Context(), row.ID)
	if err != nil || len(findings) != 2 || findings[1].Shown != store.ShownWalkthrough {
		t.Errorf("findings = %+v, %v", findings, err)
	}
}

// testHeal: the worker dies after the submit and a newer revision ends the review before anything was written down. The
// next review does not say the same again.
func testHeal(w *world) {
	number, old := w.open(githubtest.PullRequestSpec{})
	pushed := make(chan string, 1)
	w.fails(at("submitted", func(context.Context) error {
		head, err := w.github.Push(w.repo, number, moreFiles)
		if err == nil {
			w.request(number, head)
		}
		pushed <- head
		panic("the worker dies")
	}))
	got := w.request(number, old, func(r *store.Wanted) { r.EventAt = time.Now().Add(-time.Minute) })
	if row := w.ended(got.Review.ID); row.State != review.Superseded {
		w.t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	head := <-pushed
	w.eventually("the new head is reviewed", func() bool {
		row := w.newest()
		return row.Head == head && row.State == review.Findings
	})
	if shown := w.submitted(number); len(shown) != 1 || len(shown[0].Comments) != 2 {
		w.t.Errorf("reviews = %+v", shown)
	}
}

// testSweep: a job that ends without its review takes the review with it.
func testSweep(w *world, end string, state review.State, check string) {
	number, head := w.open(githubtest.PullRequestSpec{})
	w.inJob = "state = '" + end + "', finalized_at = now()"
	got := w.request(number, head)
	if row := w.ended(got.Review.ID); row.State != state {
		w.t.Errorf("state %s (%s), want %s", row.State, row.Reason, state)
	}
	w.concluded(got.Review.ID, check)
}

// testOrphan: so does one that somebody deletes.
func testOrphan(w *world) {
	number, head := w.open(githubtest.PullRequestSpec{})
	w.inJob = "state = 'scheduled', scheduled_at = now() + interval '1 hour'"
	got := w.request(number, head)
	w.exec(`DELETE FROM river_job WHERE id = $1`, w.review(got.Review.ID).JobID)
	if row := w.ended(got.Review.ID); row.State != review.Failed || row.Reason != reasonJobGone {
		w.t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.concluded(got.Review.ID, "failure")
}

// testPoison: a job that kills its workers is left alone after the third.
func testPoison(w *world) {
	number, head := w.open(githubtest.PullRequestSpec{})
	const dead = `'{"at":"2026-01-01T00:00:00Z","attempt":1,"error":"Stuck job rescued by JobRescuer","trace":""}'::jsonb`
	w.inJob = "errors = ARRAY[" + dead + "," + dead + "," + dead + "], attempt = 3"
	got := w.request(number, head)
	if row := w.ended(got.Review.ID); row.State != review.Failed || row.Reason != reasonWorkersDied {
		w.t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.concluded(got.Review.ID, "failure")
}

// testPostingLock: two workers never post to one pull request at once.
func testPostingLock(w *world) {
	number, head := w.open(githubtest.PullRequestSpec{})
	session, err := pg.Session(w.t.Context(), w.db)
	if err != nil {
		w.t.Fatal(err)
	}
	defer session.Close()
	if ok, err := session.TryLock(w.t.Context(), postingLock(w.repoID, number)); err != nil || !ok {
		w.t.Fatal(ok, err)
	}
	got := w.request(number, head)
	w.eventually("it waits for the lock", func() bool {
		state, _ := w.job(w.review(got.Review.ID).JobID)
		return w.review(got.Review.ID).Stage == review.StagePublish && state != "running"
	})
	if n := len(w.github.Reviews(w.repo, number)); n != 0 {
		w.t.Errorf("%d reviews while the lock is held", n)
	}
	session.Close()
	if row := w.ended(got.Review.ID); row.State != review.Findings {
		w.t.Errorf("state %s (%s)", row.State, row.Reason)
	}
}
