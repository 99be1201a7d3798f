package post_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/review"
)

// forgeError is an error of the stand-in, with the kinds that post looks for.
type forgeError struct {
	msg                  string
	ambiguous, no, goner bool
	retryAfter           time.Duration
	comments             []int
}

func (e *forgeError) Error() string   { return e.msg }
func (e *forgeError) Ambiguous() bool { return e.ambiguous }
func (e *forgeError) Refused() bool   { return e.no }
func (e *forgeError) Gone() bool      { return e.goner }
func (e *forgeError) RefusedComments() []int {
	return e.comments
}
func (e *forgeError) RetryAfterHint() (time.Duration, bool) {
	return e.retryAfter, e.retryAfter > 0
}

var (
	errUnclear = &forgeError{msg: "502 bad gateway", ambiguous: true}
	errNo      = &forgeError{msg: "422 unprocessable", no: true}
	errAbsent  = &forgeError{msg: "404 not found", goner: true}
	errLimited = &forgeError{msg: "403 secondary rate limit", retryAfter: time.Minute}
	errCrash   = errors.New("the process dies here")
)

// fault is what happens to one call.
type fault uint8

const (
	faultNone    fault = iota
	faultBefore        // an ambiguous answer, nothing was done
	faultAfter         // an ambiguous answer, it was done
	faultDelayed       // an ambiguous answer, it is done later
	faultLimited       // a rate limit, nothing was done
	crashBefore        // the process dies, nothing was done
	crashAfter         // the process dies, it was done
	faultAbsent        // 404
)

// theReview is one review as the stand-in keeps it.
type theReview struct {
	post.Posted
	comments []post.Comment
	visible  time.Time
}

// forge behaves like GitHub for one pull request and one app: one pending review per user, 422 for a whole request
// with one bad comment, writes that are done though the answer was lost, reads that lag.
type forge struct {
	now     time.Time
	head    string
	closed  bool
	reviews []*theReview
	nextID  int64

	// bad says which comments GitHub refuses.
	bad func(post.Comment) bool
	// names makes a refusal name the comments.
	names bool
	// leavesBody makes a refused request leave a pending review with the body behind.
	leavesBody bool
	// leavesVisible makes it leave a submitted one.
	leavesVisible bool
	// lag is how long a new review is missing from lists.
	lag time.Duration
	// delay is how long faultDelayed takes, timeout what an ambiguous answer costs.
	delay, timeout time.Duration
	// room, unless nil, is how much may still be created before drafts are limited: one and its comments each. What is
	// refused counts as one.
	room *int
	// plan gives the fault for a call; nil means none.
	plan func(call string) fault

	late  []func()
	lates []time.Time
	calls []string
}

func newForge() *forge {
	return &forge{now: time.Unix(1_700_000_000, 0), head: "head1", nextID: 100, timeout: 10 * time.Second}
}

func (f *forge) clock() time.Time { return f.now }

// pass lets time go by and applies what was delayed.
func (f *forge) pass(d time.Duration) {
	f.now = f.now.Add(d)
	for i := 0; i < len(f.late); {
		if f.lates[i].After(f.now) {
			i++
			continue
		}
		do := f.late[i]
		f.late, f.lates = slices.Delete(f.late, i, i+1), slices.Delete(f.lates, i, i+1)
		do()
	}
}

// write runs one write under the plan.
func (f *forge) write(ctx context.Context, call string, do func() error) error {
	if err := f.enter(ctx, call); err != nil {
		return err
	}
	fault := f.fault(call)
	if ctx.Err() != nil {
		fault = faultAfter // cut in flight
	}
	switch fault {
	case faultBefore:
		f.pass(f.timeout)
		return errUnclear
	case faultAfter:
		_ = do()
		f.pass(f.timeout)
		return errUnclear
	case faultDelayed:
		f.late, f.lates = append(f.late, func() { _ = do() }), append(f.lates, f.now.Add(f.delay))
		f.pass(f.timeout)
		return errUnclear
	case faultLimited:
		return errLimited
	case faultAbsent:
		return errAbsent
	case crashBefore:
		return errCrash
	case crashAfter:
		_ = do()
		return errCrash
	default:
		return do()
	}
}

func (f *forge) enter(ctx context.Context, call string) error {
	f.calls = append(f.calls, call)
	f.pass(50 * time.Millisecond)
	return ctx.Err()
}

func (f *forge) fault(call string) fault {
	if f.plan == nil {
		return faultNone
	}
	return f.plan(call)
}

func (f *forge) read(ctx context.Context, call string) error {
	if err := f.enter(ctx, call); err != nil {
		return err
	}
	switch f.fault(call) {
	case faultBefore, faultAfter, faultDelayed:
		return &forgeError{msg: "502 bad gateway"}
	case faultLimited:
		return errLimited
	case crashBefore, crashAfter:
		return errCrash
	default:
		return nil
	}
}

func (f *forge) Look(ctx context.Context) (post.PullRequest, error) {
	if err := f.read(ctx, "look"); err != nil {
		return post.PullRequest{}, err
	}
	return post.PullRequest{Head: f.head, Open: !f.closed}, nil
}

func (f *forge) Own(ctx context.Context) ([]post.Posted, error) {
	if err := f.read(ctx, "own"); err != nil {
		return nil, err
	}
	var out []post.Posted
	for _, r := range f.reviews {
		if !r.visible.After(f.now) {
			out = append(out, r.Posted)
		}
	}
	return out, nil
}

func (f *forge) add(head, body string, comments []post.Comment, pending bool) int64 {
	f.nextID++
	f.reviews = append(f.reviews, &theReview{
		Posted:   post.Posted{ID: f.nextID, Body: body, Head: head, Pending: pending},
		comments: slices.Clone(comments), visible: f.now.Add(f.lag),
	})
	return f.nextID
}

func (f *forge) Draft(ctx context.Context, head, body string, comments []post.Comment) (id int64, err error) {
	if f.room != nil {
		if *f.room < 1+len(comments) {
			return 0, errLimited
		}
		defer func() {
			if *f.room--; err == nil {
				*f.room -= len(comments)
			}
		}()
	}
	err = f.write(ctx, "draft", func() error {
		for _, r := range f.reviews {
			if r.Pending {
				return errNo
			}
		}
		if f.bad != nil && slices.ContainsFunc(comments, f.bad) {
			if f.leavesBody || f.leavesVisible {
				f.add(head, body, nil, !f.leavesVisible)
			}
			if f.names {
				e := *errNo
				for i, c := range comments {
					if f.bad(c) {
						e.comments = append(e.comments, i)
					}
				}
				return &e
			}
			return errNo
		}
		id = f.add(head, body, comments, true)
		return nil
	})
	return id, err
}

func (f *forge) find(id int64) int {
	return slices.IndexFunc(f.reviews, func(r *theReview) bool { return r.ID == id })
}

func (f *forge) Submit(ctx context.Context, id int64) error {
	return f.write(ctx, "submit", func() error {
		i := f.find(id)
		switch {
		case i < 0:
			return errAbsent
		case !f.reviews[i].Pending:
			return errNo
		}
		f.reviews[i].Pending = false
		return nil
	})
}

func (f *forge) Discard(ctx context.Context, id int64) error {
	return f.write(ctx, "discard", func() error {
		i := f.find(id)
		switch {
		case i < 0:
			return errAbsent
		case !f.reviews[i].Pending:
			return errNo
		}
		f.reviews = slices.Delete(f.reviews, i, i+1)
		return nil
	})
}

// shown gives the submitted reviews.
func (f *forge) shown() []*theReview {
	var out []*theReview
	for _, r := range f.reviews {
		if !r.Pending {
			out = append(out, r)
		}
	}
	return out
}

// record is a durable memory that can fail before or after its commit.
type record struct {
	forge *forge
	state post.State
	// trail holds every stage that was written.
	trail []post.Stage
	plan  func(call string) fault
}

func (r *record) fail(call string, do func()) error {
	fault := faultNone
	if r.plan != nil {
		fault = r.plan(call)
	}
	switch fault {
	case crashBefore:
		return errCrash
	case crashAfter:
		do()
		return errCrash
	case faultBefore:
		return errors.New("connection refused")
	case faultAfter, faultDelayed:
		do()
		return errors.New("connection reset")
	default:
		do()
		return nil
	}
}

func (r *record) Load(ctx context.Context) (post.State, error) {
	if err := ctx.Err(); err != nil {
		return post.State{}, err
	}
	err := r.fail("load", func() {})
	return r.state, err
}

func (r *record) Advance(ctx context.Context, stage post.Stage, id int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.fail("advance "+string(stage), func() {
		r.state.Stage, r.state.ReviewID, r.state.AttemptedAt = stage, id, r.forge.now
		r.trail = append(r.trail, stage)
	})
}

func (r *record) Learn(ctx context.Context, tried []post.Tried) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.fail("learn", func() { r.state.Tried = tried })
}

// fence holds until it is told otherwise.
type fence struct {
	err   error
	check func() error
}

func (f *fence) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.check != nil {
		return f.check()
	}
	return f.err
}

const settle = 11 * time.Second

func marker(id review.ID) string { return fmt.Sprintf("<!-- mark %s -->", id) }

func parseMarker(body string) (review.ID, bool) {
	_, rest, ok := strings.Cut(body, "<!-- mark ")
	if !ok {
		return "", false
	}
	id, _, ok := strings.Cut(rest, " -->")
	return review.ID(id), ok
}

func draftOf(id review.ID, comments ...post.Comment) post.Draft {
	return post.Draft{
		ReviewID: id, Marker: marker(id), ParseMarker: parseMarker, Head: "head1", Comments: comments,
	}
}

// world is one pull request, one posting and the worker's view of both.
type world struct {
	forge  *forge
	record *record
	fence  *fence
}

func newWorld() *world {
	f := newForge()
	return &world{forge: f, record: &record{forge: f}, fence: &fence{}}
}

func (w *world) deps() post.Deps {
	return post.Deps{
		Forge: w.forge, Record: w.record, Fence: w.fence, Clock: w.forge.clock, Settle: settle,
		Pause: func(ctx context.Context, d time.Duration) error {
			w.forge.pass(d)
			return ctx.Err()
		},
	}
}

// again calls Publish until it ends, as the queue would: it waits when told to, and comes back after an error.
func (w *world) again(ctx context.Context, draft post.Draft, attempts int) (post.Result, error) {
	var last error
	for range attempts {
		result, err := post.Publish(ctx, w.deps(), draft)
		var wait *post.ErrWait
		switch {
		case err == nil:
			return result, nil
		case errors.As(err, &wait):
			w.forge.pass(wait.Until.Sub(w.forge.now))
		case errors.Is(err, post.ErrSuperseded), errors.Is(err, post.ErrClosed), errors.Is(err, post.ErrLost):
			return post.Result{}, err
		default:
			w.forge.pass(time.Second)
		}
		last = err
	}
	return post.Result{}, fmt.Errorf("not done after %d attempts: %w", attempts, last)
}
