package finding

import (
	"encoding/json"
	"fmt"
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

func TestGoldenCommentsFindTheirLines(t *testing.T) {
	t.Parallel()
	inside, outside := goldens(t)
	random := rand.New(rand.NewPCG(4, 4))
	type tally struct{ exact, none, wrong int }
	off := func(a diff.Anchor) (int, int) {
		shift := random.IntN(41) - 20
		return max(1, a.Start+shift), max(1, a.End+shift)
	}
	right := func(a diff.Anchor) (int, int) { return a.Start, a.End }
	nowhere := func(diff.Anchor) (int, int) { return 0, 0 }
	modes := []struct {
		name   string
		hints  func(diff.Anchor) (int, int)
		mangle func(string) string
		rounds int
	}{
		{"right hints", right, same, 1},
		{"no hints", nowhere, same, 1},
		{"hints off by up to 20", off, same, 50},
		{"white space collapsed, right hints", right, collapse, 1},
		{"white space collapsed, no hints", nowhere, collapse, 1},
		{"trimmed, no hints", nowhere, strings.TrimSpace, 1},
		{"dedented, no hints", nowhere, dedent, 1},
		{"tabs for blanks, no hints", nowhere, retab, 1},
		{"random white space, hints off", off, func(s string) string { return jumble(random, s) }, 50},
		{"random white space, no hints", nowhere, func(s string) string { return jumble(random, s) }, 20},
	}
	for _, mode := range modes {
		var sum tally
		single := 0
		for _, g := range inside {
			lines := g.d.Text(g.a)
			quote := strings.Join(lines, "\n")
			if strings.TrimSpace(quote) == "" {
				t.Logf("%s %s quotes only blank lines", g.pull, g.a)
				continue
			}
			times := len(collect(sidesOf(g.d.File(g.a.Path)), trimBlank(lines), (*sequence).exact))
			if times == 1 {
				single++
			}
			for range mode.rounds {
				start, end := mode.hints(g.a)
				a, why := Locate(g.d, Candidate{Path: g.a.Path, Quote: mode.mangle(quote), StartLine: start, EndLine: end})
				switch {
				case a == g.a:
					sum.exact++
				case a.IsZero():
					sum.none++
					if mode.rounds == 1 {
						t.Logf("%s: %s %s: %s (%q)", mode.name, g.pull, g.a, why, quote)
					}
				default:
					sum.wrong++
					t.Logf("%s: %s %s found at %s, hint %d (%d times) %q", mode.name, g.pull, g.a, a, start, times, quote)
				}
			}
		}
		t.Logf("%-36s %+v, quotes that occur once %d", mode.name, sum, single)
	}
	t.Logf("%d inside, %d outside", len(inside), len(outside))
	for _, g := range outside {
		a, why := Locate(g.d, Candidate{Path: g.a.Path, Quote: "", StartLine: g.a.Start})
		t.Log(g.a, a, why)
	}
}

func same(s string) string     { return s }
func collapse(s string) string { 
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.Join(strings.Fields(lines[i]), " ")
	}
	return strings.Join(lines, "\n")
}
func retab(s string) string {
	if strings.Contains(s, "\t") {
		return strings.ReplaceAll(s, "\t", "    ")
	}
	return strings.ReplaceAll(s, "    ", "\t")
}
func dedent(s string) string {
	lines := strings.Split(s, "\n")
	indent := -1
	for _, l := range lines {
		if strings.TrimSpace(l) != "" {
			if n := len(l) - len(strings.TrimLeft(l, " \t")); indent < 0 || n < indent {
				indent = n
			}
		}
	}
	for i, l := range lines {
		lines[i] = l[min(len(l), max(indent, 0)):]
	}
	return strings.Join(lines, "\n")
}
func jumble(random *rand.Rand, s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == ' ' || r == '\t':
			b.WriteString([]string{"", " ", "  ", "\t"}[random.IntN(4)])
		case r == '\n':
			b.WriteString([]string{"\n", "\n\n", " \n", "\r\n", "\n\t"}[random.IntN(5)])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
func sidesOf(f *diff.File) []*sequence {
	var in []*sequence
	for i := range f.Hunks {
		in = append(in, newSequence(f.Hunks[i].Side(diff.New), diff.New), newSequence(f.Hunks[i].Side(diff.Old), diff.Old))
	}
	return in
}
var _ = fmt.Sprint
