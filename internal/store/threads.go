package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
)

// ThreadState is what became of the thread that a comment of ours began.
type ThreadState string

// The states.
const (
	// ThreadOpen: its finding stands, as far as we know.
	ThreadOpen ThreadState = "open"
	// ThreadAnswering: its finding is fixed; the reply that says so is intended and may have been made.
	ThreadAnswering ThreadState = "answering"
	// ThreadAnswered: the reply stands there.
	ThreadAnswered ThreadState = "answered"
	// ThreadResolved: and we resolved the thread.
	ThreadResolved ThreadState = "resolved"
	// ThreadLeft: a person is in it, so it is theirs.
	ThreadLeft ThreadState = "left"
)

// Thread is a comment of a review and the conversation that hangs on it.
type Thread struct {
	// CommentID is GitHub's id of our comment.
	CommentID   int64
	Fingerprint finding.Fingerprint
	// NodeID is GitHub's GraphQL id of the thread, empty while it is not known.
	NodeID string
	State  ThreadState
	// FixedIn is the revision in which the finding was seen to be fixed.
	FixedIn string
	// AttemptedAt is when a reply was last intended, by this process's clock; zero when none was.
	AttemptedAt time.Time
}

// AddThreads notes the threads that the comments of a review began. Those that are known stay as they are.
func (s *Store) AddThreads(ctx context.Context, id review.ID, threads []Thread) error {
	batch := &pgx.Batch{}
	for _, t := range threads {
		batch.Queue(`INSERT INTO threads (repository_id, comment_id, number, review_id, fingerprint)
			SELECT repository_id, $2, number, id, $3 FROM reviews WHERE id = $1 ON CONFLICT DO NOTHING`,
			string(id), t.CommentID, string(t.Fingerprint))
	}
	if err := s.db.Pool().SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("note threads of review %s: %w", id, err)
	}
	return nil
}

// OpenThreads gives the threads of a pull request that nothing has become of yet, or that a reply is intended to, oldest
// first.
func (s *Store) OpenThreads(ctx context.Context, repository review.RepositoryID, number int) ([]Thread, error) {
	rows, err := s.db.Pool().Query(ctx, `SELECT comment_id, fingerprint, node_id, state, fixed_in,
			extract(epoch FROM clock_timestamp() - attempted_at)::float8 FROM threads
		WHERE repository_id = $1 AND number = $2 AND state IN ('open', 'answering') ORDER BY comment_id`, int64(repository), number)
	if err != nil {
		return nil, fmt.Errorf("read open threads: %w", err)
	}
	threads, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Thread, error) {
		var t Thread
		var age *float64
		err := row.Scan(&t.CommentID, &t.Fingerprint, &t.NodeID, &t.State, &t.FixedIn, &age)
		if age != nil {
			t.AttemptedAt = time.Now().Add(-time.Duration(*age * float64(time.Second)))
		}
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("read open threads: %w", err)
	}
	return threads, nil
}

// SetThread writes what became of a thread. With ThreadAnswering, AttemptedAt becomes now.
func (s *Store) SetThread(ctx context.Context, repository review.RepositoryID, t Thread) error {
	_, err := s.db.Pool().Exec(ctx, `UPDATE threads SET state = $3, fixed_in = $4, node_id = $5,
			attempted_at = CASE WHEN $3 = 'answering' THEN clock_timestamp() ELSE attempted_at END
		WHERE repository_id = $1 AND comment_id = $2`, int64(repository), t.CommentID, string(t.State), t.FixedIn, t.NodeID)
	if err != nil {
		return fmt.Errorf("write thread of comment %d: %w", t.CommentID, err)
	}
	return nil
}

// DropThread forgets a thread whose comment is gone.
func (s *Store) DropThread(ctx context.Context, repository review.RepositoryID, comment int64) error {
	if _, err := s.db.Pool().Exec(ctx, `DELETE FROM threads WHERE repository_id = $1 AND comment_id = $2`, int64(repository), comment); err != nil {
		return fmt.Errorf("drop thread of comment %d: %w", comment, err)
	}
	return nil
}

// Verification is a posting that is to be looked at once more.
type Verification struct {
	ReviewID review.ID
	// GitHubReviewID is the review that we know of.
	GitHubReviewID int64
}

// verifyLife is for how long a look is tried that does not succeed.
const verifyLife = 24 * time.Hour

// DueVerification takes one posting whose time has come, and nobody else gets it before the lease is over. The error is
// ErrNotFound when there is none.
func (s *Store) DueVerification(ctx context.Context, lease time.Duration) (Verification, error) {
	var v Verification
	err := s.db.Pool().QueryRow(ctx, `UPDATE postings SET verify_at = clock_timestamp() + $1::interval WHERE review_id = (
			SELECT review_id FROM postings WHERE verify_at <= clock_timestamp() AND attempted_at > clock_timestamp() - $2::interval
			ORDER BY verify_at LIMIT 1 FOR UPDATE SKIP LOCKED
		) RETURNING review_id::text, COALESCE(github_review_id, 0)`, lease, verifyLife).Scan(&v.ReviewID, &v.GitHubReviewID)
	if errors.Is(err, pgx.ErrNoRows) {
		return Verification{}, ErrNotFound
	}
	if err != nil {
		return Verification{}, fmt.Errorf("take a posting to verify: %w", err)
	}
	return v, nil
}

// Verified notes that a posting was looked at, and which review it is that stands.
func (s *Store) Verified(ctx context.Context, id review.ID, gitHubReviewID int64) error {
	_, err := s.db.Pool().Exec(ctx, `UPDATE postings SET verify_at = NULL, github_review_id = $2 WHERE review_id = $1`,
		string(id), nullable(gitHubReviewID))
	if err != nil {
		return fmt.Errorf("write verification of review %s: %w", id, err)
	}
	return nil
}
