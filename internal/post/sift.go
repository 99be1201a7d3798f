package post

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
)

// sift finds the comments of a refused request that GitHub does not take and degrades them.
func (c *composition) sift(ctx context.Context, live []int) error {
	suspects := slices.DeleteFunc(slices.Clone(live), func(i int) bool { return c.forms[i].cleared })
	if len(suspects) == 0 {
		// Each was taken by itself, together they are not: start over with all of them under suspicion.
		suspects = live
		for _, i := range live {
			c.forms[i].cleared = false
		}
	}
	if len(suspects) == 0 {
		return fmt.Errorf("draft a review of %s: refused without comments, taken before", c.draft.Head)
	}
	if c.drafts >= maxDrafts {
		for _, i := range suspects {
			c.forms[i].refused = true
		}
		return nil
	}
	bad, err := c.offenders(ctx, suspects)
	if err != nil || c.visible != 0 {
		return err
	}
	for _, i := range suspects {
		c.forms[i].cleared = !slices.Contains(bad, i)
	}
	for _, i := range bad {
		c.forms[i].degrade()
	}
	return nil
}

// offenders halves a set that was refused until the comments that are refused alone are found. Once the drafts are used
// up, whatever is still suspected counts as one.
func (c *composition) offenders(ctx context.Context, set []int) ([]int, error) {
	if len(set) == 1 || c.drafts >= maxDrafts {
		return set, nil
	}
	left, right := set[:len(set)/2], set[len(set)/2:]
	ok, err := c.probe(ctx, left)
	if err != nil || c.visible != 0 {
		return nil, err
	}
	var bad []int
	if !ok {
		if bad, err = c.offenders(ctx, left); err != nil || c.visible != 0 {
			return nil, err
		}
	}
	if c.drafts >= maxDrafts {
		return append(slices.Clone(bad), right...), nil
	}
	// When the left half is good it must be the right one. One comment gets no blame without proof all the same.
	if ok && len(right) > 1 {
		return c.offenders(ctx, right)
	}
	ok, err = c.probe(ctx, right)
	if err != nil || c.visible != 0 || ok {
		return bad, err
	}
	more, err := c.offenders(ctx, right)
	return append(slices.Clone(bad), more...), err
}

// probe asks GitHub whether it takes these comments, and throws the draft away.
func (c *composition) probe(ctx context.Context, set []int) (bool, error) {
	ok, err := c.take(ctx, set)
	if ok {
		for _, i := range set {
			c.forms[i].cleared = true
		}
	}
	if err != nil || ok {
		return ok, err
	}
	return false, c.clear(ctx)
}

// take drafts these comments and takes the draft back.
func (c *composition) take(ctx context.Context, set []int) (bool, error) {
	id, err := c.draftOf(ctx, set)
	switch {
	case err == nil:
		_, err := c.discard(ctx, id)
		return true, err
	case refused(err):
		return false, nil
	default:
		return false, err
	}
}

// clear makes sure that nothing a refused request left behind stands in the way of the next one, or it would be the
// next one's comments that get the blame.
func (c *composition) clear(ctx context.Context) error {
	for wait := range c.waits() {
		if err := c.Pause(ctx, wait); err != nil {
			return err
		}
		if n, err := c.sweep(ctx); err != nil || c.visible != 0 || n > 0 || !c.leaves {
			return err
		}
	}
	return &ErrWait{Until: c.Clock().Add(c.Settle), Err: errors.New("a draft that a refused request left is not to be seen")}
}

// sweep throws away the drafts of ours that GitHub shows, and sees whether a refused request left a visible review.
func (c *composition) sweep(ctx context.Context) (discarded int, err error) {
	seen, err := c.survey(ctx, State{})
	if err != nil {
		return 0, err
	}
	if seen.submitted != nil {
		c.visible = seen.submitted.ID
	}
	return seen.discarded, nil
}

// draftOf makes one pending review with some of the comments. The intent is written first, each time: the settle time
// counts from the last request. The fence is asked before, so that nobody's record is written over, and after, so that
// nothing comes between it and the request.
func (c *composition) draftOf(ctx context.Context, set []int) (int64, error) {
	if err := c.fence(ctx); err != nil {
		return 0, err
	}
	if err := c.Record.Advance(ctx, StageIntent, 0); err != nil {
		return 0, fmt.Errorf("record the intent: %w", err)
	}
	if err := c.fence(ctx); err != nil {
		return 0, err
	}
	comments := make([]Comment, 0, len(set))
	for _, i := range set {
		comments = append(comments, c.forms[i].comment())
	}
	c.drafts++
	id, err := c.Forge.Draft(ctx, c.draft.Head, c.body(c.refusedNow()), comments)
	if err != nil {
		return 0, fmt.Errorf("draft a review with %d comments: %w", len(comments), c.unseen(err))
	}
	return id, nil
}

// waits gives no pause, and then pauses that double and add up to the settle time.
func (c *composition) waits() iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		if !yield(0) {
			return
		}
		left := c.Settle
		for wait := time.Second; left > 0; wait *= 2 {
			wait = min(wait, left)
			left -= wait
			if !yield(wait) {
				return
			}
		}
	}
}
