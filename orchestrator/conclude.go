package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// ensureCheckRun shows that the review is under way. The review's id is the check run's external id, by which an attempt
// finds what an earlier one made. An App without the permission for checks reviews without them.
func (a *attempt) ensureCheckRun(ctx context.Context) error {
	if a.row.CheckRunID != 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// To cut the request when a newer revision arrives would leave a check run that nobody knows of.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	id, err := a.openCheckRun(ctx, a.gh, a.row, a.resumed)
	switch {
	case github.KindOf(err) == github.Forbidden:
		a.log.WarnContext(ctx, "the app may not write check runs", telemetry.KeyError, err)
		return nil
	case err != nil:
		return ambiguous(err, a.Orchestrator)
	}
	if err := a.store.SetCheckRun(ctx, a.row.ID, id); err != nil {
		return err
	}
	a.row.CheckRunID = id
	return nil
}

// openCheckRun finds or makes the check run of a review.
func (o *Orchestrator) openCheckRun(ctx context.Context, gh *github.Client, row store.Review, look bool) (int64, error) {
	if look {
		run, found, err := gh.FindCheckRun(ctx, row.Repository, row.Head, row.ID)
		if err != nil || found {
			return run.ID, err
		}
	}
	return gh.CreateCheckRun(ctx, row.Repository, row.Head, row.ID, "Reviewing", "OpenRabbit is reviewing "+short(row.Head)+".")
}

// ambiguous turns the lost answer to a write into a pause, after which the attempt looks before it writes again.
func ambiguous(err error, o *Orchestrator) error {
	if github.KindOf(err) != github.Ambiguous {
		return err
	}
	return &pause{after: o.cfg.Settle, why: "settle", err: err}
}

// finish ends the review of this attempt: on GitHub first, where an error means another attempt, then in the row.
func (a *attempt) finish(ctx context.Context, end ending) error {
	if err := a.showEnd(ctx, a.row, end); err != nil {
		return err
	}
	return a.close(ctx, a.row, end)
}

// conclude ends a review that gets no further attempt: what GitHub does not take is logged, the row ends in any case.
func (o *Orchestrator) conclude(ctx context.Context, row store.Review, end ending) error {
	if err := o.showEnd(ctx, row, end); err != nil {
		o.log.WarnContext(ctx, "check run not completed", telemetry.KeyReview, row.ID, telemetry.KeyError, err)
	}
	return o.close(ctx, row, end)
}

// close writes the end into the row.
func (o *Orchestrator) close(ctx context.Context, row store.Review, end ending) error {
	changed, err := o.store.Finish(ctx, row.ID, end.state, end.reason)
	if err != nil {
		return err
	}
	if changed {
		o.metrics.end(end.state, row.CreatedAt)
		o.log.InfoContext(ctx, "review ended", telemetry.KeyReview, row.ID, telemetry.KeyInstallation, row.InstallationID,
			telemetry.KeyRepository, row.Repository, telemetry.KeyPullRequest, row.Number, telemetry.KeyHead, row.Head,
			"state", string(end.state), "reason", end.reason)
	}
	return nil
}

// showEnd completes the check run of a review that ends without a result.
func (o *Orchestrator) showEnd(ctx context.Context, row store.Review, end ending) error {
	if row.Head == "" || row.CheckRunID == 0 && end.quiet {
		return nil
	}
	gh := o.installation(row.InstallationID)
	id := row.CheckRunID
	if id == 0 {
		var err error
		if id, err = o.openCheckRun(ctx, gh, row, true); err != nil {
			return withoutChecks(err)
		}
		if err := o.store.SetCheckRun(ctx, row.ID, id); err != nil {
			return err
		}
	}
	err := gh.UpdateCheckRun(ctx, row.Repository, id, endOutput(row, end))
	if err := withoutChecks(err); err != nil {
		return ambiguous(err, o)
	}
	if end.state == review.Superseded || end.state == review.Cancelled {
		return o.store.CloseCheckRun(ctx, row.ID)
	}
	return nil
}

// withoutChecks forgives that the App may not write check runs, or that what they belong to is gone.
func withoutChecks(err error) error {
	switch github.KindOf(err) {
	case github.Forbidden, github.NotFound, github.Invalid:
		return nil
	default:
		return err
	}
}

// endOutput is what a check run shows of a review that has no result.
func endOutput(row store.Review, end ending) github.CheckOutput {
	check := render.CheckRun(render.Walkthrough{Meta: render.Meta{
		Repository: row.Repository, Number: row.Number, Head: row.Head, State: end.state, Reason: end.reason,
	}})
	return github.CheckOutput{Conclusion: github.Conclusion(check.Conclusion), Title: check.Title, Summary: check.Summary}
}

// tidy closes the check run of a review that somebody else ended while it was ours.
func (a *attempt) tidy(ctx context.Context) {
	if a.row.State != review.Superseded && a.row.State != review.Cancelled {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	a.closeSuperseded(ctx, a.row)
}

// closeSuperseded closes the check runs of a pull request's reviews that were superseded or cancelled. It is a courtesy
// to readers: what fails is left to the next review and to the sweep.
func (o *Orchestrator) closeSuperseded(ctx context.Context, row store.Review) {
	open, err := o.store.SupersededCheckRuns(ctx, row.RepositoryID, row.Number)
	if err != nil {
		o.log.WarnContext(ctx, "superseded check runs not read", telemetry.KeyReview, row.ID, telemetry.KeyError, err)
		return
	}
	for _, old := range open {
		if err := o.closeCheckRun(ctx, old); err != nil {
			o.log.WarnContext(ctx, "superseded check run not closed", telemetry.KeyReview, old.ID, telemetry.KeyError, err)
			return
		}
	}
}

// closeCheckRun closes the check run of one review that was superseded or cancelled. When the row has none, the worker
// may have died while it made it, so it is looked for by the review's id. That there is none is believed once a request
// under way would have shown.
func (o *Orchestrator) closeCheckRun(ctx context.Context, old store.Review) error {
	if old.CheckRunID == 0 {
		run, found, err := o.installation(old.InstallationID).FindCheckRun(ctx, old.Repository, old.Head, old.ID)
		switch {
		case withoutChecks(err) != nil:
			return err
		case err == nil && !found && time.Since(old.EndedAt) < o.cfg.Settle:
			return nil
		case err != nil, !found:
			return o.store.CloseCheckRun(ctx, old.ID)
		}
		if err := o.store.SetCheckRun(ctx, old.ID, run.ID); err != nil {
			return err
		}
		old.CheckRunID = run.ID
	}
	return o.showEnd(ctx, old, ending{state: old.State, reason: readable(old.Reason)})
}

// readable gives the store's reasons in a reader's words.
func readable(reason string) string {
	switch reason {
	case store.EndedByRevision:
		return "a newer revision arrived"
	case store.EndedByRequest:
		return "the same revision is reviewed again"
	case store.EndedByClose:
		return reasonClosed
	case store.EndedByPerson:
		return "it was cancelled on request"
	case store.ReasonUnderWay:
		return "a review of this revision is under way"
	case store.ReasonReviewed:
		return "this revision was reviewed already"
	}
	return reason
}

// overtaken maps what a publication can find out: somebody ended the review, it is not of the head any more, or the pull
// request is closed, locked, or a draft again.
func (a *attempt) overtaken(ctx context.Context, err error) error {
	closed := errors.Is(err, post.ErrClosed)
	if github.KindOf(err) == github.Forbidden {
		if pr, lerr := a.gh.PullRequest(ctx, a.row.Repository, a.row.Number); lerr == nil && pr.Locked {
			return &ending{state: review.Skipped, reason: reasonLocked}
		}
	}
	if !closed && !errors.Is(err, post.ErrSuperseded) {
		return err
	}
	row, rerr := a.store.Review(ctx, a.row.ID)
	switch {
	case rerr != nil:
		return rerr
	case row.State.Terminal():
		a.row.State = row.State
		return errEnded
	case closed && a.withheld != "":
		return &ending{state: review.Skipped, reason: a.withheld}
	case closed:
		return &ending{state: review.Skipped, reason: reasonClosed}
	}
	if a.pr, rerr = a.gh.PullRequest(ctx, a.row.Repository, a.row.Number); rerr != nil {
		return a.unreadable(ctx, rerr)
	}
	if rerr := a.current(ctx); rerr != nil {
		return rerr
	}
	return fmt.Errorf("github showed another head for a moment: %w", err)
}

// short is how people write a SHA.
func short(head string) string {
	if len(head) > 7 {
		return head[:7]
	}
	return head
}
