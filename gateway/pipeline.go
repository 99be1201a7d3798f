package gateway

import (
	"context"
	"errors"
	"fmt"
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

// pipeline lets the deliveries that arrive while a transaction is under way share the next one. There is no timer and
// no goroutine of its own: of those that wait, one leads. It takes all that have gathered, carries them out, names the
// next leader when only the commit is left and no earlier one is under way, and answers them after it. So a lone delivery is a batch of one that waits
// for nothing, the more there are the more share a commit, and while the disk writes one batch Postgres works on the
// next.
type pipeline struct {
	// commit carries deliveries out in one transaction, and calls written when only the commit is left. An error means
	// that nothing is known to be committed.
	commit func(ctx context.Context, ds []Delivery, written func()) ([]Outcome, error)
	// again says whether an error is only a lost race.
	again func(error) bool

	mu     sync.Mutex
	gather []*waiting
	// led is set while somebody leads, or is chosen to; committing counts the transactions that are being committed.
	led        bool
	committing int
	// next is the turn that has written and waits for one of those that commit to end.
	next *turn
}

// maxCommitting bounds the commits that another transaction does not wait for.
const maxCommitting = 1

// Accept commits a delivery with all that follows from it, and says what that is. After an error the outcome is not
// known, and the delivery may come again: then it is either new or a duplicate. Accept returns when ctx ends; a
// transaction that holds the delivery by then may still be committed.
func (p *pipeline) Accept(ctx context.Context, d Delivery) (Outcome, error) {
	w := &waiting{Delivery: d, ctx: ctx, done: make(chan struct{}), lead: make(chan struct{})}
	p.mu.Lock()
	p.gather = append(p.gather, w)
	leads := !p.led
	p.led = true
	p.mu.Unlock()
	if !leads {
		select {
		case <-w.done:
			return w.outcome, w.err
		case <-ctx.Done():
			return p.giveUp(w)
		case <-w.lead:
		}
	}
	p.carryOut(ctx)
	return w.outcome, w.err
}

// giveUp leaves when ctx has ended. Whoever was made leader in the same moment leads nobody, but names the next.
func (p *pipeline) giveUp(w *waiting) (Outcome, error) {
	p.mu.Lock() // either handOver sees that ctx has ended, or we see that it chose us
	defer p.mu.Unlock()
	if w.chosen {
		p.handOver()
	}
	return Outcome{}, fmt.Errorf("accept delivery %s: %w", w.GUID, w.ctx.Err())
}

// carryOut carries out all that have gathered.
func (p *pipeline) carryOut(ctx context.Context) {
	t := &turn{p: p, batch: p.take()}
	answered := false
	defer func() {
		if !answered { // a panic, which goes on after this
			for _, w := range t.batch {
				w.answer(Outcome{}, errAbandoned)
			}
		}
		t.end()
	}()
	outcomes, errs := p.together(ctx, t)
	t.end()
	answered = true
	for i, w := range t.batch {
		w.answer(outcomes[i], errs[i])
	}
}

// turn is one leader's time.
type turn struct {
	p     *pipeline
	batch []*waiting
	// over is set when another may lead, early when it was before the commit.
	over, early bool
}

// written lets another lead while this turn commits: at once, or when one of those that commit has ended.
func (t *turn) written() {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	switch {
	case t.over:
	case t.p.committing < maxCommitting:
		t.leaveBehind()
	default:
		t.p.next = t
	}
}

// leaveBehind makes this turn one of those that commit. The caller holds the lock.
func (t *turn) leaveBehind() {
	t.over, t.early = true, true
	t.p.committing++
	t.p.handOver()
}

// end ends the turn; again is fine.
func (t *turn) end() {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	if t.p.next == t {
		t.p.next = nil
	}
	if t.early {
		t.early = false
		t.p.committing--
		if next := t.p.next; next != nil {
			t.p.next = nil
			next.leaveBehind()
		}
	}
	if !t.over {
		t.over = true
		t.p.handOver()
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
// the one who leads it. Those who have given up are left out, unanswered. The caller holds the lock.
func (p *pipeline) handOver() {
	still := p.gather[:0]
	for _, w := range p.gather {
		if w.ctx.Err() == nil {
			still = append(still, w)
		}
	}
	clear(p.gather[len(still):])
	p.gather = still
	if len(still) == 0 {
		p.led = false
		return
	}
	next := still[len(still)-1]
	next.chosen = true
	close(next.lead)
}

// together tries one transaction for all, and when that fails one for each, so that none fails its neighbours.
func (p *pipeline) together(ctx context.Context, t *turn) ([]Outcome, []error) {
	ds := make([]Delivery, len(t.batch))
	for i, w := range t.batch {
		ds[i] = w.Delivery
	}
	errs := make([]error, len(ds))
	outcomes, err := p.try(ctx, ds, t.written)
	if err == nil {
		return outcomes, errs
	}
	outcomes = make([]Outcome, len(ds))
	for i := range ds {
		if len(ds) > 1 && ctx.Err() == nil {
			var one []Outcome
			if one, err = p.try(ctx, ds[i:i+1], func() {}); err == nil {
				outcomes[i] = one[0]
				continue
			}
		}
		errs[i] = fmt.Errorf("accept delivery %s: %w", ds[i].GUID, err)
	}
	return outcomes, errs
}

// try is one transaction, again when it lost a race.
func (p *pipeline) try(ctx context.Context, ds []Delivery, written func()) ([]Outcome, error) {
	for try := 1; ; try++ {
		outcomes, err := p.commit(ctx, ds, written)
		if err == nil || try == acceptTries || ctx.Err() != nil || !p.again(err) {
			return outcomes, err
		}
	}
}
