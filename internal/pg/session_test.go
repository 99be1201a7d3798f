package pg_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
)

func session(t *testing.T, db *pg.DB) *pg.LockSession {
	t.Helper()
	s, err := pg.Session(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func try(t *testing.T, s *pg.LockSession, name string, want bool) {
	t.Helper()
	got, err := s.TryLock(t.Context(), name)
	if err != nil || got != want {
		t.Errorf("TryLock(%s) gave %v, %v, want %v", name, got, err, want)
	}
}

func TestSessionLocks(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	first, second := session(t, db), session(t, db)
	if err := first.Check(t.Context()); !errors.Is(err, pg.ErrLockLost) {
		t.Errorf("without a lock Check gave %v", err)
	}
	// Many names: their keys have every sign and size.
	for i := range 40 {
		name := fmt.Sprint("pull request ", i)
		try(t, first, name, true)
		try(t, first, name, true)
		try(t, second, name, false)
	}
	try(t, second, "another", true)
	for _, s := range []*pg.LockSession{first, second} {
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if acquired := db.Pool().Stat().AcquiredConns(); acquired != 0 {
		t.Errorf("%d connections of the pool are taken", acquired)
	}
	first.Close()
	first.Close()
	if err := first.Check(t.Context()); !errors.Is(err, pg.ErrLockLost) {
		t.Errorf("after Close Check gave %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := second.Lock(ctx, "pull request 1"); err != nil {
		t.Errorf("a lock that was given up is not to be had: %v", err)
	}
}

func TestLockWaitsUntilTheContextEnds(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	first, second := session(t, db), session(t, db)
	try(t, first, "name", true)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := second.Lock(ctx, "name"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("gave %v", err)
	}
}

func TestLockTxIsTheSameLock(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	s := session(t, db)
	err := pg.InTx(t.Context(), db, func(ctx context.Context, tx pg.Tx) error {
		if err := pg.LockTx(ctx, tx, "name"); err != nil {
			return err
		}
		try(t, s, "name", false)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	try(t, s, "name", true)
}

func backend(t *testing.T, db *pg.DB) int {
	t.Helper()
	var pid int
	err := db.Pool().QueryRow(t.Context(), `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&pid)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestCheckSeesACutSession(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	s := session(t, db)
	try(t, s, "name", true)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Pool().Exec(t.Context(), `SELECT pg_terminate_backend($1)`, backend(t, db)); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); !errors.Is(err, pg.ErrLockLost) {
		t.Errorf("gave %v", err)
	}
	other := session(t, db)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := other.Lock(ctx, "name"); err != nil {
		t.Errorf("another cannot take over: %v", err)
	}
}

// TestASilentSessionEnds: a holder that says nothing for too long, as a frozen one does, loses its lock to another and
// learns of it.
func TestASilentSessionEnds(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	s, other := session(t, db), session(t, db)
	if err := s.EndWhenIdle(t.Context(), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	try(t, s, "name", true)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := other.Lock(ctx, "name"); err != nil {
		t.Fatalf("another cannot take over: %v", err)
	}
	if err := s.Check(t.Context()); !errors.Is(err, pg.ErrLockLost) {
		t.Errorf("the silent one's lock: %v", err)
	}
}

func TestCheckSeesALockThatWasGivenUp(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	first := session(t, db)
	try(t, first, "kept", true)
	try(t, first, "lost", true)
	// Nothing of ours unlocks in a session; a pooler between us and Postgres may.
	if err := pg.UnlockAll(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := first.Check(t.Context()); !errors.Is(err, pg.ErrLockLost) {
		t.Errorf("gave %v", err)
	}
}

func TestCheckIsBoundedWhenPostgresHangs(t *testing.T) {
	t.Parallel()
	if os.Getenv("OPENRABBIT_TEST_DATABASE_URL") != "" {
		t.Skip("the server's processes are not ours to stop")
	}
	db := pgtest.New(t)
	s := session(t, db)
	try(t, s, "name", true)
	pid := backend(t, db)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := s.Check(ctx); !errors.Is(err, pg.ErrLockLost) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("gave %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}
