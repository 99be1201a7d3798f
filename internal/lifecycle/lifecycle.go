// Package lifecycle starts and stops the parts of a process.
//
// Starting has an order: each service begins when the one before it is ready. Stopping is the reverse, one after the
// other, each bounded in time, so a service can rely on what was started before it until its own end. It begins when
// the context ends or when a service does, whatever its reason: a process of which a part is missing does not go on.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// defaultStopTimeout is for a service that names none.
const defaultStopTimeout = 15 * time.Second

// Service is one part of a process.
type Service struct {
	Name string
	// Run runs until ctx ends and then returns nil, or ctx's error. It calls ready, once, when others may rely on it.
	Run func(ctx context.Context, ready func()) error
	// StopTimeout bounds the time from the end of ctx to Run's return; 0 means 15 seconds. A service that takes longer
	// is left behind.
	StopTimeout time.Duration
}

// running is a service that was begun.
type running struct {
	Service
	cancel context.CancelFunc
	ready  chan struct{}
	// done is closed after Run has returned; err is set before that.
	done chan struct{}
	err  error
}

// Run starts the services in order and returns when all have stopped: nil after the end of ctx, or what went wrong
// first, joined with what went wrong while stopping.
func Run(ctx context.Context, log *slog.Logger, services ...Service) error {
	var begun []*running
	ended := make(chan *running, len(services))
	var failure error

	for _, service := range services {
		if ctx.Err() != nil {
			break
		}
		r := begin(ctx, service, ended)
		begun = append(begun, r)
		select {
		case <-r.ready:
			log.Info("service is ready", "part", service.Name)
			continue
		case first := <-ended:
			failure = first.failure(ctx)
		case <-ctx.Done():
		}
		break
	}
	if failure == nil && ctx.Err() == nil && len(begun) == len(services) && len(services) > 0 {
		select {
		case first := <-ended:
			failure = first.failure(ctx)
		case <-ctx.Done():
		}
	}
	if failure != nil {
		log.Error("service ended, stopping the others", telemetry.KeyError, failure.Error())
	}
	return errors.Join(failure, stop(log, begun, failure))
}

// begin starts a service whose context ends when we say so, not when the process's does: the order of stopping is ours.
func begin(ctx context.Context, service Service, ended chan<- *running) *running {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &running{Service: service, cancel: cancel, ready: make(chan struct{}), done: make(chan struct{})}
	var once sync.Once
	go func() {
		r.err = service.Run(own, func() { once.Do(func() { close(r.ready) }) })
		close(r.done)
		ended <- r
	}()
	return r
}

// failure says why a service that should still run ended; nil when the process was asked to end meanwhile and nothing
// is wrong with it.
func (r *running) failure(ctx context.Context) error {
	asked := ctx.Err() != nil && errors.Is(r.err, context.Canceled)
	switch {
	case r.err != nil && !asked:
		return fmt.Errorf("run %s: %w", r.Name, r.err)
	case ctx.Err() != nil:
		return nil
	default:
		return fmt.Errorf("run %s: it ended by itself", r.Name)
	}
}

// stop stops the services in reverse order and gives what went wrong, without what is known already.
func stop(log *slog.Logger, begun []*running, known error) error {
	var failures []error
	for i := len(begun) - 1; i >= 0; i-- {
		r := begun[i]
		r.cancel()
		limit := r.StopTimeout
		if limit == 0 {
			limit = defaultStopTimeout
		}
		timer := time.NewTimer(limit)
		select {
		case <-r.done:
			if r.err != nil && !errors.Is(r.err, context.Canceled) && !errors.Is(known, r.err) {
				failures = append(failures, fmt.Errorf("stop %s: %w", r.Name, r.err))
			}
			log.Info("service has stopped", "part", r.Name)
		case <-timer.C:
			failures = append(failures, fmt.Errorf("stop %s: it did not end within %s", r.Name, limit))
			log.Error("service does not stop and is left behind", "part", r.Name)
		}
		timer.Stop()
	}
	return errors.Join(failures...)
}
