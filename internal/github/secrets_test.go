package github_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/github/githubtest/fixture"
)

// TestNoSecretInErrorsAndLogs has a server that puts the caller's credential into all it says.
func TestNoSecretInErrorsAndLogs(t *testing.T) {
	t.Parallel()
	const canary = "canary0123456789abcdef"
	const kept = "ghs_AnotherCanary0123456789"
	var heard atomic.Int64
	for _, status := range []int{200, 301, 307, 400, 401, 403, 404, 422, 429, 500, 502} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			auth := r.Header.Get("Authorization")
			if strings.Contains(auth, canary) {
				heard.Add(1)
			}
			w.Header().Set("Location", "https://elsewhere.invalid/?token="+canary)
			w.Header().Set("X-RateLimit-Resource", auth)
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"message":"you sent %s and %s to http://u:%s@x/?access_token=%s", "errors":["%s", {"message":"%s"}, {"field":"%s"}]}`,
				auth, kept, canary, canary, auth, kept, canary)
		}))
		c, err := github.NewTokenClient(config.NewSecret(canary), server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, pr := c.PullRequest(t.Context(), repo, 1)
		_, comment := c.CreateComment(t.Context(), repo, 1, "x")
		_, archive := c.EachFile(t.Context(), repo, "main", github.ArchiveLimits{}, func(string, []byte) error { return nil })
		server.Close()
		for _, err := range []error{pr, comment, archive} {
			text := fmt.Sprintf("%v %+v %q %s", err, err, err, slog.AnyValue(err))
			if err == nil || strings.Contains(text, canary) || strings.Contains(text, kept) {
				t.Errorf("%d: %s", status, text)
			}
		}
	}
	if heard.Load() == 0 {
		t.Error("the server heard no credential: the test tests nothing")
	}
}

func TestNoSecretInLogs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w := joined(t, fixture.New(t, githubtest.Options{}), log)
	number, _ := w.open(t, map[string]string{"main.go": "secret words of the source\n"})
	pr := w.pull(t, number)
	if _, err := w.client.Diff(t.Context(), repo, number, pr); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.CreateComment(t.Context(), repo, number, "secret words of a comment"); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if !strings.Contains(text, "github call") || !strings.Contains(text, "status=200") {
		t.Fatalf("no calls in the log: %s", text)
	}
	for _, secret := range []string{"ghs_", "eyJ", "Bearer", "PRIVATE KEY", "secret words"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q in the log", secret)
		}
	}
}

// TestCredentialsStayHome has the API point to another host in every way, and that host listen.
func TestCredentialsStayHome(t *testing.T) {
	t.Parallel()
	var visits atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits.Add(1)
		t.Errorf("%s %s came with %q", r.Method, r.URL, r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"main.go": "x\n"})
	port := elsewhere.URL[strings.LastIndex(elsewhere.URL, ":"):]
	host := strings.TrimPrefix(w.URL, "http://")
	for _, to := range []string{
		elsewhere.URL, "http://localhost" + port + "/", "//127.0.0.1" + port, "http://" + host + "@127.0.0.1" + port + "/",
		"http://127.0.0.1" + port + "/?" + host, "http://127.0.0.1" + port + "/#" + host, "https://" + host + "/",
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			armed := w.Inject(githubtest.Fault{Status: status, Header: map[string]string{"Location": to}})
			for op, call := range w.ops(w.client, number, head, 1) {
				if err := call(t.Context()); err == nil {
					t.Errorf("%s was led to %s by %d", op, to, status)
				}
			}
			if _, err := w.client.EachFile(t.Context(), repo, head, github.ArchiveLimits{}, func(string, []byte) error { return nil }); err == nil {
				t.Errorf("an archive came from %s", to)
			}
			armed.Disarm()
			if armed.Landed() == 0 {
				t.Errorf("%d to %s did not land", status, to)
			}
		}
	}
	if visits.Load() != 0 {
		t.Errorf("%d visits elsewhere", visits.Load())
	}
	// A moved repository stays on the host, and a read follows it.
	w.Inject(githubtest.Fault{Route: "GET /repos/{owner}/{repo}/pulls/{pull_number}", Times: 1, Status: 301, Header: map[string]string{"Location": w.URL + "/repos/acme/widgets/pulls/1"}})
	if _, err := newApp(t, w.Server, nil, 5*time.Second).Installation(installation).Forge(repo, 1, "x").Look(t.Context()); err != nil {
		t.Errorf("a redirect on the same host: %v", err)
	}
}
