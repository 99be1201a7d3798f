package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

// UpkeepMaxAttempts is how often a periodic job is tried; the next one follows anyway.
const UpkeepMaxAttempts = 5

// RedeliverArgs ask to look for deliveries that GitHub sent and we never got.
type RedeliverArgs struct{}

// Kind names the job to River.
func (RedeliverArgs) Kind() string { return KindRedeliver }

// InsertOpts keeps one job of the kind at a time.
func (RedeliverArgs) InsertOpts() river.InsertOpts { return upkeep() }

// SyncArgs ask for a sweep of an installation's open pull requests.
type SyncArgs struct {
	// InstallationID is whose; 0 asks for a job for each installation that is due.
	InstallationID review.InstallationID `json:"installation_id" river:"unique"`
}

// Kind names the job to River.
func (SyncArgs) Kind() string { return KindSync }

// InsertOpts keeps one job of each installation at a time.
func (SyncArgs) InsertOpts() river.InsertOpts {
	o := upkeep()
	o.UniqueOpts.ByArgs = true
	return o
}

// upkeep makes a job unique while it has not ended. Once it has, the next may come: what was done is in our tables.
func upkeep() river.InsertOpts {
	return river.InsertOpts{Queue: Upkeep, MaxAttempts: UpkeepMaxAttempts, Priority: priority, UniqueOpts: river.UniqueOpts{
		ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable,
			rivertype.JobStateScheduled,
		},
	}}
}

// Sync inserts the sweep of an installation, to begin at a time, unless one has not ended.
func (i *Inserter) Sync(ctx context.Context, tx pg.Tx, args SyncArgs, at time.Time) error {
	if _, err := i.client.InsertTx(ctx, tx, args, &river.InsertOpts{ScheduledAt: at}); err != nil {
		return fmt.Errorf("insert sweep of installation %d: %w", args.InstallationID, err)
	}
	return nil
}
