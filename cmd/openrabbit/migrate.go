package main

import (
	"context"
	"fmt"
	"os"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/telemetry"
	"github.com/openrabbit/openrabbit/migrations"
)

// migrateDatabase applies our migrations and River's. It may run twice, and in two processes at once.
func migrateDatabase(ctx context.Context, db *pg.DB) error {
	if err := queue.Migrate(ctx, db); err != nil {
		return lifecycle.Dependency("Postgres", err)
	}
	return lifecycle.Dependency("Postgres", pg.Migrate(ctx, db, migrations.Files))
}

// openDatabase connects to DATABASE_URL.
func openDatabase(ctx context.Context, env *config.Env, name string, conns int32) (*pg.DB, error) {
	env.Require("DATABASE_URL", "for "+name+": the address of a Postgres, as in postgres://host:5432/database?user=…")
	url := env.Secret("DATABASE_URL")
	if err := env.Err(); err != nil {
		return nil, err
	}
	db, err := pg.Open(ctx, url.Reveal(), "openrabbit-"+name, conns)
	return db, lifecycle.Dependency("Postgres", err)
}

func migrate(ctx context.Context, args []string) error {
	if _, err := parse(newFlags("migrate", "Brings the database at DATABASE_URL up to date: OpenRabbit's tables and River's.\n"+
		"Safe to run again, and from two processes at once."), args, 0); err != nil {
		return err
	}
	db, err := openDatabase(ctx, config.FromOS(), "migrate", 2)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := migrateDatabase(ctx, db); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "the database is up to date")
	return nil
}

func healthcheck(ctx context.Context, args []string) error {
	flags := newFlags("healthcheck", "Asks a running service whether it is ready: exit code 0 when it is, 3 with the reason when it is not.")
	addr := flags.String("addr", "127.0.0.1:9090", "the service's admin address")
	if _, err := parse(flags, args, 0); err != nil {
		return err
	}
	return lifecycle.Dependency("health", telemetry.Probe(ctx, *addr))
}
