package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

// Item is one delivery to record with what it wants of a pull request; without a GUID it is what a person wants.
type Item struct {
	Delivery Delivery
	// Wants is nil when nothing is wanted of a pull request.
	Wants *Wanted
}

// Result is what came of an item. Of a duplicate nothing is Requested.
type Result struct {
	Recorded
	Requested
}

// Batch is a number of items in one transaction: read together, decided one after the other, in their order, and
// written together, so that a batch takes the same few statements however many items are in it. Use it in this order:
// Decide, New (to give them jobs), Write.
type Batch struct {
	store   *Store
	items   []Item
	results []batchResult
	pulls   []*pull
	byKey   map[pullKey]*pull
	known   knownDeliveries
	names   map[review.RepositoryID]Repository
	now     time.Time
}

type batchResult struct {
	Recorded
	decided
}

// Decide locks the rows of the pull requests that the items name, reads what the rules ask for, decides, and ends the
// reviews that are superseded or not wanted any more. Nothing else is written yet. with holds statements that are to
// travel along; it may be nil.
func (s *Store) Decide(ctx context.Context, tx pg.Tx, items []Item, with *pg.Batch) (*Batch, error) {
	if with == nil {
		with = &pg.Batch{}
	}
	b := newBatch(s, items)
	err := b.read(ctx, tx, with)
	if err == nil {
		err = b.introduce(ctx, tx)
	}
	if err == nil {
		err = b.decide()
	}
	if err == nil {
		err = b.end(ctx, tx)
	}
	if err != nil {
		return nil, fmt.Errorf("decide on %d items: %w", len(items), err)
	}
	return b, nil
}

func newBatch(s *Store, items []Item) *Batch {
	return &Batch{
		store: s, items: items, results: make([]batchResult, len(items)), byKey: map[pullKey]*pull{},
		known: newKnownDeliveries(len(items)), names: map[review.RepositoryID]Repository{},
	}
}

func (b *Batch) read(ctx context.Context, tx pg.Tx, to *pg.Batch) error {
	heads := map[string]struct{}{}
	repositories := map[int64]struct{}{}
	for _, it := range b.items {
		if err := it.check(); err != nil {
			return err
		}
		if it.Wants == nil {
			continue
		}
		key := pullKey{it.Wants.RepositoryID, it.Wants.Number}
		if b.byKey[key] == nil {
			p := &pull{key: key, row: pullRow{open: true}}
			b.byKey[key] = p
			b.pulls = append(b.pulls, p)
		}
		heads[it.Wants.Head] = struct{}{}
		repositories[int64(key.repository)] = struct{}{}
	}
	slices.SortFunc(b.pulls, func(x, y *pull) int { return x.key.compare(y.key) })
	if len(b.pulls) > 0 {
		lockPulls(to, b.pulls, b.byKey)
		readReviews(to, b.pulls, slices.Collect(maps.Keys(heads)), b.byKey)
		to.Queue(`SELECT id, installation_id, full_name, default_branch, now() FROM repositories WHERE id = ANY($1)`,
			slices.Collect(maps.Keys(repositories))).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var r Repository
				if err := rows.Scan(&r.ID, &r.InstallationID, &r.FullName, &r.DefaultBranch, &b.now); err != nil {
					return err
				}
				b.names[r.ID] = r
			}
			return rows.Err()
		})
	}
	b.known.look(to, b.items)
	if to.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, to).Close()
}

// introduce makes known, or renames, the repositories of items that are no duplicates. That is rare: a delivery of a
// known repository under its known name writes nothing here, and waits for no other of its installation.
func (b *Batch) introduce(ctx context.Context, tx pg.Tx) error {
	for _, it := range b.items {
		if it.Wants == nil || it.Wants.InstallationID == 0 || b.known.find(it.Delivery).Duplicate {
			continue
		}
		w := it.Wants
		known, named := b.names[w.RepositoryID], Repository{
			ID: w.RepositoryID, InstallationID: w.InstallationID, FullName: text(w.Repository), DefaultBranch: text(w.DefaultBranch),
		}
		if named.DefaultBranch == "" {
			named.DefaultBranch = known.DefaultBranch
		}
		if named == known {
			continue
		}
		if err := b.store.UpsertRepository(ctx, tx, named); err != nil {
			return err
		}
		b.names[w.RepositoryID] = named
	}
	if !b.now.IsZero() || len(b.pulls) == 0 {
		return nil
	}
	return tx.QueryRow(ctx, `SELECT now()`).Scan(&b.now)
}

// decide goes through the items in their order.
func (b *Batch) decide() error {
	for i, it := range b.items {
		r := &b.results[i]
		if r.Recorded = b.known.find(it.Delivery); !r.Duplicate && it.Wants != nil {
			p := b.byKey[pullKey{it.Wants.RepositoryID, it.Wants.Number}]
			if it.Wants.Close {
				r.decided = p.close(*it.Wants)
			} else {
				r.decided = p.request(*it.Wants)
			}
			if r.created {
				if err := b.create(r.review, i); err != nil {
					return err
				}
			}
		}
		meaning := it.Delivery.Meaning
		if r.SameMeaning {
			meaning = ""
		}
		if it.Delivery.GUID != "" && (!r.Duplicate || r.SameMeaning) {
			b.known.add(it.Delivery.GUID, meaning, func() review.ID { return r.reviewID() })
		}
	}
	return nil
}

// reviewID is what came of an item, or of the first that it repeats.
func (r *batchResult) reviewID() review.ID {
	if r.review != nil {
		return r.review.ID
	}
	return r.Recorded.ReviewID
}

func (b *Batch) create(r *pullReview, item int) (err error) {
	repository, ok := b.names[r.RepositoryID]
	if !ok {
		return fmt.Errorf("create review: repository %d: %w", r.RepositoryID, ErrNotFound)
	}
	r.ID, err = newID()
	r.InstallationID, r.Repository, r.CreatedAt, r.item = repository.InstallationID, repository.FullName, b.now, item
	return err
}

// end ends the stored reviews that the decisions ended, and notifies those who watch them. One that ended by itself
// meanwhile stays as it is, and counts as not ended by us.
func (b *Batch) end(ctx context.Context, tx pg.Tx) error {
	var ended []*pullReview
	for _, p := range b.pulls {
		for _, r := range p.reviews {
			if r.ended && !r.created {
				ended = append(ended, r)
			}
		}
	}
	if len(ended) == 0 {
		return nil
	}
	slices.SortFunc(ended, func(x, y *pullReview) int { return cmp.Compare(x.ID, y.ID) })
	ids, states, reasons := make([]string, len(ended)), make([]string, len(ended)), make([]string, len(ended))
	for i, r := range ended {
		ids[i], states[i], reasons[i] = string(r.ID), string(r.State), r.Reason
	}
	rows, err := tx.Query(ctx, `WITH r AS (
			UPDATE reviews r SET state = u.state, reason = u.reason, ended_at = now()
			FROM unnest($1::uuid[], $2::text[], $3::text[]) AS u(id, state, reason)
			WHERE r.id = u.id AND r.state IN ('queued', 'running') RETURNING r.id
		) SELECT id::text, pg_notify($4, id::text)::text FROM r`, ids, states, reasons, channel)
	if err != nil {
		return fmt.Errorf("end reviews: %w", err)
	}
	done, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (id review.ID, err error) {
		var told *string
		err = row.Scan(&id, &told)
		return id, err
	})
	if err != nil {
		return fmt.Errorf("end reviews: %w", err)
	}
	for _, r := range ended {
		r.ended, r.EndedAt = slices.Contains(done, r.ID), b.now
	}
	return nil
}

// New gives the reviews that the batch makes and that are still wanted at its end, with the items that asked for them.
// Each needs a job; write its number into JobID before Write.
func (b *Batch) New() (made []*Review, items []int) {
	for _, r := range b.createdReviews() {
		if r.live() {
			made, items = append(made, &r.Review), append(items, r.item)
		}
	}
	return made, items
}

func (b *Batch) createdReviews() (made []*pullReview) {
	for _, p := range b.pulls {
		for _, r := range p.reviews {
			if r.created {
				made = append(made, r)
			}
		}
	}
	return made
}

// Ended gives the stored reviews that the batch ended: their jobs are to be cancelled in the same transaction.
func (b *Batch) Ended() (ended []Review) {
	for _, p := range b.pulls {
		for _, r := range p.reviews {
			if r.ended && !r.created {
				ended = append(ended, r.Review)
			}
		}
	}
	return ended
}

// Results gives what came of the items, in their order.
func (b *Batch) Results() []Result {
	out := make([]Result, len(b.results))
	for i := range b.results {
		r := &b.results[i]
		out[i].Recorded = r.Recorded
		if r.Duplicate {
			continue
		}
		out[i].Requested = Requested{Created: r.created, Reason: r.reason, Stale: r.stale}
		if r.review != nil {
			out[i].Requested.Review = r.review.Review
		}
		for _, e := range r.decided.ended {
			if e.ended && !e.created {
				out[i].Requested.Superseded = append(out[i].Requested.Superseded, e.Review)
			}
		}
	}
	return out
}

// Write asks for the pull requests, the reviews and the deliveries, with what came of them, to be written.
func (b *Batch) Write(to *pg.Batch) {
	writePulls(to, b.touched())
	insertReviews(to, b.createdReviews())
	insertDeliveries(to, b.rows())
}

// touched leaves out pull requests that only duplicates name: those are not made known.
func (b *Batch) touched() (pulls []*pull) {
	wanted := map[pullKey]bool{}
	for i, it := range b.items {
		if it.Wants != nil && !b.results[i].Duplicate {
			wanted[pullKey{it.Wants.RepositoryID, it.Wants.Number}] = true
		}
	}
	for _, p := range b.pulls {
		if wanted[p.key] {
			pulls = append(pulls, p)
		}
	}
	return pulls
}

func (b *Batch) rows() (rows []deliveryRow) {
	for i, it := range b.items {
		r := &b.results[i]
		if it.Delivery.GUID == "" || r.Duplicate && !r.SameMeaning {
			continue
		}
		row := deliveryRow{Delivery: it.Delivery, reviewID: r.reviewID()}
		switch {
		case r.SameMeaning:
			row.Meaning, row.Decision, row.Reason = "", decisionDuplicate, reasonSameMeaning
		case it.Wants != nil:
			row.Reason = r.reason
		}
		if r.review != nil {
			row.jobID = r.review.JobID
		}
		rows = append(rows, row)
	}
	return rows
}

func insertReviews(to *pgx.Batch, made []*pullReview) {
	if len(made) == 0 {
		return
	}
	n := len(made)
	id, installation, repository, number := make([]string, n), make([]int64, n), make([]int64, n), make([]int32, n)
	head, generation, forced := make([]string, n), make([]int32, n), make([]bool, n)
	state, reason, job := make([]string, n), make([]string, n), make([]int64, n)
	for i, r := range made {
		id[i], installation[i], repository[i], number[i] = string(r.ID), int64(r.InstallationID), int64(r.RepositoryID), int32(r.Number)
		head[i], generation[i], forced[i] = text(r.Head), int32(r.Generation), r.Forced
		state[i], reason[i], job[i] = string(r.State), r.Reason, r.JobID
	}
	to.Queue(`INSERT INTO reviews (id, installation_id, repository_id, number, head, generation, forced, state, reason, ended_at, job_id)
		SELECT id, installation, repository, number, head, generation, forced, state, reason,
			CASE WHEN state <> 'queued' THEN now() END, NULLIF(job, 0)
		FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::integer[], $5::text[], $6::integer[], $7::boolean[], $8::text[],
			$9::text[], $10::bigint[])
			AS u(id, installation, repository, number, head, generation, forced, state, reason, job)`,
		id, installation, repository, number, head, generation, forced, state, reason, job)
}
