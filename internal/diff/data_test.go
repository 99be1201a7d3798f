package diff

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// dataDir is the folder of real pull requests to measure with; it is not part of the project.
func dataDir(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("OPENRABBIT_DATA")
	if dir == "" {
		tb.Skip("OPENRABBIT_DATA is not set: nothing was measured on real pull requests")
	}
	return dir
}

func TestRealPullsAgreeWithNumstat(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob(filepath.Join(dataDir(t), "pulls", "*", "pr.diff"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no pull requests found: %v", err)
	}
	files, lines := 0, 0
	for _, path := range dirs {
		name := filepath.Base(filepath.Dir(path))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(bytes.NewReader(text), Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		numstat, err := os.ReadFile(filepath.Join(filepath.Dir(path), "numstat.txt"))
		if err != nil {
			t.Fatal(err)
		}
		rows := strings.Split(strings.TrimSpace(string(numstat)), "\n")
		if len(rows) != len(d.Files) {
			t.Errorf("%s: %d files, numstat has %d", name, len(d.Files), len(rows))
			continue
		}
		for i, row := range rows {
			f := &d.Files[i]
			added, deleted := f.Counts()
			files, lines = files+1, lines+added+deleted
			fields := strings.SplitN(row, "\t", 3)
			if fields[0] == "-" {
				if !f.Binary {
					t.Errorf("%s: %s is binary", name, fields[2])
				}
				continue
			}
			if fields[0] != strconv.Itoa(added) || fields[1] != strconv.Itoa(deleted) {
				t.Errorf("%s: %s has +%d -%d, numstat says %s", name, f.Path(), added, deleted, row)
			}
			if from, to := renamed(fields[2]); f.Path() != to || f.Status == StatusRenamed && f.OldPath != from {
				t.Errorf("%s: path %q (from %q), numstat says %q", name, f.Path(), f.OldPath, fields[2])
			}
		}
		if again, err := Parse(strings.NewReader(Format(d)), Limits{}); err != nil || !equal(d, again) {
			t.Errorf("%s: does not survive printing: %v", name, err)
		}
	}
	t.Logf("%d pull requests, %d files, %d changed lines", len(dirs), files, lines)
}

// renamed reads git's "dir/{old => new}/file".
func renamed(path string) (from, to string) {
	before, rest, ok := strings.Cut(path, "{")
	if !ok {
		if from, to, ok := strings.Cut(path, " => "); ok {
			return from, to
		}
		return path, path
	}
	inner, after, _ := strings.Cut(rest, "}")
	from, to, _ = strings.Cut(inner, " => ")
	return strings.ReplaceAll(before+from+after, "//", "/"), strings.ReplaceAll(before+to+after, "//", "/")
}
