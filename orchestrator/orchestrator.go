package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"google.golang.org/grpc"

	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/secrets"
	"github.com/openrabbit/openrabbit/internal/store"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// Deps are what the orchestrator works with. Log, Registry and DB are required.
type Deps struct {
	Log      *slog.Logger
	Registry *prometheus.Registry
	// DB has been migrated, ours and River's.
	DB *pg.DB
	// Secrets finds credentials before anything is sent to a model; nil means gitleaks' rules.
	Secrets review.SecretScanner

	// GitHub replaces the App that Config.GitHub describes.
	GitHub *github.App
	// Parser and Model replace the connections to Config's targets.
	Parser, Model grpc.ClientConnInterface
	// Failpoint is called at each boundary of a stage with its name, for the fault harness; its error ends the attempt.
	// JobOf tells whose.
	Failpoint func(ctx context.Context, name string) error
}

// Orchestrator works jobs.
type Orchestrator struct {
	cfg       Config
	log       *slog.Logger
	db        *pg.DB
	store     *store.Store
	jobs      *queue.Inserter
	app       *github.App
	parser    review.Parser
	model     *ModelClient
	secrets   review.SecretScanner
	retrieval *retrieval
	fail      func(ctx context.Context, name string) error
	metrics   *metrics
	admin     *telemetry.Admin
	// reads are the slots for reading files, of all reviews together.
	reads chan struct{}

	// poll is how often the job table is read without a notification; 0 means River's second.
	poll      time.Duration
	newClient func() (riverClient, error)
	// working is set while jobs are taken.
	working atomic.Bool
	stuck   *stuckJobs
	closers []func()
}

// New checks the configuration and puts the parts together. It calls nobody.
func New(cfg Config, deps Deps) (*Orchestrator, error) {
	if deps.Log == nil || deps.Registry == nil || deps.DB == nil {
		return nil, errors.New("make the orchestrator: Log, Registry and DB must be given")
	}
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("make the orchestrator: %w", err)
	}
	o := &Orchestrator{
		cfg: cfg, log: deps.Log, db: deps.DB, store: store.New(deps.DB), app: deps.GitHub,
		secrets: deps.Secrets, fail: deps.Failpoint, stuck: newStuckJobs(), reads: make(chan struct{}, parallelReads),
	}
	if err := o.connect(cfg, deps); err != nil {
		o.Close()
		return nil, fmt.Errorf("make the orchestrator: %w", err)
	}
	return o, nil
}

func (o *Orchestrator) connect(cfg Config, deps Deps) (err error) {
	if o.fail == nil {
		o.fail = func(context.Context, string) error { return nil }
	}
	if o.metrics, err = newMetrics(deps.Registry); err != nil {
		return err
	}
	if o.jobs, err = queue.NewInserter(deps.DB); err != nil {
		return err
	}
	if o.app == nil {
		if o.app, err = github.NewApp(cfg.GitHub, deps.Log); err != nil {
			return err
		}
	}
	if o.secrets == nil {
		if o.secrets, err = secrets.New(); err != nil {
			return err
		}
	}
	parser, err := o.dial("parsersvc", cfg.ParserTarget, deps.Parser, deps)
	if err != nil {
		return err
	}
	model, err := o.dial("llmsvc", cfg.ModelTarget, deps.Model, deps)
	if err != nil {
		return err
	}
	o.parser, o.model = NewParserClient(parser), NewModelClient(model)
	var closeStore func()
	if o.retrieval, closeStore, err = newRetrieval(deps.DB, cfg.Qdrant, o.model, o.store, cfg.Limits); err != nil {
		return err
	}
	o.closers = append(o.closers, closeStore)
	o.newClient = o.riverClient
	if cfg.AdminAddr != adminOff {
		o.admin = telemetry.AdminServer(cfg.AdminAddr, deps.Registry, o.health, true)
	}
	return nil
}

// dial connects to a tier, unless the caller brought a connection.
func (o *Orchestrator) dial(name, target string, given grpc.ClientConnInterface, deps Deps) (grpc.ClientConnInterface, error) {
	if given != nil {
		return given, nil
	}
	conn, err := rpc.Dial(target, rpc.ClientConfig{
		Name: name, TLS: o.cfg.Mesh.TLS, Plaintext: o.cfg.Mesh.Plaintext, Registry: deps.Registry, Log: deps.Log,
		WaitForReady: true, // through a restart of the tier; each call has a deadline of its own
	})
	if err != nil {
		return nil, err
	}
	o.closers = append(o.closers, func() { _ = conn.Close() })
	return conn, nil
}

// installation gives the client of an installation, behind the limits that all workers keep together.
func (o *Orchestrator) installation(id review.InstallationID) *github.Client {
	return o.app.Installation(id).Behind(o.gate(id))
}

// gate keeps the limits of an installation.
func (o *Orchestrator) gate(id review.InstallationID) *store.Gate {
	return o.store.Gate(id, o.cfg.Content, nil)
}

// Close gives up the connections to the tiers, for who has made an orchestrator and does not run it.
func (o *Orchestrator) Close() {
	for _, c := range o.closers {
		c()
	}
	o.closers = nil
}

// health says whether jobs are worked and the database answers.
func (o *Orchestrator) health() error {
	if !o.working.Load() {
		return errors.New("no jobs are worked")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return o.db.Ping(ctx)
}

// riverClient is what Run needs of River's client.
type riverClient interface {
	Start(ctx context.Context) error
	Stopped() <-chan struct{}
	StopAndCancel(ctx context.Context) error
	endedJobs
}

// Run works jobs until ctx ends. Running attempts then have StopTimeout to end; what is cut goes back to the queue.
func (o *Orchestrator) Run(ctx context.Context, ready func()) error {
	defer o.Close()
	client, err := o.newClient()
	if err != nil {
		return fmt.Errorf("run the orchestrator: %w", err)
	}
	services := []lifecycle.Service{{
		Name: "jobs", StopTimeout: o.cfg.StopTimeout + 10*time.Second,
		Run: func(ctx context.Context, ready func()) error { return o.work(ctx, client, ready) },
	}, {
		Name: "sweep",
		Run: func(ctx context.Context, ready func()) error {
			ready()
			return (&sweeper{Orchestrator: o, jobs: client}).run(ctx)
		},
	}}
	if o.admin != nil {
		services = append([]lifecycle.Service{{Name: "admin", Run: o.admin.Run}}, services...)
	}
	services = append(services, lifecycle.Service{Name: "ready", Run: func(ctx context.Context, started func()) error {
		started()
		if ready != nil {
			ready()
		}
		<-ctx.Done()
		return nil
	}})
	return lifecycle.Run(ctx, o.log, services...)
}

// work runs River's client until ctx ends, or until so many jobs are stuck that only a new process helps.
func (o *Orchestrator) work(ctx context.Context, client riverClient, ready func()) error {
	if err := client.Start(ctx); err != nil {
		return lifecycle.Dependency("Postgres", fmt.Errorf("start working jobs: %w", err))
	}
	o.working.Store(true)
	defer o.working.Store(false)
	stop := context.AfterFunc(ctx, func() { o.working.Store(false) })
	defer stop()
	ready()
	select {
	case <-client.Stopped():
		if ctx.Err() == nil {
			return errors.New("job client stopped by itself")
		}
		return nil
	case <-o.stuck.forGood(client.Stopped()):
		return fmt.Errorf("%d jobs don't end any more: the process must be started anew", maxStuck)
	}
}

// fetchCooldown is the least time between two looks at the job table, and so about what a job waits that was inserted
// while nothing was to do. River's own is 100 ms, a quarter of what a review takes besides other people's latency.
const fetchCooldown = 20 * time.Millisecond

// clientID names this process in the job table: where it runs, its number there, and when it began. It shows whose a
// job is.
func clientID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%.40s.%d.%d", host, os.Getpid(), time.Now().UnixNano())
}

// riverClient makes the client that works our queues.
func (o *Orchestrator) riverClient() (riverClient, error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &reviewWorker{Orchestrator: o}); err != nil {
		return nil, fmt.Errorf("register worker: %w", err)
	}
	if err := o.addIndexWorker(workers); err != nil {
		return nil, err
	}
	if err := o.addUpkeepWorkers(workers); err != nil {
		return nil, err
	}
	config := &river.Config{
		ID: clientID(),
		Queues: map[string]river.QueueConfig{
			queue.Fast:        {MaxWorkers: o.cfg.Workers.Fast},
			queue.Slow:        {MaxWorkers: o.cfg.Workers.Slow},
			queue.Index:       {MaxWorkers: o.cfg.Workers.Index},
			queue.Interactive: {MaxWorkers: o.cfg.Workers.Interactive},
			queue.Upkeep:      {MaxWorkers: o.cfg.Workers.Upkeep},
		},
		Workers:              workers,
		PeriodicJobs:         o.periodicJobs(),
		FetchCooldown:        fetchCooldown,
		JobTimeout:           o.cfg.JobTimeout,
		RescueStuckJobsAfter: o.cfg.RescueAfter,
		SoftStopTimeout:      o.cfg.StopTimeout,
		MaxAttempts:          queue.ReviewMaxAttempts,
		RetryPolicy:          retryPolicy{base: o.cfg.RetryBase},
		ErrorHandler:         lastAttempt{o},
		JobStuckHandler:      o.jobStuck,
		Middleware:           []rivertype.Middleware{river.WorkerMiddlewareFunc(o.stuck.watch)},
		Logger:               o.log,
	}
	if o.poll > 0 {
		config.FetchPollInterval, config.FetchCooldown, config.TestOnly = o.poll, o.poll, true
	}
	return river.NewClient(riverpgxv5.New(o.db.Pool()), config)
}
