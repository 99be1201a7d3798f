//go:build cgo

package analysis

import (
	"strconv"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// TestFunctionsThatMakeObjects holds which functions of JavaScript are classes, and what is in them.
func TestFunctionsThatMakeObjects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, content, want string }{
		{"a.js", "function Foo(a, b) {}", "class Foo 2"},
		{"a.js", "var Foo = function () {}; Foo = function (a) {};", "class Foo 0, class Foo 1"},
		{"a.js", "var Foo = (function (a) {}), Bar = ((function () {}));", "class Foo 1, class Bar 0"},
		{"a.js", "exports.Foo = function (a) {};", "class Foo 1"},
		{"a.js", "var Foo = new Function('a', 'return a'), Bar = new Thing(1);", "class Foo -1, variable Bar -1"},
		{"a.js", "function foo() { this.x = 1; }", "function foo 0"},
		{"a.js", "const Foo = () => {}; async function Bar() {} function* Baz() {}", "function Foo 0, function Bar 0, function Baz 0"},
		{"a.js", "const Foo = async function () {}; const Bar = memo(function () {});", "function Foo 0, function Bar -1"},
		{"a.js", "describe('Foo', function () { it('Bar', function () {}); });", "function Foo -1, function Bar -1"},
		{"a.js", "const api = { Get: function (a) {} };", "constant api -1, method Get 1"},
		// Where elements are made, a function in upper case is a component, unless something shows that it makes objects.
		{"a.jsx", "function App() { return <div/>; }", "function App 0"},
		{"a.js", "function App() { return React.createElement('div'); }", "function App 0"},
		{"a.js", "function Shop() { return <p>x</p>; } function Cart() { this.items = []; }", "function Shop 0, class Cart 0"},
		{"a.js", "function Box() { return document.createElement('div'); }", "class Box 0"},
		// TypeScript has no objects of functions.
		{"a.ts", "function Injectable(a: string) { return a; }", "function Injectable 1"},
	} {
		var got []string
		for _, s := range facts(t, c.path, c.content).Symbols {
			got = append(got, string(s.Kind)+" "+s.Name+" "+strconv.Itoa(s.MinArguments))
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: %s\n got %s\nwant %s", c.path, c.content, text, c.want)
		}
	}
}

// TestInFunctionsThatMakeObjects: what such a function declares is its own, what it gives to an object is the class's.
func TestInFunctionsThatMakeObjects(t *testing.T) {
	t.Parallel()
	f := facts(t, "a.js", `
export function Stack(size) {
  var self = this;
  function grow() {}
  var shrink = function () {};
  this.push = function (x) {};
  self.pop = function () {};
  class Node { next() {} }
}
`)
	type member struct {
		kind      syntax.Kind
		container string
		exported  bool
	}
	want := map[string]member{
		"Stack":  {syntax.Class, "", true},
		"grow":   {syntax.Function, "", false},
		"shrink": {syntax.Function, "", false},
		"push":   {syntax.Method, "Stack", true},
		"pop":    {syntax.Method, "Stack", true},
		"Node":   {syntax.Class, "", false},
		"next":   {syntax.Method, "Node", false},
	}
	for _, s := range f.Symbols {
		if got := (member{s.Kind, s.Container, s.Exported}); got != want[s.Name] {
			t.Errorf("%s is %v, want %v", s.Name, got, want[s.Name])
		}
		delete(want, s.Name)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
}
