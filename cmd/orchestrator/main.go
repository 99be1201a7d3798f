// Command orchestrator works the jobs: reviews and indexes. `orchestrator healthcheck` asks a running one whether it is
// ready.
package main

import (
	"context"
	"os"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/failpoint"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/secrets"
	"github.com/openrabbit/openrabbit/internal/telemetry"
	"github.com/openrabbit/openrabbit/orchestrator"
)

// maxConnections bounds the pool, whatever the number of workers.
const maxConnections = 64

func main() { os.Exit(lifecycle.Main(run)) }

func run(ctx context.Context) error {
	env := config.FromOS()
	if len(os.Args) > 1 && os.Args[1] == "healthcheck" {
		return lifecycle.Dependency("health", telemetry.Probe(ctx, orchestrator.ConfigFromEnv(env).AdminAddr))
	}
	log, registry := telemetry.FromEnv(env, "orchestrator", os.Stderr)
	cfg := orchestrator.ConfigFromEnv(env)
	env.Require("DATABASE_URL", "jobs and state are kept in Postgres")
	url := env.Secret("DATABASE_URL")
	fail, err := failpoint.Parse(env.String("OPENRABBIT_FAILPOINT", ""), os.Stderr)
	if err != nil {
		env.Complain("OPENRABBIT_FAILPOINT", "is wrong: %v", err)
	}
	if err := env.Err(); err != nil {
		return err
	}
	// One connection for each job, and some for River's own work and the periodic jobs, up to a number that a server gladly
	// gives: a job that waits for a model holds none. The locks of postings are outside the pool.
	w := cfg.Workers
	jobs := w.Fast + w.Slow + w.Index + w.Interactive
	db, err := pg.Open(ctx, url.Reveal(), "openrabbit-orchestrator", int32(min(jobs+8, maxConnections)))
	if err != nil {
		return lifecycle.Dependency("Postgres", err)
	}
	defer db.Close()
	scanner, err := secrets.New()
	if err != nil {
		return err
	}
	service, err := orchestrator.New(cfg, orchestrator.Deps{Log: log, Registry: registry, DB: db, Secrets: scanner,
		Failpoint: func(_ context.Context, name string) error { fail.Hit(name); return nil }})
	if err != nil {
		return err
	}
	return service.Run(ctx, func() { log.Info("working jobs") })
}
