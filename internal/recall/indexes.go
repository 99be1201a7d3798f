package recall

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
)

// Index is what is indexed of a repository.
type Index struct {
	// Head is the commit of the last whole pass; empty before the first has ended.
	Head string
	// Model made the vectors: with another one they cannot be compared.
	Model      string
	Files      int
	FinishedAt time.Time
}

// Indexes remembers, in Postgres, what is indexed.
type Indexes struct{ db *pg.DB }

// NewIndexes gives the memory of what is indexed.
func NewIndexes(db *pg.DB) *Indexes { return &Indexes{db} }

// Get gives what is indexed of a scope; the zero Index before the first pass.
func (x *Indexes) Get(ctx context.Context, scope Scope) (Index, error) {
	var index Index
	var finished *time.Time
	err := x.db.Pool().QueryRow(ctx, `SELECT head, model, files, finished_at FROM indexes
		WHERE repository_id = $1 AND installation_id = $2`, scope.Repository, scope.Installation).
		Scan(&index.Head, &index.Model, &index.Files, &finished)
	if errors.Is(err, pgx.ErrNoRows) {
		return Index{}, nil
	}
	if err != nil {
		return Index{}, fmt.Errorf("read the index of repository %d: %w", scope.Repository, err)
	}
	if finished != nil {
		index.FinishedAt = *finished
	}
	return index, nil
}

// Begin notes which model makes the vectors of the coming passes. When Get named another one, drop the scope's vectors
// first: vectors of two models cannot be compared, and a crash in between then only repeats the drop.
func (x *Indexes) Begin(ctx context.Context, scope Scope, model string) error {
	if err := scope.valid(); err != nil {
		return fmt.Errorf("begin index: %w", err)
	}
	tag, err := x.db.Pool().Exec(ctx, `
		INSERT INTO indexes AS i (repository_id, installation_id, model) VALUES ($1, $2, $3)
		ON CONFLICT (repository_id) DO UPDATE SET model = $3, head = '', files = 0, finished_at = NULL
		WHERE i.installation_id = $2`, scope.Repository, scope.Installation, model)
	if err == nil && tag.RowsAffected() == 0 {
		err = fmt.Errorf("it belongs to another installation than %d", scope.Installation)
	}
	if err != nil {
		return fmt.Errorf("begin index of repository %d: %w", scope.Repository, err)
	}
	return nil
}

// Finish records that a pass over the repository ended.
func (x *Indexes) Finish(ctx context.Context, scope Scope, index Index) error {
	if err := scope.valid(); err != nil {
		return fmt.Errorf("finish index: %w", err)
	}
	tag, err := x.db.Pool().Exec(ctx, `
		INSERT INTO indexes AS i (repository_id, installation_id, head, model, files, finished_at)
		VALUES ($1, $2, $3, $4, $5, now())
		ON CONFLICT (repository_id) DO UPDATE SET head = $3, model = $4, files = $5, finished_at = now()
		WHERE i.installation_id = $2`, scope.Repository, scope.Installation, index.Head, index.Model, index.Files)
	if err == nil && tag.RowsAffected() == 0 {
		err = fmt.Errorf("it belongs to another installation than %d", scope.Installation)
	}
	if err != nil {
		return fmt.Errorf("finish index of repository %d: %w", scope.Repository, err)
	}
	return nil
}
