package post

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/review"
)

// MaxComments is the most comments that one review carries. What is beyond it is refused here, so that the caller
// shows it in the walkthrough.
const MaxComments = 30

const (
	// defaultSettle suits a client whose requests time out after ten seconds.
	defaultSettle = 11 * time.Second
	// recordTimeout bounds writing down an effect after the caller's context has ended.
	recordTimeout = 5 * time.Second
)

// Deps are what one publication works with. Forge, Record and Fence are required.
type Deps struct {
	Forge  Forge
	Record Record
	Fence  Fence
	// Clock tells the time as Record does; nil means time.Now.
	Clock func() time.Time
	// Settle is how long an effect whose answer we did not see may still take to show: the client's timeout of a
	// write and a second more. Zero means 11 s.
	Settle time.Duration
	// Pause waits in place, for seconds at most and only where a refused request left something behind that does not
	// show yet; nil means a timer.
	Pause func(ctx context.Context, d time.Duration) error
	// Log may be nil.
	Log *slog.Logger
}

// Draft is the review to publish. For one ReviewID it must be the same in every attempt.
type Draft struct {
	// ReviewID is ours, not GitHub's.
	ReviewID review.ID
	// Marker is the hidden, keyed line that says whose review this is; it is put below the body, as the last line.
	Marker string
	// ParseMarker reads a marker out of a body and checks its key.
	ParseMarker func(body string) (id review.ID, ok bool)
	// Head is the revision that was reviewed.
	Head string
	// Body is the visible text. With neither a body nor comments, nothing is posted.
	Body     string
	Comments []Comment
}

// Result is what came of a publication. Its numbers are indexes into Draft.Comments.
type Result struct {
	// GitHubReviewID is GitHub's id, 0 when there was nothing to post.
	GitHubReviewID int64
	// Posted are the comments that GitHub shows.
	Posted []int
	// Degraded are those of Posted that were taken only in a plainer form. Not known after a crash.
	Degraded []int
	// Refused are the comments that GitHub did not take in any form; the walkthrough must show them.
	Refused []int
}

// publication is one call of Publish.
type publication struct {
	Deps
	draft Draft
	// tried is what earlier attempts learned.
	tried []Tried
}

// Publish brings the draft to GitHub, at most once however often it is called. On success the review stands there and
// the record says done. The errors to branch on are ErrSuperseded, ErrClosed, ErrLost and *ErrWait; any other means
// that an attempt later may succeed.
//
// A pending review is submitted only when the record holds its id, that is when GitHub said that it took it whole. One
// that is found by its marker alone may be what a refused or a probing request left behind: it is thrown away, which
// nobody sees, and drafted again.
func Publish(ctx context.Context, deps Deps, draft Draft) (Result, error) {
	switch {
	case deps.Forge == nil || deps.Record == nil || deps.Fence == nil:
		return Result{}, errors.New("publish review: forge, record and fence are required")
	case draft.ReviewID == "" || draft.Marker == "" || draft.ParseMarker == nil || draft.Head == "":
		return Result{}, errors.New("publish review: id, marker, marker parser and head are required")
	}
	if deps.Clock == nil {
		deps.Clock = time.Now
	}
	if deps.Settle <= 0 {
		deps.Settle = defaultSettle
	}
	if deps.Pause == nil {
		deps.Pause = pause
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	p := &publication{Deps: deps, draft: draft}
	result, err := p.run(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("publish review %s: %w", draft.ReviewID, err)
	}
	return result, nil
}

// run walks from where the record stands to the end.
func (p *publication) run(ctx context.Context) (Result, error) {
	state, err := p.Record.Load(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("load posting: %w", err)
	}
	p.tried = state.Tried
	switch state.Stage {
	case StageSubmitted, StageDone:
		return p.finished(ctx, state)
	case StageIntent, StageDrafted:
		if err := p.settled(state); err != nil {
			return Result{}, err
		}
	case StageNone:
		if p.nothing() {
			return p.result(0, nil), nil
		}
	}

	seen, err := p.survey(ctx, state)
	if err != nil {
		return Result{}, err
	}
	if seen.submitted != nil {
		return p.done(ctx, seen.submitted.ID, p.result(seen.submitted.ID, p.refusedIn(seen.submitted.Body)))
	}
	if err := p.current(ctx); err != nil {
		return Result{}, p.withdrawn(ctx, state.ReviewID, err)
	}
	if state.Stage == StageDrafted && state.ReviewID != 0 {
		// The list may lag behind what it lists. The id doesn't.
		result, err := p.submit(ctx, state.ReviewID, p.result(state.ReviewID, p.refusedIn(seen.draftBody)))
		if !errors.Is(err, errGone) {
			return result, err
		}
	}

	made, err := p.compose(ctx)
	switch {
	case err != nil:
		return Result{}, err
	case made.GitHubReviewID == 0, made.left:
		return p.done(ctx, made.GitHubReviewID, made.Result)
	}
	if err := p.Record.Advance(ctx, StageDrafted, made.GitHubReviewID); err != nil {
		return Result{}, fmt.Errorf("record the draft: %w", err)
	}
	result, err := p.submit(ctx, made.GitHubReviewID, made.Result)
	if errors.Is(err, errGone) {
		return Result{}, &ErrWait{Until: p.Clock().Add(p.Settle), Err: err}
	}
	return result, err
}

// done writes down that the review stands there. This must not be lost to a cancelled context: what is visible must be
// known.
func (p *publication) done(ctx context.Context, id int64, result Result) (Result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if id != 0 {
		if err := p.Record.Advance(ctx, StageSubmitted, id); err != nil {
			return Result{}, fmt.Errorf("record the submitted review: %w", err)
		}
	}
	if err := p.Record.Advance(ctx, StageDone, id); err != nil {
		return Result{}, fmt.Errorf("record the end: %w", err)
	}
	return result, nil
}

// finished tells again what an earlier attempt did.
func (p *publication) finished(ctx context.Context, state State) (Result, error) {
	if state.ReviewID == 0 {
		return p.result(0, p.all()), nil
	}
	own, err := p.Forge.Own(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("list own reviews: %w", err)
	}
	var left []int
	for _, o := range own {
		if o.ID == state.ReviewID {
			left = p.refusedIn(o.Body)
		}
	}
	if state.Stage == StageDone {
		return p.result(state.ReviewID, left), nil
	}
	return p.done(ctx, state.ReviewID, p.result(state.ReviewID, left))
}

// all gives the index of every comment.
func (p *publication) all() []int {
	all := make([]int, len(p.draft.Comments))
	for i := range all {
		all[i] = i
	}
	return all
}

// result sorts the comments into posted and refused.
func (p *publication) result(id int64, left []int) Result {
	r := Result{GitHubReviewID: id}
	out := make(map[int]bool, len(left))
	for _, i := range left {
		out[i] = true
	}
	for i := range p.draft.Comments {
		if id == 0 || out[i] || i >= MaxComments {
			r.Refused = append(r.Refused, i)
		} else {
			r.Posted = append(r.Posted, i)
		}
	}
	return r
}

// body is the text that is posted: what a reader sees, what is not among the comments, and the marker.
func (p *publication) body(left []int) string {
	parts := make([]string, 0, 3)
	if p.draft.Body != "" {
		parts = append(parts, p.draft.Body)
	}
	if len(left) > 0 {
		parts = append(parts, refusedMarker(left))
	}
	// The marker stands last: that is where it is looked for.
	return strings.Join(append(parts, p.draft.Marker), "\n\n")
}
