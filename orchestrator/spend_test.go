package orchestrator

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// spender answers after a while, and takes what it likes of what it may.
type spender struct {
	mu     sync.Mutex
	random *rand.Rand
	calls  map[string]int
	spent  int64
	open   atomic.Int32
	most   atomic.Int32
}

func (m *spender) AskFor(_ context.Context, _ review.ID, q review.ModelRequest, ceiling int64) (review.ModelAnswer, error) {
	now := m.open.Add(1)
	for most := m.most.Load(); now > most && !m.most.CompareAndSwap(most, now); most = m.most.Load() {
	}
	time.Sleep(5 * time.Millisecond) // so that calls overlap
	defer m.open.Add(-1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[q.Messages[0].Content]++
	took := 1 + m.random.Int64N(ceiling)
	if m.random.IntN(3) == 0 {
		took = ceiling
	}
	m.spent += took
	a := review.ModelAnswer{Outcome: review.OutcomeOK, Content: "{}", Model: "big", Usage: review.Usage{InputTokens: took, CostMicros: took, Calls: 1}}
	if m.random.IntN(4) == 0 {
		a.Outcome = review.OutcomeInvalid
	}
	return a, nil
}

func (m *spender) Configured(context.Context) (bool, error) { return true, nil }

func (m *spender) Model(context.Context, review.Tier) (string, Price) {
	return "big", Price{Input: 1_000_000, Output: 1_000_000}
}

// TestSpendStaysBelowTheCap: many workers, ledgers of their own, one installation's budget, calls that take up to all they
// may. What is spent never passes the cap, no answer is paid for twice however many ask at once, and budget that was only
// held is used in the end.
func TestSpendStaysBelowTheCap(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	s := store.New(db)
	m := &spender{random: rand.New(rand.NewPCG(3, 4)), calls: map[string]int{}}
	one := (&ledger{}).call("h", asking(0), Price{})
	limits := store.Limits{InstallationDayTokens: 15 * one.Tokens}
	var refused, answered atomic.Int32
	var all sync.WaitGroup
	for worker := range 6 {
		l := &ledger{
			model: m, book: s, limits: limits, log: slog.New(slog.DiscardHandler), installation: 1, repository: 2,
			review: review.ID(fmt.Sprintf("00000000-0000-0000-0000-%012d", worker)),
			asked:  func(context.Context, review.ModelAnswer) error { return nil },
		}
		for i := range 40 {
			all.Go(func() {
				for range 3 { // an answer that cannot be used is asked for again
					got, err := l.Ask(t.Context(), asking(i))
					switch {
					case err != nil:
						t.Error(err)
						return
					case got.Outcome == review.OutcomeBudget:
						refused.Add(1)
						return
					case got.Outcome == review.OutcomeOK:
						answered.Add(1)
						return
					}
				}
			})
		}
	}
	all.Wait()
	var booked int64
	if err := db.Pool().QueryRow(t.Context(), `SELECT sum(input_tokens + output_tokens)::bigint FROM model_calls`).Scan(&booked); err != nil {
		t.Fatal(err)
	}
	if m.spent > limits.InstallationDayTokens || booked != m.spent {
		t.Errorf("spent %d, booked %d, the cap is %d", m.spent, booked, limits.InstallationDayTokens)
	}
	if left := limits.InstallationDayTokens - m.spent; refused.Load() == 0 || left > one.Tokens {
		t.Errorf("%d refused with %d tokens left, a call needs %d", refused.Load(), left, one.Tokens)
	}
	if m.most.Load() < 2 || answered.Load() == 0 {
		t.Errorf("the test is idle: %d at once, %d answered", m.most.Load(), answered.Load())
	}
	var twice int
	if err := db.Pool().QueryRow(t.Context(), `SELECT count(*) FROM model_calls WHERE answer IS NOT NULL AND settled_at IS NULL`).Scan(&twice); err != nil || twice != 0 {
		t.Errorf("%d stored answers were asked for again, %v", twice, err)
	}
}

// TestTheSameQuestionAtOnce: whoever asks what is just being asked gets that answer, in one attempt and in two reviews.
func TestTheSameQuestionAtOnce(t *testing.T) {
	t.Parallel()
	s := store.New(pgtest.New(t))
	m := &slowAnswer{release: make(chan struct{}), arrived: make(chan struct{}, 10)}
	var ledgers []*ledger
	for worker := range 2 {
		ledgers = append(ledgers, &ledger{
			model: m, book: s, log: slog.New(slog.DiscardHandler), installation: 1, repository: 2,
			review: review.ID(fmt.Sprintf("00000000-0000-0000-0000-%012d", worker)),
			asked:  func(context.Context, review.ModelAnswer) error { return nil },
		})
	}
	answers := make(chan review.ModelAnswer, 6)
	for i := range 6 {
		go func() {
			got, err := ledgers[i%2].Ask(t.Context(), asking(0))
			if err != nil {
				t.Error(err)
			}
			answers <- got
		}()
	}
	<-m.arrived
	close(m.release)
	stored := 0
	for range 6 {
		if a := <-answers; a.Outcome != review.OutcomeOK {
			t.Errorf("%+v", a)
		} else if a.Stored {
			stored++
		}
	}
	if n := m.calls.Load(); n != 1 || stored != 5 {
		t.Errorf("%d calls, %d stored answers given, want 1 and 5", n, stored)
	}
}

type slowAnswer struct {
	spender
	calls   atomic.Int32
	arrived chan struct{}
	release chan struct{}
}

func (m *slowAnswer) AskFor(context.Context, review.ID, review.ModelRequest, int64) (review.ModelAnswer, error) {
	m.calls.Add(1)
	m.arrived <- struct{}{}
	<-m.release
	return review.ModelAnswer{Outcome: review.OutcomeOK, Content: "{}", Usage: review.Usage{InputTokens: 1, Calls: 1}}, nil
}

func asking(i int) review.ModelRequest {
	return review.ModelRequest{Tier: review.Main, SchemaName: "verdict", MaxOutputTokens: 100, Messages: []review.Message{{Role: "user", Content: fmt.Sprint("question ", i)}}}
}

// vectorsOf makes vectors of a text's length and counts what it was asked.
type vectorsOf struct {
	dimensions int
	asked      []string
	calls      int
}

func (m *vectorsOf) vectors(context.Context) (string, int, Price, error) {
	return "e", m.dimensions, Price{Input: 1_000_000}, nil
}

func (m *vectorsOf) embed(_ context.Context, _ review.ID, texts []string) ([][]float32, review.Usage, error) {
	m.calls++
	out := make([][]float32, len(texts))
	for i, text := range texts {
		m.asked = append(m.asked, text)
		out[i] = make([]float32, m.dimensions)
		out[i][0] = float32(len(text))
	}
	return out, review.Usage{InputTokens: int64(len(texts)), CostMicros: 1, Calls: 1}, nil
}

// TestVectorsAreMadeOnce: of texts that have vectors none is embedded again, for no review of the installation.
func TestVectorsAreMadeOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	m := &vectorsOf{dimensions: 3}
	of := func(installation review.InstallationID, limit int64) *vectorLedger {
		return &vectorLedger{model: m, book: store.New(db), limits: store.Limits{InstallationDayTokens: limit}, installation: installation, repository: 2}
	}
	embed := func(l *vectorLedger, texts ...string) {
		t.Helper()
		got, err := l.Embed(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if len(v) != m.dimensions || v[0] != float32(len(texts[i])) {
				t.Errorf("%q has %v", texts[i], v)
			}
		}
	}
	embed(of(1, 0), "one", "three")
	embed(of(1, 0), "three", "seventeen", "one", "three")
	embed(of(1, 0), "one")
	if got := fmt.Sprint(m.asked); got != "[one three seventeen]" || m.calls != 2 {
		t.Errorf("asked %s in %d calls", got, m.calls)
	}
	embed(of(5, 0), "one")
	m.dimensions = 2
	embed(of(1, 0), "one")
	if m.calls != 4 {
		t.Errorf("%d calls: another installation's and another length's vectors are others", m.calls)
	}
	if _, err := of(1, 5).Embed(t.Context(), []string{"something that is not known"}); err == nil || m.calls != 4 {
		t.Errorf("made without a budget: %v", err)
	}
	var tokens int
	if err := db.Pool().QueryRow(t.Context(), `SELECT sum(input_tokens) FROM model_calls WHERE purpose = 'embed' AND settled_at IS NOT NULL`).Scan(&tokens); err != nil || tokens != 5 {
		t.Errorf("%d tokens booked, %v", tokens, err)
	}
}
