package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
)

// insertTopic is where River's workers listen for new jobs, after the schema's name and a dot.
const insertTopic = "river_insert"

// ReviewJob is the job of one review.
type ReviewJob struct {
	// ID was reserved for it.
	ID   int64
	Args ReviewArgs
	// Large puts it into the slow queue.
	Large bool
}

// Reserve asks for the ids of so many jobs; they are there once the batch was carried out, and those that are not used
// are gaps.
func (i *Inserter) Reserve(to *pg.Batch, n int) *[]int64 {
	ids := new([]int64)
	to.Queue(`SELECT nextval('river_job_id_seq') FROM generate_series(1, $1)`, n).Query(func(rows pgx.Rows) (err error) {
		*ids, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	})
	return ids
}

// Reviews inserts the jobs of reviews, which exist when the transaction commits, under ids that were reserved for them.
// However many they are, it is one statement. Its queues are to be told to a Waker after the commit.
//
// The rows are those that River's InsertManyTx writes (a test compares them), without what it does besides: it reads
// every column of every row back and decodes it, which costs Postgres and us more than the insert. Its COPY takes no ids.
func (i *Inserter) Reviews(to *pg.Batch, jobs []ReviewJob) (queues []string, err error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	ids, args, in := make([]int64, len(jobs)), make([]string, len(jobs)), make([]string, len(jobs))
	for n, job := range jobs {
		encoded, err := json.Marshal(job.Args)
		if err != nil {
			return nil, fmt.Errorf("insert review jobs: %w", err)
		}
		ids[n], args[n], in[n] = job.ID, string(encoded), Fast
		if job.Large {
			in[n] = Slow
		}
		if !slices.Contains(queues, in[n]) {
			queues = append(queues, in[n])
		}
	}
	to.Queue(`INSERT INTO river_job (id, args, kind, max_attempts, priority, queue)
		SELECT u.id, u.args::jsonb, $4, $5, $6, u.queue FROM unnest($1::bigint[], $2::text[], $3::text[]) AS u(id, args, queue)`,
		ids, args, in, KindReview, ReviewMaxAttempts, priority)
	return queues, nil
}

// Review inserts the job of one review, and its workers are told of it by the commit.
func (i *Inserter) Review(ctx context.Context, tx pg.Tx, args ReviewArgs, large bool) (jobID int64, err error) {
	reserve, insert := &pg.Batch{}, &pg.Batch{}
	ids := i.Reserve(reserve, 1)
	if err := tx.SendBatch(ctx, reserve).Close(); err != nil {
		return 0, fmt.Errorf("insert review job: %w", err)
	}
	jobID = (*ids)[0]
	queues, err := i.Reviews(insert, []ReviewJob{{ID: jobID, Args: args, Large: large}})
	if err != nil {
		return 0, err
	}
	for _, queue := range queues {
		insert.Queue(`SELECT pg_notify(current_schema() || '.' || $1, $2)`, insertTopic, insertPayload(queue))
	}
	if err := tx.SendBatch(ctx, insert).Close(); err != nil {
		return 0, fmt.Errorf("insert review job: %w", err)
	}
	return jobID, nil
}
