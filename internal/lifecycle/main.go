package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// The exit codes of every program of ours.
const (
	ExitDone       = 0
	ExitFailed     = 1
	ExitConfig     = 2
	ExitDependency = 3
)

// DependencyError says that something we rely on failed: Postgres, GitHub, a service.
type DependencyError struct {
	// What names it.
	What string
	Err  error
}

// Dependency wraps an error of something we rely on; nil stays nil.
func Dependency(what string, err error) error {
	if err == nil {
		return nil
	}
	return &DependencyError{What: what, Err: err}
}

// Error names the dependency and what is wrong with it.
func (e *DependencyError) Error() string { return e.What + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *DependencyError) Unwrap() error { return e.Err }

// ExitCode maps what a program ended with to its exit code.
func ExitCode(err error) int {
	var wrong *config.Error
	var dependency *DependencyError
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &wrong):
		return ExitConfig
	case errors.As(err, &dependency):
		return ExitDependency
	default:
		return ExitFailed
	}
}

// Main runs a program: its context ends at the first SIGINT or SIGTERM, and a second one ends the process at once. It
// prints the error, without credentials, and gives the exit code. An end by a signal is a good end.
func Main(run func(ctx context.Context) error) int {
	ctx, restore := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer restore()
	// From the first signal on, signals do again what they do by default.
	defer context.AfterFunc(ctx, restore)()
	return finish(ctx, os.Stderr, run(ctx))
}

func finish(ctx context.Context, w io.Writer, err error) int {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return ExitDone
	}
	if err != nil {
		// Nothing is left to tell about a stderr that cannot be written to.
		_, _ = fmt.Fprintln(w, telemetry.Redact(err.Error()))
	}
	return ExitCode(err)
}
