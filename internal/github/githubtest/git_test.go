package githubtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// TestObjectsAreGits compares with what git itself said of the same files.
func TestObjectsAreGits(t *testing.T) {
	t.Parallel()
	if got := blobSHA("hello\n"); got != "ce013625030ba8dba906f756967f9e9ca394464a" {
		t.Errorf("blob %s", got)
	}
	tree, entries := treeOf(map[string]string{"a/x": "hello\n", "a.txt": "y\n", "b.d/z": "z\n", "empty": ""}, "")
	if tree != "ec59489b06ba51635f8cc96396b8bbe6ca78d0df" {
		t.Errorf("tree %s", tree)
	}
	var paths []string
	for _, e := range entries {
		paths = append(paths, e.path)
	}
	if want := []string{"a.txt", "a", "a/x", "b.d", "b.d/z", "empty"}; !slices.Equal(paths, want) {
		t.Errorf("entries %v, want %v", paths, want)
	}
	if empty, _ := treeOf(nil, ""); empty != "4b825dc642cb6eb9a060e54bf8d69288fbee4904" {
		t.Errorf("empty tree %s", empty)
	}
}

func TestMergeBase(t *testing.T) {
	t.Parallel()
	r := &repository{commits: map[string]*commit{}}
	root := r.commit(nil, "root")
	one := r.commit(map[string]string{"a": "1"}, "one", root.sha)
	side := r.commit(map[string]string{"b": "1"}, "side", one.sha)
	two := r.commit(map[string]string{"a": "2"}, "two", one.sha)
	merged := r.commit(map[string]string{"a": "2", "b": "1"}, "merge", side.sha, two.sha)
	other := r.commit(map[string]string{"c": "1"}, "another root")
	for _, c := range []struct{ a, b, want string }{
		{two.sha, side.sha, one.sha}, {two.sha, merged.sha, two.sha}, {root.sha, merged.sha, root.sha}, {one.sha, one.sha, one.sha}, {one.sha, other.sha, ""},
	} {
		if got := r.mergeBase(c.a, c.b); got != c.want {
			t.Errorf("merge base of %s and %s is %q, want %q", c.a[:7], c.b[:7], got, c.want)
		}
	}
	if n := len(r.between(two.sha, merged.sha)); n != 2 {
		t.Errorf("%d commits between, want 2", n)
	}
}

// TestDiffsAreTrue takes any change of any files, and proves its diff against the files with our own parser.
func TestDiffsAreTrue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := func(label string) string {
			lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "", "-x", "+y", "@@ z", "\\ no", "ü\r", " "}), 0, 12).Draw(t, label)
			end := rapid.SampledFrom([]string{"", "\n"}).Draw(t, label+" end")
			if len(lines) == 0 {
				return ""
			}
			return strings.Join(lines, "\n") + end
		}
		before, after := map[string]string{}, map[string]string{}
		for i := range rapid.IntRange(1, 4).Draw(t, "files") {
			path := rapid.SampledFrom([]string{"a.go", "dir/b c.go", "ü/\t\".go", "b b.go"}).Draw(t, "path") + fmt.Sprint(i)
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				before[path] = text("before")
			case 1:
				after[path] = text("after")
			case 2:
				before[path], after[path] = text("before"), text("after")
			case 3:
				before[path], after["moved-"+path] = text("before"), text("after")
			}
		}
		all := changes(before, after)
		d, err := diff.Parse(strings.NewReader(unified(all)), diff.Limits{})
		if err != nil {
			t.Fatalf("%v\n%s", err, unified(all))
		}
		if len(d.Files) != len(all) {
			t.Fatalf("%d files of %d\n%s", len(d.Files), len(all), unified(all))
		}
		for i := range d.Files {
			f := &d.Files[i]
			if err := diff.Verify(f, []byte(before[f.OldPath]), []byte(after[f.NewPath])); err != nil {
				t.Fatalf("%v\n%s", err, unified(all))
			}
			if added, deleted := f.Counts(); added != all[i].additions || deleted != all[i].deletions {
				t.Fatalf("%s: %d and %d lines, counted %d and %d", f.Path(), added, deleted, all[i].additions, all[i].deletions)
			}
			// The stand-in and the domain agree on where a comment may stand.
			for line := range 16 {
				for side, name := range map[diff.Side]string{diff.Old: "LEFT", diff.New: "RIGHT"} {
					anchor := diff.Anchor{Path: f.Path(), Side: side, Start: line, End: line}
					if ours, theirs := d.Valid(anchor) == nil, all[i].hunkAt(name, line) >= 0; line > 0 && ours != theirs {
						t.Fatalf("%s: valid %v, stand-in %v\n%s", anchor, ours, theirs, unified(all))
					}
				}
			}
		}
	})
}

// TestEveryOperationIsServedAndDescribed holds routes, list and description together.
func TestEveryOperationIsServedAndDescribed(t *testing.T) {
	t.Parallel()
	d, err := loadDescription()
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, r := range routes() {
		if r.outside != nil {
			continue
		}
		served[r.String()] = true
		if item := d.doc.Paths.Value(r.template); item == nil || item.GetOperation(r.method) == nil {
			t.Errorf("%s is not in GitHub's description: add it to operations.txt and run go generate", r)
		}
	}
	for path, item := range d.doc.Paths.Map() {
		for method := range item.Operations() {
			if !served[method+" "+path] {
				t.Errorf("%s %s is described and not served", method, path)
			}
		}
	}
}
