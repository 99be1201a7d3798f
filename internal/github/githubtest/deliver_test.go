package githubtest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	gh "github.com/google/go-github/v62/github"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
)

// hook is what a receiver got.
type hook struct {
	header http.Header
	body   []byte
}

// receiver takes deliveries and answers with a status.
func receiver(t *testing.T, status int) (url string, got chan hook) {
	t.Helper()
	got = make(chan hook, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- hook{r.Header, body}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/webhooks/github", got
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	url, got := receiver(t, http.StatusAccepted)
	payload, err := s.PullRequestEvent(repo, 1, "opened", nil)
	if err != nil {
		t.Fatal(err)
	}
	status, guid, err := s.Deliver(t.Context(), url, githubtest.Delivery{Event: "pull_request", Payload: payload})
	if err != nil || status != http.StatusAccepted {
		t.Fatalf("%d, %v", status, err)
	}
	h := <-got
	if err := gh.ValidateSignature(h.header.Get("X-Hub-Signature-256"), h.body, []byte(s.WebhookSecret)); err != nil {
		t.Error(err)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(guid) || h.header.Get("X-GitHub-Delivery") != guid {
		t.Errorf("guid %q, header %q", guid, h.header.Get("X-GitHub-Delivery"))
	}
	if h.header.Get("X-GitHub-Event") != "pull_request" || h.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v", h.header)
	}
	if _, _, err := s.Deliver(t.Context(), "http://127.0.0.1:1/", githubtest.Delivery{Event: "ping", Payload: []byte("{}")}); err == nil {
		t.Error("delivered to nobody")
	}
}

func TestRedelivery(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	url, got := receiver(t, http.StatusServiceUnavailable)
	payload, err := s.PullRequestEvent(repo, 1, "opened", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, _, err := s.Deliver(t.Context(), url, githubtest.Delivery{GUID: fmt.Sprint("guid-", i), Event: "pull_request", Payload: payload}); err != nil {
			t.Fatal(err)
		}
		<-got
	}
	app := appJWT(t, s, nil)
	first := send(t, s, app, "GET", "/app/hook/deliveries?per_page=2", "", "")
	list := first.list(t)
	if len(list) != 2 || list[0]["guid"] != "guid-2" || list[0]["status_code"] != 503.0 || list[0]["action"] != "opened" || list[0]["repository_id"] != 10.0 || list[0]["installation_id"] != 7.0 {
		t.Fatalf("%v", list)
	}
	next := strings.TrimSuffix(strings.TrimPrefix(first.header.Get("Link"), "<"+s.URL), `>; rel="next"`)
	rest := send(t, s, app, "GET", next, "", "").list(t)
	if len(rest) != 1 || rest[0]["guid"] != "guid-0" || rest[0]["redelivery"] != false {
		t.Fatalf("%s: %v", next, rest)
	}
	if a := send(t, s, app, "POST", fmt.Sprintf("/app/hook/deliveries/%.0f/attempts", rest[0]["id"]), "", ""); a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if h := <-got; h.header.Get("X-GitHub-Delivery") != "guid-0" {
		t.Errorf("%v", h.header)
	}
	if list := send(t, s, app, "GET", "/app/hook/deliveries", "", "").list(t); len(list) != 4 || list[0]["redelivery"] != true {
		t.Errorf("%v", list)
	}
}

// TestPayloads reads every payload the way a receiver does.
func TestPayloads(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	before := send(t, s, token(t, s, "7"), "GET", "/repos/acme/widgets/git/trees/change-1", "", "")
	if before.status != 200 {
		t.Fatal(before.body)
	}
	if _, err := s.Push(repo, 1, map[string]string{"main.go": "x\n"}); err != nil {
		t.Fatal(err)
	}
	pull := func(action string) *gh.PullRequestEvent {
		payload, err := s.PullRequestEvent(repo, 1, action, nil)
		if err != nil {
			t.Fatal(err)
		}
		e, ok := parsed(t, "pull_request", payload).(*gh.PullRequestEvent)
		if !ok {
			t.Fatal("no pull_request event")
		}
		return e
	}
	for _, action := range []string{"opened", "synchronize", "reopened", "ready_for_review", "converted_to_draft", "closed"} {
		e := pull(action)
		pr := e.GetPullRequest()
		if e.GetAction() != action || e.GetNumber() != 1 || e.GetInstallation().GetID() != 7 || e.GetRepo().GetFullName() != repo || e.GetRepo().GetID() != 10 ||
			e.GetSender().GetLogin() != "octocat" || pr.GetHead().GetSHA() == "" || pr.GetBase().GetRef() != "main" || pr.GetUpdatedAt().IsZero() ||
			e.GetRepo().GetDefaultBranch() != "main" || pr.GetState() != "open" {
			t.Errorf("%s: %+v", action, e)
		}
		if action == "synchronize" && (e.GetBefore() == "" || e.GetAfter() != pr.GetHead().GetSHA()) {
			t.Errorf("%s: from %q to %q", action, e.GetBefore(), e.GetAfter())
		}
	}
	old := send(t, s, token(t, s, "7"), "GET", "/repos/acme/widgets/compare/main...main", "", "").object(t)["base_commit"].(map[string]any)["sha"].(string)
	head, err := s.PushBase(repo, map[string]string{"a": "b"})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := s.PushEvent(repo, old, head)
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := parsed(t, "push", payload).(*gh.PushEvent); !ok || e.GetRef() != "refs/heads/main" || e.GetAfter() != head || e.GetBefore() != old || e.GetRepo().GetDefaultBranch() != "main" || e.GetInstallation().GetID() != 7 {
		t.Errorf("push: %+v", payload)
	}
	id, err := s.Comment(repo, 1, "somebody", "@openrabbit review")
	if err != nil {
		t.Fatal(err)
	}
	if payload, err = s.IssueCommentEvent(repo, 1, id, "created"); err != nil {
		t.Fatal(err)
	}
	if e, ok := parsed(t, "issue_comment", payload).(*gh.IssueCommentEvent); !ok || !e.GetIssue().IsPullRequest() || e.GetComment().GetBody() != "@openrabbit review" || e.GetSender().GetLogin() != "somebody" {
		t.Errorf("issue_comment: %+v", payload)
	}
	if payload, err = s.InstallationEvent(7, "created"); err != nil {
		t.Fatal(err)
	}
	if e, ok := parsed(t, "installation", payload).(*gh.InstallationEvent); !ok || e.GetInstallation().GetID() != 7 || len(e.Repositories) != 1 {
		t.Errorf("installation: %+v", payload)
	}
	now := send(t, s, token(t, s, "7"), "GET", "/repos/acme/widgets/pulls/1", "", "").object(t)["head"].(map[string]any)["sha"].(string)
	run := send(t, s, token(t, s, "7"), "POST", "/repos/acme/widgets/check-runs", `{"name":"OpenRabbit","head_sha":"`+now+`","external_id":"r"}`, "").object(t)
	if payload, err = s.CheckRunEvent(repo, int64(run["id"].(float64)), "rerequested", "somebody"); err != nil {
		t.Fatal(err)
	}
	if e, ok := parsed(t, "check_run", payload).(*gh.CheckRunEvent); !ok || e.GetCheckRun().GetExternalID() != "r" || len(e.GetCheckRun().PullRequests) != 1 || e.GetCheckRun().GetApp().GetID() != s.AppID {
		t.Errorf("check_run: %+v", payload)
	}
	if e, ok := parsed(t, "ping", s.PingEvent()).(*gh.PingEvent); !ok || e.GetHookID() != 1 {
		t.Error("ping")
	}
}

func parsed(t *testing.T, event string, payload any) any {
	t.Helper()
	body, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	v, err := gh.ParseWebHook(event, body)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
