package orchestrator

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/review"
)

// TestStorm works many reviews by two orchestrators under random faults: workers that die at any boundary, writes that
// are done though the answer says 502, writes that are done later. Each review is there once, with every comment.
func TestStorm(t *testing.T) {
	t.Parallel()
	const reviews = 40
	h := newHall(t)
	h.cfg.Settle = 150 * time.Millisecond
	after := h.github.Inject(githubtest.Fault{Route: "POST", When: githubtest.AfterCommit, Status: http.StatusBadGateway, Probability: 0.04})
	later := h.github.Inject(githubtest.Fault{Route: "POST", When: githubtest.Later, Status: http.StatusBadGateway, ApplyAfter: 60 * time.Millisecond, Probability: 0.03})
	before := h.github.Inject(githubtest.Fault{When: githubtest.Before, Status: http.StatusBadGateway, Probability: 0.02})
	var deaths atomic.Int64
	dies := func(_ context.Context, name string) error {
		// Three in a hundred boundaries: no review runs out of attempts, and many see one.
		if rand.IntN(100) >= 3 {
			return nil
		}
		deaths.Add(1)
		if name != "model_called" && rand.IntN(2) == 0 {
			panic("the worker dies")
		}
		return errors.New("the worker dies")
	}
	h.start(t)
	h.deps.Registry = newRegistry()
	h.start(t)
	var worlds []*world
	numbers, ids := make([]int, reviews), make([]review.ID, reviews)
	for i := range reviews {
		w := h.world(t)
		w.fails(dies)
		worlds = append(worlds, w)
		number, head := w.open(githubtest.PullRequestSpec{})
		numbers[i], ids[i] = number, w.request(number, head).Review.ID
	}
	states := make([]review.State, reviews)
	for i, w := range worlds {
		states[i] = w.ended(ids[i]).State
	}
	for _, f := range []*githubtest.Armed{after, later, before} {
		f.Disarm()
	}
	for i, w := range worlds {
		if states[i] != review.Findings {
			t.Errorf("review %d: state %s", i, states[i])
		}
		w.once(numbers[i], 2)
	}
	landed := []int{after.Landed(), later.Landed(), before.Landed(), int(deaths.Load())}
	t.Logf("%d reviews; answers lost: %d, effects delayed: %d, calls failed: %d, workers dead: %d", reviews, landed[0], landed[1], landed[2], landed[3])
	if slices.Min(landed) == 0 {
		t.Errorf("a kind of fault never landed: %v", landed)
	}
}
