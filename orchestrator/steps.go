package orchestrator

import (
	"context"
	"errors"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// steps are the forge, the record and the fence of a posting: GitHub's, the store's and the lock session's, with the
// review's own state behind the fence, and the failpoints of the fault harness.
type steps struct {
	*attempt
	post.Forge
	record  post.Record
	session *pg.LockSession
	drafted bool
}

var (
	_ post.Forge  = (*steps)(nil)
	_ post.Record = (*steps)(nil)
	_ post.Fence  = (*steps)(nil)
)

// Look implements post.Forge. With a draft in hand it is the first thing that is done before the submit.
func (s *steps) Look(ctx context.Context) (post.PullRequest, error) {
	if s.drafted {
		if err := s.fail(ctx, "before_submit"); err != nil {
			return post.PullRequest{}, err
		}
	}
	now, err := s.Forge.Look(ctx)
	if err == nil && now.Draft && !s.pr.Draft {
		// Made a draft meanwhile: as good as closed, unless drafts are reviewed here.
		if s.withheld = s.skips(true); s.withheld != "" {
			now.Open = false
		}
	}
	return now, err
}

// Load implements post.Record.
func (s *steps) Load(ctx context.Context) (post.State, error) {
	state, err := s.record.Load(ctx)
	s.drafted = state.Stage == post.StageDrafted
	return state, err
}

// Advance implements post.Record.
func (s *steps) Advance(ctx context.Context, stage post.Stage, id int64) error {
	if stage == post.StageSubmitted {
		// Visible, and not written down yet: the worst moment to die.
		if err := s.fail(ctx, "submitted"); err != nil {
			return err
		}
	}
	if err := s.record.Advance(ctx, stage, id); err != nil {
		return err
	}
	s.drafted = stage == post.StageDrafted
	switch stage {
	case post.StageIntent, post.StageDrafted:
		return s.fail(ctx, string(stage))
	case post.StageNone, post.StageSubmitted, post.StageDone:
	}
	return nil
}

// Learn implements post.Record.
func (s *steps) Learn(ctx context.Context, tried []post.Tried) error {
	return s.record.Learn(ctx, tried)
}

// Check implements post.Fence. The lock is looked at last: nothing comes between it and what it guards.
func (s *steps) Check(ctx context.Context) error {
	row, err := s.store.Review(ctx, s.row.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return post.ErrSuperseded
	case err != nil:
		return err
	case row.State == review.Cancelled:
		return post.ErrClosed
	case row.State.Terminal():
		return post.ErrSuperseded
	}
	return s.session.Check(ctx)
}
