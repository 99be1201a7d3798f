package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/store"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

const (
	// verifyLease is how long a look may take, and when a look that failed is tried again.
	verifyLease = 2 * time.Minute
	// verifyBatch is how many postings one sweep looks at.
	verifyBatch = 50
)

// verify looks once more at what was posted a while ago. The protocol leaves a gap: a worker that is frozen between the
// fence and the submit for longer than a rescue takes, or a write that GitHub carries out after the settle time. What
// comes through it is found here, told, and taken back as far as it can be.
func (s *sweeper) verify(ctx context.Context) error {
	for range verifyBatch {
		due, err := s.store.DueVerification(ctx, verifyLease)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.verifyOne(ctx, due); err != nil {
			s.log.WarnContext(ctx, "posting not verified", telemetry.KeyReview, due.ReviewID, telemetry.KeyError, err)
		}
	}
	return nil
}

func (s *sweeper) verifyOne(ctx context.Context, due store.Verification) error {
	ctx, cancel := context.WithTimeout(ctx, verifyLease/2)
	defer cancel()
	row, err := s.store.Review(ctx, due.ReviewID)
	if err != nil {
		return err
	}
	session, err := pg.Session(ctx, s.db)
	if err != nil {
		return err
	}
	defer session.Close()
	switch mine, err := session.TryLock(ctx, postingLock(row.RepositoryID, row.Number)); {
	case err != nil:
		return err
	case !mine:
		return errors.New("somebody is posting there now")
	}
	v := verification{Orchestrator: s.Orchestrator, row: row, gh: s.installation(row.InstallationID), session: session}
	kept, err := v.run(ctx, due.GitHubReviewID)
	if k := github.KindOf(err); k == github.NotFound || k == github.Forbidden {
		kept, err = due.GitHubReviewID, nil // there is nothing of ours to look at any more
	}
	if err != nil {
		return err
	}
	return s.store.Verified(ctx, row.ID, kept)
}

// verification is one look at a posting.
type verification struct {
	*Orchestrator
	row     store.Review
	gh      *github.Client
	session *pg.LockSession
}

// run gives GitHub's id of the review that stands.
func (v *verification) run(ctx context.Context, known int64) (kept int64, err error) {
	secret, err := v.store.MarkerSecret(ctx)
	if err != nil {
		return 0, err
	}
	own, err := v.gh.Forge(v.row.Repository, v.row.Number, "").Own(ctx)
	if err != nil {
		return 0, err
	}
	comments, err := v.gh.ReviewComments(ctx, v.row.Repository, v.row.Number)
	if err != nil {
		return 0, err
	}
	var shown []post.Posted
	for _, o := range own {
		if id, ok := render.ParseMarker(secret, o.Body); ok && id == v.row.ID && !o.Pending {
			shown = append(shown, o)
		}
	}
	// The older one stands: it is the one that people saw first.
	slices.SortFunc(shown, func(a, b post.Posted) int { return int(min(1, max(-1, a.ID-b.ID))) })
	if len(shown) == 0 {
		v.alert(ctx, "review_missing", known)
		return known, nil
	}
	for _, younger := range shown[1:] {
		v.alert(ctx, "review_twice", younger.ID)
		if err := v.collapse(ctx, younger.ID, comments); err != nil {
			return 0, err
		}
	}
	if err := v.noteThreads(ctx, v.row.ID, shown[0].ID, comments); err != nil {
		return 0, err
	}
	return shown[0].ID, v.walkthroughs(ctx)
}

// alert tells of what should not be.
func (v *verification) alert(ctx context.Context, kind string, id int64) {
	v.metrics.doubles.WithLabelValues(kind).Inc()
	v.log.ErrorContext(ctx, "posting is not as it should be", "kind", kind, telemetry.KeyReview, v.row.ID, telemetry.KeyInstallation, v.row.InstallationID,
		telemetry.KeyRepository, v.row.Repository, telemetry.KeyPullRequest, v.row.Number, telemetry.KeyHead, v.row.Head, "github_id", id)
}

// collapse takes a second review back: its comments are deleted, unless somebody answered them, and then its body says
// that the other one stands. A submitted review cannot be deleted.
func (v *verification) collapse(ctx context.Context, id int64, comments []github.ReviewComment) error {
	for _, c := range comments {
		if c.ReviewID != id || !c.Own || c.InReplyTo != 0 {
			continue
		}
		if slices.ContainsFunc(comments, func(r github.ReviewComment) bool { return r.InReplyTo == c.ID && !r.Own }) {
			continue
		}
		if err := v.session.Check(ctx); err != nil {
			return err
		}
		if err := v.gh.DeleteReviewComment(ctx, v.row.Repository, c.ID); err != nil {
			return fmt.Errorf("take back a comment: %w", err)
		}
		if err := v.store.DropThread(ctx, v.row.RepositoryID, c.ID); err != nil {
			return err
		}
	}
	if err := v.session.Check(ctx); err != nil {
		return err
	}
	// The marker goes last, so that a look that is cut short finds the review again.
	if err := v.gh.EditReview(ctx, v.row.Repository, v.row.Number, id, render.Collapsed); err != nil {
		return fmt.Errorf("take back a review: %w", err)
	}
	return nil
}

// walkthroughs deletes all walkthroughs but the one that is edited.
func (v *verification) walkthroughs(ctx context.Context) error {
	all, err := v.gh.OwnComments(ctx, v.row.Repository, v.row.Number, render.IsWalkthrough)
	if err != nil || len(all) < 2 {
		return err
	}
	known, err := v.store.WalkthroughComment(ctx, v.row.RepositoryID, v.row.Number)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(c github.Comment) bool { return c.ID == known }) {
		known = all[0].ID
		if err := v.store.SetWalkthroughComment(ctx, v.row.RepositoryID, v.row.Number, known); err != nil {
			return err
		}
	}
	for _, c := range all {
		if c.ID == known {
			continue
		}
		v.alert(ctx, "walkthrough_twice", c.ID)
		if err := v.session.Check(ctx); err != nil {
			return err
		}
		if err := v.gh.DeleteComment(ctx, v.row.Repository, c.ID); err != nil {
			return fmt.Errorf("take back a walkthrough: %w", err)
		}
	}
	return nil
}
