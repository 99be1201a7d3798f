package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// settleTimeout bounds writing down what a call took, whatever became of the review meanwhile.
const settleTimeout = 5 * time.Second

const (
	// defaultOutputTokens is reserved for an answer whose length the question doesn't bound.
	defaultOutputTokens = 4096
	// repeatedTokens is what a re-ask shows of the answer that it complains of, at most: 16 KiB of it.
	repeatedTokens = 6000
	// budgetPause is how often a question looks again for budget that other calls hold.
	budgetPause = 300 * time.Millisecond
)

// callBook is where answers and spending are kept.
type callBook interface {
	StoredAnswer(ctx context.Context, id review.InstallationID, requestHash string) (a review.ModelAnswer, found bool, err error)
	Reserve(ctx context.Context, c store.ModelCall, l store.Limits) (store.Reserved, error)
	Settle(ctx context.Context, done store.Settlement) error
	Abandon(ctx context.Context, c store.ModelCall) error
	Release(ctx context.Context, id review.InstallationID, requestHash string) error
}

// pricedModel is a model tier that says what it runs and what that costs.
type pricedModel interface {
	// AskFor asks for a review, whose turn it counts as, and spends no more tokens than the ceiling.
	AskFor(ctx context.Context, of review.ID, q review.ModelRequest, ceiling int64) (review.ModelAnswer, error)
	Configured(ctx context.Context) (bool, error)
	Model(ctx context.Context, tier review.Tier) (name string, price Price)
}

var (
	_ pricedModel  = (*ModelClient)(nil)
	_ callBook     = (*store.Store)(nil)
	_ review.Model = (*ledger)(nil)
)

// ledger stands in front of the model for one attempt at one review. It repeats no call whose answer is stored, spends
// nothing that was not reserved, and once a tier cannot answer for now it leaves it alone for the rest of the attempt.
type ledger struct {
	model  pricedModel
	book   callBook
	limits store.Limits
	log    *slog.Logger

	installation review.InstallationID
	repository   review.RepositoryID
	review       review.ID
	// asked is told of every answer; its error is Ask's.
	asked func(ctx context.Context, answer review.ModelAnswer) error
	// fail is called at the boundaries of a call, for the fault harness; nil is nothing.
	fail func(ctx context.Context, name string) error
	// fresh is set for a forced review: only good answers are used again.
	fresh bool

	mu     sync.Mutex
	paused map[review.Tier]review.ModelAnswer
	// asking holds the questions that are under way in this attempt: the same one waits for the answer of the first.
	asking map[string]chan struct{}
	// settled is closed, and replaced, whenever a call has ended and what it held is free again.
	settled chan struct{}
}

// Available implements review.Model. A model tier that cannot be reached is one to wait for.
func (l *ledger) Available(ctx context.Context) (ok bool, why string) {
	ok, err := l.model.Configured(ctx)
	switch {
	case err != nil:
		const why = "the model service cannot be reached"
		l.pauseAfter(ctx, review.Main, review.ModelAnswer{
			Outcome: review.OutcomeUnavailable, RetryAfter: modelRetryAfter, Detail: why,
		})
		return false, why
	case !ok:
		return false, "no model is configured"
	}
	return true, ""
}

// Pause says how long to wait before another attempt would get the answers that this one did not get. It is zero when
// nothing has to wait.
func (l *ledger) Pause() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var longest time.Duration
	for _, a := range l.paused {
		longest = max(longest, a.RetryAfter)
	}
	return longest
}

// Ask implements review.Model.
func (l *ledger) Ask(ctx context.Context, q review.ModelRequest) (review.ModelAnswer, error) {
	name, price := l.model.Model(ctx, q.Tier)
	hash, err := requestHash(name, q)
	if err != nil {
		return review.ModelAnswer{}, err
	}
	done, err := l.alone(ctx, hash)
	if err != nil {
		return review.ModelAnswer{}, err
	}
	defer done()
	c := l.call(hash, q, price)
	for {
		stored, found, err := l.book.StoredAnswer(ctx, l.installation, hash)
		if err != nil {
			return review.ModelAnswer{}, err
		}
		if found && (stored.Outcome == review.OutcomeOK || !l.fresh) {
			stored.Stored = true
			return stored, l.asked(ctx, stored)
		}
		if a, ok := l.isPaused(q.Tier); ok {
			return a, nil
		}
		freed := l.nextSettled()
		got, err := l.book.Reserve(ctx, c, l.limits)
		switch {
		case err != nil:
			return review.ModelAnswer{}, err
		case got.OK:
			return l.pay(ctx, q, c)
		case !got.Wait:
			return review.ModelAnswer{Outcome: review.OutcomeBudget, Model: name, Detail: got.Why}, nil
		}
		if err := wait(ctx, freed, budgetPause); err != nil {
			return review.ModelAnswer{}, fmt.Errorf("wait to ask for %s: %w", q.SchemaName, err)
		}
	}
}

// pay makes a call that was reserved, and writes down what came of it.
func (l *ledger) pay(ctx context.Context, q review.ModelRequest, c store.ModelCall) (review.ModelAnswer, error) {
	defer l.free()
	if err := l.reach(ctx, "model_reserved"); err != nil {
		return review.ModelAnswer{}, err
	}
	answer, err := l.model.AskFor(ctx, l.review, q, c.Tokens)
	if err != nil {
		return review.ModelAnswer{}, errors.Join(err, l.abandon(ctx, c))
	}
	if err := l.reach(ctx, "model_answered"); err != nil {
		return review.ModelAnswer{}, err
	}
	if err := l.settle(ctx, c.RequestHash, answer); err != nil {
		return review.ModelAnswer{}, err
	}
	l.pauseAfter(ctx, q.Tier, answer)
	return answer, l.asked(ctx, answer)
}

func (l *ledger) reach(ctx context.Context, name string) error {
	if l.fail == nil {
		return nil
	}
	return l.fail(ctx, name)
}

// call says what is held back for a question: two requests to the model, the second with the first one's answer in it.
// That covers a re-ask or one lost request, and the model tier makes none that could pass it, so what is spent never
// passes a limit. Most calls take half. What nobody tells of counts as one request whose answer never came, as the model
// tier counts it too.
func (l *ledger) call(hash string, q review.ModelRequest, price Price) store.ModelCall {
	tokens := estimate(q)
	input, output := 2*tokens.input+repeatedTokens, 2*(tokens.output+price.Headroom)
	return store.ModelCall{
		InstallationID: l.installation, RepositoryID: l.repository, ReviewID: l.review, RequestHash: hash, Purpose: q.SchemaName,
		Tokens: input + output, CostMicros: cost(input, price.Input) + cost(output, price.Output),
		LostTokens: tokens.input, LostMicros: cost(tokens.input, price.Input), Anew: l.fresh,
	}
}

// alone lets a question be asked once at a time; done must be called. The second to come finds the stored answer.
func (l *ledger) alone(ctx context.Context, hash string) (done func(), err error) {
	for {
		l.mu.Lock()
		other, busy := l.asking[hash]
		if !busy {
			mine := make(chan struct{})
			if l.asking == nil {
				l.asking = make(map[string]chan struct{})
			}
			l.asking[hash] = mine
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				delete(l.asking, hash)
				close(mine)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the same question: %w", ctx.Err())
		}
	}
}

// nextSettled gives a channel that is closed when a call of this attempt has ended.
func (l *ledger) nextSettled() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.settled == nil {
		l.settled = make(chan struct{})
	}
	return l.settled
}

func (l *ledger) free() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.settled != nil {
		close(l.settled)
	}
	l.settled = nil
}

// wait ends with the channel, after a while, or with ctx's error.
func wait(ctx context.Context, sooner <-chan struct{}, after time.Duration) error {
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-sooner:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// abandon writes down that a call was broken off, so that no other review waits for its answer.
func (l *ledger) abandon(ctx context.Context, c store.ModelCall) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	return l.book.Abandon(ctx, c)
}

// settle writes down what a call took. What is paid must be known even if the review is over meanwhile.
func (l *ledger) settle(ctx context.Context, hash string, a review.ModelAnswer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if !final(a.Outcome) && a.Usage == (review.Usage{}) {
		return l.book.Release(ctx, l.installation, hash)
	}
	done := store.Settlement{InstallationID: l.installation, RequestHash: hash, Model: a.Model, Usage: a.Usage}
	if final(a.Outcome) {
		done.Answer = &a
	}
	return l.book.Settle(ctx, done)
}

// final says whether asking the same again would bring the same: then the answer is kept.
func final(o review.Outcome) bool {
	switch o {
	case review.OutcomeOK, review.OutcomeTruncated, review.OutcomeRefused, review.OutcomeTooLong:
		return true
	case review.OutcomeEmpty, review.OutcomeInvalid, review.OutcomeRateLimited, review.OutcomeUnavailable, review.OutcomeBudget:
		return false
	default:
		return false
	}
}

// pauseAfter remembers that a tier asked to be left alone.
func (l *ledger) pauseAfter(ctx context.Context, tier review.Tier, a review.ModelAnswer) {
	if a.RetryAfter <= 0 || a.Outcome != review.OutcomeRateLimited && a.Outcome != review.OutcomeUnavailable {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused == nil {
		l.paused = make(map[review.Tier]review.ModelAnswer)
	}
	if old, ok := l.paused[tier]; !ok || a.RetryAfter > old.RetryAfter {
		a.Usage, a.Content = review.Usage{}, ""
		l.paused[tier] = a
	}
	l.log.WarnContext(ctx, "model asks for a pause", "tier", string(tier), "outcome", string(a.Outcome),
		"retry_after", a.RetryAfter, "detail", a.Detail)
}

func (l *ledger) isPaused(tier review.Tier) (review.ModelAnswer, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.paused[tier]
	return a, ok
}

// requestHash identifies a question to a model: the SHA-256 of its canonical JSON with the model's name.
func requestHash(model string, q review.ModelRequest) (string, error) {
	canonical, err := json.Marshal(struct {
		Model    string              `json:"model"`
		Question review.ModelRequest `json:"question"`
	}{model, q})
	if err != nil {
		return "", fmt.Errorf("hash model request: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

type tokenEstimate struct{ input, output int64 }

// estimate gives what a question may take at most, or nearly: code has about 3.8 bytes a token, dense text about 3.
func estimate(q review.ModelRequest) tokenEstimate {
	bytes := len(q.Schema)
	for _, m := range q.Messages {
		bytes += len(m.Content) + 16
	}
	output := q.MaxOutputTokens
	if output <= 0 {
		output = defaultOutputTokens
	}
	return tokenEstimate{input: int64(bytes)/3 + 64, output: int64(output)}
}

// cost gives millionths of a dollar for tokens, rounded up.
func cost(tokens, microsPerMillion int64) int64 {
	if microsPerMillion <= 0 {
		return 0
	}
	return (tokens*microsPerMillion + 999_999) / 1_000_000
}
