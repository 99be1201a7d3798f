package githubtest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
)

const (
	reviewsPath  = "/repos/acme/widgets/pulls/1/reviews"
	reviewsRoute = "POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews"
)

func TestALieIsTakenBack(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	key := token(t, s, "7")
	lies := s.Inject(githubtest.Fault{Route: "POST", Lie: true})
	for _, post := range [][2]string{
		{reviewsPath, `{"body":"b"}`}, {"/repos/acme/widgets/issues/1/comments", `{"body":"b"}`},
		{"/repos/acme/widgets/check-runs", `{"name":"n","head_sha":"` + head(t, s, key) + `"}`},
	} {
		if a := send(t, s, key, "POST", post[0], post[1], ""); a.status/100 != 2 || a.object(t)["id"] == nil {
			t.Errorf("%s: %d %s", post[0], a.status, a.body)
		}
	}
	if n := len(s.Reviews(repo, 1)) + len(s.IssueComments(repo, 1)) + len(s.CheckRuns(repo)); n != 0 || lies.Landed() != 3 {
		t.Errorf("%d things are there, %d lies", n, lies.Landed())
	}
	lies.Disarm()
	made := send(t, s, key, "POST", reviewsPath, `{"body":"b"}`, "").object(t)
	s.Inject(githubtest.Fault{Route: reviewsRoute + "/{review_id}/events", Lie: true})
	if a := send(t, s, key, "POST", fmt.Sprintf("%s/%.0f/events", reviewsPath, made["id"]), `{"event":"COMMENT"}`, ""); a.status != 200 || !strings.Contains(a.body, "COMMENTED") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if r := s.Reviews(repo, 1)[0]; r.State != "PENDING" {
		t.Errorf("the review is %s", r.State)
	}
}

func head(t *testing.T, s *githubtest.Server, key string) string {
	t.Helper()
	return send(t, s, key, "GET", "/repos/acme/widgets/pulls/1", "", "").object(t)["head"].(map[string]any)["sha"].(string)
}

func TestLaterIsByTheServersClock(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := start(t, githubtest.Options{Now: func() time.Time { return now }})
	key := token(t, s, "7")
	s.Inject(githubtest.Fault{Route: reviewsRoute, When: githubtest.Later, ApplyAfter: 20 * time.Second, Status: 502, Times: 1})
	send(t, s, key, "POST", reviewsPath, `{"body":"b"}`, "")
	now = now.Add(19 * time.Second)
	if s.Ripen(); len(s.Reviews(repo, 1)) != 0 {
		t.Error("applied too early")
	}
	now = now.Add(2 * time.Second)
	if n := len(send(t, s, key, "GET", reviewsPath, "", "").list(t)); n != 1 {
		t.Errorf("%d reviews when it was due", n)
	}
}

func TestContentIsCounted(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := start(t, githubtest.Options{Now: func() time.Time { return now }, ContentMinute: 6})
	key := token(t, s, "7")
	comment := func() int {
		return send(t, s, key, "POST", "/repos/acme/widgets/issues/1/comments", `{"body":"b"}`, "").status
	}
	review := `{"body":"b","event":"COMMENT","comments":[{"path":"main.go","line":4,"side":"RIGHT","body":"c"},{"path":"new.go","line":1,"side":"RIGHT","body":"c"}]}`
	if a := send(t, s, key, "POST", reviewsPath, review, ""); a.status != 200 {
		t.Fatal(a.body)
	}
	for i, want := range []int{201, 201, 201, 403} {
		if got := comment(); got != want {
			t.Errorf("comment %d: %d, want %d", i, got, want)
		}
	}
	now = now.Add(time.Minute)
	if got := comment(); got != 201 {
		t.Errorf("a minute later: %d", got)
	}
	if got, want := s.ContentSeen(7), (githubtest.Content{Minute: 4, MinuteUnits: 6, Hour: 5, HourUnits: 7}); got != want {
		t.Errorf("seen %+v, want %+v", got, want)
	}
}

func TestRestraint(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := start(t, githubtest.Options{Now: func() time.Time { return now }})
	if _, err := s.AddRepository("other/repo", 11, 8, files()); err != nil {
		t.Fatal(err)
	}
	key, other := token(t, s, "7"), token(t, s, "8")
	get := func(key string) int { return send(t, s, key, "GET", "/rate_limit", "", "").status }
	r := s.Restrain(7, time.Minute, githubtest.Fault{Status: 403, RetryAfter: "60"})
	if r.Landed() || get(other) != 200 {
		t.Error("it strikes another, or before anybody came")
	}
	if get(key) != 403 || r.Trespasses() != 0 || !r.Landed() {
		t.Error("the refusal that tells of it is no trespass")
	}
	now = now.Add(59 * time.Second)
	if get(key) != 403 || get(other) != 200 || r.Trespasses() != 1 {
		t.Errorf("%d trespasses", r.Trespasses())
	}
	now = now.Add(time.Second)
	if get(key) != 200 || r.Trespasses() != 1 {
		t.Errorf("%d trespasses", r.Trespasses())
	}
}

// TestListingsThatChange: what is listed is all there, however it is cut, for who follows the links.
func TestListingsThatChange(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	key := token(t, s, "7")
	for i := range 7 {
		if _, err := s.Comment(repo, 1, "octocat", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		paging githubtest.Paging
		pages  string
	}{
		"as asked":  {githubtest.Paging{}, "0123 456"},
		"small":     {githubtest.Paging{Size: 3}, "012 345 6"},
		"repeating": {githubtest.Paging{Size: 3, Repeat: true}, "012 2345 56"},
		"a gap":     {githubtest.Paging{Size: 3, Gap: true, Stride: 7}, "012  345 6"},
	} {
		s.SetPaging(c.paging)
		var pages []string
		for path := "/repos/acme/widgets/issues/1/comments?per_page=4"; path != ""; {
			a := send(t, s, key, "GET", path, "", "")
			page := ""
			for _, item := range a.list(t) {
				page += item["body"].(string)
			}
			pages = append(pages, page)
			path = ""
			for _, l := range strings.Split(a.header.Get("Link"), ", ") {
				if target, ok := strings.CutSuffix(l, `>; rel="next"`); ok {
					path = strings.TrimPrefix(target, "<"+s.URL)
				}
			}
		}
		if got := strings.Join(pages, " "); got != c.pages {
			t.Errorf("%s: %q, want %q", name, got, c.pages)
		}
	}
}

func TestRenamedAndRemoved(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	key := token(t, s, "7")
	if err := s.RenameRepository(repo, "acme/gadgets"); err != nil {
		t.Fatal(err)
	}
	a := send(t, s, key, "GET", "/repos/acme/widgets/pulls/1?x=y", "", "")
	to := strings.TrimPrefix(a.header.Get("Location"), s.URL)
	if a.status != 301 || to != "/repositories/10/pulls/1?x=y" || send(t, s, key, "GET", to, "", "").status != 200 {
		t.Errorf("%d to %q", a.status, to)
	}
	if a := send(t, s, key, "POST", "/repos/acme/widgets/issues/1/comments", `{"body":"b"}`, ""); a.status != 307 {
		t.Errorf("a write: %d", a.status)
	}
	if a := send(t, s, key, "POST", "/repositories/10/issues/1/comments", `{"body":"b"}`, ""); a.status != 201 {
		t.Errorf("a write where it leads: %d %s", a.status, a.body)
	}
	if a := send(t, s, key, "GET", "/repos/acme/gadgets/pulls/1", "", ""); a.status != 200 {
		t.Errorf("by its new name: %d", a.status)
	}
	s.RemoveRepository("acme/gadgets")
	if a := send(t, s, key, "GET", "/repos/acme/gadgets/pulls/1", "", ""); a.status != 404 {
		t.Errorf("removed: %d", a.status)
	}
}

func TestLeftBehind(t *testing.T) {
	t.Parallel()
	const bad = `{"body":"b","comments":[{"path":"main.go","line":99,"side":"RIGHT","body":"c"}]}`
	for left, state := range map[githubtest.Left]string{
		githubtest.LeaveNothing: "", githubtest.LeavePending: "PENDING", githubtest.LeaveSubmitted: "COMMENTED",
	} {
		s := start(t, githubtest.Options{})
		s.LeaveOnRefusal(left)
		if a := send(t, s, token(t, s, "7"), "POST", reviewsPath, bad, ""); a.status != 422 {
			t.Errorf("%d %s", a.status, a.body)
		}
		got := ""
		for _, r := range s.Reviews(repo, 1) {
			got += r.State
		}
		if got != state {
			t.Errorf("%q is left, want %q", got, state)
		}
	}
}

func TestThreads(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	key := token(t, s, "7")
	send(t, s, key, "POST", reviewsPath, `{"body":"b","event":"COMMENT","comments":[{"path":"main.go","line":4,"side":"RIGHT","body":"c"}]}`, "")
	begun := s.ReviewComments(repo, 1)[0].ID
	if _, err := s.ReplyTo(repo, 1, begun, "octocat", "I see."); err != nil {
		t.Fatal(err)
	}
	comments := send(t, s, key, "GET", "/repos/acme/widgets/pulls/1/comments", "", "").list(t)
	if len(comments) != 2 || fmt.Sprintf("%.0f", comments[1]["in_reply_to_id"]) != fmt.Sprint(begun) {
		t.Errorf("comments %v", comments)
	}
	ask := func(query string, variables map[string]any) string {
		body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
		if err != nil {
			t.Fatal(err)
		}
		a := send(t, s, key, "POST", "/graphql", string(body), "")
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return a.body
	}
	here := map[string]any{"owner": "acme", "name": "widgets", "number": 1}
	threads := ask("query ReviewThreads { x }", here)
	var id string
	if parts := strings.Split(threads, `"`); slices.Contains(parts, "isResolved") {
		id = parts[slices.Index(parts, "id")+2]
	}
	const resolve = "mutation ResolveThread { x }"
	if got := ask(resolve, map[string]any{"id": id}); !strings.Contains(got, "FORBIDDEN") {
		t.Errorf("without the permission: %s", got)
	}
	s.Grant(7, "contents", "write")
	if got := ask(resolve, map[string]any{"id": id}); strings.Contains(got, "errors") || s.Resolved(repo, 1, begun) != "openrabbit[bot]" {
		t.Errorf("with the permission: %s", got)
	}
	for _, got := range []string{ask(resolve, map[string]any{"id": "PRRT_none"}), ask("query ReviewThreads { x }", map[string]any{"owner": "x"})} {
		if !strings.Contains(got, "NOT_FOUND") {
			t.Errorf("what is not there: %s", got)
		}
	}
}

func TestManyBytes(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	key := token(t, s, "7")
	s.Inject(githubtest.Fault{Route: "GET", BodyBytes: 1_000_000})
	if a := send(t, s, key, "GET", "/rate_limit", "", ""); len(a.body) < 1_000_000 || len(a.object(t)["body"].(string)) != 1_000_000 {
		t.Errorf("%d bytes", len(a.body))
	}
}
