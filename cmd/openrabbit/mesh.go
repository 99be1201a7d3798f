package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openrabbit/openrabbit/gateway"
	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/localpg"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/secrets"
	"github.com/openrabbit/openrabbit/internal/telemetry"
	"github.com/openrabbit/openrabbit/llmsvc"
	"github.com/openrabbit/openrabbit/orchestrator"
)

// mesh is all services on one machine: Postgres and parsersvc as children, the others in this process, each with the
// configuration it would have by itself.
type mesh struct {
	// env is what the services read their configuration from.
	env map[string]string
	// dataDir holds Postgres' data; unused with a DATABASE_URL.
	dataDir string
	// output gets the services' logs.
	output io.Writer
	// uiAddr is where River UI is served.
	uiAddr string
	// withoutReviews leaves the orchestrator out: deliveries are kept and their reviews wait.
	withoutReviews bool
	// said is told where Postgres is once it runs.
	said func(databaseURL string)

	db *pg.DB // from the start of the service "state" on
}

// meshConfig is the configuration of all services, read and complained about at once.
type meshConfig struct {
	gateway      gateway.Config
	llm          llmsvc.Config
	orchestrator orchestrator.Config
	parserAddr   string
	password     config.Secret
	databaseURL  config.Secret
	registries   map[string]*prometheus.Registry
	logs         map[string]*slog.Logger
}

func (m *mesh) configure() (meshConfig, error) {
	env := config.FromMap(m.env)
	c := meshConfig{
		gateway:     gateway.ConfigFromEnv(env),
		llm:         llmsvc.ConfigFromEnv(env),
		parserAddr:  env.String("OPENRABBIT_PARSER_ADDR", "127.0.0.1:50051"),
		password:    env.Secret("OPENRABBIT_UI_PASSWORD"),
		databaseURL: env.Secret("DATABASE_URL"),
		registries:  map[string]*prometheus.Registry{}, logs: map[string]*slog.Logger{},
	}
	if !m.withoutReviews {
		c.orchestrator = orchestrator.ConfigFromEnv(env)
	}
	for _, name := range []string{"openrabbit", "gateway", "orchestrator", "parsersvc", "llmsvc", "postgres", "riverui"} {
		c.logs[name], c.registries[name] = telemetry.FromEnv(env, name, m.output)
	}
	if err := env.Err(); err != nil {
		return meshConfig{}, err
	}
	return c, nil
}

// services gives the services in the order in which they start.
func (m *mesh) services(c meshConfig) ([]lifecycle.Service, error) {
	parser, err := m.parserChild(c)
	if err != nil {
		return nil, err
	}
	all := []lifecycle.Service{
		{Name: "state", Run: func(ctx context.Context, ready func()) error { return m.state(ctx, c, ready) }, StopTimeout: 30 * time.Second},
		{Name: "parsersvc", Run: parser.Run},
		{Name: "llmsvc", Run: func(ctx context.Context, ready func()) error {
			s, err := llmsvc.New(c.llm, llmsvc.Deps{Log: c.logs["llmsvc"], Registry: c.registries["llmsvc"]})
			if err != nil {
				return err
			}
			return s.Run(ctx, ready)
		}},
	}
	if !m.withoutReviews {
		all = append(all, lifecycle.Service{Name: "orchestrator", StopTimeout: 30 * time.Second, Run: func(ctx context.Context, ready func()) error {
			scanner, err := secrets.New()
			if err != nil {
				return err
			}
			s, err := orchestrator.New(c.orchestrator, orchestrator.Deps{Log: c.logs["orchestrator"], Registry: c.registries["orchestrator"], DB: m.db, Secrets: scanner})
			if err != nil {
				return err
			}
			return s.Run(ctx, ready)
		}})
	}
	return append(all,
		lifecycle.Service{Name: "gateway", Run: func(ctx context.Context, ready func()) error {
			s, err := gateway.New(c.gateway, gateway.Deps{Log: c.logs["gateway"], Registry: c.registries["gateway"], DB: m.db})
			if err != nil {
				return err
			}
			return s.Run(ctx, ready)
		}},
		lifecycle.Service{Name: "riverui", Run: func(ctx context.Context, ready func()) error {
			s, err := newRiverUI(m.uiAddr, c.password, m.db, c.logs["riverui"])
			if err != nil {
				return err
			}
			return s.Run(ctx, ready)
		}}), nil
}

// state runs Postgres, unless DATABASE_URL names one, brings it up to date and keeps the pool.
func (m *mesh) state(ctx context.Context, c meshConfig, ready func()) error {
	url := c.databaseURL.Reveal()
	var ended <-chan struct{}
	if url == "" {
		server, err := localpg.Start(ctx, localpg.Options{DataDir: m.dataDir, Log: c.logs["postgres"], Fetch: true,
			ArchiveURL: m.env["OPENRABBIT_POSTGRES_ARCHIVE_URL"]})
		if err != nil {
			return lifecycle.Dependency("Postgres", err)
		}
		defer func() {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
			defer cancel()
			if err := server.Stop(stop); err != nil {
				c.logs["postgres"].Error("Postgres did not stop well", telemetry.KeyError, err)
			}
		}()
		url, ended = server.URL(), server.Done()
	}
	db, err := pg.Open(ctx, url, "openrabbit", 24)
	if err != nil {
		return lifecycle.Dependency("Postgres", err)
	}
	defer db.Close()
	if err := migrateDatabase(ctx, db); err != nil {
		return err
	}
	m.db = db
	if m.said != nil {
		m.said(url)
	}
	ready()
	select {
	case <-ctx.Done():
		return nil
	case <-ended:
		return lifecycle.Dependency("Postgres", errors.New("the server ended; its log is postgres.log in the data directory"))
	}
}

// parserChild gives parsersvc as a child process of this program, or of the parsersvc binary beside it when this program
// was built without cgo. It is given its own variables and nothing else: no key, no database.
func (m *mesh) parserChild(c meshConfig) (*child, error) {
	return newParserChild(c.parserAddr, m.env, m.output, c.logs["parsersvc"])
}

func newParserChild(addr string, env map[string]string, output io.Writer, log *slog.Logger) (*child, error) {
	path, args, err := parserProgram()
	if err != nil {
		return nil, err
	}
	conn, err := rpc.Dial(addr, rpc.ClientConfig{Name: "parsersvc", WaitForReady: true})
	if err != nil {
		return nil, fmt.Errorf("reach parsersvc: %w", err)
	}
	own := []string{"OPENRABBIT_PARSER_ADDR=" + addr}
	for name, value := range env {
		if strings.HasPrefix(name, "OPENRABBIT_LOG_") || strings.HasPrefix(name, "OPENRABBIT_PARSER_") && name != "OPENRABBIT_PARSER_ADDR" {
			own = append(own, name+"="+value)
		}
	}
	return &child{name: "parsersvc", path: path, args: args, env: own, output: output, log: log, conn: conn}, nil
}

// environment gives this process's variables as a map.
func environment() map[string]string {
	env := map[string]string{}
	for _, kv := range os.Environ() {
		if name, value, ok := strings.Cut(kv, "="); ok {
			env[name] = value
		}
	}
	return env
}
