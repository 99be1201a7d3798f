package queue

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"
)

func TestClientConfig(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	config, err := ClientConfig{}.River(log)
	if err != nil {
		t.Fatal(err)
	}
	if config.JobTimeout != 3*time.Minute || config.RescueStuckJobsAfter != 4*time.Minute || config.Logger != log || config.RetryPolicy == nil {
		t.Errorf("defaults: %+v", config)
	}
	if config, err = (ClientConfig{JobTimeout: 3 * time.Second, RescueStuckJobsAfter: 4 * time.Second}).River(log); err != nil || config.JobTimeout != 3*time.Second {
		t.Errorf("seconds: %v", err)
	}
	for want, c := range map[string]ClientConfig{
		"not more than the job timeout": {JobTimeout: 4 * time.Minute},
		"negative":                      {RetryInitial: -1},
		"less than the first":           {RetryMax: time.Second},
	} {
		if _, err := c.River(log); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v gave %v, want %q", c, err, want)
		}
	}
}

func TestRetryWaitsSecondsToMinutes(t *testing.T) {
	t.Parallel()
	policy := &retryPolicy{initial: 5 * time.Second, max: 5 * time.Minute}
	var total time.Duration
	job := &rivertype.JobRow{}
	for attempt := 1; attempt < ReviewMaxAttempts; attempt++ {
		want := min(5*time.Second<<(attempt-1), 5*time.Minute)
		got := time.Until(policy.NextRetry(job))
		if got < want*8/10-time.Second || got > want*12/10+time.Second {
			t.Errorf("after error %d it waits %s, want about %s", attempt, got, want)
		}
		total += want
		job.Errors = append(job.Errors, rivertype.AttemptError{})
	}
	if total < 20*time.Minute || total > 40*time.Minute {
		t.Errorf("the attempts of a review span %s, the comment says half an hour", total)
	}
	if got := policy.wait(1_000_000); got != policy.max {
		t.Errorf("after a million errors it waits %s", got)
	}
	if got := (&retryPolicy{initial: 1, max: 1}).wait(3); got != 1 {
		t.Errorf("the least wait became %s", got)
	}
}
