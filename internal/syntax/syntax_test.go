package syntax

import "testing"

func TestRange(t *testing.T) {
	t.Parallel()
	r := Range{StartLine: 3, EndLine: 5}
	for line, want := range map[int]bool{0: false, 2: false, 3: true, 4: true, 5: true, 6: false} {
		if r.Contains(line) != want {
			t.Errorf("line %d: got %v", line, !want)
		}
	}
	for _, test := range []struct {
		start, end int
		want       bool
	}{{1, 2, false}, {1, 3, true}, {4, 4, true}, {5, 9, true}, {6, 9, false}, {1, 9, true}} {
		if got := r.Overlaps(test.start, test.end); got != test.want {
			t.Errorf("lines %d to %d: got %v", test.start, test.end, got)
		}
	}
}

func TestQualifiedName(t *testing.T) {
	t.Parallel()
	if got := (Symbol{Name: "Total"}).QualifiedName(); got != "Total" {
		t.Errorf("got %s", got)
	}
	if got := (Symbol{Name: "Total", Container: "shop.Cart"}).QualifiedName(); got != "shop.Cart.Total" {
		t.Errorf("got %s", got)
	}
}

func TestEnclosing(t *testing.T) {
	t.Parallel()
	symbol := func(name string, kind Kind, startLine, endLine, startByte, endByte int) Symbol {
		return Symbol{Name: name, Kind: kind, Range: Range{startLine, endLine, startByte, endByte}}
	}
	f := Facts{Symbols: []Symbol{
		symbol("file", Module, 1, 100, 0, 1000),
		symbol("Cart", Class, 2, 50, 10, 500),
		symbol("items", Field, 3, 3, 20, 30),
		symbol("total", Method, 5, 20, 50, 200),
		symbol("inner", Function, 8, 12, 80, 120),
		symbol("sum", Variable, 9, 9, 90, 95),
		symbol("Limit", Constant, 60, 60, 600, 610),
		symbol("one", Function, 70, 70, 700, 710),
		symbol("two", Function, 70, 70, 711, 715),
	}}
	for line, want := range map[int]string{1: "", 2: "Cart", 3: "Cart", 5: "total", 9: "inner", 12: "inner", 13: "total", 21: "Cart", 51: "", 60: "", 70: "two", 101: ""} {
		got := ""
		if s := f.Enclosing(line); s != nil {
			got = s.Name
		}
		if got != want {
			t.Errorf("line %d: got %q, want %q", line, got, want)
		}
	}
	if (&Facts{}).Enclosing(1) != nil {
		t.Error("something encloses a line of an empty file")
	}
}
