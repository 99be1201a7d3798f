package store

import (
	"context"
	"fmt"
	"time"
)

// Retention says how long things are kept. The zero value means the defaults.
type Retention struct {
	// Deliveries are what duplicates are told by: keep them longer than GitHub redelivers (3 days). 0 means 8 days.
	Deliveries time.Duration
	// Quarantine are bodies that could not be decoded. 0 means 24 hours.
	Quarantine time.Duration
	// ModelCalls hold answers, which quote source. 0 means 30 days.
	ModelCalls time.Duration
	// Embeddings are vectors of texts. 0 means 30 days.
	Embeddings time.Duration
}

// Cleaned counts the rows that CleanUp deleted.
type Cleaned struct {
	Deliveries, Quarantine, ModelCalls, Embeddings, ContentRequests int64
}

// cleanBatch is how many rows one statement deletes, so that none holds its locks for long.
const cleanBatch = 2000

// CleanUp deletes what is older than the retention. Several processes may do it at once.
func (s *Store) CleanUp(ctx context.Context, r Retention) (Cleaned, error) {
	var done Cleaned
	for _, table := range []struct {
		name, column string
		keep, usual  time.Duration
		count        *int64
	}{
		{"deliveries", "received_at", r.Deliveries, 8 * 24 * time.Hour, &done.Deliveries},
		{"quarantine", "received_at", r.Quarantine, 24 * time.Hour, &done.Quarantine},
		{"model_calls", "created_at", r.ModelCalls, 30 * 24 * time.Hour, &done.ModelCalls},
		{"content_requests", "at", 0, 2 * hourWindow, &done.ContentRequests}, // no use after an hour
		{"embeddings", "created_at", r.Embeddings, 30 * 24 * time.Hour, &done.Embeddings},
	} {
		if table.keep <= 0 {
			table.keep = table.usual
		}
		for {
			tag, err := s.db.Pool().Exec(ctx, `DELETE FROM `+table.name+` WHERE ctid IN (SELECT ctid FROM `+table.name+`
				WHERE `+table.column+` < now() - $1::interval LIMIT $2 FOR UPDATE SKIP LOCKED)`, table.keep, cleanBatch)
			if err != nil {
				return done, fmt.Errorf("clean up %s: %w", table.name, err)
			}
			*table.count += tag.RowsAffected()
			if tag.RowsAffected() < cleanBatch {
				break
			}
		}
	}
	return done, nil
}
