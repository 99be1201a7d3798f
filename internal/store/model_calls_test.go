package store_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

func call(hash string, id review.ID, tokens int64) store.ModelCall {
	return store.ModelCall{
		InstallationID: installation, RepositoryID: repository, ReviewID: id, RequestHash: hash, Purpose: "findings",
		Tokens: tokens, CostMicros: tokens * 10,
	}
}

func (w *world) reserve(c store.ModelCall, l store.Limits, want bool) string {
	w.t.Helper()
	got, err := w.Reserve(w.ctx(), c, l)
	if err != nil || got.OK != want || (got.Why == "") != want {
		w.t.Errorf("reserve %s: %+v, %v; want %v", c.RequestHash, got, err, want)
	}
	return got.Why
}

func (w *world) settle(hash string, answer *review.ModelAnswer, tokens int64) {
	w.t.Helper()
	err := w.Settle(w.ctx(), store.Settlement{
		InstallationID: installation, RequestHash: hash, Model: "m", Answer: answer,
		Usage: review.Usage{InputTokens: tokens, CostMicros: tokens * 10, Calls: 1},
	})
	if err != nil {
		w.t.Errorf("settle %s: %v", hash, err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	other := nobody[:len(nobody)-1] + "1"
	for name, c := range map[string]struct {
		limits store.Limits
		// spare is a call that another limit than the one in question would count.
		spare store.ModelCall
		why   string
	}{
		"review":              {store.Limits{ReviewTokens: 100}, call("s", other, 60), "review"},
		"repository":          {store.Limits{RepositoryDayTokens: 100}, func() store.ModelCall { c := call("s", other, 60); c.RepositoryID++; return c }(), "repository"},
		"repository money":    {store.Limits{RepositoryDayMicros: 1000}, func() store.ModelCall { c := call("s", other, 60); c.RepositoryID++; return c }(), "dollar"},
		"installation":        {store.Limits{InstallationDayTokens: 100}, func() store.ModelCall { c := call("s", other, 60); c.InstallationID++; return c }(), "installation"},
		"installation, money": {store.Limits{InstallationDayMicros: 1000}, func() store.ModelCall { c := call("s", other, 60); c.InstallationID++; return c }(), "installation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.reserve(call("a", nobody, 60), c.limits, true)
			w.reserve(c.spare, c.limits, true)
			if why := w.reserve(call("b", nobody, 41), c.limits, false); !strings.Contains(why, c.why) {
				t.Errorf("why %q does not name the %s", why, c.why)
			}
			w.reserve(call("b", nobody, 40), c.limits, true)
			w.settle("a", nil, 10) // it took less than was reserved
			w.reserve(call("c", nobody, 50), c.limits, true)
			w.reserve(call("d", nobody, 1), c.limits, false)
			if err := w.Release(w.ctx(), installation, "c"); err != nil {
				t.Fatal(err)
			}
			w.reserve(call("d", nobody, 50), c.limits, true)
		})
	}
}

func TestConcurrentReservationsKeepTheLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ok atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			got, err := w.Reserve(w.ctx(), call(fmt.Sprint("h", i), nobody, 30), store.Limits{InstallationDayTokens: 100})
			if err != nil {
				t.Error(err)
			}
			if got.OK {
				ok.Add(1)
			}
		})
	}
	all.Wait()
	if ok.Load() != 3 {
		t.Errorf("%d reservations of 30 within 100, want 3", ok.Load())
	}
}

// What a crashed worker's call took is not known: it counts as lost when the question is asked again, or once no call
// can be under way any more.
func TestACrashedWorkersReservation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	limits := store.Limits{ReviewTokens: 100}
	lost := func(hash string, tokens, lost int64) store.ModelCall {
		c := call(hash, nobody, tokens)
		c.LostTokens, c.LostMicros = lost, 10*lost
		return c
	}
	w.reserve(lost("a", 80, 20), limits, true)
	w.reserve(lost("a", 81, 20), limits, false)
	w.reserve(lost("a", 80, 20), limits, true) // taken over, and the lost call counts
	w.settle("a", nil, 30)                     // paid, with nothing to keep
	w.reserve(lost("a", 51, 20), limits, false)
	w.reserve(lost("a", 50, 20), limits, true)
	if err := w.Release(w.ctx(), installation, "a"); err != nil {
		t.Fatal(err)
	}
	w.reserve(lost("b", 51, 5), limits, false) // what a cost before the release stays
	w.reserve(lost("b", 50, 5), limits, true)
	w.reserve(lost("c", 1, 1), limits, false)
	if _, err := w.db.Pool().Exec(w.ctx(), `UPDATE model_calls SET created_at = now() - interval '4 minutes'`); err != nil {
		t.Fatal(err)
	}
	w.reserve(lost("c", 46, 5), limits, false)
	w.reserve(lost("c", 45, 5), limits, true) // of b's 50 the 5 that count as lost are left
}

// Budget that is only held is waited for, budget that is spent is not; and two reviews don't ask the same at once.
func TestWhatIsHeldIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	limits := store.Limits{InstallationDayTokens: 100}
	try := func(c store.ModelCall) store.Reserved {
		t.Helper()
		got, err := w.Reserve(w.ctx(), c, limits)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := try(call("a", nobody, 70)); !got.OK {
		t.Fatalf("%+v", got)
	}
	if got := try(call("b", nobody, 70)); got.OK || !got.Wait {
		t.Errorf("70 are held and 100 the limit: %+v", got)
	}
	w.settle("a", nil, 40)
	if got := try(call("b", nobody, 70)); got.OK || got.Wait {
		t.Errorf("40 are spent: %+v", got)
	}
	other := call("b", nobody[:len(nobody)-1]+"1", 50)
	if got := try(other); !got.OK {
		t.Fatalf("%+v", got)
	}
	if got := try(call("b", nobody, 50)); got.OK || !got.Wait {
		t.Errorf("another review is asking the same: %+v", got)
	}
	if got := try(other); !got.OK {
		t.Errorf("its own next attempt: %+v", got)
	}
	if _, err := w.db.Pool().Exec(w.ctx(), `UPDATE model_calls SET created_at = now() - interval '4 minutes'`); err != nil {
		t.Fatal(err)
	}
	if got := try(call("b", nobody, 50)); !got.OK {
		t.Errorf("nobody is asking any more: %+v", got)
	}
}

// A call that its worker broke off is nobody's to wait for, and counts as lost, once. Nor does anybody wait for the call
// of a review that has ended: its worker may have died before it could say so.
func TestABrokenOffCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	limits := store.Limits{InstallationDayTokens: 100}
	first, second := w.created(by(1, "opened", "", "h1")).ID, nobody
	mine := func(id review.ID) store.ModelCall {
		c := call("a", id, 40)
		c.LostTokens, c.LostMicros = 20, 200
		return c
	}
	w.reserve(mine(first), limits, true)
	w.reserve(mine(second), limits, false)
	for range 2 {
		if err := w.Abandon(w.ctx(), mine(first)); err != nil {
			t.Fatal(err)
		}
	}
	w.reserve(call("b", first, 81), limits, false)
	w.reserve(call("b", first, 80), limits, true)
	w.settle("b", nil, 0)
	w.reserve(mine(second), limits, true)
	if err := w.Abandon(w.ctx(), mine(first)); err != nil { // somebody else's by now
		t.Fatal(err)
	}
	w.reserve(mine(first), limits, false)
	w.settle("a", nil, 0)
	w.reserve(mine(first), limits, true)
	w.reserve(mine(second), limits, false)
	w.finish(first, review.Superseded)
	w.reserve(mine(second), limits, true)
}

func TestStoredAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stored := func(id review.InstallationID) (review.ModelAnswer, bool) {
		t.Helper()
		a, found, err := w.StoredAnswer(w.ctx(), id, "a")
		if err != nil {
			t.Fatal(err)
		}
		return a, found
	}
	w.reserve(call("a", nobody, 1), store.Limits{}, true)
	if _, found := stored(installation); found {
		t.Error("a reservation is taken for an answer")
	}
	want := review.ModelAnswer{Outcome: review.OutcomeOK, Content: "{\"a\":\"\\u0000\"} \x00", Model: "m", Usage: review.Usage{InputTokens: 3}}
	w.settle("a", &want, 3)
	want.Stored = true
	got, found := stored(installation)
	if d := cmp.Diff(want, got); !found || d != "" {
		t.Errorf("found %v: %s", found, d)
	}
	if _, found := stored(installation + 1); found {
		t.Error("another installation is given the answer")
	}
	if err := w.Settle(w.ctx(), store.Settlement{InstallationID: installation, RequestHash: "none"}); err == nil {
		t.Error("settled what was not reserved")
	}
}
