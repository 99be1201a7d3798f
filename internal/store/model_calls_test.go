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
	ok, why, err := w.Reserve(w.ctx(), c, l)
	if err != nil || ok != want || (why == "") != want {
		w.t.Errorf("reserve %s: %v, %q, %v; want %v", c.RequestHash, ok, why, err, want)
	}
	return why
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
			got, _, err := w.Reserve(w.ctx(), call(fmt.Sprint("h", i), nobody, 30), store.Limits{InstallationDayTokens: 100})
			if err != nil {
				t.Error(err)
			}
			if got {
				ok.Add(1)
			}
		})
	}
	all.Wait()
	if ok.Load() != 3 {
		t.Errorf("%d reservations of 30 within 100, want 3", ok.Load())
	}
}

func TestACrashedWorkersReservation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	limits := store.Limits{ReviewTokens: 100}
	w.reserve(call("a", nobody, 80), limits, true)
	w.reserve(call("a", nobody, 80), limits, true) // taken over, not added
	w.settle("a", nil, 30)                         // paid, with nothing to keep
	w.reserve(call("a", nobody, 80), limits, false)
	w.reserve(call("a", nobody, 70), limits, true)
	if err := w.Release(w.ctx(), installation, "a"); err != nil {
		t.Fatal(err)
	}
	w.reserve(call("b", nobody, 71), limits, false) // what a cost before the release stays
	w.reserve(call("b", nobody, 70), limits, true)
	if _, err := w.db.Pool().Exec(w.ctx(), `UPDATE model_calls SET created_at = now() - interval '16 minutes'`); err != nil {
		t.Fatal(err)
	}
	w.reserve(call("c", nobody, 70), limits, true) // a reservation that nobody settles ends
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
