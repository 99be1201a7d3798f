package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

func (s *Store) resolveHead(ctx context.Context, id review.ID, head string) (r Review, err error) {
	if head == "" {
		return Review{}, errors.New("no head")
	}
	r, err = readReview(ctx, s.db.Pool(), id)
	if err != nil || r.Head != "" || r.State.Terminal() {
		return r, err
	}
	err = pg.InTx(ctx, s.db, func(ctx context.Context, tx pg.Tx) error {
		b := newBatch(s, []Item{{Wants: &Wanted{RepositoryID: r.RepositoryID, Number: r.Number, Head: head}}})
		if err := b.read(ctx, tx, &pg.Batch{}); err != nil {
			return err
		}
		p := b.pulls[0]
		reason := ""
		if other := p.newestOf(head, head); !r.Forced {
			reason = other.enough()
		}
		if reason != "" {
			if _, err := finish(ctx, tx, id, review.Skipped, reason); err != nil {
				return err
			}
		} else {
			p.end(review.Superseded, EndedByRequest, func(o *pullReview) bool { return o.Head == head })
			if err := b.end(ctx, tx); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `WITH told AS (SELECT pg_notify($3, $1::text))
				UPDATE reviews SET head = $2, generation = 1 + COALESCE((SELECT max(o.generation) FROM reviews o
					WHERE o.repository_id = reviews.repository_id AND o.number = reviews.number AND o.head = $2), 0)
				FROM told WHERE id = $1::uuid AND head = '' AND state IN ('queued', 'running')`, string(id), head, channel)
			if err != nil {
				return fmt.Errorf("write head: %w", err)
			}
		}
		r, err = readReview(ctx, tx, id)
		return err
	})
	return r, err
}

// SetCheckRun writes GitHub's id of a review's check run.
func (s *Store) SetCheckRun(ctx context.Context, id review.ID, checkRunID int64) error {
	return s.update(ctx, "set check run", id, `check_run_id = $2`, checkRunID)
}

// CloseCheckRun notes that the check run of a superseded or cancelled review was closed on GitHub.
func (s *Store) CloseCheckRun(ctx context.Context, id review.ID) error {
	return s.update(ctx, "close check run", id, `check_run_closed_at = now()`)
}

// SupersededCheckRuns lists the reviews of a pull request that were superseded or cancelled and whose check run is, or
// may be, still open on GitHub, for the next worker to close. Of a review that was begun it may be there without the row
// knowing its id.
func (s *Store) SupersededCheckRuns(ctx context.Context, repository review.RepositoryID, number int) ([]Review, error) {
	rows, err := s.db.Pool().Query(ctx, `SELECT `+reviewColumns+` FROM reviews r JOIN repositories p ON p.id = r.repository_id
		WHERE r.repository_id = $1 AND r.number = $2 AND r.state IN ('superseded', 'cancelled')
			AND (r.check_run_id IS NOT NULL OR r.started_at IS NOT NULL) AND r.check_run_closed_at IS NULL ORDER BY r.created_at`, int64(repository), number)
	if err != nil {
		return nil, fmt.Errorf("list superseded check runs: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanReview)
	if err != nil {
		return nil, fmt.Errorf("list superseded check runs: %w", err)
	}
	return found, nil
}

// SaveResult writes what the engine found, with its usage, before anything of it is posted.
func (s *Store) SaveResult(ctx context.Context, id review.ID, mergeBase string, r *review.Result) error {
	if r == nil {
		return fmt.Errorf("save result of review %s: no result", id)
	}
	encoded, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("save result of review %s: %w", id, err)
	}
	return s.update(ctx, "save result", id, `result = $2, merge_base = $3, input_tokens = $4, output_tokens = $5,
		cost_micros = $6, calls = $7`, string(encoded), text(mergeBase),
		r.Usage.InputTokens, r.Usage.OutputTokens, r.Usage.CostMicros, r.Usage.Calls)
}

// Result reads what SaveResult wrote, or nil when it wrote nothing yet.
func (s *Store) Result(ctx context.Context, id review.ID) (*review.Result, error) {
	if !known(id) {
		return nil, fmt.Errorf("read result of review %s: %w", id, ErrNotFound)
	}
	var encoded *string
	err := s.db.Pool().QueryRow(ctx, `SELECT result::text FROM reviews WHERE id = $1`, string(id)).Scan(&encoded)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read result of review %s: %w", id, err)
	}
	if encoded == nil {
		return nil, nil
	}
	var r review.Result
	if err := json.Unmarshal([]byte(*encoded), &r); err != nil {
		return nil, fmt.Errorf("decode result of review %s: %w", id, err)
	}
	return &r, nil
}

// WalkthroughComment gives GitHub's id of the pull request's walkthrough comment, 0 when there is none.
func (s *Store) WalkthroughComment(ctx context.Context, repository review.RepositoryID, number int) (int64, error) {
	var id int64
	err := s.db.Pool().QueryRow(ctx, `SELECT COALESCE(walkthrough_comment_id, 0) FROM pull_requests
		WHERE repository_id = $1 AND number = $2`, int64(repository), number).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read walkthrough comment: %w", err)
	}
	return id, nil
}

// SetWalkthroughComment writes GitHub's id of the pull request's walkthrough comment; 0 forgets it.
func (s *Store) SetWalkthroughComment(ctx context.Context, repository review.RepositoryID, number int, commentID int64) error {
	tag, err := s.db.Pool().Exec(ctx, `UPDATE pull_requests SET walkthrough_comment_id = $3
		WHERE repository_id = $1 AND number = $2`, int64(repository), number, nullable(commentID))
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("write walkthrough comment: %w", err)
	}
	return nil
}

// LastReviewedHead gives the newest head of a pull request that was reviewed whole, empty when none was.
func (s *Store) LastReviewedHead(ctx context.Context, repository review.RepositoryID, number int) (string, error) {
	var head string
	err := s.db.Pool().QueryRow(ctx, `SELECT last_reviewed_head FROM pull_requests
		WHERE repository_id = $1 AND number = $2`, int64(repository), number).Scan(&head)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read last reviewed head: %w", err)
	}
	return head, nil
}

// update sets columns of one review; its arguments begin at $2. No such review is ErrNotFound.
func (s *Store) update(ctx context.Context, what string, id review.ID, set string, args ...any) error {
	if !known(id) {
		return fmt.Errorf("%s of review %s: %w", what, id, ErrNotFound)
	}
	tag, err := s.db.Pool().Exec(ctx, `UPDATE reviews SET `+set+` WHERE id = $1`, append([]any{string(id)}, args...)...)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("%s of review %s: %w", what, id, err)
	}
	return nil
}
