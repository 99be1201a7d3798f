package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// ClientConfig is what River clients that work our jobs have in common. The zero value has usable defaults.
type ClientConfig struct {
	// JobTimeout ends an attempt; a longer review snoozes and goes on from its checkpoints. 0 means 3 minutes.
	JobTimeout time.Duration
	// RescueStuckJobsAfter gives a job to another worker when its own has vanished. It must be more than JobTimeout, or
	// a job would be worked twice at a time. 0 means 4 minutes.
	RescueStuckJobsAfter time.Duration
	// RetryInitial is the wait after the first error, doubled for each further one up to RetryMax, and spread by a
	// fifth. 0 means 5 seconds and 5 minutes. River's own policy waits the fourth power of the errors, in seconds.
	RetryInitial, RetryMax time.Duration
}

// WithDefaults gives the configuration with each zero replaced.
func (c ClientConfig) WithDefaults() ClientConfig {
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&c.JobTimeout, 3 * time.Minute}, {&c.RescueStuckJobsAfter, 4 * time.Minute},
		{&c.RetryInitial, 5 * time.Second}, {&c.RetryMax, 5 * time.Minute},
	} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	return c
}

// Validate names the first rule that the configuration breaks.
func (c ClientConfig) Validate() error {
	switch {
	case c.JobTimeout < 0 || c.RescueStuckJobsAfter < 0 || c.RetryInitial < 0 || c.RetryMax < 0:
		return errors.New("a duration of the job queue is negative")
	case c.RescueStuckJobsAfter <= c.JobTimeout:
		return fmt.Errorf("jobs are rescued after %s, which is not more than the job timeout of %s", c.RescueStuckJobsAfter, c.JobTimeout)
	case c.RetryMax < c.RetryInitial:
		return fmt.Errorf("the longest wait for a retry, %s, is less than the first, %s", c.RetryMax, c.RetryInitial)
	}
	return nil
}

// River gives River's configuration, to which the worker adds its workers and queues.
func (c ClientConfig) River(log *slog.Logger) (*river.Config, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &river.Config{
		JobTimeout:           c.JobTimeout,
		RescueStuckJobsAfter: c.RescueStuckJobsAfter,
		RetryPolicy:          &retryPolicy{initial: c.RetryInitial, max: c.RetryMax},
		Logger:               log,
	}, nil
}

// retryPolicy doubles the wait from seconds to minutes.
type retryPolicy struct{ initial, max time.Duration }

var _ river.ClientRetryPolicy = (*retryPolicy)(nil)

// NextRetry says when a job that failed just now is tried again.
func (p *retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	// The error of this attempt is not among the job's yet. A snooze leaves none.
	wait := p.wait(len(job.Errors))
	return time.Now().UTC().Add(wait - wait/5 + rand.N(wait/5*2+1))
}

// wait gives the wait after so many earlier errors, before it is spread.
func (p *retryPolicy) wait(earlier int) time.Duration {
	wait := p.initial
	for range earlier {
		if wait >= p.max/2 {
			return p.max
		}
		wait *= 2
	}
	return wait
}
