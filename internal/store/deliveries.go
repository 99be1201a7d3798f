package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

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

// Recorded says whether a delivery was known.
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

// known are the deliveries that were recorded before those of a batch: the reviews that came of them, by what tells
// duplicates. A batch's own are added as they are decided.
type knownDeliveries struct {
	guids, meanings map[string]func() review.ID
}

func newKnownDeliveries(n int) knownDeliveries {
	return knownDeliveries{guids: make(map[string]func() review.ID, n), meanings: make(map[string]func() review.ID, n)}
}

// look asks for the deliveries that a batch repeats. Ask after the pull requests are locked: what another transaction
// did about them is committed then.
func (k knownDeliveries) look(to *pgx.Batch, items []Item) {
	var guids, meanings []string
	for _, it := range items {
		if it.Delivery.GUID == "" {
			continue
		}
		guids = append(guids, it.Delivery.GUID)
		if it.Delivery.Meaning != "" {
			meanings = append(meanings, it.Delivery.Meaning)
		}
	}
	if len(guids) == 0 {
		return
	}
	to.Queue(`SELECT k.guid, '', COALESCE(d.review_id::text, '') FROM unnest($1::text[]) AS k(guid)
			CROSS JOIN LATERAL (SELECT review_id FROM deliveries WHERE guid = k.guid OFFSET 0) d
		UNION ALL SELECT '', k.meaning, COALESCE(d.review_id::text, '') FROM unnest($2::text[]) AS k(meaning)
			CROSS JOIN LATERAL (SELECT review_id FROM deliveries WHERE meaning = k.meaning OFFSET 0) d`,
		guids, words(meanings)).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var guid, meaning string
			var id review.ID
			if err := rows.Scan(&guid, &meaning, &id); err != nil {
				return err
			}
			k.add(guid, meaning, func() review.ID { return id })
		}
		return rows.Err()
	})
}

func (k knownDeliveries) add(guid, meaning string, id func() review.ID) {
	if guid != "" {
		k.guids[guid] = id
	}
	if meaning != "" {
		k.meanings[meaning] = id
	}
}

// find says whether a delivery is known.
func (k knownDeliveries) find(d Delivery) Recorded {
	if id, ok := k.guids[d.GUID]; ok && d.GUID != "" {
		return Recorded{Duplicate: true, ReviewID: id()}
	}
	if id, ok := k.meanings[d.Meaning]; ok && d.Meaning != "" {
		return Recorded{Duplicate: true, SameMeaning: true, ReviewID: id()}
	}
	return Recorded{}
}

// deliveryRow is a row to be written.
type deliveryRow struct {
	Delivery
	reviewID review.ID
	jobID    int64
}

// insertDeliveries writes rows that are new. One that is there after all, because another transaction wrote it since
// we looked, is an error that Retryable knows. The order of the keys keeps two transactions from waiting for each other.
func insertDeliveries(to *pgx.Batch, rows []deliveryRow) {
	if len(rows) == 0 {
		return
	}
	slices.SortFunc(rows, func(a, b deliveryRow) int { return cmp.Compare(a.GUID, b.GUID) })
	n := len(rows)
	guid, meaning, event, action := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	installation, repository, number, head := make([]int64, n), make([]int64, n), make([]int32, n), make([]string, n)
	decision, reason, reviewID, jobID := make([]string, n), make([]string, n), make([]string, n), make([]int64, n)
	for i, r := range rows {
		guid[i], meaning[i], event[i], action[i] = text(r.GUID), text(r.Meaning), text(r.Event), text(r.Action)
		installation[i], repository[i] = int64(r.InstallationID), int64(r.RepositoryID)
		number[i], head[i] = int32(r.Number), text(r.Head)
		decision[i], reason[i], reviewID[i], jobID[i] = r.Decision, r.Reason, string(r.reviewID), r.jobID
	}
	to.Queue(`INSERT INTO deliveries (guid, meaning, event, action, installation_id, repository_id, number, head,
			decision, reason, review_id, job_id)
		SELECT guid, NULLIF(meaning, ''), event, action, NULLIF(installation, 0), NULLIF(repository, 0),
			NULLIF(number, 0), head, decision, reason, NULLIF(review, '')::uuid, NULLIF(job, 0)
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::integer[], $8::text[],
			$9::text[], $10::text[], $11::text[], $12::bigint[])
			AS u(guid, meaning, event, action, installation, repository, number, head, decision, reason, review, job)`,
		guid, meaning, event, action, installation, repository, number, head, decision, reason, reviewID, jobID)
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

// check refuses what cannot be a row.
func (it Item) check() error {
	if it.Delivery.GUID == "" && it.Wants == nil {
		return errors.New("an item has neither a GUID nor a wish")
	}
	return nil
}
