package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

// Delivery is what is kept of one webhook request: columns, no body.
type Delivery struct {
	// GUID is GitHub's id of the delivery, the same when it delivers again.
	GUID string
	// Meaning is what the delivery says, without its GUID; empty when nothing follows from it.
	Meaning       string
	Event, Action string
	// InstallationID, RepositoryID, Number and Head are zero when the payload names none.
	InstallationID review.InstallationID
	RepositoryID   review.RepositoryID
	Number         int
	Head           string
	// Decision is what was decided of it, Reason why.
	Decision, Reason string
}

// Recorded says what RecordDelivery found.
type Recorded struct {
	// Duplicate is set when this delivery was recorded before, by its GUID or by its meaning: nothing may follow from it.
	Duplicate bool
	// SameMeaning is set when it was another GUID that meant the same.
	SameMeaning bool
	// ReviewID is what came of the first, if a review did.
	ReviewID review.ID
}

// The decision and reason recorded for a delivery that says what another GUID said before.
const (
	decisionDuplicate = "duplicate"
	reasonSameMeaning = "same_meaning"
)

// RecordDelivery writes a delivery, unless it was written before. Concurrent calls for one GUID or one meaning wait for
// the first one's transaction. A delivery that repeats a meaning under another GUID gets a row too, so that a search
// for missed GUIDs finds it.
func (s *Store) RecordDelivery(ctx context.Context, tx pg.Tx, d Delivery) (Recorded, error) {
	if d.GUID == "" {
		return Recorded{}, errors.New("record delivery: no GUID")
	}
	// The second round is for a row that the retention deleted between the two statements.
	for range 2 {
		inserted, err := insertDelivery(ctx, tx, d, "")
		if err != nil || inserted {
			return Recorded{}, err
		}
		var guid string
		var reviewID *string
		err = tx.QueryRow(ctx, `SELECT guid, review_id::text FROM deliveries WHERE guid = $1 OR meaning = $2
			ORDER BY guid = $1 DESC LIMIT 1`, d.GUID, nullableText(d.Meaning)).Scan(&guid, &reviewID)
		if errors.Is(err, pgx.ErrNoRows) {
			continue
		}
		if err != nil {
			return Recorded{}, fmt.Errorf("find first delivery of %s: %w", d.GUID, err)
		}
		found := Recorded{Duplicate: true, SameMeaning: guid != d.GUID}
		if reviewID != nil {
			found.ReviewID = review.ID(*reviewID)
		}
		if found.SameMeaning {
			d.Meaning, d.Decision, d.Reason = "", decisionDuplicate, reasonSameMeaning
			if _, err := insertDelivery(ctx, tx, d, found.ReviewID); err != nil {
				return Recorded{}, err
			}
		}
		return found, nil
	}
	return Recorded{}, fmt.Errorf("record delivery %s: the row that it repeats keeps vanishing", d.GUID)
}

func insertDelivery(ctx context.Context, tx pg.Tx, d Delivery, reviewID review.ID) (inserted bool, err error) {
	tag, err := tx.Exec(ctx, `INSERT INTO deliveries
		(guid, meaning, event, action, installation_id, repository_id, number, head, decision, reason, review_id)
		VALUES ($1, $2, $3, $4, $5, $6, NULLIF($7::integer, 0), $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
		d.GUID, nullableText(d.Meaning), text(d.Event), text(d.Action), nullable(d.InstallationID),
		nullable(d.RepositoryID), d.Number, text(d.Head), d.Decision, d.Reason, nullableText(reviewID))
	if err != nil {
		return false, fmt.Errorf("record delivery %s: %w", d.GUID, err)
	}
	return tag.RowsAffected() == 1, nil
}

// SettleDelivery writes what came of a delivery that RecordDelivery has just recorded: a reason that only the database
// knew, the review and its job.
func (s *Store) SettleDelivery(ctx context.Context, tx pg.Tx, guid, reason string, id review.ID, jobID int64) error {
	_, err := tx.Exec(ctx, `UPDATE deliveries SET reason = $2, review_id = $3, job_id = $4 WHERE guid = $1`,
		guid, reason, nullableText(id), nullable(jobID))
	if err != nil {
		return fmt.Errorf("settle delivery %s: %w", guid, err)
	}
	return nil
}

// Quarantine keeps a correctly signed body that could not be decoded, for as long as the retention says.
func (s *Store) Quarantine(ctx context.Context, guid, event, problem string, body []byte) error {
	_, err := s.db.Pool().Exec(ctx, `INSERT INTO quarantine (guid, event, problem, body) VALUES ($1, $2, $3, $4)`,
		text(guid), text(event), text(problem), body)
	if err != nil {
		return fmt.Errorf("quarantine delivery %s: %w", guid, err)
	}
	return nil
}
