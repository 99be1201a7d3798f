package github_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
)

// nasty is a change with all that makes diffs hard: before and after.
func nasty() (before, after map[string]string) {
	before = map[string]string{
		"same.go":            "package same\n",
		"edited.go":          lines("line", 60),
		"gone.go":            "package gone\n\nvar x = 1\n",
		"old name.go":        lines("moved", 12),
		"pure/rename.txt":    lines("pure", 5),
		"noeol.txt":          "one\ntwo",
		"crlf.txt":           "one\r\ntwo\r\nthree\r\n",
		"picture.png":        "\x89PNG\x00\x01",
		"ünï/çödé.go":        "package a\n",
		`quote".go`:          "package q\n",
		"tab\there.go":       "package t\n",
		"becomes-empty.txt":  "something\n",
		"minus.sql":          "-- a comment\nselect 1;\n",
		"will be binary.bin": "text\n",
	}
	after = map[string]string{
		"same.go":            "package same\n",
		"edited.go":          strings.Replace(strings.Replace(lines("line", 60), "line 05\n", "line five\nand a half\n", 1), "line 50\n", "", 1),
		"new name.go":        strings.Replace(lines("moved", 12), "moved 06", "moved six", 1),
		"pure/renamed.txt":   lines("pure", 5),
		"noeol.txt":          "one\ntwo\nthree",
		"crlf.txt":           "one\r\n2\r\nthree\r\n",
		"picture.png":        "\x89PNG\x00\x02",
		"ünï/çödé.go":        "package b\n",
		`quote".go`:          "package r\n",
		"tab\there.go":       "package u\n",
		"becomes-empty.txt":  "",
		"empty.txt":          "",
		"minus.sql":          "select 2;\n++ not a header\n",
		"b file b.txt":       "new\n",
		"will be binary.bin": "\x00\x01",
		"fresh/new.go":       "package fresh\n\nfunc New() {}\n",
	}
	return before, after
}

// openNasty gives a pull request with the nasty change, and says what its files should be.
func openNasty(t *testing.T, o githubtest.Options) (w world, pr github.PullRequest, before, after map[string]string) {
	t.Helper()
	w = newWorld(t, o)
	before, after = nasty()
	number, _, err := w.OpenPullRequest(repo, githubtest.PullRequestSpec{Title: "Nasty", Base: before, Head: after})
	if err != nil {
		t.Fatal(err)
	}
	return w, w.pull(t, number), before, after
}

// checkNasty proves a diff against the files themselves.
func checkNasty(t *testing.T, d diff.Diff, before, after map[string]string) {
	t.Helper()
	got := map[string]diff.Status{}
	for i := range d.Files {
		f := &d.Files[i]
		got[f.Path()] = f.Status
		if f.Unseen {
			t.Errorf("%s is unseen", f.Path())
		}
		if f.Binary {
			continue
		}
		if err := diff.Verify(f, content(before, f.OldPath), content(after, f.NewPath)); err != nil {
			t.Errorf("%s: %v", f.Path(), err)
		}
	}
	want := map[string]diff.Status{
		"edited.go": diff.StatusModified, "gone.go": diff.StatusDeleted, "new name.go": diff.StatusRenamed, "pure/renamed.txt": diff.StatusRenamed,
		"noeol.txt": diff.StatusModified, "crlf.txt": diff.StatusModified, "picture.png": diff.StatusModified, "ünï/çödé.go": diff.StatusModified,
		`quote".go`: diff.StatusModified, "tab\there.go": diff.StatusModified, "becomes-empty.txt": diff.StatusModified, "empty.txt": diff.StatusAdded,
		"minus.sql": diff.StatusModified, "b file b.txt": diff.StatusAdded, "will be binary.bin": diff.StatusModified, "fresh/new.go": diff.StatusAdded,
	}
	for path, status := range want {
		if got[path] != status {
			t.Errorf("%s: status %d, want %d", path, got[path], status)
		}
	}
	if len(d.Files) != len(want) {
		t.Errorf("%d files, want %d", len(d.Files), len(want))
	}
	for path, binary := range map[string]bool{"picture.png": true, "will be binary.bin": true, "edited.go": false, "empty.txt": false} {
		if f := d.File(path); f == nil || f.Binary != binary {
			t.Errorf("%s: binary is not %v", path, binary)
		}
	}
	if f := d.File("new name.go"); f == nil || f.OldPath != "old name.go" || len(f.Hunks) != 1 {
		t.Errorf("renamed file = %+v", f)
	}
}

func content(files map[string]string, path string) []byte {
	if path == "" {
		return nil
	}
	return []byte(files[path])
}

func TestDiff(t *testing.T) {
	t.Parallel()
	w, pr, before, after := openNasty(t, githubtest.Options{})
	d, err := w.client.Diff(t.Context(), repo, pr.Number, pr)
	if err != nil {
		t.Fatal(err)
	}
	checkNasty(t, d, before, after)
	if n := w.Count("GET /repos/{owner}/{repo}/pulls/{pull_number}/files"); n != 0 {
		t.Errorf("%d listings for a diff that came whole", n)
	}
}

func TestDiffFallsBackToListing(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]githubtest.Options{
		"too many files": {DiffFiles: 3}, "too many lines": {DiffLines: 10}, "too many bytes": {DiffBytes: 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, pr, before, after := openNasty(t, o)
			d, err := w.client.Diff(t.Context(), repo, pr.Number, pr)
			if err != nil {
				t.Fatal(err)
			}
			checkNasty(t, d, before, after)
		})
	}
}

// many gives n files.
func many(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("dir%d/file%03d.txt", i%7, i)] = fmt.Sprintf("file %d\n", i)
	}
	return files
}

func TestDiffOfManyFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{PatchBytes: 1000})
	before, huge := base(), lines("a long line to make the patch too large", 50)
	for i := range 22 {
		before[fmt.Sprintf("huge/%02d.txt", i)] = huge
	}
	before["yarn.lock"] = huge
	head := githubtest.With(before, many(301))
	head["huge/new.txt"] = huge
	for i := range 22 { // each has a patch that is too large, and so has the lock file
		head[fmt.Sprintf("huge/%02d.txt", i)] = strings.ReplaceAll(huge, "large", "big")
	}
	head["yarn.lock"] = strings.ReplaceAll(huge, "large", "big")
	number, _, err := w.OpenPullRequest(repo, githubtest.PullRequestSpec{Base: before, Head: head})
	if err != nil {
		t.Fatal(err)
	}
	pr := w.pull(t, number)
	d, err := w.client.Diff(t.Context(), repo, number, pr)
	if err != nil {
		t.Fatal(err)
	}
	// What comes without a patch is compared here: the first twenty, and none that nobody wrote.
	var unseen []string
	for i := range d.Files {
		f := &d.Files[i]
		if f.Unseen {
			unseen = append(unseen, f.Path())
			continue
		}
		if err := diff.Verify(f, content(before, f.OldPath), content(head, f.NewPath)); err != nil || len(f.Hunks) == 0 {
			t.Errorf("%s: %d hunks, %v", f.Path(), len(f.Hunks), err)
		}
	}
	if want := []string{"huge/20.txt", "huge/21.txt", "huge/new.txt", "yarn.lock"}; len(d.Files) != 325 || !slices.Equal(unseen, want) {
		t.Errorf("%d files, unseen %q, want %q", len(d.Files), unseen, want)
	}
	if n := w.Count("GET /repos/{owner}/{repo}/pulls/{pull_number}/files"); n != 4 {
		t.Errorf("%d pages, want 4", n)
	}
}

func TestDiffBeyondTheListing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{DiffFiles: 10, ListedFiles: 15})
	before := githubtest.With(base(), many(30))
	after := githubtest.With(before, map[string]string{"dir0/file000.txt": "", "dir0/renamed.txt": before["dir0/file000.txt"], "zz.txt": "z\n"})
	for i := range 20 {
		after[fmt.Sprintf("dir%d/file%03d.txt", (i+5)%7, i+5)] += "more\n"
	}
	delete(after, "dir1/file029.txt")
	number, _, err := w.OpenPullRequest(repo, githubtest.PullRequestSpec{Base: before, Head: after})
	if err != nil {
		t.Fatal(err)
	}
	pr := w.pull(t, number)
	d, err := w.client.Diff(t.Context(), repo, number, pr)
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Files {
		f := &d.Files[i]
		if err := diff.Verify(f, content(before, f.OldPath), content(after, f.NewPath)); err != nil || f.Unseen {
			t.Errorf("%s: unseen %v, %v", f.Path(), f.Unseen, err)
		}
	}
	if len(d.Files) != pr.ChangedFiles {
		t.Errorf("%d files, want %d", len(d.Files), pr.ChangedFiles)
	}
	if f := d.File("zz.txt"); f == nil || len(f.Hunks) != 1 || f.Status != diff.StatusAdded {
		t.Errorf("the last file = %+v", f)
	}
}

func TestDiffWithBrokenFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, _ := w.open(t, map[string]string{"main.go": lines("other", 20), "new.go": "package new\n"})
	pr := w.pull(t, number)
	whole := w.Diff(repo, number)
	for name, text := range map[string]string{
		"a hunk that lies about its lines": strings.Replace(whole, "@@ -0,0 +1", "@@ -0,0 +1,9", 1),
		"a file that is missing":           whole[:strings.Index(whole, "diff --git a/new.go")],
	} {
		fault := w.Inject(githubtest.Fault{Route: pullRoute, Status: 200, Body: text, Header: map[string]string{"Content-Type": "application/vnd.github.diff"}})
		d, err := w.client.Diff(t.Context(), repo, number, pr)
		fault.Disarm()
		if err != nil || fault.Landed() != 1 {
			t.Fatalf("%s: %v, landed %d", name, err, fault.Landed())
		}
		if f := d.File("new.go"); len(d.Files) != 2 || f == nil || f.Unseen || len(f.Hunks) != 1 {
			t.Errorf("%s: %+v", name, d.Files)
		}
	}
	garbage := w.Inject(githubtest.Fault{Route: pullRoute, Status: 200, Body: "<html>Unicorn!</html>"})
	_, err := w.client.Diff(t.Context(), repo, number, pr)
	garbage.Disarm()
	wantKind(t, err, github.Unavailable)
}

func TestFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	odd := map[string]string{
		"a b/c%d#e?.txt": "odd\n", "ünï.txt": "ü\n", "empty.txt": "", "bin": "\x00\xff", "dir/file.txt": "in a folder\n", "looks.json": `{"type":"file"}`,
		"large.txt": strings.Repeat("x", 2<<20), "huge.txt": strings.Repeat("x", 9<<20),
	}
	head, err := w.PushBase(repo, odd)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range odd {
		got, err := w.client.File(t.Context(), repo, head, path)
		if path == "huge.txt" {
			wantKind(t, err, github.TooLarge)
			continue
		}
		if err != nil || got == nil || string(got) != want {
			t.Errorf("%s: %d bytes, nil %v, %v", path, len(got), got == nil, err)
		}
	}
	for _, path := range []string{"absent.txt", "dir", "dir/absent", "main.go", "", "/etc/passwd", "../x", "dir/../bin", "./bin", "dir//file.txt", "a\x00b"} {
		if got, err := w.client.File(t.Context(), repo, head, path); err != nil || got != nil {
			t.Errorf("%q: %q, %v; want nothing", path, got, err)
		}
	}
	if _, err := w.client.File(t.Context(), repo, "", "bin"); github.KindOf(err) != github.Invalid {
		t.Errorf("no commit: %v", err)
	}
	// A server that knows no raw media type sends the file in base64.
	w.Inject(githubtest.Fault{
		Route: "GET /repos/{owner}/{repo}/contents/{path}", Status: 200, Times: 1, Body: `{"type":"file","encoding":"base64","content":"aGVs\nbG8="}`,
		Header: map[string]string{"Content-Type": "application/json; charset=utf-8"},
	})
	if got, err := w.client.File(t.Context(), repo, head, "bin"); err != nil || string(got) != "hello" {
		t.Errorf("in base64: %q, %v", got, err)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, _ := w.open(t, map[string]string{"main.go": "new\n", "README.md": ""})
	pr := w.pull(t, number)
	files := w.client.Files(repo, pr.MergeBase, pr.Head)
	for _, c := range []struct {
		side diff.Side
		path string
		want []byte
	}{
		{diff.Old, "main.go", []byte(lines("line", 20))}, {diff.New, "main.go", []byte("new\n")}, {diff.Old, "README.md", []byte("# Widgets\n")},
		{diff.New, "README.md", nil}, {diff.SideUnknown, "main.go", nil},
	} {
		got, err := files.Read(t.Context(), c.side, c.path)
		if err != nil || !bytes.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s %s: %q, %v", c.side, c.path, got, err)
		}
	}
	big, err := w.Push(repo, number, map[string]string{"big.txt": strings.Repeat("x", 9<<20)})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := w.client.Files(repo, "", big).Read(t.Context(), diff.New, "big.txt"); got != nil || err != nil {
		t.Errorf("a file beyond the cap: %d bytes, %v", len(got), err)
	}
	if got, err := w.client.Files(repo, "", pr.Head).Read(t.Context(), diff.Old, "main.go"); got != nil || err != nil {
		t.Errorf("a side without a commit: %q, %v", got, err)
	}
}

func TestEachFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	files := githubtest.With(many(40), map[string]string{"ünï/a b.txt": "odd\n", "large.txt": strings.Repeat("0123456789", 1000)})
	head, err := w.PushBase(repo, files)
	if err != nil {
		t.Fatal(err)
	}
	collect := func(l github.ArchiveLimits) (map[string]string, github.Archive, error) {
		got := map[string]string{}
		a, err := w.client.EachFile(t.Context(), repo, head, l, func(path string, content []byte) error {
			got[path] = string(content)
			return nil
		})
		return got, a, err
	}
	before := len(w.Requests())
	got, a, err := collect(github.ArchiveLimits{})
	if err != nil || a.Files != 42 || a.TooLarge != 0 || a.Truncated || len(got) != 42 {
		t.Fatalf("%+v, %d files, %v", a, len(got), err)
	}
	for path, want := range files {
		if got[path] != want {
			t.Errorf("%s: %d bytes, want %d", path, len(got[path]), len(want))
		}
	}
	if n := len(w.Requests()) - before; n > 3 { // token, redirect, archive
		t.Errorf("%d requests for an archive", n)
	}
	if _, a, err := collect(github.ArchiveLimits{FileBytes: 100}); err != nil || a.Files != 41 || a.TooLarge != 1 {
		t.Errorf("with a limit for a file: %+v, %v", a, err)
	}
	if _, a, err := collect(github.ArchiveLimits{Files: 10}); err != nil || a.Files != 10 || !a.Truncated {
		t.Errorf("with a limit for files: %+v, %v", a, err)
	}
	if _, a, err := collect(github.ArchiveLimits{UnpackedBytes: 5000}); err != nil || !a.Truncated || a.Files == 0 {
		t.Errorf("with a limit for all: %+v, %v", a, err)
	}
	if _, _, err := collect(github.ArchiveLimits{ArchiveBytes: 100}); github.KindOf(err) != github.TooLarge {
		t.Errorf("with a limit for the archive: %v", err)
	}
	mine := errors.New("mine")
	if _, err := w.client.EachFile(t.Context(), repo, head, github.ArchiveLimits{}, func(string, []byte) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("the caller's error came back as %v", err)
	}
	w.Inject(githubtest.Fault{Route: "GET /_codeload/{owner}/{repo}/{ref}", CutBody: 400, Times: 1})
	if _, _, err := collect(github.ArchiveLimits{}); github.KindOf(err) != github.Unavailable {
		t.Errorf("a cut archive: %v", err)
	}
	w.Inject(githubtest.Fault{Route: "GET /_codeload/{owner}/{repo}/{ref}", Status: 200, Body: "<html>", Times: 1})
	if _, _, err := collect(github.ArchiveLimits{}); github.KindOf(err) != github.Unavailable {
		t.Errorf("no archive: %v", err)
	}
}

// TestListedFiles reads a listing with what the stand-in itself never gives.
func TestListedFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{DiffFiles: 1})
	number, _ := w.open(t, map[string]string{"main.go": "x\n", "new.go": "package new\n"})
	const commit = "0123456789012345678901234567890123456789"
	w.Inject(githubtest.Fault{Route: "GET /repos/{owner}/{repo}/pulls/{pull_number}/files", Status: 200, Body: `[
		{"filename":"cut.go","status":"modified","additions":9,"deletions":1,"changes":10,"patch":"@@ -1 +1 @@\n-a\n+b"},
		{"filename":"lies.go","status":"modified","additions":1,"deletions":1,"changes":2,"patch":"@@ -1,5 +1 @@\n-a\n+b"},
		{"filename":"none.go","status":"modified","additions":4000,"deletions":0,"changes":4000},
		{"filename":"mode.sh","status":"changed","additions":0,"deletions":0,"changes":0},
		{"filename":"copy.go","previous_filename":"source.go","status":"copied","additions":1,"deletions":1,"changes":2,"patch":"@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file"},
		{"filename":"picture.png","status":"added","additions":0,"deletions":0,"changes":0,"sha":"` + commit + `"},
		{"filename":"lib","status":"modified","additions":1,"deletions":1,"changes":2,"patch":"@@ -1 +1 @@\n-Subproject commit ` + commit + `\n+Subproject commit ` + strings.Repeat("a", 40) + `"},
		{"filename":"cut.go","status":"modified","additions":1,"deletions":1,"changes":2,"patch":"@@ -1 +1 @@\n-a\n+b"},
		{"status":"modified"}]`})
	d, err := w.client.Diff(t.Context(), repo, number, w.pull(t, number))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]diff.File{
		"cut.go":      {OldPath: "cut.go", Status: diff.StatusModified, Unseen: true},
		"lies.go":     {OldPath: "lies.go", Status: diff.StatusModified, Unseen: true},
		"none.go":     {OldPath: "none.go", Status: diff.StatusModified, Unseen: true},
		"mode.sh":     {OldPath: "mode.sh", Status: diff.StatusModified},
		"copy.go":     {OldPath: "source.go", Status: diff.StatusCopied},
		"picture.png": {Status: diff.StatusAdded, Binary: true},
		"lib":         {OldPath: "lib", Status: diff.StatusModified, Submodule: true},
	} {
		f := d.File(path)
		if f == nil {
			t.Errorf("%s is missing", path)
			continue
		}
		if f.OldPath != want.OldPath || f.Status != want.Status || f.Unseen != want.Unseen || f.Binary != want.Binary || f.Submodule != want.Submodule || f.Unseen && len(f.Hunks) > 0 {
			t.Errorf("%s = %+v", path, f)
		}
	}
	if f := d.File("copy.go"); len(d.Files) != 7 || len(f.Hunks) != 1 || !f.Hunks[0].Lines[1].NoEOL {
		t.Errorf("%d files, %+v", len(d.Files), f)
	}
}
