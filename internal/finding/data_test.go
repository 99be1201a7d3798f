package finding

import (
	"encoding/json"
	"math/rand/v2"
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
				Path string
				Side string
				From int `json:"from_line"`
				To   int `json:"to_line"`
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
			one := golden{filepath.Base(filepath.Dir(path)), &d, diff.Anchor{Path: g.Path, Side: side, Start: g.From, End: g.To}}
			if d.Valid(one.a) == nil {
				inside = append(inside, one)
			} else {
				outside = append(outside, one)
			}
		}
	}
	return inside, outside
}

// TestGoldenCommentsFindTheirLines replays the comments with the code they stand on as the quote, under right, missing
// and wrong hints and with mangled white space.
func TestGoldenCommentsFindTheirLines(t *testing.T) {
	t.Parallel()
	inside, outside := goldens(t)
	random := rand.New(rand.NewPCG(4, 4))
	right := func(a diff.Anchor) (int, int) { return a.Start, a.End }
	none := func(diff.Anchor) (int, int) { return 0, 0 }
	off := func(a diff.Anchor) (int, int) {
		shift := random.IntN(41) - 20
		return max(1, a.Start+shift), max(1, a.End+shift)
	}
	tests := []struct {
		name   string
		hints  func(diff.Anchor) (int, int)
		mangle func(*rand.Rand, string) string
		rounds int
	}{
		{"right hints", right, verbatim, 1},
		{"no hints", none, verbatim, 1},
		{"hints off by up to 20", off, verbatim, 50},
		{"white space collapsed, right hints", right, collapse, 1},
		{"white space collapsed, no hints", none, collapse, 1},
		{"trimmed, no hints", none, trim, 1},
		{"random white space, right hints", right, jumble, 20},
		{"random white space, no hints", none, jumble, 20},
		{"random white space, hints off", off, jumble, 50},
	}
	for _, test := range tests {
		exact, unplaced, once := 0, 0, 0
		for _, g := range inside {
			quote := strings.Join(g.d.Text(g.a), "\n")
			alone := occurrences(g.d.File(g.a.Path), quote) == 1
			for range test.rounds {
				start, end := test.hints(g.a)
				mangled := test.mangle(random, quote)
				a, why := Locate(g.d, Candidate{Path: g.a.Path, Quote: mangled, StartLine: start, EndLine: end})
				if alone {
					once++
				}
				switch {
				case a == g.a:
					exact++
				case !a.IsZero():
					t.Errorf("%s: %s %s was found at %s", test.name, g.pull, g.a, a)
				case alone || mangled == quote && start == g.a.Start:
					t.Errorf("%s: %s %s was not found: %s", test.name, g.pull, g.a, why)
				default:
					unplaced++
				}
			}
		}
		t.Logf("%-36s %d exact, %d without a place, 0 wrong; %d occur once whatever their white space", test.name, exact, unplaced, once)
	}
	for _, g := range inside {
		for _, c := range []Candidate{
			{Path: g.a.Path + ".go", Quote: strings.Join(g.d.Text(g.a), "\n"), StartLine: g.a.Start},
			{Path: g.a.Path, Quote: "if frobnicate(quux) != nil {\n\tpanic(\"no such code\")\n}", StartLine: g.a.Start, EndLine: g.a.End},
			{Path: g.a.Path, StartLine: g.a.Start, EndLine: g.a.End},
		} {
			if a, why := Locate(g.d, c); !a.IsZero() || why == "" {
				t.Errorf("%+v was found at %s", c, a)
			}
		}
	}
	t.Logf("%d comments in hunks, %d outside", len(inside), len(outside))
}

// occurrences counts where a quote stands in a file's hunks when white space does not count.
func occurrences(f *diff.File, quote string) int {
	var in []*sequence
	for i := range f.Hunks {
		in = append(in, newSequence(f.Hunks[i].Side(diff.New), diff.New), newSequence(f.Hunks[i].Side(diff.Old), diff.Old))
	}
	return len(collect(in, trimBlank(strings.Split(quote, "\n")), (*sequence).loose))
}
