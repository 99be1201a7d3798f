package pool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// waitUntil waits for a state of the pool, seen under its lock.
func waitUntil(t *testing.T, p *Pool, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-tick.C {
		p.mu.Lock()
		done := is()
		p.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("never: %s", what)
			return
		}
	}
}

func (p *Pool) aheads() int {
	n := 0
	for _, d := range p.desks {
		if d.ahead != nil {
			n++
		}
	}
	return n
}

// answerOf is what became of an order that was given in the background.
type answerOf struct {
	text string
	err  error
	took time.Duration
}

func inBackground(ctx context.Context, p *Pool, limit time.Duration, what string) chan answerOf {
	out := make(chan answerOf, 1)
	go func() {
		begun := time.Now()
		text, err := order(ctx, p, limit, what)
		out <- answerOf{text, err, time.Since(begun)}
	}()
	return out
}

// behind gives an order to a pool's only child, and another one that lies behind it in the pipe.
func behind(t *testing.T, p *Pool, limit time.Duration, first string, ctx context.Context, secondLimit time.Duration, second string) (a, b chan answerOf) {
	t.Helper()
	mustOrder(t, p, "echo")
	a = inBackground(t.Context(), p, limit, first)
	waitBusy(t, p)
	b = inBackground(ctx, p, secondLimit, second)
	waitUntil(t, p, "a request ahead", func() bool { return p.aheads() == 1 })
	return a, b
}

// A request that lies in the pipe of a child that dies is answered by another, and is not what killed it.
func TestAheadOfADeadChild(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		first  string
		reason Reason
	}{
		{"hang", TimedOut}, {"half", TimedOut}, {"nap-then exit", Crashed}, {"nap-then kill", Crashed}, {"nap-then segfault", Crashed},
		{"nap-then babble", Crashed}, {"nap-then lie", Crashed},
	} {
		t.Run(c.first, func(t *testing.T) {
			t.Parallel()
			p, w := startPool(t, Config{Children: 1}, markerGood)
			limit := 10 * time.Second
			if c.reason == TimedOut {
				limit = time.Second
			}
			a, b := behind(t, p, limit, c.first, t.Context(), 10*time.Second, "echo behind")
			var killed *Killed
			if r := <-a; !errors.As(r.err, &killed) || killed.Reason != c.reason {
				t.Errorf("the first: %v", r.err)
			}
			if r := <-b; r.err != nil || r.text != "behind" {
				t.Errorf("the one behind it: %q, %v", r.text, r.err)
			}
			if w.count(c.reason) != 1 {
				t.Errorf("ended: %v", w.all())
			}
		})
	}
}

// Its limit counts from when the child begins it.
func TestLimitOfWhatIsAhead(t *testing.T) {
	t.Parallel()
	p, w := startPool(t, Config{Children: 1}, markerGood)
	a, b := behind(t, p, 10*time.Second, "nap 1s", t.Context(), 1500*time.Millisecond, "nap 800ms")
	if r := <-a; r.err != nil {
		t.Errorf("the first: %v", r.err)
	}
	if r := <-b; r.err != nil || r.text != "rested" || r.took < 1500*time.Millisecond {
		t.Errorf("the second: %q, %v after %s", r.text, r.err, r.took)
	}
	a, b = behind(t, p, 10*time.Second, "nap 300ms", t.Context(), 300*time.Millisecond, "hang")
	var killed *Killed
	if r := <-a; r.err != nil {
		t.Errorf("the first: %v", r.err)
	}
	if r := <-b; !errors.As(r.err, &killed) || killed.Reason != TimedOut || killed.Limit != 300*time.Millisecond {
		t.Errorf("the second: %v", r.err)
	}
	mustOrder(t, p, "echo")
	if w.count(TimedOut) != 1 {
		t.Errorf("ended: %v", w.all())
	}
}

// A caller whose deadline comes, or who gives up, while its request lies in a pipe is told at once; no child begins it,
// and none dies of it.
func TestNobodyWaitsForWhatIsAhead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		want error
	}{
		{"deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 600*time.Millisecond)
		}, context.DeadlineExceeded},
		{"cancelled", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(600*time.Millisecond, cancel)
			return ctx, cancel
		}, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, w := startPool(t, Config{Children: 1}, markerGood)
			before := mustOrder(t, p, "pid")
			ctx, cancel := c.ctx(t.Context())
			defer cancel()
			a, b := behind(t, p, 10*time.Second, "nap 2s", ctx, 10*time.Second, "exit")
			if r := <-b; !errors.Is(r.err, c.want) || r.took > 1800*time.Millisecond {
				t.Errorf("the second: %v after %s", r.err, r.took)
			}
			// Its place in the pipe is not given away before the child has been there.
			third := inBackground(t.Context(), p, 10*time.Second, "echo third")
			if r := <-a; r.err != nil || r.text != "rested" {
				t.Errorf("the first: %q, %v", r.text, r.err)
			}
			if r := <-third; r.err != nil || r.text != "third" {
				t.Errorf("the third: %q, %v", r.text, r.err)
			}
			if after := mustOrder(t, p, "pid"); after != before || w.count(Crashed)+w.count(TimedOut) > 0 {
				t.Errorf("the child was replaced: %v", w.all())
			}
		})
	}
}

// A child that has nothing to do takes what lies in the pipe of one that is slow.
func TestIdleChildTakesFromABusyOne(t *testing.T) {
	t.Parallel()
	p, w := startPool(t, Config{Children: 2}, markerGood)
	waitUntil(t, p, "two children", func() bool { return len(p.desks) == 2 })
	slow := inBackground(t.Context(), p, 20*time.Second, "nap 3s")
	waitBusy(t, p)
	short := inBackground(t.Context(), p, 20*time.Second, "nap 300ms")
	waitUntil(t, p, "both busy", func() bool { return p.idle() == nil })
	var others []chan answerOf
	for i := range 5 {
		others = append(others, inBackground(t.Context(), p, 20*time.Second, "echo "+strconv.Itoa(i)))
	}
	for i, o := range others {
		if r := <-o; r.err != nil || r.text != strconv.Itoa(i) || r.took > 2*time.Second {
			t.Errorf("%d: %q, %v after %s", i, r.text, r.err, r.took)
		}
	}
	for _, c := range []chan answerOf{slow, short} {
		if r := <-c; r.err != nil || r.text != "rested" {
			t.Errorf("%q, %v", r.text, r.err)
		}
	}
	// What was taken out of its pipe does not confuse the slow one.
	for i := range 10 {
		if got := mustOrder(t, p, "echo "+strconv.Itoa(i)); got != strconv.Itoa(i) {
			t.Errorf("echo %d gives %q", i, got)
		}
	}
	if w.count(Crashed)+w.count(TimedOut) > 0 {
		t.Errorf("ended: %v", w.all())
	}
}

// What is large is not sent ahead, and is not overtaken for ever by what is small.
func TestLargeIsNotStarved(t *testing.T) {
	t.Parallel()
	p, _ := startPool(t, Config{Children: 1}, markerGood)
	first := inBackground(t.Context(), p, 20*time.Second, "nap 500ms")
	waitBusy(t, p)
	large := inBackground(t.Context(), p, 20*time.Second, "echo "+strings.Repeat("x", 1<<20))
	waitUntil(t, p, "the large one waits", func() bool { return len(p.waiting) == 1 && p.aheads() == 0 })
	ctx, cancel := context.WithCancel(t.Context())
	var small sync.WaitGroup
	for range 4 {
		small.Go(func() {
			for ctx.Err() == nil {
				_, _ = order(ctx, p, 20*time.Second, "nap 1ms")
			}
		})
	}
	if r := <-large; r.err != nil || len(r.text) != 1<<20 || r.took > 5*time.Second {
		t.Errorf("large: %d bytes, %v after %s", len(r.text), r.err, r.took)
	}
	cancel()
	small.Wait()
	if r := <-first; r.err != nil {
		t.Error(r.err)
	}
}

// A child that ends after each answer, because it has grown, or after three, because it is recycled, loses nothing.
func TestReplacedWithSomethingAhead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		marker string
		each   int
		reason Reason
	}{{markerGrown, 1, Grown}, {markerGood, 3, Recycled}} {
		t.Run(string(c.reason), func(t *testing.T) {
			t.Parallel()
			p, w := startPool(t, Config{Children: 2, RequestsPerChild: 3}, c.marker)
			var all []chan answerOf
			for range 18 {
				all = append(all, inBackground(t.Context(), p, 20*time.Second, "pid"))
			}
			pids := map[string]int{}
			for i, a := range all {
				r := <-a
				if r.err != nil {
					t.Errorf("%d: %v", i, r.err)
				}
				if pids[r.text]++; pids[r.text] > c.each {
					t.Errorf("one child did %d", pids[r.text])
				}
			}
			if w.count(Crashed)+w.count(TimedOut) > 0 {
				t.Errorf("ended: %v", w.all())
			}
		})
	}
}

// Whatever requests do to their children, and whoever kills those from outside: each request gets its own answer; who
// does no harm is blamed for none, but for one a child that was killed from outside; and what was not wanted any more
// costs nobody anything.
func TestWhoeverDies(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			whoeverDies(t, seed)
		})
	}
}

func whoeverDies(t *testing.T, seed uint64) {
	p, w := startPool(t, Config{Children: 3, RequestsPerChild: 40}, markerGood)
	random := rand.New(rand.NewPCG(seed, 1))
	type planned struct {
		what, want string
		limit      time.Duration
		patience   time.Duration
	}
	var plan []planned
	for i := range 400 {
		x := planned{what: fmt.Sprintf("echo %d", i), want: strconv.Itoa(i), limit: 20 * time.Second}
		switch n := random.IntN(100); {
		case n < 3:
			x.what, x.want = []string{"exit", "kill", "segfault", "babble"}[random.IntN(4)], string(Crashed)
		case n < 5:
			x.what, x.want, x.limit = "hang", string(TimedOut), 100*time.Millisecond
		case n < 25:
			x.what, x.want = fmt.Sprintf("nap %dms", random.IntN(8)), "rested"
		case n < 35:
			x.what, x.want = "fail "+strconv.Itoa(i), "parser child failed: "+strconv.Itoa(i)
		case n < 45:
			x.patience = time.Duration(random.IntN(20)) * time.Millisecond
		case n < 50:
			x.want = strings.Repeat(strconv.Itoa(i), 30_000)
			x.what = "echo " + x.want
		}
		plan = append(plan, x)
	}
	var mu sync.Mutex
	blamed, killedOutside := 0, 0
	next := make(chan planned)
	var callers sync.WaitGroup
	for range 12 {
		callers.Go(func() {
			for x := range next {
				ctx, cancel := context.WithCancel(t.Context())
				if x.patience > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), x.patience)
				}
				text, err := order(ctx, p, x.limit, x.what)
				cancel()
				var killed *Killed
				switch isKilled := errors.As(err, &killed); {
				case isKilled && string(killed.Reason) == x.want:
				case x.patience > 0 && err != nil && (errors.Is(err, context.DeadlineExceeded) || isKilled && killed.Limit < x.limit):
				case isKilled && killed.Reason == Crashed:
					mu.Lock()
					blamed++
					mu.Unlock()
				case err != nil && err.Error() != x.want, err == nil && text != x.want:
					t.Errorf("%.20s: %.40q, %v", x.what, text, err)
				}
			}
		})
	}
	for i, x := range plan {
		next <- x
		if i%100 == 50 {
			p.mu.Lock()
			if len(p.desks) > 0 {
				_ = syscall.Kill(p.desks[random.IntN(len(p.desks))].proc.cmd.Process.Pid, syscall.SIGKILL)
				killedOutside++
			}
			p.mu.Unlock()
		}
	}
	close(next)
	callers.Wait()
	if blamed > killedOutside {
		t.Errorf("%d blamed for %d kills from outside", blamed, killedOutside)
	}
	waitUntil(t, p, "nothing left", func() bool { return len(p.waiting) == 0 && p.aheads() == 0 })
	t.Logf("%d killed from outside, %d blamed; ended: %v", killedOutside, blamed, w.all())
}

// A request larger than the pipe holds, for a child that does not read, ends at its limit, and nobody else waits for it.
func TestWriterDoesNotWaitForTheDeaf(t *testing.T) {
	t.Parallel()
	p, _ := startPool(t, Config{Children: 1}, markerGood)
	pid, err := strconv.Atoi(mustOrder(t, p, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	deaf := inBackground(t.Context(), p, 2*time.Second, "echo "+strings.Repeat("x", 1<<20))
	waitBusy(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	hasty := inBackground(ctx, p, time.Second, "echo hasty")
	patient := inBackground(t.Context(), p, 10*time.Second, "echo patient")
	if r := <-hasty; !errors.Is(r.err, context.DeadlineExceeded) || r.took > 1800*time.Millisecond {
		t.Errorf("hasty: %v after %s", r.err, r.took)
	}
	var killed *Killed
	if r := <-deaf; !errors.As(r.err, &killed) || killed.Reason != TimedOut {
		t.Errorf("deaf: %v", r.err)
	}
	if r := <-patient; r.err != nil || r.text != "patient" {
		t.Errorf("patient: %q, %v", r.text, r.err)
	}
}
