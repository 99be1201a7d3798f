// Package pool keeps parser children: it starts them before they are needed, gives them requests, kills the one that
// does not answer in time, and puts another in its place, which is ready.
//
// A child works on one request at a time. While all are busy, one more may lie in each child's pipe, so that the child
// goes on without waiting for us. It is in nobody's hands there: a child that has nothing to do gets it, and so does
// another when its child dies, because who has read its token has the request (see package wire).
//
// It promises that a request ends within its limit, counted from when a child begins it, and a little more, whatever the
// child does; that a child which is killed, crashes or lies costs only the request it was working on; that requests are
// given out in the order in which they came, but for those of a child that died; and that no child outlives the pool.
package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openrabbit/openrabbit/parsersvc/internal/wire"
)

// Config says how a pool works. Command is required; zero values of the rest mean the defaults.
type Config struct {
	// Command is the child's program and its arguments.
	Command []string
	// Children is how many work; one more is kept ready. 0 means one for each processor.
	Children int
	// RequestsPerChild is after how many requests a child is replaced. 0 means 500.
	RequestsPerChild int
	// StartTimeout bounds the time from a child's start to its first word. 0 means 10 s.
	StartTimeout time.Duration
}

func (c Config) withDefaults() Config {
	if c.Children <= 0 {
		c.Children = runtime.GOMAXPROCS(0)
	}
	if c.RequestsPerChild <= 0 {
		c.RequestsPerChild = 500
	}
	if c.StartTimeout <= 0 {
		c.StartTimeout = 10 * time.Second
	}
	return c
}

// Reason is why a child was replaced.
type Reason string

// The reasons.
const (
	Recycled Reason = "recycled"
	Grown    Reason = "grown"
	TimedOut Reason = "timed_out"
	Crashed  Reason = "crashed"
	Stopped  Reason = "stopped"
)

// Observer is told what happens to children. It must not block.
type Observer interface {
	// ChildEnded is told why a child ended.
	ChildEnded(Reason)
	// Serving is told when the first child answers, and when none does any more.
	Serving(bool)
}

// Killed is the error of a request that its child did not survive.
type Killed struct {
	// Reason is TimedOut or Crashed.
	Reason Reason
	// Detail is one sentence, without anything of the request.
	Detail string
	// Limit is what the child had: less than the request's when the caller's deadline came first.
	Limit time.Duration
}

func (k *Killed) Error() string { return "parser child " + string(k.Reason) + ": " + k.Detail }

// Failed is the error of a request that the child could not do, for a reason of its own. The child lives.
type Failed struct{ Detail string }

func (f *Failed) Error() string { return "parser child failed: " + f.Detail }

// ErrStopped is the error of a request to a pool that has stopped.
var ErrStopped = errors.New("parser pool has stopped")

// Request is one request to any child.
type Request struct {
	Kind wire.Kind
	// Limit is how long the child may take for it.
	Limit time.Duration
	// Message is the body.
	Message []byte
}

// Pool is a set of children. Make it with New, then Run it once.
type Pool struct {
	cfg      Config
	log      *slog.Logger
	observer Observer
	forker   *forker
	told     atomic.Bool
	// spares has a child that is ready to take another's place; it is started when the first child has begun.
	spares chan *process
	begun  chan struct{}
	once   sync.Once
	// ending are children that are being ended.
	ending sync.WaitGroup

	mu sync.Mutex
	// waiting are the requests that no child has, the next one first.
	waiting []*job
	// desks are those of the children that answer.
	desks   []*desk
	stopped bool
}

// New gives a pool that does nothing before Run. log and observer are required.
func New(cfg Config, log *slog.Logger, observer Observer) (*Pool, error) {
	if len(cfg.Command) == 0 || log == nil || observer == nil {
		return nil, errors.New("make parser pool: a command, a logger and an observer are required")
	}
	return &Pool{
		cfg: cfg.withDefaults(), log: log, observer: observer, forker: newForker(),
		spares: make(chan *process), begun: make(chan struct{}),
	}, nil
}

// Children gives how many children work when all do.
func (p *Pool) Children() int { return p.cfg.Children }

// Busy gives how many children have a request.
func (p *Pool) Busy() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, d := range p.desks {
		if d.current != nil {
			n++
		}
	}
	return n
}

// Alive gives how many children answer.
func (p *Pool) Alive() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.desks)
}

// Run keeps the children until ctx ends, then kills them, and returns nil. Requests under way end with ErrStopped.
func (p *Pool) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	workers.Go(func() { p.keepSpare(ctx) })
	for range p.cfg.Children {
		workers.Go(func() { p.work(ctx) })
	}
	<-ctx.Done()
	p.stop()
	workers.Wait()
	p.ending.Wait()
	p.forker.stop()
	return nil
}

// Do has a request done by a child and waits for the answer. A request never goes on past ctx's deadline: the child is
// killed there, as at the end of its limit. When ctx is cancelled, Do gives its error and the child finishes for nobody,
// so that a caller who gives up costs no child.
func (p *Pool) Do(ctx context.Context, req Request) ([]byte, error) {
	if len(req.Message) > wire.MaxRequest/2 {
		return nil, fmt.Errorf("ask parser child: %w", wire.ErrTooLarge)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j := &job{req: req, answer: make(chan result, 1)}
	j.deadline, _ = ctx.Deadline()
	if err := p.enter(j); err != nil {
		return nil, err
	}
	select {
	case r := <-j.answer:
		return r.body, r.err
	case <-ctx.Done():
	}
	if !p.leave(j) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		// The child is killed at the same deadline, and that is said.
		timer := time.NewTimer(lastWord)
		defer timer.Stop()
		select {
		case r := <-j.answer:
			return r.body, r.err
		case <-timer.C:
		}
	}
	return nil, ctx.Err()
}

const (
	// killMargin is how long before its caller's deadline a child is killed, and lastWord how long after it that may be
	// said. A server keeps more than that back.
	killMargin = 10 * time.Millisecond
	lastWord   = 30 * time.Millisecond
)
