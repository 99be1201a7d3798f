//go:build unix

package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/llmtest"
	"github.com/openrabbit/openrabbit/internal/pg"
)

const (
	repository     = "torture/repo"
	repositoryID   = 1
	installationID = 7

	defaultLive    = 24
	defaultWorkers = 4
	// maxCrashes is how many processes may end by themselves before a run is given up.
	maxCrashes = 20
)

// Run carries out a plan with the binaries in bin and the database db, which must be migrated. Processes write to output.
// An error means that the run did not come to its end; the verdict then is of what there is.
func Run(ctx context.Context, plan Plan, bin string, db *pg.DB, databaseURL string, log *Log, output io.Writer) (Verdict, error) {
	r := newRunner(plan, db, log, output)
	if err := r.standIns(); err != nil {
		return Verdict{}, err
	}
	defer r.github.Close()
	defer r.model.Close()
	processes, err := r.processes(bin, databaseURL)
	if err != nil {
		return Verdict{}, err
	}
	r.mesh = processes
	running, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() { r.thawing(running) })
	for _, p := range processes {
		all.Go(func() { p.run(running) })
	}
	if err = r.send(ctx); err == nil {
		err = r.drain(ctx)
	}
	stop()
	all.Wait()
	for _, f := range r.faults.left {
		log.Add(Event{Kind: Armed, Fault: f.String(), Note: "no process was given it"})
	}
	r.injuries()
	if problems := r.github.Violations(); len(problems) > 0 {
		err = errors.Join(err, fmt.Errorf("requests that GitHub would not understand: %s", strings.Join(problems, "; ")))
	}
	verdict := Check(log.Events(), r.shown())
	stored, storedErr := r.storedAnswers(context.WithoutCancel(ctx))
	CheckCalls(log.Events(), r.model.Calls(), stored, &verdict)
	return verdict, errors.Join(err, storedErr)
}

func newRunner(plan Plan, db *pg.DB, log *Log, output io.Writer) *runner {
	if plan.Orchestrators == 0 {
		plan.Orchestrators = 2
	}
	if plan.Workers == 0 {
		plan.Workers = defaultWorkers
	}
	if plan.Live == 0 {
		plan.Live = defaultLive
	}
	r := &runner{plan: plan, db: db, heads: map[int]string{}}
	r.fleet = &fleet{
		faults: &faults{left: append([]Fault(nil), plan.Faults...)}, log: log, output: &lockedWriter{w: output},
		running: r.running, freezes: make(chan *process), cut: r.cut,
	}
	return r
}

type runner struct {
	*fleet
	plan    Plan
	db      *pg.DB
	mesh    []*process
	github  *githubtest.Server
	model   *llmtest.Server
	gateway string
	injured []injury
	numbers []int // of the pull requests, in the order of the changes
	pushes  int
	heads   map[int]string // the head of each pull request now
	told    time.Time      // when progress was told last
	frozen  atomic.Int32   // processes that are frozen now
	behind  atomic.Int64   // how far GitHub's clock is behind
}

// injury is a fault of the stand-in for GitHub.
type injury struct {
	name  string
	armed *githubtest.Armed
}

// injuries writes down which of GitHub's faults struck.
func (r *runner) injuries() {
	for _, in := range r.injured {
		r.log.Add(Event{Kind: Armed, Fault: in.name})
		if n := in.armed.Landed(); n > 0 {
			r.log.Add(Event{Kind: Landed, Fault: in.name, Note: fmt.Sprintf("%d times", n)})
		}
	}
}

// thawing thaws each process that froze, once others have ended every review that it had then.
func (r *runner) thawing(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-r.freezes:
			r.frozen.Add(1)
			r.thawLater(ctx, p)
			r.frozen.Add(-1)
		}
	}
}

func (r *runner) thawLater(ctx context.Context, p *process) {
	var held []string
	for {
		rows, err := r.db.Pool().Query(ctx, `SELECT r.id::text FROM reviews r JOIN river_job j ON j.id = r.job_id
			WHERE r.state = 'running' AND j.state = 'running' AND j.attempted_by[cardinality(j.attempted_by)] LIKE '%.' || $1 || '.%'`, fmt.Sprint(p.pid))
		if err == nil {
			held, err = collect(rows)
		}
		if err == nil {
			break
		}
		if r.sleep(ctx) != nil {
			return
		}
	}
	for {
		var left int
		err := r.db.Pool().QueryRow(ctx, `SELECT count(*) FROM reviews WHERE id::text = ANY($1) AND state IN ('queued', 'running')`, held).Scan(&left)
		if err == nil && left == 0 {
			break
		}
		if r.sleep(ctx) != nil {
			return
		}
	}
	zombies := r.rescued(ctx, held)
	p.thaw(zombies, fmt.Sprintf("%d reviews that it had have ended", len(held)))
}

func (r *runner) sleep(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(tick):
		return nil
	}
}

// drain waits until every review has ended and nobody is frozen, and then watches that nothing more is posted.
func (r *runner) drain(ctx context.Context) error {
	for deadline := time.Now().Add(r.plan.Patience); ; {
		if r.frozen.Load() == 0 && r.unfinished(ctx) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return r.stuck(ctx)
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
	r.log.Add(Event{Kind: Drained})
	before := len(r.writes())
	for until := time.Now().Add(r.plan.Quiet); time.Now().Before(until); {
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
	for _, w := range r.writes()[before:] {
		r.log.Add(Event{Kind: Late, Note: w})
	}
	return nil
}

// lockedWriter lets processes write whole lines at once.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
