package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// ready says why deliveries should not be sent here now, or nil.
func (g *Gateway) ready() error {
	switch {
	case g.draining.Load():
		return errors.New("the gateway stops")
	case !g.healthy.Load():
		return errors.New("the database does not answer")
	}
	return nil
}

// watchHealth asks Postgres whether it answers, until ctx ends. Strangers can ask us as often as they like.
func (g *Gateway) watchHealth(ctx context.Context, ready func()) error {
	g.ask(ctx)
	ready()
	tick := time.NewTicker(g.cfg.HealthEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			g.ask(ctx)
		}
	}
}

func (g *Gateway) ask(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	err := g.deps.DB.Ping(asking)
	if was := g.healthy.Swap(err == nil); was && err != nil && ctx.Err() == nil {
		g.log.WarnContext(ctx, "the database does not answer", telemetry.KeyError, err)
	}
}

// tellHealth keeps what gRPC's health service says true, until ctx ends.
func (g *Gateway) tellHealth(ctx context.Context, server *rpc.Server) {
	tick := time.NewTicker(min(g.cfg.HealthEvery, time.Second))
	defer tick.Stop()
	for {
		server.SetServing(g.ready() == nil)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// cleanUp deletes what is kept no longer, until ctx ends. Every gateway does it; that is fine.
func (g *Gateway) cleanUp(ctx context.Context, ready func()) error {
	ready()
	timer := time.NewTimer(min(g.cfg.CleanEvery, time.Minute))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		done, err := g.store.CleanUp(ctx, g.cfg.Retention)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			g.log.WarnContext(ctx, "clean up failed", telemetry.KeyError, err)
		default:
			g.log.DebugContext(ctx, "cleaned up", "deliveries", done.Deliveries, "quarantine", done.Quarantine, "model_calls", done.ModelCalls)
		}
		timer.Reset(g.cfg.CleanEvery)
	}
}
