// Package pool keeps parser children: it starts them before they are needed, gives each one request at a time, kills
// the one that does not answer in time, and starts another in its place.
//
// It promises that a request ends within its limit and a little more, whatever the child does; that a child which is
// killed, crashes or lies costs only the request it had; that no more requests wait than the queue holds; and that no
// child outlives the pool.
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
	// Children is how many there are. 0 means one for each processor.
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
	jobs     chan *job
	stopped  chan struct{}
	forker   *forker
	alive    atomic.Int32
	// busy is how many children have a request.
	busy atomic.Int32
	told atomic.Bool
}

// job is a request on its way. It is answered once, into a channel that holds the answer if nobody waits any more.
type job struct {
	ctx    context.Context
	req    Request
	answer chan result
}

type result struct {
	body []byte
	err  error
}

// New gives a pool that does nothing before Run. log and observer are required.
func New(cfg Config, log *slog.Logger, observer Observer) (*Pool, error) {
	if len(cfg.Command) == 0 || log == nil || observer == nil {
		return nil, errors.New("make parser pool: a command, a logger and an observer are required")
	}
	return &Pool{
		cfg: cfg.withDefaults(), log: log, observer: observer,
		jobs: make(chan *job), stopped: make(chan struct{}), forker: newForker(),
	}, nil
}

// Children gives how many children there are.
func (p *Pool) Children() int { return p.cfg.Children }

// Busy gives how many children have a request.
func (p *Pool) Busy() int { return int(p.busy.Load()) }

// Alive gives how many children answer.
func (p *Pool) Alive() int { return int(p.alive.Load()) }

// Run keeps the children until ctx ends, then kills them, and returns nil. Requests under way end with ErrStopped.
func (p *Pool) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for range p.cfg.Children {
		workers.Go(func() { p.work(ctx) })
	}
	<-ctx.Done()
	close(p.stopped)
	workers.Wait()
	p.forker.stop()
	return nil
}

// Do sends a request to the next free child and waits for its answer. A request never goes on past ctx's deadline: the
// child is killed there, as at the end of its limit. When ctx is cancelled, Do gives its error and the child finishes for
// nobody, so that a caller who gives up costs no child.
// A request never goes on past ctx's deadline: the child is killed there, as at the end of its limit.
func (p *Pool) Do(ctx context.Context, req Request) ([]byte, error) {
	if len(req.Message) > wire.MaxRequest/2 {
		return nil, fmt.Errorf("ask parser child: %w", wire.ErrTooLarge)
	}
	j := &job{ctx: ctx, req: req, answer: make(chan result, 1)}
	select {
	case p.jobs <- j:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.stopped:
		return nil, ErrStopped
	}
	select {
	case r := <-j.answer:
		return r.body, r.err
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		// The worker sees the same deadline, and says that the child was killed at it.
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
	// killMargin is how long before its caller's deadline a child is killed, and lastWord how long after it the worker
	// has to say so. A server keeps more than that back.
	killMargin = 10 * time.Millisecond
	lastWord   = 30 * time.Millisecond
)

// Pauses between attempts to start a child that does not start.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// work keeps one child after the other until ctx ends.
func (p *Pool) work(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		proc, err := p.start(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			p.log.Error("parser child did not start", "error", err, "pause", pause)
			if p.alive.Load() == 0 && p.told.Swap(false) {
				p.observer.Serving(false)
			}
			if !sleep(ctx, pause) {
				return
			}
			pause = min(2*pause, lastPause)
			continue
		}
		pause = firstPause
		p.count(1)
		reason := p.serve(ctx, proc)
		p.count(-1)
		proc.end()
		p.observer.ChildEnded(reason)
	}
}

// sleep waits, or gives false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// count keeps the number of children that answer. The first is news. That there is none for the moment in which one
// takes another's place is not: that is told when the other does not start.
func (p *Pool) count(n int32) {
	if p.alive.Add(n) > 0 && !p.told.Swap(true) {
		p.observer.Serving(true)
	}
}

// serve gives requests to a child until it must be replaced, and says why.
func (p *Pool) serve(ctx context.Context, proc *process) Reason {
	for range p.cfg.RequestsPerChild {
		select {
		case <-ctx.Done():
			return Stopped
		case <-proc.done:
			// It ended without being asked anything.
			p.log.Warn("parser child ended by itself", "detail", proc.detail())
			return Crashed
		case j := <-p.jobs:
			if err := j.ctx.Err(); err != nil {
				j.answer <- result{err: err}
				continue
			}
			if deadline, ok := j.ctx.Deadline(); ok {
				j.req.Limit = min(j.req.Limit, time.Until(deadline)-killMargin)
			}
			if j.req.Limit <= 0 {
				j.answer <- result{err: context.DeadlineExceeded}
				continue
			}
			p.busy.Add(1)
			body, reason, err := proc.ask(ctx, j.req)
			p.busy.Add(-1)
			if ctx.Err() != nil && reason != "" {
				err, reason = ErrStopped, Stopped
			}
			j.answer <- result{body, err}
			if reason != "" {
				return reason
			}
		}
	}
	return Recycled
}

// start gives a child that has said hello.
func (p *Pool) start(ctx context.Context) (*process, error) {
	proc, err := p.forker.start(p.cfg.Command)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.cfg.Command[0], err)
	}
	walls, err := proc.greet(ctx, p.cfg.StartTimeout)
	if err != nil {
		proc.end()
		return nil, err
	}
	p.log.Debug("parser child started", "walls", walls)
	return proc, nil
}
