package post_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/post"
	"pgregory.net/rapid"
)

// badBodies refuses comments whose body starts with "bad".
func badBodies(c post.Comment) bool { return strings.HasPrefix(c.Body, "bad") }

func TestDegradeOneComment(t *testing.T) {
	t.Parallel()
	wide := diff.Anchor{Path: "a.go", Side: diff.New, Start: 3, End: 5}
	for name, tt := range map[string]struct {
		comment post.Comment
		bad     func(post.Comment) bool
		// want is the comment that is shown, nil when it must be refused.
		want *post.Comment
	}{
		"first fallback": {
			comment: post.Comment{Anchor: wide, Body: "bad", Fallbacks: []string{"plain", "plainer"}},
			bad:     badBodies, want: &post.Comment{Anchor: wide, Body: "plain"},
		},
		"second fallback": {
			comment: post.Comment{Anchor: wide, Body: "bad", Fallbacks: []string{"bad too", "plainer"}},
			bad:     badBodies, want: &post.Comment{Anchor: wide, Body: "plainer"},
		},
		"the last line alone": {
			comment: post.Comment{Anchor: wide, Body: "rich", Fallbacks: []string{"plain"}},
			bad:     func(c post.Comment) bool { return c.Anchor.Start == 3 && c.Anchor.End == 5 },
			want:    &post.Comment{Anchor: diff.Anchor{Path: "a.go", Side: diff.New, Start: 5, End: 5}, Body: "plain"},
		},
		"a suggestion is never moved": {
			comment: post.Comment{Anchor: wide, Body: "x\n```suggestion\ny\n```"},
			bad:     func(c post.Comment) bool { return c.Anchor.Start == 3 && c.Anchor.End == 5 },
		},
		"nothing helps": {
			comment: post.Comment{Anchor: wide, Body: "bad", Fallbacks: []string{"bad too"}}, bad: badBodies,
		},
	} {
		for _, leaves := range []string{"nothing", "a draft"} {
			t.Run(name+", leaves "+leaves, func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				w.forge.bad, w.forge.leavesBody = tt.bad, leaves == "a draft"
				all := comments(30)
				all[17] = tt.comment
				got, err := post.Publish(t.Context(), w.deps(), draftOf("r1", all...))
				if err != nil {
					t.Fatal(err)
				}
				shown := w.forge.shown()
				if len(shown) != 1 || len(w.forge.reviews) != 1 {
					t.Fatalf("%d shown of %d", len(shown), len(w.forge.reviews))
				}
				if tt.want == nil {
					if !slices.Equal(got.Refused, []int{17}) || len(shown[0].comments) != 29 {
						t.Errorf("result = %+v with %d comments", got, len(shown[0].comments))
					}
					return
				}
				if !slices.Equal(got.Degraded, []int{17}) || len(got.Refused) != 0 || len(got.Posted) != 30 {
					t.Errorf("result = %+v", got)
				}
				if c := shown[0].comments[17]; c.Anchor != tt.want.Anchor || c.Body != tt.want.Body {
					t.Errorf("shown = %+v, want %+v", c, tt.want)
				}
				if n := count(w.forge.calls, "draft"); n > 20 {
					t.Errorf("%d drafts for one bad comment", n)
				}
			})
		}
	}
}

func count(calls []string, call string) int {
	n := 0
	for _, c := range calls {
		if c == call {
			n++
		}
	}
	return n
}

func TestDegradeEverything(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.forge.bad = func(post.Comment) bool { return true }
	got, err := post.Publish(t.Context(), w.deps(), draftOf("r1", comments(30)...))
	if err != nil || len(got.Refused) != 30 || got.GitHubReviewID != 0 || len(w.forge.reviews) != 0 {
		t.Errorf("result = %+v, error %v, %d reviews", got, err, len(w.forge.reviews))
	}
	again, err := post.Publish(t.Context(), w.deps(), draftOf("r1", comments(30)...))
	if err != nil || len(again.Refused) != 30 {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	if n := count(w.forge.calls, "draft"); n > 80 {
		t.Errorf("%d drafts", n)
	}
}

func TestDegradeTooMany(t *testing.T) {
	t.Parallel()
	w := newWorld()
	got, err := post.Publish(t.Context(), w.deps(), draftOf("r1", comments(33)...))
	if err != nil || !slices.Equal(got.Refused, []int{30, 31, 32}) || len(w.forge.shown()[0].comments) != 30 {
		t.Errorf("result = %+v, error %v", got, err)
	}
}

// TestDegradeBlamesNoComment: what GitHub refuses without any comment too is not the comments' fault.
func TestDegradeBlamesNoComment(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.forge.bad = nil
	w.forge.lag = 1 << 40
	// A draft that the list does not show yet stands in the way.
	w.forge.add("head1", marker("r0"), nil, true)
	_, err := post.Publish(t.Context(), w.deps(), draftOf("r1", comments(4)...))
	var no post.Refusal
	if err == nil || !asRefusal(err, &no) {
		t.Fatalf("error = %v, want the refusal", err)
	}
	if n := count(w.forge.calls, "draft"); n > 6 {
		t.Errorf("%d drafts, want the request and a few probes", n)
	}
	w.forge.reviews[0].visible = w.forge.now
	w.forge.lag = 0
	got, err := w.again(t.Context(), draftOf("r1", comments(4)...), 3)
	if err != nil || len(got.Posted) != 4 {
		t.Errorf("later: %+v, %v", got, err)
	}
}

// TestDegradeOnce: a refusal that does not come again costs no comment its place.
func TestDegradeOnce(t *testing.T) {
	t.Parallel()
	for n := range 6 {
		w := newWorld()
		once := false
		w.forge.bad = func(post.Comment) bool {
			refuse := !once
			once = true
			return refuse
		}
		got, err := post.Publish(t.Context(), w.deps(), draftOf("r1", comments(n+1)...))
		if n == 0 {
			continue // one comment alone, refused: that is the proof
		}
		if err != nil || len(got.Posted) != n+1 || len(got.Refused)+len(got.Degraded) != 0 {
			t.Errorf("%d comments: result = %+v, error %v", n+1, got, err)
		}
	}
}

// TestDegradeNamed: comments that a refusal names are not searched for.
func TestDegradeNamed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.forge.bad, w.forge.names = badBodies, true
	all := comments(30)
	all[4].Body, all[20] = "bad", comment(21, "plain")
	all[20].Body = "bad"
	got, err := post.Publish(t.Context(), w.deps(), draftOf("r1", all...))
	if err != nil || !slices.Equal(got.Refused, []int{4}) || !slices.Equal(got.Degraded, []int{20}) {
		t.Errorf("result = %+v, error %v", got, err)
	}
	if n := count(w.forge.calls, "draft"); n != 2 {
		t.Errorf("%d drafts, want 2", n)
	}
}

// TestDraftOfAGoneCommit: when the commit is gone, a newer revision is the reason if there is one.
func TestDraftOfAGoneCommit(t *testing.T) {
	t.Parallel()
	for name, moved := range map[string]bool{"moved": true, "not moved": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.forge.plan = func(call string) fault {
				if call == "draft" {
					if moved {
						w.forge.head = "head2"
					}
					return faultAbsent
				}
				return faultNone
			}
			_, err := post.Publish(t.Context(), w.deps(), draftOf("r1", comments(2)...))
			var absence post.Absence
			if err == nil || isSuperseded(err) != moved || errors.As(err, &absence) == moved {
				t.Errorf("error = %v", err)
			}
		})
	}
}

// TestDegradeGoneHead: a refusal after a force-push is a newer revision.
func TestDegradeGoneHead(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.forge.plan = func(call string) fault {
		if call == "draft" {
			w.forge.head = "head2"
			w.forge.add("x", marker("r0"), nil, true)
			w.forge.reviews[len(w.forge.reviews)-1].visible = w.forge.now.Add(1 << 50)
		}
		return faultNone
	}
	if _, err := post.Publish(t.Context(), w.deps(), draftOf("r1", comments(2)...)); !isSuperseded(err) {
		t.Errorf("error = %v, want superseded", err)
	}
}

// TestDegradeVisibleBody: a refused request that left a visible body behind is not followed by a second one.
func TestDegradeVisibleBody(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.forge.bad, w.forge.leavesVisible = badBodies, true
	bad := comments(3)
	bad[1].Body = "bad"
	got, err := post.Publish(t.Context(), w.deps(), draftOf("r1", bad...))
	if err != nil || len(w.forge.shown()) != 1 || len(got.Refused) != 3 {
		t.Errorf("result = %+v, error %v, %d shown", got, err, len(w.forge.shown()))
	}
}

// TestDegradeProperty: whatever GitHub refuses, every good comment is shown exactly once, every comment with a good
// fallback in that form, and the others are refused.
func TestDegradeProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.forge.bad = badBodies
		w.forge.leavesBody, w.forge.names = rapid.Bool().Draw(t, "leaves"), rapid.Bool().Draw(t, "names")
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"good", "good", "good", "good", "fallback", "bad"}), 1, 12).Draw(t, "kinds")
		var all []post.Comment
		var refused []int
		for i, kind := range kinds {
			switch kind {
			case "good":
				all = append(all, comment(i))
			case "fallback":
				c := comment(i, fmt.Sprintf("comment %d", i))
				c.Body = "bad"
				all = append(all, c)
			default:
				c := comment(i, "bad too")
				c.Body = "bad"
				all = append(all, c)
				refused = append(refused, i)
			}
		}
		got, err := post.Publish(t.Context(), w.deps(), draftOf("r1", all...))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Refused, refused) {
			t.Errorf("refused %v, want %v", got.Refused, refused)
		}
		var want, shown []string
		for _, i := range got.Posted {
			want = append(want, fmt.Sprintf("comment %d", i))
		}
		if len(got.Posted) > 0 {
			for _, c := range w.forge.shown()[0].comments {
				shown = append(shown, c.Body)
			}
		}
		if !slices.Equal(shown, want) || len(w.forge.reviews) > 1 {
			t.Errorf("shown %v, want %v; %d reviews", shown, want, len(w.forge.reviews))
		}
	})
}

// TestDegradeInPieces: no attempt may create more than GitHub allows in a minute, which is less than it takes to find
// the bad ones among thirty comments. What one attempt learned the next one knows, and all good comments get posted.
func TestDegradeInPieces(t *testing.T) {
	t.Parallel()
	draft := draftOf("r1", comments(post.MaxComments)...)
	for _, i := range []int{0, 7, 8, 15, 29} {
		draft.Comments[i] = comment(i+1, "bad too")
		draft.Comments[i].Body = "bad"
	}
	w := newWorld()
	w.forge.bad = badBodies
	var got post.Result
	attempts := 0
	_, err := run(t.Context(), w, func(ctx context.Context) (err error) {
		attempts++
		room := 40
		w.forge.room = &room
		got, err = post.Publish(ctx, w.deps(), draft)
		return err
	}, 30)
	if err != nil {
		t.Fatalf("after %d attempts: %v", attempts, err)
	}
	if attempts < 2 {
		t.Errorf("%d attempts: the limit never struck", attempts)
	}
	if shown := w.forge.shown(); len(shown) != 1 || len(shown[0].comments) != 25 || len(got.Refused) != 5 {
		t.Errorf("shown %+v, refused %v", shown, got.Refused)
	}
	t.Logf("%d attempts, %d calls", attempts, len(w.forge.calls))
}
