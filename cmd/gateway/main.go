// Command gateway receives GitHub's webhooks and serves ReviewService. `gateway healthcheck` asks a running one whether it
// is ready.
package main

import (
	"context"
	"os"

	"github.com/openrabbit/openrabbit/gateway"
	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/failpoint"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

func main() { os.Exit(lifecycle.Main(run)) }

func run(ctx context.Context) error {
	env := config.FromOS()
	cfg := gateway.ConfigFromEnv(env)
	if len(os.Args) > 1 && os.Args[1] == "healthcheck" {
		return lifecycle.Dependency("health", telemetry.Probe(ctx, cfg.AdminAddr))
	}
	log, registry := telemetry.FromEnv(env, "gateway", os.Stderr)
	env.Require("DATABASE_URL", "deliveries are kept in Postgres")
	url := env.Secret("DATABASE_URL")
	fail, err := failpoint.Parse(env.String("OPENRABBIT_FAILPOINT", ""), os.Stderr)
	if err != nil {
		env.Complain("OPENRABBIT_FAILPOINT", "is wrong: %v", err)
	}
	if err := env.Err(); err != nil {
		return err
	}
	db, err := pg.Open(ctx, url.Reveal(), "openrabbit-gateway", 0)
	if err != nil {
		return lifecycle.Dependency("Postgres", err)
	}
	defer db.Close()
	service, err := gateway.New(cfg, gateway.Deps{Log: log, Registry: registry, DB: db, Failpoint: fail.Hit})
	if err != nil {
		return err
	}
	return service.Run(ctx, func() { log.Info("serving", "webhook", cfg.Addr, "grpc", cfg.GRPCAddr) })
}
