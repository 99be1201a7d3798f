package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

// ErrNotFound says that there is no such row.
var ErrNotFound = errors.New("not found")

// Store reads and writes the state. It is safe for concurrent use and keeps nothing in memory.
type Store struct {
	db *pg.DB
}

// New makes a store on a database that has been migrated.
func New(db *pg.DB) *Store { return &Store{db: db} }

// MarkerSecret gives the key of the hidden markers, made by the first migration.
func (s *Store) MarkerSecret(ctx context.Context) ([]byte, error) {
	var secret []byte
	err := s.db.Pool().QueryRow(ctx, `SELECT marker_secret FROM settings`).Scan(&secret)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("read marker secret: the settings row is missing; run the migrations: %w", ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read marker secret: %w", err)
	}
	return secret, nil
}

// Retryable says whether the transaction that failed with err lost a race and may simply be tried again: a deadlock, a
// serialization failure, or a row that another transaction deleted, or wrote, since this one looked.
func Retryable(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code {
	case "40001", "40P01", "23503", "23505":
		return true
	}
	return false
}

// querier is a pool or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// newID makes the id of a new review; ids made later sort later.
func newID() (review.ID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make review id: %w", err)
	}
	return review.ID(id.String()), nil
}

// known says whether an id can be in the database: anything but a UUID in its usual form would be an error of Postgres's.
func known(id review.ID) bool { return len(id) == 36 && uuid.Validate(string(id)) == nil }

// text makes foreign text fit for a column: Postgres refuses NUL and what is not UTF-8.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// nullable gives nil for zero, which is NULL.
func nullable[T ~int64](v T) *int64 {
	if v == 0 {
		return nil
	}
	n := int64(v)
	return &n
}

// nullableText gives nil for empty text, which is NULL.
func nullableText[T ~string](v T) *string {
	if v == "" {
		return nil
	}
	s := string(v)
	return &s
}
