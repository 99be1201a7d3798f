package store_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/store"
)

// hands is a clock that a test moves.
type hands struct{ now time.Time }

func (h *hands) read() time.Time { return h.now }

func (h *hands) pass(d time.Duration) { h.now = h.now.Add(d) }

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// enter asks the gate.
func (w *world) enter(g *store.Gate, units int) (int64, time.Duration) {
	w.t.Helper()
	ticket, wait, err := g.Enter(w.ctx(), units)
	if err != nil {
		w.t.Fatal(err)
	}
	return ticket, wait
}

func (w *world) limited(g *store.Gate, told time.Duration) time.Duration {
	w.t.Helper()
	wait, err := g.Limited(w.ctx(), told)
	if err != nil {
		w.t.Fatal(err)
	}
	return wait
}

func TestTheGateAfterALimit(t *testing.T) {
	t.Parallel()
	w, clock := newWorld(t), &hands{now: noon}
	g := w.Gate(installation, store.ContentLimits{Minute: 80, Hour: 500}, clock.read)
	other := w.Gate(installation+1, store.ContentLimits{Minute: 80, Hour: 500}, clock.read)
	for _, step := range []struct {
		told, want time.Duration
		// then passes before the next.
		then time.Duration
	}{
		{told: 17 * time.Second, want: 17 * time.Second},
		{told: 5 * time.Second, want: 17 * time.Second, then: 17 * time.Second}, // of several the latest holds
		{told: 2 * time.Hour, want: time.Hour, then: time.Hour},
		{want: time.Minute},                            // it did not say
		{want: time.Minute, then: time.Minute},         // another worker met the same
		{want: 2 * time.Minute, then: 3 * time.Minute}, // again, soon after
		{want: 4 * time.Minute, then: 4 * time.Minute},
		{told: 9 * time.Second, want: 9 * time.Second, then: 9 * time.Second},
		{want: 8 * time.Minute, then: 8 * time.Minute},
		{want: 16 * time.Minute, then: 16 * time.Minute},
		{want: 32 * time.Minute, then: 32 * time.Minute},
		{want: time.Hour, then: time.Hour},
		{want: time.Hour, then: 2*time.Hour + time.Second},
		{want: time.Minute, then: time.Minute}, // long after: from the beginning
	} {
		if got := w.limited(g, step.told); got != step.want {
			t.Fatalf("told %s: waits %s, want %s", step.told, got, step.want)
		}
		for _, units := range []int{0, 1} {
			if _, wait := w.enter(g, units); wait != step.want {
				t.Fatalf("%d units: waits %s, want %s", units, wait, step.want)
			}
			if _, wait := w.enter(other, units); wait != 0 {
				t.Fatalf("another installation waits %s", wait)
			}
		}
		clock.pass(step.then)
	}
	if _, wait := w.enter(g, 0); wait != 0 {
		t.Errorf("after all: waits %s", wait)
	}
}

func TestTheGateCountsContent(t *testing.T) {
	t.Parallel()
	w, clock := newWorld(t), &hands{now: noon}
	g := w.Gate(installation, store.ContentLimits{Minute: 10, Hour: 25}, clock.read)
	first, wait := w.enter(g, 8)
	if first == 0 || wait != 0 {
		t.Fatalf("ticket %d, wait %s", first, wait)
	}
	clock.pass(10 * time.Second)
	w.enter(g, 2)
	if ticket, wait := w.enter(g, 1); ticket != 0 || wait != 70*time.Second {
		t.Errorf("the minute is full: ticket %d, wait %s", ticket, wait)
	}
	for units, want := range map[int]time.Duration{1: 70 * time.Second, 9: 80 * time.Second} {
		if wait, err := g.Room(w.ctx(), units); err != nil || wait != want {
			t.Errorf("room for %d in %s, %v, want %s", units, wait, err, want)
		}
	}
	if _, wait := w.enter(g, 9); wait != 80*time.Second {
		t.Errorf("nine more wait %s, for both", wait)
	}
	if _, wait := w.enter(g, 0); wait != 0 {
		t.Errorf("what creates nothing waits %s", wait)
	}
	if err := g.Settle(w.ctx(), first, 1); err != nil {
		t.Fatal(err)
	}
	if _, wait := w.enter(g, 7); wait != 0 {
		t.Errorf("after the first was settled: wait %s", wait)
	}
	clock.pass(80 * time.Second)
	if _, wait := w.enter(g, 99); wait != 0 {
		t.Errorf("more than the limit at once waits %s on an empty minute", wait)
	}
	clock.pass(80 * time.Second)
	if _, wait := w.enter(g, 6); wait != time.Hour+20*time.Second-170*time.Second {
		t.Errorf("the hour has room for five: six wait %s", wait)
	}
	if _, wait := w.enter(g, 5); wait != 0 {
		t.Errorf("five wait %s", wait)
	}
	if _, wait := w.enter(w.Gate(installation, store.ContentLimits{Minute: -1, Hour: -1}, clock.read), 1000); wait != 0 {
		t.Errorf("without limits: waits %s", wait)
	}
}

// TestTheGateHoldsForManyWorkers lets workers ask at once, at random times, and looks at every window of what got through.
func TestTheGateHoldsForManyWorkers(t *testing.T) {
	t.Parallel()
	w, clock := newWorld(t), &hands{now: noon}
	limits := store.ContentLimits{Minute: 20, Hour: 90}
	type sent struct {
		at    time.Time
		units int
	}
	var mu sync.Mutex
	var all []sent
	dice := rand.New(rand.NewPCG(1, 1))
	for range 60 {
		clock.pass(time.Duration(dice.IntN(int(2 * time.Minute))))
		var workers sync.WaitGroup
		for range 4 {
			units := 1 + dice.IntN(12)
			workers.Go(func() {
				g := w.Gate(installation, limits, clock.read)
				ticket, wait, err := g.Enter(w.ctx(), units)
				if err != nil || (ticket == 0) != (wait > 0) {
					t.Errorf("ticket %d, wait %s, %v", ticket, wait, err)
				}
				if wait == 0 {
					mu.Lock()
					defer mu.Unlock()
					// It arrives when it does, within a call's time.
					all = append(all, sent{clock.now.Add(time.Duration(units) * 1600 * time.Millisecond), units})
				}
			})
		}
		workers.Wait()
	}
	slices.SortFunc(all, func(a, b sent) int { return a.at.Compare(b.at) })
	if len(all) < 20 {
		t.Fatalf("%d requests got through", len(all))
	}
	for _, window := range []struct {
		length time.Duration
		limit  int
	}{{time.Minute, limits.Minute}, {time.Hour, limits.Hour}} {
		most := 0
		for i := range all {
			units := 0
			for j := i; j >= 0 && all[i].at.Sub(all[j].at) < window.length; j-- {
				units += all[j].units
			}
			most = max(most, units)
		}
		t.Logf("at most %d of %d within %s", most, window.limit, window.length)
		if most > window.limit || most < window.limit*3/4 {
			t.Errorf("%d units within %s, the limit is %d", most, window.length, window.limit)
		}
	}
}
