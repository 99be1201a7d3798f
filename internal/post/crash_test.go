package post_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/post"
	"pgregory.net/rapid"
)

func asRefusal(err error, target *post.Refusal) bool {
	return errors.As(err, target) && (*target).Refused()
}

func isSuperseded(err error) bool { return errors.Is(err, post.ErrSuperseded) }

// run makes attempts until one ends, as a queue does: a crash is a rescue later, a wait is a snooze.
func run(ctx context.Context, w *world, attempt func(context.Context) error, attempts int) (crashes int, err error) {
	for range attempts {
		err = attempt(ctx)
		var wait *post.ErrWait
		var limit post.Limit
		switch {
		case err == nil:
			return crashes, nil
		case errors.Is(err, errCrash):
			crashes++
			w.forge.pass(4 * time.Minute)
		case errors.As(err, &wait):
			w.forge.pass(wait.Until.Sub(w.forge.now))
		case errors.As(err, &limit):
			w.forge.pass(time.Minute)
		default:
			w.forge.pass(10 * time.Second)
		}
	}
	return crashes, err
}

// TestCrashAtEveryStep kills the worker before and after every call that a publication makes, with and without a
// comment that GitHub refuses, and lets the next attempt finish.
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, bad := range []bool{false, true} {
		for _, leaves := range []bool{false, true} {
			draft := draftOf("r1", comments(5)...)
			if bad {
				draft.Comments[3] = comment(4, "bad too")
				draft.Comments[3].Body = "bad"
			}
			steps, _ := crashesAt(t, draft, leaves, nil)
			for at := range steps {
				for _, kind := range []fault{crashBefore, crashAfter} {
					name := fmt.Sprintf("bad %v, leaves %v, step %d, fault %d", bad, leaves, at, kind)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						if _, landed := crashesAt(t, draft, leaves, map[int]fault{at: kind}); landed != 1 {
							t.Fatalf("%d crashes landed, want 1", landed)
						}
					})
				}
			}
		}
	}
}

// TestCrashAndAmbiguity meets a crash, before and after each call, and each kind of lost answer at each other call, in
// every combination of two, the second also in what the first leads to.
func TestCrashAndAmbiguity(t *testing.T) {
	t.Parallel()
	draft := draftOf("r1", comments(5)...)
	draft.Comments[3] = comment(4, "bad too")
	draft.Comments[3].Body = "bad"
	kinds := []fault{crashBefore, crashAfter, faultBefore, faultAfter, faultDelayed, faultLimited}
	both, most := 0, 0
	for _, leaves := range []bool{false, true} {
		steps, _ := crashesAt(t, draft, leaves, nil)
		for at := range steps {
			for _, one := range kinds {
				// The second strikes within what follows: the rest of this attempt and all of the next.
				for then := at + 1; then < at+1+steps; then++ {
					for _, other := range kinds {
						if crash := []fault{crashBefore, crashAfter}; !slices.Contains(crash, one) && !slices.Contains(crash, other) {
							continue // that is TestRandomFaults' matter
						}
						n, landed := crashesAt(t, draft, leaves, map[int]fault{at: one, then: other})
						most = max(most, n)
						if landed == 2 {
							both++
						}
						if t.Failed() {
							t.Fatalf("leaves %v, fault %d at step %d, fault %d at step %d", leaves, one, at, other, then)
						}
					}
				}
			}
		}
	}
	t.Logf("%d combinations struck twice, at most %d steps", both, most)
	if both < 10_000 {
		t.Errorf("only %d combinations struck twice", both)
	}
}

// crashesAt publishes with faults at some of the steps and gives how many steps there were, and how many faults struck.
func crashesAt(t *testing.T, draft post.Draft, leaves bool, at map[int]fault) (step, landed int) {
	t.Helper()
	w := newWorld()
	w.forge.bad, w.forge.leavesBody, w.forge.delay = badBodies, leaves, 5*time.Second
	plan := func(string) fault {
		step++
		kind, armed := at[step-1]
		if !armed {
			return faultNone
		}
		landed++
		return kind
	}
	w.forge.plan, w.record.plan = plan, plan
	var got post.Result
	_, err := run(t.Context(), w, func(ctx context.Context) (err error) {
		got, err = post.Publish(ctx, w.deps(), draft)
		return err
	}, 8)
	w.forge.pass(time.Hour)
	if err != nil {
		t.Error(err)
		return step, landed
	}
	want := len(draft.Comments)
	if draft.Comments[3].Body == "bad" {
		want--
	}
	shown := w.forge.shown()
	if len(shown) != 1 || len(shown[0].comments) != want || len(got.Posted) != want {
		t.Errorf("%d shown, result %+v, want one with %d comments: %s", len(shown), got, want, strings.Join(w.forge.calls, " "))
	}
	if w.record.state.Stage != post.StageDone {
		t.Errorf("stage %q", w.record.state.Stage)
	}
	return step, landed
}

// TestRandomFaults throws everything at a publication: lost answers, late effects, limits, lagging reads, crashes of
// the worker, a broken database, refused comments. One review is shown in the end, and no comment is lost.
func TestRandomFaults(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.forge.bad = badBodies
		w.forge.leavesBody = rapid.Bool().Draw(t, "leaves")
		w.forge.lag = time.Duration(rapid.IntRange(0, 8).Draw(t, "lag")) * time.Second
		w.forge.delay = time.Duration(rapid.IntRange(0, 60).Draw(t, "delay")) * time.Second
		draft := draftOf("r1", comments(rapid.IntRange(1, 6).Draw(t, "comments"))...)
		for i := range draft.Comments {
			if rapid.IntRange(0, 9).Draw(t, "bad") == 0 {
				draft.Comments[i] = comment(i+1, fmt.Sprintf("comment %d", i+1))
				draft.Comments[i].Body = "bad"
			}
		}
		left := rapid.IntRange(1, 8).Draw(t, "faults")
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		plan := func(string) fault {
			if left == 0 || rnd.IntN(4) > 0 {
				return faultNone
			}
			left--
			return fault(1 + rnd.IntN(int(crashAfter)))
		}
		w.forge.plan, w.record.plan = plan, plan
		var got post.Result
		if _, err := run(t.Context(), w, func(ctx context.Context) (err error) {
			got, err = post.Publish(ctx, w.deps(), draft)
			return err
		}, 60); err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(w.forge.calls, " "))
		}
		w.forge.pass(time.Hour)
		shown := w.forge.shown()
		if len(shown) > 1 || len(shown) == 0 && len(got.Posted) > 0 {
			t.Fatalf("%d reviews shown\n%s", len(shown), strings.Join(w.forge.calls, " "))
		}
		var bodies []string
		for _, r := range shown {
			for _, c := range r.comments {
				bodies = append(bodies, c.Body)
			}
		}
		// A draft that shows only after the settle time can get a comment blamed: it is then in the walkthrough.
		if len(bodies) != len(got.Posted) || len(got.Posted)+len(got.Refused) != len(draft.Comments) ||
			len(got.Refused) > 0 && w.forge.delay+w.forge.lag < settle {
			t.Fatalf("shown %v, result %+v, want %d comments\n%s", bodies, got, len(draft.Comments), strings.Join(w.forge.calls, " "))
		}
		if slices.Contains(bodies, "bad") {
			t.Fatalf("shown %v", bodies)
		}
	})
}

// TestZombie freezes a worker at each of its calls, lets another one finish, and thaws the first. Its lock is lost.
func TestZombie(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"own", "look", "draft", "submit", "advance intent", "advance drafted"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			draft := draftOf("r1", comments(2)...)
			zombie := &fence{}
			froze := false
			plan := func(call string) fault {
				if call == at && !froze {
					froze = true
					w.forge.pass(4 * time.Minute)
					if _, err := w.again(t.Context(), draft, 5); err != nil {
						t.Fatal(err)
					}
					zombie.err = errors.New("not held")
				}
				return faultNone
			}
			w.forge.plan, w.record.plan = plan, plan
			deps := w.deps()
			deps.Fence = zombie
			_, err := post.Publish(t.Context(), deps, draft)
			if !froze {
				t.Fatal("never frozen")
			}
			if len(w.forge.shown()) != 1 {
				t.Errorf("%d reviews shown; the zombie's error: %v", len(w.forge.shown()), err)
			}
		})
	}
}

// TestNaiveBodyDuplicates shows that the stand-in bites: the same faults on the body that everybody writes first.
func TestNaiveBodyDuplicates(t *testing.T) {
	t.Parallel()
	naive := func(w *world, draft post.Draft) func(context.Context) error {
		return func(ctx context.Context) error {
			id, err := w.forge.Draft(ctx, draft.Head, draft.Marker, draft.Comments)
			if refusal := post.Refusal(nil); err != nil && asRefusal(err, &refusal) {
				// "There is a draft already": throw it away and try again.
				own, _ := w.forge.Own(ctx)
				for _, o := range own {
					if o.Pending {
						_ = w.forge.Discard(ctx, o.ID)
					}
				}
			}
			if err != nil {
				return err
			}
			if err := w.forge.Submit(ctx, id); err != nil {
				return err
			}
			return w.record.Advance(ctx, post.StageDone, id)
		}
	}
	protocol := func(w *world, draft post.Draft) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := post.Publish(ctx, w.deps(), draft)
			return err
		}
	}
	const jobs = 1000
	for name, tt := range map[string]struct {
		body func(*world, post.Draft) func(context.Context) error
		want func(duplicated int) bool
	}{
		"naive":    {body: naive, want: func(d int) bool { return d > jobs/50 }},
		"protocol": {body: protocol, want: func(d int) bool { return d == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			duplicated, lost, landed := 0, 0, 0
			for seed := range uint64(jobs) {
				w := newWorld()
				rnd := rand.New(rand.NewPCG(seed, 2))
				plan := func(string) fault {
					if rnd.IntN(100) >= 5 {
						return faultNone
					}
					landed++
					return [...]fault{faultAfter, faultDelayed, crashAfter}[rnd.IntN(3)]
				}
				w.forge.delay = 5 * time.Second
				w.forge.plan, w.record.plan = plan, plan
				if _, err := run(t.Context(), w, tt.body(w, draftOf("r1", comments(1)...)), 40); err != nil {
					lost++
				}
				w.forge.pass(time.Hour)
				switch n := len(w.forge.shown()); {
				case n == 0:
					lost++
				case n > 1:
					duplicated++
				}
			}
			t.Logf("%d jobs, %d faults: %d duplicated, %d lost", jobs, landed, duplicated, lost)
			if !tt.want(duplicated) || lost > 0 || landed < jobs/20 {
				t.Errorf("duplicated %d, lost %d, faults %d", duplicated, lost, landed)
			}
		})
	}
}
