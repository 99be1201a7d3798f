package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

const (
	sweepPage = 100
	// orphanPage is how many of the newest reviews are looked at for a job that is gone.
	orphanPage = 500
	// sweepBack is how far the first sweep of a process looks back: River deletes cancelled jobs after a day.
	sweepBack = 24 * time.Hour
	// sweepOverlap is how far each later one looks back beyond the one before.
	sweepOverlap = 5 * time.Minute
)

// endedJobs lists jobs.
type endedJobs interface {
	JobList(ctx context.Context, params *river.JobListParams) (*river.JobListResult, error)
}

// sweeper ends the reviews whose job has ended without them: the worker was killed in its last attempt, or somebody
// cancelled or deleted the job in River UI. It also closes check runs of reviews that were cancelled while no worker
// had them, and looks once more at what was posted. Every orchestrator sweeps; doing it twice is fine.
type sweeper struct {
	*Orchestrator
	jobs endedJobs
	last time.Time
}

// run sweeps until ctx ends.
func (s *sweeper) run(ctx context.Context) error {
	timer := time.NewTimer(jitter(s.cfg.SweepEvery / 4))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		for _, sweep := range []func(context.Context) error{s.ended, s.orphans, s.verify} {
			if err := sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "sweep failed", telemetry.KeyError, err)
			}
		}
		timer.Reset(jitter(s.cfg.SweepEvery))
	}
}

// ended looks at every job that ended badly since the last sweep, newest first.
func (s *sweeper) ended(ctx context.Context) error {
	began := time.Now()
	since := s.last.Add(-sweepOverlap)
	if s.last.IsZero() {
		since = began.Add(-sweepBack)
	}
	params := river.NewJobListParams().Kinds(queue.KindReview).First(sweepPage).
		States(rivertype.JobStateCancelled, rivertype.JobStateDiscarded).
		OrderBy(river.JobListOrderByFinalizedAt, river.SortOrderDesc)
	for {
		page, err := s.jobs.JobList(ctx, params)
		if err != nil {
			return fmt.Errorf("list ended jobs: %w", err)
		}
		for _, job := range page.Jobs {
			if job.FinalizedAt != nil && job.FinalizedAt.Before(since) {
				s.last = began
				return nil
			}
			if err := s.job(ctx, job); err != nil {
				return err
			}
		}
		if len(page.Jobs) < sweepPage || page.LastCursor == nil {
			s.last = began
			return nil
		}
		params = params.After(page.LastCursor)
	}
}

// job makes the review of an ended job end.
func (s *sweeper) job(ctx context.Context, job *rivertype.JobRow) error {
	var args queue.ReviewArgs
	if err := json.Unmarshal(job.EncodedArgs, &args); err != nil || args.ReviewID == "" {
		return nil // not one that we could have written
	}
	row, err := s.store.Review(ctx, args.ReviewID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case row.JobID != 0 && row.JobID != job.ID:
		return nil // the review has another job by now
	case !row.State.Terminal() && job.State == rivertype.JobStateCancelled:
		return s.conclude(ctx, row, ending{state: review.Cancelled, reason: reasonJobCancelled})
	case !row.State.Terminal():
		return s.conclude(ctx, row, ending{state: review.Failed, reason: reasonWorkersDied})
	case row.State == review.Superseded || row.State == review.Cancelled:
		s.closeSuperseded(ctx, row)
	}
	return nil
}

// orphans looks at the newest reviews that have not ended and ends those whose job is gone.
func (s *sweeper) orphans(ctx context.Context) error {
	rows, _, err := s.store.Reviews(ctx, store.Filter{}, store.Page{Size: orphanPage})
	if err != nil {
		return err
	}
	live := map[int64]store.Review{}
	var ids []int64
	for _, row := range rows {
		if !row.State.Terminal() && row.JobID != 0 {
			live[row.JobID] = row
			ids = append(ids, row.JobID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := s.jobs.JobList(ctx, river.NewJobListParams().IDs(ids...).First(len(ids)))
	if err != nil {
		return fmt.Errorf("list jobs of reviews: %w", err)
	}
	for _, job := range found.Jobs {
		delete(live, job.ID)
	}
	for _, row := range live {
		// The job may have ended well, and been deleted, after the row was read.
		now, err := s.store.Review(ctx, row.ID)
		if err != nil || now.State.Terminal() || now.JobID != row.JobID {
			continue
		}
		if err := s.conclude(ctx, now, ending{state: review.Failed, reason: reasonJobGone}); err != nil {
			return err
		}
	}
	return nil
}
