package review

import (
	"context"
	"sync"
)

// pace tells progress while finders and verifiers run side by side: the finders until the last has answered, then the
// verdicts.
type pace struct {
	run      *run
	mu       sync.Mutex
	finders  int
	looked   int
	claims   int
	verdicts int
}

// found counts a bundle that was looked at.
func (p *pace) found(ctx context.Context, claims int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looked++
	p.claims += claims
	if err := p.run.stage(ctx, StageReview, p.looked, p.finders); err != nil || p.looked < p.finders {
		return err
	}
	return p.run.stage(ctx, StageVerify, p.verdicts, p.claims)
}

// judged counts a verdict.
func (p *pace) judged(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.verdicts++
	if p.looked < p.finders {
		return ctx.Err()
	}
	return p.run.stage(ctx, StageVerify, p.verdicts, p.claims)
}
