package orchestrator

import (
	"context"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/openrabbit/openrabbit/internal/telemetry"
)

const (
	// maxStuck is how many jobs may be stuck, past their timeout and deaf to it, before the process gives up.
	maxStuck = 3
	// stuckGrace is what they have to end all the same. A process that was paused (a machine that slept, a virtual one that
	// was moved) finds the timeouts of all its jobs passed at once, and they end as soon as they are told.
	stuckGrace = 10 * time.Second
)

// stuckJobs knows which of the running jobs are stuck.
type stuckJobs struct {
	grace time.Duration

	mu sync.Mutex
	// running says of each running job whether it is stuck.
	running map[int64]bool
	// many gets a value when there may be too many.
	many chan struct{}
}

func newStuckJobs() *stuckJobs {
	return &stuckJobs{grace: stuckGrace, running: map[int64]bool{}, many: make(chan struct{}, 1)}
}

// watch is the middleware around every job.
func (s *stuckJobs) watch(ctx context.Context, job *rivertype.JobRow, work func(ctx context.Context) error) error {
	s.mu.Lock()
	s.running[job.ID] = false
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, job.ID)
	}()
	return work(ctx)
}

// mark notes that a job is stuck, and gives the number of those that are.
func (s *stuckJobs) mark(id int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.running[id]; ok {
		s.running[id] = true
	}
	return s.count()
}

func (s *stuckJobs) count() (n int) {
	for _, stuck := range s.running {
		if stuck {
			n++
		}
	}
	return n
}

// forGood gives a channel that is closed when maxStuck jobs are stuck, and still are after the grace. It ends with over.
func (s *stuckJobs) forGood(over <-chan struct{}) <-chan struct{} {
	found := make(chan struct{})
	go func() {
		for {
			select {
			case <-s.many:
			case <-over:
				return
			}
			select {
			case <-time.After(s.grace):
			case <-over:
				return
			}
			s.mu.Lock()
			n := s.count()
			s.mu.Unlock()
			if n >= maxStuck {
				close(found)
				return
			}
		}
	}()
	return found
}

// jobStuck gives the slot of a stuck job to another one, up to a limit.
func (o *Orchestrator) jobStuck(ctx context.Context, p river.JobStuckHandlerParams) river.JobStuckHandlerResult {
	n := o.stuck.mark(p.ID)
	o.log.ErrorContext(ctx, "job is stuck", telemetry.KeyJob, p.ID, "kind", p.Kind, "stuck_jobs", n)
	if n < maxStuck {
		return river.JobStuckHandlerResult{AddWorkerSlot: true}
	}
	select {
	case o.stuck.many <- struct{}{}:
	default:
	}
	return river.JobStuckHandlerResult{}
}
