//go:build unix

// Command overhead measures what OpenRabbit adds to other people's latency. It starts the four services as processes on a
// Postgres of its own, between stand-ins that take 200 ms for a call of GitHub's API, 10 to 30 s for a model's answer and
// 100 ms for a search of vectors, and compares the wall clock of a review with the chains of calls that it waited for:
//
//	served  the longest chain of calls, one after the other, as they were served: what the review can't have taken less than
//	needed  the longest chain of what depends on each other: the pull request, then all that is read of it side by side, its
//	        files, vectors, each finder and its own slowest verifier, and what posting was served
//
// With -concurrent it runs so many reviews at once and reports the orchestrator's resident memory for each in flight.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/localpg"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/recall"
	"github.com/openrabbit/openrabbit/internal/torture"
	"github.com/openrabbit/openrabbit/migrations"
)

type options struct {
	files, bin, log string
	concurrent      int
	runs            int
	verbose         bool
	latencies
}

func main() {
	var o options
	flag.StringVar(&o.files, "files", "1,10,50", "sizes of the pull requests, in files")
	flag.IntVar(&o.runs, "runs", 1, "reviews of each size")
	flag.IntVar(&o.concurrent, "concurrent", 0, "instead, so many reviews at once, of pull requests of the first size")
	flag.DurationVar(&o.latencies.github, "github", 200*time.Millisecond, "what a call of GitHub's API takes")
	flag.DurationVar(&o.vector, "vector", 100*time.Millisecond, "what a search of vectors takes")
	flag.DurationVar(&o.embed, "embed", 200*time.Millisecond, "what an embedding takes")
	flag.DurationVar(&o.modelMin, "model-min", 10*time.Second, "the least that an answer of the model takes")
	flag.DurationVar(&o.modelMax, "model-max", 30*time.Second, "the most")
	flag.Uint64Var(&o.seed, "seed", 1, "what chooses between them")
	flag.BoolVar(&o.verbose, "v", false, "print the served chain of each review")
	flag.StringVar(&o.bin, "bin", "", "directory with the services' binaries; empty means to build them")
	flag.StringVar(&o.log, "log", "", "file for what the services write; empty means nowhere")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// firstOfMany is the id of the first repository, and installation, of those that are reviewed at once.
const firstOfMany = 1000

// warmUpFiles is the size of the first pull request, which no figure is of.
const warmUpFiles = 3

// bench is a mesh with its surroundings, ready for pull requests.
type bench struct {
	*standIns
	mesh *mesh
	db   *pg.DB
	// next is the number of the next file that was not changed yet, of all there are.
	next, all int
}

func run(ctx context.Context, o options, out io.Writer) error {
	// Below /tmp: as root, Postgres runs as another user, who must be able to get there.
	dir, err := os.MkdirTemp("/tmp", "openrabbit-overhead-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // Postgres' user must enter it
		return fmt.Errorf("open the directory: %w", err)
	}
	if o.bin == "" {
		o.bin = filepath.Join(dir, "bin")
		fmt.Fprintln(out, "building the services")
		if err := torture.Build(ctx, o.bin); err != nil {
			return err
		}
	}
	server, err := localpg.Start(ctx, localpg.Options{DataDir: filepath.Join(dir, "postgres"), Unsafe: true, Fetch: true})
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop(context.WithoutCancel(ctx)) }() // nothing in it is kept
	db, err := pg.Open(ctx, server.URL(), "overhead", 2)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := pg.Migrate(ctx, db, migrations.Files); err != nil {
		return err
	}
	if err := queue.Migrate(ctx, db); err != nil {
		return err
	}
	sizes, err := parseSizes(o.files)
	if err != nil {
		return err
	}
	all := warmUpFiles
	for _, files := range sizes {
		all += files * o.runs
	}
	s, err := newStandIns(o.latencies, all)
	if err != nil {
		return err
	}
	defer s.close()
	logs := io.Discard
	if o.log != "" {
		file, err := os.Create(o.log)
		if err != nil {
			return fmt.Errorf("make the log: %w", err)
		}
		defer file.Close()
		logs = file
	}
	m, err := startMesh(ctx, o.bin, server.URL(), s, max(8, o.concurrent), logs)
	if err != nil {
		return err
	}
	defer m.close()
	b := &bench{standIns: s, mesh: m, db: db, all: all}
	if err := b.warmUp(ctx); err != nil {
		return err
	}
	if o.concurrent > 0 {
		return b.atOnce(ctx, o.concurrent, sizes[0], out)
	}
	fmt.Fprintf(out, "%5s  %9s  %9s  %6s  %9s  %6s  %5s  %5s  %9s\n", "files", "wall", "served", "ratio", "needed", "ratio", "calls", "depth", "ours")
	for _, files := range sizes {
		for range o.runs {
			if err := b.one(ctx, files, o.verbose, out); err != nil {
				return err
			}
		}
	}
	return nil
}

func parseSizes(text string) ([]int, error) {
	var sizes []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("files %q: want numbers from 1", text)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// warmUp makes one review with quick answers, so that no figure holds the first use of anything, and lets the repository
// count as indexed, so that vectors are asked for.
func (b *bench) warmUp(ctx context.Context) error {
	slow := b.now.Load()
	b.now.Store(&latencies{github: time.Millisecond, embed: time.Millisecond})
	defer b.now.Store(slow)
	if _, _, err := b.review(ctx, warmUpFiles); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	// What the index holds is nobody's concern here: one chunk makes the collection, and a search takes as long when it
	// finds nothing.
	vectors, err := recall.NewQdrant(recall.QdrantConfig{URL: b.qdrant.URL()})
	if err != nil {
		return err
	}
	defer func() { _ = vectors.Close() }() // it has no more to say
	chunk := recall.Chunk{ID: "one", Path: "elsewhere.go", ContentHash: "0", StartLine: 1, EndLine: 1, Header: "x", Text: "x", Vector: make([]float32, dimensions)}
	chunk.Vector[0] = 1
	if err := vectors.Put(ctx, recall.Scope{Installation: installationID, Repository: repositoryID}, []recall.Chunk{chunk}); err != nil {
		return err
	}
	_, err = b.db.Pool().Exec(ctx, `INSERT INTO indexes (repository_id, installation_id, head, model, finished_at) VALUES ($1, $2, $3, 'e', now())
		ON CONFLICT (repository_id) DO UPDATE SET head = excluded.head, model = excluded.model, finished_at = now()`, repositoryID, installationID, b.head)
	if err != nil {
		return fmt.Errorf("write the index: %w", err)
	}
	return nil
}

// open opens the next pull request of the repository, over so many files, and delivers it.
func (b *bench) open(ctx context.Context, files int) (number int, sent time.Time, err error) {
	b.next += files
	return b.deliver(ctx, repository, fmt.Sprintf("Weigh what is sold, up to %d", b.next), change(b.all, b.next-files, files))
}

// deliver opens a pull request and delivers it.
func (b *bench) deliver(ctx context.Context, repository, title string, head map[string]string) (number int, sent time.Time, err error) {
	number, _, err = b.github.OpenPullRequest(repository, githubtest.PullRequestSpec{Title: title, Head: head})
	if err != nil {
		return 0, sent, err
	}
	payload, err := b.github.PullRequestEvent(repository, number, "opened", nil)
	if err != nil {
		return 0, sent, err
	}
	sent = time.Now()
	status, _, err := b.github.Deliver(ctx, b.mesh.gateway, githubtest.Delivery{Event: "pull_request", Payload: payload})
	if err == nil && status != 202 {
		err = fmt.Errorf("deliver #%d: status %d", number, status)
	}
	return number, sent, err
}

// review opens a pull request and waits for the end of its review.
func (b *bench) review(ctx context.Context, files int) (sent, ended time.Time, err error) {
	number, sent, err := b.open(ctx, files)
	if err != nil {
		return sent, ended, err
	}
	ended, err = b.wait(ctx, repositoryID, number)
	return sent, ended, err
}

func (b *bench) wait(ctx context.Context, repositoryID int64, number int) (time.Time, error) {
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var state, reason string
		var ended *time.Time
		err := b.db.Pool().QueryRow(ctx, `SELECT state, reason, ended_at FROM reviews WHERE repository_id = $1 AND number = $2`, repositoryID, number).Scan(&state, &reason, &ended)
		switch {
		case err != nil:
			return time.Time{}, fmt.Errorf("look at the review of #%d: %w", number, err)
		case ended != nil && state != "findings" && state != "clean":
			return time.Time{}, fmt.Errorf("the review of #%d ended as %s: %s", number, state, reason)
		case ended != nil:
			return *ended, nil
		case time.Now().After(deadline):
			return time.Time{}, fmt.Errorf("the review of #%d did not end in time", number)
		}
	}
}

// one measures one review.
func (b *bench) one(ctx context.Context, files int, verbose bool, out io.Writer) error {
	sent, ended, err := b.review(ctx, files)
	if err != nil {
		return err
	}
	calls, asked := b.served(sent, ended)
	wall, chain := ended.Sub(sent), longestChain(calls)
	needed, depth := b.needed(calls, asked), 0
	for _, c := range chain {
		if c.model {
			depth++
		}
	}
	fmt.Fprintf(out, "%5d  %9s  %9s  %6.3f  %9s  %6.3f  %5d  %5d  %9s\n", files, round(wall), round(sum(chain)), ratio(wall, sum(chain)),
		round(needed), ratio(wall, needed), len(calls), depth, round(wall-sum(chain)))
	if verbose {
		for _, c := range chain {
			fmt.Fprintf(out, "       %9s  +%-8s  %s\n", round(c.start.Sub(sent)), round(c.took()), c.what)
		}
	}
	return nil
}

func ratio(a, b time.Duration) float64 { return a.Seconds() / b.Seconds() }

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// needed is what a review of these calls has to take: the pull request, all that is read of it, its files, vectors, the
// longest of the summary and of each finder with its slowest verifier, and the chain that was served after the last answer.
func (b *bench) needed(calls []call, asked []question) time.Duration {
	var model time.Duration
	for _, q := range asked {
		switch q.schema {
		case "verdict":
		case "findings":
			slowest := time.Duration(0)
			for _, v := range asked {
				if v.schema == "verdict" && len(v.about) > 0 && slices.Contains(q.about, v.about[0]) {
					slowest = max(slowest, v.took)
				}
			}
			model = max(model, q.took+slowest)
		default:
			model = max(model, q.took)
		}
	}
	var last time.Time
	embeds, searches := time.Duration(0), time.Duration(0)
	for _, c := range calls {
		switch {
		case c.model:
			last = slices.MaxFunc([]time.Time{last, c.end}, time.Time.Compare)
		case c.what == "embeddings":
			embeds = b.now.Load().embed
		case strings.HasPrefix(c.what, "vectors"):
			searches = b.now.Load().vector
		}
	}
	posting := slices.DeleteFunc(slices.Clone(calls), func(c call) bool { return c.start.Before(last) })
	return 3*b.now.Load().github + embeds + searches + model + sum(longestChain(posting))
}

// atOnce measures memory and throughput with so many reviews at once, each of an installation of its own: what GitHub lets
// one installation write in a minute is not what is measured.
func (b *bench) atOnce(ctx context.Context, reviews, files int, out io.Writer) error {
	for i := range int64(reviews) {
		if _, err := b.github.AddRepository(fmt.Sprintf("overhead/shop%d", i), firstOfMany+i, firstOfMany+i, baseFiles(files)); err != nil {
			return fmt.Errorf("make a repository: %w", err)
		}
	}
	before, err := b.mesh.resident(ctx, true)
	if err != nil {
		return err
	}
	began := time.Now()
	for i := range int64(reviews) {
		if _, _, err := b.deliver(ctx, fmt.Sprintf("overhead/shop%d", i), fmt.Sprintf("Weigh what is sold in shop %d", i), change(files, 0, files)); err != nil {
			return err
		}
	}
	opened := time.Since(began)
	var most, inFlight int64
	running, atPeak := 0, 0
	for {
		now, err := b.mesh.resident(ctx, false)
		if err != nil {
			return err
		}
		var left int
		if err := b.db.Pool().QueryRow(ctx, `SELECT count(*) FILTER (WHERE state = 'running'), count(*) FILTER (WHERE state IN ('queued', 'running'))
			FROM reviews WHERE repository_id >= $1`, firstOfMany).Scan(&running, &left); err != nil {
			return fmt.Errorf("look at the reviews: %w", err)
		}
		inFlight = max(inFlight, int64(running))
		if now > most {
			most, atPeak = now, running
		}
		if left == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	took := time.Since(began)
	var slowest time.Time
	for i := range int64(reviews) {
		ended, err := b.wait(ctx, firstOfMany+i, 1)
		if err != nil {
			return err
		}
		slowest = slices.MaxFunc([]time.Time{slowest, ended}, time.Time.Compare)
	}
	after, err := b.mesh.resident(ctx, true)
	if err != nil {
		return err
	}
	_, asked := b.served(began, slowest)
	fmt.Fprintf(out, "%d reviews of %d files: opened in %s, all ended after %s, %d in flight at most, %d questions to the model\n",
		reviews, files, round(opened), round(took), inFlight, len(asked))
	fmt.Fprintf(out, "resident memory: %.1f MB before, %.1f MB at most (%d in flight then), %.1f MB after; %.2f MB for each review in flight\n",
		mb(before), mb(most), atPeak, mb(after), mb(most-before)/float64(cmp.Or(inFlight, 1)))
	return nil
}

func mb(bytes int64) float64 { return float64(bytes) / (1 << 20) }
