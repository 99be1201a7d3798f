package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/github/githubtest/fixture"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/llmtest"
)

func TestPullRequestName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://github.com/acme/shop/pull/7":                  "github.com acme/shop 7",
		"https://github.com/acme/shop/pull/7/":                 "github.com acme/shop 7",
		"https://github.com/acme/shop/pull/7/files#diff-1":     "github.com acme/shop 7",
		"https://github.com/acme/shop/pull/7?w=1":              "github.com acme/shop 7",
		"https://git.corp:8443/acme/shop.go/pull/12/commits/a": "git.corp:8443 acme/shop.go 12",
		"http://127.0.0.1/acme/shop/pull/7":                    "127.0.0.1 acme/shop 7",
		"https://github.com/acme/shop/issues/7":                "",
		"https://github.com/acme/shop/pull/x":                  "",
		"https://github.com/acme/shop/pull/0":                  "",
		"https://github.com/acme/shop/pull/-1":                 "",
		"https://github.com/acme/shop/pull":                    "",
		"https://github.com//shop/pull/7":                      "",
		"github.com/acme/shop/pull/7":                          "",
		"ssh://github.com/acme/shop/pull/7":                    "",
		"acme/shop#7":                                          "",
		"":                                                     "",
		"https://github.com/a\x00/b/pull/1":                    "",
		"https://github.com/a%2fb/c/pull/1":                    "",
		"https://github.com/../c/pull/1":                       "",
	} {
		host, repo, number, err := pullRequestName(text)
		got := ""
		if err == nil {
			got = fmt.Sprint(host, " ", repo, " ", number)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// hub is GitHub with one pull request, and a person's environment there.
func hub(t *testing.T) (*githubtest.Server, map[string]string, string) {
	t.Helper()
	server := fixture.New(t, githubtest.Options{})
	base := map[string]string{"div.go": divBefore, "go.mod": "module shop\n"}
	if _, err := server.AddRepository("acme/shop", 11, 22, base); err != nil {
		t.Fatal(err)
	}
	number, _, err := server.OpenPullRequest("acme/shop", githubtest.PullRequestSpec{Title: "Halves", Body: "Adds Half.",
		Head: githubtest.With(base, map[string]string{"div.go": divAfter})})
	if err != nil {
		t.Fatal(err)
	}
	return server, map[string]string{"GITHUB_API_URL": server.URL, "GITHUB_TOKEN": server.AddUserToken("ann")},
		fmt.Sprintf("https://github.com/acme/shop/pull/%d", number)
}

func with(env, more map[string]string) map[string]string { return githubtest.With(env, more) }

func TestPullRequestIsPrinted(t *testing.T) {
	t.Parallel()
	github, env, url := hub(t)
	_, modelEnv := model(t, llmtest.Options{Script: divScript()})
	ran := call{env: with(env, modelEnv)}.openrabbit(t, "review", "--format", "json", url)
	ran.want(t, lifecycle.ExitDone, "Half of an odd number is cut", "")
	var out jsonReview
	if err := json.Unmarshal([]byte(ran.out), &out); err != nil || out.State != "findings" || len(out.Findings) != 1 {
		t.Errorf("printed %s, %v", ran.out, err)
	}
	if len(github.Reviews("acme/shop", 1)) != 0 || len(github.IssueComments("acme/shop", 1)) != 0 {
		t.Error("something was posted without --post")
	}
	for _, request := range github.Requests() {
		if request.Method != "GET" {
			t.Errorf("%s %s without --post", request.Method, request.Path)
		}
	}
}

// TestPostOnce: one review however often the command is run, and another one of the next revision.
func TestPostOnce(t *testing.T) {
	t.Parallel()
	github, env, url := hub(t)
	_, modelEnv := model(t, llmtest.Options{Script: divScript()})
	c := call{env: with(env, modelEnv)}
	c.openrabbit(t, "review", url, "--post").want(t, lifecycle.ExitDone, "Half of an odd", "posted on acme/shop#1 as review")
	c.env = with(c.env, map[string]string{"GITHUB_TOKEN": github.AddUserToken("ann")}) // as in CI, where each run has its own
	c.openrabbit(t, "review", "--post", "--format", "json", url).want(t, lifecycle.ExitDone, "Half of an odd", "stands on acme/shop#1 already")
	reviews := github.Reviews("acme/shop", 1)
	if len(reviews) != 1 || reviews[0].Author != "ann" || reviews[0].State != "COMMENTED" {
		t.Fatalf("reviews: %+v", reviews)
	}
	comments := github.ReviewComments("acme/shop", 1)
	if len(comments) != 1 || comments[0].Path != "div.go" || comments[0].Line != 10 || !strings.Contains(comments[0].Body, "```suggestion\n\treturn Div(a+1, 2)\n```") {
		t.Errorf("comments: %+v", comments)
	}
	if strings.Contains(reviews[0].Body+comments[0].Body, env["GITHUB_TOKEN"]) {
		t.Error("the token is posted")
	}
	if _, err := github.Push("acme/shop", 1, map[string]string{"div.go": divAfter + "\n// More.\n", "go.mod": "module shop\n"}); err != nil {
		t.Fatal(err)
	}
	c.openrabbit(t, "review", url, "--post").want(t, lifecycle.ExitDone, "Half of an odd", "posted on acme/shop#1 as review")
	if n := len(github.Reviews("acme/shop", 1)); n != 2 {
		t.Errorf("%d reviews of two revisions", n)
	}
}

// TestPostNothingByHalves: a model that failed may answer tomorrow, and this revision gets one review.
func TestPostNothingByHalves(t *testing.T) {
	t.Parallel()
	github, env, url := hub(t)
	_, modelEnv := model(t, llmtest.Options{Key: "sk-another-key"})
	ran := call{env: with(env, modelEnv)}.openrabbit(t, "review", url, "--post")
	ran.want(t, lifecycle.ExitDependency, "refused the key", "nothing was posted, because only part was reviewed")
	if len(github.Reviews("acme/shop", 1)) != 0 {
		t.Error("half a review was posted")
	}
}

func TestGitHubSaysNo(t *testing.T) {
	t.Parallel()
	_, env, url := hub(t)
	for name, test := range map[string]struct {
		url  string
		more map[string]string
		want string
	}{
		"wrong token":   {url, map[string]string{"GITHUB_TOKEN": "ghp_" + strings.Repeat("0", 36)}, "GitHub: it does not accept GITHUB_TOKEN"},
		"no such":       {strings.TrimSuffix(url, "1") + "99", nil, "GitHub: no pull request acme/shop#99 that GITHUB_TOKEN may read"},
		"no repository": {"https://github.com/acme/nothing/pull/1", nil, "GitHub: no pull request acme/nothing#1"},
		"unreachable":   {url, map[string]string{"GITHUB_API_URL": "http://127.0.0.1:1"}, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ran := call{env: with(env, test.more)}.openrabbit(t, "review", test.url)
			ran.want(t, lifecycle.ExitDependency, "", test.want)
			if strings.Count(ran.err, "\n") != 1 || strings.Contains(ran.err, "ghp_") {
				t.Errorf("want one line without the token:\n%s", ran.err)
			}
		})
	}
}
