package llmsvc

import (
	"context"
	"log/slog"
	"time"
)

// fallBack sends the rest of a call to the model that stands in, when there is one and the failure is one that another
// server need not have: an outage, a limit, an open breaker, or a key, a quota or a name that a person has to mend. What
// a model says about the question itself (too long, refused) is its answer. It says false when the call ends here.
//
// The attempts of a call are one number for both models; the one that stands in has one at least.
func (s *Service) fallBack(ctx context.Context, c *call, f *failure) bool {
	to := c.model.fallback
	if to == nil {
		return false
	}
	switch f.kind {
	case transient, rateLimited, breakerIsOpen, setup:
	case callerLeft, tooLong, policy, badRequest, oversize:
		return false
	default:
		return false
	}
	if !c.affords(c.worst) {
		return false
	}
	if deadline, ok := ctx.Deadline(); ctx.Err() != nil || ok && time.Until(deadline) < usefulRest {
		return false
	}
	s.metrics.fallbacks.WithLabelValues(c.model.name, to.name, f.kind.String()).Inc()
	s.log.WarnContext(ctx, "the fallback model is asked instead", slog.String("model", c.model.name), slog.String("fallback", to.name),
		slog.String("why", c.model.endpoint.inWords(f.what)))
	c.first, c.model, c.traits, c.lessons = f, to, to.memory.get(), 0
	return true
}

// lastWord gives the failure that a call with two models ends with. Where the one that stood in is set up wrongly, what
// the first said counts; and whoever is back first says when to ask again.
func (c *call) lastWord(f *failure) *failure {
	if c.first == nil {
		return f
	}
	said := f
	if f.kind == setup && c.first.kind != setup {
		said = c.first
	}
	if other := c.first.retryAfter; other > 0 && (said.retryAfter == 0 || other < said.retryAfter) {
		said.retryAfter = other
	}
	return said
}

// String names a kind, for metrics.
func (k failureKind) String() string {
	switch k {
	case callerLeft:
		return "caller_left"
	case transient:
		return "unavailable"
	case rateLimited:
		return "rate_limited"
	case breakerIsOpen:
		return "breaker_open"
	case setup:
		return "setup"
	case tooLong:
		return "too_long"
	case policy:
		return "policy"
	case badRequest:
		return "bad_request"
	case oversize:
		return "oversize"
	default:
		return "unknown"
	}
}
