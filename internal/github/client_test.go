package github_test

import (
	"errors"
	"testing"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
)

func TestPullRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": lines("line", 21), "new.go": "package new\n"})
	pr := w.pull(t, number)
	if pr.Title != "Change widgets" || pr.Body != "Because." || pr.Author != "octocat" || pr.AuthorIsBot || !pr.Open || pr.Merged || pr.Draft || pr.FromFork {
		t.Errorf("pull request = %+v", pr)
	}
	if pr.Head != head || pr.HeadRef != "change-1" || pr.BaseRef != "main" || pr.RepositoryID != 10 || pr.NodeID == "" || pr.UpdatedAt.IsZero() {
		t.Errorf("pull request = %+v", pr)
	}
	if pr.MergeBase != pr.Base || len(pr.Labels) != 1 || pr.Labels[0] != "bug" || pr.ChangedFiles != 2 || pr.Additions != 2 || pr.Deletions != 0 {
		t.Errorf("pull request = %+v", pr)
	}
	// The base branch goes on: the merge base stays until the next push.
	if _, err := w.PushBase(repo, githubtest.With(base(), map[string]string{"other.go": "package other\n"})); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Push(repo, number, githubtest.With(base(), map[string]string{"main.go": "x\n"})); err != nil {
		t.Fatal(err)
	}
	again := w.pull(t, number)
	if again.Head == head || again.Base == pr.Base || again.MergeBase != pr.Base {
		t.Errorf("after pushes: %+v", again)
	}
	if err := w.ClosePullRequest(repo, number, true); err != nil {
		t.Fatal(err)
	}
	if pr := w.pull(t, number); pr.Open || !pr.Merged {
		t.Errorf("after the merge: %+v", pr)
	}
}

func TestPullRequestOfBotsAndForks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, _, err := w.OpenPullRequest(repo, githubtest.PullRequestSpec{
		Title: "Bump", Author: "updates[bot]", Draft: true, Fork: true, Head: githubtest.With(base(), map[string]string{"go.mod": "module x\n"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if pr := w.pull(t, number); !pr.AuthorIsBot || !pr.Draft || !pr.FromFork || pr.Body != "" {
		t.Errorf("pull request = %+v", pr)
	}
}

func TestThingsThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	if _, err := w.AddRepository("other/secret", 11, 8, base()); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"number": func() error { _, err := w.client.PullRequest(t.Context(), repo, 99); return err },
		"another installation's": func() error {
			_, err := w.client.File(t.Context(), "other/secret", "nosuchsha", "x")
			return nilIs(err)
		},
		"commit":           func() error { _, err := w.client.MergeBase(t.Context(), repo, "main", "0123456789"); return err },
		"commit of a file": func() error { _, err := w.client.File(t.Context(), repo, "0123456789", "x"); return err },
		"installation":     func() error { _, err := w.app.Installation(99).PullRequest(t.Context(), repo, 1); return err },
		"commit of an archive": func() error {
			_, err := w.client.EachFile(t.Context(), repo, "012345", github.ArchiveLimits{}, nil)
			return err
		},
		"comment that is edited":  func() error { return w.client.EditComment(t.Context(), repo, 99, "x") },
		"check run that is ended": func() error { return w.client.UpdateCheckRun(t.Context(), repo, 99, github.CheckOutput{Title: "x"}) },
	} {
		err := call()
		if github.KindOf(err) != github.NotFound {
			t.Errorf("%s: %v, want not found", name, err)
			continue
		}
		var e *github.Error
		if errors.As(err, &e); !e.Gone() || e.Refused() || e.Ambiguous() {
			t.Errorf("%s: gone %v, refused %v, ambiguous %v", name, e.Gone(), e.Refused(), e.Ambiguous())
		}
	}
}

// nilIs makes a not-found error of the absence of a file, which is no error.
func nilIs(err error) error {
	if err == nil {
		return &github.Error{Kind: github.NotFound}
	}
	return err
}

func TestRepositoryNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	for _, name := range []string{"", "acme", "acme/", "/widgets", "acme/..", "acme/.", "acme/a/b", "acme/a?b", "../x", "acme/%2e%2e", "a b/c"} {
		_, err := w.client.PullRequest(t.Context(), name, 1)
		if github.KindOf(err) != github.Invalid {
			t.Errorf("%q: %v, want invalid", name, err)
		}
	}
	if n := len(w.Requests()); n != 0 {
		t.Errorf("%d requests for names that cannot be", n)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{Slug: "my-rabbit"})
	for range 2 {
		slug, login, err := w.app.Identity(t.Context())
		if err != nil || slug != "my-rabbit" || login != "my-rabbit[bot]" {
			t.Fatalf("identity = %q, %q, %v", slug, login, err)
		}
	}
	if n := w.Count("GET /app"); n != 1 {
		t.Errorf("%d calls for the identity, want 1", n)
	}
}

func TestTokenClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, _ := w.open(t, map[string]string{"main.go": "x\n"})
	c, err := github.NewTokenClient(config.NewSecret(w.AddUserToken("octocat")), w.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	if login, err := c.Login(t.Context()); err != nil || login != "octocat" {
		t.Errorf("login = %q, %v", login, err)
	}
	if _, err := c.PullRequest(t.Context(), repo, number); err != nil {
		t.Error(err)
	}
	bad, err := github.NewTokenClient(config.NewSecret("nonsense"), w.URL)
	if err != nil {
		t.Fatal(err)
	}
	before := len(w.Requests())
	_, err = bad.PullRequest(t.Context(), repo, number)
	wantKind(t, err, github.Unauthorized)
	if n := len(w.Requests()) - before; n != 1 {
		t.Errorf("%d requests with a bad token that nothing can renew, want 1", n)
	}
	if _, err := github.NewTokenClient(config.Secret{}, ""); err == nil {
		t.Error("a client without a token was made")
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"github.com", "ftp://x/", "https://", "https://user@x/", "https://x/?a=b", "https://x/#f", "://", "file:///etc"} {
		if _, err := github.NewTokenClient(config.NewSecret("x"), u); err == nil {
			t.Errorf("%q was taken for the API's URL", u)
		}
	}
	if _, err := github.NewApp(github.AppConfig{AppID: 1, PrivateKey: config.NewSecret("no key")}, nil); err == nil {
		t.Error("an App without a key was made")
	}
	if _, err := github.NewApp(github.AppConfig{PrivateKey: config.NewSecret("no key")}, nil); err == nil {
		t.Error("an App without a number was made")
	}
}
