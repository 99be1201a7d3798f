package queue_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/queue"
)

// listen gives what River's workers are told on this database, one word a call.
func listen(t *testing.T, db *pg.DB) (told func() string) {
	t.Helper()
	conn, err := db.Pool().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Release)
	if _, err := conn.Exec(t.Context(), `LISTEN "public.river_insert"`); err != nil {
		t.Fatal(err)
	}
	return func() string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		n, err := conn.Conn().WaitForNotification(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return n.Payload
	}
}

// TestWakeTellsAll: the last to be woken is told, however many there were before it, and a burst is told together.
func TestWakeTellsAll(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	told := listen(t, db)
	waker := queue.NewWaker(db, slog.New(slog.DiscardHandler))
	waker.Wake(nil)
	for range 500 {
		waker.Wake([]string{queue.Fast})
	}
	waker.Wake([]string{queue.Slow})
	waker.Wait()
	if _, err := db.Pool().Exec(t.Context(), `SELECT pg_notify('public.river_insert', 'end')`); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for word := ""; word != "end"; {
		word = told()
		counts[word]++
	}
	if n := counts[`{"queue":"fast"}`]; n < 1 || n > 100 {
		t.Errorf("the fast queue was told %d times of 500 jobs", n)
	}
	if counts[`{"queue":"slow"}`] != 1 || len(counts) != 3 {
		t.Errorf("told %v", counts)
	}
}

// TestWakeHoldsNobodyUp: a notification waits for no transaction that notifies too, and none waits for it.
func TestWakeHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	url := pgtest.NewURL(t)
	db, gone := pgtest.Open(t, url), pgtest.Open(t, url)
	log := &strings.Builder{}
	waker := queue.NewWaker(db, slog.New(slog.DiscardHandler))
	told := listen(t, db)
	inTx(t, db, func(ctx context.Context, tx pg.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_notify('public.river_insert', 'mine')`); err != nil {
			return err
		}
		waker.Wake([]string{queue.Fast})
		if got := told(); got != `{"queue":"fast"}` {
			t.Errorf("told %s", got)
		}
		return nil
	})
	if got := told(); got != "mine" {
		t.Errorf("told %s", got)
	}
	waker.Wait()
	gone.Close() // nobody can be told through it, and that is said
	waker = queue.NewWaker(gone, slog.New(slog.NewTextHandler(log, nil)))
	waker.Wake([]string{queue.Fast})
	waker.Wait()
	if !strings.Contains(log.String(), "workers not woken") {
		t.Errorf("logged %q", log.String())
	}
}
