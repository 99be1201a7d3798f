package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

const (
	// wakeEvery is how often workers are woken at most. More often they would not look for jobs anyway.
	wakeEvery = 20 * time.Millisecond
	// wakeTimeout bounds one notification: workers that are not woken look for jobs by themselves every second.
	wakeTimeout = time.Second
)

// notifyWorkers is one statement and one transaction that waits for no disk: it keeps nothing that may not be lost.
const notifyWorkers = `SELECT set_config('synchronous_commit', 'off', true),
	pg_notify(current_schema() || '.' || $1, payload) FROM unnest($2::text[]) AS payload`

// Waker tells River's workers of jobs that have been committed. It is apart from the transactions that insert the jobs,
// because Postgres lets one transaction with a notification commit at a time: it holds a lock of the whole database from
// before it writes its commit until the disk has it, and commits that could share a flush would each wait for their own.
//
// It has no goroutine while there is nothing to tell. The first of a burst is told at once; those that come while it is
// told, or shortly after, are told together, and none is left out. What a process that dies has not told costs its
// workers the second after which they look by themselves.
type Waker struct {
	db  *pg.DB
	log *slog.Logger

	mu     sync.Mutex
	queues map[string]struct{}
	// telling is set while a goroutine tells; done counts it.
	telling bool
	done    sync.WaitGroup
}

// NewWaker gives a waker for the workers of this database. It says in log when it can't tell them.
func NewWaker(db *pg.DB, log *slog.Logger) *Waker {
	return &Waker{db: db, log: log, queues: map[string]struct{}{}}
}

// Wake has the workers told of new jobs in queues, and waits for nothing. Call it after the commit.
func (w *Waker) Wake(queues []string) {
	if len(queues) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, queue := range queues {
		w.queues[queue] = struct{}{}
	}
	if !w.telling {
		w.telling = true
		w.done.Go(w.tell)
	}
}

// Wait returns when everything was told that was to be.
func (w *Waker) Wait() { w.done.Wait() }

// tell tells until there is nothing left to tell.
func (w *Waker) tell() {
	for {
		w.mu.Lock()
		queues := w.queues
		if len(queues) == 0 {
			w.telling = false
			w.mu.Unlock()
			return
		}
		w.queues = map[string]struct{}{}
		w.mu.Unlock()
		if err := w.notify(queues); err != nil {
			w.log.Warn("workers not woken", telemetry.KeyError, err)
		}
		time.Sleep(wakeEvery)
	}
}

func (w *Waker) notify(queues map[string]struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), wakeTimeout)
	defer cancel()
	payloads := make([]string, 0, len(queues))
	for queue := range queues {
		payloads = append(payloads, insertPayload(queue))
	}
	if _, err := w.db.Pool().Exec(ctx, notifyWorkers, insertTopic, payloads); err != nil {
		return fmt.Errorf("notify workers: %w", err)
	}
	return nil
}

// insertPayload is what River's workers are told of new jobs in a queue, a word of ours that needs no escapes.
func insertPayload(queue string) string { return `{"queue":"` + queue + `"}` }
