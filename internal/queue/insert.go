package queue

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

// insertTopic is where River's workers listen for new jobs, after the schema's name and a dot.
const insertTopic = "river_insert"

// ReviewJob is the job of one review.
type ReviewJob struct {
	Args ReviewArgs
	// Large puts it into the slow queue.
	Large bool
}

// Reviews inserts the jobs of reviews, which exist when the transaction commits, and gives their ids in the order of
// the jobs. However many they are, it is one round trip and one notification a queue.
//
// The rows are those that River's InsertManyTx writes (a test compares them), without what it does besides: it reads
// every column of every row back and decodes it, which costs Postgres and us more than the insert. Its COPY does not
// tell the ids.
func (i *Inserter) Reviews(ctx context.Context, tx pg.Tx, jobs []ReviewJob) ([]int64, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	args, queues := make([]string, len(jobs)), make([]string, len(jobs))
	waking := map[string]struct{}{}
	place := make(map[review.ID]int, len(jobs))
	for n, job := range jobs {
		encoded, err := json.Marshal(job.Args)
		if err != nil {
			return nil, fmt.Errorf("insert review jobs: %w", err)
		}
		args[n], queues[n] = string(encoded), Fast
		if job.Large {
			queues[n] = Slow
		}
		waking[queues[n]] = struct{}{}
		place[job.Args.ReviewID] = n
	}
	ids := make([]int64, len(jobs))
	to := &pgx.Batch{}
	to.Queue(`INSERT INTO river_job (args, kind, max_attempts, priority, queue)
		SELECT u.args::jsonb, $3, $4, $5, u.queue FROM unnest($1::text[], $2::text[]) AS u(args, queue)
		RETURNING id, args->>'review_id'`, args, queues, KindReview, ReviewMaxAttempts, priority).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var id int64
			var of review.ID
			if err := rows.Scan(&id, &of); err != nil {
				return err
			}
			ids[place[of]] = id
		}
		return rows.Err()
	})
	for queue := range waking {
		payload, err := json.Marshal(map[string]string{"queue": queue})
		if err != nil {
			return nil, fmt.Errorf("insert review jobs: %w", err)
		}
		to.Queue(`SELECT pg_notify(current_schema() || '.' || $1, $2)`, insertTopic, string(payload))
	}
	if err := tx.SendBatch(ctx, to).Close(); err != nil {
		return nil, fmt.Errorf("insert review jobs: %w", err)
	}
	return ids, nil
}

// Review is Reviews for one.
func (i *Inserter) Review(ctx context.Context, tx pg.Tx, args ReviewArgs, large bool) (jobID int64, err error) {
	ids, err := i.Reviews(ctx, tx, []ReviewJob{{Args: args, Large: large}})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}
