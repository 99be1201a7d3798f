package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// settleTimeout bounds writing down what a call took, whatever became of the review meanwhile.
const settleTimeout = 5 * time.Second

// defaultOutputTokens is reserved for an answer whose length the question doesn't bound.
const defaultOutputTokens = 4096

// callBook is where answers and spending are kept.
type callBook interface {
	StoredAnswer(ctx context.Context, id review.InstallationID, requestHash string) (a review.ModelAnswer, found bool, err error)
	Reserve(ctx context.Context, c store.ModelCall, l store.Limits) (ok bool, why string, err error)
	Settle(ctx context.Context, done store.Settlement) error
	Release(ctx context.Context, id review.InstallationID, requestHash string) error
}

// pricedModel is a model tier that says what it runs and what that costs.
type pricedModel interface {
	Ask(ctx context.Context, q review.ModelRequest) (review.ModelAnswer, error)
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
	// fresh is set for a forced review: only good answers are used again.
	fresh bool

	mu     sync.Mutex
	paused map[review.Tier]review.ModelAnswer
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
	tokens := estimate(q)
	ok, why, err := l.book.Reserve(ctx, store.ModelCall{
		InstallationID: l.installation, RepositoryID: l.repository, ReviewID: l.review, RequestHash: hash,
		Purpose: q.SchemaName, Tokens: tokens.input + tokens.output,
		CostMicros: cost(tokens.input, price.Input) + cost(tokens.output, price.Output),
	}, l.limits)
	if err != nil {
		return review.ModelAnswer{}, err
	}
	if !ok {
		return review.ModelAnswer{Outcome: review.OutcomeBudget, Model: name, Detail: why}, nil
	}
	answer, err := l.model.Ask(ctx, q)
	if err != nil {
		// What it took is not known. The reservation holds it back until it lapses or the question is asked again.
		return review.ModelAnswer{}, err
	}
	if err := l.settle(ctx, hash, answer); err != nil {
		return review.ModelAnswer{}, err
	}
	l.pauseAfter(ctx, q.Tier, answer)
	return answer, l.asked(ctx, answer)
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
