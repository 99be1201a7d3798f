package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/review"
)

// Resource is one of GitHub's limits.
type Resource string

// The resources: all calls, and the creation of content.
const (
	ResourceCore    Resource = "core"
	ResourceContent Resource = "content"
)

// BlockedUntil says until when an installation must not use a resource. The zero time means that it may.
func (s *Store) BlockedUntil(ctx context.Context, id review.InstallationID, resource Resource) (time.Time, error) {
	var until time.Time
	err := s.db.Pool().QueryRow(ctx, `SELECT blocked_until FROM rate_limits
		WHERE installation_id = $1 AND resource = $2 AND blocked_until > now()`, int64(id), string(resource)).Scan(&until)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read rate limit of installation %d: %w", id, err)
	}
	return until, nil
}

// Block keeps an installation from a resource until a time. Of several the latest holds.
func (s *Store) Block(ctx context.Context, id review.InstallationID, resource Resource, until time.Time) error {
	_, err := s.db.Pool().Exec(ctx, `INSERT INTO rate_limits (installation_id, resource, blocked_until)
		VALUES ($1, $2, $3) ON CONFLICT (installation_id, resource)
		DO UPDATE SET blocked_until = GREATEST(rate_limits.blocked_until, excluded.blocked_until)`,
		int64(id), string(resource), until)
	if err != nil {
		return fmt.Errorf("write rate limit of installation %d: %w", id, err)
	}
	return nil
}
