package github_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/post"
)

// turnstile is a gate that writes down what it is asked.
type turnstile struct {
	wait time.Duration
	err  error
	log  []string
}

func (g *turnstile) Enter(_ context.Context, units int) (int64, time.Duration, error) {
	g.log = append(g.log, fmt.Sprint("enter ", units))
	return int64(units), g.wait, g.err
}

func (g *turnstile) Settle(_ context.Context, ticket int64, units int) error {
	g.log = append(g.log, fmt.Sprint("settle ", ticket, " ", units))
	return nil
}

func (g *turnstile) Limited(_ context.Context, told time.Duration) (time.Duration, error) {
	g.log = append(g.log, fmt.Sprint("limited ", told))
	return 7 * time.Minute, nil
}

// TestGate: every request asks first, and says what it creates.
func TestGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": lines("other", 20)})
	gate := &turnstile{}
	c := w.client.Behind(gate)
	f := c.Forge(repo, number, "openrabbit[bot]")
	var pending, comment, check int64
	at := func(line int) post.Comment {
		return post.Comment{Anchor: diff.Anchor{Path: "main.go", Side: diff.New, Start: line, End: line}, Body: "b"}
	}
	for _, step := range []struct {
		name, want string
		do         func(ctx context.Context) error
	}{
		{"a read", "enter 0", func(ctx context.Context) error { _, err := f.Look(ctx); return err }},
		{"a review with two comments", "enter 3", func(ctx context.Context) (err error) {
			pending, err = f.Draft(ctx, head, "b", []post.Comment{at(1), at(2)})
			return err
		}},
		{"a refused one", "enter 2, settle 2 1", func(ctx context.Context) error {
			if _, err := f.Draft(ctx, head, "b", []post.Comment{at(1)}); err == nil {
				return errors.New("not refused")
			}
			return nil
		}},
		{"a submit", "enter 1", func(ctx context.Context) error { return f.Submit(ctx, pending) }},
		{"an edit of a review", "enter 0", func(ctx context.Context) error { return c.EditReview(ctx, repo, number, pending, "c") }},
		{"a comment", "enter 1", func(ctx context.Context) error {
			made, err := c.CreateComment(ctx, repo, number, "b")
			comment = made.ID
			return err
		}},
		{"its edit", "enter 0", func(ctx context.Context) error { return c.EditComment(ctx, repo, comment, "c") }},
		{"its deletion", "enter 0", func(ctx context.Context) error { return c.DeleteComment(ctx, repo, comment) }},
		{"a check run", "enter 1", func(ctx context.Context) (err error) {
			check, err = c.CreateCheckRun(ctx, repo, head, "id", "t", "s")
			return err
		}},
		{"its update", "enter 0", func(ctx context.Context) error { return c.UpdateCheckRun(ctx, repo, check, github.CheckOutput{}) }},
		{"a reply", "enter 1", func(ctx context.Context) error {
			_, err := c.Reply(ctx, repo, number, w.ReviewComments(repo, number)[0].ID, "b")
			return err
		}},
		{"a question in GraphQL", "enter 0", func(ctx context.Context) error { _, err := c.ReviewThreads(ctx, repo, number); return err }},
	} {
		gate.log = nil
		if err := step.do(t.Context()); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if got := strings.Join(gate.log, ", "); got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
}

// TestGateKeepsOut: what is not let through is not sent.
func TestGateKeepsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": "x\n"})
	w.pull(t, number)
	before := len(w.Requests())
	ended, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for name, c := range map[string]struct {
		gate *turnstile
		ctx  context.Context
		kind github.Kind
		wait time.Duration
	}{
		"a wait":         {&turnstile{wait: 90 * time.Second}, t.Context(), github.RateLimited, 90 * time.Second},
		"no database":    {&turnstile{err: errors.New("refused")}, t.Context(), github.Unavailable, 0},
		"the time is up": {&turnstile{err: errors.New("refused")}, ended, github.Unavailable, 0},
	} {
		for op, call := range w.ops(w.client.Behind(c.gate), number, head, 1) {
			err := call(c.ctx)
			var e *github.Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.RetryAfter != c.wait || e.Ambiguous() || e.Gone() {
				t.Errorf("%s, %s: %v", name, op, err)
			}
		}
	}
	if n := len(w.Requests()) - before; n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestGateIsToldOfLimits: as GitHub told them, or that it did not tell; the wait is the gate's.
func TestGateIsToldOfLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, _ := w.open(t, map[string]string{"main.go": "x\n"})
	w.pull(t, number)
	for told, want := range map[string]string{"17": "17s", "": "0s", "-1": "0s", "soon": "0s", "7200": "1h0m0s"} {
		gate := &turnstile{}
		armed := w.Inject(githubtest.Fault{Route: pullRoute, Status: 429, RetryAfter: told})
		_, err := w.client.Behind(gate).Forge(repo, number, "").Look(t.Context())
		armed.Disarm()
		var e *github.Error
		if !errors.As(err, &e) || e.Kind != github.RateLimited || e.RetryAfter < 7*time.Minute {
			t.Errorf("%q: %v", told, err)
		}
		if !slices.Equal(gate.log, []string{"enter 0", "limited " + want}) {
			t.Errorf("%q: the gate was told %v", told, gate.log)
		}
	}
}

// TestRenamedRepository: who has the old name reads and writes all the same.
func TestRenamedRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": "x\n"})
	if err := w.RenameRepository(repo, "acme/gadgets"); err != nil {
		t.Fatal(err)
	}
	f := w.client.Forge(repo, number, "openrabbit[bot]")
	if now, err := f.Look(t.Context()); err != nil || now.Head != head {
		t.Errorf("%+v, %v", now, err)
	}
	id, err := f.Draft(t.Context(), head, "body", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Submit(t.Context(), id); err != nil {
		t.Error(err)
	}
	if own, err := f.Own(t.Context()); err != nil || len(own) != 1 || own[0].Pending {
		t.Errorf("%+v, %v", own, err)
	}
	if _, err := w.client.CreateComment(t.Context(), repo, number, "hello"); err != nil {
		t.Error(err)
	}
	w.RemoveRepository("acme/gadgets")
	if _, err := f.Look(t.Context()); github.KindOf(err) != github.NotFound {
		t.Errorf("removed: %v", err)
	}
}

// TestListingsThatChange: everything is found once, however GitHub cuts its pages.
func TestListingsThatChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": lines("other", 20)})
	f := w.client.Forge(repo, number, "openrabbit[bot]")
	for i := range 7 {
		id, err := f.Draft(t.Context(), head, fmt.Sprint(i), []post.Comment{{Anchor: diff.Anchor{Path: "main.go", Side: diff.New, Start: i + 1, End: i + 1}, Body: "b"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Submit(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if _, err := w.client.CreateComment(t.Context(), repo, number, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for name, paging := range map[string]githubtest.Paging{
		"small": {Size: 2}, "repeating": {Size: 3, Repeat: true}, "a gap": {Size: 2, Gap: true}, "all of it": {Size: 2, Repeat: true, Gap: true, Stride: 5},
	} {
		w.SetPaging(paging)
		own, err := f.Own(t.Context())
		bodies := ""
		for _, o := range own {
			bodies += o.Body
		}
		comments, cerr := w.client.ReviewComments(t.Context(), repo, number)
		lines := map[int64]bool{}
		for _, c := range comments {
			lines[c.ID] = true
		}
		said, serr := w.client.OwnComments(t.Context(), repo, number, func(string) bool { return true })
		if err := errors.Join(err, cerr, serr); err != nil || bodies != "0123456" || len(comments) != 7 || len(lines) != 7 || len(said) != 7 {
			t.Errorf("%s: reviews %q, %d comments of %d, %d in the conversation, %v", name, bodies, len(lines), len(comments), len(said), err)
		}
	}
}

// TestAHundredMegabytes: a body beyond the cap is not read to its end.
func TestAHundredMegabytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": "x\n"})
	w.pull(t, number)
	for op, kind := range map[string]github.Kind{"read": github.TooLarge, "draft": github.Ambiguous} {
		armed := w.Inject(githubtest.Fault{BodyBytes: 100 << 20})
		if err := w.ops(w.client, number, head, 1)[op](t.Context()); github.KindOf(err) != kind {
			t.Errorf("%s: %v", op, err)
		}
		if armed.Disarm(); armed.Landed() != 1 {
			t.Errorf("%s: landed %d times", op, armed.Landed())
		}
	}
}
