package llmsvc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// drainTimeout is what running calls have at the stop: less than what Kubernetes gives a pod, and enough for most
// answers, which were paid for.
const drainTimeout = 25 * time.Second

var errNotServing = errors.New("llmsvc does not serve yet, or no more")

// Run serves until ctx ends: the admin endpoints first, then LLMService. It serves without a model, too, and says so.
// It is called once.
func (s *Service) Run(ctx context.Context, ready func()) error {
	defer func() {
		for _, e := range s.endpoints {
			e.close()
		}
	}()
	server, err := rpc.NewServer(rpc.ServerConfig{
		Name: "llmsvc", Addr: s.cfg.Addr, TLS: s.cfg.Mesh.TLS, Plaintext: s.cfg.Mesh.Plaintext, AllowedClients: s.cfg.Clients,
		DrainTimeout: drainTimeout,
	}, s.log, s.reg)
	if err != nil {
		return fmt.Errorf("run the model tier: %w", err)
	}
	defer server.Stop()
	llmv1.RegisterLLMServiceServer(server.Registrar(), &handlers{service: s})
	s.addr.Store(server.Addr())
	s.announce()
	var serving atomic.Bool
	main := lifecycle.Service{Name: "llmsvc", StopTimeout: drainTimeout + 5*time.Second}
	main.Run = func(ctx context.Context, up func()) error {
		defer context.AfterFunc(ctx, func() { serving.Store(false) })()
		return server.Run(ctx, func() {
			server.SetServing(true)
			serving.Store(true)
			up()
			if ready != nil {
				ready()
			}
		})
	}
	services := []lifecycle.Service{main}
	if s.cfg.AdminAddr != AdminOff {
		admin := telemetry.AdminServer(s.cfg.AdminAddr, s.reg, func() error {
			if !serving.Load() {
				return errNotServing
			}
			return nil
		}, true)
		services = []lifecycle.Service{{Name: "llmsvc admin", Run: admin.Run}, main}
	}
	if err := lifecycle.Run(ctx, s.log, services...); err != nil {
		return fmt.Errorf("run the model tier: %w", err)
	}
	return nil
}

// Addr gives the address of LLMService, "" before Run listens.
func (s *Service) Addr() string {
	addr, _ := s.addr.Load().(string)
	return addr
}

// announce says in the log what is configured.
func (s *Service) announce() {
	if len(s.models) == 0 {
		s.log.Warn("no model is configured, reviews are made without one")
		return
	}
	for tier, m := range s.models {
		attrs := []any{slog.String("tier", string(tier)), slog.String("model", m.name), slog.String("server", m.endpoint.server.name)}
		if m.fallback != nil {
			attrs = append(attrs, slog.String("fallback", m.fallback.name), slog.String("fallback_server", m.fallback.endpoint.server.name))
		}
		s.log.Info("model configured", attrs...)
	}
	for _, e := range s.endpoints {
		if e.plaintextKey() {
			s.log.Warn("the model's key travels unencrypted to another machine, use https in " + e.baseVariable)
		}
	}
}
