// Package parsersvc is the CPU tier: ParserService over gRPC, which turns source text into exact facts with tree-sitter.
// It is stateless, holds no secrets and calls nobody.
//
// Nothing of a stranger's file is parsed in this process. It keeps a pool of children (its own program, started with a
// marker, behind walls: see internal/child), gives each one file at a time, and kills the one that does not answer. It
// promises an answer for every file, whatever the file does to its parser: facts, or a status that says why not; that a
// file costs nobody else's answer; that content which killed twice is not tried again; and that a caller is told at once
// when there is no place, so that it can ask another replica.
package parsersvc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/telemetry"
	"github.com/openrabbit/openrabbit/parsersvc/internal/child"
	"github.com/openrabbit/openrabbit/parsersvc/internal/pool"
)

// Deps are what the service is given. Both are required.
type Deps struct {
	Log      *slog.Logger
	Registry *prometheus.Registry
}

// Service is the parser tier. Make it with New, then Run it once.
type Service struct {
	cfg     Config
	deps    Deps
	rpc     *rpc.Server
	pool    *pool.Pool
	server  *server
	metrics *metrics
	// begun is closed when the first child answers.
	begun chan struct{}
	once  sync.Once
}

// New listens and gives a service that answers nothing before Run.
func New(cfg Config, deps Deps) (*Service, error) {
	s, err := newService(cfg.withDefaults(), deps)
	if err != nil {
		return nil, fmt.Errorf("make parser service: %w", err)
	}
	return s, nil
}

func newService(cfg Config, deps Deps) (*Service, error) {
	if deps.Log == nil || deps.Registry == nil {
		return nil, errors.New("a logger and a registry are required")
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, deps: deps, metrics: newMetrics(), begun: make(chan struct{})}
	command, err := cfg.command()
	if err != nil {
		return nil, err
	}
	s.pool, err = pool.New(pool.Config{
		Command: command, Children: cfg.Children, RequestsPerChild: cfg.FilesPerChild,
	}, deps.Log, observer{s})
	if err != nil {
		return nil, err
	}
	q, places := newQuarantine(quarantined), newAdmission(cfg.Children)
	if err := s.metrics.register(deps.Registry, s.pool, places, q); err != nil {
		return nil, err
	}
	s.rpc, err = rpc.NewServer(rpc.ServerConfig{
		Name: "parsersvc", Addr: cfg.Addr, TLS: cfg.Mesh.TLS, AllowedClients: cfg.allowedClients(), Plaintext: cfg.Mesh.Plaintext,
	}, deps.Log, deps.Registry)
	if err != nil {
		return nil, err
	}
	s.server = &server{
		analyst: &analyst{
			children: s.pool, quarantine: q, checker: pbconv.NewChecker(), fileTimeout: cfg.FileTimeout, log: deps.Log, metrics: s.metrics,
		},
		admission: places, metrics: s.metrics, perStream: 2 * cfg.Children,
	}
	parserv1.RegisterParserServiceServer(s.rpc.Registrar(), s.server)
	// Until a child answers, health checks of the service hear that it does not serve, not that it is unknown.
	s.rpc.SetServing(false)
	return s, nil
}

// allowedClients is empty without TLS, where nobody has a name.
func (c Config) allowedClients() []string {
	if c.Mesh.TLS.IsZero() {
		return nil
	}
	return c.Clients
}

// command gives the children's. On Linux it is this process's own file, also when that was replaced on disk.
func (c Config) command() ([]string, error) {
	path := c.Executable
	if path == "" && runtime.GOOS == "linux" {
		path = "/proc/self/exe"
	}
	if path == "" {
		var err error
		if path, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
	}
	marker := c.marker
	if marker == "" {
		marker = child.Marker
	}
	return append([]string{path}, child.Args(marker, child.Limits{Memory: int64(c.MemoryMiB) << 20})...), nil
}

// observer hears what becomes of the children.
type observer struct{ *Service }

var _ pool.Observer = observer{}

// ChildEnded counts.
func (o observer) ChildEnded(r pool.Reason) { o.metrics.ended.WithLabelValues(string(r)).Inc() }

// Serving tells health checks whether a child answers.
func (o observer) Serving(serving bool) {
	o.deps.Log.Info("parser children", "serving", serving, "children", o.pool.Children())
	o.rpc.SetServing(serving)
	if serving {
		o.once.Do(func() { close(o.begun) })
	}
}

// Addr gives the address that is served.
func (s *Service) Addr() string { return s.rpc.Addr() }

// Health says whether a child answers.
func (s *Service) Health() error {
	if s.pool.Alive() == 0 {
		return errors.New("no parser child answers")
	}
	return nil
}

// firstChild is how long the first child may take. After it something is wrong that waiting does not mend.
const firstChild = 30 * time.Second

// Run serves until ctx ends, then stops in reverse order: calls first, then children. ready is called when calls are
// accepted and a child answers; a service whose children don't start ends with an error.
func (s *Service) Run(ctx context.Context, ready func()) error {
	services := []lifecycle.Service{
		{Name: "parser children", Run: func(ctx context.Context, ready func()) error {
			ready()
			return s.pool.Run(ctx)
		}},
		{Name: "parser rpc", Run: s.rpc.Run},
	}
	if s.cfg.AdminAddr != AdminOff {
		services = append(services, lifecycle.Service{
			Name: "parser admin", Run: telemetry.AdminServer(s.cfg.AdminAddr, s.deps.Registry, s.Health, true).Run,
		})
	}
	services = append(services, lifecycle.Service{Name: "parsersvc", Run: func(ctx context.Context, done func()) error {
		timer := time.NewTimer(firstChild)
		defer timer.Stop()
		select {
		case <-s.begun:
		case <-timer.C:
			return errors.New("no parser child has started; the log says why")
		case <-ctx.Done():
			return nil
		}
		done()
		if ready != nil {
			ready()
		}
		<-ctx.Done()
		return nil
	}})
	return lifecycle.Run(ctx, s.deps.Log, services...)
}
