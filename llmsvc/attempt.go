package llmsvc

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 8 * time.Second
	// usefulRest is the least time before the caller's deadline that is worth another request.
	usefulRest = 250 * time.Millisecond
	// hangAfter is how long a server must have kept a caller waiting before the caller's deadline counts against it.
	hangAfter = 10 * time.Second
	// maxLessons bounds how often one call is asked again without something the server refused.
	maxLessons = 8
)

// call is one call of Complete or Embed under way, and what it has taken so far.
type call struct {
	model *model
	// group is whose call it is, for taking turns.
	group string
	// first is what the model's failure was when this one stands in for another.
	first *failure
	// traits are the model's as they are tried now. What a refusal taught is kept once a request went well with it.
	traits  traits
	lessons int
	// ceiling is the most tokens that the call may take, 0 for none; worst what its next request may take.
	ceiling, worst int64
	// failed counts the requests that failed and may be made again; it lasts over re-asks and batches.
	failed int
	spent  usage
	// text is what is sent, for estimates and for keeping it out of details.
	text []string
}

// request is one HTTP request: it sends with the traits and says what it used of them. A failure of the client
// library before anything was sent is an error with an untouched exchange.
type request func(ctx context.Context, t traits) (used sent, err error)

// persist sends a request until it is answered, and is the only place where a model server is asked again. The
// failure it gives is final; its retryAfter says when asking again may help.
func (s *Service) persist(ctx context.Context, c *call, limit int64, send request) *failure {
	for {
		used, f := s.attempt(ctx, c, limit, send)
		if f == nil {
			s.remember(c)
			return nil
		}
		if f.kind == callerLeft || f.kind == breakerIsOpen {
			return f
		}
		if learned, ok := s.learn(c, f, used); ok {
			c.traits = learned
			continue
		}
		if f.kind != transient && f.kind != rateLimited {
			return f
		}
		most := s.cfg.Attempts
		if c.model.fallback != nil {
			most = max(1, most-1) // the last is for who stands in
		}
		if !f.held {
			c.failed++
		}
		wait := max(f.retryAfter, backoff(max(c.failed, 1)))
		f.retryAfter = wait
		if c.failed >= most || !c.affords(c.worst) || c.model.fallback != nil && wait > maxBackoff || !s.pause(ctx, wait, f) {
			return f
		}
	}
}

// affords says whether so many tokens more stay below the call's ceiling.
func (c *call) affords(tokens int64) bool {
	return c.ceiling == 0 || c.spent.input+c.spent.output+tokens <= c.ceiling
}

// pause waits, unless the wait and a useful request after it don't fit before the caller's deadline: then, and when
// the caller leaves, it gives false.
func (s *Service) pause(ctx context.Context, wait time.Duration, f *failure) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait+usefulRest {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		f.kind, f.cause = callerLeft, ctx.Err()
		return false
	}
}

// backoff is a random part of a wait that doubles with each failure.
func backoff(failed int) time.Duration {
	ceiling := min(firstBackoff<<min(failed-1, 8), maxBackoff)
	return rand.N(ceiling + 1)
}

// attempt makes one HTTP request: it waits for its turn, asks the breaker, and bounds the time.
func (s *Service) attempt(ctx context.Context, c *call, limit int64, send request) (sent, *failure) {
	open := func(wait time.Duration) *failure {
		return &failure{kind: breakerIsOpen, retryAfter: wait, what: c.model.breaker.reason()}
	}
	if wait := c.model.breaker.blocked(time.Now()); wait > 0 {
		return sent{}, open(wait)
	}
	leave, err := c.model.endpoint.gate.enter(ctx, c.group, c.inputEstimate())
	if err != nil {
		return sent{}, &failure{kind: callerLeft, cause: err}
	}
	before := c.spent.input + c.spent.output
	defer func() { leave(int(c.spent.input + c.spent.output - before)) }()
	if wait := c.model.hold.left(time.Now()); wait > 0 {
		return sent{}, &failure{kind: rateLimited, held: true, retryAfter: wait, what: "the model server limits the rate"}
	}
	ok, probe, wait := c.model.breaker.allow(time.Now())
	if !ok {
		return sent{}, open(wait)
	}
	began := time.Now()
	x := &exchange{limit: limit}
	bounded, cancel := context.WithTimeout(withExchange(ctx, x), s.cfg.Timeout)
	defer cancel()
	s.metrics.inFlight.Inc()
	used, err := send(bounded, c.traits)
	s.metrics.inFlight.Dec()
	if said, ok := unsent(err); ok {
		c.model.breaker.report(time.Now(), probe, neutral)
		return used, &failure{kind: badRequest, status: http.StatusBadRequest, what: "the model cannot be asked like this", said: said}
	}
	c.spent.requests++
	s.metrics.http.WithLabelValues(c.model.name, statusLabel(x.status)).Inc()
	if err == nil {
		c.model.breaker.report(time.Now(), probe, alive)
		return used, nil
	}
	f := classify(x, err, ctx.Err(), bounded.Err())
	if f.kind == rateLimited && f.retryAfter > 0 {
		c.model.hold.until(time.Now().Add(f.retryAfter))
	}
	v := f.verdict()
	if f.kind == callerLeft && f.ended() && time.Since(began) >= hangAfter {
		v = broken
	}
	if v == broken {
		c.model.breaker.failed(f.what)
	}
	c.model.breaker.report(time.Now(), probe, v)
	if f.begun {
		c.spent.lost(c.model.info, c.inputTokens())
	}
	return used, f
}

// unsent says whether the client library refused a request by itself, and puts it into the words a server would use:
// it holds some model names to OpenAI's rules.
func unsent(err error) (serverError, bool) {
	switch {
	case errors.Is(err, openai.ErrReasoningModelMaxTokensDeprecated):
		return serverError{message: "the client library refuses it", param: fieldMaxTokens}, true
	case errors.Is(err, openai.ErrReasoningModelLimitationsOther), errors.Is(err, openai.ErrReasoningSamplingUnsupported):
		return serverError{message: "the client library refuses it", param: "temperature"}, true
	case errors.Is(err, openai.ErrChatCompletionInvalidModel):
		return serverError{message: "the model has no chat completions", param: "model"}, true
	}
	return serverError{}, false
}

// learn says what to leave out next time, when the failure tells or hints at it.
func (s *Service) learn(c *call, f *failure, used sent) (traits, bool) {
	if c.lessons >= maxLessons || (f.kind != badRequest && f.kind != transient && f.kind != tooLong) {
		return c.traits, false
	}
	if f.kind == tooLong && used.batch < 2 {
		return c.traits, false
	}
	learned, ok := c.traits.learn(f, used)
	if !ok && f.kind == badRequest && used.hasFormat && f.said.param == "" && c.lessons == 0 {
		// A refusal without a reason: response_format is what servers lack most.
		learned, ok = c.traits, true
		learned.format = byPrompt
	}
	if ok {
		c.lessons++
	}
	return learned, ok
}

// remember keeps what the call's refusals taught, now that a request went well without it.
func (s *Service) remember(c *call) {
	if c.model.memory.keep(c.traits) {
		s.log.Info("learned what a model server takes", slog.String("model", c.model.name), slog.Any("traits", c.model.memory.get()))
	}
}

// inputEstimate is what is sent by the quick estimate, inputTokens by the model's tokenizer where it is known.
func (c *call) inputEstimate() int {
	total := 0
	for _, text := range c.text {
		total += estimate(text)
	}
	return total
}

func (c *call) inputTokens() int {
	total := 0
	for _, text := range c.text {
		n, _ := c.model.counter.count(text)
		total += n
	}
	return total
}

func statusLabel(status int) string {
	if status == 0 {
		return "none"
	}
	return strconv.Itoa(status)
}
