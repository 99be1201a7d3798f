package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

func TestANewerHeadSupersedes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.created(by(0, "opened", "", "a"))
	if first.Repository != fullName || first.InstallationID != installation || first.Generation != 1 || first.State != review.Queued {
		t.Errorf("created %+v", first)
	}
	w.tx(func(ctx context.Context, tx pg.Tx) error { return w.SetJob(ctx, tx, first.ID, 99) })
	w.start(first.ID)
	got := w.request(by(1, "synchronize", "a", "b"))
	if !got.Created || got.Review.Head != "b" {
		t.Fatalf("the new head: %+v", got)
	}
	if len(got.Superseded) != 1 || got.Superseded[0].ID != first.ID || got.Superseded[0].JobID != 99 {
		t.Fatalf("superseded %+v, want the first review with its job", got.Superseded)
	}
	r, err := w.Review(w.ctx(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r.State != review.Superseded || r.Reason != store.EndedByRevision || r.EndedAt.IsZero() {
		t.Errorf("the first review is now %+v", r)
	}
}

func TestOneReviewOfAHead(t *testing.T) {
	t.Parallel()
	for state, again := range map[review.State]bool{
		review.Queued: false, review.Running: false, review.Clean: false, review.Findings: false, review.Partial: false,
		review.Skipped: true, review.Failed: true, review.Cancelled: true, review.Superseded: true,
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			first := w.created(by(0, "opened", "", "a"))
			if state != review.Queued {
				w.start(first.ID)
			}
			if state.Terminal() {
				w.finish(first.ID, state)
			}
			got := w.request(by(1, "ready_for_review", "", "a"))
			if got.Created != again {
				t.Fatalf("created %v, want %v (%s)", got.Created, again, got.Reason)
			}
			if again && got.Review.Generation != 2 {
				t.Errorf("generation %d, want 2", got.Review.Generation)
			}
			if !again && (got.Review.ID != first.ID || got.Reason == "") {
				t.Errorf("got %+v, want the first review and a reason", got)
			}
		})
	}
}

func TestForceIsANewGeneration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.created(by(0, "opened", "", "a"))
	w.finish(first.ID, review.Clean)
	second := w.created(asked("a", true))
	if second.Generation != 2 || !second.Forced {
		t.Errorf("second %+v", second)
	}
	third := w.request(asked("a", true))
	if !third.Created || third.Review.Generation != 3 || len(third.Superseded) != 1 || third.Superseded[0].ID != second.ID {
		t.Errorf("third %+v, want generation 3 in place of the second", third)
	}
	if w.state(first.ID) != review.Clean {
		t.Error("a review that has ended was changed")
	}
}

func TestClosing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.created(by(0, "opened", "", "a"))
	closed := w.closePR(5, "a")
	if len(closed.Superseded) != 1 || closed.Superseded[0].ID != a.ID || w.state(a.ID) != review.Cancelled {
		t.Fatalf("closing cancelled %+v", closed)
	}
	if got := w.request(by(4, "synchronize", "a", "b")); got.Created || !got.Stale {
		t.Errorf("a push of before the closing: %+v, want stale", got)
	}
	if got := w.request(by(5, "synchronize", "a", "b")); got.Created || got.Reason != store.ReasonClosed {
		t.Errorf("a push of the closing's second: %+v, want closed", got)
	}
	again := w.request(by(9, "reopened", "", "b"))
	if !again.Created || again.Review.Head != "b" {
		t.Fatalf("reopened: %+v", again)
	}
	if closed := w.closePR(5, "b"); !closed.Stale || w.state(again.Review.ID) != review.Queued {
		t.Errorf("the old closing again: %+v, want stale", closed)
	}
}

func TestClosedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.closePR(5, "b")
	for _, late := range []store.Wanted{by(0, "opened", "", "a"), by(3, "synchronize", "a", "b"), by(5, "synchronize", "a", "b")} {
		if got := w.request(late); got.Created {
			t.Errorf("%s at %s created a review of a closed pull request", late.Action, late.EventAt)
		}
	}
}

func TestTheMissingLinkOfASecondBringsItsHeadBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.created(by(0, "synchronize", "b", "c"))
	w.created(by(0, "synchronize", "z", "a")) // not to be told from c's successor yet
	if w.state(c.ID) != review.Superseded {
		t.Fatal("of two unrelated heads the last to arrive should be the newest")
	}
	got := w.request(by(0, "synchronize", "a", "b"))
	if !got.Created || got.Review.Head != "c" || got.Review.Generation != 2 {
		t.Fatalf("got %+v, want a second generation of c", got)
	}
	if heads := w.live(); !slices.Equal(heads, []string{"c"}) {
		t.Errorf("live heads %v, want only c", heads)
	}
}

func TestManyPushesAtOnceLeaveOneReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	heads := []string{"h0", "h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8", "h9"}
	var all sync.WaitGroup
	for i := 1; i < len(heads); i++ {
		all.Go(func() {
			wanted := by(i/4, "synchronize", heads[i-1], heads[i])
			_, err := w.batch(store.Item{Wants: &wanted})
			for store.Retryable(err) {
				_, err = w.batch(store.Item{Wants: &wanted})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if live := w.live(); !slices.Equal(live, []string{"h9"}) {
		t.Errorf("live heads %v, want only the last", live)
	}
}

func TestAPersonsRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.created(by(0, "opened", "", "a"))
	if got := w.request(asked("", false)); got.Created || got.Review.ID != a.ID {
		t.Errorf("no head: %+v, want the review of the newest known head", got)
	}
	other := w.created(asked("b", false))
	if w.state(a.ID) != review.Queued {
		t.Error("a person's request superseded a review")
	}
	w.finish(a.ID, review.Clean)
	w.finish(other.ID, review.Clean)
	unknown := w.created(asked("", true))
	if unknown.Head != "" {
		t.Errorf("head %q, want none yet", unknown.Head)
	}
	w.start(unknown.ID)
	r, err := w.ResolveHead(w.ctx(), unknown.ID, "a")
	if err != nil || r.Head != "a" || r.Generation != 2 || r.State != review.Running {
		t.Errorf("resolved to %+v, error %v", r, err)
	}
}

func TestResolvingToAReviewedHeadSkips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unknown := w.created(asked("", false))
	a := w.created(asked("a", false))
	w.start(unknown.ID)
	r, err := w.ResolveHead(w.ctx(), unknown.ID, "a")
	if err != nil || r.State != review.Skipped || r.Reason != store.ReasonUnderWay {
		t.Fatalf("resolved to %+v, error %v", r, err)
	}
	if w.state(a.ID) != review.Queued {
		t.Error("the review under way was changed")
	}
	if again, err := w.ResolveHead(w.ctx(), unknown.ID, "b"); err != nil || again.State != review.Skipped || again.Head != "" {
		t.Errorf("resolving what has ended: %+v, error %v", again, err)
	}
}

func TestCancelReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.created(by(0, "opened", "", "a"))
	cancel := func(id review.ID) (r store.Review, changed bool, err error) {
		err = pg.InTx(w.ctx(), w.db, func(ctx context.Context, tx pg.Tx) error {
			r, changed, err = w.CancelReview(ctx, tx, id)
			return err
		})
		return r, changed, err
	}
	if r, changed, err := cancel(a.ID); err != nil || !changed || r.State != review.Cancelled {
		t.Errorf("cancelled %+v, %v, %v", r, changed, err)
	}
	if r, changed, err := cancel(a.ID); err != nil || changed || r.State != review.Cancelled {
		t.Errorf("cancelled again %+v, %v, %v", r, changed, err)
	}
	for _, id := range []review.ID{"0191c1a4-0000-7000-8000-000000000000", "no uuid", ""} {
		if _, _, err := cancel(id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("cancel %q: %v, want ErrNotFound", id, err)
		}
	}
}
