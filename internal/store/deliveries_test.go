package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

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
	got, err := w.batch(store.Item{Delivery: d})
	if err != nil {
		w.t.Fatal(err)
	}
	return got[0].Recorded
}

func TestADeliveryCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wanted := by(0, "opened", "", "a")
	first, err := w.batch(store.Item{Delivery: delivery("one", "m"), Wants: &wanted})
	if err != nil || first[0].Duplicate || !first[0].Created {
		t.Fatalf("the first: %+v, %v", first, err)
	}
	r := first[0].Review
	if n := w.count(`deliveries d JOIN reviews r ON r.id = d.review_id AND r.job_id = d.job_id WHERE d.guid = 'one' AND r.job_id = 1000`); n != 1 {
		t.Error("the delivery does not name its review and job")
	}
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
					got, err := w.batch(store.Item{Delivery: delivery(guid(i), "m")})
					for err != nil && store.Retryable(err) {
						got, err = w.batch(store.Item{Delivery: delivery(guid(i), "m")})
					}
					if err != nil {
						t.Error(err)
					} else if !got[0].Duplicate {
						firsts.Add(1)
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
