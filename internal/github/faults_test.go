package github_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
)

// ops are one read and every write, on a pull request that has a pending review.
func (w world) ops(c *github.Client, number int, head string, pending int64) map[string]func(context.Context) error {
	f := c.Forge(repo, number, "openrabbit[bot]")
	return map[string]func(context.Context) error{
		"read":   func(ctx context.Context) error { _, err := f.Look(ctx); return err },
		"submit": func(ctx context.Context) error { return f.Submit(ctx, pending) },
		"draft":  func(ctx context.Context) error { _, err := f.Draft(ctx, head, "body", nil); return err },
		"delete": func(ctx context.Context) error { return f.Discard(ctx, pending) },
		"comment": func(ctx context.Context) error {
			_, err := c.CreateComment(ctx, repo, number, "hello")
			return err
		},
		"check run": func(ctx context.Context) error {
			_, err := c.CreateCheckRun(ctx, repo, head, "id", "title", "summary")
			return err
		},
	}
}

func TestKindsOfAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": "x\n"})
	pending, err := w.AddReview(repo, number, githubtest.Review{Author: "openrabbit[bot]", State: "PENDING", Body: "b"})
	if err != nil {
		t.Fatal(err)
	}
	w.pull(t, number) // so that the token is there
	limited := map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Resource": "core"}
	for name, c := range map[string]struct {
		fault       githubtest.Fault
		read, write github.Kind
	}{
		"403":                     {githubtest.Fault{Status: 403}, github.Forbidden, github.Forbidden},
		"403 without remaining":   {githubtest.Fault{Status: 403, Header: limited}, github.RateLimited, github.RateLimited},
		"403 with Retry-After":    {githubtest.Fault{Status: 403, RetryAfter: "9"}, github.RateLimited, github.RateLimited},
		"403 by its words":        {githubtest.Fault{Status: 403, Body: `{"message":"You have exceeded a secondary rate limit."}`}, github.RateLimited, github.RateLimited},
		"404":                     {githubtest.Fault{Status: 404}, github.NotFound, github.NotFound},
		"410":                     {githubtest.Fault{Status: 410}, github.NotFound, github.NotFound},
		"422":                     {githubtest.Fault{Status: 422}, github.Invalid, github.Invalid},
		"400":                     {githubtest.Fault{Status: 400}, github.Invalid, github.Invalid},
		"429":                     {githubtest.Fault{Status: 429}, github.RateLimited, github.RateLimited},
		"451":                     {githubtest.Fault{Status: 451}, github.Forbidden, github.Forbidden},
		"500":                     {githubtest.Fault{Status: 500}, github.Unavailable, github.Ambiguous},
		"502 in HTML":             {githubtest.Fault{Status: 502, Body: "<html>Unicorn!</html>"}, github.Unavailable, github.Ambiguous},
		"reset":                   {githubtest.Fault{Reset: true}, github.Unavailable, github.Ambiguous},
		"HTML with 200":           {githubtest.Fault{Status: 200, Body: "<html>Unicorn!</html>"}, github.Unavailable, github.Ambiguous},
		"nothing with 200":        {githubtest.Fault{Status: 200, Body: "{}"}, github.Unavailable, github.Ambiguous},
		"half an answer":          {githubtest.Fault{Status: 200, Body: `{"id": 1, "head": {"sha"`}, github.Unavailable, github.Ambiguous},
		"9 MiB with 200":          {githubtest.Fault{Status: 200, Body: `{"body": "` + strings.Repeat("x", 9<<20) + `"}`}, github.TooLarge, github.Ambiguous},
		"a redirect of a write":   {githubtest.Fault{Status: 302, Header: map[string]string{"Location": w.URL + "/user"}}, github.Forbidden, github.Unavailable},
		"a redirect to elsewhere": {githubtest.Fault{Status: 307, Header: map[string]string{"Location": "http://localhost:1/"}}, github.Unavailable, github.Unavailable},
		"a circle":                {githubtest.Fault{Status: 307, Header: map[string]string{"Location": "/repos/acme/widgets/pulls/1"}}, github.Unavailable, github.Unavailable},
	} {
		for op, call := range w.ops(w.client, number, head, pending) {
			want, route := c.write, "POST"
			switch op {
			case "read":
				want, route = c.read, "GET"
			case "delete":
				route = "DELETE"
			}
			if name == "a circle" && op != "read" || name == "a redirect of a write" && op == "read" {
				continue
			}
			if name == "9 MiB with 200" && op != "read" && op != "draft" {
				continue // it takes long
			}
			c.fault.Route = route
			armed := w.Inject(c.fault)
			before := len(w.Requests())
			err := call(t.Context())
			armed.Disarm()
			if op == "delete" && (want == github.NotFound || name == "nothing with 200") {
				continue // to be gone is what a deletion is for; its answer is not looked at
			}
			if got := github.KindOf(err); got != want {
				t.Errorf("%s, %s: %v is %q, want %q", name, op, err, got, want)
			}
			if armed.Landed() == 0 {
				t.Errorf("%s, %s: the fault did not land", name, op)
			}
			// net/http itself repeats a read on a connection that was reset while idle. Never a write.
			if n := len(w.Requests()) - before; n != 1 && name != "a circle" && (name != "reset" || op != "read") {
				t.Errorf("%s, %s: %d requests, want 1", name, op, n)
			}
		}
	}
}

// TestAmbiguousWrites has GitHub carry the write out and hide it.
func TestAmbiguousWrites(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]githubtest.Fault{
		"502":          {When: githubtest.AfterCommit, Status: 502},
		"reset":        {When: githubtest.AfterCommit, Reset: true},
		"no answer":    {When: githubtest.AfterCommit, Hang: true},
		"no body":      {When: githubtest.AfterCommit, CutBody: 1},
		"half a body":  {When: githubtest.AfterCommit, CutBody: 60},
		"applied late": {When: githubtest.Later, ApplyAfter: 10 * time.Millisecond, Status: 504},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, githubtest.Options{})
			number, head := w.open(t, map[string]string{"main.go": "x\n"})
			w.pull(t, number)
			impatient := newApp(t, w.Server, nil, 300*time.Millisecond).Installation(installation)
			f := impatient.Forge(repo, number, "openrabbit[bot]")
			if _, err := f.Own(t.Context()); err != nil { // a token, before the fault
				t.Fatal(err)
			}
			fault.Times = 1
			fault.Route = reviewsRoute
			draft := w.Inject(fault)
			_, err := f.Draft(t.Context(), head, "body", nil)
			wantKind(t, err, github.Ambiguous)
			if e := (*github.Error)(nil); !errors.As(err, &e) || !e.Ambiguous() || e.Refused() || e.Gone() {
				t.Errorf("%v: ambiguous %v, refused %v, gone %v", err, e.Ambiguous(), e.Refused(), e.Gone())
			}
			if name == "no answer" && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v does not say that time ran out", err)
			}
			own := eventually(t, func() (int64, bool) {
				all, err := f.Own(t.Context())
				if err != nil || len(all) != 1 || !all[0].Pending {
					return 0, false
				}
				return all[0].ID, true
			})
			fault.Route = eventsRoute
			submit := w.Inject(fault)
			err = f.Submit(t.Context(), own)
			wantKind(t, err, github.Ambiguous)
			eventually(t, func() (int64, bool) {
				all, err := f.Own(t.Context())
				return 0, err == nil && len(all) == 1 && !all[0].Pending
			})
			if draft.Landed() != 1 || submit.Landed() != 1 || w.Count(reviewsRoute) != 1 || w.Count(eventsRoute) != 1 {
				t.Errorf("landed %d and %d; %d drafts and %d submits were sent", draft.Landed(), submit.Landed(), w.Count(reviewsRoute), w.Count(eventsRoute))
			}
		})
	}
}

// eventually asks until there is an answer.
func eventually[T any](t *testing.T, ask func() (T, bool)) T {
	t.Helper()
	deadline := time.After(5 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if v, ok := ask(); ok {
			return v
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it did not come about")
		}
	}
}

func TestWritesThatWereNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": "x\n"})
	f := w.client.Forge(repo, number, "openrabbit[bot]")
	if _, err := f.Own(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Draft(ctx, head, "body", nil)
	wantKind(t, err, github.Unavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not say that it was cancelled", err)
	}
	// No token: the write itself was never sent, whatever became of the request for the token.
	fresh := newApp(t, w.Server, nil, time.Second).Installation(installation).Forge(repo, number, "openrabbit[bot]")
	w.Inject(githubtest.Fault{Route: tokenRoute, Status: 502, Times: 1, When: githubtest.AfterCommit})
	_, err = fresh.Draft(t.Context(), head, "body", nil)
	wantKind(t, err, github.Unavailable)
	if n := w.Count(reviewsRoute); n != 0 {
		t.Errorf("%d reviews were sent", n)
	}
	w.Close() // nobody listens any more
	w.client = newApp(t, w.Server, nil, time.Second).Installation(installation)
	for op, call := range w.ops(w.client, number, head, 1) {
		if err := call(t.Context()); github.KindOf(err) != github.Unavailable {
			t.Errorf("%s: %v, want unavailable", op, err)
		}
	}
	user, err := github.NewTokenClient(config.NewSecret("token"), w.URL)
	if err != nil {
		t.Fatal(err)
	}
	for op, call := range w.ops(user, number, head, 1) {
		if err := call(t.Context()); github.KindOf(err) != github.Unavailable {
			t.Errorf("%s of a user: %v, want unavailable", op, err)
		}
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, _ := w.open(t, map[string]string{"main.go": "x\n"})
	w.pull(t, number)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	date := now.Format(http.TimeFormat)
	for name, c := range map[string]struct {
		retryAfter string
		header     map[string]string
		want       time.Duration
		resource   string
	}{
		"seconds":                {"17", nil, 17 * time.Second, "secondary"},
		"nothing":                {"", nil, time.Minute, "secondary"},
		"zero":                   {"0", nil, time.Second, "secondary"},
		"negative":               {"-1", nil, time.Minute, "secondary"},
		"garbage":                {"soon", nil, time.Minute, "secondary"},
		"an hour and more":       {"7200", nil, time.Hour, "secondary"},
		"absurd":                 {"99999999999999999999", nil, time.Minute, "secondary"},
		"a date":                 {now.Add(90 * time.Second).Format(http.TimeFormat), nil, 90 * time.Second, "secondary"},
		"a date gone by":         {now.Add(-time.Hour).Format(http.TimeFormat), nil, time.Second, "secondary"},
		"the reset":              {"", map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Resource": "core", "X-RateLimit-Reset": "1767323345"}, 301 * time.Second, "core"},
		"Retry-After over reset": {"5", map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Resource": "search", "X-RateLimit-Reset": "1767323345"}, 5 * time.Second, "search"},
		"a reset far away":       {"", map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9999999999"}, time.Hour, "core"},
		"a reset of another":     {"", map[string]string{"X-RateLimit-Remaining": "12", "X-RateLimit-Reset": "1767323345"}, time.Minute, "secondary"},
	} {
		header := map[string]string{"Date": date}
		for k, v := range c.header {
			header[k] = v
		}
		armed := w.Inject(githubtest.Fault{Route: pullRoute, Status: 429, RetryAfter: c.retryAfter, Header: header})
		began := time.Now()
		_, err := w.client.PullRequest(t.Context(), repo, number)
		armed.Disarm()
		var e *github.Error
		if !errors.As(err, &e) || e.Kind != github.RateLimited || e.Resource != c.resource {
			t.Errorf("%s: %v, resource %q", name, err, e.Resource)
			continue
		}
		if d, ok := e.RetryAfterHint(); !ok || d != c.want {
			t.Errorf("%s: retry after %s, want %s", name, d, c.want)
		}
		if time.Since(began) > time.Second {
			t.Errorf("%s: slept in the call", name)
		}
		if armed.Landed() != 1 {
			t.Errorf("%s: %d requests, want 1", name, armed.Landed())
		}
	}
}

func TestPrimaryLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{RateLimit: 4})
	if _, err := w.AddRepository("other/thing", 11, 8, base()); err != nil {
		t.Fatal(err)
	}
	number, _ := w.open(t, map[string]string{"main.go": "x\n"})
	var err error
	for range 10 {
		// A new client each time, as each piece of work takes one.
		if _, err = w.app.Installation(installation).Forge(repo, number, "x").Look(t.Context()); err != nil {
			break
		}
	}
	wantKind(t, err, github.RateLimited)
	if e := (*github.Error)(nil); !errors.As(err, &e) || e.Resource != "core" || e.RetryAfter <= 0 || e.RetryAfter > time.Hour {
		t.Errorf("%+v", err)
	}
	if _, err := w.app.Installation(8).File(t.Context(), "other/thing", "main", "main.go"); err != nil {
		t.Errorf("another installation: %v", err)
	}
	// One client that saw the last request used up does not ask again.
	c := w.app.Installation(8)
	before := 0
	for range 6 {
		_, err = c.File(t.Context(), "other/thing", "main", "main.go")
		if github.KindOf(err) == github.RateLimited {
			if before == 0 {
				before = len(w.Requests())
			}
		}
	}
	wantKind(t, err, github.RateLimited)
	if n := len(w.Requests()) - before; n > 1 {
		t.Errorf("%d requests inside the limit", n)
	}
}
