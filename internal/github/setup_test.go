package github_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/github/githubtest/fixture"
)

const (
	repo         = "acme/widgets"
	installation = 7
	reviewsRoute = "POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews"
	eventsRoute  = "POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}/events"
	pullRoute    = "GET /repos/{owner}/{repo}/pulls/{pull_number}"
	tokenRoute   = "POST /app/installations/{installation_id}/access_tokens"
)

// world is a stand-in with one repository and our App in it.
type world struct {
	*githubtest.Server
	app    *github.App
	client *github.Client
}

// base is the repository before any change; its file of twenty lines makes hunks with room around them.
func base() map[string]string {
	return map[string]string{
		"README.md": "# Widgets\n",
		"main.go":   lines("line", 20),
	}
}

// lines gives n numbered lines.
func lines(word string, n int) string {
	var b []byte
	for i := 1; i <= n; i++ {
		b = append(b, word...)
		b = append(b, ' ', byte('0'+i/10), byte('0'+i%10), '\n')
	}
	return string(b)
}

func newWorld(t *testing.T, o githubtest.Options) world {
	t.Helper()
	return joined(t, fixture.New(t, o), nil)
}

// joined adds the repository and the App to a stand-in.
func joined(t *testing.T, s *githubtest.Server, log *slog.Logger) world {
	t.Helper()
	if _, err := s.AddRepository(repo, 10, installation, base()); err != nil {
		t.Fatal(err)
	}
	app := newApp(t, s, log, 5*time.Second)
	return world{Server: s, app: app, client: app.Installation(installation)}
}

func newApp(t *testing.T, s *githubtest.Server, log *slog.Logger, timeout time.Duration) *github.App {
	t.Helper()
	app, err := github.NewApp(github.AppConfig{
		AppID: s.AppID, PrivateKey: config.NewSecret(s.PrivateKeyPEM()), APIURL: s.URL, Timeout: timeout,
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// open opens a pull request whose head is the base with changes.
func (w world) open(t *testing.T, changed map[string]string) (number int, head string) {
	t.Helper()
	number, head, err := w.OpenPullRequest(repo, githubtest.PullRequestSpec{
		Title: "Change widgets", Body: "Because.", Head: githubtest.With(base(), changed), Labels: []string{"bug"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return number, head
}

func (w world) pull(t *testing.T, number int) github.PullRequest {
	t.Helper()
	pr, err := w.client.PullRequest(t.Context(), repo, number)
	if err != nil {
		t.Fatal(err)
	}
	return pr
}

func wantKind(t *testing.T, err error, want github.Kind) {
	t.Helper()
	if got := github.KindOf(err); got != want {
		t.Fatalf("kind %q of error %v, want %q", got, err, want)
	}
}
