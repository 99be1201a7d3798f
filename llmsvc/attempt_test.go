package llmsvc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openrabbit/openrabbit/internal/llmtest"
	"github.com/openrabbit/openrabbit/internal/review"
)

func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header      llmtest.Header
		least, most time.Duration
	}{
		"seconds":     {"7", 7 * time.Second, 7 * time.Second},
		"a fraction":  {"1.5", 1500 * time.Millisecond, 1500 * time.Millisecond},
		"a date":      {"Sat, 01 Jan 2000 00:00:20 GMT", 19 * time.Second, 20 * time.Second},
		"the past":    {"Sat, 01 Jan 1999 00:00:20 GMT", 0, firstBackoff},
		"negative":    {"-4", 0, firstBackoff},
		"garbage":     {"soon", 0, firstBackoff},
		"not a value": {"NaN", 0, firstBackoff},
		"none":        {"", 0, firstBackoff},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A bubble's clock starts at 2000-01-01 00:00:00 UTC.
			synctest.Test(t, func(t *testing.T) {
				s := newRig(t, script(llmtest.Rule{Status: 429, RetryAfter: tt.header, Times: 1}), Config{})
				began := time.Now()
				got := s.ask(t, "x")
				waited := time.Since(began)
				if got.outcome != review.OutcomeOK || waited < tt.least || waited > tt.most || len(s.server.Calls()) != 2 {
					t.Errorf("%s after %v and %d requests, want %v to %v and 2", got.outcome, waited, len(s.server.Calls()), tt.least, tt.most)
				}
			})
		})
	}
}

// What does not fit before the deadline is not waited for: the caller gets the outcome, and when to come back, at once.
func TestAWaitThatDoesNotFitIsNotBegun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		header llmtest.Header
		want   review.Outcome
		after  time.Duration
	}{
		{429, "59.9", review.OutcomeRateLimited, 59900 * time.Millisecond},
		{503, "120", review.OutcomeUnavailable, 2 * time.Minute},
		{429, "99999999999999999999", review.OutcomeRateLimited, maxRetryAfter},
		{429, "+Inf", review.OutcomeRateLimited, maxRetryAfter},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newRig(t, script(llmtest.Rule{Status: tt.status, RetryAfter: tt.header}), Config{})
			began := time.Now()
			got := s.ask(t, "x") // a minute
			if got.outcome != tt.want || got.retryAfter != tt.after || time.Since(began) != 0 || len(s.server.Calls()) != 1 {
				t.Errorf("%q: %s, retry after %v, took %v and %d requests", tt.header, got.outcome, got.retryAfter, time.Since(began), len(s.server.Calls()))
			}
		})
	}
}

// Whatever fails, and however often, a call makes at most three requests that fail, over its re-ask too.
func TestOneBudgetOfAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t, script(
			llmtest.Rule{Status: 500, Times: 1},
			llmtest.Rule{Answer: llmtest.Text("{}"), Raw: true, Times: 1},
			llmtest.Rule{Status: 429, Times: 1},
			llmtest.Rule{Body: "cut", Times: 1},
			llmtest.Rule{},
		), Config{})
		if got := s.ask(t, "x"); got.outcome != review.OutcomeUnavailable || got.spent.requests != 4 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestAttemptsAreConfigured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t, script(llmtest.Rule{Status: 500}), Config{Attempts: 1})
		if got := s.ask(t, "x"); got.outcome != review.OutcomeUnavailable || len(s.server.Calls()) != 1 {
			t.Errorf("%+v after %d requests", got, len(s.server.Calls()))
		}
	})
}

func TestOneRequestIsBoundedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t, script(llmtest.Rule{Hang: true, Times: 1}), Config{Timeout: 20 * time.Second})
		began := time.Now()
		got := s.ask(t, "x")
		if took := time.Since(began); got.outcome != review.OutcomeOK || took < 20*time.Second || took > 20*time.Second+firstBackoff {
			t.Errorf("%s after %v", got.outcome, took)
		}
	})
}

func TestBackoffIsJitteredAndBounded(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for failed := 1; failed < 40; failed++ {
		ceiling := maxBackoff
		if failed <= 4 {
			ceiling = firstBackoff << (failed - 1)
		}
		for range 50 {
			d := backoff(failed)
			if d < 0 || d > ceiling {
				t.Fatalf("after %d failures %v, want at most %v", failed, d, ceiling)
			}
			seen[d] = true
		}
	}
	if len(seen) < 1000 {
		t.Errorf("only %d different waits", len(seen))
	}
}

func TestBreakerOpensAndProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t, script(llmtest.Rule{Status: 500, Times: 6}), Config{Attempts: 1})
		ask := func(want review.Outcome, requests int) answer {
			t.Helper()
			got := s.ask(t, "x")
			if got.outcome != want || len(s.server.Calls()) != requests {
				t.Fatalf("%s after %d requests, want %s after %d", got.outcome, len(s.server.Calls()), want, requests)
			}
			return got
		}
		for i := range breakerFailures {
			ask(review.OutcomeUnavailable, i+1)
		}
		// Open: nothing is sent, and the caller is told when.
		if got := ask(review.OutcomeUnavailable, 5); got.retryAfter != breakerProbe || got.spent.requests != 0 {
			t.Errorf("open: %+v", got)
		}
		time.Sleep(breakerProbe - time.Millisecond)
		ask(review.OutcomeUnavailable, 5)
		// One probe, which fails: open for as long again.
		time.Sleep(time.Millisecond)
		ask(review.OutcomeUnavailable, 6)
		ask(review.OutcomeUnavailable, 6)
		// One probe, which succeeds: closed.
		time.Sleep(breakerProbe)
		ask(review.OutcomeOK, 7)
		ask(review.OutcomeOK, 8)
	})
}

func TestBreakerLetsOneProbeThrough(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	var states []breakerState
	b := &breaker{changed: func(s breakerState) {
		if len(states) == 0 || states[len(states)-1] != s {
			states = append(states, s)
		}
	}}
	fail := func(at time.Time) {
		ok, probe, _ := b.allow(at)
		if !ok {
			t.Fatal("not allowed")
		}
		b.report(at, probe, broken)
	}
	// Four failures, then quiet: the fifth is alone in its window.
	for range 4 {
		fail(now)
	}
	now = now.Add(breakerWindow)
	fail(now)
	for range 3 {
		fail(now)
	}
	// A success forgets them.
	_, probe, _ := b.allow(now)
	b.report(now, probe, alive)
	for range 5 {
		fail(now)
	}
	if ok, _, wait := b.allow(now); ok || wait != breakerProbe {
		t.Fatalf("open: %v %v", ok, wait)
	}
	now = now.Add(breakerProbe)
	ok, probe, _ := b.allow(now)
	if !ok || !probe {
		t.Fatal("no probe")
	}
	if ok, _, _ := b.allow(now); ok || b.blocked(now) == 0 {
		t.Fatal("a second probe beside the first")
	}
	// The probe's caller left: the next may probe at once.
	b.report(now, true, neutral)
	if b.blocked(now) != 0 {
		t.Fatal("no new probe after one that told nothing")
	}
	if ok, probe, _ = b.allow(now); !ok || !probe {
		t.Fatal("no second probe")
	}
	b.report(now, true, alive)
	if want := []breakerState{breakerClosed, breakerOpen, breakerProbing, breakerOpen, breakerProbing, breakerClosed}; !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
}

// Being busy is no fault: a server that only limits its rate, or refuses requests, never opens the breaker.
func TestBreakerIsNotForBusyServers(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 400, 404} {
		synctest.Test(t, func(t *testing.T) {
			s := newRig(t, script(llmtest.Rule{Status: status, Error: &llmtest.Error{Message: "no", Param: "x"}}), Config{Attempts: 1})
			for range 3 * breakerFailures {
				_, _ = s.complete(t.Context(), s.findings(t, "x"))
			}
			if n := len(s.server.Calls()); n != 3*breakerFailures {
				t.Errorf("status %d: %d requests", status, n)
			}
		})
	}
}

// A server that hangs until its callers' deadlines is broken, though no request ever timed out by itself.
func TestBreakerCountsCallersDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t, script(llmtest.Rule{Hang: true}), Config{})
		done := make(chan error)
		for range breakerFailures {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), hangAfter)
				defer cancel()
				_, err := s.complete(ctx, s.findings(t, "x"))
				done <- err
			}()
		}
		for range breakerFailures {
			if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if s.models[review.Main].breaker.blocked(time.Now()) == 0 {
			t.Error("the breaker is closed")
		}
	})
}

func TestTiersWithOneModelShareItsBreaker(t *testing.T) {
	t.Parallel()
	s := newBare(t, Config{Endpoint: Endpoint{BaseURL: "http://x.test"}, Main: "m", Fast: "m", Embed: "e"})
	if s.models[review.Main].breaker != s.models[review.Fast].breaker || s.models[review.Main].breaker == s.models[tierEmbed].breaker {
		t.Error("breakers go by model")
	}
	if s.models[review.Main].tier != review.Main || s.models[review.Fast].tier != review.Fast {
		t.Error("tiers keep their names")
	}
}

// Requests beyond the ceiling wait their turn, first come first served, and leave it when their caller does.
func TestCeilingAndOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		running, most := 0, 0
		server, err := llmtest.Unstarted(llmtest.Options{Respond: func(llmtest.Call) *llmtest.Rule { return &llmtest.Rule{DelayMS: 1000} }})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		s := newService(t, Config{Concurrency: 2}, inProcess{server.Handler()})
		s.server = server
		begin := make(chan int, 10)
		for i := range 6 {
			go func() {
				ctx := t.Context()
				if i == 3 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, 500*time.Millisecond)
					defer cancel()
				}
				q := s.findings(t, fmt.Sprintf("number %d", i))
				if _, err := s.complete(ctx, q); (err != nil) != (i == 3) {
					t.Errorf("call %d: %v", i, err)
				}
				begin <- i
			}()
			synctest.Wait() // each queues before the next
			running = int(metricValue(t, s.reg, "openrabbit_llm_http_in_flight"))
			most = max(most, running)
		}
		began := time.Now()
		for range 6 {
			<-begin
		}
		if most != 2 {
			t.Errorf("%d requests at once, want 2", most)
		}
		// Two begin at the same instant, so within one the order is open.
		waves := map[time.Duration][]string{}
		for _, c := range server.Calls() {
			at := c.At.Sub(began)
			waves[at] = append(waves[at], c.Messages[1].Content)
			slices.Sort(waves[at])
		}
		if got, want := fmt.Sprint(waves), "map[0s:[number 0 number 1] 1s:[number 2 number 4] 2s:[number 5]]"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("took %v, want 3 s", took)
		}
	})
}
