package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

// Sweep is one passage over an installation's open pull requests.
type Sweep struct {
	InstallationID review.InstallationID
	BeganAt        time.Time
	// Since is how long ago a pull request must have been updated at most: what is older was looked at by the sweep
	// before, or is from before KnownSince.
	Since time.Time
	// KnownSince is when the installation became known to us.
	KnownSince time.Time
	// Listed is set when the repositories to be looked at have been written down.
	Listed bool
}

// DueSweeps gives those of the installations that have a sweep under way, or whose last one began longer than every ago.
// Installations that are not known become so.
func (s *Store) DueSweeps(ctx context.Context, tx pg.Tx, ids []review.InstallationID, accounts []string, every time.Duration) ([]review.InstallationID, error) {
	for i, id := range ids {
		if err := s.UpsertInstallation(ctx, tx, id, accounts[i]); err != nil {
			return nil, err
		}
	}
	rows, err := tx.Query(ctx, `SELECT i.id FROM installations i LEFT JOIN sweeps s ON s.installation_id = i.id
		WHERE i.id = ANY($1) AND (s.began_at IS NOT NULL OR s.complete_at IS NULL OR s.complete_at < now() - $2::interval)
		ORDER BY i.id`, ids, every)
	if err != nil {
		return nil, fmt.Errorf("find installations to sweep: %w", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowTo[review.InstallationID])
	if err != nil {
		return nil, fmt.Errorf("find installations to sweep: %w", err)
	}
	return due, nil
}

// BeginSweep gives the installation's sweep under way, or begins one that reaches back to overlap before the last. The
// error is ErrNotFound when the installation is not known.
func (s *Store) BeginSweep(ctx context.Context, id review.InstallationID, overlap time.Duration) (Sweep, error) {
	sweep := Sweep{InstallationID: id}
	err := s.db.Pool().QueryRow(ctx, `INSERT INTO sweeps AS s (installation_id, began_at, since)
			SELECT id, now(), created_at FROM installations WHERE id = $1
			ON CONFLICT (installation_id) DO UPDATE SET began_at = COALESCE(s.began_at, now()),
				since = COALESCE(s.since, GREATEST(excluded.since, s.complete_at - $2::interval))
		RETURNING began_at, since, listed, (SELECT created_at FROM installations WHERE id = $1)`, int64(id), overlap).
		Scan(&sweep.BeganAt, &sweep.Since, &sweep.Listed, &sweep.KnownSince)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Sweep{}, fmt.Errorf("begin sweep of installation %d: %w", id, err)
	}
	return sweep, nil
}

// ListForSweep writes down the repositories that the sweep has to look at.
func (s *Store) ListForSweep(ctx context.Context, sweep Sweep, repositories []Repository) error {
	err := pg.InTx(ctx, s.db, func(ctx context.Context, tx pg.Tx) error {
		ids, names, branches := make([]int64, len(repositories)), make([]string, len(repositories)), make([]string, len(repositories))
		for i, r := range repositories {
			ids[i], names[i], branches[i] = int64(r.ID), text(r.FullName), text(r.DefaultBranch)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO sweep_repositories (installation_id, repository_id, full_name, default_branch)
			SELECT $1::bigint, r.* FROM unnest($2::bigint[], $3::text[], $4::text[]) r ON CONFLICT DO NOTHING`,
			int64(sweep.InstallationID), ids, names, branches); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE sweeps SET listed = true WHERE installation_id = $1`, int64(sweep.InstallationID))
		return err
	})
	if err != nil {
		return fmt.Errorf("list repositories to sweep: %w", err)
	}
	return nil
}

// NextSwept gives the first repository after another that the sweep has still to look at; ok is false after the last.
func (s *Store) NextSwept(ctx context.Context, sweep Sweep, after review.RepositoryID) (r Repository, ok bool, err error) {
	r.InstallationID = sweep.InstallationID
	err = s.db.Pool().QueryRow(ctx, `SELECT repository_id, full_name, default_branch FROM sweep_repositories
		WHERE installation_id = $1 AND repository_id > $2 ORDER BY repository_id LIMIT 1`, int64(sweep.InstallationID), int64(after)).
		Scan(&r.ID, &r.FullName, &r.DefaultBranch)
	if errors.Is(err, pgx.ErrNoRows) {
		return Repository{}, false, nil
	}
	if err != nil {
		return Repository{}, false, fmt.Errorf("find repository to sweep: %w", err)
	}
	return r, true, nil
}

// DoneSwept notes that the sweep has looked at a repository.
func (s *Store) DoneSwept(ctx context.Context, r Repository) error {
	_, err := s.db.Pool().Exec(ctx, `DELETE FROM sweep_repositories WHERE installation_id = $1 AND repository_id = $2`,
		int64(r.InstallationID), int64(r.ID))
	if err != nil {
		return fmt.Errorf("note swept repository %s: %w", r.FullName, err)
	}
	return nil
}

// FinishSweep ends a sweep, and gives how many repositories it was not able to look at.
func (s *Store) FinishSweep(ctx context.Context, sweep Sweep) (left int, err error) {
	err = pg.InTx(ctx, s.db, func(ctx context.Context, tx pg.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM sweep_repositories WHERE installation_id = $1`, int64(sweep.InstallationID))
		if err != nil {
			return err
		}
		left = int(tag.RowsAffected())
		_, err = tx.Exec(ctx, `UPDATE sweeps SET complete_at = began_at, began_at = NULL, since = NULL, listed = false
			WHERE installation_id = $1 AND began_at = $2`, int64(sweep.InstallationID), sweep.BeganAt)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("finish sweep of installation %d: %w", sweep.InstallationID, err)
	}
	return left, nil
}

// HeadKnown is what we know of a pull request's head.
type HeadKnown struct {
	// Reviewed is set when there is a review of it, whatever its state.
	Reviewed bool
	// Moved is set when a delivery named another head of the pull request.
	Moved bool
}

// HeadKnown looks up one head.
func (s *Store) HeadKnown(ctx context.Context, repository review.RepositoryID, number int, head string) (k HeadKnown, err error) {
	err = s.db.Pool().QueryRow(ctx, `SELECT
		EXISTS (SELECT FROM reviews WHERE repository_id = $1 AND number = $2 AND head = $3),
		EXISTS (SELECT FROM pull_requests WHERE repository_id = $1 AND number = $2 AND latest_head NOT IN ('', $3))`,
		int64(repository), number, text(head)).Scan(&k.Reviewed, &k.Moved)
	if err != nil {
		return HeadKnown{}, fmt.Errorf("look up head of #%d: %w", number, err)
	}
	return k, nil
}
