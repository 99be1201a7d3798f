package finding

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// The ways in which quotes come back with other white space than they had.

func verbatim(_ *rand.Rand, s string) string { return s }

func trim(_ *rand.Rand, s string) string { return strings.TrimSpace(s) }

func collapse(_ *rand.Rand, s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.Join(strings.Fields(lines[i]), " ")
	}
	return strings.Join(lines, "\n")
}

func jumble(random *rand.Rand, s string) string {
	var b strings.Builder
	for _, r := range s {
		switch r {
		case ' ', '\t':
			b.WriteString([]string{"", " ", "  ", "\t"}[random.IntN(4)])
		case '\n':
			b.WriteString([]string{"\n", "\n\n", " \n", "\r\n", "\n\t"}[random.IntN(5)])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

const shopPatch = `diff --git a/old/shop.go b/shop/shop.go
similarity index 80%
rename from old/shop.go
rename to shop/shop.go
--- a/old/shop.go
+++ b/shop/shop.go
@@ -10,9 +10,12 @@ func Total(items []Item) int {
 	sum := 0
 	for _, item := range items {
-		sum += item.Price
+		if item.Count == 0 {
+			continue
+		}
+		sum += item.Price * item.Count
 	}
 	return sum
 }
 
 func Name() string {
 	return "shop"
@@ -40,8 +43,8 @@ func Find(id int) *Item {
 	for i := range items {
 		if items[i].ID == id {
-			return nil
+			return &items[i]
 		}
 	}
 	return nil
 }
 
@@ -100,4 +103,6 @@ func Close() error {
 	if err := db.Close(); err != nil {
 		return fmt.Errorf("close the database of the shop at %s: %w", address, err)
 	}
+	cache.Close()
+	return nil
 }
diff --git a/logo.png b/logo.png
index 1..2 100644
Binary files a/logo.png and b/logo.png differ
`

func parse(tb testing.TB, patch string) *diff.Diff {
	tb.Helper()
	d, err := diff.Parse(strings.NewReader(patch), diff.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return &d
}

func TestLocate(t *testing.T) {
	t.Parallel()
	d := parse(t, shopPatch)
	d.Files = append(d.Files, diff.File{OldPath: "huge.go", NewPath: "huge.go", Unseen: true})
	const path = "shop/shop.go"
	tests := map[string]struct {
		c    Candidate
		side diff.Side
		at   [2]int
		why  string
	}{
		"verbatim":                      {Candidate{Path: path, Quote: "\t\tsum += item.Price * item.Count"}, diff.New, [2]int{15, 15}, ""},
		"several lines":                 {Candidate{Path: path, Quote: "\t\tif item.Count == 0 {\n\t\t\tcontinue\n\t\t}\n"}, diff.New, [2]int{12, 14}, ""},
		"context":                       {Candidate{Path: path, Quote: "func Name() string {\n\treturn \"shop\""}, diff.New, [2]int{20, 21}, ""},
		"other white space":             {Candidate{Path: path, Quote: "sum+=item.Price*item.Count\n}\nreturn   sum"}, diff.New, [2]int{15, 17}, ""},
		"lines joined":                  {Candidate{Path: path, Quote: "if item.Count == 0 { continue }"}, diff.New, [2]int{12, 14}, ""},
		"CRLF":                          {Candidate{Path: path, Quote: "\t\t\tcontinue\r\n\t\t}\r\n"}, diff.New, [2]int{13, 14}, ""},
		"a deleted line":                {Candidate{Path: path, Quote: "\t\tsum += item.Price"}, diff.Old, [2]int{12, 12}, ""},
		"deleted with context":          {Candidate{Path: path, Quote: "for _, item := range items {\n sum += item.Price\n }"}, diff.Old, [2]int{11, 13}, ""},
		"the old path":                  {Candidate{Path: "old/shop.go", Quote: "cache.Close()"}, diff.New, [2]int{106, 106}, ""},
		"prefixes":                      {Candidate{Path: "b/shop/shop.go", Quote: "cache.Close()"}, diff.New, [2]int{106, 106}, ""},
		"a dot":                         {Candidate{Path: "./shop/shop.go", Quote: "cache.Close()"}, diff.New, [2]int{106, 106}, ""},
		"a quoted path":                 {Candidate{Path: " `shop/shop.go` ", Quote: "cache.Close()"}, diff.New, [2]int{106, 106}, ""},
		"a fence":                       {Candidate{Path: path, Quote: "```go\n\t\t\tcontinue\n```"}, diff.New, [2]int{13, 13}, ""},
		"backticks":                     {Candidate{Path: path, Quote: "`cache.Close()`"}, diff.New, [2]int{106, 106}, ""},
		"markers":                       {Candidate{Path: path, Quote: "-\t\tsum += item.Price\n+\t\tif item.Count == 0 {\n+\t\t\tcontinue"}, diff.New, [2]int{12, 13}, ""},
		"markers of deleted lines":      {Candidate{Path: path, Quote: "-\t\tsum += item.Price"}, diff.Old, [2]int{12, 12}, ""},
		"line numbers":                  {Candidate{Path: path, Quote: "12 | if item.Count == 0 {\n13 |     continue"}, diff.New, [2]int{12, 13}, ""},
		"a listing of ours":             {Candidate{Path: path, Quote: "12 +\t\tif item.Count == 0 {\n13 +\t\t\tcontinue\n14 +\t\t}"}, diff.New, [2]int{12, 14}, ""},
		"a listing with deleted lines":  {Candidate{Path: path, Quote: "11  \tfor _, item := range items {\n   -\t\tsum += item.Price\n12 +\t\tif item.Count == 0 {"}, diff.New, [2]int{11, 12}, ""},
		"as it is printed":              {Candidate{Path: path, Quote: "\t\tsum += item.Price\n\t\tif item.Count == 0 {"}, diff.New, [2]int{12, 12}, ""},
		"an elision":                    {Candidate{Path: path, Quote: "if item.Count == 0 {\n...\nreturn sum"}, diff.New, [2]int{12, 17}, ""},
		"an elision in a comment":       {Candidate{Path: path, Quote: "for _, item := range items {\n\t// ... existing code ...\n\tsum += item.Price * item.Count"}, diff.New, [2]int{11, 15}, ""},
		"an elision at the end":         {Candidate{Path: path, Quote: "func Name() string {\n..."}, diff.New, [2]int{20, 20}, ""},
		"lines skipped":                 {Candidate{Path: path, Quote: "sum := 0\nsum += item.Price * item.Count\nreturn sum"}, diff.New, [2]int{10, 17}, ""},
		"part of a line":                {Candidate{Path: path, Quote: "item.Price * item.Count"}, diff.New, [2]int{15, 15}, ""},
		"the beginning of a line":       {Candidate{Path: path, Quote: "return fmt.Errorf(\"close the database..."}, diff.New, [2]int{104, 104}, ""},
		"a line that was cut":           {Candidate{Path: path, Quote: "\t\treturn fmt.Errorf(\"close the database of the shop… (41 more bytes)"}, diff.New, [2]int{104, 104}, ""},
		"a few characters wrong":        {Candidate{Path: path, Quote: "return fmt.Errorf(\"close the database of this shop at %s: %v\", address, err)"}, diff.New, [2]int{104, 104}, ""},
		"several, the hint is on one":   {Candidate{Path: path, Quote: "\treturn nil", StartLine: 107, EndLine: 107}, diff.New, [2]int{107, 107}, ""},
		"several, the hint is near one": {Candidate{Path: path, Quote: "\treturn nil", StartLine: 98}, diff.New, [2]int{107, 107}, ""},
		"hints the wrong way round":     {Candidate{Path: path, Quote: "\treturn nil", StartLine: 107, EndLine: 3}, diff.New, [2]int{107, 107}, ""},
		"only an end":                   {Candidate{Path: path, Quote: "\treturn nil", EndLine: 107}, diff.New, [2]int{107, 107}, ""},

		"several, no hint":            {Candidate{Path: path, Quote: "\treturn nil"}, 0, [2]int{}, "2 times"},
		"several, the hint is far":    {Candidate{Path: path, Quote: "\treturn nil", StartLine: 75}, 0, [2]int{}, "2 times"},
		"several, a negative hint":    {Candidate{Path: path, Quote: "\treturn nil", StartLine: -5, EndLine: -1}, 0, [2]int{}, "2 times"},
		"a brace":                     {Candidate{Path: path, Quote: "\t}"}, 0, [2]int{}, "times"},
		"code that is nowhere":        {Candidate{Path: path, Quote: "sum -= item.Discount", StartLine: 15, EndLine: 15}, 0, [2]int{}, "not in the diff"},
		"a word of a line":            {Candidate{Path: path, Quote: "item"}, 0, [2]int{}, "not in the diff"},
		"part of a word":              {Candidate{Path: path, Quote: "ose the database of the sh"}, 0, [2]int{}, "not in the diff"},
		"over two hunks":              {Candidate{Path: path, Quote: "func Name() string {\n...\ncache.Close()"}, 0, [2]int{}, "not in the diff"},
		"only an elision":             {Candidate{Path: path, Quote: "..."}, 0, [2]int{}, "not in the diff"},
		"no quote, a good line":       {Candidate{Path: path, StartLine: 15, EndLine: 15}, 0, [2]int{}, "no code was quoted"},
		"blank":                       {Candidate{Path: path, Quote: " \n\t\n"}, 0, [2]int{}, "no code was quoted"},
		"another file":                {Candidate{Path: "shop/other.go", Quote: "cache.Close()"}, 0, [2]int{}, "the file is not in the diff"},
		"no file":                     {Candidate{Quote: "cache.Close()"}, 0, [2]int{}, "the file is not in the diff"},
		"the end of a path":           {Candidate{Path: "shop.go", Quote: "cache.Close()"}, 0, [2]int{}, "the file is not in the diff"},
		"a binary file":               {Candidate{Path: "logo.png", Quote: "cache.Close()"}, 0, [2]int{}, "no lines"},
		"a file that was not sent":    {Candidate{Path: "huge.go", Quote: "cache.Close()"}, 0, [2]int{}, "not delivered"},
		"a quote longer than a quote": {Candidate{Path: path, Quote: strings.Repeat("x", 20_000)}, 0, [2]int{}, "too long"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := diff.Anchor{}
			if test.side != 0 {
				want = diff.Anchor{Path: path, Side: test.side, Start: test.at[0], End: test.at[1]}
			}
			a, why := Locate(d, test.c)
			if a != want {
				t.Errorf("got %s (%s), want %s", a, why, want)
			}
			if (why == "") != a.IsZero() == false || !strings.Contains(why, test.why) {
				t.Errorf("why is %q, want %q", why, test.why)
			}
		})
	}
}

func TestMovedCodeIsFoundWhereItIsNow(t *testing.T) {
	t.Parallel()
	d := parse(t, `--- a/x
+++ b/x
@@ -1,4 +1,4 @@
-	moved := compute(a, b)
 one
 two
 three
+	moved := compute(a, b)
`)
	for _, c := range []Candidate{{}, {StartLine: 4}, {StartLine: 2}} {
		c.Path, c.Quote = "x", "\tmoved := compute(a, b)"
		if a, why := Locate(d, c); a != (diff.Anchor{Path: "x", Side: diff.New, Start: 4, End: 4}) {
			t.Errorf("hint %d: got %s, %s", c.StartLine, a, why)
		}
	}
	// The line given is exactly that of the deleted one, but may as well be a wrong one of the other, which is near.
	if a, why := Locate(d, Candidate{Path: "x", Quote: "\tmoved := compute(a, b)", StartLine: 1}); !a.IsZero() || why == "" {
		t.Errorf("got %s", a)
	}
}

func TestAHintChoosesAmongHundreds(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	fmt.Fprintf(&b, "--- /dev/null\n+++ b/x\n@@ -0,0 +1,5000 @@\n")
	for range 1000 {
		b.WriteString("+func f() error {\n+\tg()\n+\treturn nil\n+}\n+\n")
	}
	d := parse(t, b.String())
	for _, quote := range []string{"\treturn nil", "return  nil", "\tg()\n\treturn nil\n}"} {
		start := 3
		if strings.HasPrefix(quote, "\tg") {
			start = 2
		}
		for _, at := range []int{0, 300, 4995} {
			c := Candidate{Path: "x", Quote: quote, StartLine: at + start, EndLine: at + start + strings.Count(quote, "\n")}
			if a, why := Locate(d, c); a.Start != c.StartLine || a.End != c.EndLine {
				t.Errorf("%q at %d: got %s, %s", quote, c.StartLine, a, why)
			}
		}
	}
}

// randomDiff makes a diff of one file. Many of its lines stand in it more than once.
func randomDiff(r *rand.Rand) *diff.Diff {
	statements := []string{"}", "return nil", "if err != nil {", "count++", "", "\tbreak", "} else {", "defer mu.Unlock()", "x = append(x, y)"}
	line := func() string {
		indent := strings.Repeat("\t", r.IntN(4))
		if r.IntN(2) == 0 {
			return indent + statements[r.IntN(len(statements))]
		}
		return fmt.Sprintf("%svalue%d := compute(%d, other%d)", indent, r.IntN(60), r.IntN(3), r.IntN(5))
	}
	f := diff.File{OldPath: "dir/x.go", NewPath: "dir/x.go", Status: diff.StatusModified}
	if r.IntN(3) == 0 {
		f.OldPath, f.Status = "dir/y.go", diff.StatusRenamed
	}
	before, after := 1, 1
	for range 1 + r.IntN(4) {
		gap := r.IntN(40)
		before, after = before+gap, after+gap
		h := diff.Hunk{OldStart: before, NewStart: after}
		for range 1 + r.IntN(25) {
			l := diff.Line{Text: line(), Kind: diff.LineKind(1 + r.IntN(3))}
			if l.Kind != diff.Added {
				l.Old, before, h.OldCount = before, before+1, h.OldCount+1
			}
			if l.Kind != diff.Deleted {
				l.New, after, h.NewCount = after, after+1, h.NewCount+1
			}
			h.Lines = append(h.Lines, l)
		}
		if h.OldCount == 0 {
			h.OldStart--
		}
		if h.NewCount == 0 {
			h.NewStart--
		}
		f.Hunks = append(f.Hunks, h)
	}
	return &diff.Diff{Files: []diff.File{f}}
}

// someLines picks lines of one hunk to quote. On the old side they hold a deleted one.
func someLines(r *rand.Rand, f *diff.File) (diff.Anchor, []string) {
	for range 50 {
		side := diff.Side(1 + r.IntN(2))
		h := &f.Hunks[r.IntN(len(f.Hunks))]
		lines := h.Side(side)
		if len(lines) == 0 {
			continue
		}
		from := r.IntN(len(lines))
		to := min(len(lines)-1, from+r.IntN(6))
		var text []string
		deleted := false
		for _, l := range lines[from : to+1] {
			text = append(text, l.Text)
			deleted = deleted || l.Kind == diff.Deleted
		}
		if strings.TrimSpace(text[0]) == "" || strings.TrimSpace(text[len(text)-1]) == "" || side == diff.Old && !deleted {
			continue
		}
		return diff.Anchor{Path: f.Path(), Side: side, Start: lines[from].Number(side), End: lines[to].Number(side)}, text
	}
	return diff.Anchor{}, nil
}

// TestNoFalseLocations quotes random lines of random diffs in all the ways that models do. What is found must be the
// place, and what stands in the diff once, whatever its white space, must be found.
func TestNoFalseLocations(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 12))
	exact, unplaced := 0, 0
	for range 3000 {
		d := randomDiff(r)
		f := &d.Files[0]
		want, text := someLines(r, f)
		if text == nil {
			continue
		}
		quote := strings.Join(text, "\n")
		alone := occurrences(f, quote) == 1
		for _, mangle := range []func(*rand.Rand, string) string{verbatim, collapse, trim, jumble} {
			c := Candidate{Path: f.OldPath, Quote: mangle(r, quote)}
			a, why := Locate(d, c)
			check(t, d, a, why)
			moved := a.Side == diff.New && want.Side == diff.Old
			switch {
			case a == want:
				exact++
			case a.IsZero() && !alone:
				unplaced++
			case a.IsZero():
				t.Fatalf("%q of %s was not found: %s\n%s", c.Quote, want, why, diff.Format(*d))
			case moved && !alone: // the deleted code was added elsewhere: it is found there
			case c.Quote != quote && c.Quote == strings.Join(d.Text(a), "\n"):
				// With its white space lost, the quote is verbatim other code. Nobody could tell.
			default:
				t.Fatalf("%q of %s was found at %s\n%s", c.Quote, want, a, diff.Format(*d))
			}
			// With the right lines, the right place, always; or none, when deleted code also stands on the new side near.
			c.StartLine, c.EndLine = want.Start, want.End
			if a, why := Locate(d, c); a != want && c.Quote == quote && !sameLines(d, want, a) && !(a.IsZero() && want.Side == diff.Old && !alone) {
				t.Fatalf("%q of %s with its lines was found at %s (%s)\n%s", c.Quote, want, a, why, diff.Format(*d))
			}
		}
		for _, hallucinated := range []string{"frobnicate(quux)", "if user == nil {\n\treturn errors.New(\"x\")\n}", quote + "\nfrobnicate(quux)", "valueX := compute(a, b)"} {
			if a, _ := Locate(d, Candidate{Path: f.Path(), Quote: hallucinated, StartLine: want.Start, EndLine: want.End}); !a.IsZero() && !strings.HasPrefix(hallucinated, quote) {
				t.Fatalf("%q was found at %s", hallucinated, a)
			}
		}
	}
	t.Logf("%d exact, %d without a place", exact, unplaced)
}

// sameLines says whether two anchors have the same numbers and the same text on different sides, so that no hint can
// tell them apart.
func sameLines(d *diff.Diff, a, b diff.Anchor) bool {
	return a.Start == b.Start && a.End == b.End && reflect.DeepEqual(d.Text(a), d.Text(b))
}

// check holds an answer of Locate against what it promises.
func check(t *testing.T, d *diff.Diff, a diff.Anchor, why string) {
	t.Helper()
	if a.IsZero() == (why == "") {
		t.Fatalf("%s and %q", a, why)
	}
	if !a.IsZero() && (d.Valid(a) != nil || len(AnchoredText(d, a)) != a.End-a.Start+1) {
		t.Fatalf("%s: %v", a, d.Valid(a))
	}
}

func FuzzLocate(f *testing.F) {
	f.Add(shopPatch, "shop/shop.go", "\t\tif item.Count == 0 {\n...\n\treturn sum", 12, 13)
	f.Add(shopPatch, "shop/shop.go", "12 | continue\n13 | }", 0, -1)
	f.Add(shopPatch, "a/old/shop.go", "-\t\t\treturn nil\n+\t\t\treturn &items[i]", 45, 1<<62)
	f.Add(shopPatch, "shop/shop.go", "return fmt.Errorf(\"close the database of this shop at %s: %v\", address, err)", 1, 1)
	f.Fuzz(func(t *testing.T, patch, path, quote string, start, end int) {
		if len(patch) > 5000 || len(quote) > 2000 {
			return
		}
		d, _ := diff.Parse(strings.NewReader(patch), diff.Limits{})
		a, why := Locate(&d, Candidate{Path: path, Quote: quote, StartLine: start, EndLine: end})
		check(t, &d, a, why)
		if a.IsZero() {
			return
		}
		if SuggestionProblem(&d, a, strings.Join(AnchoredText(&d, a), "\n")) == "" {
			t.Fatal("a suggestion that changes nothing passed")
		}
	})
}
