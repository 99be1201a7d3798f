package github

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Gate keeps the calls of one installation within GitHub's limits, together with every other worker's.
type Gate interface {
	// Enter asks whether a request may be sent now; with a wait it may not. Units is what it creates on GitHub, 0 for
	// one that creates nothing; they are written down under the ticket.
	Enter(ctx context.Context, units int) (ticket int64, wait time.Duration, err error)
	// Settle corrects the units of a request that created fewer.
	Settle(ctx context.Context, ticket int64, units int) error
	// Limited tells that GitHub refused a call for its limits: for how long, or 0 when it did not say. It gives how long
	// to leave GitHub alone.
	Limited(ctx context.Context, told time.Duration) (time.Duration, error)
}

// Behind gives the client with a gate before each of its requests. What the gate does not let through fails as
// RateLimited and is not sent.
func (c *Client) Behind(g Gate) *Client {
	gated := *c
	gated.gh = newGitHub(c.gh.BaseURL, &gatekeeper{gate: g, next: c.gh.Client().Transport})
	return &gated
}

// noteTimeout bounds telling the gate of a limit when the call's own time is over.
const noteTimeout = 5 * time.Second

// gatekeeper is the outermost of our transports.
type gatekeeper struct {
	gate Gate
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (k *gatekeeper) RoundTrip(req *http.Request) (*http.Response, error) {
	ticket, wait, err := k.gate.Enter(req.Context(), units(req))
	switch {
	case err != nil && req.Context().Err() != nil:
		closeBody(req)
		return nil, notReached(req.Context().Err())
	case err != nil:
		closeBody(req)
		return nil, &Error{Kind: Unavailable, Message: "not sent: the limits are not known: " + clean(err.Error(), nil)}
	case wait > 0:
		closeBody(req)
		return nil, &Error{Kind: RateLimited, RetryAfter: wait, Resource: ResourceOwn, Message: "not sent: the limits are used up"}
	}
	resp, err := k.next.RoundTrip(req)
	var e *Error
	if err == nil || !errors.As(err, &e) {
		return resp, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), noteTimeout)
	defer cancel()
	if e.Kind == RateLimited {
		told := e.RetryAfter
		if e.Guessed {
			told = 0
		}
		if wait, err := k.gate.Limited(ctx, told); err == nil {
			limited := *e
			limited.RetryAfter = max(wait, e.RetryAfter)
			return nil, &limited
		}
		return nil, e // it still says how long to wait, to this worker alone
	}
	if ticket != 0 && e.Status == http.StatusUnprocessableEntity {
		// At most the body was created. When this is not noted, we only wait for longer.
		_ = k.gate.Settle(ctx, ticket, 1)
	}
	return nil, e
}

// notReached is the error of a request that was not sent because its context ended before.
func notReached(cause error) *Error {
	e := &Error{Kind: Unavailable, Message: "cancelled", cause: context.Canceled}
	if errors.Is(cause, context.DeadlineExceeded) {
		e.Message, e.cause = "no answer in time", context.DeadlineExceeded
	}
	return e
}

type unitsKey struct{}

// withUnits says how much the call made with the context creates.
func withUnits(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, unitsKey{}, n)
}

// units gives how much a request creates. GitHub limits "content-generating requests" and does not say how it counts a
// review with comments; a single request with several dozen has been refused as too much, so each comment counts.
// Edits and deletions create nothing.
func units(req *http.Request) int {
	if n, ok := req.Context().Value(unitsKey{}).(int); ok {
		return n
	}
	if req.Method == http.MethodPost {
		return 1
	}
	return 0
}
