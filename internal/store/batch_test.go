package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// story makes deliveries about three pull requests: pushes in one second and in several, closings, repeats under the
// same GUID and under others, persons who ask, and what is only recorded.
func story(dice *rand.Rand, n int) (items []store.Item) {
	for i := range n {
		if len(items) > 0 && dice.IntN(5) == 0 {
			again := items[dice.IntN(len(items))]
			if again.Delivery.GUID != "" && dice.IntN(2) == 0 {
				again.Delivery.GUID = fmt.Sprint("again-", i)
			}
			items = append(items, again)
			continue
		}
		d := delivery(fmt.Sprintf("guid-%02d", dice.IntN(1000)*100+i), "")
		if dice.IntN(6) == 0 {
			d.Decision, d.Reason = "ignore", "nothing_to_do"
			items = append(items, store.Item{Delivery: d})
			continue
		}
		heads := []string{"a", "b", "c", "d"}
		to := 1 + dice.IntN(len(heads)-1)
		w := by(dice.IntN(4), []string{"opened", "synchronize", "synchronize", "reopened"}[dice.IntN(4)], heads[to-1], heads[to])
		if w.Action != "synchronize" {
			w.Before = ""
		}
		w.Number = number + dice.IntN(3)
		switch dice.IntN(8) {
		case 0:
			w.Close = true
		case 1:
			w = asked(heads[dice.IntN(len(heads))], dice.IntN(2) == 0)
			w.Number, d.GUID = number+dice.IntN(3), ""
		}
		if d.GUID != "" {
			d.Meaning = fmt.Sprint(w.Action, w.Number, w.Head, w.EventAt.Unix(), w.Close)
		}
		items = append(items, store.Item{Delivery: d, Wants: &w})
	}
	return items
}

// written is all that the path of deliveries writes, without what is made up: ids, jobs and times.
func (w *world) written() (rows []string) {
	w.t.Helper()
	for _, sql := range []string{
		`SELECT concat_ws(' ', number, latest_head, open, event_at, tied_heads, tied_befores, tied_base) FROM pull_requests ORDER BY number`,
		`SELECT concat_ws(' ', number, head, generation, forced, state, reason, ended_at IS NULL) FROM reviews ORDER BY number, head, generation`,
		`SELECT concat_ws(' ', guid, COALESCE(meaning, '-'), d.decision, d.reason, r.number, r.head, r.generation)
			FROM deliveries d LEFT JOIN reviews r ON r.id = d.review_id ORDER BY guid`,
	} {
		found, err := w.db.Pool().Query(w.ctx(), sql)
		if err != nil {
			w.t.Fatal(err)
		}
		for found.Next() {
			var row string
			if err := found.Scan(&row); err != nil {
				w.t.Fatal(err)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// TestABatchIsItsItemsOneAfterTheOther: how deliveries are cut into batches changes nothing.
func TestABatchIsItsItemsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dice := rand.New(rand.NewPCG(seed, 3))
			items := story(dice, 60)
			single, many := newWorld(t), newWorld(t)
			var one, together []string
			say := func(results []store.Result) (said []string) {
				for _, r := range results {
					said = append(said, fmt.Sprint(r.Duplicate, r.SameMeaning, r.Created, r.Stale, " ", r.Reason, r.ReviewID == "", r.Review.Head, r.Review.Generation))
				}
				return said
			}
			for _, it := range items {
				got, err := single.batch(it)
				if err != nil {
					t.Fatal(err)
				}
				one = append(one, say(got)...)
			}
			for left := items; len(left) > 0; {
				n := min(len(left), 1+dice.IntN(20))
				got, err := many.batch(left[:n]...)
				if err != nil {
					t.Fatal(err)
				}
				together, left = append(together, say(got)...), left[n:]
			}
			if d := cmp.Diff(one, together); d != "" {
				t.Errorf("results one by one and together differ: %s", d)
			}
			if d := cmp.Diff(single.written(), many.written()); d != "" {
				t.Errorf("what is written one by one and together differs: %s", d)
			}
			if len(single.written()) < 20 {
				t.Error("the story is too short to say anything")
			}
		})
	}
}

// TestAReviewThatIsSupersededWithinItsBatchGetsNoJob: opened and pushed to in one transaction.
func TestAReviewThatIsSupersededWithinItsBatchGetsNoJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	opened, pushed := by(0, "opened", "", "a"), by(1, "synchronize", "a", "b")
	got, err := w.batch(store.Item{Delivery: delivery("1", "m1"), Wants: &opened}, store.Item{Delivery: delivery("2", "m2"), Wants: &pushed})
	if err != nil {
		t.Fatal(err)
	}
	if !got[0].Created || !got[1].Created || len(got[1].Superseded) != 0 {
		t.Errorf("%+v", got)
	}
	old, err := w.Review(w.ctx(), got[0].Review.ID)
	if err != nil || old.State != review.Superseded || old.JobID != 0 || old.EndedAt.IsZero() {
		t.Errorf("the replaced review is %+v, %v", old, err)
	}
	if heads := w.live(); !slices.Equal(heads, []string{"b"}) {
		t.Errorf("live heads %v", heads)
	}
}

// TestARepeatRenamesNothing: what an old delivery calls its repository counts only once.
func TestARepeatRenamesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	opened := by(0, "opened", "", "a")
	item := store.Item{Delivery: delivery("1", "m1"), Wants: &opened}
	if _, err := w.batch(item); err != nil {
		t.Fatal(err)
	}
	renamed := by(1, "synchronize", "a", "b")
	renamed.Repository = "acme/store"
	if _, err := w.batch(store.Item{Delivery: delivery("2", "m2"), Wants: &renamed}, item); err != nil {
		t.Fatal(err)
	}
	if n := w.count(`repositories WHERE full_name = 'acme/store'`); n != 1 {
		t.Error("the repeat renamed the repository back")
	}
}
