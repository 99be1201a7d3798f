package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// errAbandoned says that the transaction that a delivery was in ended in a panic.
var errAbandoned = errors.New("the transaction was abandoned")

// waiting is a delivery whose sender waits.
type waiting struct {
	Delivery
	ctx context.Context
	// done is closed when outcome and err are there; lead is closed to make it the next leader.
	done, lead chan struct{}
	outcome    Outcome
	err        error
	// chosen is set, under the pipeline's lock, when lead is closed.
	chosen bool
}

// answer tells the sender.
func (w *waiting) answer(o Outcome, err error) {
	w.outcome, w.err = o, err
	close(w.done)
}

// pipeline lets the deliveries that arrive while a transaction commits share the next one. There is no timer and no
// goroutine of its own: of those that wait, one leads. It takes all that have gathered, carries them out, answers them,
// and names the next leader. So a lone delivery is a batch of one that waits for nothing, and the more there are, the
// more share a commit.
type pipeline struct {
	// commit carries deliveries out in one transaction. An error means that nothing is known to be committed.
	commit func(ctx context.Context, ds []Delivery) ([]Outcome, error)
	// again says whether an error is only a lost race.
	again func(error) bool
	// most is how many transactions may be under way; 1 is enough unless commits are slow and cores idle.
	most int

	mu      sync.Mutex
	gather  []*waiting
	leaders int
}

// Accept commits a delivery with all that follows from it, and says what that is. After an error the outcome is not
// known, and the delivery may come again: then it is either new or a duplicate. Accept returns when ctx ends; a
// transaction that holds the delivery by then may still be committed.
func (p *pipeline) Accept(ctx context.Context, d Delivery) (Outcome, error) {
	w := &waiting{Delivery: d, ctx: ctx, done: make(chan struct{}), lead: make(chan struct{})}
	p.mu.Lock()
	p.gather = append(p.gather, w)
	leads := p.leaders < p.most
	if leads {
		p.leaders++
	}
	p.mu.Unlock()
	if leads {
		p.carryOut(ctx)
	}
	select {
	case <-w.done:
		return w.outcome, w.err
	case <-ctx.Done():
		return p.giveUp(w)
	case <-w.lead:
	}
	p.carryOut(ctx)
	// Another leader may have taken it.
	select {
	case <-w.done:
		return w.outcome, w.err
	case <-ctx.Done():
		return Outcome{}, fmt.Errorf("accept delivery %s: %w", w.GUID, ctx.Err())
	}
}

// giveUp leaves when ctx has ended. Whoever was made leader in the same moment leads nobody, but names the next.
func (p *pipeline) giveUp(w *waiting) (Outcome, error) {
	p.mu.Lock() // either handOver sees that ctx has ended, or we see that it chose us
	chosen := w.chosen
	p.mu.Unlock()
	if chosen {
		p.handOver()
	}
	return Outcome{}, fmt.Errorf("accept delivery %s: %w", w.GUID, w.ctx.Err())
}

// carryOut carries out all that have gathered.
func (p *pipeline) carryOut(ctx context.Context) {
	batch := p.take()
	answered := false
	defer func() {
		if !answered { // a panic, which goes on after this
			for _, w := range batch {
				w.answer(Outcome{}, errAbandoned)
			}
		}
		p.handOver()
	}()
	var outcomes []Outcome
	var errs []error
	if len(batch) > 0 {
		outcomes, errs = p.together(ctx, batch)
	}
	answered = true
	for i, w := range batch {
		w.answer(outcomes[i], errs[i])
	}
}

// take gives all that have gathered and still wait.
func (p *pipeline) take() []*waiting {
	p.mu.Lock()
	defer p.mu.Unlock()
	batch := p.gather
	p.gather = nil
	return batch
}

// handOver makes the last to arrive the next leader: it has the most time left, and a transaction has as much time as
// the one who leads it. Those who have given up are left out, unanswered.
func (p *pipeline) handOver() {
	p.mu.Lock()
	defer p.mu.Unlock()
	still := p.gather[:0]
	for _, w := range p.gather {
		if w.ctx.Err() == nil {
			still = append(still, w)
		}
	}
	clear(p.gather[len(still):])
	p.gather = still
	// One who was chosen and has not begun takes them all.
	if len(still) == 0 || slices.ContainsFunc(still, func(w *waiting) bool { return w.chosen }) {
		p.leaders--
		return
	}
	next := still[len(still)-1]
	next.chosen = true
	close(next.lead)
}

// together tries one transaction for all, and when that fails one for each, so that none fails its neighbours.
func (p *pipeline) together(ctx context.Context, batch []*waiting) ([]Outcome, []error) {
	ds := make([]Delivery, len(batch))
	for i, w := range batch {
		ds[i] = w.Delivery
	}
	errs := make([]error, len(ds))
	outcomes, err := p.try(ctx, ds)
	if err == nil {
		return outcomes, errs
	}
	outcomes = make([]Outcome, len(ds))
	for i := range ds {
		if len(ds) > 1 && ctx.Err() == nil {
			var one []Outcome
			if one, err = p.try(ctx, ds[i:i+1]); err == nil {
				outcomes[i] = one[0]
				continue
			}
		}
		errs[i] = fmt.Errorf("accept delivery %s: %w", ds[i].GUID, err)
	}
	return outcomes, errs
}

// try is one transaction, again when it lost a race.
func (p *pipeline) try(ctx context.Context, ds []Delivery) ([]Outcome, error) {
	for try := 1; ; try++ {
		outcomes, err := p.commit(ctx, ds)
		if err == nil || try == acceptTries || ctx.Err() != nil || !p.again(err) {
			return outcomes, err
		}
	}
}
