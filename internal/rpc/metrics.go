package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// buckets are in seconds: a parse takes milliseconds, a model's answer minutes.
func buckets() []float64 {
	return []float64{0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120}
}

// serverMetrics count and time the calls that a server answers.
type serverMetrics struct {
	seconds *prometheus.HistogramVec
	running *prometheus.GaugeVec
}

func newServerMetrics(reg prometheus.Registerer) (*serverMetrics, error) {
	m := &serverMetrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "openrabbit_rpc_server_seconds", Help: "How long calls took to answer, by method and code.", Buckets: buckets(),
		}, []string{"method", "code"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "openrabbit_rpc_server_running", Help: "Calls that are being answered.",
		}, []string{"method"}),
	}
	var err error
	if m.seconds, err = registered(reg, m.seconds); err != nil {
		return nil, err
	}
	m.running, err = registered(reg, m.running)
	return m, err
}

// registered registers a collector, or gives the one that is there: two servers or clients may share a registry.
func registered[C prometheus.Collector](reg prometheus.Registerer, c C) (C, error) {
	if reg == nil {
		return c, errors.New("a registry is required")
	}
	err := reg.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	if err != nil {
		return c, fmt.Errorf("register metrics: %w", err)
	}
	return c, nil
}

// begin counts a call in and gives what counts it out. Health and reflection are not counted: a client's watch runs as
// long as its connection.
func (m *serverMetrics) begin(ctx context.Context, log *slog.Logger, method string) func(error) {
	if infrastructure(method) {
		return func(error) {}
	}
	begun := time.Now()
	running := m.running.WithLabelValues(method)
	running.Inc()
	return func(err error) {
		running.Dec()
		code := codeOf(err)
		took := time.Since(begun).Seconds()
		m.seconds.WithLabelValues(method, code.String()).Observe(took)
		level := slog.LevelDebug
		switch code {
		case codes.Unknown, codes.Internal, codes.DataLoss:
			level = slog.LevelError
		case codes.DeadlineExceeded, codes.PermissionDenied, codes.Unauthenticated:
			level = slog.LevelWarn
		default:
		}
		if !log.Enabled(ctx, level) {
			return
		}
		attrs := []slog.Attr{slog.String(telemetry.KeyMethod, method), slog.String("code", code.String()), slog.Float64("seconds", took)}
		if p, ok := peer.FromContext(ctx); ok {
			attrs = append(attrs, slog.String(telemetry.KeyPeer, p.Addr.String()))
		}
		if err != nil {
			attrs = append(attrs, slog.String(telemetry.KeyError, messageOf(err)))
		}
		log.LogAttrs(ctx, level, "rpc answered", attrs...)
	}
}

// codeOf gives the code that the other side will see: gRPC maps the errors of a context too.
func codeOf(err error) codes.Code {
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	return status.FromContextError(err).Code()
}

func (m *serverMetrics) unary(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		end := m.begin(ctx, log, info.FullMethod)
		resp, err := handle(ctx, req)
		end(err)
		return resp, err
	}
}

func (m *serverMetrics) stream(log *slog.Logger) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		end := m.begin(ss.Context(), log, info.FullMethod)
		err := handle(srv, ss)
		end(err)
		return err
	}
}
