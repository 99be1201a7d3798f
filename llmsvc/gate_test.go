package llmsvc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openrabbit/openrabbit/internal/llmtest"
)

// A review with two questions is not held up by one with a hundred, whoever came first, and the large one loses nothing
// but its turns.
func TestALargeReviewDoesNotStarveASmallOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t, llmtest.Options{Respond: func(llmtest.Call) *llmtest.Rule { return &llmtest.Rule{DelayMS: 1000} }}, Config{Concurrency: 4})
		began := time.Now()
		ended := map[string]time.Duration{}
		var mu sync.Mutex
		var all sync.WaitGroup
		ask := func(group string, n int) {
			var mine sync.WaitGroup
			for i := range n {
				q := s.findings(t, fmt.Sprint(group, i))
				q.group = group
				mine.Go(func() {
					if _, err := s.complete(t.Context(), q); err != nil {
						t.Error(err)
					}
				})
			}
			all.Go(func() {
				mine.Wait()
				mu.Lock()
				defer mu.Unlock()
				ended[group] = time.Since(began)
			})
		}
		ask("large", 100)
		synctest.Wait() // its questions stand in line, four of them on their way
		ask("small", 2)
		ask("other", 2)
		all.Wait()
		// The wave under way, and then an equal share of the four slots for three reviews: two more waves at most.
		if ended["small"] > 3*time.Second || ended["other"] > 3*time.Second {
			t.Errorf("two questions took %v and %v behind a hundred, want 3 s at most", ended["small"], ended["other"])
		}
		if ended["large"] != 26*time.Second {
			t.Errorf("104 questions, four at once, took %v, want 26 s", ended["large"])
		}
		if n := len(s.endpoints[0].gate.groups); n != 0 {
			t.Errorf("%d groups are kept", n)
		}
	})
}

// No minute sees more requests or more tokens than the ceilings, and no slot is lost to callers that leave.
func TestCeilingsOfRate(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]limits{"requests": {atOnce: 50, requests: 10}, "tokens": {atOnce: 50, tokens: 1000}, "both": {atOnce: 3, requests: 12, tokens: 900}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(l)
				type went struct {
					at     time.Time
					tokens int
				}
				var mu sync.Mutex
				var log []went
				var left atomic.Int32
				var all sync.WaitGroup
				random := rand.New(rand.NewPCG(1, 2))
				for i := range 80 {
					tokens, impatient := 1+random.IntN(300), random.IntN(4) == 0
					all.Go(func() {
						ctx := t.Context()
						if impatient {
							var cancel context.CancelFunc
							ctx, cancel = context.WithTimeout(ctx, time.Duration(i)*time.Second)
							defer cancel()
						}
						leave, err := g.enter(ctx, fmt.Sprint(i%5), tokens)
						if err != nil {
							left.Add(1)
							return
						}
						mu.Lock()
						log = append(log, went{time.Now(), tokens})
						mu.Unlock()
						time.Sleep(time.Second)
						leave(0)
					})
				}
				all.Wait()
				for i := range log {
					requests, tokens := 0, 0
					for _, other := range log {
						if d := other.at.Sub(log[i].at); d >= 0 && d < rateWindow {
							requests++
							tokens += other.tokens
						}
					}
					if l.requests > 0 && requests > l.requests || l.tokens > 0 && tokens > l.tokens {
						t.Fatalf("a minute with %d requests and %d tokens", requests, tokens)
					}
				}
				if len(log)+int(left.Load()) != 80 || left.Load() == 0 || len(log) < 40 {
					t.Errorf("%d went, %d left", len(log), left.Load())
				}
				if g.running != 0 || len(g.groups) != 0 {
					t.Errorf("%d run, %d groups", g.running, len(g.groups))
				}
				g.close()
			})
		})
	}
}

// One request that is larger than the ceiling of a minute goes alone.
func TestARequestBeyondTheCeilingGoesAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(limits{atOnce: 2, tokens: 100})
		began := time.Now()
		for i, want := range []time.Duration{0, time.Minute, 2 * time.Minute} {
			leave, err := g.enter(t.Context(), "", []int{60, 500, 60}[i])
			if err != nil || time.Since(began) != want {
				t.Errorf("request %d went after %v, %v", i, time.Since(began), err)
			}
			leave(0)
		}
	})
}

func TestLeavingTheGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(limits{atOnce: 1, requests: 5})
		leave, err := g.enter(t.Context(), "a", 1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		failed := make(chan error)
		go func() {
			_, err := g.enter(ctx, "b", 1)
			failed <- err
		}()
		synctest.Wait()
		cancel(nil)
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		leave(0)
		if _, err := g.enter(ctx, "b", 1); err == nil {
			t.Error("who has left already goes in")
		}
		if again, err := g.enter(t.Context(), "c", 1); err != nil {
			t.Error(err)
		} else {
			again(0)
		}
		g.close()
	})
}
