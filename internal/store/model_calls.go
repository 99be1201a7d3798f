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

// reservationLife is how long a reservation may be that of a call under way: longer than any model call takes. After it
// the worker that made it is dead, and the call counts as lost.
const reservationLife = 3 * time.Minute

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
	// LostTokens and LostMicros are what it counts as when nobody ever says what it took: its worker died.
	LostTokens, LostMicros int64
	// Anew asks again although an answer is stored.
	Anew bool
}

// Reserved is what came of a reservation.
type Reserved struct {
	OK bool
	// Why names the limit that would be passed, in one sentence, when not OK.
	Why string
	// Wait is set when what stands in the way ends by itself: budget that is held for calls under way and may come back,
	// or another review that is just asking the same question, or has just got its answer. Nothing is reserved; look for
	// an answer, and reserve again.
	Wait bool
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

// Reserve holds budget back for a call before it is made. A review that reserves the same question again takes over what
// its crashed attempt left, and the lost call counts; another review's is left alone while that call may be under way.
// Reservations of one installation are made one after the other.
func (s *Store) Reserve(ctx context.Context, c ModelCall, l Limits) (got Reserved, err error) {
	if c.RequestHash == "" || min(c.Tokens, c.CostMicros, c.LostTokens, c.LostMicros) < 0 {
		return got, errors.New("reserve model call: no hash, or a negative reservation")
	}
	err = pg.InTx(ctx, s.db, func(ctx context.Context, tx pg.Tx) error {
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('openrabbit budget ' || $1::bigint, 0))`,
			int64(c.InstallationID))
		if err != nil {
			return fmt.Errorf("lock budget: %w", err)
		}
		if got, err = check(ctx, tx, c, l); err != nil || !got.OK {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO model_calls (installation_id, request_hash, review_id, repository_id, purpose,
				reserved_tokens, reserved_micros, lost_tokens, lost_micros)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (installation_id, request_hash) DO UPDATE SET review_id = excluded.review_id,
				repository_id = excluded.repository_id, purpose = excluded.purpose, created_at = now(), settled_at = NULL,
				reserved_tokens = excluded.reserved_tokens, reserved_micros = excluded.reserved_micros,
				lost_tokens = excluded.lost_tokens, lost_micros = excluded.lost_micros,
				input_tokens = model_calls.input_tokens + model_calls.lost_tokens,
				cost_micros = model_calls.cost_micros + model_calls.lost_micros`,
			int64(c.InstallationID), c.RequestHash, nullableText(c.ReviewID), nullable(c.RepositoryID), text(c.Purpose),
			c.Tokens, c.CostMicros, c.LostTokens, c.LostMicros)
		return err
	})
	if err != nil {
		return Reserved{}, fmt.Errorf("reserve model call: %w", err)
	}
	return got, nil
}

// check sums what was spent and what is held for others, and compares with the limits.
func check(ctx context.Context, tx pg.Tx, c ModelCall, l Limits) (Reserved, error) {
	var busy bool
	var spent, held [5]int64
	err := tx.QueryRow(ctx, `SELECT COALESCE(bool_or(busy), false),
			COALESCE(sum(tokens) FILTER (WHERE review_id = $3), 0)::bigint,
			COALESCE(sum(tokens) FILTER (WHERE repository_id = $4 AND recent), 0)::bigint,
			COALESCE(sum(micros) FILTER (WHERE repository_id = $4 AND recent), 0)::bigint,
			COALESCE(sum(tokens) FILTER (WHERE recent), 0)::bigint,
			COALESCE(sum(micros) FILTER (WHERE recent), 0)::bigint,
			COALESCE(sum(reserved_tokens) FILTER (WHERE held AND review_id = $3), 0)::bigint,
			COALESCE(sum(reserved_tokens) FILTER (WHERE held AND repository_id = $4), 0)::bigint,
			COALESCE(sum(reserved_micros) FILTER (WHERE held AND repository_id = $4), 0)::bigint,
			COALESCE(sum(reserved_tokens) FILTER (WHERE held), 0)::bigint,
			COALESCE(sum(reserved_micros) FILTER (WHERE held), 0)::bigint
		FROM (
			SELECT review_id, repository_id, reserved_tokens, reserved_micros, created_at > now() - interval '1 day' AS recent,
				live AND request_hash <> $2 AS held,
				request_hash = $2 AND (answer IS NOT NULL AND NOT $6 OR live AND review_id <> $3
					AND NOT EXISTS (SELECT FROM reviews r WHERE r.id = calls.review_id AND r.ended_at IS NOT NULL)) AS busy,
				input_tokens + output_tokens + CASE WHEN lost THEN lost_tokens ELSE 0 END AS tokens,
				cost_micros + CASE WHEN lost THEN lost_micros ELSE 0 END AS micros
			FROM (
				SELECT *, settled_at IS NULL AND created_at > now() - $5::interval AS live,
					settled_at IS NULL AND (created_at <= now() - $5::interval OR request_hash = $2) AS lost
				FROM model_calls
				WHERE installation_id = $1 AND (created_at > now() - interval '1 day' OR review_id = $3)
			) calls
		) counted`,
		int64(c.InstallationID), c.RequestHash, nullableText(c.ReviewID), int64(c.RepositoryID), reservationLife, c.Anew).
		Scan(&busy, &spent[0], &spent[1], &spent[2], &spent[3], &spent[4], &held[0], &held[1], &held[2], &held[3], &held[4])
	if err != nil {
		return Reserved{}, fmt.Errorf("sum spending: %w", err)
	}
	if busy {
		return Reserved{Wait: true, Why: "another review asks the same question"}, nil
	}
	out := Reserved{OK: true}
	for i, limit := range []struct {
		of       string
		more, at int64
	}{
		{"the review's limit of %d tokens", c.Tokens, l.ReviewTokens},
		{"the repository's limit of %d tokens in a day", c.Tokens, l.RepositoryDayTokens},
		{"the repository's limit of %d millionths of a dollar in a day", c.CostMicros, l.RepositoryDayMicros},
		{"the installation's limit of %d tokens in a day", c.Tokens, l.InstallationDayTokens},
		{"the installation's limit of %d millionths of a dollar in a day", c.CostMicros, l.InstallationDayMicros},
	} {
		switch {
		case limit.at <= 0 || spent[i]+held[i]+limit.more <= limit.at:
		case spent[i]+limit.more <= limit.at:
			// Calls under way hold more than most of them will take.
			out = Reserved{Wait: true, Why: fmt.Sprintf(limit.of+" is held for calls under way", limit.at)}
		default:
			return Reserved{Why: fmt.Sprintf(limit.of+" is reached", limit.at)}, nil
		}
	}
	return out, nil
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
			reserved_tokens = 0, reserved_micros = 0, lost_tokens = 0, lost_micros = 0, settled_at = now()
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

// Abandon ends a reservation of a call that was broken off: nobody tells what it took, and it counts as lost. It leaves
// alone what another review has taken over since.
func (s *Store) Abandon(ctx context.Context, c ModelCall) error {
	_, err := s.db.Pool().Exec(ctx, `UPDATE model_calls SET input_tokens = input_tokens + lost_tokens,
			cost_micros = cost_micros + lost_micros,
			reserved_tokens = 0, reserved_micros = 0, lost_tokens = 0, lost_micros = 0, settled_at = now()
		WHERE installation_id = $1 AND request_hash = $2 AND review_id = $3 AND settled_at IS NULL`,
		int64(c.InstallationID), c.RequestHash, nullableText(c.ReviewID))
	if err != nil {
		return fmt.Errorf("abandon model call: %w", err)
	}
	return nil
}

// Release gives a reservation back when the call was not made or took nothing. What the question cost before stays.
func (s *Store) Release(ctx context.Context, id review.InstallationID, requestHash string) error {
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM model_calls WHERE installation_id = $1 AND request_hash = $2
		AND settled_at IS NULL AND answer IS NULL AND input_tokens + output_tokens + cost_micros = 0`, int64(id), requestHash)
	batch.Queue(`UPDATE model_calls SET reserved_tokens = 0, reserved_micros = 0, lost_tokens = 0, lost_micros = 0, settled_at = COALESCE(settled_at, now())
		WHERE installation_id = $1 AND request_hash = $2`, int64(id), requestHash)
	if err := s.db.Pool().SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("release model call: %w", err)
	}
	return nil
}
