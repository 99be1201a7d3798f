package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
)

// hostileGit is a person's configuration of git that changes what git diff prints in every way that it can.
const hostileGit = `[diff]
	noprefix = true
	mnemonicPrefix = true
	context = 0
	interHunkContext = 50
	renames = false
	external = false
	suppressBlankEmpty = true
	orderFile = ORDER
	submodule = log
	ignoreSubmodules = all
	relative = true
[color]
	ui = always
[core]
	pager = false
	quotePath = false
	fsmonitor = /nowhere/fsmonitor
`

// TestMain makes this test binary what openrabbit is to itself: the parser's child, and a parent of it that can be killed.
func TestMain(m *testing.M) {
	parserChild()
	if len(os.Args) > 1 && (os.Args[1] == "parsersvc" || os.Args[1] == "supervisor") {
		os.Exit(lifecycle.Main(asChild))
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "openrabbit-git-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "GIT_") {
			_ = os.Unsetenv(name)
		}
	}
	file, order := filepath.Join(dir, "gitconfig"), filepath.Join(dir, "order")
	err = errors.Join(os.WriteFile(file, []byte(strings.Replace(hostileGit, "ORDER", order, 1)), 0o600), os.WriteFile(order, []byte("*.go\n"), 0o600))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_, _ = os.Setenv("GIT_CONFIG_GLOBAL", file), os.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	return m.Run()
}

// pidsVariable names a file to which each parser child adds a line with its process id.
const pidsVariable = "OPENRABBIT_PARSER_TEST_PIDS"

func asChild(ctx context.Context) error {
	if file := os.Getenv(pidsVariable); file != "" && os.Args[1] == "parsersvc" {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	if os.Args[1] == "parsersvc" {
		return dispatch(ctx, os.Args[1:], process{stdout: os.Stdout, stderr: os.Stderr})
	}
	child, err := newParserChild(os.Args[2], map[string]string{"OPENRABBIT_PARSER_ADMIN_ADDR": "off", "OPENRABBIT_LOG_LEVEL": "error"},
		os.Stderr, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return child.Run(ctx, func() { fmt.Println("ready") })
}

// lockedBuilder is standard error, to which a child's output goes beside ours.
type lockedBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (b *lockedBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// ran is what came of a run of openrabbit.
type ran struct {
	out, err string
	code     int
}

// call is a run to be made.
type call struct {
	env   map[string]string
	dir   string
	stdin string
}

// openrabbit runs a command in this process.
func (c call) openrabbit(t *testing.T, args ...string) ran {
	t.Helper()
	return c.until(t, t.Context(), args...)
}

func (c call) until(t *testing.T, ctx context.Context, args ...string) ran {
	t.Helper()
	if len(args) > 0 && args[0] == "review" {
		if _, _, err := parserProgram(); err != nil {
			t.Skip(err)
		}
	}
	var stdout bytes.Buffer
	var stderr lockedBuilder
	dir := c.dir
	if dir == "" {
		dir = t.TempDir()
	}
	err := dispatch(ctx, args, process{env: c.env, dir: dir, stdin: strings.NewReader(c.stdin), stdout: &stdout, stderr: &stderr})
	code := lifecycle.ExitCode(err)
	if errors.Is(err, errInterrupted) {
		code = exitInterrupted
	}
	if err != nil {
		fmt.Fprintln(&stderr, err)
	}
	return ran{stdout.String(), stderr.String(), code}
}

// want holds a run against its exit code and what it must have said.
func (r ran) want(t *testing.T, code int, out, stderr string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	if !strings.Contains(r.out, out) {
		t.Errorf("standard output lacks %q", out)
	}
	if !strings.Contains(r.err, stderr) {
		t.Errorf("standard error lacks %q", stderr)
	}
	if r.code != code || !strings.Contains(r.out, out) || !strings.Contains(r.err, stderr) {
		t.Logf("standard output:\n%s\nstandard error:\n%s", r.out, r.err)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "broken.diff")
	if err := os.WriteFile(broken, []byte("--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n-a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const url = "https://github.com/acme/shop/pull/7"
	tests := map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"unknown command":     {[]string{"revew"}, nil, `no command "revew"; see openrabbit help`},
		"unknown flag":        {[]string{"review", "--formt", "json"}, nil, "not defined: -formt; see openrabbit review --help"},
		"unknown format":      {[]string{"review", "--format", "xml"}, nil, "want text, markdown, json or sarif"},
		"unknown severity":    {[]string{"review", "--fail-on", "bad"}, nil, "want critical, high, medium, low or info"},
		"two sources":         {[]string{"review", "--range", "a..b", "--diff", "x"}, nil, "give one of --base, --range, --diff"},
		"base and URL":        {[]string{"review", url, "--base", "main"}, nil, "give one of --base, --range, --diff"},
		"post a local change": {[]string{"review", "--post"}, nil, "--post needs a pull request's URL"},
		"two URLs":            {[]string{"review", url, url}, nil, "what is"},
		"no such file":        {[]string{"review", "--diff", "/nowhere/x.diff"}, nil, "no such file"},
		"broken diff":         {[]string{"review", "--diff", broken}, nil, "broken.diff: parse diff of x at line 4"},
		"not a diff":          {[]string{"review", "--diff", "-"}, nil, "standard input: no diff in the input"},
		"no repository":       {[]string{"review"}, nil, "not inside a git work tree; give --diff FILE or a pull request's URL"},
		"a range nowhere":     {[]string{"review", "--range", "a..b"}, nil, "not inside a git work tree"},
		"no token":            {[]string{"review", url}, nil, "GITHUB_TOKEN: is required"},
		"an enterprise":       {[]string{"review", "https://git.corp/a/b/pull/1"}, map[string]string{"GITHUB_TOKEN": "x"}, "GITHUB_API_URL: is required for git.corp, as in https://git.corp/api/v3"},
		"no URL":              {[]string{"review", "acme/shop"}, nil, "want https://github.com/OWNER/REPO/pull/NUMBER"},
		"a model without a name": {[]string{"review", url}, map[string]string{"GITHUB_TOKEN": "x", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"},
			"OPENRABBIT_MODEL_MAIN: is required"},
		"River UI for everybody": {[]string{"riverui", "--addr", "0.0.0.0:8081"}, nil, "OPENRABBIT_UI_PASSWORD is required"},
		"River UI of nothing":    {[]string{"riverui"}, nil, "DATABASE_URL: is required"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := call{env: test.env, stdin: "no diff\n"}.openrabbit(t, test.args...)
			r.want(t, lifecycle.ExitConfig, "", test.want)
			if r.out != "" || strings.Count(r.err, "\n") != 1 {
				t.Errorf("want one line on standard error and nothing else:\n%s\n%s", r.out, r.err)
			}
		})
	}
}

// TestComplaintsAtOnce: nobody mends one variable only to hear of the next.
func TestComplaintsAtOnce(t *testing.T) {
	t.Parallel()
	r := call{env: map[string]string{"OPENAI_BASE_URL": "ftp://x"}}.openrabbit(t, "review", "https://git.corp/a/b/pull/1")
	r.want(t, lifecycle.ExitConfig, "", "OPENAI_BASE_URL")
	r.want(t, lifecycle.ExitConfig, "", "GITHUB_TOKEN")
	r.want(t, lifecycle.ExitConfig, "", "GITHUB_API_URL")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"help"}, {"-h"}, {"--help"}} {
		r := call{}.openrabbit(t, args...)
		r.want(t, lifecycle.ExitDone, "openrabbit <command> [flags]", "")
		if strings.Contains(r.out, "parsersvc") {
			t.Error("help shows a command that is not for people")
		}
	}
	for _, c := range commands() {
		if c.hidden {
			continue
		}
		r := call{}.openrabbit(t, c.name, "--help")
		r.want(t, lifecycle.ExitDone, "flags of openrabbit "+c.name, "")
	}
}

func TestReviewFlags(t *testing.T) {
	t.Parallel()
	f, err := parseReviewFlags([]string{"--format=json", "https://github.com/a/b/pull/1", "--post", "--fail-on", "High"})
	if err != nil {
		t.Fatal(err)
	}
	if f.format != "json" || !f.post || f.url == "" || f.failOn != "High" {
		t.Errorf("read %+v", f)
	}
	if f, err = parseReviewFlags(nil); err != nil || f.format != "text" || f.base != "" {
		t.Errorf("read %+v, %v", f, err)
	}
}

func TestUsageIsConfiguration(t *testing.T) {
	t.Parallel()
	err := dispatch(t.Context(), []string{"nothing"}, process{})
	var wrong *config.Error
	if !errors.As(err, &wrong) || len(wrong.Problems) != 1 {
		t.Errorf("gave %#v", err)
	}
}

// repository is a git repository in a temporary directory.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T) repository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	r := repository{t, filepath.Join(t.TempDir(), "shop")}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	return r
}

func (r repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", append([]string{"-C", r.dir, "-c", "user.name=Ann", "-c", "user.email=ann@example.com",
		"-c", "commit.gpgSign=false", "-c", "core.fsmonitor=false", "-c", "advice.addEmbeddedRepo=false"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repository) write(path, text string) {
	r.t.Helper()
	file := filepath.Join(r.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// commit commits everything and gives the commit.
func (r repository) commit(message string) string {
	r.t.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "-m", message)
	return r.git("rev-parse", "HEAD")
}

// conflict merges a branch that does not fit.
func (r repository) conflict(branch string) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", "-C", r.dir, "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "merge", branch)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "CONFLICT") {
		r.t.Fatalf("git merge: %v\n%s", err, out)
	}
}
