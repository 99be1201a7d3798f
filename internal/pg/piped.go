package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Batch is a number of statements that travel together, for the packages that may not name the driver.
type Batch = pgx.Batch

// InPipedTx is InTx with as few round trips as can be: BEGIN travels with the first that fn sends, and COMMIT with the
// batch that fn returns, which is carried out last. Of that batch results are only given to its own callbacks. When a
// statement of it fails, nothing is committed; any other error of it means that the outcome is not known.
func InPipedTx(ctx context.Context, db *DB, fn func(ctx context.Context, tx Tx) (*Batch, error)) error {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	tx := &pipedTx{conn: conn}
	defer tx.leave(ctx)
	last, err := fn(ctx, tx)
	if err != nil {
		return err
	}
	last.Queue("COMMIT")
	if err := tx.SendBatch(ctx, last).Close(); err != nil {
		return fmt.Errorf("write and commit: %w", err)
	}
	return nil
}

// pipedTx is a transaction that begins with its first statement.
type pipedTx struct {
	conn  *pgxpool.Conn
	begun bool
}

var _ Tx = (*pipedTx)(nil)

// leave gives the connection back, with its transaction rolled back if it is open.
func (t *pipedTx) leave(ctx context.Context) {
	if status := t.conn.Conn().PgConn().TxStatus(); status != 'I' && !t.conn.Conn().IsClosed() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		if _, err := t.conn.Exec(after, "ROLLBACK"); err != nil {
			_ = t.conn.Conn().Close(after) // the pool throws it away
		}
	}
	t.conn.Release()
}

// begin begins by itself, for a first statement that is not in a batch.
func (t *pipedTx) begin(ctx context.Context) error {
	if t.begun {
		return nil
	}
	t.begun = true
	_, err := t.conn.Exec(ctx, "BEGIN")
	return err
}

// SendBatch sends statements together.
func (t *pipedTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if !t.begun {
		t.begun = true
		b.QueuedQueries = append([]*pgx.QueuedQuery{{SQL: "BEGIN"}}, b.QueuedQueries...)
	}
	return t.conn.SendBatch(ctx, b)
}

// Exec runs one statement.
func (t *pipedTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := t.begin(ctx); err != nil {
		return pgconn.CommandTag{}, err
	}
	return t.conn.Exec(ctx, sql, args...)
}

// Query runs one statement.
func (t *pipedTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	return t.conn.Query(ctx, sql, args...)
}

// QueryRow runs one statement.
func (t *pipedTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := t.begin(ctx); err != nil {
		return failedRow{err}
	}
	return t.conn.QueryRow(ctx, sql, args...)
}

type failedRow struct{ err error }

// Scan gives the error.
func (r failedRow) Scan(...any) error { return r.err }

// CopyFrom copies rows.
func (t *pipedTx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	if err := t.begin(ctx); err != nil {
		return 0, err
	}
	return t.conn.CopyFrom(ctx, table, columns, rows)
}

// Conn gives the connection.
func (t *pipedTx) Conn() *pgx.Conn { return t.conn.Conn() }

// errNotPiped says that only InPipedTx begins and ends such a transaction.
var errNotPiped = errors.New("not within a piped transaction")

// Begin would be a savepoint.
func (t *pipedTx) Begin(context.Context) (pgx.Tx, error) { return nil, errNotPiped }

// Commit is InPipedTx's.
func (t *pipedTx) Commit(context.Context) error { return errNotPiped }

// Rollback is InPipedTx's.
func (t *pipedTx) Rollback(context.Context) error { return errNotPiped }

// Prepare is the driver's, behind our back.
func (t *pipedTx) Prepare(context.Context, string, string) (*pgconn.StatementDescription, error) {
	return nil, errNotPiped
}

// LargeObjects are not used.
func (t *pipedTx) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }
