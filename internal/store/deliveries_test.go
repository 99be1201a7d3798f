package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/store"
)

func delivery(guid, meaning string) store.Delivery {
	return store.Delivery{
		GUID: guid, Meaning: meaning, Event: "pull_request", Action: "opened",
		InstallationID: installation, RepositoryID: repository, Number: number, Head: "a", Decision: "review",
	}
}

func (w *world) record(d store.Delivery) store.Recorded {
	w.t.Helper()
	var got store.Recorded
	w.tx(func(ctx context.Context, tx pg.Tx) (err error) {
		got, err = w.RecordDelivery(ctx, tx, d)
		return err
	})
	return got
}

func TestADeliveryCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.created(by(0, "opened", "", "a"))
	if got := w.record(delivery("one", "m")); got.Duplicate {
		t.Fatalf("the first is a duplicate: %+v", got)
	}
	w.tx(func(ctx context.Context, tx pg.Tx) error { return w.SettleDelivery(ctx, tx, "one", "because", r.ID, 5) })
	if got := w.record(delivery("one", "m")); !got.Duplicate || got.SameMeaning || got.ReviewID != r.ID {
		t.Errorf("the same GUID: %+v", got)
	}
	if got := w.record(delivery("two", "m")); !got.Duplicate || !got.SameMeaning || got.ReviewID != r.ID {
		t.Errorf("the same meaning: %+v", got)
	}
	if got := w.record(delivery("two", "m")); !got.Duplicate || got.SameMeaning || got.ReviewID != r.ID {
		t.Errorf("the repeat's own GUID again: %+v", got)
	}
	for _, guid := range []string{"three", "four"} {
		if got := w.record(delivery(guid, "")); got.Duplicate {
			t.Errorf("no meaning was taken for the same meaning: %+v", got)
		}
	}
	var rows int
	if err := w.db.Pool().QueryRow(w.ctx(), `SELECT count(*) FROM deliveries`).Scan(&rows); err != nil || rows != 4 {
		t.Errorf("%d rows, want 4 (%v)", rows, err)
	}
}

func TestOneOfManyConcurrentDeliveriesCounts(t *testing.T) {
	t.Parallel()
	for name, guid := range map[string]func(i int) string{
		"one GUID":    func(int) string { return "same" },
		"one meaning": func(i int) string { return fmt.Sprint("guid", i) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var firsts atomic.Int32
			var all sync.WaitGroup
			for i := range 30 {
				all.Go(func() {
					if err := pg.InTx(w.ctx(), w.db, func(ctx context.Context, tx pg.Tx) error {
						got, err := w.RecordDelivery(ctx, tx, delivery(guid(i), "m"))
						if err == nil && !got.Duplicate {
							firsts.Add(1)
						}
						return err
					}); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if firsts.Load() != 1 {
				t.Errorf("%d deliveries counted, want 1", firsts.Load())
			}
		})
	}
}

func TestForeignTextFitsTheColumns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := delivery("odd", "")
	d.Action, d.Head = "a\x00b", "\xff\xfe"
	w.record(d)
	if err := w.Quarantine(w.ctx(), "odd\x00", "e\xff", "p\x00", []byte("\x00\xff{")); err != nil {
		t.Error(err)
	}
	var body []byte
	if err := w.db.Pool().QueryRow(w.ctx(), `SELECT body FROM quarantine`).Scan(&body); err != nil || string(body) != "\x00\xff{" {
		t.Errorf("quarantined %q, %v: want the bytes as they came", body, err)
	}
}
