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

// Review is the row of one review of one revision.
type Review struct {
	ID             review.ID
	InstallationID review.InstallationID
	RepositoryID   review.RepositoryID
	// Repository is "owner/name" as it is now.
	Repository string
	Number     int
	// Head is empty until the worker has looked, when nobody named it.
	Head       string
	Generation int
	// Forced is set when the head was to be reviewed again.
	Forced bool
	State  review.State
	// Stage is where a running review is, or where it ended.
	Stage review.Stage
	// Reason says why it ended as it did.
	Reason    string
	MergeBase string
	// CheckRunID and JobID are 0 when there is none.
	CheckRunID, JobID int64
	Usage             review.Usage
	CreatedAt         time.Time
	// StartedAt and EndedAt are zero before it did.
	StartedAt, EndedAt time.Time
}

// reviewColumns are what scanReview reads, from reviews r and repositories p.
const reviewColumns = `r.id::text, r.installation_id, r.repository_id, p.full_name, r.number, r.head, r.generation,
	r.forced, r.state, r.stage, r.reason, r.merge_base, COALESCE(r.check_run_id, 0), COALESCE(r.job_id, 0),
	r.input_tokens, r.output_tokens, r.cost_micros, r.calls, r.created_at, r.started_at, r.ended_at`

func scanReview(row pgx.CollectableRow) (Review, error) {
	var r Review
	var started, ended *time.Time
	err := row.Scan(&r.ID, &r.InstallationID, &r.RepositoryID, &r.Repository, &r.Number, &r.Head, &r.Generation,
		&r.Forced, &r.State, &r.Stage, &r.Reason, &r.MergeBase, &r.CheckRunID, &r.JobID,
		&r.Usage.InputTokens, &r.Usage.OutputTokens, &r.Usage.CostMicros, &r.Usage.Calls, &r.CreatedAt, &started, &ended)
	if started != nil {
		r.StartedAt = *started
	}
	if ended != nil {
		r.EndedAt = *ended
	}
	return r, err
}

// Review reads one review. The error is ErrNotFound when there is none.
func (s *Store) Review(ctx context.Context, id review.ID) (Review, error) {
	r, err := readReview(ctx, s.db.Pool(), id)
	if err != nil {
		return Review{}, fmt.Errorf("read review %s: %w", id, err)
	}
	return r, nil
}

// ReviewIn is Review in the caller's transaction.
func (s *Store) ReviewIn(ctx context.Context, tx pg.Tx, id review.ID) (Review, error) {
	r, err := readReview(ctx, tx, id)
	if err != nil {
		return Review{}, fmt.Errorf("read review %s: %w", id, err)
	}
	return r, nil
}

func readReview(ctx context.Context, q querier, id review.ID) (Review, error) {
	if !known(id) {
		return Review{}, ErrNotFound
	}
	return oneReview(ctx, q, `SELECT `+reviewColumns+
		` FROM reviews r JOIN repositories p ON p.id = r.repository_id WHERE r.id = $1`, string(id))
}

// oneReview runs a query for one review; none is ErrNotFound.
func oneReview(ctx context.Context, q querier, sql string, args ...any) (Review, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return Review{}, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanReview)
	if errors.Is(err, pgx.ErrNoRows) {
		return Review{}, ErrNotFound
	}
	return r, err
}

// Start makes a queued review running. One that a worker before had is given as it is, and so is one that has ended:
// look at its state.
func (s *Store) Start(ctx context.Context, id review.ID) (Review, error) {
	if !known(id) {
		return Review{}, fmt.Errorf("start review %s: %w", id, ErrNotFound)
	}
	r, err := oneReview(ctx, s.db.Pool(), `WITH r AS (
			UPDATE reviews SET state = 'running', started_at = now() WHERE id = $1 AND state = 'queued' RETURNING *
		), told AS (SELECT id, pg_notify($2, id::text) FROM r)
		SELECT `+reviewColumns+` FROM r JOIN told ON told.id = r.id JOIN repositories p ON p.id = r.repository_id`,
		string(id), channel)
	if errors.Is(err, ErrNotFound) {
		r, err = readReview(ctx, s.db.Pool(), id)
	}
	if err != nil {
		return Review{}, fmt.Errorf("start review %s: %w", id, err)
	}
	return r, nil
}

// SetStage writes where a running review is and gives its state as it is now, so that a worker learns at each stage
// whether its review was superseded or cancelled.
func (s *Store) SetStage(ctx context.Context, id review.ID, stage review.Stage) (review.State, error) {
	if !known(id) {
		return "", fmt.Errorf("set stage of review %s: %w", id, ErrNotFound)
	}
	var state review.State
	err := s.db.Pool().QueryRow(ctx, `WITH moved AS (
			UPDATE reviews SET stage = $2 WHERE id = $1 AND state = 'running' RETURNING id
		), told AS (SELECT pg_notify($3, id::text) FROM moved)
		SELECT state FROM reviews LEFT JOIN told ON true WHERE id = $1`, string(id), string(stage), channel).Scan(&state)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("set stage of review %s: %w", id, err)
	}
	return state, nil
}

// ResolveHead gives a review that was asked for without a head the head that the worker found, as a new generation of
// it. When that head is being reviewed or was reviewed and nobody forced another, this review ends as skipped instead,
// with ReasonUnderWay or ReasonReviewed. A review that has a head, or has ended, is given as it is.
func (s *Store) ResolveHead(ctx context.Context, id review.ID, head string) (Review, error) {
	r, err := s.resolveHead(ctx, id, head)
	if err != nil {
		return Review{}, fmt.Errorf("resolve head of review %s: %w", id, err)
	}
	return r, nil
}

// Finish ends a review that has not ended and says whether it did. The state must be an end.
func (s *Store) Finish(ctx context.Context, id review.ID, state review.State, reason string) (changed bool, err error) {
	return finish(ctx, s.db.Pool(), id, state, reason)
}

// FinishIn is Finish in the caller's transaction, so that the job can be completed in the same.
func (s *Store) FinishIn(ctx context.Context, tx pg.Tx, id review.ID, state review.State, reason string) (changed bool, err error) {
	return finish(ctx, tx, id, state, reason)
}

// finish also remembers the head of a review that saw everything, as the one that the next push is compared with. Then
// it locks the pull request before the review, as deliveries do.
func finish(ctx context.Context, q querier, id review.ID, state review.State, reason string) (changed bool, err error) {
	if !state.Terminal() {
		return false, fmt.Errorf("finish review %s: %q is not an end", id, state)
	}
	if !known(id) {
		return false, fmt.Errorf("finish review %s: %w", id, ErrNotFound)
	}
	const ends = `state = $2, reason = $3, ended_at = now() `
	sql := `WITH ended AS (
			UPDATE reviews SET ` + ends + `WHERE id = $1 AND state IN ('queued', 'running') RETURNING id
		), told AS (SELECT pg_notify($4, id::text) FROM ended
		) SELECT EXISTS (SELECT FROM told)`
	if state == review.Clean || state == review.Findings {
		sql = `WITH locked AS MATERIALIZED (
				SELECT repository_id, number FROM pull_requests WHERE (repository_id, number) =
					(SELECT repository_id, number FROM reviews WHERE id = $1) FOR UPDATE
			), ended AS (
				UPDATE reviews r SET ` + ends + `FROM locked
				WHERE r.id = $1 AND r.repository_id = locked.repository_id AND r.state IN ('queued', 'running')
				RETURNING r.id, r.repository_id, r.number, r.head
			), told AS (SELECT pg_notify($4, id::text) FROM ended
			), seen AS (
				UPDATE pull_requests p SET last_reviewed_head = ended.head FROM ended
				WHERE p.repository_id = ended.repository_id AND p.number = ended.number AND ended.head <> ''
			) SELECT EXISTS (SELECT FROM told)`
	}
	if err = q.QueryRow(ctx, sql, string(id), string(state), text(reason), channel).Scan(&changed); err != nil {
		return false, fmt.Errorf("finish review %s: %w", id, err)
	}
	return changed, nil
}
