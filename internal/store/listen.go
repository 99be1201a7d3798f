package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

// channel is where changes of reviews are notified.
const channel = "openrabbit_review"

// The listener's times. The poll finds what a connection that died in silence did not tell.
const (
	defaultPoll  = 5 * time.Second
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 5 * time.Second
)

// Listener tells of changes of reviews through one connection of its own, however many watch. It promises that who
// listens is woken after every change, at the latest by its poll, and sometimes without one: read the row again.
type Listener struct {
	db   *pg.DB
	log  *slog.Logger
	poll time.Duration

	mu      sync.Mutex
	waiting map[review.ID]map[chan struct{}]struct{}
}

// NewListener makes a listener; Run it. Poll is how often everybody is woken without a notification; 0 means 5 seconds.
func (s *Store) NewListener(log *slog.Logger, poll time.Duration) *Listener {
	if poll <= 0 {
		poll = defaultPoll
	}
	return &Listener{db: s.db, log: log, poll: poll, waiting: map[review.ID]map[chan struct{}]struct{}{}}
}

// Listen gives a channel that gets a value after each change of a review, until ctx ends; it is never closed. Values
// that nobody took are one. Read the review after the call: a change before it is not told.
func (l *Listener) Listen(ctx context.Context, id review.ID) <-chan struct{} {
	c := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting[id] == nil {
		l.waiting[id] = map[chan struct{}]struct{}{}
	}
	l.waiting[id][c] = struct{}{}
	context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.waiting[id], c)
		if len(l.waiting[id]) == 0 {
			delete(l.waiting, id)
		}
	})
	return c
}

// Run holds the connection until ctx ends, and connects again when it breaks. It calls ready at once: without a
// connection there is still the poll.
func (l *Listener) Run(ctx context.Context, ready func()) error {
	ready()
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		tick := time.NewTicker(l.poll)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.wakeAll()
			}
		}
	}()
	defer func() { <-polled }()
	for backoff := firstBackoff; ctx.Err() == nil; backoff = min(2*backoff, maxBackoff) {
		connected, err := l.listen(ctx)
		if ctx.Err() != nil {
			break
		}
		if connected {
			backoff = firstBackoff
		}
		l.log.WarnContext(ctx, "listening connection lost", "error", err, "retry_in", backoff)
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
	}
	return nil
}

// listen holds one connection until it breaks. connected says whether it worked at all.
func (l *Listener) listen(ctx context.Context) (connected bool, err error) {
	config := l.db.Pool().Config().ConnConfig
	opening, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(opening, config)
	if err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if _, err := conn.Exec(opening, "LISTEN "+channel); err != nil {
		return false, fmt.Errorf("listen: %w", err)
	}
	// What changed while there was no connection was told to nobody.
	l.wakeAll()
	for {
		// A connection that died in silence gives no error: ask it now and then.
		waiting, cancel := context.WithTimeout(ctx, 6*l.poll)
		n, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			l.wake(review.ID(n.Payload))
			continue
		case ctx.Err() != nil:
			return true, ctx.Err()
		case !errors.Is(err, context.DeadlineExceeded) || conn.IsClosed():
			return true, fmt.Errorf("wait: %w", err)
		}
		pinging, cancel := context.WithTimeout(ctx, 5*time.Second)
		err = conn.Ping(pinging)
		cancel()
		if err != nil {
			return true, fmt.Errorf("ping: %w", err)
		}
	}
}

func (l *Listener) wake(id review.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.waiting[id] {
		signal(c)
	}
}

func (l *Listener) wakeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, of := range l.waiting {
		for c := range of {
			signal(c)
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
