package llmsvc

import (
	"context"
	"sync"
	"time"
)

// rateWindow is what ceilings of rate count over.
const rateWindow = time.Minute

// limits are an endpoint's ceilings; 0 is none but for atOnce.
type limits struct {
	// atOnce is how many requests may be on their way.
	atOnce int
	// requests and tokens are the most of a minute, any minute: a sliding one.
	requests, tokens int
}

// gate decides whose request to an endpoint goes next. Requests belong to groups, a group being a review. The next one
// is that of the group with the fewest on their way, among equals the group that was served longest ago, and within a
// group the one that came first: so a review with a hundred questions never makes one with two wait for all of them.
type gate struct {
	limits limits

	mu      sync.Mutex
	running int
	groups  map[string]*group
	served  uint64
	// passed are the requests of the last minute, oldest first.
	passed []*pass
	// alarm is set while the next in line waits for the rate and not for a slot.
	alarm *time.Timer
}

type group struct {
	running int
	// last is when it was served, counted in requests served.
	last    uint64
	waiting []*ticket
}

type ticket struct {
	group  string
	pass   *pass
	ready  chan struct{}
	opened bool
}

// pass is one request in the count of rates. Its tokens are an estimate until the answer says better.
type pass struct {
	at     time.Time
	tokens int
}

func newGate(l limits) *gate { return &gate{limits: l, groups: map[string]*group{}} }

// enter waits for a request's turn. leave must be called once, with the tokens that it took, or 0 when the estimate is
// all that is known. The error is the context's.
func (g *gate) enter(ctx context.Context, name string, tokens int) (leave func(tokens int), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t := &ticket{group: name, pass: &pass{tokens: tokens}, ready: make(chan struct{})}
	g.mu.Lock()
	mine := g.groups[name]
	if mine == nil {
		mine = &group{}
		g.groups[name] = mine
	}
	mine.waiting = append(mine.waiting, t)
	g.open()
	g.mu.Unlock()
	select {
	case <-t.ready:
		return func(tokens int) { g.leave(t, tokens) }, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.opened {
		// It got its turn in the same instant, and gives it back unused.
		g.unpass(t.pass)
		g.end(t)
		return nil, ctx.Err()
	}
	for i, other := range mine.waiting {
		if other == t {
			mine.waiting = append(mine.waiting[:i:i], mine.waiting[i+1:]...)
			break
		}
	}
	g.forget(name)
	g.open() // whoever stood behind a request that was too large for now
	return nil, ctx.Err()
}

func (g *gate) leave(t *ticket, tokens int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if tokens > 0 {
		t.pass.tokens = tokens
	}
	g.end(t)
}

// end frees a slot. The lock is held.
func (g *gate) end(t *ticket) {
	g.running--
	g.groups[t.group].running--
	g.forget(t.group)
	g.open()
}

// forget drops a group that has nothing to do here. The lock is held.
func (g *gate) forget(name string) {
	if of := g.groups[name]; of.running == 0 && len(of.waiting) == 0 {
		delete(g.groups, name)
	}
}

func (g *gate) unpass(p *pass) {
	for i, other := range g.passed {
		if other == p {
			g.passed = append(g.passed[:i:i], g.passed[i+1:]...)
			return
		}
	}
}

// open lets go whoever may go. The lock is held.
func (g *gate) open() {
	for g.running < g.limits.atOnce {
		next := g.next()
		if next == nil {
			return
		}
		now := time.Now()
		if wait := g.wait(now, next.waiting[0].pass.tokens); wait > 0 {
			g.wake(wait)
			return
		}
		t := next.waiting[0]
		next.waiting = next.waiting[1:]
		g.served++
		g.running++
		next.running++
		next.last, t.pass.at, t.opened = g.served, now, true
		if g.limits.requests > 0 || g.limits.tokens > 0 {
			g.passed = append(g.passed, t.pass)
		}
		close(t.ready)
	}
}

// next gives the group whose turn it is, nil when none waits.
func (g *gate) next() *group {
	var best *group
	for _, of := range g.groups {
		if len(of.waiting) == 0 {
			continue
		}
		if best == nil || of.running < best.running || of.running == best.running && of.last < best.last {
			best = of
		}
	}
	return best
}

// wait gives how long a request of so many tokens has to wait for the rate. One that is larger than the ceiling by
// itself goes when nothing else went for a minute.
func (g *gate) wait(now time.Time, tokens int) time.Duration {
	for len(g.passed) > 0 && now.Sub(g.passed[0].at) >= rateWindow {
		g.passed = g.passed[1:]
	}
	count, sum := len(g.passed), tokens
	for _, p := range g.passed {
		sum += p.tokens
	}
	for _, p := range g.passed {
		fits := (g.limits.requests == 0 || count < g.limits.requests) && (g.limits.tokens == 0 || sum <= g.limits.tokens)
		if fits {
			return 0
		}
		count--
		sum -= p.tokens
		// Were this one too old to count, would it fit?
		if (g.limits.requests == 0 || count < g.limits.requests) && (g.limits.tokens == 0 || sum <= g.limits.tokens || count == 0) {
			return p.at.Add(rateWindow).Sub(now)
		}
	}
	return 0
}

// wake looks again after a while.
func (g *gate) wake(after time.Duration) {
	if g.alarm != nil {
		g.alarm.Stop()
	}
	g.alarm = time.AfterFunc(after, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.open()
	})
}

// close stops the alarm.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.alarm != nil {
		g.alarm.Stop()
	}
}
