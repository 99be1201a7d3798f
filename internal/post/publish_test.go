package post_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/review"
)

func comment(n int, fallbacks ...string) post.Comment {
	return post.Comment{
		Anchor: diff.Anchor{Path: "a.go", Side: diff.New, Start: n, End: n},
		Body:   fmt.Sprintf("comment %d", n), Fallbacks: fallbacks,
	}
}

func comments(n int) []post.Comment {
	out := make([]post.Comment, n)
	for i := range out {
		out[i] = comment(i + 1)
	}
	return out
}

func TestPublishHappyPath(t *testing.T) {
	t.Parallel()
	w := newWorld()
	got, err := post.Publish(t.Context(), w.deps(), draftOf("r1", comments(3)...))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Posted, []int{0, 1, 2}) || len(got.Refused) != 0 || len(got.Degraded) != 0 {
		t.Errorf("result = %+v", got)
	}
	if want := []string{"own", "look", "draft", "look", "submit"}; !slices.Equal(w.forge.calls, want) {
		t.Errorf("calls = %v, want %v", w.forge.calls, want)
	}
	want := []post.Stage{post.StageIntent, post.StageDrafted, post.StageSubmitted, post.StageDone}
	if !slices.Equal(w.record.trail, want) {
		t.Errorf("stages = %v, want %v", w.record.trail, want)
	}
	shown := w.forge.shown()
	if len(shown) != 1 || shown[0].ID != got.GitHubReviewID || len(shown[0].comments) != 3 {
		t.Fatalf("shown = %+v", shown)
	}
	again, err := post.Publish(t.Context(), w.deps(), draftOf("r1", comments(3)...))
	if err != nil || again.GitHubReviewID != got.GitHubReviewID || len(w.forge.shown()) != 1 {
		t.Errorf("a second time: %+v, %v, %d shown", again, err, len(w.forge.shown()))
	}
}

func TestPublishNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	got, err := post.Publish(t.Context(), w.deps(), draftOf("r1"))
	if err != nil || got.GitHubReviewID != 0 || len(w.forge.calls) != 0 {
		t.Errorf("result %+v, error %v, calls %v", got, err, w.forge.calls)
	}
	body := draftOf("r1")
	body.Body = "A word from us."
	if _, err := post.Publish(t.Context(), w.deps(), body); err != nil || len(w.forge.shown()) != 1 {
		t.Errorf("with a body: error %v, %d shown", err, len(w.forge.shown()))
	}
}

// TestPublishSteps gives each state of the world at the start of an attempt and what the attempt must do.
func TestPublishSteps(t *testing.T) {
	t.Parallel()
	const id = 42
	pending := func(of review.ID) *theReview {
		return &theReview{Posted: post.Posted{ID: id, Body: marker(of), Head: "head1", Pending: true}, comments: comments(2)}
	}
	submitted := func(of review.ID) *theReview {
		r := pending(of)
		r.Pending = false
		return r
	}
	at := func(stage post.Stage, reviewID int64, ago time.Duration) func(*world) {
		return func(w *world) {
			w.record.state = post.State{Stage: stage, ReviewID: reviewID, AttemptedAt: w.forge.now.Add(-ago)}
		}
	}
	has := func(r *theReview) func(*world) {
		return func(w *world) { w.forge.reviews = append(w.forge.reviews, r) }
	}
	for name, tt := range map[string]struct {
		given []func(*world)
		// calls are the calls that must be made, err what must come back, shown the ids that must be visible.
		calls string
		err   error
		wait  bool
		shown int
	}{
		"intent, not settled": {
			given: []func(*world){at(post.StageIntent, 0, time.Second)}, calls: "", wait: true,
		},
		"intent, settled, nothing there": {
			given: []func(*world){at(post.StageIntent, 0, time.Minute)}, calls: "own look draft look submit", shown: 1,
		},
		"intent, submitted is there": {
			given: []func(*world){at(post.StageIntent, 0, time.Minute), has(submitted("r1"))}, calls: "own", shown: 1,
		},
		"intent, a draft of which we know nothing": {
			given: []func(*world){at(post.StageIntent, 0, time.Minute), has(pending("r1"))},
			calls: "own discard look draft look submit", shown: 1,
		},
		"drafted, not settled": {
			given: []func(*world){at(post.StageDrafted, id, time.Second), has(pending("r1"))}, calls: "", wait: true,
		},
		"drafted, the draft is there": {
			given: []func(*world){at(post.StageDrafted, id, time.Minute), has(pending("r1"))},
			calls: "own look look submit", shown: 1,
		},
		"drafted, submitted is there": {
			given: []func(*world){at(post.StageDrafted, id, time.Minute), has(submitted("r1"))}, calls: "own", shown: 1,
		},
		"drafted, submitted is there without its marker": {
			given: []func(*world){at(post.StageDrafted, id, time.Minute), has(submitted(""))}, calls: "own", shown: 1,
		},
		"drafted, the draft is gone": {
			given: []func(*world){at(post.StageDrafted, id, time.Minute)},
			calls: "own look look submit own draft look submit", shown: 1,
		},
		"drafted, the list lags behind the submitted one": {
			given: []func(*world){at(post.StageDrafted, id, time.Minute), func(w *world) {
				r := submitted("r1")
				r.visible = w.forge.now.Add(180 * time.Millisecond)
				has(r)(w)
			}}, calls: "own look look submit own", shown: 1,
		},
		"submitted, whatever is there": {
			given: []func(*world){at(post.StageSubmitted, id, 0)}, calls: "own",
		},
		"done": {
			given: []func(*world){at(post.StageDone, id, 0), has(submitted("r1"))}, calls: "own", shown: 1,
		},
		"a draft of another review": {
			given: []func(*world){has(pending("r0"))}, calls: "own discard look draft look submit", shown: 1,
		},
		"a draft without a marker": {
			given: []func(*world){has(pending(""))}, calls: "own discard look draft look submit", shown: 1,
		},
		"another review of ours": {
			given: []func(*world){has(submitted("r0"))}, calls: "own look draft look submit", shown: 2,
		},
		"closed": {
			given: []func(*world){func(w *world) { w.forge.closed = true }}, calls: "own look", err: post.ErrClosed,
		},
		"superseded": {
			given: []func(*world){func(w *world) { w.forge.head = "head2" }}, calls: "own look", err: post.ErrSuperseded,
		},
		"superseded with a draft": {
			given: []func(*world){at(post.StageDrafted, id, time.Minute), has(pending("r1")),
				func(w *world) { w.forge.head = "head2" }},
			calls: "own look discard", err: post.ErrSuperseded,
		},
		"superseded after it was shown": {
			given: []func(*world){at(post.StageDrafted, id, time.Minute), has(submitted("r1")),
				func(w *world) { w.forge.head = "head2" }}, calls: "own", shown: 1,
		},
		"lock lost": {
			given: []func(*world){func(w *world) { w.fence.err = errors.New("gone") }}, calls: "own look", err: post.ErrLost,
		},
		"a clock that is an hour behind": {
			given: []func(*world){at(post.StageIntent, 0, -time.Hour)}, calls: "", wait: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			for _, g := range tt.given {
				g(w)
			}
			_, err := post.Publish(t.Context(), w.deps(), draftOf("r1", comments(2)...))
			var wait *post.ErrWait
			switch {
			case tt.wait:
				if !errors.As(err, &wait) {
					t.Fatalf("error = %v, want a wait", err)
				}
				if d := wait.Until.Sub(w.forge.now); d <= 0 || d > settle {
					t.Errorf("waits %s", d)
				}
			case !errors.Is(err, tt.err):
				t.Fatalf("error = %v, want %v", err, tt.err)
			}
			if got := strings.Join(w.forge.calls, " "); got != tt.calls {
				t.Errorf("calls = %s\nwant    %s", got, tt.calls)
			}
			if got := len(w.forge.shown()); got != tt.shown {
				t.Errorf("%d reviews shown, want %d", got, tt.shown)
			}
		})
	}
}

// TestPublishBehindTheFence changes the world between the draft and the submit.
func TestPublishBehindTheFence(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*world, context.CancelFunc)
		err    error
		drafts int
	}{
		"a newer head":      {change: func(w *world, _ context.CancelFunc) { w.forge.head = "head2" }, err: post.ErrSuperseded},
		"closed":            {change: func(w *world, _ context.CancelFunc) { w.forge.closed = true }, err: post.ErrClosed},
		"the lock is lost":  {change: func(w *world, _ context.CancelFunc) { w.fence.err = errors.New("cut") }, err: post.ErrLost, drafts: 1},
		"superseded inside": {change: func(w *world, _ context.CancelFunc) { w.fence.check = once(post.ErrSuperseded) }, err: post.ErrSuperseded},
		"the context ends at the fence": {change: func(w *world, cancel context.CancelFunc) {
			w.fence.check = func() error { cancel(); return nil }
		}, err: context.Canceled, drafts: 1},
		"the context ends": {change: func(_ *world, cancel context.CancelFunc) { cancel() }, err: context.Canceled, drafts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := newWorld()
			w.record.plan = func(call string) fault {
				if call == "advance drafted" {
					tt.change(w, cancel)
				}
				return faultNone
			}
			_, err := post.Publish(ctx, w.deps(), draftOf("r1", comments(1)...))
			if !errors.Is(err, tt.err) {
				t.Errorf("error = %v, want %v", err, tt.err)
			}
			if slices.Contains(w.forge.calls, "submit") || len(w.forge.shown()) != 0 {
				t.Errorf("submitted all the same: %v", w.forge.calls)
			}
			if len(w.forge.reviews) != tt.drafts {
				t.Errorf("%d drafts stay, want %d", len(w.forge.reviews), tt.drafts)
			}
		})
	}
}

// once fails the first time and holds afterwards, as the lock itself still does after a supersede.
func once(err error) func() error {
	failed := false
	return func() error {
		if failed {
			return nil
		}
		failed = true
		return err
	}
}

// TestPublishIsNotCutInFlight cancels the context while the submit is under way: what became visible is written down.
func TestPublishIsNotCutInFlight(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w := newWorld()
	w.forge.plan = func(call string) fault {
		if call == "submit" {
			cancel()
		}
		return faultNone
	}
	if _, err := post.Publish(ctx, w.deps(), draftOf("r1", comments(1)...)); err != nil {
		t.Fatal(err)
	}
	if w.record.state.Stage != post.StageDone || len(w.forge.shown()) != 1 {
		t.Errorf("stage %q, %d shown", w.record.state.Stage, len(w.forge.shown()))
	}
}

func TestPublishStopsPastItsDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld()
	ctx := frozen{t.Context()}
	_, err := post.Publish(ctx, w.deps(), draftOf("r1", comments(1)...))
	if !errors.Is(err, context.DeadlineExceeded) || len(w.forge.shown()) != 0 {
		t.Errorf("error = %v, %d shown", err, len(w.forge.shown()))
	}
}

// frozen is a context whose deadline has passed without its timer having fired yet, as after SIGCONT.
type frozen struct{ context.Context }

func (frozen) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

// TestPublishAmbiguous: after an answer we did not see, nothing is done before the settle time has passed.
func TestPublishAmbiguous(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"draft", "submit"} {
		for name, f := range map[string]fault{"before": faultBefore, "after": faultAfter, "delayed": faultDelayed} {
			t.Run(call+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				w.forge.delay = 15 * time.Second
				failed := false
				w.forge.plan = func(c string) fault {
					if c == call && !failed {
						failed = true
						return f
					}
					return faultNone
				}
				draft := draftOf("r1", comments(2)...)
				_, err := post.Publish(t.Context(), w.deps(), draft)
				var wait *post.ErrWait
				if !errors.As(err, &wait) || !wait.Until.Equal(w.forge.now.Add(settle)) {
					t.Fatalf("error = %v, want a wait of %s", err, settle)
				}
				before := len(w.forge.calls)
				if _, err := post.Publish(t.Context(), w.deps(), draft); !errors.As(err, &wait) {
					t.Errorf("too early: error = %v", err)
				}
				if len(w.forge.calls) != before {
					t.Errorf("too early: calls %v", w.forge.calls[before:])
				}
				if _, err := w.again(t.Context(), draft, 5); err != nil {
					t.Fatal(err)
				}
				w.forge.pass(time.Hour)
				if shown := w.forge.shown(); len(shown) != 1 || len(shown[0].comments) != 2 {
					t.Errorf("shown = %+v", shown)
				}
			})
		}
	}
}

// TestPublishLimited: a rate limit is handed on as it is, and costs no settle time of its own.
func TestPublishLimited(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.forge.plan = func(call string) fault {
		if call == "draft" {
			return faultLimited
		}
		return faultNone
	}
	_, err := post.Publish(t.Context(), w.deps(), draftOf("r1", comments(1)...))
	var wait *post.ErrWait
	var limit post.Limit
	if errors.As(err, &wait) || !errors.As(err, &limit) {
		t.Fatalf("error = %v, want the limit", err)
	}
	if d, ok := limit.RetryAfterHint(); !ok || d != time.Minute {
		t.Errorf("hint = %s, %v", d, ok)
	}
}

func TestPublishWants(t *testing.T) {
	t.Parallel()
	w := newWorld()
	if _, err := post.Publish(t.Context(), post.Deps{}, draftOf("r1")); err == nil {
		t.Error("no forge: no error")
	}
	if _, err := post.Publish(t.Context(), w.deps(), post.Draft{ReviewID: "r1"}); err == nil {
		t.Error("no marker: no error")
	}
}
