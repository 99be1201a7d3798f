package orchestrator

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// onePrice is a model that gives one answer and counts.
type onePrice struct {
	answer review.ModelAnswer
	err    error
	calls  int
	// ceiling is what the last call might take.
	ceiling int64
	name    string
	down    bool
}

func (m *onePrice) AskFor(_ context.Context, _ review.ID, _ review.ModelRequest, ceiling int64) (review.ModelAnswer, error) {
	m.ceiling = ceiling
	m.calls++
	return m.answer, m.err
}

func (m *onePrice) Configured(context.Context) (bool, error) {
	if m.down {
		return false, errors.New("down")
	}
	return m.name != "", nil
}

func (m *onePrice) Model(context.Context, review.Tier) (string, Price) {
	return m.name, Price{Input: 1_000_000, Output: 2_000_000}
}

var usage = review.Usage{InputTokens: 100, OutputTokens: 10, CostMicros: 120, Calls: 1}

// newLedger makes a ledger on a real store, for a review that exists.
func newLedger(t *testing.T, model *onePrice) *ledger {
	t.Helper()
	db := pgtest.New(t)
	s := store.New(db)
	var got store.Requested
	err := pg.InTx(t.Context(), db, func(ctx context.Context, tx pg.Tx) (err error) {
		got, err = s.RequestReview(ctx, tx, store.Wanted{
			InstallationID: 1, RepositoryID: 2, Repository: "a/b", Number: 3, Head: "h", EventAt: time.Now(),
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return &ledger{
		model: model, book: s, log: slog.New(slog.DiscardHandler), installation: 1, repository: 2, review: got.Review.ID,
		asked: func(context.Context, review.ModelAnswer) error { return nil },
	}
}

var question = review.ModelRequest{
	Tier: review.Main, Messages: []review.Message{{Role: "user", Content: "what?"}}, SchemaName: "findings", MaxOutputTokens: 100,
}

// TestLedgerStores: a final answer is paid for once, any other is asked for again.
func TestLedgerStores(t *testing.T) {
	t.Parallel()
	for outcome, final := range map[review.Outcome]bool{
		review.OutcomeOK: true, review.OutcomeTruncated: true, review.OutcomeRefused: true, review.OutcomeTooLong: true,
		review.OutcomeEmpty: false, review.OutcomeInvalid: false, review.OutcomeUnavailable: false,
	} {
		t.Run(string(outcome), func(t *testing.T) {
			t.Parallel()
			m := &onePrice{name: "big", answer: review.ModelAnswer{Outcome: outcome, Content: "x", Model: "big-1", Usage: usage}}
			l := newLedger(t, m)
			for range 2 {
				if got, err := l.Ask(t.Context(), question); err != nil || got.Outcome != outcome {
					t.Fatal(got, err)
				}
			}
			want := 2
			if final {
				want = 1
			}
			if m.calls != want {
				t.Errorf("%d calls, want %d", m.calls, want)
			}
			// A forced review wants another try at what went wrong, and keeps what went well.
			l.fresh = true
			got, err := l.Ask(t.Context(), question)
			if err != nil || got.Stored != (outcome == review.OutcomeOK) {
				t.Errorf("forced: %+v, %v", got, err)
			}
		})
	}
}

func TestLedgerTellsQuestionsApart(t *testing.T) {
	t.Parallel()
	m := &onePrice{name: "big", answer: review.ModelAnswer{Outcome: review.OutcomeOK, Usage: usage}}
	l := newLedger(t, m)
	ask := func(q review.ModelRequest) {
		t.Helper()
		if _, err := l.Ask(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	ask(question)
	again := question
	again.Pass = 2
	ask(again)
	other := question
	other.PromptHash = "new"
	ask(other)
	m.name = "bigger"
	ask(question)
	if m.calls != 4 {
		t.Errorf("%d calls, want 4", m.calls)
	}
	ask(question)
	l.installation = 99
	l.review, l.repository = "", 0
	ask(question)
	if m.calls != 5 {
		t.Errorf("%d calls, want 5: an answer belongs to its installation", m.calls)
	}
}

func TestLedgerBudget(t *testing.T) {
	t.Parallel()
	m := &onePrice{name: "big", answer: review.ModelAnswer{Outcome: review.OutcomeOK, Usage: usage}}
	l := newLedger(t, m)
	q := question
	need := l.call("h", q, Price{}).Tokens
	l.limits.ReviewTokens = need + 110
	for pass := range 3 {
		q.Pass = pass
		got, err := l.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if m.ceiling != need {
			t.Errorf("the call may take %d, reserved are %d", m.ceiling, need)
		}
		want := review.OutcomeOK // each takes 110: what is left after the first still holds the second, and not the third
		if pass == 2 {
			want = review.OutcomeBudget
		}
		if got.Outcome != want {
			t.Errorf("pass %d: %+v, want %s", pass, got, want)
		}
	}
	if m.calls != 2 {
		t.Errorf("%d calls", m.calls)
	}
}

// TestLedgerPauses: a tier that asks for a pause is left alone for the rest of the attempt, and stored answers count on.
func TestLedgerPauses(t *testing.T) {
	t.Parallel()
	m := &onePrice{name: "big", answer: review.ModelAnswer{Outcome: review.OutcomeOK, Usage: usage}}
	l := newLedger(t, m)
	if _, err := l.Ask(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	m.answer = review.ModelAnswer{Outcome: review.OutcomeRateLimited, RetryAfter: 7 * time.Second}
	q := question
	for pass := range 3 {
		q.Pass = pass + 1
		if got, err := l.Ask(t.Context(), q); err != nil || got.Outcome != review.OutcomeRateLimited {
			t.Fatal(got, err)
		}
	}
	if m.calls != 2 || l.Pause() != 7*time.Second {
		t.Errorf("%d calls, pause %s", m.calls, l.Pause())
	}
	if got, err := l.Ask(t.Context(), question); err != nil || !got.Stored {
		t.Errorf("stored: %+v, %v", got, err)
	}
	q.Tier, m.answer = review.Fast, review.ModelAnswer{Outcome: review.OutcomeUnavailable, Detail: "no key"}
	if _, err := l.Ask(t.Context(), q); err != nil || l.Pause() != 7*time.Second {
		t.Errorf("without a time there is no pause: %s, %v", l.Pause(), err)
	}
}

func TestLedgerAvailable(t *testing.T) {
	t.Parallel()
	m := &onePrice{}
	l := &ledger{model: m, log: slog.New(slog.DiscardHandler)}
	if ok, why := l.Available(t.Context()); ok || why != "no model is configured" || l.Pause() != 0 {
		t.Errorf("none: %v, %q, %s", ok, why, l.Pause())
	}
	m.down = true
	if ok, _ := l.Available(t.Context()); ok || l.Pause() != modelRetryAfter {
		t.Errorf("down: %v, %s", ok, l.Pause())
	}
	m.down, m.name = false, "big"
	if ok, why := l.Available(t.Context()); !ok {
		t.Errorf("there: %q", why)
	}
}

func TestLedgerErrors(t *testing.T) {
	t.Parallel()
	m := &onePrice{name: "big", err: context.Canceled}
	l := newLedger(t, m)
	if _, err := l.Ask(t.Context(), question); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	// Nobody waits for the call that was broken off: not the next revision's review, which asks the same.
	other := l.call("", question, Price{})
	other.ReviewID = "01a2199f-0000-7000-8000-000000000000"
	other.RequestHash, _ = requestHash("big", question)
	if got, err := l.book.Reserve(t.Context(), other, l.limits); err != nil || !got.OK {
		t.Errorf("another review's turn: %+v, %v", got, err)
	}
	if err := l.book.Abandon(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	m.err, m.answer = nil, review.ModelAnswer{Outcome: review.OutcomeOK, Usage: usage}
	l.asked = func(context.Context, review.ModelAnswer) error { return errors.New("stop") }
	if _, err := l.Ask(t.Context(), question); err == nil {
		t.Error("asked's error is not Ask's")
	}
	// The answer was paid for and stored all the same.
	l.asked = func(context.Context, review.ModelAnswer) error { return nil }
	if got, err := l.Ask(t.Context(), question); err != nil || !got.Stored {
		t.Errorf("answer = %+v, %v", got, err)
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ tokens, price, want int64 }{{0, 5, 0}, {1, 0, 0}, {1, 1, 1}, {1_000_000, 3, 3}, {1500, 2_000_000, 3000}} {
		if got := cost(tt.tokens, tt.price); got != tt.want {
			t.Errorf("cost(%d, %d) = %d, want %d", tt.tokens, tt.price, got, tt.want)
		}
	}
}
