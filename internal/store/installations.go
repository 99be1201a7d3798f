package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

// Repository is what is known of a repository.
type Repository struct {
	ID             review.RepositoryID
	InstallationID review.InstallationID
	// FullName is "owner/name" as a delivery last said it.
	FullName      string
	DefaultBranch string
}

// The guards keep an unchanged row unlocked: deliveries of one installation must not wait for each other.
const (
	upsertInstallation = `INSERT INTO installations (id, account) SELECT $1, $2
		WHERE NOT EXISTS (SELECT FROM installations WHERE id = $1 AND ($2 = '' OR account = $2))
		ON CONFLICT (id) DO UPDATE SET account = COALESCE(NULLIF(excluded.account, ''), installations.account)`

	upsertRepository = `INSERT INTO repositories (id, installation_id, full_name, default_branch) SELECT $1, $2, $3, $4
		WHERE NOT EXISTS (SELECT FROM repositories
			WHERE id = $1 AND installation_id = $2 AND full_name = $3 AND ($4 = '' OR default_branch = $4))
		ON CONFLICT (id) DO UPDATE SET installation_id = excluded.installation_id, full_name = excluded.full_name,
			default_branch = COALESCE(NULLIF(excluded.default_branch, ''), repositories.default_branch), updated_at = now()`
)

// UpsertInstallation makes an installation known. An empty account leaves the one that is known.
func (s *Store) UpsertInstallation(ctx context.Context, tx pg.Tx, id review.InstallationID, account string) error {
	if _, err := tx.Exec(ctx, upsertInstallation, int64(id), text(account)); err != nil {
		return fmt.Errorf("write installation %d: %w", id, err)
	}
	return nil
}

// SuspendInstallation notes that an installation was suspended, or that it no longer is.
func (s *Store) SuspendInstallation(ctx context.Context, tx pg.Tx, id review.InstallationID, suspended bool) error {
	_, err := tx.Exec(ctx, `UPDATE installations
		SET suspended_at = CASE WHEN $2 THEN COALESCE(suspended_at, now()) END WHERE id = $1`, int64(id), suspended)
	if err != nil {
		return fmt.Errorf("suspend installation %d: %w", id, err)
	}
	return nil
}

// DeleteInstallation forgets everything of an installation but the GUIDs of its deliveries, and gives the River jobs of
// its reviews that had not ended, for the caller to cancel in the same transaction.
func (s *Store) DeleteInstallation(ctx context.Context, tx pg.Tx, id review.InstallationID) (jobs []int64, err error) {
	jobs, err = liveJobs(ctx, tx, `installation_id = $1`, int64(id))
	if err != nil {
		return nil, fmt.Errorf("delete installation %d: %w", id, err)
	}
	for _, sql := range []string{
		`DELETE FROM model_calls WHERE installation_id = $1`,
		`DELETE FROM reviews WHERE installation_id = $1`,
		`DELETE FROM embeddings WHERE installation_id = $1`,
		`DELETE FROM rate_limits WHERE installation_id = $1`,
		`DELETE FROM content_requests WHERE installation_id = $1`,
		`DELETE FROM installations WHERE id = $1`,
	} {
		if _, err := tx.Exec(ctx, sql, int64(id)); err != nil {
			return nil, fmt.Errorf("delete installation %d: %w", id, err)
		}
	}
	return jobs, nil
}

// UpsertRepository makes a repository and its installation known. An empty default branch leaves the one that is known.
func (s *Store) UpsertRepository(ctx context.Context, tx pg.Tx, r Repository) error {
	if err := s.UpsertInstallation(ctx, tx, r.InstallationID, ""); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, upsertRepository, int64(r.ID), int64(r.InstallationID), text(r.FullName), text(r.DefaultBranch))
	if err != nil {
		return fmt.Errorf("write repository %d: %w", r.ID, err)
	}
	return nil
}

// DeleteRepositories forgets everything of those repositories that belong to the installation, and gives the River jobs
// of their reviews that had not ended, for the caller to cancel in the same transaction.
func (s *Store) DeleteRepositories(ctx context.Context, tx pg.Tx, installation review.InstallationID, ids []review.RepositoryID) (jobs []int64, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	numbers := make([]int64, len(ids))
	for i, id := range ids {
		numbers[i] = int64(id)
	}
	jobs, err = liveJobs(ctx, tx, `installation_id = $1 AND repository_id = ANY($2)`, int64(installation), numbers)
	if err != nil {
		return nil, fmt.Errorf("delete repositories: %w", err)
	}
	for _, sql := range []string{
		`DELETE FROM model_calls WHERE installation_id = $1 AND repository_id = ANY($2)`,
		`DELETE FROM repositories WHERE installation_id = $1 AND id = ANY($2)`,
	} {
		if _, err := tx.Exec(ctx, sql, int64(installation), numbers); err != nil {
			return nil, fmt.Errorf("delete repositories: %w", err)
		}
	}
	return jobs, nil
}

// RepositoryByName finds a repository by "owner/name", in any case. Of two that had the name the one that was named so
// last is meant. The error is ErrNotFound when no delivery named it.
func (s *Store) RepositoryByName(ctx context.Context, fullName string) (Repository, error) {
	var r Repository
	err := s.db.Pool().QueryRow(ctx, `SELECT id, installation_id, full_name, default_branch FROM repositories
		WHERE lower(full_name) = lower($1) ORDER BY updated_at DESC, id DESC LIMIT 1`, text(fullName)).
		Scan(&r.ID, &r.InstallationID, &r.FullName, &r.DefaultBranch)
	if errors.Is(err, pgx.ErrNoRows) {
		return Repository{}, fmt.Errorf("find repository %s: %w", fullName, ErrNotFound)
	}
	if err != nil {
		return Repository{}, fmt.Errorf("find repository %s: %w", fullName, err)
	}
	return r, nil
}

func liveJobs(ctx context.Context, tx pg.Tx, where string, args ...any) ([]int64, error) {
	rows, err := tx.Query(ctx, `SELECT job_id FROM reviews WHERE `+where+
		` AND state IN ('queued', 'running') AND job_id IS NOT NULL FOR UPDATE`, args...)
	if err != nil {
		return nil, fmt.Errorf("find jobs: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}
