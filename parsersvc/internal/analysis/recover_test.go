//go:build cgo

package analysis

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// outlineOf writes the definitions of callables and types as kind, name and lines.
func outlineOf(f syntax.Facts) string {
	var out []string
	for _, s := range f.Symbols {
		switch s.Kind {
		case syntax.Constant, syntax.Variable, syntax.Field, syntax.Type:
		default:
			out = append(out, fmt.Sprintf("%s %s %d-%d", s.Kind, s.QualifiedName(), s.Range.StartLine, s.Range.EndLine))
		}
	}
	return strings.Join(out, ", ")
}

// TestHeaders holds what is found where a grammar could not read the text: by the first line of a definition.
func TestHeaders(t *testing.T) {
	t.Parallel()
	// Each is broken in a way that takes its definitions out of the tree.
	for _, c := range []struct{ path, content, want string }{
		{
			"a.py", "def ok(): pass\n\ndef bad(a, b:\n    return a\n\nclass Open(\n    def m(self, x:\n        y\n",
			"function ok 1-1, function bad 3-4, class Open 6-8, method Open.m 7-8",
		},
		{
			"a.py", "x = (\nasync def later(a):\n    pass\n'''\ndef no(): pass\n'''\n# def no(): pass\nclass is a word\n",
			"function later 2-3",
		},
		{
			"a.pyx", "cdef int a(int x) : return x\ncdef (int) b(int x): return x\ncdef inline (int) c(int x): return x\n" +
				"cdef int d = a(1)\ncdef int (*e)(int)\ncdef extern from \"x.h\":\n    void f(int x)\n",
			"function a 1-1, function b 2-2, function c 3-3",
		},
		{
			"a.pyx", "cdef class K:\n    cdef int m(self, int x):\n        return x\n\ncdef packed struct S:\n    int x\n",
			"class K 1-3, method K.m 2-3, struct S 5-6",
		},
		{
			"a.php", "<?php\nfor ($a as $b) {\n}\nfunction page() {\n  return 1;\n}\nfinal class K\n{\n  public static function &m() {\n  }\n}\n",
			"function page 4-6, class K 7-11, method K.m 9-10",
		},
		{
			"a.php", "<?php\nfor ($a as $b) {\n}\nfunction a() {\n}\n</script> x\nfunction text() {}\n<?php\nfunction b() {\n}\n",
			"function a 4-5, function b 9-10",
		},
		{
			"a.rb", "class A\n  def b(n = 0, m = 0\n    n\n  end\n\n  def c!(m)\n    m\n  end\nend\n",
			"class A 1-9, method A.b 2-4, method A.c! 6-8",
		},
		{
			"a.js", "class Foo\n  m() {}\n}\n`\nfunction no() {}\n`\nasync function yes(\n",
			"class Foo 1-2, function yes 7-7",
		},
		{
			"a.ts", "class P extends {\n  static f((a: A) {\n  }\n}\nfunction f(a: T {\n  for (;;) go(a[i]\n}\nexport abstract class Q\n",
			"class P 1-4, function f 5-7, class Q 8-8",
		},
		{
			"A.java", "class A {{\n  public static Map<String, Integer> m(int a) {\n    return a;\n  }\n}\n",
			"class A 1-5, method A.m 2-4",
		},
		{
			"a.cs", "namespace N {\n  public class A : B\n    internal override int M(int a) {\n      return 1;\n    }\n  }\n}\n",
			"module N 1-6, class N.A 2-6, method N.A.M 2-5",
		},
		{
			"b.cs", "using A;\n\npublic interface I\n{\n#if OLD\n    [\n#endif\n    void A(int a);\n    I B<T>(T a) #if OLD {;\n}\n",
			"interface I 3-10, method I.A 8-8, method I.B 9-10",
		},
		{
			"a.go", "package a\n\nfunc (a *A) m( {{{ ) (\n}\n\nfunc f(a int {\n}\n\ntype T struct {{\n",
			"method A.m 3-4, function f 6-7, struct T 9-9",
		},
		{
			"a.rs", "#[derive(Debug\npub(crate) struct Item {\n  a: i32,\n}\nimpl Item {\n  pub async fn f() {\n  }\n}\ntrait T: Base {\n}\n",
			"struct Item 2-4, function f 6-7, interface T 9-10",
		},
		{
			"a.kt", "object R : Store( {\n}\nopen class T {\n}\ninline fun <T> List<T>.go(a: T) {\n}\n",
			"class R 1-2, class T 3-4, function List.go 5-6",
		},
		{"a.swift", "class A: = {\n  override func m(a: Int {\n  }\n}\nstruct S = {\n", "class A 1-4, method A.m 2-3"},
		{"a.scala", "object A = {{ (\n  def m(a: Int = {\n  }\n", "class A 1-1, function m 2-3"},
	} {
		f := facts(t, c.path, c.content)
		if got := outlineOf(f); got != c.want {
			t.Errorf("%s:\n%s\n got %s\nwant %s", c.path, c.content, got, c.want)
		}
		checkFacts(t, c.content, f)
		// It is the lines that tell.
		without := New()
		row := without.rows[f.Language]
		row.rules.headers = nil
		without.rows[f.Language] = row
		f, err := without.Facts(Source{Path: c.path, Content: []byte(c.content)}, Want{}, 20*time.Second)
		if err != nil || outlineOf(f) == c.want {
			t.Errorf("%s:\n%s\n without headers: %s %v", c.path, c.content, outlineOf(f), err)
		}
	}
}

// TestNested holds that definitions found by lines never overlap those of the tree, or each other, in part.
func TestNested(t *testing.T) {
	t.Parallel()
	tree := func(start, end uint32) definition { return definition{outer: span{start, end}} }
	line := func(start, first, end uint32) definition {
		return definition{node: span{start, end}, recovered: first}
	}
	for _, c := range []struct {
		name string
		in   []definition
		want string
	}{
		{"inside", []definition{tree(0, 10), line(2, 4, 8)}, "[0 10] [2 8]"},
		{"around", []definition{tree(4, 6), line(0, 2, 10)}, "[0 10] [4 6]"},
		{"out of one", []definition{tree(0, 10), line(2, 4, 12)}, "[0 10] [2 10]"},
		{"into one", []definition{tree(6, 14), line(2, 4, 12)}, "[2 6] [6 14]"},
		{"its first line out of one", []definition{tree(0, 10), line(8, 11, 12)}, "[0 10]"},
		{"its first line into one", []definition{tree(6, 14), line(2, 7, 12)}, "[6 14]"},
		{"both", []definition{line(0, 2, 10), line(4, 5, 12)}, "[0 10] [4 10]"},
		{"one in two", []definition{tree(0, 20), tree(0, 10), line(6, 8, 15)}, "[0 20] [0 10] [6 10]"},
	} {
		var got []string
		for _, d := range nested(c.in) {
			got = append(got, fmt.Sprintf("[%d %d]", d.outer.start, d.outer.end))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}
