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

// Wanted asks for a review of one revision, for a delivery or for a person.
type Wanted struct {
	InstallationID review.InstallationID
	RepositoryID   review.RepositoryID
	// Repository is "owner/name", DefaultBranch may be empty.
	Repository, DefaultBranch string
	Number                    int
	// Head is the revision. A person may leave it empty: then it is the head when the worker looks (ResolveHead).
	Head string
	// EventAt is pull_request.updated_at of the delivery. Zero means that a person asked: then nothing is superseded but
	// older generations of the same head, and what deliveries said of the pull request stays as it is.
	EventAt time.Time
	// Action is the delivery's: "opened" is before everything else of its second, "reopened" opens in the second of
	// the closing.
	Action string
	// Before is the head that a synchronize moved away from.
	Before string
	// Force asks for a new generation even if the head was reviewed.
	Force bool
}

// Reasons why no review was created.
const (
	// ReasonStale: a newer delivery of the pull request was seen before.
	ReasonStale = "stale"
	// ReasonClosed: the pull request is closed.
	ReasonClosed = "closed"
	// ReasonUnderWay: a review of this head has not ended.
	ReasonUnderWay = "under_way"
	// ReasonReviewed: this head was reviewed.
	ReasonReviewed = "already_reviewed"
)

// Reasons why a review ended, as they stand in Review.Reason.
const (
	// EndedByRevision: a newer revision arrived.
	EndedByRevision = "newer_revision"
	// EndedByRequest: the same head is reviewed again.
	EndedByRequest = "asked_again"
	// EndedByClose: the pull request was closed.
	EndedByClose = "pull_request_closed"
	// EndedByPerson: CancelReview.
	EndedByPerson = "cancelled_on_request"
)

// Requested is what RequestReview did.
type Requested struct {
	// Review is the review of the newest head: the new one, or the one that there was. Its ID is empty when there is none.
	Review Review
	// Created is set when the review is new and needs a job.
	Created bool
	// Reason says why nothing was created: one of the Reason constants.
	Reason string
	// Superseded are the reviews that this ended; the caller cancels their jobs in the same transaction.
	Superseded []Review
	// Stale is set when a newer delivery was seen before: Reason is ReasonStale.
	Stale bool
}

// RequestReview decides, under the lock of the pull request's row, whether a review is to be made, and writes it. It
// makes the installation, the repository and the pull request known. In the same transaction older reviews of other
// heads become superseded. The review is not always of w.Head: when w settles which of several heads in one second was
// the newest, it is of that one.
func (s *Store) RequestReview(ctx context.Context, tx pg.Tx, w Wanted) (Requested, error) {
	row, err := lockPullRequest(ctx, tx, w)
	if err != nil {
		return Requested{}, fmt.Errorf("request review of %s#%d: %w", w.Repository, w.Number, err)
	}
	got, err := s.request(ctx, tx, w, row)
	if err != nil {
		return Requested{}, fmt.Errorf("request review of %s#%d: %w", w.Repository, w.Number, err)
	}
	return got, nil
}

func (s *Store) request(ctx context.Context, tx pg.Tx, w Wanted, row pullRequest) (got Requested, err error) {
	target := w.Head
	if !w.EventAt.IsZero() {
		if w.EventAt.Before(row.at) {
			return Requested{Stale: true, Reason: ReasonStale}, nil
		}
		next := row
		next.position = row.after(moment{at: w.EventAt, head: w.Head, before: w.Before, opened: w.Action == "opened"})
		next.open = row.open || w.EventAt.After(row.at) || w.Action == "reopened"
		if err := writePullRequest(ctx, tx, w, next); err != nil {
			return Requested{}, err
		}
		if next.head != row.head {
			got.Superseded, err = endLive(ctx, tx, review.Superseded, EndedByRevision,
				`repository_id = $4 AND number = $5 AND head <> $6`, int64(w.RepositoryID), w.Number, next.head)
			if err != nil {
				return Requested{}, err
			}
		}
		switch {
		case !next.open:
			got.Reason = ReasonClosed
			return got, nil
		case next.head != w.Head && next.head == row.head:
			got.Stale, got.Reason = true, ReasonStale
			return got, nil
		}
		target = next.head
	}

	existing, err := newestOf(ctx, tx, w, target, row.head)
	switch {
	case err != nil:
		return Requested{}, err
	case w.Force || existing.ID == "":
	case existing.State == review.Queued || existing.State == review.Running:
		got.Review, got.Reason = existing, ReasonUnderWay
		return got, nil
	case existing.State == review.Clean || existing.State == review.Findings || existing.State == review.Partial:
		got.Review, got.Reason = existing, ReasonReviewed
		return got, nil
	}
	if w.Force {
		older, err := endLive(ctx, tx, review.Superseded, EndedByRequest,
			`repository_id = $4 AND number = $5 AND head = $6`, int64(w.RepositoryID), w.Number, target)
		if err != nil {
			return Requested{}, err
		}
		got.Superseded = append(got.Superseded, older...)
	}
	got.Review, err = create(ctx, tx, w, target)
	got.Created = err == nil
	return got, err
}

// Closed is what ClosePullRequest did.
type Closed struct {
	// Cancelled are the reviews that this ended; the caller cancels their jobs in the same transaction.
	Cancelled []Review
	// Stale is set when a newer delivery was seen before, so that nothing was done.
	Stale bool
}

// ClosePullRequest notes that a pull request was closed at w.EventAt, though nothing else may be known of it yet, and
// cancels its reviews that have not ended.
func (s *Store) ClosePullRequest(ctx context.Context, tx pg.Tx, w Wanted) (Closed, error) {
	row, err := lockPullRequest(ctx, tx, w)
	if err != nil {
		return Closed{}, fmt.Errorf("close %s#%d: %w", w.Repository, w.Number, err)
	}
	if w.EventAt.Before(row.at) {
		return Closed{Stale: true}, nil
	}
	next := row
	next.position = row.after(moment{at: w.EventAt, head: w.Head})
	next.open = false
	if err := writePullRequest(ctx, tx, w, next); err != nil {
		return Closed{}, fmt.Errorf("close %s#%d: %w", w.Repository, w.Number, err)
	}
	cancelled, err := endLive(ctx, tx, review.Cancelled, EndedByClose,
		`repository_id = $4 AND number = $5`, int64(w.RepositoryID), w.Number)
	if err != nil {
		return Closed{}, fmt.Errorf("close %s#%d: %w", w.Repository, w.Number, err)
	}
	return Closed{Cancelled: cancelled}, nil
}

// CancelReview ends a review that has not ended, and says whether it did; then the caller cancels its job in the same
// transaction. The error is ErrNotFound when there is no such review.
func (s *Store) CancelReview(ctx context.Context, tx pg.Tx, id review.ID) (r Review, changed bool, err error) {
	if !known(id) {
		return Review{}, false, fmt.Errorf("cancel review %s: %w", id, ErrNotFound)
	}
	ended, err := endLive(ctx, tx, review.Cancelled, EndedByPerson, `id = $4`, string(id))
	if err != nil {
		return Review{}, false, fmt.Errorf("cancel review %s: %w", id, err)
	}
	if len(ended) > 0 {
		return ended[0], true, nil
	}
	r, err = readReview(ctx, tx, id)
	if err != nil {
		return Review{}, false, fmt.Errorf("cancel review %s: %w", id, err)
	}
	return r, false, nil
}

// SetJob writes the River job that a review was given.
func (s *Store) SetJob(ctx context.Context, tx pg.Tx, id review.ID, jobID int64) error {
	tag, err := tx.Exec(ctx, `UPDATE reviews SET job_id = $2 WHERE id = $1`, string(id), jobID)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("set job of review %s: %w", id, err)
	}
	return nil
}

// pullRequest is the row that orders the deliveries of one pull request.
type pullRequest struct {
	position
	open bool
}

// lockPullRequest makes the rows known that w names and locks the pull request's until the transaction ends.
func lockPullRequest(ctx context.Context, tx pg.Tx, w Wanted) (pullRequest, error) {
	var row pullRequest
	var at *time.Time
	batch := &pgx.Batch{}
	if w.InstallationID != 0 {
		batch.Queue(upsertInstallation, int64(w.InstallationID), "")
		batch.Queue(upsertRepository, int64(w.RepositoryID), int64(w.InstallationID), text(w.Repository), text(w.DefaultBranch))
	}
	batch.Queue(`INSERT INTO pull_requests (repository_id, number) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		int64(w.RepositoryID), w.Number)
	batch.Queue(`SELECT latest_head, open, NULLIF(event_at, '-infinity'), tied_heads, tied_befores FROM pull_requests
		WHERE repository_id = $1 AND number = $2 FOR UPDATE`, int64(w.RepositoryID), w.Number).
		QueryRow(func(r pgx.Row) error { return r.Scan(&row.head, &row.open, &at, &row.heads, &row.befores) })
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return pullRequest{}, fmt.Errorf("lock pull request: %w", err)
	}
	if at != nil {
		row.at = *at
	}
	return row, nil
}

func writePullRequest(ctx context.Context, tx pg.Tx, w Wanted, row pullRequest) error {
	_, err := tx.Exec(ctx, `UPDATE pull_requests SET latest_head = $3, open = $4, event_at = $5, tied_heads = $6,
		tied_befores = $7 WHERE repository_id = $1 AND number = $2`,
		int64(w.RepositoryID), w.Number, row.head, row.open, row.at, words(row.heads), words(row.befores))
	if err != nil {
		return fmt.Errorf("write pull request: %w", err)
	}
	return nil
}

// words gives an empty array for nil, which would be NULL.
func words(w []string) []string {
	if w == nil {
		return []string{}
	}
	return w
}

// endLive ends the reviews that match and have not ended, and notifies those who watch them. The condition's first
// argument is $4.
func endLive(ctx context.Context, q querier, state review.State, reason, where string, args ...any) ([]Review, error) {
	rows, err := q.Query(ctx, `WITH r AS (
			UPDATE reviews SET state = $1, reason = $2, ended_at = now()
			WHERE state IN ('queued', 'running') AND `+where+` RETURNING *
		), told AS (SELECT id, pg_notify($3, id::text) FROM r)
		SELECT `+reviewColumns+` FROM r JOIN told ON told.id = r.id JOIN repositories p ON p.id = r.repository_id`,
		append([]any{string(state), reason, channel}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("end reviews: %w", err)
	}
	ended, err := pgx.CollectRows(rows, scanReview)
	if err != nil {
		return nil, fmt.Errorf("end reviews: %w", err)
	}
	return ended, nil
}

// newestOf finds the newest review of a head. When nobody named a head, the review of the head that deliveries named
// last will do.
func newestOf(ctx context.Context, tx pg.Tx, w Wanted, head, latest string) (Review, error) {
	if head != "" {
		latest = head
	}
	rows, err := tx.Query(ctx, `SELECT `+reviewColumns+` FROM reviews r JOIN repositories p ON p.id = r.repository_id
		WHERE r.repository_id = $1 AND r.number = $2 AND r.head IN ($3, $4)
		ORDER BY r.state IN ('queued', 'running') DESC, r.created_at DESC, r.generation DESC LIMIT 1`,
		int64(w.RepositoryID), w.Number, head, latest)
	if err != nil {
		return Review{}, fmt.Errorf("find review of the head: %w", err)
	}
	found, err := pgx.CollectExactlyOneRow(rows, scanReview)
	if errors.Is(err, pgx.ErrNoRows) {
		return Review{}, nil
	}
	if err != nil {
		return Review{}, fmt.Errorf("find review of the head: %w", err)
	}
	return found, nil
}

func create(ctx context.Context, tx pg.Tx, w Wanted, head string) (Review, error) {
	id, err := newID()
	if err != nil {
		return Review{}, err
	}
	rows, err := tx.Query(ctx, `WITH r AS (
			INSERT INTO reviews (id, installation_id, repository_id, number, head, generation, forced)
			SELECT $1, p.installation_id, p.id, $3, $4, 1 + COALESCE((SELECT max(generation) FROM reviews
				WHERE repository_id = $2 AND number = $3 AND head = $4), 0), $5
			FROM repositories p WHERE p.id = $2 RETURNING *
		) SELECT `+reviewColumns+` FROM r JOIN repositories p ON p.id = r.repository_id`,
		string(id), int64(w.RepositoryID), w.Number, head, w.Force)
	if err != nil {
		return Review{}, fmt.Errorf("create review: %w", err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanReview)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Review{}, fmt.Errorf("create review: %w", err)
	}
	return r, nil
}
