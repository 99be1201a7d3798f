package orchestrator

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/pg"
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

func TestCleanReviewPostsNoReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.model.findings = nil
	w.start()
	number, head := w.open(githubtest.PullRequestSpec{})
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Clean {
		t.Fatalf("state %s (%s)", row.State, row.Reason)
	}
	if n := len(w.github.Reviews(repoName, number)); n != 0 {
		t.Errorf("%d reviews posted, want none", n)
	}
	if n := len(w.walkthroughs(number)); n != 1 {
		t.Errorf("%d walkthroughs, want 1", n)
	}
	w.concluded(row.ID, "success")
}

// TestSkips: what a policy leaves out ends as skipped, with its reason, and asks no model.
func TestSkips(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spec   githubtest.PullRequestSpec
		config string
		before func(w *world, number int) error
		reason string
		// check is the check run's conclusion, empty for none at all.
		check string
	}{
		"draft":    {spec: githubtest.PullRequestSpec{Draft: true}, reason: "draft", check: "skipped"},
		"disabled": {config: "enabled: false\n", reason: "switched off", check: "skipped"},
		"label": {
			config: "reviews:\n  labels:\n    ignore: [wip]\n", spec: githubtest.PullRequestSpec{Labels: []string{"wip"}},
			reason: "wip", check: "skipped",
		},
		"base branch": {config: "reviews:\n  base_branches: [\"release/*\"]\n", reason: "main", check: "skipped"},
		"closed": {
			before: func(w *world, n int) error { return w.github.ClosePullRequest(repoName, n, false) }, reason: reasonClosed,
		},
		"locked": {
			before: func(w *world, n int) error { return w.github.Lock(repoName, n, true) }, reason: reasonLocked, check: "skipped",
		},
		"uninstalled": {
			before: func(w *world, _ int) error { w.github.Uninstall(installation); return nil }, reason: reasonGone,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if tt.config != "" {
				tt.spec.Base = githubtest.With(baseFiles, map[string]string{".openrabbit.yaml": tt.config})
				// What the head says of the configuration doesn't count.
				tt.spec.Head = githubtest.With(headFiles, map[string]string{".openrabbit.yaml": "enabled: true\n"})
			}
			number, head := w.open(tt.spec)
			if tt.before != nil {
				if err := tt.before(w, number); err != nil {
					t.Fatal(err)
				}
			}
			got := w.request(number, head)
			w.start()
			row := w.ended(got.Review.ID)
			if row.State != review.Skipped || !strings.Contains(row.Reason, tt.reason) {
				t.Errorf("state %s (%s), want skipped (%s)", row.State, row.Reason, tt.reason)
			}
			if n := w.model.calls(); n != 0 {
				t.Errorf("%d model calls", n)
			}
			if n := len(w.github.Reviews(repoName, number)) + len(w.walkthroughs(number)); n != 0 {
				t.Errorf("%d reviews and comments", n)
			}
			if tt.check != "" {
				w.concluded(row.ID, tt.check)
			} else if run, ok := w.checkRun(row.ID); ok {
				t.Errorf("check run %+v, want none", run)
			}
		})
	}
}

// TestConfigProblems: mistakes in the configuration are shown, and are not fatal.
func TestConfigProblems(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	number, head := w.open(githubtest.PullRequestSpec{
		Base: githubtest.With(baseFiles, map[string]string{".openrabbit.yaml": "reviews:\n  max_coments: 3\n  fail_check_on: high\n"}),
	})
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Findings {
		t.Fatalf("state %s (%s)", row.State, row.Reason)
	}
	run := w.concluded(row.ID, "failure")
	if !strings.Contains(run.Summary, "max") || !strings.Contains(w.walkthroughs(number)[0].Body, "line 2") {
		t.Errorf("check run %q, walkthrough %q", run.Summary, w.walkthroughs(number)[0].Body)
	}
}

// TestSecondPush: what was commented on is not commented on again, and the walkthrough is edited in place.
func TestSecondPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	number, head := w.open(githubtest.PullRequestSpec{})
	w.ended(w.request(number, head).Review.ID)

	head, err := w.github.Push(repoName, number, githubtest.With(headFiles, map[string]string{
		"tax.go": "package shop\n\nfunc tax(n int) int {\n\treturn n / 0\n}\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	w.model.set(func(m *fakeModel) {
		m.findings = append(m.findings, bug("tax.go", "\treturn n / 0", "Divides by zero"))
	})
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Findings {
		t.Fatalf("state %s (%s)", row.State, row.Reason)
	}
	shown := w.submitted(number)
	if len(shown) != 2 || len(shown[0].Comments) != 2 || len(shown[1].Comments) != 1 || shown[1].Comments[0].Path != "tax.go" {
		t.Fatalf("reviews = %+v", shown)
	}
	walkthroughs := w.walkthroughs(number)
	if len(walkthroughs) != 1 || walkthroughs[0].Edits == 0 || !strings.Contains(walkthroughs[0].Body, "3 findings") ||
		!strings.Contains(walkthroughs[0].Body, "2 findings stand since an earlier revision") {
		t.Errorf("walkthroughs = %+v", walkthroughs)
	}
	findings, err := w.store.FindingsOf(t.Context(), row.ID)
	if err != nil || len(findings) != 3 {
		t.Fatalf("findings = %+v, %v", findings, err)
	}
	places := map[store.Shown]int{}
	for _, f := range findings {
		places[f.Shown]++
	}
	if places[store.ShownComment] != 1 || places[store.ShownNowhere] != 2 {
		t.Errorf("shown = %v", places)
	}
	w.valid()
}

// TestForced: the same head again is another generation, and repeats nothing.
func TestForced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	number, head := w.open(githubtest.PullRequestSpec{})
	w.ended(w.request(number, head).Review.ID)
	calls := w.model.calls()
	got := w.request(number, head, func(r *store.Wanted) { r.Force = true })
	row := w.ended(got.Review.ID)
	if row.Generation != 2 || row.State != review.Findings {
		t.Errorf("generation %d, state %s (%s)", row.Generation, row.State, row.Reason)
	}
	if n := len(w.submitted(number)); n != 1 {
		t.Errorf("%d reviews, want 1", n)
	}
	if n := w.model.calls(); n != calls {
		t.Errorf("%d answers were paid for again", n-calls)
	}
}

// TestSuperseded: the head moved, nobody told us.
func TestSuperseded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	number, old := w.open(githubtest.PullRequestSpec{})
	got := w.request(number, old, func(r *store.Wanted) { r.EventAt = time.Now().Add(-time.Hour) })
	head, err := w.github.Push(repoName, number, githubtest.With(headFiles, map[string]string{"x.go": "package shop\n"}))
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	if row := w.ended(got.Review.ID); row.State != review.Superseded {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	var newer store.Review
	w.eventually("the new head has a review", func() bool {
		rows, _, err := w.store.Reviews(t.Context(), store.Filter{}, store.Page{})
		if err != nil {
			t.Fatal(err)
		}
		newer = rows[0]
		return newer.Head == head
	})
	if row := w.ended(newer.ID); row.State != review.Findings {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	shown := w.submitted(number)
	if len(shown) != 1 || shown[0].CommitID != head {
		t.Errorf("reviews = %+v", shown)
	}
}

// TestLaggingGitHub: a delivery named a head that GitHub's API does not show yet. The older one gets no review.
func TestLaggingGitHub(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	number, _ := w.open(githubtest.PullRequestSpec{})
	const newer = "00000000000000000000000000000000000000aa"
	got := w.request(number, newer, func(r *store.Wanted) { r.EventAt = time.Now().Add(time.Hour) })
	w.start()
	w.eventually("it was looked at", func() bool { return strings.Contains(w.log.String(), "attempt failed") })
	row, err := w.store.Review(t.Context(), got.Review.ID)
	if err != nil || row.State.Terminal() {
		t.Errorf("state %s (%s), %v", row.State, row.Reason, err)
	}
	rows, _, err := w.store.Reviews(t.Context(), store.Filter{}, store.Page{})
	if err != nil || len(rows) != 1 {
		t.Errorf("%d reviews, %v", len(rows), err)
	}
}

// at makes a failpoint that acts once.
func at(name string, do func(ctx context.Context) error) func(context.Context, string) error {
	var done atomic.Bool
	return func(ctx context.Context, at string) error {
		if at != name || !done.CompareAndSwap(false, true) {
			return nil
		}
		return do(ctx)
	}
}

// TestPushDuringTheReview: a newer revision arrives at each stage. Only the newer one is reviewed, and the older
// check run is closed.
func TestPushDuringTheReview(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"check_run", "model_called", "result_saved", "intent", "drafted", "before_submit"} {
		for _, told := range []bool{true, false} {
			t.Run(point+map[bool]string{true: ", told", false: ", not told"}[told], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				number, old := w.open(githubtest.PullRequestSpec{})
				var head string
				w.deps.Failpoint = at(point, func(context.Context) (err error) {
					head, err = w.github.Push(repoName, number, githubtest.With(headFiles, map[string]string{"x.go": "package shop\n"}))
					if err == nil && told {
						w.request(number, head)
					}
					return err
				})
				got := w.request(number, old, func(r *store.Wanted) { r.EventAt = time.Now().Add(-time.Minute) })
				w.start()
				if row := w.ended(got.Review.ID); row.State != review.Superseded {
					t.Errorf("old review: state %s (%s)", row.State, row.Reason)
				}
				w.eventually("the new head is reviewed", func() bool {
					rows, _, err := w.store.Reviews(t.Context(), store.Filter{}, store.Page{})
					if err != nil {
						t.Fatal(err)
					}
					return rows[0].Head == head && rows[0].State == review.Findings
				})
				shown := w.submitted(number)
				if len(shown) != 1 || shown[0].CommitID != head {
					t.Errorf("reviews = %+v", shown)
				}
				w.concluded(got.Review.ID, "cancelled")
			})
		}
	}
}

// TestCancel: a person cancels a running review.
func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	number, head := w.open(githubtest.PullRequestSpec{})
	got := w.request(number, head)
	w.deps.Failpoint = at("result_saved", func(ctx context.Context) error {
		if err := pg.InTx(ctx, w.db, func(ctx context.Context, tx pg.Tx) error {
			row, _, err := w.store.CancelReview(ctx, tx, got.Review.ID)
			if err != nil {
				return err
			}
			return w.jobs.Cancel(ctx, tx, row.JobID)
		}); err != nil {
			return err
		}
		<-ctx.Done() // River tells the worker
		return ctx.Err()
	})
	w.start()
	if row := w.ended(got.Review.ID); row.State != review.Cancelled {
		t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.concluded(got.Review.ID, "cancelled")
	if n := len(w.github.Reviews(repoName, number)); n != 0 {
		t.Errorf("%d reviews", n)
	}
}
