package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/openrabbit/openrabbit/internal/pg"
)

// How often a job is tried. With the orchestrator's pauses, from two seconds doubled to four minutes, the attempts of a
// review span about twenty minutes, those of an index about one. A snooze is not an attempt.
const (
	ReviewMaxAttempts = 12
	IndexMaxAttempts  = 6
)

// Priorities within a queue: a smaller number goes first.
const priority = 2

// migrationLock keeps two processes from migrating River's tables at the same time, which its migrator would not.
const migrationLock = "openrabbit river migrations"

// Inserter puts jobs into the table and cancels them. It works none. It may be used from several goroutines.
type Inserter struct {
	client *river.Client[pgx.Tx]
}

// NewInserter gives an inserter for this database.
func NewInserter(db *pg.DB) (*Inserter, error) {
	client, err := river.NewClient(riverpgxv5.New(db.Pool()), &river.Config{})
	if err != nil {
		return nil, fmt.Errorf("make job inserter: %w", err)
	}
	return &Inserter{client: client}, nil
}

// Index asks for the index of a repository. At most one job of a repository waits: when one does, it is given these
// arguments, so that it indexes the newest revision, and its id is returned. A job that already runs is left alone, and
// the new one waits behind it or is snoozed by its worker. Call it last in a transaction: it takes the repository's lock.
func (i *Inserter) Index(ctx context.Context, tx pg.Tx, args IndexArgs) (jobID int64, err error) {
	fail := func(err error) (int64, error) { return 0, fmt.Errorf("insert index job: %w", err) }
	if err := pg.LockTx(ctx, tx, fmt.Sprintf("openrabbit index job %d", args.RepositoryID)); err != nil {
		return fail(err)
	}
	encoded, err := json.Marshal(args)
	if err != nil {
		return fail(err)
	}
	same, err := json.Marshal(map[string]any{"repository_id": args.RepositoryID})
	if err != nil {
		return fail(err)
	}
	err = tx.QueryRow(ctx, `UPDATE river_job SET args = $1::jsonb WHERE id = (
			SELECT id FROM river_job
			WHERE kind = $2 AND args @> $3::jsonb AND state IN ('available', 'pending', 'scheduled', 'retryable')
			ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING id`, string(encoded), args.Kind(), string(same)).Scan(&jobID)
	if err == nil {
		return jobID, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return fail(err)
	}
	result, err := i.client.InsertTx(ctx, tx, args, &river.InsertOpts{Queue: Index, MaxAttempts: IndexMaxAttempts, Priority: priority})
	if err != nil {
		return fail(err)
	}
	return result.Job.ID, nil
}

// Cancel cancels a job: one that waits will not run, one that runs has its context cancelled when the transaction
// commits. A job that has ended, or was deleted since, is fine.
func (i *Inserter) Cancel(ctx context.Context, tx pg.Tx, jobID int64) error {
	if _, err := i.client.JobCancelTx(ctx, tx, jobID); err != nil && !errors.Is(err, rivertype.ErrNotFound) {
		return fmt.Errorf("cancel job %d: %w", jobID, err)
	}
	return nil
}

// Migrate brings River's tables to the version of the library. Several processes may call it at the same time, and
// again. The role needs to own the database, or to be allowed to create in its schema.
func Migrate(ctx context.Context, db *pg.DB) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(db.Pool()), nil)
	if err != nil {
		return fmt.Errorf("make job migrator: %w", err)
	}
	// River's steps cannot share one transaction, so the lock is a session's.
	session, err := pg.Session(ctx, db)
	if err != nil {
		return fmt.Errorf("migrate job tables: %w", err)
	}
	defer session.Close()
	if err := session.Lock(ctx, migrationLock); err != nil {
		return fmt.Errorf("migrate job tables: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate job tables: %w", err)
	}
	if _, err := db.Pool().Exec(ctx, dropInverted); err != nil {
		return fmt.Errorf("drop indexes of the job tables: %w", err)
	}
	return nil
}

// dropInverted drops the two indexes that River makes for those who look for jobs by what is in their arguments and
// metadata. Nobody does here (River itself neither), and they cost a sixth of Postgres' time for a delivery. River makes
// them in its first migration only, and its nightly reindexing leaves out what is not there.
const dropInverted = `DROP INDEX IF EXISTS river_job_args_index, river_job_metadata_index`
