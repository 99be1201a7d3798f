package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/review"
)

// Wanted asks for a review of one revision, for a delivery or for a person.
type Wanted struct {
	InstallationID review.InstallationID
	RepositoryID   review.RepositoryID
	// Repository is "owner/name", DefaultBranch may be empty.
	Repository, DefaultBranch string
	Number                    int
	// Head is the revision. A person may leave it empty: then it is the head when the worker looks (ResolveHead).
	Head string
	// EventAt is pull_request.updated_at of the delivery. Zero means that a person asked: then nothing is superseded but
	// older generations of the same head, and what deliveries said of the pull request stays as it is.
	EventAt time.Time
	// Action is the delivery's: "opened" is before everything else of its second, "reopened" opens in the second of
	// the closing.
	Action string
	// Before is the head that a synchronize moved away from.
	Before string
	// Force asks for a new generation even if the head was reviewed.
	Force bool
	// Close says that the pull request was closed at EventAt: nothing is to be reviewed any more.
	Close bool
}

// Reasons why no review was created.
const (
	// ReasonStale: a newer delivery of the pull request was seen before.
	ReasonStale = "stale"
	// ReasonClosed: the pull request is closed.
	ReasonClosed = "closed"
	// ReasonUnderWay: a review of this head has not ended.
	ReasonUnderWay = "under_way"
	// ReasonReviewed: this head was reviewed.
	ReasonReviewed = "already_reviewed"
)

// Reasons why a review ended, as they stand in Review.Reason.
const (
	// EndedByRevision: a newer revision arrived.
	EndedByRevision = "newer_revision"
	// EndedByRequest: the same head is reviewed again.
	EndedByRequest = "asked_again"
	// EndedByClose: the pull request was closed.
	EndedByClose = "pull_request_closed"
	// EndedByPerson: CancelReview.
	EndedByPerson = "cancelled_on_request"
)

// Requested is what RequestReview did.
type Requested struct {
	// Review is the review of the newest head: the new one, or the one that there was. Its ID is empty when there is none.
	Review Review
	// Created is set when the review is new and needs a job.
	Created bool
	// Reason says why nothing was created: one of the Reason constants.
	Reason string
	// Superseded are the reviews that this ended; the caller cancels their jobs in the same transaction.
	Superseded []Review
	// Stale is set when a newer delivery was seen before: Reason is ReasonStale.
	Stale bool
}

// RequestReview decides, under the lock of the pull request's row, whether a review is to be made, and writes it. It
// makes the installation, the repository and the pull request known. In the same transaction older reviews of other
// heads become superseded. The review is not always of w.Head: when w settles which of several heads in one second was
// the newest, it is of that one. It is a batch of one that records no delivery; the job is the caller's to insert. An error may
// be Retryable, when another transaction makes the pull request known at the same time.
func (s *Store) RequestReview(ctx context.Context, tx pg.Tx, w Wanted) (Requested, error) {
	b, err := s.Decide(ctx, tx, []Item{{Wants: &w}}, nil)
	if err == nil {
		to := &pg.Batch{}
		b.Write(to)
		err = tx.SendBatch(ctx, to).Close()
	}
	if err != nil {
		return Requested{}, fmt.Errorf("request review of %s#%d: %w", w.Repository, w.Number, err)
	}
	return b.Results()[0].Requested, nil
}

// decided is what the rules say of one wish; its reviews may still change while the batch goes on.
type decided struct {
	review  *pullReview
	created bool
	reason  string
	ended   []*pullReview
	stale   bool
}

// request decides on a wish for a review. It has the whole of the rules, and no input or output.
func (p *pull) request(w Wanted) (got decided) {
	target, latest := w.Head, p.row.head
	if !w.EventAt.IsZero() {
		if w.EventAt.Before(p.row.at) {
			return decided{stale: true, reason: ReasonStale}
		}
		next := p.row
		next.position = p.row.after(moment{at: w.EventAt, head: w.Head, before: w.Before, opened: w.Action == "opened"})
		next.open = p.row.open || w.EventAt.After(p.row.at) || w.Action == "reopened"
		p.move(next)
		if next.head != latest {
			got.ended = p.end(review.Superseded, EndedByRevision, func(r *pullReview) bool { return r.Head != next.head })
		}
		switch {
		case !next.open:
			got.reason = ReasonClosed
			return got
		case next.head != w.Head && next.head == latest:
			got.stale, got.reason = true, ReasonStale
			return got
		}
		target = next.head
	}
	if !w.Force {
		existing := p.newestOf(target, latest)
		if got.reason = existing.enough(); got.reason != "" {
			got.review = existing
			return got
		}
	} else {
		got.ended = append(got.ended, p.end(review.Superseded, EndedByRequest, func(r *pullReview) bool { return r.Head == target })...)
	}
	got.review = &pullReview{created: true, Review: Review{
		RepositoryID: p.key.repository, Number: p.key.number, Head: target, Generation: 1 + p.generations(target),
		Forced: w.Force, State: review.Queued,
	}}
	got.created = true
	p.reviews = append(p.reviews, got.review)
	return got
}

// close decides on a closing: nothing else may be known of the pull request yet. Its reviews that have not ended are
// not wanted any more.
func (p *pull) close(w Wanted) (got decided) {
	if w.EventAt.Before(p.row.at) {
		return decided{stale: true, reason: ReasonStale}
	}
	next := p.row
	next.position = p.row.after(moment{at: w.EventAt, head: w.Head})
	next.open = false
	p.move(next)
	got.ended = p.end(review.Cancelled, EndedByClose, func(*pullReview) bool { return true })
	return got
}

// CancelReview ends a review that has not ended, and says whether it did; then the caller cancels its job in the same
// transaction. The error is ErrNotFound when there is no such review.
func (s *Store) CancelReview(ctx context.Context, tx pg.Tx, id review.ID) (r Review, changed bool, err error) {
	if !known(id) {
		return Review{}, false, fmt.Errorf("cancel review %s: %w", id, ErrNotFound)
	}
	ended, err := endLive(ctx, tx, review.Cancelled, EndedByPerson, `id = $4`, string(id))
	if err != nil {
		return Review{}, false, fmt.Errorf("cancel review %s: %w", id, err)
	}
	if len(ended) > 0 {
		return ended[0], true, nil
	}
	r, err = readReview(ctx, tx, id)
	if err != nil {
		return Review{}, false, fmt.Errorf("cancel review %s: %w", id, err)
	}
	return r, false, nil
}

// LastOf gives the newest review of a head in a repository, whichever pull request it was for. The error is ErrNotFound
// when there is none.
func (s *Store) LastOf(ctx context.Context, tx pg.Tx, repository review.RepositoryID, head string) (Review, error) {
	r, err := oneReview(ctx, tx, `SELECT `+reviewColumns+` FROM reviews r JOIN repositories p ON p.id = r.repository_id
		WHERE r.repository_id = $1 AND r.head = $2 ORDER BY r.created_at DESC, r.generation DESC LIMIT 1`, int64(repository), text(head))
	if err != nil {
		return Review{}, fmt.Errorf("find the last review of %s: %w", head, err)
	}
	return r, nil
}

// SetJob writes the River job that a review was given.
func (s *Store) SetJob(ctx context.Context, tx pg.Tx, id review.ID, jobID int64) error {
	tag, err := tx.Exec(ctx, `UPDATE reviews SET job_id = $2 WHERE id = $1`, string(id), jobID)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("set job of review %s: %w", id, err)
	}
	return nil
}

// endLive ends the reviews that match and have not ended, and notifies those who watch them. The condition's first
// argument is $4.
func endLive(ctx context.Context, q querier, state review.State, reason, where string, args ...any) ([]Review, error) {
	rows, err := q.Query(ctx, `WITH r AS (
			UPDATE reviews SET state = $1, reason = $2, ended_at = now()
			WHERE state IN ('queued', 'running') AND `+where+` RETURNING *
		), told AS (SELECT id, pg_notify($3, id::text) FROM r)
		SELECT `+reviewColumns+` FROM r JOIN told ON told.id = r.id JOIN repositories p ON p.id = r.repository_id`,
		append([]any{string(state), reason, channel}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("end reviews: %w", err)
	}
	ended, err := pgx.CollectRows(rows, scanReview)
	if err != nil {
		return nil, fmt.Errorf("end reviews: %w", err)
	}
	return ended, nil
}
