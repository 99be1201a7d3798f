package post

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// nothing says that there is nothing to post.
func (p *publication) nothing() bool { return p.draft.Body == "" && len(p.draft.Comments) == 0 }

// settled gives ErrWait while an effect of an earlier attempt may still be on its way.
func (p *publication) settled(state State) error {
	left := state.AttemptedAt.Add(p.Settle).Sub(p.Clock())
	if left <= 0 {
		return nil
	}
	// Never longer than a settle time, whatever the clocks say.
	return &ErrWait{Until: p.Clock().Add(min(left, p.Settle))}
}

// survey is what GitHub shows of ours.
type survey struct {
	// submitted is the review, when it is visible.
	submitted *Posted
	// draftBody is the body of the draft that the record knows, when it is visible.
	draftBody string
	// discarded counts the drafts that were thrown away.
	discarded int
}

// survey lists our reviews and throws away every draft but the one that the record knows.
func (p *publication) survey(ctx context.Context, state State) (survey, error) {
	var s survey
	own, err := p.Forge.Own(ctx)
	if err != nil {
		return s, fmt.Errorf("list own reviews: %w", err)
	}
	for _, o := range own {
		known := state.Stage == StageDrafted && o.ID == state.ReviewID
		switch id, ok := p.draft.ParseMarker(o.Body); {
		case !o.Pending && (known || ok && id == p.draft.ReviewID):
			s.submitted = &o
		case o.Pending && known:
			s.draftBody = o.Body
		case o.Pending:
			was, err := p.discard(ctx, o.ID)
			if err != nil {
				return s, err
			}
			if was {
				s.discarded++
			}
		}
	}
	return s, nil
}

// discard deletes a draft and says whether it was still there.
func (p *publication) discard(ctx context.Context, id int64) (was bool, err error) {
	if err := p.fence(ctx); err != nil {
		return false, err
	}
	err = p.Forge.Discard(ctx, id)
	switch {
	case err == nil:
		return true, nil
	case gone(err):
		return false, nil
	default:
		return false, fmt.Errorf("discard draft %d: %w", id, p.unseen(err))
	}
}

// withdrawn takes back a draft that will never be submitted, and gives why again. It is a courtesy: a draft that stays
// is invisible, and the next review of the pull request throws it away. After any other error the draft is kept.
func (p *publication) withdrawn(ctx context.Context, id int64, why error) error {
	if id == 0 || !errors.Is(why, ErrClosed) && !errors.Is(why, ErrSuperseded) {
		return why
	}
	if _, err := p.discard(ctx, id); err != nil {
		p.Log.WarnContext(ctx, "draft not withdrawn", "review", p.draft.ReviewID, "error", err)
	}
	return why
}

// current checks that the pull request is open and at the reviewed head.
func (p *publication) current(ctx context.Context) error {
	now, err := p.Forge.Look(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("look at the pull request: %w", err)
	case !now.Open:
		return ErrClosed
	case now.Head != p.draft.Head:
		return fmt.Errorf("head is %s, reviewed was %s: %w", now.Head, p.draft.Head, ErrSuperseded)
	}
	return nil
}

// fence checks the lock.
func (p *publication) fence(ctx context.Context) error {
	err := p.Fence.Check(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrSuperseded), errors.Is(err, ErrClosed):
		return err
	default:
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
}

// submit makes the draft visible: the one step that cannot be taken back, as small as can be, and behind everything
// that could have changed since. It gives errGone when the draft is not there (any more).
func (p *publication) submit(ctx context.Context, id int64, result Result) (Result, error) {
	if err := p.current(ctx); err != nil {
		return Result{}, p.withdrawn(ctx, id, err)
	}
	if err := p.fence(ctx); err != nil {
		return Result{}, p.withdrawn(ctx, id, err)
	}
	// A process that was frozen and thawed may be past its deadline before any timer has told it so.
	if err := alive(ctx); err != nil {
		return Result{}, err
	}
	once, cancel := detach(ctx)
	defer cancel()
	err := p.Forge.Submit(once, id)
	switch {
	case err == nil:
		return p.done(ctx, id, result)
	case !refused(err) && !gone(err):
		return Result{}, fmt.Errorf("submit draft %d: %w", id, p.unseen(err))
	}
	// An earlier attempt's submit may have come through.
	own, lerr := p.Forge.Own(ctx)
	if lerr != nil {
		return Result{}, fmt.Errorf("list own reviews: %w", lerr)
	}
	for _, o := range own {
		if o.ID == id && !o.Pending {
			return p.done(ctx, id, result)
		}
	}
	if gone(err) {
		return Result{}, fmt.Errorf("submit draft %d: %w", id, errGone)
	}
	return Result{}, fmt.Errorf("submit draft %d: %w", id, err)
}

// unseen turns the ambiguous answer to a write into a wait. A limit is not one: nothing was done, and the worker reads
// the hint.
func (p *publication) unseen(err error) error {
	if limited(err) || !ambiguous(err) {
		return err
	}
	return &ErrWait{Until: p.Clock().Add(p.Settle), Err: err}
}

// alive says whether ctx still is, by the clock too.
func alive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// detach keeps the deadline of ctx and drops its cancellation: cutting a write in flight saves nothing and leaves us
// not knowing.
func detach(ctx context.Context) (context.Context, context.CancelFunc) {
	free := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(free, deadline)
	}
	return context.WithCancel(free)
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
