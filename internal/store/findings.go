package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

// Shown says where a finding was shown.
type Shown string

// The places. A repeat of a finding that was shown before is shown nowhere.
const (
	ShownComment     Shown = "comment"
	ShownWalkthrough Shown = "walkthrough"
	ShownNowhere     Shown = "nowhere"
)

// StoredFinding is a finding of a review and where it was shown.
type StoredFinding struct {
	Finding finding.Finding
	Shown   Shown
	// Review showed it first, at the revision Head; only ShownFindings says so.
	Review review.ID
	Head   string
}

// SaveFindings writes the findings of a review, in their order, instead of those written before.
func (s *Store) SaveFindings(ctx context.Context, id review.ID, found []StoredFinding) error {
	err := pg.InTx(ctx, s.db, func(ctx context.Context, tx pg.Tx) error {
		r, err := readReview(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM findings WHERE review_id = $1`, string(id)); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		for i, f := range found {
			queueFinding(batch, r, i, f)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return fmt.Errorf("save findings of review %s: %w", id, err)
	}
	return nil
}

func queueFinding(batch *pgx.Batch, r Review, ordinal int, stored StoredFinding) {
	f, shown := stored.Finding, stored.Shown
	if shown == "" {
		shown = ShownNowhere
	}
	var suggestion *string
	if f.HasSuggestion {
		s := text(f.Suggestion)
		suggestion = &s
	}
	batch.Queue(`INSERT INTO findings (review_id, ordinal, repository_id, number, fingerprint, path, side, start_line,
			end_line, severity, category, title, body, suggestion, confidence, scope, source, rule, quote, shown)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
		string(r.ID), ordinal, int64(r.RepositoryID), r.Number, string(f.Fingerprint), text(f.Path),
		f.Anchor.Side.String(), f.Anchor.Start, f.Anchor.End, f.Severity.String(), text(string(f.Category)),
		text(f.Title), text(f.Body), suggestion, f.Confidence, text(f.Scope), string(f.Source), text(f.Rule),
		text(f.Quote), string(shown))
}

// findingColumns are what scanFinding reads, and after them a review and a head.
const findingColumns = `fingerprint, path, side, start_line, end_line, severity, category, title, body, suggestion,
	confidence, scope, source, rule, quote, shown`

func scanFinding(row pgx.CollectableRow) (StoredFinding, error) {
	var stored StoredFinding
	f := &stored.Finding
	var side, severity string
	var suggestion *string
	err := row.Scan(&f.Fingerprint, &f.Path, &side, &f.Anchor.Start, &f.Anchor.End, &severity, &f.Category, &f.Title,
		&f.Body, &suggestion, &f.Confidence, &f.Scope, &f.Source, &f.Rule, &f.Quote, &stored.Shown, &stored.Review, &stored.Head)
	if err != nil {
		return StoredFinding{}, err
	}
	for _, s := range []diff.Side{diff.Old, diff.New} {
		if s.String() == side {
			f.Anchor.Side, f.Anchor.Path = s, f.Path
		}
	}
	if err := f.Severity.UnmarshalText([]byte(severity)); err != nil {
		return StoredFinding{}, err
	}
	if suggestion != nil {
		f.Suggestion, f.HasSuggestion = *suggestion, true
	}
	return stored, nil
}

// FindingsOf lists the findings of a review, in their order.
func (s *Store) FindingsOf(ctx context.Context, id review.ID) ([]StoredFinding, error) {
	if !known(id) {
		return nil, fmt.Errorf("read findings of review %s: %w", id, ErrNotFound)
	}
	return s.findings(ctx, "read findings of review "+string(id), `SELECT `+findingColumns+`, '', ''
		FROM findings WHERE review_id = $1 ORDER BY ordinal`, string(id))
}

// ShownFindings lists the findings that were shown on a pull request by any of its reviews, oldest first, each
// fingerprint once: what a later review must not say again.
func (s *Store) ShownFindings(ctx context.Context, repository review.RepositoryID, number int) ([]StoredFinding, error) {
	return s.findings(ctx, "read shown findings", `SELECT `+findingColumns+`, review_id::text, head FROM (
			SELECT DISTINCT ON (f.fingerprint) f.*, r.created_at, r.head FROM findings f JOIN reviews r ON r.id = f.review_id
			WHERE f.repository_id = $1 AND f.number = $2 AND f.shown <> 'nowhere'
			ORDER BY f.fingerprint, r.created_at, f.ordinal
		) first ORDER BY created_at, ordinal`, int64(repository), number)
}

func (s *Store) findings(ctx context.Context, what, sql string, args ...any) ([]StoredFinding, error) {
	rows, err := s.db.Pool().Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	found, err := pgx.CollectRows(rows, scanFinding)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return found, nil
}
