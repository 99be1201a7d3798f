package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/review"
)

// Posting is the durable memory of how far the posting of one review came.
type Posting struct {
	db          *pg.DB
	id          review.ID
	verifyAfter time.Duration
}

var _ post.Record = (*Posting)(nil)

// Posting gives the record of one review's posting.
func (s *Store) Posting(id review.ID) *Posting { return &Posting{db: s.db, id: id} }

// Verified makes the posting due for DueVerification so long after the review became visible; 0 is never.
func (p *Posting) Verified(after time.Duration) *Posting {
	verified := *p
	verified.verifyAfter = after
	return &verified
}

// Load reads the state. AttemptedAt is on this process's clock: only the database's clock measured how long ago it was.
func (p *Posting) Load(ctx context.Context) (post.State, error) {
	if !known(p.id) {
		return post.State{}, fmt.Errorf("read posting of review %s: %w", p.id, ErrNotFound)
	}
	var state post.State
	var age float64
	err := p.db.Pool().QueryRow(ctx, `SELECT stage, COALESCE(github_review_id, 0), COALESCE(tried, 'null'),
		extract(epoch FROM clock_timestamp() - attempted_at)::float8 FROM postings WHERE review_id = $1`, string(p.id)).
		Scan(&state.Stage, &state.ReviewID, &state.Tried, &age)
	if errors.Is(err, pgx.ErrNoRows) {
		return post.State{}, nil
	}
	if err != nil {
		return post.State{}, fmt.Errorf("read posting of review %s: %w", p.id, err)
	}
	state.AttemptedAt = time.Now().Add(-time.Duration(age * float64(time.Second)))
	return state, nil
}

// Advance writes stage and id, 0 for an id that is not known, and sets AttemptedAt to now. Each time the intent is
// written counts as an attempt.
func (p *Posting) Advance(ctx context.Context, stage post.Stage, reviewID int64) error {
	if !known(p.id) {
		return fmt.Errorf("write posting of review %s: %w", p.id, ErrNotFound)
	}
	var verify *time.Duration
	if p.verifyAfter > 0 && reviewID != 0 && (stage == post.StageSubmitted || stage == post.StageDone) {
		verify = &p.verifyAfter
	}
	_, err := p.db.Pool().Exec(ctx, `INSERT INTO postings (review_id, stage, github_review_id, attempted_at, attempts, verify_at)
		VALUES ($1, $2, $3, clock_timestamp(), 1, clock_timestamp() + $4::interval)
		ON CONFLICT (review_id) DO UPDATE SET stage = excluded.stage, github_review_id = excluded.github_review_id,
			attempted_at = excluded.attempted_at, verify_at = excluded.verify_at,
			attempts = postings.attempts + CASE WHEN excluded.stage = 'intent' THEN 1 ELSE 0 END`,
		string(p.id), string(stage), nullable(reviewID), verify)
	if err != nil {
		return fmt.Errorf("write posting of review %s: %w", p.id, err)
	}
	return nil
}

// Learn implements post.Record. A posting that has no row yet has nothing that could be learned.
func (p *Posting) Learn(ctx context.Context, tried []post.Tried) error {
	content, err := json.Marshal(tried)
	if err != nil {
		return fmt.Errorf("write posting of review %s: %w", p.id, err)
	}
	if _, err := p.db.Pool().Exec(ctx, `UPDATE postings SET tried = $2 WHERE review_id = $1`, string(p.id), content); err != nil {
		return fmt.Errorf("write posting of review %s: %w", p.id, err)
	}
	return nil
}
