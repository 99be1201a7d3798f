package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/openrabbit/openrabbit/internal/intake"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// Delivery is a delivery that was verified and decided on.
type Delivery struct {
	GUID, Event string
	Decision    intake.Decision
}

// Outcome is what came of a delivery. It is committed.
type Outcome struct {
	Status Status
	// Reason says why it was ignored, or how it is a duplicate.
	Reason string
	// ReviewID is the review that it led to, now or when it first came.
	ReviewID review.ID
}

// The reasons of duplicates.
const (
	reasonSameDelivery = "same_delivery"
	reasonSameMeaning  = "same_meaning"
)

// acceptTries is how often a transaction is tried that lost a race with another.
const acceptTries = 3

// inbox owns the transactions of deliveries. Accept has one for each; apply is what one delivery does within one, so
// that several can share it.
type inbox struct {
	db        *pg.DB
	store     *store.Store
	jobs      *queue.Inserter
	failpoint func(name string)
}

// Accept records a delivery with all that follows from it, and commits. After an error the outcome is not known, and
// the delivery may come again: then it is either new or a duplicate.
func (in *inbox) Accept(ctx context.Context, d Delivery) (Outcome, error) {
	for try := 1; ; try++ {
		var outcome Outcome
		err := pg.InTx(ctx, in.db, func(ctx context.Context, tx pg.Tx) (err error) {
			in.failpoint("tx_open")
			outcome, err = in.apply(ctx, tx, d)
			if err == nil {
				in.failpoint("inserted")
			}
			return err
		})
		if err == nil {
			in.failpoint("committed")
			return outcome, nil
		}
		if try == acceptTries || !store.Retryable(err) {
			return Outcome{}, fmt.Errorf("accept delivery %s: %w", d.GUID, err)
		}
	}
}

// apply does what follows from one delivery, within the transaction.
func (in *inbox) apply(ctx context.Context, tx pg.Tx, d Delivery) (Outcome, error) {
	recorded, err := in.store.RecordDelivery(ctx, tx, store.Delivery{
		GUID: d.GUID, Meaning: d.Decision.Meaning, Event: d.Event, Action: d.Decision.Action,
		InstallationID: d.Decision.InstallationID, RepositoryID: d.Decision.Repository.ID, Number: d.Decision.Number,
		Head: d.Decision.Head, Decision: string(d.Decision.Kind), Reason: string(d.Decision.Reason),
	})
	switch {
	case err != nil:
		return Outcome{}, err
	case recorded.SameMeaning:
		return Outcome{Status: StatusDuplicate, Reason: reasonSameMeaning, ReviewID: recorded.ReviewID}, nil
	case recorded.Duplicate:
		return Outcome{Status: StatusDuplicate, Reason: reasonSameDelivery, ReviewID: recorded.ReviewID}, nil
	}
	switch d.Decision.Kind {
	case intake.Ping:
		return Outcome{Status: StatusPing}, nil
	case intake.Ignore:
		return Outcome{Status: StatusIgnored, Reason: string(d.Decision.Reason)}, nil
	case intake.Review:
		return in.review(ctx, tx, d)
	case intake.Rerun:
		return in.rerun(ctx, tx, d)
	case intake.Close:
		return in.close(ctx, tx, d)
	case intake.Install, intake.Uninstall, intake.Suspend, intake.Unsuspend, intake.Repositories:
		return Outcome{Status: StatusAccepted}, in.keepBooks(ctx, tx, d.Decision)
	default:
		return Outcome{}, fmt.Errorf("no rule for the decision %q", d.Decision.Kind)
	}
}

func (d Delivery) wanted() store.Wanted {
	return store.Wanted{
		InstallationID: d.Decision.InstallationID, RepositoryID: d.Decision.Repository.ID,
		Repository: d.Decision.Repository.Name, DefaultBranch: d.Decision.Repository.DefaultBranch,
		Number: d.Decision.Number, Head: d.Decision.Head, Before: d.Decision.Before,
		Action: d.Decision.Action, EventAt: d.Decision.EventAt,
	}
}

func (in *inbox) review(ctx context.Context, tx pg.Tx, d Delivery) (Outcome, error) {
	got, err := in.want(ctx, tx, d.wanted(), d.Decision.Large)
	if err != nil {
		return Outcome{}, err
	}
	return in.settle(ctx, tx, d, got)
}

// settle writes what came of a delivery that wanted a review.
func (in *inbox) settle(ctx context.Context, tx pg.Tx, d Delivery, got store.Requested) (Outcome, error) {
	outcome := Outcome{Status: StatusAccepted, ReviewID: got.Review.ID}
	if !got.Created {
		outcome.Status, outcome.Reason = StatusIgnored, got.Reason
	}
	return outcome, in.store.SettleDelivery(ctx, tx, d.GUID, got.Reason, got.Review.ID, got.Review.JobID)
}

// rerun reviews the head of one of our check runs again.
func (in *inbox) rerun(ctx context.Context, tx pg.Tx, d Delivery) (Outcome, error) {
	before, err := in.store.ReviewIn(ctx, tx, d.Decision.ReviewID)
	if errors.Is(err, store.ErrNotFound) || err == nil && before.RepositoryID != d.Decision.Repository.ID {
		reason := string(intake.NotOurCheck)
		return Outcome{Status: StatusIgnored, Reason: reason}, in.store.SettleDelivery(ctx, tx, d.GUID, reason, "", 0)
	}
	if err != nil {
		return Outcome{}, err
	}
	wanted := d.wanted()
	wanted.Number, wanted.Head, wanted.Force = before.Number, before.Head, true
	if wanted.Head == "" {
		wanted.Head = d.Decision.Head
	}
	got, err := in.want(ctx, tx, wanted, false)
	if err != nil {
		return Outcome{}, err
	}
	return in.settle(ctx, tx, d, got)
}

func (in *inbox) close(ctx context.Context, tx pg.Tx, d Delivery) (Outcome, error) {
	closed, err := in.store.ClosePullRequest(ctx, tx, d.wanted())
	if err != nil {
		return Outcome{}, err
	}
	if closed.Stale {
		return Outcome{Status: StatusIgnored, Reason: store.ReasonStale},
			in.store.SettleDelivery(ctx, tx, d.GUID, store.ReasonStale, "", 0)
	}
	return Outcome{Status: StatusAccepted}, in.cancelReviews(ctx, tx, closed.Cancelled)
}

// want asks for a review, gives it a job when it is new, and cancels the jobs of those that it superseded.
func (in *inbox) want(ctx context.Context, tx pg.Tx, w store.Wanted, large bool) (store.Requested, error) {
	got, err := in.store.RequestReview(ctx, tx, w)
	if err != nil {
		return store.Requested{}, err
	}
	if err := in.cancelReviews(ctx, tx, got.Superseded); err != nil || !got.Created {
		return got, err
	}
	r := &got.Review
	r.JobID, err = in.jobs.Review(ctx, tx, queue.ReviewArgs{
		ReviewID: r.ID, InstallationID: r.InstallationID, RepositoryID: r.RepositoryID, Repository: r.Repository,
		Number: r.Number, Head: r.Head, Generation: r.Generation,
	}, large)
	if err != nil {
		return store.Requested{}, err
	}
	return got, in.store.SetJob(ctx, tx, r.ID, r.JobID)
}

func (in *inbox) cancelReviews(ctx context.Context, tx pg.Tx, ended []store.Review) error {
	jobs := make([]int64, len(ended))
	for i, r := range ended {
		jobs[i] = r.JobID
	}
	return in.cancelJobs(ctx, tx, jobs)
}

func (in *inbox) cancelJobs(ctx context.Context, tx pg.Tx, jobs []int64) error {
	for _, job := range jobs {
		if job == 0 {
			continue
		}
		if err := in.jobs.Cancel(ctx, tx, job); err != nil {
			return err
		}
	}
	return nil
}

// keepBooks follows what GitHub says of installations and repositories.
func (in *inbox) keepBooks(ctx context.Context, tx pg.Tx, d intake.Decision) error {
	switch d.Kind {
	case intake.Uninstall:
		jobs, err := in.store.DeleteInstallation(ctx, tx, d.InstallationID)
		if err != nil {
			return err
		}
		return in.cancelJobs(ctx, tx, jobs)
	case intake.Suspend, intake.Unsuspend:
		if err := in.store.UpsertInstallation(ctx, tx, d.InstallationID, d.Account); err != nil {
			return err
		}
		return in.store.SuspendInstallation(ctx, tx, d.InstallationID, d.Kind == intake.Suspend)
	default:
	}
	if err := in.store.UpsertInstallation(ctx, tx, d.InstallationID, d.Account); err != nil {
		return err
	}
	for _, r := range d.Added {
		err := in.store.UpsertRepository(ctx, tx, store.Repository{
			ID: r.ID, InstallationID: d.InstallationID, FullName: r.Name, DefaultBranch: r.DefaultBranch,
		})
		if err != nil {
			return err
		}
	}
	gone := make([]review.RepositoryID, len(d.Removed))
	for i, r := range d.Removed {
		gone[i] = r.ID
	}
	jobs, err := in.store.DeleteRepositories(ctx, tx, d.InstallationID, gone)
	if err != nil {
		return err
	}
	return in.cancelJobs(ctx, tx, jobs)
}
