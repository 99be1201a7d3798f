package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
)

const greeting = "package shop\n\nfunc Greet() string {\n\treturn \"hello\"\n}\n"

// paths gives the change's files as "old>new status".
func paths(l local) []string {
	var out []string
	for _, f := range l.change.Diff.Files {
		out = append(out, f.OldPath+">"+f.NewPath)
	}
	slices.Sort(out)
	return out
}

func read(t *testing.T, l local, side diff.Side, path string) string {
	t.Helper()
	text, err := l.files.Read(t.Context(), side, path)
	if err != nil {
		t.Fatalf("read %s at the %s side: %v", path, side, err)
	}
	return string(text)
}

// branched is a repository whose branch "change" left main before main moved on.
func branched(t *testing.T) repository {
	t.Helper()
	r := newRepository(t)
	r.write("greet.go", greeting)
	r.write("other.go", "package shop\n")
	r.write(configName, "reviews:\n  path_filters: [\"!docs/**\"]\n")
	r.commit("Begin")
	r.git("checkout", "-q", "-b", "change")
	r.write("greet.go", strings.Replace(greeting, "hello", "hi", 1))
	r.commit("Greet shorter")
	r.git("checkout", "-q", "main")
	r.write("other.go", "package shop\n\nvar moved = true\n")
	r.commit("Move on")
	r.git("checkout", "-q", "change")
	return r
}

func TestFromBase(t *testing.T) {
	t.Parallel()
	r := branched(t)
	// Not committed: a change, a staged new file, and one that nobody told git of.
	r.write("greet.go", strings.Replace(greeting, "hello", "good day", 1))
	r.write("staged.go", "package shop\n")
	r.git("add", "staged.go")
	r.write("new.go", "package shop\n")
	r.write("notes/a.txt", "a\n")
	r.write(configName, "enabled: false\n")
	r.write("sub/x", "x")

	for _, dir := range []string{r.dir, filepath.Join(r.dir, "sub")} {
		for _, base := range []string{"main", ""} {
			l, err := fromBase(t.Context(), dir, base)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := paths(l), []string{".openrabbit.yaml>.openrabbit.yaml", ">staged.go", "greet.go>greet.go"}; !slices.Equal(got, want) {
				t.Errorf("changed are %q, want %q", got, want)
			}
			if got := read(t, l, diff.Old, "greet.go"); got != greeting {
				t.Errorf("the old end is %q", got)
			}
			if got := read(t, l, diff.New, "greet.go"); !strings.Contains(got, "good day") {
				t.Errorf("the new end is %q", got)
			}
			if got := read(t, l, diff.Old, "staged.go"); got != "" {
				t.Errorf("a file that was not there is %q", got)
			}
			if !strings.Contains(string(l.config), "docs/**") {
				t.Errorf("the configuration is not that of the base: %q", l.config)
			}
			var left []string
			for _, o := range l.omissions {
				if !o.Policy {
					t.Errorf("%s makes the review partial", o.Path)
				}
				left = append(left, o.Path)
			}
			if want := []string{"new.go", "notes/", "sub/"}; !slices.Equal(left, want) {
				t.Errorf("not tracked are %q, want %q", left, want)
			}
			if l.change.Repository != "shop" || l.change.Head != "" || l.change.Base != r.git("merge-base", "main", "HEAD") {
				t.Errorf("the change is %+v", l.change)
			}
		}
	}
	if status := r.git("status", "--porcelain"); !strings.Contains(status, "?? new.go") {
		t.Errorf("the index was touched: %s", status)
	}
}

func TestFromRange(t *testing.T) {
	t.Parallel()
	r := branched(t)
	tests := map[string][]string{
		"main..change":   {"greet.go>greet.go", "other.go>other.go"},
		"main...change":  {"greet.go>greet.go"},
		"main...":        {"greet.go>greet.go"},
		"change~1..":     {"greet.go>greet.go"},
		"change..change": nil,
	}
	for spec, want := range tests {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			l, err := fromRange(t.Context(), r.dir, spec)
			if err != nil {
				t.Fatal(err)
			}
			if got := paths(l); !slices.Equal(got, want) {
				t.Errorf("changed are %q, want %q", got, want)
			}
			if l.change.Title != "Greet shorter" {
				t.Errorf("the title is %q", l.change.Title)
			}
			// A range says nothing of the work tree.
			if got := read(t, l, diff.New, "greet.go"); !strings.Contains(got, `"hi"`) {
				t.Errorf("the new end is %q", got)
			}
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	names := []string{"ünïcode – 兔.go", "with space.go", `quo"te.go`, "tab\there.go", "new\nline.go", `back\slash.go`, "-dash.go",
		"[x]*.go", ":(top)colon.go", "a/b/c.go", "trailing ", "HEAD", "{a,b}.go"}
	r := newRepository(t)
	for _, name := range names {
		r.write(name, greeting)
	}
	r.commit("Begin")
	for _, name := range names {
		r.write(name, strings.Replace(greeting, "hello", name, 1))
	}
	worktree, err := fromBase(t.Context(), r.dir, "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	r.commit("Change")
	committed, err := fromRange(t.Context(), r.dir, "HEAD~1..")
	if err != nil {
		t.Fatal(err)
	}
	for kind, l := range map[string]local{"work tree": worktree, "commit": committed} {
		if len(l.change.Diff.Files) != len(names) {
			t.Errorf("%s: %d files changed, want %d", kind, len(l.change.Diff.Files), len(names))
		}
		for _, name := range names {
			f := l.change.Diff.File(name)
			if f == nil || f.OldPath != name || f.NewPath != name {
				t.Errorf("%s: no file %q in the diff", kind, name)
				continue
			}
			if read(t, l, diff.Old, name) != greeting || !strings.Contains(read(t, l, diff.New, name), name) {
				t.Errorf("%s: %q is not read as it is", kind, name)
			}
		}
	}
}

func TestKindsOfChange(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.write("old.go", greeting+strings.Repeat("// the same\n", 20))
	r.write("image.png", "\x89PNG\x00\x01")
	r.write("gone.go", "package gone\n")
	r.write("inner/x.go", "package inner\n")
	inner := repository{t, filepath.Join(r.dir, "inner")}
	inner.git("init", "-q")
	inner.commit("Inner")
	r.commit("Begin")
	if err := os.Rename(filepath.Join(r.dir, "old.go"), filepath.Join(r.dir, "new.go")); err != nil {
		t.Fatal(err)
	}
	r.write("new.go", strings.Replace(greeting, "hello", "hi", 1)+strings.Repeat("// the same\n", 20))
	r.write("image.png", "\x89PNG\x00\x02")
	inner.write("x.go", "package inner // changed\n")
	inner.commit("Inner again")
	if err := os.Remove(filepath.Join(r.dir, "gone.go")); err != nil {
		t.Fatal(err)
	}
	r.git("add", "-A")

	l, err := fromBase(t.Context(), r.dir, "main")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := paths(l), []string{"gone.go>", "image.png>image.png", "inner>inner", "old.go>new.go"}; !slices.Equal(got, want) {
		t.Fatalf("changed are %q, want %q", got, want)
	}
	if !l.change.Diff.File("image.png").Binary || !l.change.Diff.File("inner").Submodule {
		t.Error("an image or a submodule is not seen as one")
	}
	for _, side := range []diff.Side{diff.Old, diff.New} {
		if got := read(t, l, side, "inner"); got != "" {
			t.Errorf("a submodule at the %s side is %q", side, got)
		}
	}
	if got := read(t, l, diff.New, "gone.go"); got != "" {
		t.Errorf("a deleted file is %q", got)
	}
	if !strings.Contains(read(t, l, diff.Old, "old.go"), "hello") || !strings.Contains(read(t, l, diff.New, "new.go"), "hi") {
		t.Error("a renamed file is not read at both ends")
	}
	// Empty lines of context keep their space, and three lines stand around a change, whatever the user configured.
	if hunk := l.change.Diff.File("new.go").Hunks[0]; hunk.OldCount < 7 {
		t.Errorf("the hunk has %d lines", hunk.OldCount)
	}
}

// TestLinksAreNotFollowed: what a link points to is somebody else's, inside the repository or outside.
func TestLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	const secret = "not for anybody"
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret.txt"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRepository(t)
	r.write("a.go", greeting)
	r.write("dir/x.txt", "x\n")
	r.commit("Begin")
	r.write("ignored.txt", secret)
	r.write(".gitignore", "ignored.txt\n")
	for name, target := range map[string]string{"out.txt": filepath.Join(outside, "secret.txt"), "up.txt": "../../secret.txt", "in.txt": "ignored.txt"} {
		if err := os.Symlink(target, filepath.Join(r.dir, name)); err != nil {
			t.Skip(err)
		}
	}
	r.git("add", "-A")
	l, err := fromBase(t.Context(), r.dir, "main")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"out.txt", "up.txt", "in.txt"} {
		got := read(t, l, diff.New, name)
		if got == "" || strings.Contains(got, secret) {
			t.Errorf("the link %s is read as %q", name, got)
		}
	}
	// A directory that was replaced by a link after git looked.
	if err := os.RemoveAll(filepath.Join(r.dir, "dir")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(r.dir, "dir")); err != nil {
		t.Fatal(err)
	}
	if text, err := l.files.Read(t.Context(), diff.New, "dir/secret.txt"); err == nil {
		t.Errorf("read %q through a directory that leads outside", text)
	}
	if text, err := l.files.Read(t.Context(), diff.New, "../secret.txt"); err == nil {
		t.Errorf("read %q above the repository", text)
	}
}

func TestBareDiff(t *testing.T) {
	t.Parallel()
	const text = "--- a/x.go\n+++ b/x.go\n@@ -1 +1 @@\n-package x\n+package y\n"
	l, err := fromDiff(t.Context(), "-", strings.NewReader(text))
	if err != nil || !slices.Equal(paths(l), []string{"x.go>x.go"}) {
		t.Errorf("gave %q, %v", paths(l), err)
	}
	if got := read(t, l, diff.New, "x.go"); got != "" {
		t.Errorf("of a bare diff a file is known: %q", got)
	}
	// Ctrl-C ends the wait for a diff that nobody gives.
	never, feed := io.Pipe()
	defer feed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fromDiff(ctx, "-", never); err == nil {
		t.Error("waited for input after the end")
	}
}

func TestSourcesThatAreNot(t *testing.T) {
	t.Parallel()
	empty := newRepository(t)
	full := branched(t)
	full.git("checkout", "-q", "--orphan", "alone")
	full.commit("Alone")
	tests := map[string]struct {
		dir  string
		args []string
		want string
	}{
		"no commit":           {empty.dir, nil, "no branch main or master here: --base BRANCH names"},
		"no commit for HEAD":  {empty.dir, []string{"--base", "HEAD"}, "there is no commit here yet"},
		"unknown branch":      {full.dir, []string{"--base", "mian"}, `"mian" is no branch, tag or commit here`},
		"a flag as a branch":  {full.dir, []string{"--base=--output=x"}, `is no branch, tag or commit here`},
		"unknown end":         {full.dir, []string{"--range", "main..nowhere"}, `"nowhere" is no branch, tag or commit here`},
		"one commit":          {full.dir, []string{"--range", "main"}, "want a..b or a...b"},
		"nothing in common":   {full.dir, []string{"--base", "main"}, "main and HEAD have no commit in common here"},
		"nothing in common 2": {full.dir, []string{"--range", "main...alone"}, "no commit in common"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := call{dir: test.dir}.openrabbit(t, append([]string{"review"}, test.args...)...)
			r.want(t, lifecycle.ExitConfig, "", test.want)
			if strings.Count(r.err, "\n") != 1 {
				t.Errorf("want one line:\n%s", r.err)
			}
		})
	}
}
