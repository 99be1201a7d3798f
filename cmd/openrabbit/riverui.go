package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"riverqueue.com/riverui"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// uiUser is the user of River UI's basic authentication.
const uiUser = "openrabbit"

// riverUI serves River UI: on loopback, or with a password.
type riverUI struct {
	addr     string
	password config.Secret
	db       *pg.DB
	log      *slog.Logger
}

// newRiverUI refuses an address that others can reach when there is no password: River UI can cancel and delete jobs.
func newRiverUI(addr string, password config.Secret, db *pg.DB, log *slog.Logger) (*riverUI, error) {
	if err := servable(addr, password); err != nil {
		return nil, err
	}
	return &riverUI{addr: addr, password: password, db: db, log: log}, nil
}

func servable(addr string, password config.Secret) error {
	if password.IsZero() && !loopback(addr) {
		return &config.Error{Problems: []string{fmt.Sprintf(
			"OPENRABBIT_UI_PASSWORD is required to serve River UI on %s: without one it is served on loopback only", addr)}}
	}
	return nil
}

// loopback says whether an address to listen on is reached from this machine only.
func loopback(addr string) bool {
	_, _, err := net.SplitHostPort(addr)
	return err == nil && loopbackName(addr)
}

// loopbackName says whether a host, with or without a port, is this machine by a name that no other site can have.
func loopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// Run serves until ctx ends.
func (u *riverUI) Run(ctx context.Context, ready func()) error {
	client, err := river.NewClient(riverpgxv5.New(u.db.Pool()), &river.Config{Logger: u.log})
	if err != nil {
		return fmt.Errorf("make River UI's client: %w", err)
	}
	handler, err := riverui.NewHandler(&riverui.HandlerOpts{Endpoints: riverui.NewEndpoints(client, nil), Logger: u.log})
	if err != nil {
		return fmt.Errorf("make River UI: %w", err)
	}
	if err := handler.Start(ctx); err != nil {
		return fmt.Errorf("start River UI: %w", err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", u.addr)
	if err != nil {
		return fmt.Errorf("serve River UI: %w", err)
	}
	server := &http.Server{Handler: u.guard(handler), ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	ready()
	select {
	case err := <-stopped:
		return fmt.Errorf("serve River UI: %w", err)
	case <-ctx.Done():
	}
	// The page polls for ever; whoever looks at it is cut off after a moment.
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Shutdown(bound); errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return nil
}

// guard asks for the password if there is one. Without one it answers only to loopback names, so that a page of another
// site cannot reach it through a name of its own that resolves to this machine.
func (u *riverUI) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The container's health check has no password, and learns nothing but that the page is served.
		if r.URL.Path == "/readyz" {
			w.WriteHeader(http.StatusOK)
			return
		}
		if u.password.IsZero() {
			if !loopbackName(r.Host) {
				http.Error(w, "River UI is served on this machine only", http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		user, password, _ := r.BasicAuth()
		known := subtle.ConstantTimeCompare([]byte(password), []byte(u.password.Reveal()))
		if subtle.ConstantTimeCompare([]byte(user), []byte(uiUser))&known != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="River UI"`)
			http.Error(w, "wrong user or password", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func serveRiverUI(ctx context.Context, p process, args []string) error {
	flags := newFlags("riverui", "Serves River UI for the database at DATABASE_URL. Off loopback it needs OPENRABBIT_UI_PASSWORD;\nthe user is "+uiUser+".")
	addr := flags.String("addr", "127.0.0.1:8081", "where to serve it")
	if _, err := parse(flags, args, 0); err != nil {
		return err
	}
	env := config.FromMap(p.env)
	log, _ := telemetry.FromEnv(env, "riverui", p.stderr)
	password := env.Secret("OPENRABBIT_UI_PASSWORD")
	if err := servable(*addr, password); err != nil {
		return err
	}
	db, err := openDatabase(ctx, env, "riverui", 4)
	if err != nil {
		return err
	}
	defer db.Close()
	ui, err := newRiverUI(*addr, password, db, log)
	if err != nil {
		return err
	}
	return ui.Run(ctx, func() { log.Info("River UI is served", "addr", *addr) })
}
