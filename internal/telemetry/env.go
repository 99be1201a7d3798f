package telemetry

import (
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openrabbit/openrabbit/internal/config"
)

// FromEnv gives one service its logger, which names the service in every record, and its registry.
// It reads OPENRABBIT_LOG_FORMAT (text or json) and OPENRABBIT_LOG_LEVEL (debug, info, warn or error).
func FromEnv(env *config.Env, service string, w io.Writer) (*slog.Logger, *prometheus.Registry) {
	format := env.OneOf("OPENRABBIT_LOG_FORMAT", "text", "text", "json")
	level := env.OneOf("OPENRABBIT_LOG_LEVEL", "info", "debug", "info", "warn", "error")
	return NewLogger(w, format, ParseLevel(level)).With(KeyService, service), NewRegistry(service)
}
