package orchestrator

import (
	"context"
	"fmt"

	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// healedReviews is how many of a pull request's newest reviews are looked at.
const healedReviews = 20

// heal writes down what reviews before this one showed and could not write down: the worker died after the submit, and
// then a newer revision ended the review. Without it their comments would be made again.
func (a *attempt) heal(ctx context.Context, secret []byte) error {
	rows, _, err := a.store.Reviews(ctx, store.Filter{Repository: a.row.Repository, Number: a.row.Number}, store.Page{Size: healedReviews})
	if err != nil {
		return err
	}
	suspects := map[review.ID]post.State{}
	for _, row := range rows {
		// A review that ended with a result has written its findings before.
		if row.ID == a.row.ID || row.RepositoryID != a.row.RepositoryID || row.Stage != review.StagePublish ||
			row.State != review.Superseded && row.State != review.Cancelled && row.State != review.Failed {
			continue
		}
		posting, err := a.store.Posting(row.ID).Load(ctx)
		if err != nil {
			return err
		}
		if posting.Stage == post.StageNone || posting.Stage == post.StageIntent {
			continue // never submitted
		}
		known, err := a.store.FindingsOf(ctx, row.ID)
		if err != nil {
			return err
		}
		if len(known) == 0 {
			suspects[row.ID] = posting
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	own, err := a.gh.Forge(a.row.Repository, a.row.Number, "").Own(ctx)
	if err != nil {
		return fmt.Errorf("list own reviews: %w", err)
	}
	for _, o := range own {
		id, ok := render.ParseMarker(secret, o.Body)
		posting, suspect := suspects[id]
		if !ok || !suspect || o.Pending || posting.ReviewID != 0 && posting.ReviewID != o.ID {
			continue
		}
		if err := a.healOne(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// healOne notes the comments that a review must have shown: the first of its findings with an anchor, up to its cap.
func (a *attempt) healOne(ctx context.Context, id review.ID) error {
	result, err := a.store.Result(ctx, id)
	if err != nil || result == nil {
		return err
	}
	var found []store.StoredFinding
	comments := 0
	for _, f := range result.Findings {
		shown := store.ShownNowhere
		if f.Anchored() && comments < result.MaxComments {
			shown = store.ShownComment
			comments++
		}
		found = append(found, store.StoredFinding{Finding: f, Shown: shown})
	}
	a.log.InfoContext(ctx, "findings of an ended review written", "ended_review", id, "comments", comments)
	if err := a.store.SaveFindings(ctx, id, found); err != nil {
		return fmt.Errorf("write findings of review %s: %w", id, err)
	}
	return nil
}
