package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

// reservationLife is how long a reservation that nobody settles counts: longer than any model call, and an end to what
// a crashed worker left behind.
const reservationLife = 15 * time.Minute

// ModelCall is one question to a model before it is asked.
type ModelCall struct {
	InstallationID review.InstallationID
	RepositoryID   review.RepositoryID
	ReviewID       review.ID
	// RequestHash identifies the question: the hash of its canonical JSON.
	RequestHash string
	// Purpose is the schema's name: "summary", "findings", "verdict".
	Purpose string
	// Tokens and CostMicros are the most that it may take, sent and answered together.
	Tokens, CostMicros int64
}

// Limits are ceilings for the sum of what was spent and what is reserved. 0 means no ceiling. A day is the last 24 hours.
type Limits struct {
	ReviewTokens                               int64
	RepositoryDayTokens, InstallationDayTokens int64
	RepositoryDayMicros, InstallationDayMicros int64
}

// StoredAnswer gives the answer that a question got before, with Stored set. An answer belongs to its installation.
func (s *Store) StoredAnswer(ctx context.Context, id review.InstallationID, requestHash string) (a review.ModelAnswer, found bool, err error) {
	var encoded string
	err = s.db.Pool().QueryRow(ctx, `SELECT answer::text FROM model_calls
		WHERE installation_id = $1 AND request_hash = $2 AND answer IS NOT NULL`, int64(id), requestHash).Scan(&encoded)
	if errors.Is(err, pgx.ErrNoRows) {
		return review.ModelAnswer{}, false, nil
	}
	if err != nil {
		return review.ModelAnswer{}, false, fmt.Errorf("read stored answer: %w", err)
	}
	if err := json.Unmarshal([]byte(encoded), &a); err != nil {
		return review.ModelAnswer{}, false, fmt.Errorf("decode stored answer: %w", err)
	}
	a.Stored = true
	return a, true, nil
}

// Reserve holds budget back for a call before it is made. When a limit would be passed nothing is reserved, and why says
// which in one sentence. Reserving the same question again takes over the reservation that a crashed worker left; what
// that question already cost stays counted. Reservations of one installation are made one after the other.
func (s *Store) Reserve(ctx context.Context, c ModelCall, l Limits) (ok bool, why string, err error) {
	if c.RequestHash == "" || c.Tokens < 0 || c.CostMicros < 0 {
		return false, "", errors.New("reserve model call: no hash, or a negative reservation")
	}
	err = pg.InTx(ctx, s.db, func(ctx context.Context, tx pg.Tx) error {
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('openrabbit budget ' || $1::bigint, 0))`,
			int64(c.InstallationID))
		if err != nil {
			return fmt.Errorf("lock budget: %w", err)
		}
		if why, err = exceeded(ctx, tx, c, l); err != nil || why != "" {
			return err
		}
		ok = true
		_, err = tx.Exec(ctx, `INSERT INTO model_calls
			(installation_id, request_hash, review_id, repository_id, purpose, reserved_tokens, reserved_micros)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (installation_id, request_hash) DO UPDATE SET review_id = excluded.review_id,
				repository_id = excluded.repository_id, purpose = excluded.purpose, created_at = now(), settled_at = NULL,
				reserved_tokens = excluded.reserved_tokens, reserved_micros = excluded.reserved_micros`,
			int64(c.InstallationID), c.RequestHash, nullableText(c.ReviewID), nullable(c.RepositoryID), text(c.Purpose),
			c.Tokens, c.CostMicros)
		return err
	})
	if err != nil {
		return false, "", fmt.Errorf("reserve model call: %w", err)
	}
	return ok, why, nil
}

// exceeded sums what others spent and hold, the question's own former cost too, and compares with the limits.
func exceeded(ctx context.Context, tx pg.Tx, c ModelCall, l Limits) (why string, err error) {
	var reviewTokens, repoTokens, repoMicros, instTokens, instMicros int64
	err = tx.QueryRow(ctx, `SELECT COALESCE(sum(tokens) FILTER (WHERE review_id = $3), 0)::bigint,
			COALESCE(sum(tokens) FILTER (WHERE repository_id = $4 AND recent), 0)::bigint,
			COALESCE(sum(micros) FILTER (WHERE repository_id = $4 AND recent), 0)::bigint,
			COALESCE(sum(tokens) FILTER (WHERE recent), 0)::bigint,
			COALESCE(sum(micros) FILTER (WHERE recent), 0)::bigint
		FROM (
			SELECT review_id, repository_id, created_at > now() - interval '1 day' AS recent,
				input_tokens + output_tokens + CASE WHEN held THEN reserved_tokens ELSE 0 END AS tokens,
				cost_micros + CASE WHEN held THEN reserved_micros ELSE 0 END AS micros
			FROM (SELECT *, request_hash <> $2 AND created_at > now() - $5::interval AS held FROM model_calls
				WHERE installation_id = $1 AND (created_at > now() - interval '1 day' OR review_id = $3)) calls
		) counted`,
		int64(c.InstallationID), c.RequestHash, nullableText(c.ReviewID), int64(c.RepositoryID), reservationLife).
		Scan(&reviewTokens, &repoTokens, &repoMicros, &instTokens, &instMicros)
	if err != nil {
		return "", fmt.Errorf("sum spending: %w", err)
	}
	for _, limit := range []struct {
		of              string
		spent, more, at int64
	}{
		{"the review's limit of %d tokens", reviewTokens, c.Tokens, l.ReviewTokens},
		{"the repository's limit of %d tokens in a day", repoTokens, c.Tokens, l.RepositoryDayTokens},
		{"the repository's limit of %d millionths of a dollar in a day", repoMicros, c.CostMicros, l.RepositoryDayMicros},
		{"the installation's limit of %d tokens in a day", instTokens, c.Tokens, l.InstallationDayTokens},
		{"the installation's limit of %d millionths of a dollar in a day", instMicros, c.CostMicros, l.InstallationDayMicros},
	} {
		if limit.at > 0 && limit.spent+limit.more > limit.at {
			return fmt.Sprintf(limit.of+" is reached", limit.at), nil
		}
	}
	return "", nil
}

// Settlement is what came of a call that was reserved.
type Settlement struct {
	InstallationID review.InstallationID
	RequestHash    string
	Model          string
	Usage          review.Usage
	// Answer is kept to be given again; nil when the next attempt should ask again.
	Answer *review.ModelAnswer
}

// Settle replaces a reservation by what the call took, and keeps its answer.
func (s *Store) Settle(ctx context.Context, done Settlement) error {
	var encoded *string
	if done.Answer != nil {
		b, err := json.Marshal(done.Answer)
		if err != nil {
			return fmt.Errorf("settle model call: %w", err)
		}
		text := string(b)
		encoded = &text
	}
	tag, err := s.db.Pool().Exec(ctx, `UPDATE model_calls SET model = $3, answer = COALESCE($4::json, answer),
			input_tokens = input_tokens + $5, output_tokens = output_tokens + $6, cost_micros = cost_micros + $7,
			reserved_tokens = 0, reserved_micros = 0, settled_at = now()
		WHERE installation_id = $1 AND request_hash = $2`,
		int64(done.InstallationID), done.RequestHash, text(done.Model), encoded,
		done.Usage.InputTokens, done.Usage.OutputTokens, done.Usage.CostMicros)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("settle model call: %w", err)
	}
	return nil
}

// Release gives a reservation back when the call was not made or took nothing. What the question cost before stays.
func (s *Store) Release(ctx context.Context, id review.InstallationID, requestHash string) error {
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM model_calls WHERE installation_id = $1 AND request_hash = $2
		AND settled_at IS NULL AND answer IS NULL AND input_tokens + output_tokens + cost_micros = 0`, int64(id), requestHash)
	batch.Queue(`UPDATE model_calls SET reserved_tokens = 0, reserved_micros = 0, settled_at = COALESCE(settled_at, now())
		WHERE installation_id = $1 AND request_hash = $2`, int64(id), requestHash)
	if err := s.db.Pool().SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("release model call: %w", err)
	}
	return nil
}
