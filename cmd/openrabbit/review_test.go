package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/llmtest"
)

const (
	divBefore = "package shop\n\n// Div divides.\nfunc Div(a, b int) int {\n\tif b == 0 {\n\t\treturn 0\n\t}\n\treturn a / b\n}\n"
	divAfter  = "package shop\n\n// Div divides.\nfunc Div(a, b int) int {\n\treturn a / b\n}\n\n// Half halves.\nfunc Half(a int) int {\n\treturn Div(a, 2)\n}\n"
	modelKey  = "sk-right-0123456789abcdefghij"
)

// divScript finds that halves are cut, and something in code that is not there.
func divScript() llmtest.Script {
	return llmtest.Script{Rules: []llmtest.Rule{
		{Match: llmtest.Match{Schema: "summary"}, Answer: llmtest.JSON(`{"summary": "Div no longer guards against zero; Half is new.",
			"changes": [{"path": "div.go", "what": "Adds Half."}], "risk": "Medium."}`)},
		{Match: llmtest.Match{Schema: "findings"}, Answer: llmtest.JSON(`{"findings": [
			{"path": "div.go", "quote": "return Div(a, 2)", "start_line": 99, "end_line": 99, "severity": "high", "category": "bug",
			 "title": "Half of an odd number is cut", "body": "3 gives 1.", "suggestion": "\treturn Div(a+1, 2)", "confidence": 0.8},
			{"path": "div.go", "quote": "func Whole(a int) float64 {", "start_line": 5, "end_line": 5, "severity": "critical", "category": "bug",
			 "title": "Invented", "body": "Stands nowhere.", "suggestion": null, "confidence": 0.9}]}`)},
		{Match: llmtest.Match{Schema: "verdict"}, Answer: llmtest.JSON(`{"verdict": "keep", "severity": "high", "quote": "return Div(a, 2)", "reason": "Integers are cut."}`)},
	}}
}

// model starts a scripted model and gives the environment that names it.
func model(t *testing.T, options llmtest.Options) (*llmtest.Server, map[string]string) {
	t.Helper()
	server, err := llmtest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server, map[string]string{"OPENAI_BASE_URL": server.URL, "OPENAI_API_KEY": modelKey, "OPENRABBIT_MODEL_MAIN": "scripted"}
}

// halves is a repository with the change that divScript is about.
func halves(t *testing.T) repository {
	t.Helper()
	r := newRepository(t)
	r.write("div.go", divBefore)
	r.write("go.sum", "a v1 h1:1=\n")
	r.commit("Begin")
	r.git("checkout", "-q", "-b", "change")
	r.write("div.go", divAfter)
	r.write("go.sum", "a v2 h1:2=\n")
	r.commit("Add Half")
	return r
}

// mistakes is a repository whose work tree has what is found without a model.
func mistakes(t *testing.T) repository {
	t.Helper()
	r := newRepository(t)
	r.write("conf.go", "package shop\n")
	r.write("div.go", divBefore)
	r.commit("Begin")
	r.write("conf.go", "package shop\n\nconst key = \"AKIA"+"2E7A5F3B244C"+"QXYW\"\n")
	r.write("div.go", strings.Replace(divBefore, "\treturn a / b\n", "\treturn (a / b\n", 1))
	return r
}

func TestReviewWithAModel(t *testing.T) {
	t.Parallel()
	r := halves(t)
	server, env := model(t, llmtest.Options{Script: divScript(), Key: modelKey})
	ran := call{env: env, dir: r.dir}.openrabbit(t, "review", "--base", "main")
	ran.want(t, lifecycle.ExitDone, "div.go:10  high  bug\n  Half of an odd number is cut", "load (1)")
	ran.want(t, lifecycle.ExitDone, "+     return Div(a+1, 2)", "verify")
	ran.want(t, lifecycle.ExitDone, "Div no longer guards against zero", "")
	ran.want(t, lifecycle.ExitDone, "left out: go.sum: lock file", "")
	if strings.Contains(ran.out, "Stands nowhere") {
		t.Error("a finding about code that is not there is told")
	}
	for _, line := range strings.Split(strings.TrimSpace(ran.err), "\n") {
		if !strings.Contains(line, "s ") || strings.Contains(line, "level=") {
			t.Errorf("standard error has more than progress: %q", line)
		}
	}
	if problems := server.Problems(); len(problems) > 0 {
		t.Errorf("a model would not understand: %s", strings.Join(problems, "\n"))
	}
}

func TestFailOn(t *testing.T) {
	t.Parallel()
	r := halves(t)
	_, env := model(t, llmtest.Options{Script: divScript()})
	for _, test := range []struct {
		severity string
		code     int
		says     string
	}{
		{"info", lifecycle.ExitFailed, "--fail-on info: 1 of 1 findings reach it"},
		{"high", lifecycle.ExitFailed, "--fail-on high: 1 of 1 findings reach it"},
		{"critical", lifecycle.ExitDone, ""},
	} {
		t.Run(test.severity, func(t *testing.T) {
			t.Parallel()
			ran := call{env: env, dir: r.dir}.openrabbit(t, "review", "--quiet", "--range", "main..change", "--fail-on", test.severity)
			ran.want(t, test.code, "Half of an odd number is cut", test.says)
			if test.says == "" && ran.err != "" {
				t.Errorf("--quiet says %q", ran.err)
			}
		})
	}
}

func TestWithoutAModel(t *testing.T) {
	t.Parallel()
	r := mistakes(t)
	ran := call{dir: r.dir}.openrabbit(t, "review")
	ran.want(t, lifecycle.ExitDone, "No model is configured", "")
	ran.want(t, lifecycle.ExitDone, "conf.go:3", "")
	ran.want(t, lifecycle.ExitDone, "div.go:", "")
	ran = call{dir: r.dir}.openrabbit(t, "review", "--fail-on", "high", "--format", "json")
	ran.want(t, lifecycle.ExitFailed, `"state": "partial"`, "No model is configured")
}

// TestConflict reviews a work tree in the middle of a merge.
func TestConflict(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.write("a.go", "package a\n\nconst a = 1\n")
	r.commit("Begin")
	r.git("checkout", "-q", "-b", "change")
	r.write("a.go", "package a\n\nconst a = 2\n")
	r.commit("Two")
	r.git("checkout", "-q", "main")
	r.write("a.go", "package a\n\nconst a = 3\n")
	r.commit("Three")
	r.conflict("change")
	call{dir: r.dir}.openrabbit(t, "review").want(t, lifecycle.ExitDone, "conflict", "")
}

func TestNothingChanged(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.write("a.go", "package a\n")
	r.commit("Begin")
	r.write("new.go", "package a\n")
	ran := call{dir: r.dir}.openrabbit(t, "review")
	ran.want(t, lifecycle.ExitDone, "left out: new.go: not tracked by git (git add -N", "nothing has changed")
	var out jsonReview
	ran = call{}.openrabbit(t, "review", "--diff", "-", "--format", "json", "--fail-on", "info")
	ran.want(t, lifecycle.ExitDone, "", "nothing has changed")
	if err := json.Unmarshal([]byte(ran.out), &out); err != nil || out.State != "clean" {
		t.Errorf("printed %s, %v", ran.out, err)
	}
}

// TestModelFails: what could be reviewed is printed, the reason is told, and the exit code says that it is not all.
func TestModelFails(t *testing.T) {
	t.Parallel()
	r := halves(t)
	r.write("conf.go", "package shop\n\nconst key = \"AKIA"+"2E7A5F3B244C"+"QXYW\"\n")
	r.git("add", "conf.go")
	gone, nowhere := model(t, llmtest.Options{})
	gone.Close()
	_, refused := model(t, llmtest.Options{Key: "sk-another-key"})
	for name, test := range map[string]struct {
		env  map[string]string
		want string
	}{
		"unreachable": {nowhere, "refuses connections"},
		"wrong key":   {refused, "refused the key (OPENAI_API_KEY)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ran := call{env: test.env, dir: r.dir}.openrabbit(t, "review", "--quiet")
			ran.want(t, lifecycle.ExitDependency, "conf.go:3", "only part was reviewed: the model server "+test.want)
			ran.want(t, lifecycle.ExitDependency, test.want, "")
			if strings.Count(ran.err, "\n") != 1 {
				t.Errorf("want one line:\n%s", ran.err)
			}
			if strings.Contains(ran.out+ran.err, modelKey) {
				t.Error("the key is shown")
			}
			// Findings that --fail-on asks for come first; what failed is told all the same.
			ran = call{env: test.env, dir: r.dir}.openrabbit(t, "review", "--quiet", "--fail-on", "high")
			ran.want(t, lifecycle.ExitFailed, "conf.go:3", test.want)
		})
	}
}

// TestInterrupted: Ctrl-C while a model thinks ends the review soon, and not as one that is done.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	r := halves(t)
	asked := make(chan struct{}, 100)
	_, env := model(t, llmtest.Options{Respond: func(llmtest.Call) *llmtest.Rule {
		asked <- struct{}{}
		return &llmtest.Rule{Hang: true}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-asked
		cancel()
	}()
	ran := call{env: env, dir: r.dir}.until(t, ctx, "review")
	ran.want(t, exitInterrupted, "", "interrupted")
	if ran.out != "" {
		t.Errorf("printed %q", ran.out)
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.write("div.go", divBefore)
	r.write("docs/x.go", "package docs\n")
	r.write(configName, "reviews:\n  path_filters: [\"!docs/**\"]\nnonsense: 1\n")
	r.commit("Begin")
	r.write("docs/x.go", "package docs // changed\n")
	r.write("div.go", divAfter)
	ran := call{dir: r.dir}.openrabbit(t, "review", "--format", "markdown")
	ran.want(t, lifecycle.ExitDone, "docs/x.go", configName+":3: ")
	ran.want(t, lifecycle.ExitDone, `excluded by path\_filters`, "")
	ran.want(t, lifecycle.ExitDone, "line 3", "")
}

func TestReviewOfADiff(t *testing.T) {
	t.Parallel()
	r := halves(t)
	patch := r.git("diff", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/", "-U3", "--no-color", "main..change") + "\n"
	file := filepath.Join(t.TempDir(), "change.diff")
	if err := os.WriteFile(file, []byte(patch), 0o600); err != nil {
		t.Fatal(err)
	}
	_, env := model(t, llmtest.Options{Script: divScript()})
	a := call{env: env}.openrabbit(t, "review", "--diff", file, "--format", "json")
	b := call{env: env, stdin: patch}.openrabbit(t, "review", "--diff", "-", "--format", "json")
	a.want(t, lifecycle.ExitDone, "Half of an odd number is cut", "")
	a.out, _, _ = strings.Cut(a.out, `"usage"`) // the model is told the file's name
	b.out, _, _ = strings.Cut(b.out, `"usage"`)
	if a.out != b.out {
		t.Errorf("a file and standard input differ:\n%s\n%s", a.out, b.out)
	}
}

// TestNothingIsLeft: no file stays behind, and no process: the parser's socket directory is gone.
func TestNothingIsLeft(t *testing.T) {
	r := halves(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	call{dir: r.dir}.openrabbit(t, "review").want(t, lifecycle.ExitDone, "No model is configured", "")
	entries, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "openrabbit-") }) {
		t.Errorf("left behind: %v", entries)
	}
}
