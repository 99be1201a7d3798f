package chunk

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// checkCover holds the promise: every line with something on it once, in order, whole lines, within the limit.
func checkCover(t interface {
	Helper()
	Fatalf(string, ...any)
}, content string, chunks []syntax.Chunk, limit int) {
	t.Helper()
	lines := strings.Split(content, "\n")
	covered := make([]int, len(lines)+1)
	last := 0
	ids := make(map[string]bool)
	for _, c := range chunks {
		if c.Range.StartLine <= last || c.Range.EndLine < c.Range.StartLine {
			t.Fatalf("chunk at %d-%d after line %d", c.Range.StartLine, c.Range.EndLine, last)
		}
		last = c.Range.EndLine
		for l := c.Range.StartLine; l <= c.Range.EndLine; l++ {
			covered[l]++
		}
		want := strings.TrimRight(content[c.Range.StartByte:c.Range.EndByte], "\r\n")
		if c.Text != want {
			t.Fatalf("chunk %d-%d: text is not that of its bytes", c.Range.StartLine, c.Range.EndLine)
		}
		if c.Tokens > limit && c.Range.EndLine > c.Range.StartLine {
			t.Fatalf("chunk %d-%d has %d tokens, more than %d", c.Range.StartLine, c.Range.EndLine, c.Tokens, limit)
		}
		if ids[c.ID] {
			t.Fatalf("two chunks have the id %s", c.ID)
		}
		ids[c.ID] = true
	}
	for i, l := range lines {
		if strings.TrimSpace(l) != "" && covered[i+1] != 1 {
			t.Fatalf("line %d (%q) is in %d chunks", i+1, l, covered[i+1])
		}
	}
}

// genFile draws a text with definitions that nest, overlap on lines, or lie about where they end.
func genFile(t *rapid.T) (string, []syntax.Symbol) {
	line := rapid.OneOf(
		rapid.Just(""), rapid.Just("   "), rapid.Just("}"), rapid.Just("// comment"),
		rapid.StringMatching(`[ \t]{0,8}[a-z (){}=]{1,60}`),
		rapid.Map(rapid.IntRange(1, 4000), func(n int) string { return strings.Repeat("x+", n/2) + "y" }),
		rapid.StringN(0, 40, 80),
	)
	lines := rapid.SliceOfN(rapid.Map(line, func(s string) string { return strings.ReplaceAll(s, "\n", " ") }), 0, 120).Draw(t, "lines")
	content := strings.Join(lines, rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end"))
	kinds := rapid.SampledFrom([]syntax.Kind{syntax.Function, syntax.Class, syntax.Method, syntax.Variable})
	var symbols []syntax.Symbol
	var nest func(from, to, depth int)
	nest = func(from, to, depth int) {
		for from <= to && len(symbols) < 60 {
			start := rapid.IntRange(from, to).Draw(t, "start")
			end := rapid.IntRange(start, to).Draw(t, "finish")
			name := fmt.Sprintf("s%d", len(symbols)%7)
			symbols = append(symbols, syntax.Symbol{
				Name: name, Kind: kinds.Draw(t, "kind"), Signature: "func " + name + strings.Repeat("é", start%300),
				Range: syntax.Range{StartLine: start, EndLine: end},
			})
			if depth < 4 && rapid.Bool().Draw(t, "inner") {
				nest(start, end, depth+1)
			}
			// Sometimes the next one begins on the line where this one ends.
			from = end + rapid.IntRange(0, 3).Draw(t, "gap")
			if from == start {
				from++
			}
		}
	}
	nest(1, len(lines)+2, 0)
	return content, symbols
}

func TestEveryLineOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		content, symbols := genFile(t)
		limit := rapid.SampledFrom([]int{MinTokens, 200, DefaultTokens, 2000}).Draw(t, "limit")
		path := rapid.SampledFrom([]string{"a.go", strings.Repeat("deep/", 300) + "é.py"}).Draw(t, "path")
		checkCover(t, content, Cut(path, []byte(content), symbols, limit), limit)
		checkCover(t, content, Cut(path, []byte(content), nil, limit), limit)
	})
}

func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("a\xff\xfe\xc3(b\n", 400)
	chunks := Cut("x\xff.txt", []byte(content), nil, 0)
	checkCover(t, content, chunks, DefaultTokens)
	if len(chunks) < 2 {
		t.Fatalf("%d chunks", len(chunks))
	}
}

func function(name string, start, end int) syntax.Symbol {
	return syntax.Symbol{Name: name, Kind: syntax.Function, Signature: "func " + name + "()", Range: syntax.Range{StartLine: start, EndLine: end}}
}

func body(n int) string { return strings.Repeat("\tdo(something, with, arguments)\n", n) }

func TestScopes(t *testing.T) {
	t.Parallel()
	// Lines: 1 package, 3 comment, 4-15 big, 17-19 tiny, 21-23 wee, 25-64 long.
	content := "package x\n\n// big does much.\nfunc big() {\n" + body(10) + "}\n\n" +
		"func tiny() {\n\tx()\n}\n\nfunc wee() {\n\ty()\n}\n\n" +
		"func long() {\n" + body(18) + "\n" + body(19) + "}\n"
	symbols := []syntax.Symbol{function("big", 4, 15), function("tiny", 17, 19), function("wee", 21, 23), function("long", 25, 64)}
	chunks := Cut("x.go", []byte(content), symbols, 250)
	checkCover(t, content, chunks, 250)
	type piece struct {
		symbol   string
		from, to int
	}
	var got []piece
	for _, c := range chunks {
		got = append(got, piece{c.Symbol, c.Range.StartLine, c.Range.EndLine})
	}
	// The comment goes with what it is about, the small ones go together, the long one is cut at its blank line.
	want := []piece{{"", 1, 1}, {"big", 3, 15}, {"", 17, 23}, {"long", 25, 43}, {"long", 45, 64}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if want := "x.go\nfunc long()"; chunks[3].Header != want {
		t.Errorf("header %q, want %q", chunks[3].Header, want)
	}
}

func TestMembersOfALargeClass(t *testing.T) {
	t.Parallel()
	content := "class C {\n  field = 1;\n\n" + "  a() {\n" + body(12) + "  }\n\n  b() {\n" + body(12) + "  }\n}\n"
	symbols := []syntax.Symbol{
		{Name: "C", Kind: syntax.Class, Signature: "class C", Range: syntax.Range{StartLine: 1, EndLine: 33}, Parent: -1},
		{Name: "a", Kind: syntax.Method, Container: "C", Signature: "a()", Range: syntax.Range{StartLine: 4, EndLine: 17}},
		{Name: "b", Kind: syntax.Method, Container: "C", Signature: "b()", Range: syntax.Range{StartLine: 19, EndLine: 32}},
	}
	chunks := Cut("c.js", []byte(content), symbols, 200)
	checkCover(t, content, chunks, 200)
	if len(chunks) != 3 || chunks[0].Symbol != "C" || chunks[1].Symbol != "a" || chunks[2].Symbol != "b" {
		t.Fatalf("chunks %+v", chunks)
	}
	if chunks[1].Header != "c.js\nC\na()" {
		t.Errorf("header %q", chunks[1].Header)
	}
	// The class's closing bracket stays with what stands before it.
	if chunks[2].Range.EndLine != 33 {
		t.Errorf("last chunk ends at %d", chunks[2].Range.EndLine)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	content := "package x\n\nfunc a() {\n" + body(10) + "}\n"
	symbols := []syntax.Symbol{function("a", 3, 14)}
	before := Cut("x.go", []byte(content), symbols, 0)
	// Lines added above move a chunk without changing its id.
	moved := "package x\n\nimport \"fmt\"\n\n" + strings.TrimPrefix(content, "package x\n\n")
	after := Cut("x.go", []byte(moved), []syntax.Symbol{function("a", 5, 16)}, 0)
	if before[1].ID != after[1].ID || before[0].ID == after[0].ID {
		t.Errorf("ids %v %v", before, after)
	}
	if other := Cut("y.go", []byte(content), symbols, 0); other[1].ID == before[1].ID {
		t.Error("another path has the same id")
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "x": 1, "func": 2, strings.Repeat("a", 360): 100, "日本語": 5} {
		if got := Tokens(text); got != want {
			t.Errorf("Tokens(%q) = %d, want %d", text, got, want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("package x\n\nfunc a() {\n}\n", 3, 4)
	f.Fuzz(func(t *testing.T, content string, start, end int) {
		symbols := []syntax.Symbol{function("a", start, end), function("b", start, end)}
		checkCover(t, content, Cut("x", []byte(content), symbols, 200), 200)
	})
}
