package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	adminHeaderTimeout = 5 * time.Second
	// adminWriteTimeout leaves room for a profile of 30 seconds.
	adminWriteTimeout = 90 * time.Second
	adminStopTimeout  = 5 * time.Second
	adminMaxHeader    = 16 << 10
)

// Admin is the HTTP server for operators of one service, on its own address: it says a lot, so that address is
// loopback unless the operator chose otherwise.
type Admin struct {
	addr     string
	handler  http.Handler
	mu       sync.Mutex
	listener net.Listener
}

// AdminServer gives a server with /metrics from reg, /healthz (200 while the process lives), /readyz (503 while health
// gives an error; nil health is always ready) and, if profiles, /debug/pprof.
func AdminServer(addr string, reg prometheus.Gatherer, health func() error, profiles bool) *Admin {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if health != nil {
			if err := health(); err != nil {
				answer(w, http.StatusServiceUnavailable, Redact(err.Error()))
				return
			}
		}
		answer(w, http.StatusOK, "ok")
	})
	if profiles {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	}
	return &Admin{addr: addr, handler: mux}
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	// A client that has gone away is not our problem.
	_, _ = fmt.Fprintln(w, text)
}

// ServeHTTP answers one request, for a server in memory.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Addr gives the address that is listened on, "" before Run has called ready.
func (a *Admin) Addr() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listener == nil {
		return ""
	}
	return a.listener.Addr().String()
}

// Run listens and serves until ctx ends, then returns nil, within five seconds. ready is called when requests are
// accepted; it may be nil.
func (a *Admin) Run(ctx context.Context, ready func()) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", a.addr)
	if err != nil {
		return fmt.Errorf("serve admin endpoints: %w", err)
	}
	a.mu.Lock()
	a.listener = listener
	a.mu.Unlock()
	server := &http.Server{
		Handler: a.handler, ReadHeaderTimeout: adminHeaderTimeout, ReadTimeout: adminHeaderTimeout,
		WriteTimeout: adminWriteTimeout, MaxHeaderBytes: adminMaxHeader,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if ready != nil {
		ready()
	}
	select {
	case err := <-served:
		return fmt.Errorf("serve admin endpoints: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), adminStopTimeout)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		_ = server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve admin endpoints: %w", err)
	}
	return nil
}
