package finding

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// kind says what a way of quoting does to the code.
type quoting uint8

const (
	whole   quoting = iota // nothing is lost but white space
	lossy                  // code is left out
	rewrote                // code is changed
)

// way is how a model may quote code. It gives false for code that cannot be quoted so.
type way struct {
	name  string
	kind  quoting
	quote func(r *rand.Rand, lines []string) (string, bool)
}

func each(change func(string) string) func(*rand.Rand, []string) (string, bool) {
	return func(_ *rand.Rand, lines []string) (string, bool) {
		out := make([]string, len(lines))
		for i, line := range lines {
			out[i] = change(line)
		}
		return strings.Join(out, "\n"), true
	}
}

func random(mangle func(*rand.Rand, string) string) func(*rand.Rand, []string) (string, bool) {
	return func(r *rand.Rand, lines []string) (string, bool) { return mangle(r, strings.Join(lines, "\n")), true }
}

// longest gives the index of the line that says most.
func longest(lines []string) int {
	at := 0
	for i, line := range lines {
		if weight(line) > weight(lines[at]) {
			at = i
		}
	}
	return at
}

func between(middle string) func(*rand.Rand, []string) (string, bool) {
	return func(_ *rand.Rand, lines []string) (string, bool) {
		if len(lines) < 3 || weight(lines[0]+lines[len(lines)-1]) < minPart {
			return "", false
		}
		return lines[0] + "\n" + middle + "\n" + lines[len(lines)-1], true
	}
}

func changing(change func(*rand.Rand, string) string) func(*rand.Rand, []string) (string, bool) {
	return func(r *rand.Rand, lines []string) (string, bool) {
		out := slices.Clone(lines)
		at := longest(lines)
		out[at] = change(r, lines[at])
		return strings.Join(out, "\n"), out[at] != lines[at]
	}
}

// ways are the ways of quoting that are tried.
var ways = []way{
	{"verbatim", whole, each(func(s string) string { return s })},
	{"blanks collapsed", whole, random(collapse)},
	{"trimmed", whole, random(trim)},
	{"indentation stripped", whole, each(func(s string) string { return strings.TrimLeft(s, " \t") })},
	{"tabs as blanks", whole, each(func(s string) string { return strings.ReplaceAll(s, "\t", "    ") })},
	{"blanks as tabs", whole, each(func(s string) string { return strings.ReplaceAll(s, "    ", "\t") })},
	{"indented anew", whole, each(func(s string) string {
		text := strings.TrimLeft(s, " \t")
		return strings.Repeat("  ", len(s)-len(text)) + text
	})},
	{"blanks at the ends", whole, each(func(s string) string { return s + "  " })},
	{"carriage returns", whole, each(func(s string) string { return s + "\r" })},
	{"random white space", whole, random(jumble)},
	{"in a fence", whole, random(func(_ *rand.Rand, s string) string { return "```go\n" + s + "\n```" })},
	{"as a diff", whole, each(func(s string) string { return "+" + s })},
	{"numbered", whole, func(_ *rand.Rand, lines []string) (string, bool) {
		var b strings.Builder
		for i, line := range lines {
			fmt.Fprintf(&b, "%4d | %s\n", 700+i, line)
		}
		return b.String(), true
	}},
	{"middle elided", lossy, between("...")},
	{"middle elided by a comment", lossy, between("\t// ... existing code ...")},
	{"middle left out", lossy, func(_ *rand.Rand, lines []string) (string, bool) {
		if len(lines) < 3 {
			return "", false
		}
		return lines[0] + "\n" + lines[len(lines)-1], true
	}},
	{"a character wrong", rewrote, changing(func(r *rand.Rand, s string) string {
		at := []int{}
		for i := range len(s) {
			if s[i] > ' ' && s[i] < 0x7f {
				at = append(at, i)
			}
		}
		if len(at) == 0 {
			return s
		}
		i := at[r.IntN(len(at))]
		return s[:i] + string("abcxyz_019"[r.IntN(10)]) + s[i+1:]
	})},
	{"a word dropped", rewrote, changing(func(r *rand.Rand, s string) string {
		words := strings.Fields(s)
		if len(words) < 3 {
			return s
		}
		return strings.Replace(s, words[1+r.IntN(len(words)-2)]+" ", "", 1)
	})},
	{"a word changed", rewrote, changing(func(r *rand.Rand, s string) string {
		words := strings.FieldsFunc(s, func(c rune) bool { return !wordRune(c) })
		if len(words) == 0 {
			return s
		}
		return strings.Replace(s, words[r.IntN(len(words))], "somethingElse", 1)
	})},
	{"a comment added", rewrote, changing(func(_ *rand.Rand, s string) string { return s + " // here" })},
	{"a call added", rewrote, changing(func(_ *rand.Rand, s string) string { return s + "\nfrobnicate(quux)" })},
}

// guesses are the line numbers that a model may give with a quote.
var guesses = []struct {
	name   string
	shifts []int
	given  bool
}{
	{"right", []int{0}, true},
	{"none", []int{0}, false},
	{"off by 1 to 20", slices.DeleteFunc(upTo(20), func(n int) bool { return n == 0 }), true},
}

func upTo(n int) (all []int) {
	for i := -n; i <= n; i++ {
		all = append(all, i)
	}
	return all
}

// TestOracleReplay quotes the code under every comment of people on real pull requests in every way and with every hint.
// No comment may come out at a false location. What stands in the file's hunks once, white space aside, must be found.
func TestOracleReplay(t *testing.T) {
	t.Parallel()
	inside, outside := goldens(t)
	r := rand.New(rand.NewPCG(4, 4))
	for _, w := range ways {
		for _, guess := range guesses {
			exact, unplaced, wrong, tried := 0, 0, 0, 0
			for _, g := range inside {
				lines := g.d.Text(g.a)
				alone := occurrences(g.d.File(g.a.Path), strings.Join(lines, "\n")) == 1
				for _, shift := range guess.shifts {
					quote, ok := w.quote(r, lines)
					if !ok {
						continue
					}
					c := Candidate{Path: g.a.Path, Quote: quote}
					if guess.given {
						c.StartLine, c.EndLine = max(1, g.a.Start+shift), max(1, g.a.End+shift)
					}
					tried++
					switch a, why := Locate(g.d, c); {
					case a == g.a:
						exact++
					case !a.IsZero():
						wrong++
						t.Errorf("%s, hints %s by %d: %s %s was found at %s by %q", w.name, guess.name, shift, g.pull, g.a, a, quote)
					case w.kind == whole && (alone || guess.name == "right"):
						t.Errorf("%s, hints %s by %d: %s %s was not found: %s", w.name, guess.name, shift, g.pull, g.a, why)
					default:
						unplaced++
					}
				}
			}
			t.Logf("%-28s hints %-16s %5d: %5d exact, %4d without a place, %d false", w.name, guess.name, tried, exact, unplaced, wrong)
		}
	}
	t.Logf("%d comments in hunks, %d outside", len(inside), len(outside))
}

// TestOracleOfWhatIsNotThere asks for what has no place in the diff, with the hints of a comment that has one.
func TestOracleOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	inside, outside := goldens(t)
	counts := map[string][2]int{} // asked, found
	none := func(what string, d *diff.Diff, c Candidate) {
		t.Helper()
		count := counts[what]
		count[0]++
		if a, why := Locate(d, c); !a.IsZero() || why == "" {
			count[1]++
			t.Errorf("%s: %q of %s was found at %s", what, c.Quote, c.Path, a)
		}
		counts[what] = count
	}
	for _, g := range inside {
		quote := strings.Join(g.d.Text(g.a), "\n")
		hinted := func(path, quote string) Candidate {
			return Candidate{Path: path, Quote: quote, StartLine: g.a.Start, EndLine: g.a.End}
		}
		none("a hallucinated file", g.d, hinted(g.a.Path+".go", quote))
		none("a hallucinated directory", g.d, hinted("src/"+g.a.Path, quote))
		none("code that is nowhere", g.d, hinted(g.a.Path, "if frobnicate(quux) != nil {\n\tpanic(\"no such code\")\n}"))
		none("one line that is nowhere", g.d, hinted(g.a.Path, "frobnicate(quux, 17)"))
		none("lines alone", g.d, hinted(g.a.Path, ""))
		for i := range g.d.Files {
			f := &g.d.Files[i]
			if f.Path() != g.a.Path && occurrences(f, quote) == 0 && !partOf(f, quote) {
				none("code of another changed file", g.d, hinted(f.Path(), quote))
			}
		}
		f := g.d.File(g.a.Path)
		for i := 1; i < len(f.Hunks); i++ {
			above, below := f.Hunks[i-1].Side(diff.New), f.Hunks[i].Side(diff.New)
			if len(above) == 0 || len(below) == 0 {
				continue
			}
			both := above[len(above)-1].Text + "\n" + below[0].Text
			if weight(both) >= minPart && occurrences(f, both) == 0 {
				none("code over two hunks", g.d, hinted(g.a.Path, both))
			}
		}
		for _, common := range []string{"}", "\t}", "return nil", "\treturn nil", "{", ")", "});", "else:", "end", "return", "null", "pass", "\t\t}\n\t}"} {
			switch n := occurrences(f, common); {
			case n == 0 && !partOf(f, common):
				none("a common line that is not there", g.d, hinted(g.a.Path, common))
			case n > 1:
				none("a common line that stands often, no hint", g.d, Candidate{Path: g.a.Path, Quote: common})
			}
		}
	}
	for _, g := range outside {
		quote, ok := atHead(t, g)
		if !ok {
			t.Log("OPENRABBIT_CHECKOUTS is not set: what stands outside the hunks was not quoted")
			break
		}
		for _, w := range ways {
			if q, ok := w.quote(rand.New(rand.NewPCG(1, 1)), quote); ok {
				none("code outside every hunk", g.d, Candidate{Path: g.a.Path, Quote: q, StartLine: g.a.Start, EndLine: g.a.End})
				none("code outside every hunk", g.d, Candidate{Path: g.a.Path, Quote: q})
			}
		}
	}
	for what, count := range counts {
		t.Logf("%-44s %5d asked, %d false", what, count[0], count[1])
	}
}

// partOf says whether a quote is part of lines of a file's hunks, white space aside: then it is there, after all.
func partOf(f *diff.File, quote string) bool {
	for i := range f.Hunks {
		for _, side := range []diff.Side{diff.Old, diff.New} {
			if strings.Contains(newSequence(f.Hunks[i].Side(side), side).stream, squeeze(quote)) {
				return true
			}
		}
	}
	return false
}

// atHead reads the lines under a comment from the files themselves.
func atHead(t *testing.T, g golden) ([]string, bool) {
	t.Helper()
	dir := os.Getenv("OPENRABBIT_CHECKOUTS")
	if dir == "" {
		return nil, false
	}
	content, err := exec.CommandContext(t.Context(), "git", "-C", filepath.Join(dir, g.pull), "show", "head:"+g.a.Path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return linesOf(content)[g.a.Start-1 : g.a.End], true
}
