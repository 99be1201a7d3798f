package eval_test

import (
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/eval"
	"github.com/openrabbit/openrabbit/internal/finding"
)

func at(path string, start, end int) finding.Finding {
	return finding.Finding{Path: path, Anchor: diff.Anchor{Path: path, Side: diff.New, Start: start, End: end}}
}

func TestByLocation(t *testing.T) {
	t.Parallel()
	golden := []eval.Golden{
		{Path: "a.go", Side: diff.New, Start: 10, End: 12},
		{Path: "a.go", Side: diff.New, Start: 14, End: 14},
		{Path: "b.go", Side: diff.Old, Start: 1, End: 1},
		{Text: "somewhere"},
	}
	found := []finding.Finding{at("a.go", 13, 13), at("a.go", 11, 11), at("b.go", 1, 1), at("c.go", 10, 12)}
	pairs := eval.ByLocation(golden, found)
	for i, want := range []int{1, 0, -1, -1} { // the overlapping one first, then the near one; the side counts
		if pairs[i] != want {
			t.Errorf("golden %d: finding %d, want %d", i, pairs[i], want)
		}
	}
	s := eval.Count(golden, found, pairs, true)
	if s != (eval.Score{Golden: 3, Hit: 2, Found: 4}) || s.Precision() != 0.5 || s.F1() <= 0.57 || s.F1() >= 0.58 {
		t.Errorf("score %+v, F1 %v", s, s.F1())
	}
	if (eval.Score{}).F1() != 0 {
		t.Error("nothing has a score")
	}
}

func TestParsePull(t *testing.T) {
	t.Parallel()
	p, err := eval.ParsePull([]byte(`{"title":"T","repo":"a/b","golden":[{"comment":"c"},{"note":"n","path":"x.go","side":"left","from_line":3,"to_line":4}]}`))
	if err != nil || p.Title != "T" || len(p.Golden) != 2 || p.Golden[0].Placed() || p.Golden[1].Side != diff.Old || p.Golden[1].End != 4 {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err := eval.ParsePull([]byte(`[`)); err == nil {
		t.Error("no error")
	}
}

const prompted = `Boundary: 0123456789ab

<<0123456789ab file>>
path: shop/cart.go
change: Go, modified
@@
 9  func total() {
   -	return 0
10 +	return price()
<<end 0123456789ab>>

<<0123456789ab surroundings>>
shop/price.go:30 (defines price)
func price() int {
	return 1

:50 (defines tax)
func tax() int
<<end 0123456789ab>>
`

func TestIncluded(t *testing.T) {
	t.Parallel()
	defs, err := eval.ParseSurroundings([]byte(`{"gold":[
		{"symbol":"price","def_path":"shop/price.go","def_line":30,"scope":"cross_file","uses":[["shop/cart.go",10]]},
		{"symbol":"tax","def_path":"shop/price.go","def_line":50,"scope":"cross_file","uses":[["shop/cart.go",9]]},
		{"symbol":"other","def_path":"shop/price.go","def_line":30,"scope":"cross_file","uses":[["shop/cart.go",99]]},
		{"symbol":"far","def_path":"shop/price.go","def_line":70,"scope":"cross_file","uses":[["shop/cart.go",10]]},
		{"symbol":"own","def_path":"shop/cart.go","def_line":9,"scope":"same_file","uses":[["shop/cart.go",10]]}]}`))
	if err != nil || len(defs) != 4 {
		t.Fatalf("%d definitions, %v", len(defs), err)
	}
	prompts := []eval.Shown{eval.ParsePrompt(prompted)}
	if n, m := eval.Included(defs, prompts), eval.Missing(defs, prompts); n != 2 || len(m) != 2 || m[0].Symbol != "other" {
		t.Errorf("%d included, missing %v", n, m)
	}
}
