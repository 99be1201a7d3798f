package diff

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// checkouts is a folder of git repositories, one for each real pull request, with the tags base and head.
func checkouts(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("OPENRABBIT_CHECKOUTS")
	if dir == "" {
		tb.Skip("OPENRABBIT_CHECKOUTS is not set: no diff was compared with the files themselves")
	}
	return dir
}

// TestRealDiffsAgreeWithTheirFiles holds every line of the diffs of real pull requests against the line of its number
// in the files at both ends.
func TestRealDiffsAgreeWithTheirFiles(t *testing.T) {
	t.Parallel()
	dir := checkouts(t)
	patches, err := filepath.Glob(filepath.Join(dataDir(t), "pulls", "*", "pr.diff"))
	if err != nil || len(patches) == 0 {
		t.Fatalf("no pull requests: %v", err)
	}
	pulls, files, binary, lines := 0, 0, 0, [4]int{}
	for _, path := range patches {
		name := filepath.Base(filepath.Dir(path))
		repository := filepath.Join(dir, name)
		if _, err := os.Stat(repository); err != nil {
			t.Logf("%s is not laid out", name)
			continue
		}
		pulls++
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(bytes.NewReader(text), Limits{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		show := func(tag, path string) []byte {
			if path == "" {
				return nil
			}
			out, err := exec.CommandContext(t.Context(), "git", "-C", repository, "show", tag+":"+path).Output()
			if err != nil {
				t.Errorf("%s: %s is not in %s: %v", name, path, tag, err)
			}
			return out
		}
		for i := range d.Files {
			f := &d.Files[i]
			if files++; f.Binary || f.Submodule {
				binary++
				continue
			}
			before, after := show("base", f.OldPath), show("head", f.NewPath)
			if err := Verify(f, before, after); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, h := range f.Hunks {
				for _, l := range h.Lines {
					lines[l.Kind]++
				}
			}
			// What stands between the hunks is the same on both sides, so the diff is whole.
			if err := applies(f, before, after); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	t.Logf("%d pull requests, %d files (%d without lines): %d context, %d added and %d deleted lines", pulls, files, binary, lines[Context], lines[Added], lines[Deleted])
	if pulls == 0 {
		t.Errorf("nothing is laid out in %s", dir)
	}
}
