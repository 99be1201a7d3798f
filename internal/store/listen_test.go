package store_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

const never = time.Hour // as a poll: only notifications count

func (w *world) listener(poll time.Duration) *store.Listener {
	w.t.Helper()
	l := w.NewListener(slog.New(slog.DiscardHandler), poll)
	ctx, cancel := context.WithCancel(w.ctx())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx, func() {}) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	return l
}

func (w *world) expect(c <-chan struct{}, what string) {
	w.t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		w.t.Fatalf("not told of %s", what)
	}
}

func TestWhoListensIsToldOfEveryChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.created(by(0, "opened", "", "a")).ID
	l := w.listener(never)
	told := l.Listen(w.ctx(), id)
	w.expect(told, "the connection") // everybody is woken once it stands
	w.start(id)
	w.expect(told, "the start")
	if _, err := w.SetStage(w.ctx(), id, review.StageReview); err != nil {
		t.Fatal(err)
	}
	w.expect(told, "a stage")
	w.request(by(1, "synchronize", "a", "b"))
	w.expect(told, "superseding")

	forced := w.created(asked("b", true)).ID
	told = l.Listen(w.ctx(), forced)
	w.finish(forced, review.Clean)
	w.expect(told, "the end")

	third := w.created(asked("c", false)).ID
	told = l.Listen(w.ctx(), third)
	w.tx(func(ctx context.Context, tx pg.Tx) error { _, _, err := w.CancelReview(ctx, tx, third); return err })
	w.expect(told, "cancelling")
}

func TestTheListenerComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.created(by(0, "opened", "", "a")).ID
	l := w.listener(never)
	told := l.Listen(w.ctx(), id)
	w.expect(told, "the connection")
	var cut int
	if err := w.db.Pool().QueryRow(w.ctx(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND query = 'LISTEN openrabbit_review'`).Scan(&cut); err != nil || cut != 1 {
		t.Fatalf("cut %d connections, %v: the fault did not land", cut, err)
	}
	w.expect(told, "the new connection")
	w.start(id)
	w.expect(told, "a change after the cut")
}

func TestThePollTellsWithoutAConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	told := w.listener(20*time.Millisecond).Listen(w.ctx(), nobody)
	for range 3 {
		w.expect(told, "the poll")
	}
}

func TestListeningEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.listener(20 * time.Millisecond)
	ctx, cancel := context.WithCancel(w.ctx())
	ended, stays := l.Listen(ctx, nobody), l.Listen(w.ctx(), nobody)
	w.expect(ended, "the poll")
	cancel()
	// Two polls after the end is known: at most one value was waiting, and none comes after it.
	for range 3 {
		w.expect(stays, "the poll")
	}
	select {
	case <-ended:
	default:
	}
	for range 3 {
		w.expect(stays, "the poll")
	}
	select {
	case <-ended:
		t.Error("told after the context ended")
	default:
	}
}
