package diff

import (
	"strings"
	"testing"
)

// FuzzParse holds whatever is accepted against what the package promises.
func FuzzParse(f *testing.F) {
	f.Add(manyFiles(2, 2))
	f.Add("diff --git \"a/gr\\303\\274n\" b/x y\nrename from \"gr\\303\\274n\"\nrename to x y\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@ f\n-a\n\\ No newline\n+b\n")
	f.Add("--- a/x\t2020\n+++ b/x\n@@ -1,2 +1 @@\n a\n-b\n--- /dev/null\n+++ b/y\n@@ -0,0 +1 @@\n+c\n")
	f.Add("diff --cc x\n@@@ -1 -1 +1 @@@\ndiff --git a/b b/b\nBinary files a/b and b/b differ\nSubmodule a/b 1234567...89abcde (new submodule)\n")
	f.Add("diff --git a/x b/x\nold mode 160000\nnew mode 160000\nGIT binary patch\nliteral 0\n\ndelta 1\nabc\n\n-- \n2.1\n")
	f.Add("diff --git a/x b/x\r\nnew file mode 100644\r\n--- /dev/null\r\n+++ b/x\r\n@@ -0,0 +1,2 @@\r\n+\r\n+\x00\r\n")
	f.Fuzz(func(t *testing.T, patch string) {
		limits := Limits{Files: 50, Lines: 1000, LineBytes: 300, Bytes: 20_000}
		d, err := Parse(strings.NewReader(patch), limits)
		files, _ := SplitErrors(err)
		if len(d.Files) > limits.Files || len(files) > limits.Files+1 {
			t.Fatalf("%d files and %d broken ones", len(d.Files), len(files))
		}
		for i := range d.Files {
			check(t, &d.Files[i])
		}
		again, err := Parse(strings.NewReader(Format(d)), Limits{})
		if len(d.Files) > 0 && (err != nil || !equal(d, again)) {
			t.Fatalf("printed and read again: %v\n%s\ngot  %+v\nwant %+v", err, Format(d), again, d)
		}
		if file, err := ParsePatch("x", "x", StatusModified, patch); err == nil {
			check(t, &file)
		}
	})
}

// check holds one file against what its types promise.
func check(t *testing.T, f *File) {
	t.Helper()
	for _, path := range []string{f.OldPath, f.NewPath} {
		if path != "" && problemWith(path) != "" || f.Path() == "" {
			t.Fatalf("path %q: %s", path, problemWith(path))
		}
	}
	if (f.Status == StatusAdded) != (f.OldPath == "") || (f.Status == StatusDeleted) != (f.NewPath == "") {
		t.Fatalf("status %d of %q → %q", f.Status, f.OldPath, f.NewPath)
	}
	oldEnd, newEnd := 0, 0
	for _, h := range f.Hunks {
		old, updated := 0, 0
		for _, l := range h.Lines {
			if (l.Kind == Added) != (l.Old == 0) || (l.Kind == Deleted) != (l.New == 0) || strings.Contains(l.Text, "\n") {
				t.Fatalf("line %+v", l)
			}
			if l.Old > 0 {
				if l.Old != first(h.OldStart, h.OldCount)+old || l.Old <= oldEnd {
					t.Fatalf("line %+v of %+v", l, h)
				}
				old, oldEnd = old+1, l.Old
			}
			if l.New > 0 {
				if l.New != first(h.NewStart, h.NewCount)+updated || l.New <= newEnd {
					t.Fatalf("line %+v of %+v", l, h)
				}
				updated, newEnd = updated+1, l.New
			}
		}
		if old != h.OldCount || updated != h.NewCount {
			t.Fatalf("counts of %+v", h)
		}
	}
	checkLookup(t, f)
}
