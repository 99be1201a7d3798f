package e2e

import (
	"strings"
	"testing"
	"time"

	reviewv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/review/v1"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/llmtest"
)

var (
	baseFiles = map[string]string{
		"div.go":   "package shop\n\n// Div divides.\nfunc Div(a, b int) int {\n\tif b == 0 {\n\t\treturn 0\n\t}\n\treturn a / b\n}\n",
		"price.py": "def price(cents):\n    return cents / 100\n",
	}
	headFiles = githubtest.With(baseFiles, map[string]string{
		"div.go": "package shop\n\n// Div divides.\nfunc Div(a, b int) int {\n\treturn a / b\n}\n\n// Half halves.\nfunc Half(a int) int {\n\treturn Div(a, 2)\n}\n",
	})
	divFinding = llmtest.JSON(`{"findings": [
		{"path": "div.go", "quote": "return Div(a, 2)", "start_line": 99, "end_line": 99, "severity": "medium", "category": "bug",
		 "title": "Half of an odd number is cut", "body": "3 gives 1.", "suggestion": "\treturn Div(a+1, 2)", "confidence": 0.8},
		{"path": "div.go", "quote": "func Whole(a int) float64 {", "start_line": 5, "end_line": 5, "severity": "critical", "category": "bug",
		 "title": "Invented", "body": "Stands nowhere.", "suggestion": null, "confidence": 0.9}]}`)
)

func divScript() llmtest.Script {
	return llmtest.Script{Rules: []llmtest.Rule{
		{Match: llmtest.Match{Schema: "findings"}, Answer: divFinding},
		{Match: llmtest.Match{Schema: "verdict", Contains: []string{"Half of an odd number"}},
			Answer: llmtest.JSON(`{"verdict": "keep", "severity": "medium", "quote": "return Div(a, 2)", "reason": "Integers are cut."}`)},
	}}
}

// TestAWebhookBecomesAPostedReview is the main job.
func TestAWebhookBecomesAPostedReview(t *testing.T) {
	t.Parallel()
	server, env := model(t, llmtest.Options{Script: divScript(), Key: "sk-canary-0123456789abcdefghij"})
	env["OPENAI_API_KEY"] = "sk-canary-0123456789abcdefghij"
	m := start(t, baseFiles, env)
	number := m.open(githubtest.PullRequestSpec{Title: "Halves", Head: headFiles})
	r := m.newest(number)
	if r.GetState() != reviewv1.State_STATE_FINDINGS {
		t.Fatalf("the review ended as %s (%s)", r.GetState(), r.GetReason())
	}
	reviews := m.github.Reviews(repository, number)
	if len(reviews) != 1 || reviews[0].State != "COMMENTED" || reviews[0].Author != m.github.Slug+"[bot]" {
		t.Fatalf("posted reviews: %+v", reviews)
	}
	comments := m.github.ReviewComments(repository, number)
	if len(comments) != 1 {
		t.Fatalf("%d comments, want 1: %+v", len(comments), comments)
	}
	c := comments[0]
	if c.Path != "div.go" || c.Side != "RIGHT" || c.Line != 10 || c.StartLine != 0 {
		t.Errorf("the comment stands at %s %s:%d-%d, want RIGHT div.go:10", c.Side, c.Path, c.StartLine, c.Line)
	}
	if !strings.Contains(c.Body, "Half of an odd number is cut") || !strings.Contains(c.Body, "```suggestion\n\treturn Div(a+1, 2)\n```") {
		t.Errorf("the comment says:\n%s", c.Body)
	}
	if walk := m.github.IssueComments(repository, number); len(walk) != 1 || strings.Contains(walk[0].Body, "Invented") ||
		!strings.Contains(walk[0].Body, "1 quote not found") {
		t.Errorf("the finding whose code stands nowhere must be counted in the one walkthrough, and not told: %+v", walk)
	}
	checks := m.github.CheckRuns(repository)
	if len(checks) != 1 || checks[0].Conclusion != "neutral" || checks[0].Status != "completed" {
		t.Errorf("check runs: %+v", checks)
	}
	if got := r.GetUsage(); got.GetCalls() == 0 || got.GetInputTokens() == 0 {
		t.Errorf("usage %v", got)
	}
	for _, call := range server.Calls() {
		if call.Problem != "" {
			t.Errorf("a model would not understand: %s", call.Problem)
		}
	}
	if strings.Contains(m.logs.String(), "sk-canary") {
		t.Error("the model's key is in the logs")
	}
}

// TestWithoutAModel posts what can be known without one, and says so.
func TestWithoutAModel(t *testing.T) {
	t.Parallel()
	m := start(t, baseFiles, nil)
	number := m.open(githubtest.PullRequestSpec{Title: "Facts", Head: githubtest.With(baseFiles, map[string]string{
		"price.py": "KEY = \"" + "sk" + "_live_" + "9fK2mQ7xVw4LcTz1RbY8nHd3\"\n\n\ndef price(cents:\n    return cents / 100\n",
		"div.go":   strings.Replace(baseFiles["div.go"], "\treturn a / b\n", "<<<<<<< HEAD\n\treturn a / b\n=======\n\treturn b / a\n>>>>>>> other\n", 1),
	})})
	r := m.newest(number)
	if r.GetState() != reviewv1.State_STATE_PARTIAL || !strings.Contains(r.GetReason(), "no model") {
		t.Fatalf("the review ended as %s (%s)", r.GetState(), r.GetReason())
	}
	var all strings.Builder
	for _, c := range m.github.ReviewComments(repository, number) {
		all.WriteString(c.Path + ": " + c.Body + "\n")
	}
	for _, want := range []string{"price.py", "div.go", "onflict", "yntax"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no comment says %q:\n%s", want, &all)
		}
	}
	if strings.Contains(all.String(), "9fK2mQ7xVw4LcTz1RbY8nHd3") {
		t.Error("a comment repeats the credential")
	}
	walk := m.github.IssueComments(repository, number)
	if len(walk) != 1 || !strings.Contains(walk[0].Body, "o model is configured") {
		t.Errorf("the walkthrough does not say that there is no model: %+v", walk)
	}
	if checks := m.github.CheckRuns(repository); len(checks) != 1 || checks[0].Conclusion != "neutral" {
		t.Errorf("check runs: %+v", checks)
	}
}

// TestASecondPushSaysNothingTwice: the finding of the first push is not posted again, the walkthrough is edited.
func TestASecondPushSaysNothingTwice(t *testing.T) {
	t.Parallel()
	_, env := model(t, llmtest.Options{Script: divScript()})
	m := start(t, baseFiles, env)
	number := m.open(githubtest.PullRequestSpec{Title: "Halves", Head: headFiles})
	first := m.newest(number)
	before := m.github.Reviews(repository, number)[0].CommitID
	head, err := m.github.Push(repository, number, githubtest.With(headFiles, map[string]string{"price.py": "def price(cents):\n    return cents / 100.0\n"}))
	if err != nil {
		t.Fatal(err)
	}
	m.deliver(number, "synchronize", map[string]any{"before": before, "after": head})
	second := m.newest(number)
	if second.GetId() == first.GetId() || second.GetHeadSha() != head {
		t.Fatalf("the second push was not reviewed: %v", second)
	}
	if n := len(m.github.ReviewComments(repository, number)); n != 1 {
		t.Errorf("%d comments after the second push, want the first one alone", n)
	}
	if walk := m.github.IssueComments(repository, number); len(walk) != 1 || walk[0].Edits == 0 {
		t.Errorf("one walkthrough, edited in place; got %+v", walk)
	}
}

// TestWhatTheModelServerDoes: a refused key and a server that is not there make the review partial, never clean, and the
// reader is told what to do.
func TestWhatTheModelServerDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  func(*testing.T) map[string]string
		says string
	}{
		"wrong key": {func(t *testing.T) map[string]string {
			_, env := model(t, llmtest.Options{Key: "the-right-key"})
			env["OPENAI_API_KEY"] = "a-wrong-key"
			return env
		}, "refused the key"},
		"unreachable": {func(t *testing.T) map[string]string {
			return map[string]string{"OPENAI_BASE_URL": "http://" + freeAddr(t), "OPENRABBIT_MODEL_MAIN": "m", "OPENRABBIT_PATIENCE": "0s"}
		}, "could not be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := start(t, baseFiles, c.env(t))
			number := m.open(githubtest.PullRequestSpec{Title: "Halves", Head: headFiles})
			r := m.newest(number)
			if r.GetState() != reviewv1.State_STATE_PARTIAL {
				t.Fatalf("the review ended as %s (%s), want partial", r.GetState(), r.GetReason())
			}
			walk := m.github.IssueComments(repository, number)
			if len(walk) != 1 || !strings.Contains(walk[0].Body, c.says) {
				t.Errorf("the walkthrough does not say %q: %+v", c.says, walk)
			}
			if checks := m.github.CheckRuns(repository); len(checks) != 1 || checks[0].Conclusion != "neutral" {
				t.Errorf("check runs: %+v", checks)
			}
			t.Logf("state %s, reason %q", r.GetState(), r.GetReason())
		})
	}
}

// TestRecallReachesThePrompt: the repository is indexed by a job of its own after the first review, and a later review
// is asked with code that its change does not show.
func TestRecallReachesThePrompt(t *testing.T) {
	t.Parallel()
	server, env := model(t, llmtest.Options{})
	files := githubtest.With(baseFiles, map[string]string{
		"ledger.go": "package shop\n\n// HalveLedgerEntries halves every ledger entry with Div.\nfunc HalveLedgerEntries(entries []int) {\n\tfor i := range entries {\n\t\tentries[i] = Div(entries[i], 2)\n\t}\n}\n",
	})
	m := start(t, files, env)
	change := func(n string) githubtest.PullRequestSpec {
		return githubtest.PullRequestSpec{Title: "Halves " + n, Head: githubtest.With(files, map[string]string{
			"div.go": headFiles["div.go"] + "\n// HalveLedgerEntry" + n + " halves one ledger entry with Div.\nfunc HalveLedgerEntry" + n + "(entry int) int {\n\treturn Div(entry, 2)\n}\n"})}
	}
	m.newest(m.open(change("One")))
	deadline := time.Now().Add(30 * time.Second)
	for !embedded(server, "HalveLedgerEntries") {
		if time.Now().After(deadline) {
			t.Fatalf("the repository was not indexed")
		}
		<-time.After(50 * time.Millisecond)
	}
	// The vectors are stored a moment after they were made: ask again until a review has them.
	for n := 0; ; n++ {
		m.newest(m.open(change(strings.Repeat("I", n+2))))
		for _, call := range server.Calls() {
			if call.Schema == "findings" && strings.Contains(call.Prompt(), "HalveLedgerEntries") {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("no prompt holds the code that was recalled")
		}
	}
}

func embedded(server *llmtest.Server, text string) bool {
	for _, call := range server.Calls() {
		if call.Endpoint == llmtest.EndpointEmbeddings && strings.Contains(call.Prompt(), text) {
			return true
		}
	}
	return false
}
