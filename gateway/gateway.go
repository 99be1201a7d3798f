package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openrabbit/openrabbit/internal/config"
	reviewv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/review/v1"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/store"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

const (
	maxHeaderBytes = 32 << 10
	idleTimeout    = 90 * time.Second
	// writeTimeout is for the whole of a request: headers, body, transaction, answer.
	writeTimeout = 30 * time.Second
	// watchAge is how long a connection of somebody who watches is left alone, and then how long its streams may go on.
	watchAge    = 30 * time.Minute
	pingTimeout = 2 * time.Second
	// partStop is what the parts have that need little time to stop, callDrain what calls of ReviewService have. With
	// Config.StopTimeout they make 10 seconds.
	partStop  = 3 * time.Second
	callDrain = 2 * time.Second
)

// Deps are what the gateway is given. DB, Log and Registry are required.
type Deps struct {
	DB       *pg.DB
	Log      *slog.Logger
	Registry *prometheus.Registry
	// Failpoint is called at the points where the fault harness stops the process: read, verified, tx_open, inserted,
	// committed, before_write. nil is none.
	Failpoint func(name string)
	// Inbox takes deliveries; nil means Postgres, and nothing else keeps the promise of a commit. A load test puts other
	// ways there, to have something to compare with.
	Inbox Inbox
}

// Inbox takes what was verified and decided.
type Inbox interface {
	// Accept commits a delivery with all that follows from it, and says what that is.
	Accept(ctx context.Context, d Delivery) (Outcome, error)
}

// Gateway is the service. Run it once.
type Gateway struct {
	cfg      Config
	deps     Deps
	log      *slog.Logger
	store    *store.Store
	inbox    *inbox
	receiver *receiver
	// healthy is whether Postgres answered when it was last asked; draining is set when the stop begins.
	healthy, draining atomic.Bool
	addr, grpcAddr    atomic.Value
}

// New checks the configuration and makes the service. A wrong configuration is a *config.Error.
func New(cfg Config, deps Deps) (*Gateway, error) {
	wrong := &config.Error{}
	for _, p := range cfg.problems() {
		wrong.Problems = append(wrong.Problems, p.name+": "+p.text)
	}
	switch {
	case len(wrong.Problems) > 0:
		return nil, wrong
	case deps.DB == nil || deps.Log == nil || deps.Registry == nil:
		return nil, errors.New("make gateway: the database, the log and the registry are required")
	}
	cfg = cfg.withDefaults()
	if deps.Failpoint == nil {
		deps.Failpoint = func(string) {}
	}
	jobs, err := queue.NewInserter(deps.DB)
	if err != nil {
		return nil, fmt.Errorf("make gateway: %w", err)
	}
	inFlight := make(chan struct{}, cfg.MaxInFlight)
	metrics, err := newMetrics(deps.Registry, len(cfg.Secrets), func() float64 { return float64(len(inFlight)) })
	if err != nil {
		return nil, fmt.Errorf("make gateway: %w", err)
	}
	g := &Gateway{cfg: cfg, deps: deps, log: deps.Log, store: store.New(deps.DB)}
	g.inbox = &inbox{db: deps.DB, store: g.store, jobs: jobs, waker: queue.NewWaker(deps.DB, deps.Log), failpoint: deps.Failpoint}
	if deps.Inbox == nil {
		deps.Inbox = &pipeline{commit: g.inbox.commit, again: store.Retryable}
	}
	g.receiver = &receiver{
		verifier: newVerifier(cfg.Secrets), cfg: cfg, log: deps.Log, metrics: metrics, inbox: deps.Inbox, quarantine: g.store.Quarantine,
		bodies: newBodies(cfg.BodyMemory), inFlight: inFlight, failpoint: deps.Failpoint,
	}
	return g, nil
}

// Addr gives the address where webhooks are received, "" before Run is ready.
func (g *Gateway) Addr() string { return text(&g.addr) }

// GRPCAddr gives the address of ReviewService, "" before Run is ready and when it is off.
func (g *Gateway) GRPCAddr() string { return text(&g.grpcAddr) }

func text(v *atomic.Value) string {
	s, _ := v.Load().(string)
	return s
}

// Run serves until ctx ends: the webhook last, so that it begins and ends with everything else there. What was accepted
// is answered before it returns.
func (g *Gateway) Run(ctx context.Context, ready func()) error {
	// From the end of ctx on we are not ready, though we still answer.
	defer context.AfterFunc(ctx, func() { g.draining.Store(true) })()
	listener := g.store.NewListener(g.log, g.cfg.WatchPoll)
	parts := []lifecycle.Service{
		{Name: "gateway health", Run: g.watchHealth, StopTimeout: partStop},
		{Name: "gateway listener", Run: listener.Run, StopTimeout: partStop},
		{Name: "gateway janitor", Run: g.cleanUp, StopTimeout: partStop},
	}
	if g.cfg.AdminAddr != Off {
		admin := telemetry.AdminServer(g.cfg.AdminAddr, g.deps.Registry, g.ready, true)
		parts = append(parts, lifecycle.Service{Name: "gateway admin", Run: admin.Run})
	}
	if g.cfg.GRPCAddr != Off {
		parts = append(parts, lifecycle.Service{Name: "gateway reviews", Run: func(ctx context.Context, ready func()) error {
			return g.serveReviews(ctx, ready, listener)
		}})
	}
	parts = append(parts, lifecycle.Service{Name: "gateway webhook", StopTimeout: g.cfg.StopTimeout + partStop,
		Run: func(ctx context.Context, up func()) error {
			return g.serveWebhook(ctx, func() {
				up()
				if ready != nil {
					ready()
				}
			})
		}})
	err := lifecycle.Run(ctx, g.log, parts...)
	g.inbox.waker.Wait()
	if err != nil {
		return fmt.Errorf("run gateway: %w", err)
	}
	return nil
}

func (g *Gateway) serveWebhook(ctx context.Context, ready func()) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", g.cfg.Addr)
	if err != nil {
		return fmt.Errorf("receive webhooks: %w", err)
	}
	server := &http.Server{
		Handler:           g.handler(),
		ReadHeaderTimeout: g.cfg.HeaderTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
	g.addr.Store(listener.Addr().String())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	g.log.InfoContext(ctx, "gateway receives webhooks", "address", g.Addr())
	ready()
	select {
	case err := <-served:
		return fmt.Errorf("receive webhooks: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.cfg.StopTimeout)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		g.log.WarnContext(ctx, "gateway cut requests that did not end", telemetry.KeyError, err)
		_ = server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("receive webhooks: %w", err)
	}
	return nil
}

// handler answers on the public port: the webhook and health, and nothing else.
func (g *Gateway) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(webhookPath, g.receiver)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := g.ready(); err != nil {
			plain(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		plain(w, http.StatusOK, "ok")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Whoever handles the request, and whether it is read or thrown away: it comes within this time.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.cfg.BodyTimeout))
		mux.ServeHTTP(w, r)
	})
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, text) // the client may have gone
}

func (g *Gateway) serveReviews(ctx context.Context, ready func(), listener *store.Listener) error {
	server, err := rpc.NewServer(rpc.ServerConfig{
		Name: "gateway", Addr: g.cfg.GRPCAddr, TLS: g.cfg.Mesh.TLS, Plaintext: g.cfg.Mesh.Plaintext,
		AllowedClients: g.cfg.Clients, ConnectionAge: watchAge, ConnectionGrace: watchAge, DrainTimeout: callDrain,
	}, g.log, g.deps.Registry)
	if err != nil {
		return err
	}
	reviewv1.RegisterReviewServiceServer(server.Registrar(), &reviews{
		callers: callers{token: g.cfg.APIToken, tls: !g.cfg.Mesh.TLS.IsZero()},
		log:     g.log, inbox: g.inbox, store: g.store, listener: listener, timeout: g.cfg.StoreTimeout, stopping: ctx.Done(),
	})
	g.grpcAddr.Store(server.Addr())
	telling := make(chan struct{})
	go func() {
		defer close(telling)
		g.tellHealth(ctx, server)
	}()
	defer func() { <-telling }()
	return server.Run(ctx, ready)
}
