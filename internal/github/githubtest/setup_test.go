package githubtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v4"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/github/githubtest/fixture"
)

const repo = "acme/widgets"

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// object reads the answer as a JSON object.
func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(a.body), &o); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return o
}

// list reads the answer as a JSON array of objects.
func (a answer) list(t *testing.T) []map[string]any {
	t.Helper()
	var l []map[string]any
	if err := json.Unmarshal([]byte(a.body), &l); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return l
}

// send sends a request. accept may be empty.
func send(t *testing.T, s *githubtest.Server, credential, method, path, body, accept string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// appJWT signs in as the App.
func appJWT(t *testing.T, s *githubtest.Server, change func(*jwt.RegisteredClaims)) string {
	t.Helper()
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(s.PrivateKeyPEM()))
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.RegisteredClaims{
		Issuer: strconv.FormatInt(s.AppID, 10), IssuedAt: jwt.NewNumericDate(time.Now().Add(-time.Minute)), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}
	if change != nil {
		change(&claims)
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// token gets an installation token.
func token(t *testing.T, s *githubtest.Server, installation string) string {
	t.Helper()
	a := send(t, s, appJWT(t, s, nil), "POST", "/app/installations/"+installation+"/access_tokens", "", "")
	if a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return a.object(t)["token"].(string)
}

func files() map[string]string {
	return map[string]string{"main.go": "package main\n\nfunc main() {\n}\n", "doc/a b.md": "# Doc\n", "README.md": "# Widgets\n"}
}

// start starts a stand-in with one repository and one pull request, number 1.
func start(t *testing.T, o githubtest.Options) *githubtest.Server {
	t.Helper()
	return filled(t, fixture.New(t, o))
}

func filled(t *testing.T, s *githubtest.Server) *githubtest.Server {
	t.Helper()
	if _, err := s.AddRepository(repo, 10, 7, files()); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.OpenPullRequest(repo, githubtest.PullRequestSpec{
		Title: "Change", Body: "Why", Labels: []string{"bug"}, Head: githubtest.With(files(), map[string]string{"main.go": "package main\n\nfunc main() {\n\tprintln()\n}\n", "new.go": "package main\n"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
