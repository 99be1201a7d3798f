package githubtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v4"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/github/githubtest/fixture"
)

// TestEveryAnswerIsDescribed asks for everything once, in all its forms. The fixture fails on what is not as described.
func TestEveryAnswerIsDescribed(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	app, key := appJWT(t, s, nil), token(t, s, "7")
	head := send(t, s, key, "GET", "/repos/acme/widgets/pulls/1", "", "").object(t)["head"].(map[string]any)["sha"].(string)
	at := "/repos/acme/widgets"
	id := func(a answer) string {
		if a.status > 299 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return fmt.Sprintf("%.0f", a.object(t)["id"])
	}
	review := id(send(t, s, key, "POST", at+"/pulls/1/reviews", `{"body":"b","commit_id":"`+head+`","comments":[{"path":"main.go","line":4,"side":"RIGHT","body":"c"},{"path":"main.go","start_line":3,"line":4,"side":"RIGHT","start_side":"RIGHT","body":"c"}]}`, ""))
	comment := id(send(t, s, key, "POST", at+"/issues/1/comments", `{"body":"b"}`, ""))
	check := id(send(t, s, key, "POST", at+"/check-runs", `{"name":"n","head_sha":"`+head+`","output":{"title":"t","summary":"s","annotations":[{"path":"main.go","start_line":1,"end_line":1,"annotation_level":"notice","message":"m"}]}}`, ""))
	user := s.AddUserToken("octocat")
	for _, c := range []struct {
		credential, request, body, accept string
		want                              int
	}{
		{app, "GET /app", "", "", 200},
		{app, "GET /app/installations", "", "", 200},
		{app, "GET /app/installations/7", "", "", 200},
		{app, "GET /app/installations/8", "", "", 404},
		{app, "GET /app/hook/deliveries", "", "", 200},
		{app, "POST /app/hook/deliveries/1/attempts", "", "", 404},
		{app, "POST /app/installations/8/access_tokens", "", "", 404},
		{key, "GET /app", "", "", 401},
		{app, "GET /user", "", "", 401},
		{"", "GET /user", "", "", 401},
		{key, "GET /user", "", "", 403},
		{user, "GET /user", "", "", 200},
		{key, "GET /rate_limit", "", "", 200},
		{key, "GET /installation/repositories", "", "", 200},
		{key, "GET " + at, "", "", 200},
		{key, "GET /repos/acme/gone", "", "", 404},
		{key, "GET " + at + "/pulls", "", "", 200},
		{key, "GET " + at + "/pulls?state=closed", "", "", 200},
		{key, "GET " + at + "/pulls/1", "", "", 200},
		{key, "GET " + at + "/pulls/1", "", "application/vnd.github.v3.diff", 200},
		{key, "GET " + at + "/pulls/2", "", "", 404},
		{key, "GET " + at + "/pulls/1/files", "", "", 200},
		{key, "GET " + at + "/compare/main..." + head, "", "", 200},
		{key, "GET " + at + "/compare/" + head + "...main", "", "", 200},
		{key, "GET " + at + "/compare/main...main", "", "application/vnd.github.diff", 200},
		{key, "GET " + at + "/compare/main...nothing", "", "", 404},
		{key, "GET " + at + "/contents/main.go", "", "", 200},
		{key, "GET " + at + "/contents/doc/a%20b.md?ref=" + head, "", "application/vnd.github.raw+json", 200},
		{key, "GET " + at + "/contents/doc", "", "", 200},
		{key, "GET " + at + "/contents/nothing", "", "", 404},
		{key, "GET " + at + "/contents/main.go?ref=nothing", "", "", 404},
		{key, "GET " + at + "/git/trees/" + head, "", "", 200},
		{key, "GET " + at + "/git/trees/main?recursive=1", "", "", 200},
		{key, "GET " + at + "/tarball/" + head, "", "", 302},
		{key, "GET " + at + "/pulls/1/reviews", "", "", 200},
		{key, "GET " + at + "/pulls/1/reviews/" + review, "", "", 200},
		{user, "GET " + at + "/pulls/1/reviews/" + review, "", "", 404},
		{key, "PUT " + at + "/pulls/1/reviews/" + review, `{"body":"edited"}`, "", 200},
		{key, "GET " + at + "/pulls/1/reviews/" + review + "/comments", "", "", 200},
		{key, "POST " + at + "/pulls/1/reviews/" + review + "/events", `{"event":"COMMENT"}`, "", 200},
		{key, "POST " + at + "/pulls/1/reviews/" + review + "/events", `{"event":"COMMENT"}`, "", 422},
		{key, "DELETE " + at + "/pulls/1/reviews/" + review, "", "", 422},
		{key, "GET " + at + "/pulls/1/comments", "", "", 200},
		{user, "GET " + at + "/pulls/1/reviews/" + review, "", "", 200},
		{user, "PUT " + at + "/pulls/1/reviews/" + review, `{"body":"stolen"}`, "", 403},
		{user, "POST " + at + "/pulls/1/reviews", `{"event":"APPROVE"}`, "", 200},
		{user, "POST " + at + "/pulls/1/reviews", `{"event":"COMMENT"}`, "", 422},
		{key, "GET " + at + "/issues/1/comments", "", "", 200},
		{key, "GET " + at + "/issues/comments/" + comment, "", "", 200},
		{key, "PATCH " + at + "/issues/comments/" + comment, `{"body":"edited"}`, "", 200},
		{user, "PATCH " + at + "/issues/comments/" + comment, `{"body":"stolen"}`, "", 403},
		{key, "POST " + at + "/issues/1/comments", `{"body":" "}`, "", 422},
		{key, "DELETE " + at + "/issues/comments/" + comment, "", "", 204},
		{key, "GET " + at + "/issues/comments/" + comment, "", "", 404},
		{key, "GET " + at + "/check-runs/" + check, "", "", 200},
		{key, "PATCH " + at + "/check-runs/" + check, `{"status":"completed","conclusion":"success"}`, "", 200},
		{key, "GET " + at + "/check-runs/" + check + "/annotations", "", "", 200},
		{key, "GET " + at + "/commits/" + head + "/check-runs", "", "", 200},
		{user, "POST " + at + "/check-runs", `{"name":"n","head_sha":"` + head + `"}`, "", 403},
		{key, "GET " + at + "/pulls/comments/1", "", "", 404},
		{key, "POST " + at + "/pulls/1/comments/1/replies", `{"body":"b"}`, "", 404},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		if a := send(t, s, c.credential, method, path, c.body, c.accept); a.status != c.want {
			t.Errorf("%s: %d, want %d: %s", c.request, a.status, c.want, a.body)
		}
	}
	begun := fmt.Sprint(s.ReviewComments(repo, 1)[0].ID)
	answered := id(send(t, s, key, "POST", at+"/pulls/1/comments/"+begun+"/replies", `{"body":"b"}`, ""))
	for _, c := range []struct {
		credential, request, body string
		want                      int
	}{
		{key, "GET " + at + "/pulls/comments/" + answered, "", 200},
		{key, "POST " + at + "/pulls/1/comments/" + answered + "/replies", `{"body":"b"}`, 422},
		{key, "POST " + at + "/pulls/1/comments/" + begun + "/replies", `{"body":""}`, 422},
		{user, "DELETE " + at + "/pulls/comments/" + answered, "", 403},
		{key, "DELETE " + at + "/pulls/comments/" + answered, "", 204},
		{key, "GET " + at + "/pulls/comments/" + answered, "", 404},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		if a := send(t, s, c.credential, method, path, c.body, ""); a.status != c.want {
			t.Errorf("%s: %d, want %d: %s", c.request, a.status, c.want, a.body)
		}
	}
	covered := map[string]bool{}
	for _, r := range s.Requests() {
		covered[r.Route] = true
	}
	for _, want := range githubtest.Operations() {
		if !covered[want] {
			t.Errorf("%s was not asked for", want)
		}
	}
}

func TestWhatIsNotAsDescribedIsRefused(t *testing.T) {
	t.Parallel()
	s := filled(t, fixture.NewLenient(t, githubtest.Options{}))
	key := token(t, s, "7")
	at := "/repos/acme/widgets"
	for _, c := range []struct{ request, body, says string }{
		{"POST " + at + "/pulls/1/reviews", `{"event":"LGTM"}`, "event"},
		{"POST " + at + "/pulls/1/reviews", `{"comments":[{"path":"main.go","line":"4","body":"x"}]}`, "line"},
		{"POST " + at + "/pulls/1/reviews", `{"comments":[{"line":4,"body":"x"}]}`, "path"},
		{"POST " + at + "/check-runs", `{"head_sha":"x"}`, "name"},
		{"POST " + at + "/check-runs", `{"name":"x","head_sha":"x","output":{"title":"t","summary":"` + strings.Repeat("x", 65_536) + `"}}`, "summary"},
		{"POST " + at + "/check-runs", `{"name":"x","head_sha":"x","output":{"title":"t","summary":"s","annotations":[` + strings.TrimSuffix(strings.Repeat(`{"path":"p","start_line":1,"end_line":1,"annotation_level":"notice","message":"m"},`, 51), ",") + `]}}`, "annotations"},
		{"POST " + at + "/issues/1/comments", `{}`, "body"},
		{"POST " + at + "/issues/1/comments", `not JSON`, ""},
		{"POST " + at + "/pulls/1/reviews/1/events", `{}`, "event"},
		{"GET " + at + "/pulls/one", "", "pull_number"},
	} {
		before := len(s.Violations())
		method, path, _ := strings.Cut(c.request, " ")
		a := send(t, s, key, method, path, c.body, "")
		if a.status != 422 || !strings.Contains(a.body, c.says) {
			t.Errorf("%s %.80s: %d %.300s", c.request, c.body, a.status, a.body)
		}
		if n := len(s.Violations()) - before; n != 1 {
			t.Errorf("%s: %d violations recorded, want 1", c.request, n)
		}
	}
	if a := send(t, s, key, "GET", "/repos/acme/widgets/unheard/of", "", ""); a.status != 404 || len(s.Violations()) != 11 {
		t.Errorf("an unknown route: %d, %d violations", a.status, len(s.Violations()))
	}
	if n := len(s.Reviews(repo, 1)) + len(s.IssueComments(repo, 1)) + len(s.CheckRuns(repo)); n != 0 {
		t.Errorf("%d things were made by refused requests", n)
	}
}

func TestAppSignsIn(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.RegisteredClaims{Issuer: "1"}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	good := appJWT(t, s, nil)
	for name, credential := range map[string]string{
		"nonsense": "nonsense", "unsigned": none, "another signature": good[:len(good)-8] + "AAAAAAAA",
		"another App": appJWT(t, s, func(c *jwt.RegisteredClaims) { c.Issuer = "2" }),
		"over":        appJWT(t, s, func(c *jwt.RegisteredClaims) { c.ExpiresAt = jwt.NewNumericDate(time.Now().Add(-time.Second)) }),
		"too long":    appJWT(t, s, func(c *jwt.RegisteredClaims) { c.ExpiresAt = jwt.NewNumericDate(time.Now().Add(11 * time.Minute)) }),
		"from afar":   appJWT(t, s, func(c *jwt.RegisteredClaims) { c.IssuedAt = jwt.NewNumericDate(time.Now().Add(time.Minute)) }),
		"endless":     appJWT(t, s, func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil }),
	} {
		if a := send(t, s, credential, "GET", "/app", "", ""); a.status != 401 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if a := send(t, s, good, "GET", "/app", "", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestTokensEnd(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := start(t, githubtest.Options{Now: func() time.Time { return now }, TokenLifetime: time.Minute})
	key := token(t, s, "7")
	if a := send(t, s, key, "GET", "/repos/acme/widgets", "", ""); a.status != 200 {
		t.Fatal(a.status)
	}
	now = now.Add(time.Minute)
	if a := send(t, s, key, "GET", "/repos/acme/widgets", "", ""); a.status != 401 || !strings.Contains(a.body, "Bad credentials") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestPendingReviews(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	ours, theirs := token(t, s, "7"), s.AddUserToken("somebody")
	const reviews = "/repos/acme/widgets/pulls/1/reviews"
	if a := send(t, s, ours, "POST", reviews, `{"body":"ours"}`, ""); a.status != 200 || a.object(t)["state"] != "PENDING" || a.object(t)["submitted_at"] != nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := send(t, s, ours, "POST", reviews, `{"body":"again","event":"COMMENT"}`, ""); a.status != 422 || !strings.Contains(a.body, "one pending review") {
		t.Errorf("a second review: %d %s", a.status, a.body)
	}
	if a := send(t, s, theirs, "POST", reviews, `{"body":"theirs"}`, ""); a.status != 200 {
		t.Errorf("another user's: %d %s", a.status, a.body)
	}
	for who, want := range map[string]string{ours: "ours", theirs: "theirs"} {
		if list := send(t, s, who, "GET", reviews, "", "").list(t); len(list) != 1 || list[0]["body"] != want {
			t.Errorf("%v", list)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	key := token(t, s, "7")
	for i := range 25 {
		if _, err := s.Comment(repo, 1, "somebody", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	path, seen := "/repos/acme/widgets/issues/1/comments?per_page=10", 0
	for path != "" {
		a := send(t, s, key, "GET", path, "", "")
		seen += len(a.list(t))
		path = ""
		for _, link := range strings.Split(a.header.Get("Link"), ", ") {
			if target, ok := strings.CutSuffix(link, `>; rel="next"`); ok {
				path = strings.TrimPrefix(target, "<"+s.URL)
			}
		}
	}
	if seen != 25 {
		t.Errorf("%d comments on all pages", seen)
	}
}

func TestReadLag(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := start(t, githubtest.Options{Now: func() time.Time { return now }})
	key := token(t, s, "7")
	s.SetReadLag(20 * time.Second)
	const reviews = "/repos/acme/widgets/pulls/1/reviews"
	made := send(t, s, key, "POST", reviews, `{"body":"ours"}`, "").object(t)
	if n := len(send(t, s, key, "GET", reviews, "", "").list(t)); n != 0 {
		t.Errorf("%d reviews are listed at once", n)
	}
	if a := send(t, s, key, "GET", fmt.Sprintf("%s/%.0f", reviews, made["id"]), "", ""); a.status != 200 {
		t.Errorf("by its id: %d", a.status)
	}
	now = now.Add(21 * time.Second)
	if n := len(send(t, s, key, "GET", reviews, "", "").list(t)); n != 1 {
		t.Errorf("%d reviews are listed later", n)
	}
}

func TestFaultsStrikeAsOftenAsTheyShould(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{Seed: 42})
	key := token(t, s, "7")
	get := func() int { return send(t, s, key, "GET", "/repos/acme/widgets", "", "").status }
	twice := s.Inject(githubtest.Fault{Route: "GET /repos/{owner}/{repo}", Status: 502, Times: 2})
	if a, b, c := get(), get(), get(); a != 502 || b != 502 || c != 200 || twice.Landed() != 2 {
		t.Errorf("%d %d %d, landed %d", a, b, c, twice.Landed())
	}
	s.Inject(githubtest.Fault{Route: "POST", Status: 500})
	dice := s.Inject(githubtest.Fault{Probability: 0.3, Status: 503})
	failed := 0
	for range 200 {
		if get() == 503 {
			failed++
		}
	}
	if failed != dice.Landed() || failed < 30 || failed > 90 {
		t.Errorf("%d of 200 failed, landed %d", failed, dice.Landed())
	}
	dice.Disarm()
	if get() != 200 {
		t.Error("a disarmed fault strikes")
	}
	began := time.Now()
	s.Inject(githubtest.Fault{Route: "GET", Delay: 30 * time.Millisecond, Times: 1})
	if get() != 200 || time.Since(began) < 30*time.Millisecond {
		t.Error("slow was not slow or not right")
	}
}

func TestRequestsAreLogged(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	key := token(t, s, "7")
	s.Inject(githubtest.Fault{Route: "POST /repos/{owner}/{repo}/issues/{issue_number}/comments", When: githubtest.AfterCommit, Status: 502})
	send(t, s, key, "POST", "/repos/acme/widgets/issues/1/comments", `{"body":"hello"}`, "")
	all := s.Requests()
	if len(all) != 2 {
		t.Fatalf("%d requests", len(all))
	}
	last := all[1]
	if last.Status != 502 || !last.Applied || last.Caller != "installation:7" || last.Body != `{"body":"hello"}` || last.At.IsZero() {
		t.Errorf("%+v", last)
	}
	if all[0].Caller != "app" || all[0].Status != http.StatusCreated {
		t.Errorf("%+v", all[0])
	}
	if len(s.IssueComments(repo, 1)) != 1 {
		t.Error("the comment is not there")
	}
}

func TestMistakesInScenarios(t *testing.T) {
	t.Parallel()
	s := start(t, githubtest.Options{})
	for name, err := range map[string]error{
		"name":   second(s.AddRepository("widgets", 1, 1, nil)),
		"again":  second(s.AddRepository("Acme/Widgets", 1, 1, nil)),
		"push":   second(s.Push(repo, 9, nil)),
		"base":   second(s.PushBase("no/repo", nil)),
		"close":  s.ClosePullRequest(repo, 9, false),
		"event":  second(s.PullRequestEvent(repo, 9, "opened", nil)),
		"pushed": second(s.PushEvent(repo, "a", "b")),
		"run":    second(s.CheckRunEvent(repo, 9, "rerequested", "x")),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := githubtest.New(githubtest.Options{PrivateKeyPEM: "nonsense"}); err == nil {
		t.Error("a server with a nonsensical key")
	}
	if _, err := json.Marshal(s.PingEvent()); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }
