// Package pg opens Postgres for everything that builds on it: a pool, a transaction, migrations and a session that
// holds locks.
//
// It promises that a connection string never reaches an error or a log, that a transaction is either committed or
// rolled back before InTx returns, and that it retries nothing: whoever calls knows what may be repeated.
package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	connectTimeout = 5 * time.Second
	// rollbackTimeout bounds the rollback of a transaction whose context has ended.
	rollbackTimeout = 5 * time.Second
	maxConnLifetime = time.Hour
	maxConnIdle     = 10 * time.Minute
	// silentTransaction is how long a transaction may stand open without a word. Ours take milliseconds; a process that
	// was frozen within one would keep its locks, on which everybody else then waits, for as long as it is frozen.
	silentTransaction = 10 * time.Second
)

// Tx is a transaction, for the packages that may not name the driver.
type Tx = pgx.Tx

// DB is a pool of connections.
type DB struct{ pool *pgxpool.Pool }

// Open opens a pool of at most maxConns connections (0 means the driver's default) and proves that the database
// answers. applicationName is what pg_stat_activity shows, unless the URL names another.
func Open(ctx context.Context, url, applicationName string, maxConns int32) (*DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The driver's text repeats the URL, with all of it but a password that it recognises.
		return nil, errors.New("open postgres: the database URL cannot be read: expected postgres://user:password@host:port/database")
	}
	if _, said := config.ConnConfig.RuntimeParams["application_name"]; !said && applicationName != "" {
		config.ConnConfig.RuntimeParams["application_name"] = applicationName
	}
	if maxConns > 0 {
		config.MaxConns = maxConns
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	config.MaxConnLifetime = maxConnLifetime
	config.MaxConnLifetimeJitter = maxConnLifetime / 10
	config.MaxConnIdleTime = maxConnIdle
	config.AfterConnect = boundSilence
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	db := &DB{pool: pool}
	if err := db.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	return db, nil
}

// boundSilence sets up a new connection. It is a statement and no parameter of the connection, which poolers refuse.
func boundSilence(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('idle_in_transaction_session_timeout', $1, false)`,
		strconv.FormatInt(silentTransaction.Milliseconds(), 10))
	if err != nil {
		return fmt.Errorf("set up connection: %w", err)
	}
	return nil
}

// Pool gives the driver's pool, for the packages that own SQL.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Ping asks the database whether it answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.pool.Ping(ctx); err != nil {
		return fmt.Errorf("ping postgres: %w", err)
	}
	return nil
}

// Close closes the pool after the connections in use have been given back. Closing twice is fine.
func (db *DB) Close() { db.pool.Close() }

// InTx runs fn in a transaction, which is committed when fn returns nil and rolled back when it does not, or panics.
// An error of the commit means that the outcome is not known. fn's error comes back wrapped in nothing.
func InTx(ctx context.Context, db *DB, fn func(ctx context.Context, tx Tx) error) error {
	tx, err := db.pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	// After a commit this does nothing. ctx may have ended, and the connection should still go back whole.
	defer func() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = tx.Rollback(after)
	}()
	if err := fn(ctx, tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	return nil
}
