package llmsvc

import (
	"sync"
	"time"
)

const (
	breakerFailures = 5
	breakerWindow   = 30 * time.Second
	breakerProbe    = 15 * time.Second
)

// verdict is what an attempt says of its server.
type verdict uint8

const (
	// neutral says nothing: the caller left, or the server was only busy.
	neutral verdict = iota
	alive
	broken
)

// breakerState is what the metric shows.
type breakerState float64

const (
	breakerClosed  breakerState = 0
	breakerProbing breakerState = 1
	breakerOpen    breakerState = 2
)

// breaker stops the asking of a server that keeps failing. It opens after breakerFailures failures in breakerWindow
// without a success between them; while it is open, one attempt per breakerProbe goes through, and a success closes it.
type breaker struct {
	// changed is told the state whenever it may have changed, with the lock held. May be nil.
	changed func(breakerState)

	mu        sync.Mutex
	failures  []time.Time
	open      bool
	probing   bool
	nextProbe time.Time
	// why is what the last failure was, in our own words.
	why string
}

// allow says whether an attempt may go. When it may not, wait is how long until one may; when it may, report must be
// called with what came of it and the same probe.
func (b *breaker) allow(now time.Time) (ok, probe bool, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return true, false, 0
	case b.probing:
		return false, false, breakerProbe
	case now.Before(b.nextProbe):
		return false, false, b.nextProbe.Sub(now)
	}
	b.probing = true
	b.tell()
	return true, true, 0
}

// failed notes what a failure was; report says that it was one.
func (b *breaker) failed(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.why = why
}

// reason says in our own words why the server is not asked.
func (b *breaker) reason() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why == "" {
		return "the model server keeps failing and is not asked for a while"
	}
	return b.why + ", and is not asked for a while"
}

// blocked gives how long no attempt may go, without taking one; 0 when one may.
func (b *breaker) blocked(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return 0
	case b.probing:
		return breakerProbe
	default:
		return max(b.nextProbe.Sub(now), 0)
	}
}

func (b *breaker) report(now time.Time, probe bool, v verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	switch v {
	case neutral:
		// A probe that told nothing is made again by the next caller.
	case alive:
		b.open, b.failures = false, nil
	case broken:
		b.fail(now)
	}
	b.tell()
}

func (b *breaker) fail(now time.Time) {
	if b.open {
		b.nextProbe = now.Add(breakerProbe)
		return
	}
	recent := b.failures[:0]
	for _, at := range b.failures {
		if now.Sub(at) < breakerWindow {
			recent = append(recent, at)
		}
	}
	b.failures = append(recent, now)
	if len(b.failures) >= breakerFailures {
		b.open, b.failures = true, nil
		b.nextProbe = now.Add(breakerProbe)
	}
}

// hold is the time until which a server asked to be left alone. Nobody asks its model before, whoever was told.
type hold struct {
	mu sync.Mutex
	to time.Time
}

func (h *hold) until(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.After(h.to) {
		h.to = t
	}
}

func (h *hold) left(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(h.to.Sub(now), 0)
}

func (b *breaker) tell() {
	if b.changed == nil {
		return
	}
	switch {
	case !b.open:
		b.changed(breakerClosed)
	case b.probing:
		b.changed(breakerProbing)
	default:
		b.changed(breakerOpen)
	}
}
