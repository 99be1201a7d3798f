package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
)

// ErrScanMoved says that somebody else has taken a scan further, or ended it: a worker that was thought dead.
var ErrScanMoved = errors.New("the scan was taken further by another worker")

// Scan is the reading of GitHub's list of what it sent to an App, newest first.
type Scan struct {
	AppID int64
	// BeganAt names the scan; BackTo is how far it goes.
	BeganAt, BackTo time.Time
	// Cursor is where it goes on, empty at the beginning. Pages have been read.
	Cursor string
	Pages  int
}

// Sending is one attempt of GitHub's at a delivery.
type Sending struct {
	ID   int64
	GUID string
	At   time.Time
}

// here is the condition that a delivery of missed_deliveries m has come: recorded, or kept as malformed.
const here = `(EXISTS (SELECT FROM deliveries d WHERE d.guid = m.guid) OR EXISTS (SELECT FROM quarantine q WHERE q.guid = m.guid))`

// BeginScan gives the App's scan under way, or begins one: back to overlap before the beginning of the last that came
// to its end, and no further than kept.
func (s *Store) BeginScan(ctx context.Context, appID int64, kept, overlap time.Duration) (Scan, error) {
	scan := Scan{AppID: appID}
	err := s.db.Pool().QueryRow(ctx, `INSERT INTO delivery_scans AS s (app_id, began_at, back_to)
		VALUES ($1, now(), now() - $2::interval) ON CONFLICT (app_id) DO UPDATE SET
			began_at = COALESCE(s.began_at, now()),
			back_to = COALESCE(s.back_to, GREATEST(now() - $2::interval, s.complete_at - $3::interval))
		RETURNING began_at, back_to, cursor, pages`, appID, kept, overlap).
		Scan(&scan.BeganAt, &scan.BackTo, &scan.Cursor, &scan.Pages)
	if err != nil {
		return Scan{}, fmt.Errorf("begin scan of deliveries: %w", err)
	}
	return scan, nil
}

// NotePage writes down what of a page is not here, and that the scan goes on at next. It gives how many deliveries were
// not known to be missing before, and the scan as it is then. What is younger than young may still be on its way and is
// due after that. The error is ErrScanMoved when the scan is no longer where the caller has it.
func (s *Store) NotePage(ctx context.Context, scan Scan, page []Sending, next string, young time.Duration) (Scan, int, error) {
	missing := 0
	err := pg.InTx(ctx, s.db, func(ctx context.Context, tx pg.Tx) error {
		if err := moveScan(ctx, tx, scan, `cursor = $4, pages = pages + 1`, text(next)); err != nil {
			return err
		}
		ids, guids, times := make([]int64, len(page)), make([]string, len(page)), make([]time.Time, len(page))
		for i, p := range page {
			ids[i], guids[i], times[i] = p.ID, text(p.GUID), p.At
		}
		rows, err := tx.Query(ctx, `INSERT INTO missed_deliveries AS known (guid, app_id, sending_id, sent_at, due_at)
			SELECT DISTINCT ON (m.guid) m.guid, $1::bigint, m.id, m.sent_at, m.sent_at + $5::interval
			FROM unnest($2::bigint[], $3::text[], $4::timestamptz[]) AS m(id, guid, sent_at)
			WHERE NOT `+here+` ORDER BY m.guid, m.sent_at DESC, m.id DESC
			ON CONFLICT (guid) DO UPDATE SET sending_id = excluded.sending_id, sent_at = excluded.sent_at,
				due_at = CASE known.requests WHEN 0 THEN excluded.due_at ELSE known.due_at END
				WHERE excluded.sent_at > known.sent_at
			RETURNING xmax = 0`, scan.AppID, ids, guids, times, young)
		if err != nil {
			return err
		}
		inserted, err := pgx.CollectRows(rows, pgx.RowTo[bool])
		for _, is := range inserted {
			if is {
				missing++
			}
		}
		return err
	})
	if err != nil {
		return Scan{}, 0, fmt.Errorf("note page of deliveries: %w", err)
	}
	scan.Cursor, scan.Pages = text(next), scan.Pages+1
	return scan, missing, nil
}

// RestartScan begins the scan's list anew, as far back as before: its cursor is of no use any more.
func (s *Store) RestartScan(ctx context.Context, scan Scan) (Scan, error) {
	if err := moveScan(ctx, s.db.Pool(), scan, `cursor = '', pages = 0, began_at = now()`); err != nil {
		return Scan{}, fmt.Errorf("restart scan of deliveries: %w", err)
	}
	return s.BeginScan(ctx, scan.AppID, 0, 0)
}

// FinishScan ends a scan: what was sent before it began has been looked at.
func (s *Store) FinishScan(ctx context.Context, scan Scan) error {
	err := moveScan(ctx, s.db.Pool(), scan, `complete_at = began_at, began_at = NULL, back_to = NULL, cursor = '', pages = 0`)
	if err != nil {
		return fmt.Errorf("finish scan of deliveries: %w", err)
	}
	return nil
}

// moveScan changes a scan that is where the caller has it. The arguments of set begin at $4.
func moveScan(ctx context.Context, q querier, scan Scan, set string, args ...any) error {
	tag, err := q.Exec(ctx, `UPDATE delivery_scans SET `+set+` WHERE app_id = $1 AND began_at = $2 AND cursor = $3`,
		append([]any{scan.AppID, scan.BeganAt, scan.Cursor}, args...)...)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrScanMoved
	}
	return err
}

// Missed is a delivery that is not here.
type Missed struct {
	GUID string
	// SendingID is what GitHub is asked to send again.
	SendingID int64
	// Requests is how often it was asked for, this time included.
	Requests int
}

// Asking says how deliveries are asked for.
type Asking struct {
	// Most is how often one delivery is asked for.
	Most int
	// Again is when it may be asked for a second time; doubled each time, up to Longest.
	Again, Longest time.Duration
}

// ClaimMissed takes the delivery that has been due for longest and is still not here, and counts the request for it
// before it is made. Nobody gets it again before the pause is over. ok is false when none is due.
func (s *Store) ClaimMissed(ctx context.Context, appID int64, a Asking) (m Missed, ok bool, err error) {
	err = s.db.Pool().QueryRow(ctx, `UPDATE missed_deliveries SET requests = requests + 1, requested_at = now(),
			due_at = CASE WHEN requests + 1 < $2 THEN now() + LEAST($3::interval * power(2, LEAST(requests, 20)), $4::interval) END
		WHERE guid = (SELECT guid FROM missed_deliveries m WHERE app_id = $1 AND due_at <= now() AND NOT `+here+`
			ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING guid, sending_id, requests`, appID, a.Most, a.Again, a.Longest).Scan(&m.GUID, &m.SendingID, &m.Requests)
	if errors.Is(err, pgx.ErrNoRows) {
		return Missed{}, false, nil
	}
	if err != nil {
		return Missed{}, false, fmt.Errorf("claim missed delivery: %w", err)
	}
	return m, true, nil
}

// ReleaseMissed takes a claim back whose request was surely not carried out.
func (s *Store) ReleaseMissed(ctx context.Context, m Missed) error {
	_, err := s.db.Pool().Exec(ctx, `UPDATE missed_deliveries SET requests = requests - 1, due_at = sent_at,
		requested_at = CASE WHEN requests > 1 THEN requested_at END WHERE guid = $1 AND requests = $2`, m.GUID, m.Requests)
	if err != nil {
		return fmt.Errorf("release missed delivery %s: %w", m.GUID, err)
	}
	return nil
}

// Settled is what became of missed deliveries.
type Settled struct {
	// Restored came after they had been asked for.
	Restored int
	// Lost are the GUIDs of those that did not come for as long as GitHub keeps them.
	Lost []string
}

// SettleMissed forgets the deliveries that have come, and those that GitHub does not keep any more.
func (s *Store) SettleMissed(ctx context.Context, appID int64, kept time.Duration) (done Settled, err error) {
	rows, err := s.db.Pool().Query(ctx, `DELETE FROM missed_deliveries m WHERE app_id = $1 AND
		(`+here+` OR sent_at < now() - $2::interval) RETURNING guid, requests, `+here, appID, kept)
	if err != nil {
		return Settled{}, fmt.Errorf("settle missed deliveries: %w", err)
	}
	var guid string
	var requests int
	var came bool
	_, err = pgx.ForEachRow(rows, []any{&guid, &requests, &came}, func() error {
		switch {
		case !came:
			done.Lost = append(done.Lost, guid)
		case requests > 0:
			done.Restored++
		}
		return nil
	})
	if err != nil {
		return Settled{}, fmt.Errorf("settle missed deliveries: %w", err)
	}
	return done, nil
}
