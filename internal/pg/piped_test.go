package pg_test

import (
	"context"
	"errors"
	"testing"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
)

func TestAPipedTransactionIsATransaction(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	insert := func(id int64) *pg.Batch {
		b := &pg.Batch{}
		b.Queue(`INSERT INTO installations (id) VALUES ($1)`, id)
		return b
	}
	piped := func(fn func(ctx context.Context, tx pg.Tx) (*pg.Batch, error)) error {
		t.Helper()
		err := pg.InPipedTx(t.Context(), db, fn)
		if n := db.Pool().Stat().AcquiredConns(); n != 0 {
			t.Errorf("%d connections were not given back", n)
		}
		return err
	}
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		fn   func(ctx context.Context, tx pg.Tx) (*pg.Batch, error)
		ok   bool
		rows string
	}{
		"all in the last": {func(context.Context, pg.Tx) (*pg.Batch, error) { return insert(1), nil }, true, "1"},
		"two batches": {func(ctx context.Context, tx pg.Tx) (*pg.Batch, error) {
			return insert(2), tx.SendBatch(ctx, insert(1)).Close()
		}, true, "1,2"},
		"single statements": {func(ctx context.Context, tx pg.Tx) (*pg.Batch, error) {
			var n int
			if err := tx.QueryRow(ctx, `SELECT count(*) FROM installations`).Scan(&n); err != nil {
				return nil, err
			}
			_, err := tx.Exec(ctx, `INSERT INTO installations (id) VALUES ($1)`, n+1)
			return &pg.Batch{}, err
		}, true, "1"},
		"fn fails": {func(ctx context.Context, tx pg.Tx) (*pg.Batch, error) {
			return nil, errors.Join(boom, tx.SendBatch(ctx, insert(1)).Close())
		}, false, ""},
		"fn fails at once": {func(context.Context, pg.Tx) (*pg.Batch, error) { return nil, boom }, false, ""},
		"the last fails": {func(ctx context.Context, tx pg.Tx) (*pg.Batch, error) {
			last := insert(2)
			last.Queue(`INSERT INTO installations (id) VALUES (2)`)
			return last, tx.SendBatch(ctx, insert(1)).Close()
		}, false, ""},
		"the first fails": {func(ctx context.Context, tx pg.Tx) (*pg.Batch, error) {
			_, err := tx.Exec(ctx, `SELECT 1/0`)
			return insert(1), err
		}, false, ""},
	} {
		if _, err := db.Pool().Exec(t.Context(), `TRUNCATE installations CASCADE`); err != nil {
			t.Fatal(err)
		}
		err := piped(c.fn)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if got := ids(t, db); got != c.rows {
			t.Errorf("%s: committed %q, want %q", name, got, c.rows)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	err := pg.InPipedTx(ended, db, func(ctx context.Context, tx pg.Tx) (*pg.Batch, error) {
		defer cancel()
		return insert(9), tx.SendBatch(ctx, insert(8)).Close()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the context ended: %v", err)
	}
	if n := db.Pool().Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
	func() {
		defer func() { _ = recover() }()
		_ = piped(func(ctx context.Context, tx pg.Tx) (*pg.Batch, error) {
			if err := tx.SendBatch(ctx, insert(7)).Close(); err != nil {
				t.Error(err)
			}
			panic("boom")
		})
	}()
	if n := db.Pool().Stat().AcquiredConns(); n != 0 {
		t.Errorf("after a panic %d connections were not given back", n)
	}
}
