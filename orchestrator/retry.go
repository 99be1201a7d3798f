package orchestrator

import (
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// maxRetryDelay is the longest pause between two attempts. River's own policy waits forty minutes for the seventh.
const maxRetryDelay = 4 * time.Minute

// retryPolicy doubles the pause after each failed attempt. A snooze is no attempt.
type retryPolicy struct {
	base time.Duration
}

// NextRetry implements river.ClientRetryPolicy.
func (p retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(jitter(p.delay(job.Attempt)))
}

// delay gives the pause after an attempt, without jitter.
func (p retryPolicy) delay(attempt int) time.Duration {
	delay := p.base
	for range attempt - 1 {
		if delay *= 2; delay >= maxRetryDelay {
			return maxRetryDelay
		}
	}
	return min(delay, maxRetryDelay)
}

// jitter lengthens a pause by up to a fifth, so that those who failed together don't come back together.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d + rand.N(d/5+1)
}
