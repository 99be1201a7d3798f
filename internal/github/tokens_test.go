package github_test

import (
	"sync"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
)

func TestTokenIsCached(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, _ := w.open(t, map[string]string{"main.go": "x\n"})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := w.app.Installation(installation).PullRequest(t.Context(), repo, number); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.Count(tokenRoute); n != 1 {
		t.Errorf("%d tokens for one installation, want 1", n)
	}
}

func TestTokenIsRenewedBeforeItEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{TokenLifetime: 50 * time.Second}) // less than the minute that we keep back
	number, _ := w.open(t, map[string]string{"main.go": "x\n"})
	for range 3 {
		if _, err := w.client.Forge(repo, number, "x").Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Count(tokenRoute); n != 3 {
		t.Errorf("%d tokens, want 3", n)
	}
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": "x\n"})
	f := w.client.Forge(repo, number, "openrabbit[bot]")
	if _, err := f.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.RevokeTokens()
	if _, err := f.Look(t.Context()); err != nil {
		t.Errorf("a read with a revoked token: %v", err)
	}
	if n := w.Count(tokenRoute); n != 2 {
		t.Errorf("%d tokens, want 2", n)
	}
	// A write is not replayed, but the next one has a new token.
	w.RevokeTokens()
	_, err := f.Draft(t.Context(), head, "body", nil)
	wantKind(t, err, github.Unauthorized)
	if n := w.Count(reviewsRoute); n != 1 {
		t.Errorf("%d drafts were sent, want 1", n)
	}
	if _, err := f.Draft(t.Context(), head, "body", nil); err != nil {
		t.Error(err)
	}
	// A server that refuses every token is asked twice, not for ever.
	w.Inject(githubtest.Fault{Route: pullRoute, Status: 401})
	before := w.Count(pullRoute)
	_, err = f.Look(t.Context())
	wantKind(t, err, github.Unauthorized)
	if n := w.Count(pullRoute) - before; n != 2 {
		t.Errorf("%d reads, want 2", n)
	}
}

func TestSuspendedAndRemovedInstallations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, _ := w.open(t, map[string]string{"main.go": "x\n"})
	f := w.client.Forge(repo, number, "openrabbit[bot]")
	if _, err := f.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Suspend(installation, true)
	_, err := f.Look(t.Context())
	wantKind(t, err, github.Forbidden)
	_, err = newApp(t, w.Server, nil, time.Second).Installation(installation).Forge(repo, number, "x").Look(t.Context())
	wantKind(t, err, github.Forbidden)
	w.Suspend(installation, false)
	w.Uninstall(installation)
	_, err = f.Look(t.Context())
	wantKind(t, err, github.NotFound)
}

func TestBadTokenAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, _ := w.open(t, map[string]string{"main.go": "x\n"})
	for _, body := range []string{"null", "{}", "[]", "", `{"token":"x"}`, "<html>"} {
		armed := w.Inject(githubtest.Fault{Route: tokenRoute, Status: 201, Body: body + " ", Times: 1})
		_, err := w.client.Forge(repo, number, "x").Look(t.Context())
		if github.KindOf(err) != github.Unavailable || armed.Landed() != 1 {
			t.Errorf("%q: %v", body, err)
		}
	}
	if _, err := w.client.Forge(repo, number, "x").Look(t.Context()); err != nil {
		t.Error(err)
	}
}
