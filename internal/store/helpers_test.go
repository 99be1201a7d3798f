package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

const (
	installation = review.InstallationID(7)
	repository   = review.RepositoryID(70)
	fullName     = "acme/shop"
	number       = 12
)

// world is one database and its store.
type world struct {
	*store.Store
	t  *testing.T
	db *pg.DB
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := pgtest.New(t)
	return &world{Store: store.New(db), t: t, db: db}
}

func (w *world) ctx() context.Context { return w.t.Context() }

func (w *world) tx(fn func(ctx context.Context, tx pg.Tx) error) {
	w.t.Helper()
	if err := pg.InTx(w.ctx(), w.db, fn); err != nil {
		w.t.Fatal(err)
	}
}

func at(second int) time.Time { return time.Date(2026, 11, 1, 12, 0, second, 0, time.UTC) }

// by is a wish that a delivery of this second carries.
func by(second int, action, before, head string) store.Wanted {
	return store.Wanted{
		InstallationID: installation, RepositoryID: repository, Repository: fullName, DefaultBranch: "main",
		Number: number, Head: head, Before: before, Action: action, EventAt: at(second),
	}
}

// asked is a person's wish.
func asked(head string, force bool) store.Wanted {
	return store.Wanted{
		InstallationID: installation, RepositoryID: repository, Repository: fullName, Number: number, Head: head, Force: force,
	}
}

func (w *world) request(wanted store.Wanted) store.Requested {
	w.t.Helper()
	var got store.Requested
	w.tx(func(ctx context.Context, tx pg.Tx) (err error) {
		got, err = w.RequestReview(ctx, tx, wanted)
		return err
	})
	return got
}

func (w *world) closePR(second int, head string) store.Requested {
	w.t.Helper()
	wanted := by(second, "closed", "", head)
	wanted.Close = true
	return w.request(wanted)
}

// batch carries out items in one transaction; their reviews get the job 1000 and those after it.
func (w *world) batch(items ...store.Item) ([]store.Result, error) {
	var got []store.Result
	err := pg.InPipedTx(w.ctx(), w.db, func(ctx context.Context, tx pg.Tx) (*pg.Batch, error) {
		b, err := w.Decide(ctx, tx, items, nil)
		if err != nil {
			return nil, err
		}
		made, _ := b.New()
		for i, r := range made {
			r.JobID = int64(1000 + i)
		}
		got = b.Results()
		to := &pg.Batch{}
		b.Write(to)
		return to, nil
	})
	return got, err
}

func (w *world) created(wanted store.Wanted) store.Review {
	w.t.Helper()
	got := w.request(wanted)
	if !got.Created {
		w.t.Fatalf("no review was created for %+v: %s", wanted, got.Reason)
	}
	return got.Review
}

func (w *world) start(id review.ID) {
	w.t.Helper()
	r, err := w.Start(w.ctx(), id)
	if err != nil || r.State != review.Running {
		w.t.Fatalf("start: state %q, error %v", r.State, err)
	}
}

func (w *world) finish(id review.ID, state review.State) {
	w.t.Helper()
	changed, err := w.Finish(w.ctx(), id, state, "")
	if err != nil || !changed {
		w.t.Fatalf("finish: changed %v, error %v", changed, err)
	}
}

func (w *world) state(id review.ID) review.State {
	w.t.Helper()
	r, err := w.Review(w.ctx(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.State
}

// live lists the heads of reviews that have not ended.
func (w *world) live() []string {
	w.t.Helper()
	all, _, err := w.Reviews(w.ctx(), store.Filter{}, store.Page{})
	if err != nil {
		w.t.Fatal(err)
	}
	var heads []string
	for _, r := range all {
		if !r.State.Terminal() {
			heads = append(heads, r.Head)
		}
	}
	return heads
}

// count counts rows.
func (w *world) count(query string, args ...any) (n int) {
	w.t.Helper()
	if err := w.db.Pool().QueryRow(w.ctx(), `SELECT count(*) FROM `+query, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}
