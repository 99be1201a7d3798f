package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

const nobody = review.ID("0191c1a4-0000-7000-8000-000000000000")

func TestAReviewsLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.created(by(0, "opened", "", "a")).ID
	if state, err := w.SetStage(w.ctx(), id, review.StageLoad); err != nil || state != review.Queued {
		t.Errorf("stage of a queued review: %q, %v", state, err)
	}
	w.start(id)
	w.start(id) // another attempt of the job
	if state, err := w.SetStage(w.ctx(), id, review.StageVerify); err != nil || state != review.Running {
		t.Errorf("stage: %q, %v", state, err)
	}
	if err := w.SetCheckRun(w.ctx(), id, 31); err != nil {
		t.Error(err)
	}
	w.finish(id, review.Findings)
	if changed, err := w.Finish(w.ctx(), id, review.Failed, "late"); err != nil || changed {
		t.Errorf("finished twice: %v, %v", changed, err)
	}
	if _, err := w.Finish(w.ctx(), id, review.Running, ""); err == nil {
		t.Error("running is no end")
	}
	if state, err := w.SetStage(w.ctx(), id, review.StageLoad); err != nil || state != review.Findings {
		t.Errorf("stage after the end: %q, %v", state, err)
	}
	r, err := w.Start(w.ctx(), id)
	if err != nil || r.State != review.Findings || r.Stage != review.StageVerify || r.CheckRunID != 31 {
		t.Errorf("started after the end: %+v, %v", r, err)
	}
	if r.StartedAt.IsZero() || r.EndedAt.Before(r.StartedAt) || r.StartedAt.Before(r.CreatedAt) {
		t.Errorf("times: %v, %v, %v", r.CreatedAt, r.StartedAt, r.EndedAt)
	}
	if head, err := w.LastReviewedHead(w.ctx(), repository, number); err != nil || head != "a" {
		t.Errorf("last reviewed head %q, %v", head, err)
	}
}

func TestOnlyAWholeReviewMovesTheLastReviewedHead(t *testing.T) {
	t.Parallel()
	for state, moves := range map[review.State]bool{
		review.Clean: true, review.Findings: true, review.Partial: false, review.Skipped: false, review.Failed: false,
	} {
		w := newWorld(t)
		w.finish(w.created(by(0, "opened", "", "a")).ID, state)
		head, err := w.LastReviewedHead(w.ctx(), repository, number)
		if err != nil || (head == "a") != moves {
			t.Errorf("%s: last reviewed head %q, %v", state, head, err)
		}
	}
}

func TestAReviewEndsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.created(by(0, "opened", "", "a")).ID
	var ends atomic.Int32
	var all sync.WaitGroup
	for _, state := range []review.State{review.Clean, review.Findings, review.Partial, review.Failed, review.Cancelled, review.Superseded} {
		all.Go(func() {
			err := pg.InTx(w.ctx(), w.db, func(ctx context.Context, tx pg.Tx) error {
				changed, err := w.FinishIn(ctx, tx, id, state, "")
				if changed {
					ends.Add(1)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if ends.Load() != 1 {
		t.Errorf("ended %d times", ends.Load())
	}
}

// TestAReviewThatEndsWaitsForItsPullRequest: a worker that ends a review, and a delivery that supersedes it, take their
// locks in one order, so that neither can wait for the other in a circle.
func TestAReviewThatEndsWaitsForItsPullRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.created(by(0, "opened", "", "a"))
	w.start(r.ID)
	type finished struct {
		changed bool
		err     error
	}
	ended := make(chan finished, 1)
	w.tx(func(ctx context.Context, tx pg.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT FROM pull_requests FOR UPDATE`); err != nil { // as the batch of a delivery begins
			return err
		}
		go func() {
			changed, err := w.Finish(w.ctx(), r.ID, review.Clean, "")
			ended <- finished{changed, err}
		}()
		for waits := false; !waits; {
			if err := w.db.Pool().QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits); err != nil {
				return err
			}
		}
		_, err := w.RequestReview(ctx, tx, by(1, "synchronize", "a", "b"))
		return err
	})
	if got := <-ended; got.err != nil || got.changed {
		t.Errorf("the superseded review was ended: %v, %v", got.changed, got.err)
	}
	if got, err := w.Review(w.ctx(), r.ID); err != nil || got.State != review.Superseded {
		t.Errorf("the review is %s, %v", got.State, err)
	}
	if head, err := w.LastReviewedHead(w.ctx(), repository, number); err != nil || head != "" {
		t.Errorf("last reviewed head %q, %v", head, err)
	}
}

// TestARunningReviewStaysOnItsPage: no index holds a column that changes while a review runs.
func TestARunningReviewStaysOnItsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var moved int
	if err := w.db.Pool().QueryRow(w.ctx(), `SELECT count(*) FROM pg_attribute a JOIN pg_index i ON i.indrelid = a.attrelid
		WHERE a.attrelid = 'reviews'::regclass AND a.attname IN ('state', 'stage', 'reason', 'merge_base', 'check_run_id',
				'check_run_closed_at', 'result', 'input_tokens', 'output_tokens', 'cost_micros', 'calls', 'started_at', 'ended_at')
			AND (a.attnum = ANY(i.indkey) OR pg_get_indexdef(i.indexrelid) ~ ('\\y' || a.attname || '\\y'))`).Scan(&moved); err != nil || moved != 0 {
		t.Errorf("%d indexes (%v)", moved, err)
	}
}

func TestNoSuchReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []review.ID{nobody, "no uuid"} {
		for name, call := range map[string]func() error{
			"Review":   func() error { _, err := w.Review(w.ctx(), id); return err },
			"Start":    func() error { _, err := w.Start(w.ctx(), id); return err },
			"SetStage": func() error { _, err := w.SetStage(w.ctx(), id, review.StageLoad); return err },
			"Result":   func() error { _, err := w.Result(w.ctx(), id); return err },
			"SaveResult": func() error {
				return w.SaveResult(w.ctx(), id, "", &review.Result{})
			},
			"SetCheckRun":  func() error { return w.SetCheckRun(w.ctx(), id, 1) },
			"SaveFindings": func() error { return w.SaveFindings(w.ctx(), id, nil) },
			"ResolveHead":  func() error { _, err := w.ResolveHead(w.ctx(), id, "a"); return err },
		} {
			if err := call(); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s of %q: %v, want ErrNotFound", name, id, err)
			}
		}
	}
}

func TestAResultComesBackAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.created(by(0, "opened", "", "a")).ID
	if r, err := w.Result(w.ctx(), id); err != nil || r != nil {
		t.Fatalf("result before there is one: %v, %v", r, err)
	}
	want := &review.Result{
		Summary:  "NUL \x00 and a bidi \u202e control",
		Findings: []finding.Finding{{Path: "a.go", Severity: finding.High, Category: finding.Bug, Title: "t", HasSuggestion: true}},
		Dropped:  map[string]int{"refuted": 2},
		Usage:    review.Usage{InputTokens: 10, OutputTokens: 3, CostMicros: 7, Calls: 2},
		Partial:  true, PartialReason: "budget",
	}
	if err := w.SaveResult(w.ctx(), id, "base", want); err != nil {
		t.Fatal(err)
	}
	got, err := w.Result(w.ctx(), id)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	r, err := w.Review(w.ctx(), id)
	if err != nil || r.Usage != want.Usage || r.MergeBase != "base" {
		t.Errorf("row %+v, %v", r, err)
	}
}

func TestPagesShowEveryReviewOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := map[review.ID]bool{}
	w.tx(func(ctx context.Context, tx pg.Tx) error { // one time for all: the id decides
		for i := range 5 {
			got, err := w.RequestReview(ctx, tx, asked(fmt.Sprint("h", i), false))
			if err != nil {
				return err
			}
			want[got.Review.ID] = true
		}
		return nil
	})
	for i := range 4 {
		want[w.created(asked(fmt.Sprint("g", i), false)).ID] = true
	}
	var last store.Review
	page := store.Page{Size: 2}
	for pages := 1; ; pages++ {
		found, next, err := w.Reviews(w.ctx(), store.Filter{Repository: "ACME/Shop", Number: number}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range found {
			if !want[r.ID] {
				t.Errorf("%s comes twice, or is not ours", r.ID)
			}
			delete(want, r.ID)
			if !last.CreatedAt.IsZero() && r.CreatedAt.After(last.CreatedAt) {
				t.Error("not newest first")
			}
			last = r
		}
		if next == "" {
			if pages != 5 {
				t.Errorf("%d pages of 2 for 9 reviews", pages)
			}
			break
		}
		page.Token = next
	}
	if len(want) != 0 {
		t.Errorf("never listed: %v", want)
	}
	for _, f := range []store.Filter{{Repository: "acme/other"}, {Number: 99}} {
		if found, _, err := w.Reviews(w.ctx(), f, store.Page{}); err != nil || len(found) != 0 {
			t.Errorf("%+v lists %d reviews, %v", f, len(found), err)
		}
	}
	for _, token := range []string{"x", "AAAA", "MS4x", "!!"} {
		if _, _, err := w.Reviews(w.ctx(), store.Filter{}, store.Page{Token: token}); !errors.Is(err, store.ErrPageToken) {
			t.Errorf("token %q: %v, want ErrPageToken", token, err)
		}
	}
}

func TestOpenCheckRunsOfEndedReviews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.created(by(0, "opened", "", "a"))
	if err := w.SetCheckRun(w.ctx(), a.ID, 1); err != nil {
		t.Fatal(err)
	}
	b := w.created(by(1, "synchronize", "a", "b"))
	if err := w.SetCheckRun(w.ctx(), b.ID, 2); err != nil {
		t.Fatal(err)
	}
	open, err := w.SupersededCheckRuns(w.ctx(), repository, number)
	if err != nil || len(open) != 1 || open[0].CheckRunID != 1 || open[0].Head != "a" {
		t.Fatalf("open %+v, %v", open, err)
	}
	if err := w.CloseCheckRun(w.ctx(), a.ID); err != nil {
		t.Fatal(err)
	}
	if open, err := w.SupersededCheckRuns(w.ctx(), repository, number); err != nil || len(open) != 0 {
		t.Errorf("still open: %+v, %v", open, err)
	}
}

func TestWalkthroughComment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.SetWalkthroughComment(w.ctx(), repository, number, 5); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown pull request: %v", err)
	}
	w.created(by(0, "opened", "", "a"))
	for _, want := range []int64{5, 6, 0} {
		if err := w.SetWalkthroughComment(w.ctx(), repository, number, want); err != nil {
			t.Fatal(err)
		}
		if got, err := w.WalkthroughComment(w.ctx(), repository, number); err != nil || got != want {
			t.Errorf("comment %d, %v, want %d", got, err, want)
		}
	}
}

func TestMarkerSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, err := w.MarkerSecret(w.ctx())
	if err != nil || len(secret) != 32 {
		t.Errorf("%d bytes, %v", len(secret), err)
	}
}
