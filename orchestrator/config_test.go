package orchestrator

import (
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/queue"
)

func TestConfigFromEnv(t *testing.T) {
	t.Parallel()
	env := config.FromMap(map[string]string{
		"GITHUB_APP_ID": "7", "GITHUB_APP_PRIVATE_KEY": "key", "GITHUB_API_URL": "https://ghe.example/api/v3/",
		"OPENRABBIT_PARSER_TARGET": "parser:50051", "OPENRABBIT_LLM_TARGET": "llm:50052", "OPENRABBIT_JOB_TIMEOUT": "3s",
		"OPENRABBIT_RESCUE_AFTER": "4s", "OPENRABBIT_SETTLE": "1s", "OPENRABBIT_WORKERS": "12", "OPENRABBIT_PATIENCE": "0s",
		"OPENRABBIT_BUDGET_REVIEW_TOKENS": "0", "OPENRABBIT_BUDGET_REPOSITORY_DAY_MICROS": "5000000",
	})
	c := ConfigFromEnv(env).withDefaults()
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.validate(); err != nil {
		t.Error(err)
	}
	if c.GitHub.AppID != 7 || c.GitHub.PrivateKey.Reveal() != "key" || c.ParserTarget != "parser:50051" || c.ModelTarget != "llm:50052" {
		t.Errorf("config = %+v", c)
	}
	if c.JobTimeout != 3*time.Second || c.RescueAfter != 4*time.Second || c.Settle != time.Second || c.Workers.Fast != 12 || c.Workers.Slow != 3 {
		t.Errorf("config = %+v", c)
	}
	if c.Patience >= 0 || c.Limits.ReviewTokens != 0 || c.Limits.RepositoryDayMicros != 5_000_000 {
		t.Errorf("patience %s, limits %+v", c.Patience, c.Limits)
	}
	if def := (Config{}).withDefaults(); def.Limits.ReviewTokens != defaultReviewTokens || def.Patience != defaultPatience {
		t.Errorf("defaults = %+v", def)
	}
	bad := config.FromMap(nil)
	ConfigFromEnv(bad)
	for _, name := range []string{"GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY"} {
		if err := bad.Err(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	c := Config{JobTimeout: time.Minute, RescueAfter: time.Minute, Workers: Workers{Fast: -1}}.withDefaults()
	err := c.validate()
	for _, want := range []string{"rescue", "workers"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want one about %s", err, want)
		}
	}
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("no log, no database: no error")
	}
}

func TestRetryPolicy(t *testing.T) {
	t.Parallel()
	p := retryPolicy{base: 2 * time.Second}
	var sum time.Duration
	for attempt := 1; attempt < queue.ReviewMaxAttempts; attempt++ {
		d := p.delay(attempt)
		if attempt > 1 && d < p.delay(attempt-1) || d > maxRetryDelay {
			t.Errorf("delay after attempt %d is %s", attempt, d)
		}
		sum += d
	}
	if sum < 10*time.Minute || sum > time.Hour {
		t.Errorf("all attempts span %s", sum)
	}
	at := p.NextRetry(&rivertype.JobRow{Attempt: 1})
	if wait := time.Until(at); wait < time.Second || wait > 3*time.Second {
		t.Errorf("first retry after %s", wait)
	}
	if jitter(0) != 0 || jitter(-time.Second) != 0 {
		t.Error("jitter makes a pause of none")
	}
}

func TestReasonsAreReadable(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"newer_revision", "asked_again", "pull_request_closed", "cancelled_on_request", "under_way", "already_reviewed"} {
		if got := readable(reason); got == reason || strings.Contains(got, "_") {
			t.Errorf("%s reads %q", reason, got)
		}
	}
	if got := readable("a phrase"); got != "a phrase" {
		t.Errorf("a phrase reads %q", got)
	}
}
