package orchestrator

import (
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/openrabbit/openrabbit/internal/queue"
)

// Missed says how deliveries and heads are looked for that GitHub did not get to us.
type Missed struct {
	// Every is how often the list of what GitHub sent is read; 0 means 5 minutes, negative never.
	Every time.Duration
	// Young is how old a sending must be to count as missed; 0 means a minute.
	Young time.Duration
	// Pace is the pause after each request for a redelivery; 0 means a second, which is what GitHub asks for.
	Pace time.Duration
	// AskAgain is when a delivery that was asked for and did not come is asked for again, doubled each time up to two
	// hours; 0 means 10 minutes.
	AskAgain time.Duration
	// SweepEvery is how often the open pull requests of each installation are looked through; 0 means a day, negative
	// never.
	SweepEvery time.Duration
	// SweepSpread is the time over which the sweeps of several installations begin; 0 means an hour.
	SweepSpread time.Duration
	// SweepPause is the pause after every 50 calls of a sweep, which makes them a fifth of what GitHub grants; 0 means 3
	// minutes.
	SweepPause time.Duration
}

const (
	defaultMissedEvery = 5 * time.Minute
	defaultSweepOfAll  = 24 * time.Hour
	// syncTick is how often it is looked for installations that are due. A timer of a day would begin anew with every
	// leader, and never end where there is one a day.
	syncTick = time.Hour
)

func (m Missed) withDefaults() Missed {
	set(&m.Every, defaultMissedEvery)
	set(&m.Young, time.Minute)
	set(&m.Pace, time.Second)
	set(&m.AskAgain, 10*time.Minute)
	set(&m.SweepEvery, defaultSweepOfAll)
	set(&m.SweepSpread, time.Hour)
	set(&m.SweepPause, 3*time.Minute)
	return m
}

// addUpkeepWorkers registers the workers of the periodic jobs. Every orchestrator may become leader and knows all kinds:
// a leader discards jobs of those that it does not know.
func (o *Orchestrator) addUpkeepWorkers(workers *river.Workers) error {
	if err := river.AddWorkerSafely(workers, &redeliverWorker{Orchestrator: o, hooks: o.app}); err != nil {
		return fmt.Errorf("register worker: %w", err)
	}
	if err := river.AddWorkerSafely(workers, newSyncWorker(o)); err != nil {
		return fmt.Errorf("register worker: %w", err)
	}
	return nil
}

// periodicJobs are what the leader inserts. A new leader begins with one of each; what is due, Postgres knows.
func (o *Orchestrator) periodicJobs() (jobs []*river.PeriodicJob) {
	if every := o.cfg.Missed.Every; every > 0 {
		jobs = append(jobs, river.NewPeriodicJob(river.PeriodicInterval(every),
			func() (river.JobArgs, *river.InsertOpts) { return queue.RedeliverArgs{}, nil },
			&river.PeriodicJobOpts{ID: queue.KindRedeliver, RunOnStart: true}))
	}
	if every := o.cfg.Missed.SweepEvery; every > 0 {
		jobs = append(jobs, river.NewPeriodicJob(river.PeriodicInterval(min(every, syncTick)),
			func() (river.JobArgs, *river.InsertOpts) { return queue.SyncArgs{}, nil },
			&river.PeriodicJobOpts{ID: queue.KindSync, RunOnStart: true}))
	}
	return jobs
}
