package finding

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// golden is one comment of a person on a real pull request.
type golden struct {
	pull string
	d    *diff.Diff
	a    diff.Anchor
	note string
}

// goldens reads the comments that have lines; it is a measurement on data that is not part of the project.
func goldens(t *testing.T) (inside, outside []golden) {
	t.Helper()
	dir := os.Getenv("OPENRABBIT_DATA")
	if dir == "" {
		t.Skip("OPENRABBIT_DATA is not set: nothing was measured on real pull requests")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "pulls", "*__*", "pr.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no pull requests: %v", err)
	}
	for _, path := range paths {
		var pull struct {
			Golden []struct {
				Path, Side, Note string
				From             int `json:"from_line"`
				To               int `json:"to_line"`
			}
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, &pull); err != nil {
			t.Fatal(err)
		}
		patch, err := os.Open(filepath.Join(filepath.Dir(path), "pr.diff"))
		if err != nil {
			t.Fatal(err)
		}
		d, err := diff.Parse(patch, diff.Limits{})
		patch.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range pull.Golden {
			side := diff.New
			if g.Side == "left" {
				side = diff.Old
			}
			one := golden{filepath.Base(filepath.Dir(path)), &d, diff.Anchor{Path: g.Path, Side: side, Start: g.From, End: g.To}, g.Note}
			if d.Valid(one.a) == nil {
				inside = append(inside, one)
			} else {
				outside = append(outside, one)
			}
		}
	}
	return inside, outside
}

// occurrences counts where a quote stands in a file's hunks when white space does not count.
func occurrences(f *diff.File, quote string) int {
	var in []*sequence
	for i := range f.Hunks {
		in = append(in, newSequence(f.Hunks[i].Side(diff.New), diff.New), newSequence(f.Hunks[i].Side(diff.Old), diff.Old))
	}
	return len(collect(in, trimBlank(strings.Split(quote, "\n")), (*sequence).loose))
}
