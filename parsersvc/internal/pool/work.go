package pool

import (
	"context"
	"fmt"
	"time"
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
		proc, err := p.fresh(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			p.log.Error("parser child did not start", "error", err, "pause", pause)
			if p.Alive() == 0 && p.told.Swap(false) {
				p.observer.Serving(false)
			}
			if !sleep(ctx, pause) {
				return
			}
			pause = min(2*pause, lastPause)
			continue
		}
		pause = firstPause
		reason := p.serve(proc)
		if ctx.Err() != nil {
			reason = Stopped
		}
		p.observer.ChildEnded(reason)
	}
}

// fresh gives the spare child if it is ready, or starts one.
func (p *Pool) fresh(ctx context.Context) (*process, error) {
	select {
	case proc := <-p.spares:
		return proc, nil
	default:
		return p.start(ctx)
	}
}

// keepSpare keeps one child ready until ctx ends: a start takes longer than most files, and nobody shall wait for it
// because of what another's file did. One that does not start is complained of by who needs a child.
func (p *Pool) keepSpare(ctx context.Context) {
	select {
	case <-p.begun:
	case <-ctx.Done():
	}
	for ctx.Err() == nil {
		proc, err := p.start(ctx)
		if err != nil {
			sleep(ctx, lastPause)
			continue
		}
		select {
		case p.spares <- proc:
		case <-proc.done:
			proc.end()
		case <-ctx.Done():
			proc.end()
		}
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
