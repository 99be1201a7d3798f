//go:build unix

// Command run carries out a plan of the fault harness that is larger than the tests': so many pull requests, so many
// kills at points chosen by a seed, freezes, and answers of GitHub that are lost. It starts its own Postgres, builds the
// services, prints the verdict, and exits with 1 when it is not OK.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/openrabbit/openrabbit/internal/failpoint"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/localpg"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/torture"
	"github.com/openrabbit/openrabbit/migrations"
)

// options are what the command line says.
type options struct {
	pulls, kills, freezes, cuts, orchestrators, workers int
	outage, errors                                      int
	seed                                                uint64
	horizons, log, bin                                  string
	naive                                               bool
	lost                                                float64
	faults                                              faultList
	modelDelay, patience, quiet                         time.Duration
}

// faultList is a flag that may be given again and again.
type faultList []torture.Fault

// String is part of flag.Value.
func (l *faultList) String() string { return fmt.Sprint([]torture.Fault(*l)) }

// Set is part of flag.Value.
func (l *faultList) Set(text string) error {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return errors.New("want service/point/action")
	}
	action := failpoint.Action(parts[2])
	known := false
	for _, point := range torture.Points()[parts[0]] {
		known = known || point == parts[1]
	}
	if !known || action != failpoint.Kill && action != failpoint.Freeze {
		return errors.New("no such service, point or action")
	}
	*l = append(*l, torture.Fault{Service: parts[0], Point: parts[1], Action: action})
	return nil
}

func main() {
	var o options
	flag.IntVar(&o.pulls, "pulls", 200, "pull requests to open")
	flag.IntVar(&o.kills, "kills", 20, "kill -9 at random points of gateway and orchestrators")
	flag.IntVar(&o.outage, "outage", 0, "instead: so many deliveries fail while everything is down; the kills are of the leader that looks for them")
	flag.IntVar(&o.errors, "errors", 2, "pages of GitHub's list of deliveries that are answered 500, in an outage")
	flag.IntVar(&o.freezes, "freezes", 0, "freezes of an orchestrator before its submit")
	flag.IntVar(&o.cuts, "cuts", 0, "freezes after which the process's database sessions are ended too")
	flag.BoolVar(&o.naive, "naive", false, "build the services with a naive body of the posting step, which is to be caught")
	flag.Var(&o.faults, "fault", "a fault as service/point/action, may be repeated: orchestrator/model_called/kill")
	flag.Uint64Var(&o.seed, "seed", 1, "what chooses points, redeliveries and second pushes")
	flag.StringVar(&o.horizons, "horizons", "short", "short: job timeout 8 s, rescue after 10 s; default: the orchestrator's")
	flag.Float64Var(&o.lost, "lost", 0.05, "share of GitHub's POSTs that are applied and answered 502")
	flag.IntVar(&o.orchestrators, "orchestrators", 2, "how many there are")
	flag.IntVar(&o.workers, "workers", 4, "reviews that each works at once")
	flag.DurationVar(&o.modelDelay, "model-delay", 200*time.Millisecond, "what an answer of the model takes")
	flag.DurationVar(&o.patience, "patience", 15*time.Minute, "how long anything may take")
	flag.DurationVar(&o.quiet, "quiet", 45*time.Second, "how long nothing may be written after all has ended")
	flag.StringVar(&o.log, "log", "", "file for events and output; empty means a temporary one")
	flag.StringVar(&o.bin, "bin", "", "directory with the services' binaries; empty means to build them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	verdict, err := run(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !verdict.OK() {
		os.Exit(1)
	}
}

// verdict is what a run is told by.
type verdict interface {
	OK() bool
	String() string
}

func run(ctx context.Context, o options, out io.Writer) (verdict, error) {
	plan, err := o.plan()
	if err != nil {
		return torture.Verdict{}, err
	}
	file, err := logFile(o.log)
	if err != nil {
		return torture.Verdict{}, err
	}
	defer file.Close()
	// Below /tmp: as root, Postgres runs as another user, who must be able to get there.
	dir, err := os.MkdirTemp("/tmp", "openrabbit-torture-")
	if err != nil {
		return torture.Verdict{}, fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // Postgres' user must enter it
		return torture.Verdict{}, fmt.Errorf("open the directory: %w", err)
	}
	if o.bin == "" {
		o.bin = filepath.Join(dir, "bin")
		fmt.Fprintln(out, "building the services")
		build := torture.Build
		if o.naive {
			build = torture.BuildNaive
		}
		if err := build(ctx, o.bin); err != nil {
			return torture.Verdict{}, err
		}
	}
	server, err := localpg.Start(ctx, localpg.Options{DataDir: filepath.Join(dir, "postgres"), Unsafe: true, Fetch: true})
	if err != nil {
		return torture.Verdict{}, err
	}
	defer func() { _ = server.Stop(context.WithoutCancel(ctx)) }() // nothing in it is kept
	db, err := migrated(ctx, server.URL())
	if err != nil {
		return torture.Verdict{}, err
	}
	defer db.Close()
	fmt.Fprintf(out, "%d pull requests, %d faults, seed %d, %s horizons; log: %s\n", o.pulls, len(plan.Faults), o.seed, o.horizons, file.Name())
	began := time.Now()
	plan.Progress = func(p torture.Progress) {
		fmt.Fprintf(out, "%4.0f s: %d pull requests sent, %d reviews under way, %d faults landed, %d to come, %d frozen\n",
			time.Since(began).Seconds(), p.Sent, p.Live, p.Landed, p.Waiting, p.Frozen)
	}
	var v verdict
	if o.outage > 0 {
		v, err = torture.RunOutage(ctx, torture.Outage{Deliveries: o.outage, PullRequests: o.pulls, Kills: o.kills, Errors: o.errors, Plan: plan},
			o.bin, db, server.URL(), torture.NewLog(file), file)
	} else {
		v, err = torture.Run(ctx, plan, o.bin, db, server.URL(), torture.NewLog(file), file)
	}
	fmt.Fprintf(out, "%s\n%s", time.Since(began).Round(time.Second), v)
	return v, err
}

// plan makes the plan of the options.
func (o options) plan() (torture.Plan, error) {
	plan := torture.Plan{
		Seed: o.seed, PullRequests: o.pulls, Redeliver: 0.2, Replay: 0.1, Supersede: 0.1,
		Orchestrators: o.orchestrators, Workers: o.workers, ModelDelay: o.modelDelay, Patience: o.patience, Quiet: o.quiet,
		Faults: o.faults,
	}
	if o.outage == 0 {
		plan.Faults = append(plan.Faults, torture.RandomKills(o.seed, o.kills, o.pulls)...)
	}
	for i := range o.freezes + o.cuts {
		plan.Faults = append(plan.Faults, torture.Fault{
			Service: "orchestrator", Point: "before_submit", Action: failpoint.Freeze, Pass: 3, Cut: i >= o.freezes,
		})
	}
	switch o.horizons {
	case "default":
	case "short":
		plan.JobTimeout, plan.RescueAfter = 8*time.Second, 10*time.Second
	default:
		return torture.Plan{}, fmt.Errorf("horizons %q: want short or default", o.horizons)
	}
	if o.lost > 0 {
		plan.GitHub = []githubtest.Fault{{Route: "POST", When: githubtest.AfterCommit, Status: 502, Probability: o.lost}}
	}
	return plan, nil
}

func logFile(name string) (*os.File, error) {
	if name == "" {
		file, err := os.CreateTemp("", "openrabbit-torture-*.log")
		if err != nil {
			return nil, fmt.Errorf("make the log: %w", err)
		}
		return file, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("make the log: %w", err)
	}
	return file, nil
}

// migrated opens a database and brings it to our schema and River's.
func migrated(ctx context.Context, url string) (*pg.DB, error) {
	db, err := pg.Open(ctx, url, "torture", 4)
	if err != nil {
		return nil, err
	}
	err = pg.Migrate(ctx, db, migrations.Files)
	if err == nil {
		err = queue.Migrate(ctx, db)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}
