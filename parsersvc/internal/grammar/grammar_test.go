//go:build cgo

package grammar

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smacker/go-tree-sitter/golang"
)

func language(t *testing.T) *Language {
	t.Helper()
	l, err := NewLanguage(golang.GetLanguage())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func query(t *testing.T, text string) *Query {
	t.Helper()
	q, err := NewQuery(language(t), text, func(name string) bool { return name == "counted" })
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// find gives the matches of a query over Go code in words.
func find(t *testing.T, text, code string) []string {
	t.Helper()
	q := query(t, text)
	tree, err := NewParser().Parse(language(t), []byte(code), time.Minute, q)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for pattern, captures := range tree.Found[0].All() {
		words := []string{fmt.Sprint(pattern)}
		for _, c := range captures {
			word := q.Captures[c.ID()] + "=" + code[c.Start:c.End]
			if c.Children() > 0 {
				word += fmt.Sprintf("/%d", c.Children())
			}
			words = append(words, word)
		}
		out = append(out, strings.Join(words, " "))
	}
	return out
}

func TestMatches(t *testing.T) {
	t.Parallel()
	const code = "package p\n\nfunc f(a, b int) { g(1, /* c */ 2); h() }\n\nfunc (T) m()\n"
	for text, want := range map[string]string{
		`(function_declaration name: (identifier) @n)`:                                          `0 n=f`,
		`(parameter_declaration name: (identifier) @n)`:                                         `0 n=a|0 n=b`,
		`(parameter_declaration . (identifier) @n)`:                                             `0 n=a`,
		`(parameter_declaration (identifier)+ @n)`:                                              `0 n=a n=b`,
		`(parameter_declaration (identifier) @x . (identifier) @y)`:                             `0 x=a y=b`,
		`(parameter_declaration (identifier) (identifier) @y)`:                                  `0 y=b`,
		`(call_expression function: (_) @f arguments: (argument_list (int_literal)? @i))`:       `0 f=g i=1|0 f=g i=2|0 f=h`,
		`(call_expression arguments: (argument_list (int_literal) @i .))`:                       `0 i=2`,
		`(call_expression arguments: (argument_list) @counted)`:                                 `0 counted=(1, /* c */ 2)/2|0 counted=()`,
		`[(function_declaration) (method_declaration)] @d (package_clause "package" @p)`:        `0 d=func f(a, b int) { g(1, /* c */ 2); h() }|0 d=func (T) m()|1 p=package`,
		`(method_declaration !body name: _ @n)`:                                                 `0 n=m`,
		`((function_declaration) @a . (method_declaration name: (_) @b))`:                       `0 a=func f(a, b int) { g(1, /* c */ 2); h() } b=m`,
		`(parameter_list (parameter_declaration type: [(type_identifier) @t (slice_type) @s]))`: `0 t=int|0 t=T`,
		`(call_expression (argument_list ((int_literal) (int_literal))* @i))`:                   `0 i=1`,
	} {
		got := find(t, text, code)
		wanted := strings.Split(want, "|")
		for _, w := range wanted {
			if n := strings.Count("|"+strings.Join(got, "|")+"|", "|"+w+"|"); n != 1 {
				t.Errorf("%s: %q, want %q once", text, got, w)
			}
		}
		if len(got) != len(wanted) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`(function_declaration`:              "not closed",
		`(function_declaration nme: (_) @n)`: `no field "nme"`,
		`(nothing) @n`:                       `no node "nothing"`,
		"\n\n(_statement) @n":                `line 3`,
		`"nothing" @n`:                       `no token "nothing"`,
		`(identifier)? @n`:                   "need not be there",
		`[] @n`:                              "empty",
		`(identifier) @a @b @c @d @e`:        "more than 4 captures",
		`((identifier) @a (#eq? @b "x"))`:    "no capture @b",
		`((identifier) @a (#eq? @a "x)`:      "no end",
	} {
		if _, err := NewQuery(language(t), text, func(string) bool { return false }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// The square of the number of siblings would be found; the work is bounded, and what is left out is said.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	q := query(t, `(argument_list (int_literal) @a (int_literal) @b)`)
	code := "package p\nvar _ = f(" + strings.Repeat("1,\n", 100_000) + ")\n"
	begun := time.Now()
	tree, err := NewParser().Parse(language(t), []byte(code), time.Minute, q)
	if err != nil {
		t.Fatal(err)
	}
	if tree.Found[0].Whole || tree.Found[0].Len() == 0 || tree.Found[0].Len() > MaxMatches {
		t.Errorf("whole %t, %d matches", tree.Found[0].Whole, tree.Found[0].Len())
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A parse that was stopped leaves nothing behind for the next.
func TestLimit(t *testing.T) {
	t.Parallel()
	p, q := NewParser(), query(t, `(function_declaration name: (identifier) @n)`)
	long := []byte("package p\n" + strings.Repeat("func f() { a = b + c }\n", 40_000))
	if _, err := p.Parse(language(t), long, time.Millisecond, q); !errors.Is(err, ErrLimit) {
		t.Fatalf("got %v", err)
	}
	tree, err := p.Parse(language(t), []byte("package p\n\nfunc g() {}\n"), time.Minute, q)
	if err != nil || tree.Found[0].Len() != 1 || tree.Nodes[0].End() != 23 {
		t.Errorf("afterwards: %v, %d matches, the root ends at %d", err, tree.Found[0].Len(), tree.Nodes[0].End())
	}
}

// Parsers beside each other have memory of their own.
func TestParsersBesideEachOther(t *testing.T) {
	t.Parallel()
	q, l := query(t, `(function_declaration name: (identifier) @n)`), language(t)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			p := NewParser()
			for range 20 {
				n := 100 * (i + 1)
				tree, err := p.Parse(l, []byte("package p\n"+strings.Repeat("func f() { a = b + c }\n", n)), time.Minute, q)
				if err != nil || tree.Found[0].Len() != n {
					t.Errorf("%v, %d matches, want %d", err, tree.Found[0].Len(), n)
					return
				}
			}
		})
	}
	all.Wait()
}
