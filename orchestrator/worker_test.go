package orchestrator

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// TestWorker drives reviews through a real queue, a real Postgres and the stand-in for GitHub.
func TestWorker(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.start(t)
	for name, test := range map[string]func(w *world){
		"review":            testReview,
		"clean":             testClean,
		"config problems":   testConfigProblems,
		"second push":       testSecondPush,
		"forced":            testForced,
		"head by request":   testNoHead,
		"superseded":        testSuperseded,
		"lagging github":    testLaggingGitHub,
		"superseded, told":  testStateFence,
		"stored result":     testStoredResult,
		"cancel":            testCancel,
		"heal":              testHeal,
		"no comments":       testMaxComments,
		"outside the diff":  testOutsideTheDiff,
		"deleted":           testDeletedWalkthrough,
		"swept, discarded":  func(w *world) { testSweep(w, "discarded", review.Failed, "failure") },
		"swept, cancelled":  func(w *world) { testSweep(w, "cancelled", review.Cancelled, "cancelled") },
		"swept, deleted":    testOrphan,
		"poison":            testPoison,
		"model limited":     func(w *world) { testModelDown(w, modelLimited) },
		"model unavailable": func(w *world) { testModelDown(w, modelUnavailable) },
		"posting lock":      testPostingLock,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(h.world(t))
		})
	}
}

func testReview(w *world) {
	t := w.t
	number, head := w.open(githubtest.PullRequestSpec{})
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Findings || row.Stage != review.StagePublish {
		t.Fatalf("state %s (%s), stage %s", row.State, row.Reason, row.Stage)
	}
	w.once(number, 2)
	shown := w.submitted(number)
	for i, line := range []int{6, 8} {
		if c := shown[0].Comments[i]; c.Path != "cart.go" || c.Line != line || c.Side != "RIGHT" {
			t.Errorf("comment %d at %s:%d %s, want line %d", i, c.Path, c.Line, c.Side, line)
		}
	}
	if shown[0].State != "COMMENTED" || !strings.Contains(w.walkthroughs(number)[0].Body, "2 findings") {
		t.Errorf("review %+v, walkthrough %s", shown[0], w.walkthroughs(number)[0].Body)
	}
	w.concluded(row.ID, "neutral")
	findings, err := w.store.FindingsOf(t.Context(), row.ID)
	if err != nil || len(findings) != 2 || findings[0].Shown != store.ShownComment {
		t.Errorf("findings = %+v, %v", findings, err)
	}
	if row.Usage.Calls == 0 || row.Usage.CostMicros == 0 || row.MergeBase == "" {
		t.Errorf("usage %+v, merge base %q", row.Usage, row.MergeBase)
	}
}

// testClean: without findings there is no review, only the walkthrough and a green check run.
func testClean(w *world) {
	w.finds()
	number, head := w.open(githubtest.PullRequestSpec{})
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Clean {
		w.t.Fatalf("state %s (%s)", row.State, row.Reason)
	}
	if n := len(w.github.Reviews(w.repo, number)); n != 0 {
		w.t.Errorf("%d reviews posted, want none", n)
	}
	if n := len(w.walkthroughs(number)); n != 1 {
		w.t.Errorf("%d walkthroughs, want 1", n)
	}
	w.concluded(row.ID, "success")
}

// testConfigProblems: mistakes in the configuration are shown, and are not fatal.
func testConfigProblems(w *world) {
	number, head := w.open(githubtest.PullRequestSpec{
		Base: githubtest.With(baseFiles, map[string]string{".openrabbit.yaml": "reviews:\n  max_coments: 3\n  fail_check_on: high\n"}),
	})
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Findings {
		w.t.Fatalf("state %s (%s)", row.State, row.Reason)
	}
	run := w.concluded(row.ID, "failure")
	if !strings.Contains(run.Summary, "line 2") || !strings.Contains(w.walkthroughs(number)[0].Body, "line 2") {
		w.t.Errorf("check run %q, walkthrough %q", run.Summary, w.walkthroughs(number)[0].Body)
	}
}

// testSecondPush: what was commented on is not commented on again, and the walkthrough is edited in place.
func testSecondPush(w *world) {
	t := w.t
	number, head := w.open(githubtest.PullRequestSpec{})
	w.ended(w.request(number, head).Review.ID)
	head, err := w.github.Push(w.repo, number, githubtest.With(headFiles, map[string]string{
		"tax.go": "package shop\n\nfunc tax(n int) int {\n\treturn n / 0\n}\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	w.finds(append(defaultFindings[:2:2], bug("tax.go", "\treturn n / 0", "Divides by zero"))...)
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
}

// testForced: the same head again is another generation; it repeats nothing and pays for nothing twice.
func testForced(w *world) {
	number, head := w.open(githubtest.PullRequestSpec{})
	w.ended(w.request(number, head).Review.ID)
	asked := len(w.asked())
	row := w.ended(w.request(number, head, func(r *store.Wanted) { r.Force = true }).Review.ID)
	if row.Generation != 2 || row.State != review.Findings {
		w.t.Errorf("generation %d, state %s (%s)", row.Generation, row.State, row.Reason)
	}
	if n := len(w.submitted(number)); n != 1 {
		w.t.Errorf("%d reviews, want 1", n)
	}
	if n := len(w.asked()); n != asked {
		w.t.Errorf("%d answers were paid for again", n-asked)
	}
}

// testNoHead: somebody asked for a review of whatever the head is.
func testNoHead(w *world) {
	number, head := w.open(githubtest.PullRequestSpec{})
	row := w.ended(w.request(number, "", func(r *store.Wanted) { r.EventAt = time.Time{} }).Review.ID)
	if row.Head != head || row.State != review.Findings {
		w.t.Errorf("head %s, state %s (%s)", row.Head, row.State, row.Reason)
	}
	w.once(number, 2)
}

var moreFiles = githubtest.With(headFiles, map[string]string{"x.go": "package shop\n"})

// testSuperseded: the head moved and nobody told us. The new head gets a review, the old one none.
func testSuperseded(w *world) {
	number, old := w.open(githubtest.PullRequestSpec{})
	head, err := w.github.Push(w.repo, number, moreFiles)
	if err != nil {
		w.t.Fatal(err)
	}
	got := w.request(number, old, func(r *store.Wanted) { r.EventAt = time.Now().Add(-time.Hour) })
	if row := w.ended(got.Review.ID); row.State != review.Superseded {
		w.t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.eventually("the new head has a review", func() bool { return w.newest().Head == head })
	if row := w.ended(w.newest().ID); row.State != review.Findings {
		w.t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	if shown := w.submitted(number); len(shown) != 1 || shown[0].CommitID != head {
		w.t.Errorf("reviews = %+v", shown)
	}
}

// testStateFence: a delivery supersedes the review just before the submit, and nothing else tells the worker: GitHub
// still shows the old head, and the job is not cancelled.
func testStateFence(w *world) {
	number, old := w.open(githubtest.PullRequestSpec{})
	w.fails(at("before_submit", func(ctx context.Context) error {
		return pg.InTx(ctx, w.db, func(ctx context.Context, tx pg.Tx) error {
			_, err := w.store.RequestReview(ctx, tx, store.Wanted{
				InstallationID: w.installation, RepositoryID: w.repoID, Repository: w.repo, Number: number,
				Head: "00000000000000000000000000000000000000bb", EventAt: time.Now().Add(time.Hour),
			})
			return err
		})
	}))
	got := w.request(number, old)
	if row := w.ended(got.Review.ID); row.State != review.Superseded {
		w.t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.concluded(got.Review.ID, "cancelled")
	if shown := w.submitted(number); len(shown) != 0 {
		w.t.Errorf("reviews = %+v", shown)
	}
}

// testStoredResult: what was found before a crash is what is posted after it, whatever has changed meanwhile.
func testStoredResult(w *world) {
	number, head := w.open(githubtest.PullRequestSpec{})
	w.fails(at("result_saved", func(context.Context) error {
		_, err := w.github.PushBase(w.repo, githubtest.With(baseFiles, map[string]string{
			".openrabbit.yaml": "reviews:\n  min_severity: critical\n",
		}))
		return errors.Join(err, errors.New("the worker dies"))
	}))
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Findings {
		w.t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.once(number, 2)
}

// testLaggingGitHub: a delivery named a head that GitHub's API does not show yet. The older one gets no review.
func testLaggingGitHub(w *world) {
	number, _ := w.open(githubtest.PullRequestSpec{})
	const newer = "00000000000000000000000000000000000000aa"
	got := w.request(number, newer, func(r *store.Wanted) { r.EventAt = time.Now().Add(time.Hour) })
	w.eventually("it was tried twice", func() bool {
		_, attempt := w.job(w.review(got.Review.ID).JobID)
		return attempt > 1
	})
	if row := w.newest(); row.ID != got.Review.ID || row.State.Terminal() {
		w.t.Errorf("newest %+v", row)
	}
	if n := len(w.github.CheckRuns(w.repo)); n != 0 {
		w.t.Errorf("%d check runs", n)
	}
}

// testCancel: a person cancels a running review.
func testCancel(w *world) {
	number, head := w.open(githubtest.PullRequestSpec{})
	w.fails(at("result_saved", func(ctx context.Context) error {
		if err := pg.InTx(ctx, w.db, func(ctx context.Context, tx pg.Tx) error {
			row, _, err := w.store.CancelReview(ctx, tx, JobOf(ctx).ReviewID)
			if err != nil {
				return err
			}
			return w.jobs.Cancel(ctx, tx, row.JobID)
		}); err != nil {
			return err
		}
		<-ctx.Done() // River tells the worker
		return ctx.Err()
	}))
	got := w.request(number, head)
	if row := w.ended(got.Review.ID); row.State != review.Cancelled {
		w.t.Errorf("state %s (%s)", row.State, row.Reason)
	}
	w.concluded(got.Review.ID, "cancelled")
	if n := len(w.github.Reviews(w.repo, number)); n != 0 {
		w.t.Errorf("%d reviews", n)
	}
}

// testMaxComments: what is beyond the cap stands in the walkthrough, and at 0 everything does.
func testMaxComments(w *world) {
	number, head := w.open(githubtest.PullRequestSpec{
		Base: githubtest.With(baseFiles, map[string]string{".openrabbit.yaml": "reviews:\n  max_comments: 0\n"}),
	})
	row := w.ended(w.request(number, head).Review.ID)
	if n := len(w.github.Reviews(w.repo, number)); n != 0 || row.State != review.Findings {
		w.t.Errorf("%d reviews, state %s (%s)", n, row.State, row.Reason)
	}
	body := w.walkthroughs(number)[0].Body
	for _, f := range defaultFindings {
		if !strings.Contains(body, f.Title) {
			w.t.Errorf("walkthrough without %q: %s", f.Title, body)
		}
	}
}

// testOutsideTheDiff: a finding without a place in the diff stands in the walkthrough, and at its lines in the check run.
func testOutsideTheDiff(w *world) {
	number, head := w.outsideTheDiff()
	row := w.ended(w.request(number, head).Review.ID)
	if row.State != review.Findings || len(w.github.Reviews(w.repo, number)) != 0 {
		w.t.Fatalf("state %s (%s)", row.State, row.Reason)
	}
	if body := w.walkthroughs(number)[0].Body; !strings.Contains(body, "Divides by zero") {
		w.t.Errorf("walkthrough = %s", body)
	}
	run := w.concluded(row.ID, "neutral")
	if len(run.Annotations) != 1 || run.Annotations[0].Path != "long.go" || run.Annotations[0].StartLine != 44 {
		w.t.Errorf("annotations = %+v", run.Annotations)
	}
}

// outsideTheDiff opens a pull request of which the model says something about a line far from the change.
func (w *world) outsideTheDiff() (number int, head string) {
	long := "package shop\n" + strings.Repeat("\n// Filler.\n", 20) + "\nfunc old() int { return 1 / 0 }\n"
	w.finds(bug("long.go", "func old() int { return 1 / 0 }", "Divides by zero"))
	return w.open(githubtest.PullRequestSpec{
		Base: githubtest.With(baseFiles, map[string]string{"long.go": long}),
		Head: githubtest.With(headFiles, map[string]string{"long.go": "// Shop.\n" + long}),
	})
}

// testDeletedWalkthrough: a person deleted the walkthrough; the next review writes one again.
func testDeletedWalkthrough(w *world) {
	number, head := w.open(githubtest.PullRequestSpec{})
	w.ended(w.request(number, head).Review.ID)
	gone := w.walkthroughs(number)[0].ID
	if err := w.store.SetWalkthroughComment(w.t.Context(), w.repoID, number, gone+1000); err != nil {
		w.t.Fatal(err)
	}
	row := w.ended(w.request(number, head, func(r *store.Wanted) { r.Force = true }).Review.ID)
	id, err := w.store.WalkthroughComment(w.t.Context(), w.repoID, number)
	if err != nil || row.State != review.Findings || id == gone+1000 || id == 0 {
		w.t.Errorf("comment %d, %v, state %s (%s)", id, err, row.State, row.Reason)
	}
}

// TestSkips: what a policy leaves out ends as skipped, with its reason, and asks no model.
func TestSkips(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.start(t)
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
			before: func(w *world, n int) error { return w.github.ClosePullRequest(w.repo, n, false) }, reason: reasonClosed,
		},
		"locked": {
			before: func(w *world, n int) error { return w.github.Lock(w.repo, n, true) }, reason: reasonLocked, check: "skipped",
		},
		"uninstalled": {
			before: func(w *world, _ int) error { w.github.Uninstall(int64(w.installation)); return nil }, reason: reasonGone,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := h.world(t)
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
			row := w.ended(w.request(number, head).Review.ID)
			if row.State != review.Skipped || !strings.Contains(row.Reason, tt.reason) {
				t.Errorf("state %s (%s), want skipped (%s)", row.State, row.Reason, tt.reason)
			}
			if asked := w.asked(); len(asked) != 0 {
				t.Errorf("the model was asked: %v", asked)
			}
			if n := len(w.github.Reviews(w.repo, number)) + len(w.walkthroughs(number)); n != 0 {
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

// TestPushDuringTheReview: a newer revision arrives at each stage, and a delivery tells of it or is still on its way.
// Only the newer one is reviewed, and the older check run is closed.
func TestPushDuringTheReview(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.start(t)
	for _, point := range []string{"check_run", "model_called", "result_saved", "intent", "drafted", "before_submit"} {
		for _, told := range []bool{true, false} {
			t.Run(point+map[bool]string{true: ", told", false: ", not told"}[told], func(t *testing.T) {
				t.Parallel()
				w := h.world(t)
				number, old := w.open(githubtest.PullRequestSpec{})
				pushed := make(chan string, 1)
				w.fails(at(point, func(context.Context) error {
					head, err := w.github.Push(w.repo, number, moreFiles)
					if err == nil && told {
						w.request(number, head)
					}
					pushed <- head
					return err
				}))
				got := w.request(number, old, func(r *store.Wanted) { r.EventAt = time.Now().Add(-time.Minute) })
				if row := w.ended(got.Review.ID); row.State != review.Superseded {
					t.Errorf("old review: state %s (%s)", row.State, row.Reason)
				}
				head := <-pushed
				w.eventually("the new head is reviewed", func() bool {
					row := w.newest()
					return row.Head == head && row.State == review.Findings
				})
				if shown := w.submitted(number); len(shown) != 1 || shown[0].CommitID != head {
					t.Errorf("reviews = %+v", shown)
				}
				w.concluded(got.Review.ID, "cancelled")
			})
		}
	}
}
