package pg_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
)

func TestInTxCommitsOrRollsBack(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx := t.Context()
	insert := func(id int64) func(context.Context, pg.Tx) error {
		return func(ctx context.Context, tx pg.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO installations (id) VALUES ($1)`, id)
			return err
		}
	}
	if err := pg.InTx(ctx, db, insert(1)); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err := pg.InTx(ctx, db, func(ctx context.Context, tx pg.Tx) error {
		if err := insert(2)(ctx, tx); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("InTx gave %v, want the function's error", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not come through")
			}
		}()
		_ = pg.InTx(ctx, db, func(ctx context.Context, tx pg.Tx) error {
			if err := insert(3)(ctx, tx); err != nil {
				return err
			}
			panic("boom")
		})
	}()
	ended, cancel := context.WithCancel(ctx)
	err = pg.InTx(ended, db, func(ctx context.Context, tx pg.Tx) error {
		defer cancel()
		return insert(4)(ctx, tx)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("commit after the context ended gave %v", err)
	}
	if got := ids(t, db); got != "1" {
		t.Errorf("committed %q, want 1 alone", got)
	}
	if in := db.Pool().Stat().AcquiredConns(); in != 0 {
		t.Errorf("%d connections were not given back", in)
	}
}

func ids(t *testing.T, db *pg.DB) string {
	t.Helper()
	var got string
	if err := db.Pool().QueryRow(t.Context(), `SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM installations`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestOpenDoesNotRepeatTheURL(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"not a URL":     "postgres://user:hunter2secret@host:notaport/db",
		"wrong option":  "postgres://user:hunter2secret@host/db?sslmode=sometimes",
		"not listening": "postgres://user:hunter2secret@127.0.0.1:1/db",
		"not even that": "hunter2secret",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := pg.Open(t.Context(), url, "test", 1)
			if err == nil {
				db.Close()
				t.Fatal("opened")
			}
			if strings.Contains(err.Error(), "hunter2secret") {
				t.Errorf("the error repeats the password: %v", err)
			}
		})
	}
}

// TestASilentTransactionIsBounded: what a frozen process holds in a transaction is given back.
func TestASilentTransactionIsBounded(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var limit string
	err := pg.InTx(t.Context(), db, func(ctx context.Context, tx pg.Tx) error {
		return tx.QueryRow(ctx, `SHOW idle_in_transaction_session_timeout`).Scan(&limit)
	})
	if err != nil || limit != "10s" {
		t.Errorf("a transaction may be silent for %q, %v", limit, err)
	}
}
