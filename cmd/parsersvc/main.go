// Command parsersvc is the parser tier: tree-sitter over gRPC, in child processes of its own. `parsersvc healthcheck` asks a
// running one whether it is ready.
package main

import (
	"context"
	"os"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/telemetry"
	"github.com/openrabbit/openrabbit/parsersvc"
)

func main() {
	parsersvc.MaybeChild()
	os.Exit(lifecycle.Main(run))
}

func run(ctx context.Context) error {
	env := config.FromOS()
	cfg := parsersvc.ConfigFromEnv(env)
	if len(os.Args) > 1 && os.Args[1] == "healthcheck" {
		return lifecycle.Dependency("health", telemetry.Probe(ctx, cfg.AdminAddr))
	}
	log, registry := telemetry.FromEnv(env, "parsersvc", os.Stderr)
	if err := env.Err(); err != nil {
		return err
	}
	service, err := parsersvc.New(parsersvc.OwnProcess(cfg), parsersvc.Deps{Log: log, Registry: registry})
	if err != nil {
		return err
	}
	return service.Run(ctx, func() { log.Info("serving", "grpc", cfg.Addr) })
}
