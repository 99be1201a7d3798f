package orchestrator

import (
	"errors"
	"fmt"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/recall"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/store"
)

// Config says how the orchestrator works. The zero value has usable defaults but for GitHub, who must be somebody.
type Config struct {
	// GitHub says who we are there. Not needed when Deps has an App.
	GitHub github.AppConfig
	// ParserTarget and ModelTarget are where the tiers are; empty means 127.0.0.1:50051 and :50052.
	ParserTarget, ModelTarget string
	// Mesh is our side of the calls to them.
	Mesh rpc.Mesh
	// Qdrant is where vectors are kept; without a URL they are kept in Postgres.
	Qdrant recall.QdrantConfig
	// Workers says how many jobs of each queue are worked at once.
	Workers Workers
	// JobTimeout bounds one attempt, which is a slice of a review; 0 means 3 minutes.
	JobTimeout time.Duration
	// RescueAfter is when an attempt counts as dead and the job is given to somebody else; it must exceed JobTimeout;
	// 0 means a minute more.
	RescueAfter time.Duration
	// StopTimeout is what running attempts have to end by themselves when the process stops; 0 means 10 s. What is cut
	// then goes on from its checkpoints.
	StopTimeout time.Duration
	// Settle is how long a write to GitHub whose answer was lost may still take to show; 0 means the timeout of a call
	// to GitHub and a second.
	Settle time.Duration
	// RetryBase is the delay after the first failed attempt, doubled after each; 0 means 2 s.
	RetryBase time.Duration
	// Patience is how long a review waits for a model that asks for a pause or a tier that cannot be reached, counted
	// from its start. Then it goes on without, and is partial. 0 means 15 minutes, negative not at all.
	Patience time.Duration
	// ReviewLife is the age at which a review that could never be finished fails; 0 means a day.
	ReviewLife time.Duration
	// VerifyAfter is when GitHub is looked at once more after a review was posted; 0 means a minute.
	VerifyAfter time.Duration
	// SweepEvery is how often reviews are looked for whose job has ended without them; 0 means a minute.
	SweepEvery time.Duration
	// Missed says how it is looked for what GitHub did not get to us.
	Missed Missed
	// Content is how much an installation may create on GitHub; 0 means GitHub's 80 a minute and 500 an hour, negative
	// is no limit, for an Enterprise Server without any.
	Content store.ContentLimits
	// Limits are the ceilings of spending; zero ones are none but ReviewTokens', where 0 means 2 million and a negative
	// number none.
	Limits store.Limits
	// AdminAddr is where metrics and health are served; empty means 127.0.0.1:9091, "off" nowhere.
	AdminAddr string
}

// Workers are numbers of jobs worked at once. Each holds up to three connections to Postgres. A zero means the default.
type Workers struct {
	// Fast and Slow are for reviews: 8 and 2.
	Fast, Slow int
	// Index is for indexing: 1.
	Index int
	// Interactive is for what a person waits for: 4.
	Interactive int
	// Upkeep is for the periodic jobs: 2.
	Upkeep int
}

const (
	defaultParserTarget = "127.0.0.1:50051"
	defaultModelTarget  = "127.0.0.1:50052"
	defaultAdminAddr    = "127.0.0.1:9091"
	adminOff            = "off"

	defaultJobTimeout   = 3 * time.Minute
	defaultStopTimeout  = 10 * time.Second
	defaultRetryBase    = 2 * time.Second
	defaultPatience     = 15 * time.Minute
	defaultReviewLife   = 24 * time.Hour
	defaultSweepEvery   = time.Minute
	defaultVerifyAfter  = time.Minute
	defaultReviewTokens = 2_000_000
	// What GitHub documents for content that is created.
	defaultContentMinute = 80
	defaultContentHour   = 500

	// publishReserve is the part of an attempt that is kept for publishing.
	publishReserve = 40 * time.Second
)

// ConfigFromEnv reads the configuration.
func ConfigFromEnv(env *config.Env) Config {
	env.Require("GITHUB_APP_ID", "to call GitHub as the App")
	env.Require("GITHUB_APP_PRIVATE_KEY", "to call GitHub as the App")
	workers := env.Int("OPENRABBIT_WORKERS", 8, 1, 500)
	const most, most32 = 1 << 50, 1 << 30
	never := func(d time.Duration) time.Duration {
		if d == 0 {
			return -1
		}
		return d
	}
	content := store.ContentLimits{
		Minute: env.Int("OPENRABBIT_GITHUB_CONTENT_PER_MINUTE", defaultContentMinute, 0, most32),
		Hour:   env.Int("OPENRABBIT_GITHUB_CONTENT_PER_HOUR", defaultContentHour, 0, most32),
	}
	for _, limit := range []*int{&content.Minute, &content.Hour} {
		if *limit == 0 {
			*limit = -1
		}
	}
	reviewTokens := env.Int64("OPENRABBIT_BUDGET_REVIEW_TOKENS", defaultReviewTokens, 0, most)
	if reviewTokens == 0 {
		reviewTokens = -1
	}
	return Config{
		GitHub: github.AppConfig{
			AppID: env.Int64("GITHUB_APP_ID", 0, 0, most), PrivateKey: env.Secret("GITHUB_APP_PRIVATE_KEY"),
			APIURL: env.URL("GITHUB_API_URL", ""), Timeout: env.Duration("OPENRABBIT_GITHUB_TIMEOUT", 0),
		},
		ParserTarget: env.String("OPENRABBIT_PARSER_TARGET", defaultParserTarget),
		ModelTarget:  env.String("OPENRABBIT_LLM_TARGET", defaultModelTarget),
		Mesh:         rpc.MeshFromEnv(env),
		Qdrant:       recall.QdrantConfig{URL: env.URL("QDRANT_URL", ""), APIKey: env.Secret("QDRANT_API_KEY")},
		Workers: Workers{
			Fast: workers, Slow: max(1, workers/4), Index: env.Int("OPENRABBIT_INDEX_WORKERS", 1, 1, 100),
			Interactive: max(1, workers/2),
		},
		JobTimeout:  env.Duration("OPENRABBIT_JOB_TIMEOUT", 0),
		RescueAfter: env.Duration("OPENRABBIT_RESCUE_AFTER", 0),
		StopTimeout: env.Duration("OPENRABBIT_STOP_TIMEOUT", 0),
		Settle:      env.Duration("OPENRABBIT_SETTLE", 0),
		RetryBase:   env.Duration("OPENRABBIT_RETRY_BASE", 0),
		Patience:    never(env.Duration("OPENRABBIT_PATIENCE", defaultPatience)),
		Missed: Missed{
			Every:      never(env.Duration("OPENRABBIT_REDELIVER_EVERY", defaultMissedEvery)),
			Young:      env.Duration("OPENRABBIT_REDELIVER_YOUNG", 0),
			Pace:       env.Duration("OPENRABBIT_REDELIVER_PACE", 0),
			AskAgain:   env.Duration("OPENRABBIT_REDELIVER_AGAIN", 0),
			SweepEvery: never(env.Duration("OPENRABBIT_SWEEP_EVERY", defaultSweepOfAll)),
		},
		VerifyAfter: env.Duration("OPENRABBIT_VERIFY_AFTER", 0),
		Content:     content,
		Limits: store.Limits{
			ReviewTokens:          reviewTokens,
			RepositoryDayTokens:   env.Int64("OPENRABBIT_BUDGET_REPOSITORY_DAY_TOKENS", 0, 0, most),
			InstallationDayTokens: env.Int64("OPENRABBIT_BUDGET_INSTALLATION_DAY_TOKENS", 0, 0, most),
			RepositoryDayMicros:   env.Int64("OPENRABBIT_BUDGET_REPOSITORY_DAY_MICROS", 0, 0, most),
			InstallationDayMicros: env.Int64("OPENRABBIT_BUDGET_INSTALLATION_DAY_MICROS", 0, 0, most),
		},
		AdminAddr: env.String("OPENRABBIT_ORCHESTRATOR_ADMIN_ADDR", defaultAdminAddr),
	}
}

// withDefaults gives the configuration with every zero replaced.
func (c Config) withDefaults() Config {
	set(&c.ParserTarget, defaultParserTarget)
	set(&c.ModelTarget, defaultModelTarget)
	set(&c.AdminAddr, defaultAdminAddr)
	set(&c.Workers.Fast, 8)
	set(&c.Workers.Slow, 2)
	set(&c.Workers.Index, 1)
	set(&c.Workers.Interactive, 4)
	set(&c.Workers.Upkeep, 2)
	set(&c.JobTimeout, defaultJobTimeout)
	set(&c.RescueAfter, c.JobTimeout+time.Minute)
	set(&c.StopTimeout, defaultStopTimeout)
	set(&c.GitHub.Timeout, github.DefaultTimeout)
	set(&c.Settle, c.GitHub.Timeout+time.Second)
	set(&c.RetryBase, defaultRetryBase)
	set(&c.Patience, defaultPatience)
	set(&c.ReviewLife, defaultReviewLife)
	set(&c.SweepEvery, defaultSweepEvery)
	c.Missed = c.Missed.withDefaults()
	set(&c.VerifyAfter, defaultVerifyAfter)
	set(&c.Content.Minute, defaultContentMinute)
	set(&c.Content.Hour, defaultContentHour)
	set(&c.Limits.ReviewTokens, defaultReviewTokens)
	c.Limits.ReviewTokens = max(0, c.Limits.ReviewTokens)
	return c
}

// set gives a zero value its default.
func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// validate says in words what cannot be.
func (c Config) validate() error {
	var problems []error
	complain := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	complain(c.JobTimeout < 0, "job timeout %s: must be positive", c.JobTimeout)
	complain(c.RescueAfter <= c.JobTimeout, "rescue after %s: must be longer than the job timeout of %s, or attempts run twice", c.RescueAfter, c.JobTimeout)
	complain(c.Settle < 0 || c.RetryBase < 0, "settle %s and retry base %s: must be positive", c.Settle, c.RetryBase)
	complain(min(c.Workers.Fast, c.Workers.Slow, c.Workers.Index, c.Workers.Interactive, c.Workers.Upkeep) < 1, "workers %+v: each queue needs one", c.Workers)
	return errors.Join(problems...)
}

// reserve is the end of an attempt that is kept for publishing.
func (c Config) reserve() time.Duration { return min(publishReserve, c.JobTimeout/4) }
