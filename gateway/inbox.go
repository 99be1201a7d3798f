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

// inbox owns the transactions of deliveries. The pipeline decides which share one; apply is what they do in it.
type inbox struct {
	db        *pg.DB
	store     *store.Store
	jobs      *queue.Inserter
	waker     *queue.Waker
	failpoint func(name string)
}

// commit carries out deliveries, in their order, in one transaction, and calls written when only the last message to
// Postgres is left: what is written, and the commit.
func (in *inbox) commit(ctx context.Context, ds []Delivery, written func()) (outcomes []Outcome, err error) {
	var queues []string
	err = pg.InPipedTx(ctx, in.db, func(ctx context.Context, tx pg.Tx) (last *pg.Batch, err error) {
		in.failpoint("tx_open")
		last = &pg.Batch{}
		outcomes, queues, err = in.apply(ctx, tx, ds, last)
		if err == nil {
			in.failpoint("inserted")
			written()
		}
		return last, err
	})
	if err != nil {
		return nil, err
	}
	in.failpoint("committed")
	in.waker.Wake(queues)
	return outcomes, nil
}

// apply does what follows from deliveries, within the transaction: those about pull requests together, the rare ones
// about installations and repositories one by one in their place among them. What is written last is left in last. The
// workers of queues are to be woken after the commit.
func (in *inbox) apply(ctx context.Context, tx pg.Tx, ds []Delivery, last *pg.Batch) (outcomes []Outcome, queues []string, err error) {
	outcomes = make([]Outcome, 0, len(ds))
	for len(ds) > 0 {
		n := 0
		for n < len(ds) && !ds[n].isBookkeeping() {
			n++
		}
		if n == 0 {
			n = 1
		}
		to := last
		if n < len(ds) {
			to = &pg.Batch{}
		}
		some, with, err := in.together(ctx, tx, ds[:n], to)
		if err == nil && to != last { // what comes after has to see it
			err = tx.SendBatch(ctx, to).Close()
		}
		if err != nil {
			return nil, nil, err
		}
		outcomes, queues, ds = append(outcomes, some...), append(queues, with...), ds[n:]
	}
	return outcomes, queues, nil
}

// isBookkeeping says whether it is about an installation or its repositories.
func (d Delivery) isBookkeeping() bool {
	switch d.Decision.Kind {
	case intake.Install, intake.Uninstall, intake.Suspend, intake.Unsuspend, intake.Repositories:
		return true
	default:
		return false
	}
}

// together carries out deliveries of which at most the only one is bookkeeping. What they write is left in to.
func (in *inbox) together(ctx context.Context, tx pg.Tx, ds []Delivery, to *pg.Batch) (outcomes []Outcome, queues []string, err error) {
	items := make([]store.Item, len(ds))
	for i, d := range ds {
		if items[i], err = in.item(ctx, tx, d); err != nil {
			return nil, nil, err
		}
	}
	results, queues, err := in.carryOut(ctx, tx, items, func(item int) bool { return ds[item].Decision.Large }, to)
	if err != nil {
		return nil, nil, err
	}
	outcomes = make([]Outcome, len(ds))
	for i, r := range results {
		if ds[i].isBookkeeping() && !r.Duplicate {
			if err := in.keepBooks(ctx, tx, ds[i].Decision); err != nil {
				return nil, nil, err
			}
		}
		outcomes[i] = outcome(items[i], r)
	}
	return outcomes, queues, nil
}

// item says what a delivery records and wants.
func (in *inbox) item(ctx context.Context, tx pg.Tx, d Delivery) (store.Item, error) {
	item := store.Item{Delivery: store.Delivery{
		GUID: d.GUID, Meaning: d.Decision.Meaning, Event: d.Event, Action: d.Decision.Action,
		InstallationID: d.Decision.InstallationID, RepositoryID: d.Decision.Repository.ID, Number: d.Decision.Number,
		Head: d.Decision.Head, Decision: string(d.Decision.Kind), Reason: string(d.Decision.Reason),
	}}
	switch d.Decision.Kind {
	case intake.Review, intake.Close:
		item.Wants = d.wanted()
		item.Wants.Close = d.Decision.Kind == intake.Close
	case intake.Rerun:
		return in.rerun(ctx, tx, d, item)
	case intake.Ping, intake.Ignore, intake.Install, intake.Uninstall, intake.Suspend, intake.Unsuspend, intake.Repositories:
	default:
		return store.Item{}, fmt.Errorf("no rule for the decision %q", d.Decision.Kind)
	}
	return item, nil
}

func (d Delivery) wanted() *store.Wanted {
	return &store.Wanted{
		InstallationID: d.Decision.InstallationID, RepositoryID: d.Decision.Repository.ID,
		Repository: d.Decision.Repository.Name, DefaultBranch: d.Decision.Repository.DefaultBranch,
		Number: d.Decision.Number, Head: d.Decision.Head, Before: d.Decision.Before,
		Action: d.Decision.Action, EventAt: d.Decision.EventAt, Force: d.Decision.Force,
	}
}

// rerun wants the head of one of our check runs reviewed again, or of a suite of them.
func (in *inbox) rerun(ctx context.Context, tx pg.Tx, d Delivery, item store.Item) (store.Item, error) {
	var before store.Review
	var err error
	if d.Decision.ReviewID != "" {
		before, err = in.store.ReviewIn(ctx, tx, d.Decision.ReviewID)
	} else {
		before, err = in.store.LastOf(ctx, tx, d.Decision.Repository.ID, d.Decision.Head)
	}
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && before.RepositoryID != d.Decision.Repository.ID:
		item.Delivery.Reason = string(intake.NotOurCheck)
		return item, nil
	case err != nil:
		return store.Item{}, err
	}
	wanted := d.wanted()
	wanted.Number, wanted.Head, wanted.Force = before.Number, before.Head, true
	if wanted.Head == "" {
		wanted.Head = d.Decision.Head
	}
	item.Wants = wanted
	return item, nil
}

// outcome says what the sender is told.
func outcome(item store.Item, r store.Result) Outcome {
	switch {
	case r.SameMeaning:
		return Outcome{Status: StatusDuplicate, Reason: reasonSameMeaning, ReviewID: r.ReviewID}
	case r.Duplicate:
		return Outcome{Status: StatusDuplicate, Reason: reasonSameDelivery, ReviewID: r.ReviewID}
	case item.Delivery.Decision == string(intake.Ping):
		return Outcome{Status: StatusPing}
	case item.Wants == nil && item.Delivery.Reason != "":
		return Outcome{Status: StatusIgnored, Reason: item.Delivery.Reason}
	case r.Reason != "":
		return Outcome{Status: StatusIgnored, Reason: r.Reason, ReviewID: r.Review.ID}
	}
	return Outcome{Status: StatusAccepted, ReviewID: r.Review.ID}
}

// carryOut decides on items, gives the reviews that are new their jobs, cancels the jobs of those that ended, and asks
// in to for what is to be written. large says whether the pull request of an item is. The workers of queues are to be
// woken after the commit.
func (in *inbox) carryOut(ctx context.Context, tx pg.Tx, items []store.Item, large func(item int) bool, to *pg.Batch) (_ []store.Result, queues []string, err error) {
	reading := &pg.Batch{}
	wishes := 0
	for _, it := range items {
		if it.Wants != nil && !it.Wants.Close {
			wishes++
		}
	}
	ids := &[]int64{}
	if wishes > 0 {
		ids = in.jobs.Reserve(reading, wishes)
	}
	batch, err := in.store.Decide(ctx, tx, items, reading)
	if err != nil {
		return nil, nil, err
	}
	if err := in.cancelReviews(ctx, tx, batch.Ended()); err != nil {
		return nil, nil, err
	}
	made, by := batch.New()
	jobs := make([]queue.ReviewJob, len(made))
	for i, r := range made {
		r.JobID = (*ids)[i]
		jobs[i] = queue.ReviewJob{ID: r.JobID, Large: large(by[i]), Args: queue.ReviewArgs{
			ReviewID: r.ID, InstallationID: r.InstallationID, RepositoryID: r.RepositoryID, Repository: r.Repository,
			Number: r.Number, Head: r.Head, Generation: r.Generation,
		}}
	}
	if queues, err = in.jobs.Reviews(to, jobs); err != nil {
		return nil, nil, err
	}
	batch.Write(to)
	return batch.Results(), queues, nil
}

// want asks for a review on behalf of a person.
func (in *inbox) want(ctx context.Context, w store.Wanted) (got store.Requested, err error) {
	var queues []string
	err = pg.InPipedTx(ctx, in.db, func(ctx context.Context, tx pg.Tx) (*pg.Batch, error) {
		last := &pg.Batch{}
		results, with, err := in.carryOut(ctx, tx, []store.Item{{Wants: &w}}, func(int) bool { return false }, last)
		if err != nil {
			return nil, err
		}
		got, queues = results[0].Requested, with
		return last, nil
	})
	if err != nil {
		return store.Requested{}, err
	}
	in.waker.Wake(queues)
	return got, nil
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
