package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/migrations"
)

var update = flag.Bool("update", false, "write golden files that are not there yet")

func reviewArgs() queue.ReviewArgs {
	return queue.ReviewArgs{
		ReviewID: "0b8f7c1e-6a55-4d3b-9f0a-3a1d2c4e5f60", InstallationID: 41, RepositoryID: 42, Repository: "octo/hello",
		Number: 7, Head: "0123456789abcdef0123456789abcdef01234567", Generation: 2,
	}
}

func indexArgs(repository review.RepositoryID, head string) queue.IndexArgs {
	return queue.IndexArgs{InstallationID: 41, RepositoryID: repository, Repository: "octo/hello", Head: head}
}

// TestArgsAreAWireFormat reads every golden file of every version into today's arguments. A new field gets a new file;
// the old ones stay, for the jobs that are in somebody's table.
func TestArgsAreAWireFormat(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]river.JobArgs{
		"review_pull_request.v1.json": reviewArgs(),
		"index_repository.v1.json":    indexArgs(42, "0123456789abcdef0123456789abcdef01234567"),
		"redeliver_missed.v1.json":    queue.RedeliverArgs{},
		"sync_installation.v1.json":   queue.SyncArgs{InstallationID: 41},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", name)
			encoded, err := json.MarshalIndent(args, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(path); *update && err != nil {
				if err := os.WriteFile(path, append(encoded, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(golden) != string(encoded)+"\n" {
				t.Errorf("%s is written as\n%s\nwant\n%s", args.Kind(), encoded, golden)
			}
			decoded := reflect.New(reflect.TypeOf(args))
			if err := json.Unmarshal(golden, decoded.Interface()); err != nil {
				t.Fatal(err)
			}
			if got := decoded.Elem().Interface(); got != args {
				t.Errorf("read as %+v, want %+v", got, args)
			}
		})
	}
}

func inserter(t *testing.T) (*pg.DB, *queue.Inserter) {
	t.Helper()
	db := pgtest.New(t)
	i, err := queue.NewInserter(db)
	if err != nil {
		t.Fatal(err)
	}
	return db, i
}

func inTx(t *testing.T, db *pg.DB, fn func(ctx context.Context, tx pg.Tx) error) {
	t.Helper()
	if err := pg.InTx(t.Context(), db, fn); err != nil {
		t.Fatal(err)
	}
}

func TestReviewJob(t *testing.T) {
	t.Parallel()
	db, inserter := inserter(t)
	for large, want := range map[bool]string{false: "fast", true: "slow"} {
		var id int64
		inTx(t, db, func(ctx context.Context, tx pg.Tx) (err error) {
			id, err = inserter.Review(ctx, tx, reviewArgs(), large)
			return err
		})
		var kind, queueName, state, args string
		var attempts, priority int
		err := db.Pool().QueryRow(t.Context(), `SELECT kind, queue, state, max_attempts, priority, args::text FROM river_job WHERE id = $1`, id).
			Scan(&kind, &queueName, &state, &attempts, &priority, &args)
		if err != nil {
			t.Fatal(err)
		}
		if kind != "review_pull_request" || queueName != want || state != "available" || attempts != queue.ReviewMaxAttempts || priority != 2 {
			t.Errorf("job is %s in %s, %s, %d attempts, priority %d", kind, queueName, state, attempts, priority)
		}
		var got queue.ReviewArgs
		if err := json.Unmarshal([]byte(args), &got); err != nil || got != reviewArgs() {
			t.Errorf("arguments %s (%v)", args, err)
		}
	}
	// The transaction decides: no commit, no job.
	boom := errors.New("boom")
	err := pg.InTx(t.Context(), db, func(ctx context.Context, tx pg.Tx) error {
		if _, err := inserter.Review(ctx, tx, reviewArgs(), false); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) || count(t, db) != 2 {
		t.Errorf("%v, %d jobs, want 2", err, count(t, db))
	}
}

func count(t *testing.T, db *pg.DB) (n int) {
	t.Helper()
	if err := db.Pool().QueryRow(t.Context(), `SELECT count(*) FROM river_job`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOneIndexJobWaits(t *testing.T) {
	t.Parallel()
	db, inserter := inserter(t)
	index := func(args queue.IndexArgs) (id int64) {
		inTx(t, db, func(ctx context.Context, tx pg.Tx) (err error) {
			id, err = inserter.Index(ctx, tx, args)
			return err
		})
		return id
	}
	var group sync.WaitGroup
	ids := make([]int64, 8)
	for i := range ids {
		group.Go(func() {
			err := pg.InTx(t.Context(), db, func(ctx context.Context, tx pg.Tx) (err error) {
				ids[i], err = inserter.Index(ctx, tx, indexArgs(42, fmt.Sprint("head", i)))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("jobs %v, want one", ids)
		}
	}
	if got := index(indexArgs(42, "newest")); got != ids[0] {
		t.Errorf("a second job waits")
	}
	var head string
	if err := db.Pool().QueryRow(t.Context(), `SELECT args->>'head' FROM river_job WHERE id = $1`, ids[0]).Scan(&head); err != nil || head != "newest" {
		t.Errorf("the waiting job has head %q (%v)", head, err)
	}
	if other := index(indexArgs(43, "x")); other == ids[0] {
		t.Error("another repository's job was taken")
	}
	// A review of the same repository is another kind.
	inTx(t, db, func(ctx context.Context, tx pg.Tx) error {
		_, err := inserter.Review(ctx, tx, reviewArgs(), false)
		return err
	})
	if _, err := db.Pool().Exec(t.Context(), `UPDATE river_job SET state = 'running' WHERE id = $1`, ids[0]); err != nil {
		t.Fatal(err)
	}
	next := index(indexArgs(42, "next"))
	if next == ids[0] {
		t.Error("a running job was changed: its worker may have read the old revision already")
	}
	if again := index(indexArgs(42, "after")); again != next {
		t.Error("two jobs wait behind a running one")
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	db, inserter := inserter(t)
	var id int64
	inTx(t, db, func(ctx context.Context, tx pg.Tx) (err error) {
		id, err = inserter.Review(ctx, tx, reviewArgs(), false)
		return err
	})
	for range 2 {
		inTx(t, db, func(ctx context.Context, tx pg.Tx) error { return inserter.Cancel(ctx, tx, id) })
	}
	var state string
	if err := db.Pool().QueryRow(t.Context(), `SELECT state FROM river_job WHERE id = $1`, id).Scan(&state); err != nil || state != "cancelled" {
		t.Errorf("the job is %s (%v)", state, err)
	}
	inTx(t, db, func(ctx context.Context, tx pg.Tx) error { return inserter.Cancel(ctx, tx, id+1000) })
}

type reviewWorker struct {
	river.WorkerDefaults[queue.ReviewArgs]
	begun chan queue.ReviewArgs
	ended chan error
}

func (w *reviewWorker) Work(ctx context.Context, job *river.Job[queue.ReviewArgs]) error {
	w.begun <- job.Args
	<-ctx.Done()
	w.ended <- context.Cause(ctx)
	return ctx.Err()
}

// TestCancelReachesARunningJob works a job and cancels it from the inserting side.
func TestCancelReachesARunningJob(t *testing.T) {
	t.Parallel()
	db, inserter := inserter(t)
	config := &river.Config{Logger: slog.New(slog.DiscardHandler)}
	worker := &reviewWorker{begun: make(chan queue.ReviewArgs, 1), ended: make(chan error, 1)}
	config.Workers = river.NewWorkers()
	river.AddWorker(config.Workers, worker)
	config.Queues = map[string]river.QueueConfig{queue.Fast: {MaxWorkers: 1}}
	config.TestOnly = true
	client, err := river.NewClient[pgx.Tx](riverpgxv5.New(db.Pool()), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = client.StopAndCancel(ctx)
	})
	var id int64
	inTx(t, db, func(ctx context.Context, tx pg.Tx) (err error) {
		id, err = inserter.Review(ctx, tx, reviewArgs(), false)
		return err
	})
	limit := time.After(30 * time.Second)
	select {
	case got := <-worker.begun:
		if got != reviewArgs() {
			t.Errorf("worked %+v", got)
		}
	case <-limit:
		t.Fatal("the job was not worked")
	}
	inTx(t, db, func(ctx context.Context, tx pg.Tx) error { return inserter.Cancel(ctx, tx, id) })
	select {
	case err := <-worker.ended:
		if !errors.Is(err, rivertype.ErrJobCancelledRemotely) {
			t.Errorf("the cause is %v", err)
		}
	case <-limit:
		t.Fatal("the running job was not cancelled")
	}
}

func TestMigrateTwiceAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.NewURL(t)
	db := pgtest.Open(t, url)
	if _, err := db.Pool().Exec(t.Context(), `DROP SCHEMA public CASCADE; CREATE SCHEMA public`); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		other := pgtest.Open(t, url)
		group.Go(func() {
			if err := errors.Join(queue.Migrate(t.Context(), other), pg.Migrate(t.Context(), other, migrations.Files)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := count(t, db); got != 0 {
		t.Errorf("%d jobs", got)
	}
}

// TestOurRowsAreRivers: what Reviews writes is what River's own insert writes, and tells workers in the same words.
func TestOurRowsAreRivers(t *testing.T) {
	t.Parallel()
	db, inserter := inserter(t)
	client, err := river.NewClient(riverpgxv5.New(db.Pool()), &river.Config{})
	if err != nil {
		t.Fatal(err)
	}
	told := listen(t, db)
	var ours int64
	inTx(t, db, func(ctx context.Context, tx pg.Tx) (err error) {
		ours, err = inserter.Review(ctx, tx, reviewArgs(), true)
		return err
	})
	ourWords := told()
	var rivers *rivertype.JobInsertResult
	inTx(t, db, func(ctx context.Context, tx pg.Tx) (err error) {
		rivers, err = client.InsertTx(ctx, tx, reviewArgs(), &river.InsertOpts{Queue: queue.Slow, MaxAttempts: queue.ReviewMaxAttempts, Priority: 2})
		return err
	})
	if rivers := told(); ourWords != strings.ReplaceAll(rivers, `: "`, `:"`) {
		t.Errorf("notified %s, River notifies %s", ourWords, rivers)
	}
	row := func(id int64) (text string) {
		err := db.Pool().QueryRow(t.Context(), `SELECT (to_jsonb(j) - ARRAY['id', 'created_at', 'scheduled_at'])::text FROM river_job j
			WHERE id = $1 AND created_at BETWEEN now() - interval '1 minute' AND now() AND scheduled_at = created_at`, id).Scan(&text)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if a, b := row(ours), row(rivers.Job.ID); a != b {
		t.Errorf("we write\n%s\nRiver writes\n%s", a, b)
	}
}

func TestManyReviewJobs(t *testing.T) {
	t.Parallel()
	db, inserter := inserter(t)
	jobs := make([]queue.ReviewJob, 50)
	for i := range jobs {
		jobs[i].Args = reviewArgs()
		jobs[i].Args.ReviewID = review.ID(fmt.Sprintf("0191c1a4-0000-7000-8000-%012d", i))
		jobs[i].Large = i%3 == 0
	}
	inTx(t, db, func(ctx context.Context, tx pg.Tx) (err error) {
		reserve, insert := &pg.Batch{}, &pg.Batch{}
		ids := inserter.Reserve(reserve, len(jobs)+5)
		if err := tx.SendBatch(ctx, reserve).Close(); err != nil {
			return err
		}
		for i := range jobs {
			jobs[i].ID = (*ids)[i]
		}
		queues, err := inserter.Reviews(insert, jobs)
		if slices.Sort(queues); err != nil || !slices.Equal(queues, []string{queue.Fast, queue.Slow}) {
			t.Errorf("queues %v (%v)", queues, err)
		}
		return tx.SendBatch(ctx, insert).Close()
	})
	if n := count(t, db); n != len(jobs) {
		t.Errorf("%d jobs, want %d", n, len(jobs))
	}
	for i := range jobs {
		id := jobs[i].ID
		var of, in string
		if err := db.Pool().QueryRow(t.Context(), `SELECT args->>'review_id', queue FROM river_job WHERE id = $1`, id).Scan(&of, &in); err != nil {
			t.Fatal(err)
		}
		if of != string(jobs[i].Args.ReviewID) || (in == queue.Slow) != jobs[i].Large {
			t.Errorf("job %d is of %s in %s", i, of, in)
		}
	}
}

// TestUpkeepIsUniqueWhileItHasNotEnded: one job of an installation at a time, and another one once it has ended.
func TestUpkeepIsUniqueWhileItHasNotEnded(t *testing.T) {
	t.Parallel()
	db, inserter := inserter(t)
	sync := func(id review.InstallationID) {
		inTx(t, db, func(ctx context.Context, tx pg.Tx) error {
			return inserter.Sync(ctx, tx, queue.SyncArgs{InstallationID: id}, time.Now().Add(time.Minute))
		})
	}
	for range 3 {
		sync(7)
		sync(8)
	}
	if got := count(t, db); got != 2 {
		t.Errorf("%d jobs of two installations", got)
	}
	if _, err := db.Pool().Exec(t.Context(), `UPDATE river_job SET state = 'completed', finalized_at = now() WHERE args->>'installation_id' = '7'`); err != nil {
		t.Fatal(err)
	}
	sync(7)
	sync(8)
	if got := count(t, db); got != 3 {
		t.Errorf("%d jobs after one has ended", got)
	}
}
