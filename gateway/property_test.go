package gateway_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"testing"
)

// life is what may happen to a pull request, in its order: opened, pushed to, closed, reopened and pushed to again, often
// several times in one of GitHub's seconds.
func life(dice *rand.Rand) (steps []step, head string, open bool) {
	second, commits := 0, 0
	pushes := func(most int) {
		for range dice.IntN(most) {
			second += dice.IntN(2) // a tie as often as not
			before := head
			commits++
			head = fmt.Sprintf("%040x", commits)
			steps = append(steps, step{"synchronize", second, before, head})
		}
	}
	commits++
	head = fmt.Sprintf("%040x", commits)
	steps = append(steps, step{"opened", second, "", head})
	open = true
	pushes(5)
	for range dice.IntN(3) {
		// A closing may share a second with a push, but not with a reopening: those say nothing about which was first.
		if !open || steps[len(steps)-1].action == "reopened" || dice.IntN(2) == 0 {
			second++
		}
		if open {
			steps = append(steps, step{"closed", second, "", head})
			open = false
			continue
		}
		steps = append(steps, step{"reopened", second, "", head})
		open = true
		pushes(3)
	}
	return steps, head, open
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// arrivals are the deliveries of a life as they may arrive: in any order, some twice, some again under another GUID.
func arrivals(dice *rand.Rand, steps []step) (order []arrival) {
	for i, s := range steps {
		for range 1 + dice.IntN(2) {
			order = append(order, arrival{s, i, dice.IntN(4) == 0})
		}
	}
	dice.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
	return order
}

type arrival struct {
	step
	place  int
	replay bool
}

// TestWhateverArrivesTheLastHeadIsReviewedOnce makes lives at random and lets their deliveries arrive in any order.
// OPENRABBIT_TRIALS says how many; a failure names its seed.
func TestWhateverArrivesTheLastHeadIsReviewedOnce(t *testing.T) {
	t.Parallel()
	trials := 120
	if text := os.Getenv("OPENRABBIT_TRIALS"); text != "" {
		var err error
		if trials, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t)
	for seed := range trials {
		number := seed + 1
		dice := rand.New(rand.NewPCG(uint64(seed), 7))
		steps, head, open := life(dice)
		order := arrivals(dice, steps)
		for i, a := range order {
			body := event(a.action, a.second, a.before, a.head)
			body = bytes.ReplaceAll(body, []byte(`"number":12`), fmt.Appendf(nil, `"number":%d`, number))
			guid := fmt.Sprintf("X-GitHub-Delivery: life-%d-%d", number, a.place)
			if a.replay {
				guid += fmt.Sprintf("-%d", i)
			}
			if got := w.deliver(body, guid); got.code/100 != 2 {
				t.Fatalf("seed %d: %v answered %d", seed, a, got.code)
			}
			// A worker may have begun meanwhile: a running review is overtaken like one that waits.
			if dice.IntN(2) == 0 {
				w.exec(`WITH r AS (UPDATE reviews SET state = 'running' WHERE number = $1 AND state = 'queued' RETURNING job_id)
					UPDATE river_job SET state = 'running', attempted_at = now(), attempted_by = '{w}', attempt = 1 FROM r WHERE id = r.job_id`, number)
			}
		}
		var live, heads, jobs int
		if err := w.db.Pool().QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE head = $2),
			(SELECT count(*) FROM river_job WHERE (args->>'number')::int = $1 AND state IN ('available', 'running') AND NOT metadata ? 'cancel_attempted_at')
			FROM reviews WHERE number = $1 AND state IN ('queued', 'running')`, number, head).Scan(&live, &heads, &jobs); err != nil {
			t.Fatal(err)
		}
		want := b2i(open)
		if live != want || heads != want || jobs != want {
			t.Errorf("seed %d: %d live reviews, %d of the last head, %d jobs, want %d of each\nlife     %v\narrivals %v", seed, live, heads, jobs, want, steps, order)
		}
	}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Pool().Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// TestClosedFirst: what arrives after the closing, and is older, changes nothing.
func TestClosedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.expect(w.step(step{"closed", 9, "", headC}), http.StatusAccepted, "accepted", "")
	w.expect(w.step(step{"opened", 0, "", headA}), http.StatusAccepted, "ignored", "stale")
	w.expect(w.step(step{"synchronize", 5, headA, headB}), http.StatusAccepted, "ignored", "stale")
	if got := w.live(); got != "" {
		t.Errorf("live heads %q of a closed pull request", got)
	}
}
