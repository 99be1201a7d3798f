package store

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/review"
)

// pullKey names a pull request.
type pullKey struct {
	repository review.RepositoryID
	number     int
}

func (k pullKey) compare(o pullKey) int {
	return cmp.Or(cmp.Compare(k.repository, o.repository), cmp.Compare(k.number, o.number))
}

// pullRow is what orders the deliveries of one pull request.
type pullRow struct {
	position
	open bool
}

// pull is one pull request in a transaction that holds its lock: what the database said of it, and what the items of
// the batch have made of it since. A pull request that is not known yet has no row to lock; of two transactions that
// both make it known the second fails, and is retried.
type pull struct {
	key pullKey
	row pullRow
	// stored is set when the row was there, changed when it has to be written.
	stored, changed bool
	// reviews are those that matter here: of the heads that the row or an item names, and those that have not ended.
	reviews []*pullReview
}

// pullReview is one review of a pull request.
type pullReview struct {
	Review
	// created is set when this transaction makes it, ended when this transaction ends it.
	created, ended bool
	// item is the item of the batch that created it.
	item int
}

func (r *pullReview) live() bool { return r.State == review.Queued || r.State == review.Running }

// enough says why the head of a review needs no other, or "".
func (r *pullReview) enough() string {
	switch {
	case r == nil:
	case r.live():
		return ReasonUnderWay
	case r.State == review.Clean, r.State == review.Findings, r.State == review.Partial:
		return ReasonReviewed
	}
	return ""
}

// move notes what is known of the head and whether the pull request is open.
func (p *pull) move(next pullRow) {
	p.changed = p.changed || next.head != p.row.head || next.open != p.row.open || !next.at.Equal(p.row.at) ||
		!slices.Equal(next.heads, p.row.heads) || !slices.Equal(next.befores, p.row.befores) || next.base != p.row.base
	p.row = next
}

// end ends the reviews that match and have not ended.
func (p *pull) end(state review.State, reason string, matches func(*pullReview) bool) (ended []*pullReview) {
	for _, r := range p.reviews {
		if r.live() && matches(r) {
			r.State, r.Reason, r.ended = state, reason, true
			ended = append(ended, r)
		}
	}
	return ended
}

// newestOf finds the newest review of a head. When nobody named a head, the review of the head that deliveries named
// last will do.
func (p *pull) newestOf(head, latest string) (found *pullReview) {
	if head != "" {
		latest = head
	}
	for _, r := range p.reviews {
		if r.Head != head && r.Head != latest {
			continue
		}
		if found == nil || r.newerThan(found) {
			found = r
		}
	}
	return found
}

func (r *pullReview) newerThan(o *pullReview) bool {
	switch {
	case r.live() != o.live():
		return r.live()
	case !r.CreatedAt.Equal(o.CreatedAt):
		return r.CreatedAt.After(o.CreatedAt)
	}
	return r.Generation > o.Generation
}

// generations counts those of a head.
func (p *pull) generations(head string) (most int) {
	for _, r := range p.reviews {
		if r.Head == head {
			most = max(most, r.Generation)
		}
	}
	return most
}

// The LATERAL joins with OFFSET 0 below keep the planner to one way: for each key a look into the index. Left to itself
// it plans for the table that it finds when a connection is young, and goes through all of it once it has grown.

// lockPulls locks the rows of the pull requests that are known, in the order of their keys.
func lockPulls(to *pgx.Batch, pulls []*pull, byKey map[pullKey]*pull) {
	repositories, numbers := keys(pulls)
	to.Queue(`SELECT p.* FROM unnest($1::bigint[], $2::integer[]) AS k(repository_id, number) CROSS JOIN LATERAL (
			SELECT repository_id, number, latest_head, open, NULLIF(event_at, '-infinity'), tied_heads, tied_befores, tied_base
			FROM pull_requests WHERE repository_id = k.repository_id AND number = k.number OFFSET 0 FOR UPDATE
		) p`, repositories, numbers).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key pullKey
			var row pullRow
			var at *time.Time
			if err := rows.Scan(&key.repository, &key.number, &row.head, &row.open, &at, &row.heads, &row.befores, &row.base); err != nil {
				return err
			}
			if at != nil {
				row.at = *at
			}
			byKey[key].row, byKey[key].stored = row, true
		}
		return rows.Err()
	})
}

// readReviews reads the reviews that matter. Ask after the lock is held.
func readReviews(to *pgx.Batch, pulls []*pull, heads []string, byKey map[pullKey]*pull) {
	repositories, numbers := keys(pulls)
	to.Queue(`SELECT `+reviewColumns+` FROM unnest($1::bigint[], $2::integer[]) AS k(repository_id, number)
		CROSS JOIN LATERAL (SELECT * FROM pull_requests
			WHERE repository_id = k.repository_id AND number = k.number OFFSET 0) q
		CROSS JOIN LATERAL (SELECT * FROM reviews WHERE repository_id = k.repository_id AND number = k.number
			AND (head = ANY($3) OR head = q.latest_head OR head = ANY(q.tied_heads) OR state IN ('queued', 'running')) OFFSET 0) r
		JOIN repositories p ON p.id = r.repository_id`,
		repositories, numbers, words(heads)).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, scanReview)
		for _, r := range found {
			p := byKey[pullKey{r.RepositoryID, r.Number}]
			p.reviews = append(p.reviews, &pullReview{Review: r})
		}
		return err
	})
}

// writePulls writes the rows that are new and those that have changed.
func writePulls(to *pgx.Batch, pulls []*pull) {
	var made, changed []*pull
	for _, p := range pulls {
		switch {
		case !p.stored:
			made = append(made, p)
		case p.changed:
			changed = append(changed, p)
		}
	}
	const insert = `INSERT INTO pull_requests AS p (repository_id, number, latest_head, open, event_at, tied_heads, tied_befores, tied_base)
		SELECT repository_id, number, head, open, COALESCE(at, '-infinity'), heads::text[], befores::text[], base
		FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::boolean[], $5::timestamptz[], $6::text[], $7::text[], $8::text[])
			AS u(repository_id, number, head, open, at, heads, befores, base)`
	if len(made) > 0 {
		to.Queue(insert, columns(made)...)
	}
	if len(changed) > 0 { // we hold their rows, so each conflicts
		to.Queue(insert+` ON CONFLICT (repository_id, number) DO UPDATE SET latest_head = excluded.latest_head,
			open = excluded.open, event_at = excluded.event_at, tied_heads = excluded.tied_heads,
			tied_befores = excluded.tied_befores, tied_base = excluded.tied_base`, columns(changed)...)
	}
}

func columns(pulls []*pull) []any {
	repositories, numbers := keys(pulls)
	n := len(pulls)
	head, open, at := make([]string, n), make([]bool, n), make([]*time.Time, n)
	heads, befores, base := make([]string, n), make([]string, n), make([]string, n)
	for i, p := range pulls {
		head[i], open[i] = text(p.row.head), p.row.open
		if !p.row.at.IsZero() {
			at[i] = &p.row.at
		}
		heads[i], befores[i], base[i] = arrayLiteral(p.row.heads), arrayLiteral(p.row.befores), text(p.row.base)
	}
	return []any{repositories, numbers, head, open, at, heads, befores, base}
}

func keys(pulls []*pull) (repositories []int64, numbers []int32) {
	repositories, numbers = make([]int64, len(pulls)), make([]int32, len(pulls))
	for i, p := range pulls {
		repositories[i], numbers[i] = int64(p.key.repository), int32(p.key.number)
	}
	return repositories, numbers
}

var quoteElement = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// arrayLiteral writes an array as Postgres reads it from text. unnest takes an array of arrays apart to the last
// element, so one that belongs to a row travels as text.
func arrayLiteral(words []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, w := range words {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(quoteElement.Replace(text(w)))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

// words gives an empty array for nil, which would be NULL.
func words(w []string) []string {
	if w == nil {
		return []string{}
	}
	return w
}
