package facts_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/facts"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// outline reads a file's names from notes at the ends of its lines, where a grammar would: "def NAME MIN MAX [CONTAINER]",
// "call NAME ARGS [RECEIVER]", "use NAME", "import MODULE [NAME or NAME:LOCAL]", "type NAME", "parent NAME", "maker NAME MIN MAX"
// for a function that is a class, "local NAME MIN MAX" for a function in the definition before it.
func outline(language, text string) *syntax.Facts {
	f := &syntax.Facts{Status: syntax.StatusOK, Language: language}
	fn := -1
	for i, line := range strings.Split(text, "\n") {
		_, note, ok := strings.Cut(line, " ## ")
		if !ok {
			continue
		}
		at := syntax.Range{StartLine: i + 1, EndLine: i + 1}
		for _, one := range strings.Split(note, "; ") {
			w := strings.Fields(one)
			switch w[0] {
			case "def":
				s := syntax.Symbol{Name: w[1], Kind: syntax.Function, Range: syntax.Range{StartLine: i + 1, EndLine: i + 6}, NameRange: at, Parent: -1, Exported: true, Signature: strings.TrimSpace(strings.Split(line, " ##")[0])}
				fmt.Sscan(w[2]+" "+w[3], &s.MinArguments, &s.MaxArguments)
				if len(w) > 4 {
					s.Container, s.Kind = w[4], syntax.Method
				}
				fn = len(f.Symbols)
				f.Symbols = append(f.Symbols, s)
			case "maker", "local":
				s := syntax.Symbol{Name: w[1], Kind: syntax.Class, Range: syntax.Range{StartLine: i + 1, EndLine: i + 6}, NameRange: at, Parent: -1, Exported: true}
				fmt.Sscan(w[2]+" "+w[3], &s.MinArguments, &s.MaxArguments)
				if w[0] == "local" {
					s.Kind, s.Parent, s.Exported = syntax.Function, len(f.Symbols)-1, false
				}
				f.Symbols = append(f.Symbols, s)
			case "type":
				f.Symbols = append(f.Symbols, syntax.Symbol{Name: w[1], Kind: syntax.Class, Range: syntax.Range{StartLine: i + 1, EndLine: i + 20}, NameRange: at, Parent: -1, Exported: true, MinArguments: -1, MaxArguments: -1})
			case "call":
				r := syntax.Reference{Name: w[1], Kind: syntax.Call, Range: at, Enclosing: fn}
				fmt.Sscan(w[2], &r.Arguments)
				if len(w) > 3 {
					r.Receiver = w[3]
				}
				f.References = append(f.References, r)
			case "use":
				f.References = append(f.References, syntax.Reference{Name: w[1], Kind: syntax.Read, Arguments: -1, Range: at, Enclosing: fn})
			case "parent":
				f.References = append(f.References, syntax.Reference{Name: w[1], Kind: syntax.Inherit, Arguments: -1, Range: at, Enclosing: fn})
			case "import":
				names := slices.Clone(w[2:])
				for i := range names {
					names[i] = strings.Replace(names[i], ":", " as ", 1)
				}
				f.Imports = append(f.Imports, syntax.Import{Module: w[1], Names: names, Range: at})
			}
		}
	}
	return f
}

// byName follows an import to the file, or the package's directory, that it names.
type byName struct{}

func (byName) Import(_, _ string, imp syntax.Import) []string { return []string{imp.Module} }

func languageOf(p string) string {
	return map[string]string{".go": "go", ".py": "python", ".ts": "typescript", ".js": "javascript", ".java": "java"}[path.Ext(p)]
}

// whole makes the change that replaces a whole file.
func whole(t *testing.T, p, old, now string) facts.Input {
	t.Helper()
	a, b := strings.Split(old, "\n"), strings.Split(now, "\n")
	in := facts.Input{File: patch(t, p, fmt.Sprintf("@@ -1,%d +1,%d @@\n-%s\n+%s\n", len(a), len(b), strings.Join(a, "\n-"), strings.Join(b, "\n+"))), Old: []byte(old), New: []byte(now)}
	in.Before, in.After = outline(languageOf(p), old), outline(languageOf(p), now)
	return in
}

func TestBroken(t *testing.T) {
	t.Parallel()
	type files map[string]string
	for _, tt := range []struct {
		name, path, old, now string
		others               files
		changed              files // others that change too: what they were is empty
		complete             bool
		want                 string // part of the title; empty for none
		sites                int
	}{
		{name: "one more argument", path: "shop/a.go", old: "func F(a int) ## def F 1 1", now: "func F(a, b int) ## def F 2 2",
			others: files{"web/b.go": "x ## import shop/a.go\nshop() ## call F 1 a"}, want: "", sites: 0},
		{name: "through its package", path: "shop/a.go", old: "func F(a int) ## def F 1 1", now: "func F(a, b int) ## def F 2 2",
			others: files{"web/b.go": "x ## import shop/a.go\na.F(1) ## call F 1 a.go"}, want: "`F` takes 2 arguments now, and 1 place still calls it as before", sites: 1},
		{name: "in its package", path: "shop/a.go", old: "func F(a int) ## def F 1 1", now: "func F(a, b int) ## def F 2 2",
			others: files{"shop/b.go": "F(1) ## call F 1\nF(1, 2) ## call F 2\nF(3) ## call F 1"}, want: "2 places still call it", sites: 2},
		{name: "of the same name in another package", path: "shop/a.go", old: "func F(a int) ## def F 1 1", now: "func F(a, b int) ## def F 2 2",
			others: files{"web/b.go": "x ## import other/a.go\na.F(1) ## call F 1 a.go", "web/c.go": "F(1) ## call F 1"}},
		{name: "a spread list", path: "shop/a.go", old: "func F(a ...int) ## def F 0 -1", now: "func F(a, b int) ## def F 2 2", others: files{"shop/b.go": "F(x...) ## call F -1"}},
		{name: "results passed on", path: "shop/a.go", old: "func F(a, b int) ## def F 1 2", now: "func F(a, b int) ## def F 2 2", others: files{"shop/b.go": "F(g()) ## call F 1"}},
		{name: "variadic now", path: "shop/a.go", old: "func F(a int) ## def F 1 1", now: "func F(a ...int) ## def F 0 -1", others: files{"shop/b.go": "F(1) ## call F 1"}},
		{name: "wrong before, too", path: "shop/a.go", old: "func F(a int) ## def F 1 1", now: "func F(a, b int) ## def F 2 2", others: files{"shop/b.go": "F(1,2,3) ## call F 3"}},
		{name: "gone", path: "shop/a.go", old: "func F() ## def F 0 0", now: "nothing", others: files{"shop/b.go": "F() ## call F 0"}, want: "`F` is gone, and 1 place still uses it", sites: 1},
		{name: "gone, and used as a value", path: "shop/a.go", old: "func F() ## def F 0 0", now: "nothing", others: files{"shop/b.go": "x = F ## use F"}, want: "gone", sites: 1},
		{name: "moved within its package", path: "shop/a.go", old: "func F() ## def F 0 0", now: "nothing", changed: files{"shop/c.go": "func F() ## def F 0 0"}, others: files{"shop/b.go": "F() ## call F 0"}},
		{name: "test of another package", path: "shop/a.go", old: "func F() ## def F 0 0", now: "nothing", others: files{"shop/b_test.go": "package shop_test\nF() ## call F 0"}},

		{name: "a method by its receiver", path: "s/a.go", old: "func (s *Stock) Get(a int) int ## def Get 1 1 Stock", now: "func (s *Stock) Get(a, b int) int ## def Get 2 2 Stock",
			others: files{"s/b.go": "func (s *Stock) All() ## def All 0 0 Stock\ns.Get(1) ## call Get 1 s"}, want: "`Stock.Get` takes 2 arguments now", sites: 1},
		{name: "a method by a parameter", path: "s/a.go", old: "func (s *Stock) Get(a int) int ## def Get 1 1 Stock", now: "func (s *Stock) Get(a, b int) int ## def Get 2 2 Stock",
			others: files{"s/b.go": "func use(st *Stock) ## def use 1 1\nst.Get(1) ## call Get 1 st"}, want: "Stock.Get", sites: 1},
		{name: "a method of another type", path: "s/a.go", old: "func (s *Stock) Get(a int) int ## def Get 1 1 Stock", now: "func (s *Stock) Get(a, b int) int ## def Get 2 2 Stock",
			others: files{"s/b.go": "func use(st *Cache) ## def use 1 1\nst.Get(1) ## call Get 1 st"}, complete: true},
		{name: "a particular method of who knows what", path: "s/a.go", old: "x ## def ReserveWholeOrder 1 1 Stock", now: "x ## def ReserveWholeOrder 2 2 Stock",
			others: files{"w/b.go": "get().ReserveWholeOrder(1) ## call ReserveWholeOrder 1 get()"}, complete: true, want: "ReserveWholeOrder", sites: 1},
		{name: "where not all of the repository is known", path: "s/a.go", old: "x ## def ReserveWholeOrder 1 1 Stock", now: "x ## def ReserveWholeOrder 2 2 Stock",
			others: files{"w/b.go": "get().ReserveWholeOrder(1) ## call ReserveWholeOrder 1 get()"}},
		{name: "two types have it", path: "s/a.go", old: "x ## def ReserveWholeOrder 1 1 Stock", now: "x ## def ReserveWholeOrder 2 2 Stock",
			others: files{"w/b.go": "get().ReserveWholeOrder(1) ## call ReserveWholeOrder 1 get()", "w/c.go": "y ## def ReserveWholeOrder 1 1 Other"}, complete: true},

		{name: "an import of what is gone", path: "m/a.ts", old: "export function f() ## def f 0 0", now: "nothing", others: files{"n/b.ts": "import ## import m/a.ts f"}, want: "`f` is gone", sites: 1},
		{name: "exported again", path: "m/a.ts", old: "export function f() ## def f 0 0", now: "export from ## import m/c.ts f", others: files{"n/b.ts": "import ## import m/a.ts f"}},
		{name: "made by an assignment", path: "m/a.ts", old: "export function f() ## def f 0 0", now: "export const { f } = make();", others: files{"n/b.ts": "import ## import m/a.ts f"}},
		{name: "imported from elsewhere", path: "m/a.ts", old: "export function f() ## def f 0 0", now: "nothing", others: files{"n/b.ts": "import ## import m/z.ts f\nf() ## call f 0"}},
		{name: "through a module that exports it again", path: "m/a.ts", old: "x ## def f 1 1", now: "x ## def f 2 2", others: files{"m/index.ts": "export * ## import m/a.ts *", "n/b.ts": "import ## import m/index.ts f\nf(1) ## call f 1"}, want: "`f` takes 2", sites: 1},
		{name: "too many do no harm in JavaScript", path: "m/a.js", old: "x ## def f 2 2", now: "x ## def f 1 1", others: files{"n/b.js": "import ## import m/a.js f\nf(1,2) ## call f 2"}},
		{name: "too few may", path: "m/a.js", old: "x ## def f 1 1", now: "x ## def f 2 2", others: files{"n/b.js": "import ## import m/a.js f\nf(1) ## call f 1"}, want: "`f` takes 2 arguments", sites: 1},
		{name: "a function that makes objects", path: "m/a.js", old: "x ## maker F 1 1", now: "x ## maker F 2 2", others: files{"n/b.js": "import ## import m/a.js F\nnew F(1) ## call F 1"}, want: "`F` takes 2 arguments", sites: 1},
		{name: "a function that makes objects since", path: "m/a.js", old: "x ## def F 1 1", now: "x ## maker F 2 2", others: files{"n/b.js": "import ## import m/a.js F\nnew F(1) ## call F 1"}, want: "`F` takes 2 arguments", sites: 1},
		{name: "a class whose arguments are not known", path: "m/a.js", old: "x ## maker F 1 1", now: "x ## type F", others: files{"n/b.js": "import ## import m/a.js F\nnew F(1) ## call F 1"}},
		{name: "gone, in a function that makes objects", path: "m/a.js", old: "x ## maker F 0 0; local f 0 0", now: "x ## maker F 0 0", others: files{"n/b.js": "import ## import m/a.js f\nf() ## call f 0"}},

		{name: "an argument that may be left out", path: "p/a.py", old: "x ## def f 1 1", now: "x ## def f 1 2", others: files{"q/b.py": "import ## import p/a.py f\nf(1) ## call f 1"}},
		{name: "self", path: "p/a.py", old: "x ## type K\nx ## def m 1 1 K\nself.m(1) ## call m 1 self", now: "x ## type K\nx ## def m 2 2 K\nself.m(1) ## call m 1 self", want: "`K.m` takes 2", sites: 1},
		{name: "a constructor", path: "p/a.py", old: "x ## type K\nx ## def __init__ 1 1 K", now: "x ## type K\nx ## def __init__ 2 2 K", others: files{"q/b.py": "import ## import p/a.py K\nK(1) ## call K 1"}, want: "The constructor of `K` takes 2 arguments", sites: 1},
		{name: "made at run time", path: "p/a.py", old: "x ## def f 0 0", now: "def __getattr__(n): pass", others: files{"q/b.py": "import ## import p/a.py f"}},
		{name: "a method that a parent may have", path: "p/a.py", old: "x ## type K; parent B\nx ## def m 0 0 K\nself.m() ## call m 0 self", now: "x ## type K; parent B\nx ## def n 0 0 K\nself.m() ## call m 0 self"},
		{name: "another overload fits", path: "j/K.java", old: "x ## type K\nx ## def m 1 1 K\nx ## def m 2 2 K\nm(1) ## call m 1", now: "x ## type K\nx ## def m 1 1 K\nx ## def m 3 3 K\nm(1) ## call m 1"},
		{name: "no overload fits", path: "j/K.java", old: "x ## type K\nx ## def m 1 1 K\nx ## def m 2 2 K\nm(1,2) ## call m 2", now: "x ## type K\nx ## def m 1 1 K\nx ## def m 3 3 K\nm(1,2) ## call m 2", want: "`K.m` takes 1 argument or 3 arguments now", sites: 1},
		{name: "a default export named at the end", path: "m/a.ts", old: "function f() ## def f 1 1\nexport default f;", now: "function f() ## def f 2 2\nexport default f;",
			others: files{"n/b.ts": "import ## import m/a.ts default:f\nf(1) ## call f 1"}, want: "`f` takes 2", sites: 1},
		{name: "another default export", path: "m/a.ts", old: "function f() ## def f 1 1\nexport default g;", now: "function f() ## def f 2 2\nexport default g;",
			others: files{"n/b.ts": "import ## import m/a.ts default:f\nf(1) ## call f 1"}},
		{name: "gone, beside a module that has it not", path: "m/a.ts", old: "x ## def fetch 0 0\nexport * ## import m/c.ts *", now: "export * ## import m/c.ts *",
			others: files{"m/c.ts": "x ## def g 0 0", "n/b.ts": "import ## import m/a.ts fetch"}, want: "`fetch` is gone", sites: 1},
		{name: "gone, beside a module that has it", path: "m/a.ts", old: "x ## def fetch 0 0\nexport * ## import m/c.ts *", now: "export * ## import m/c.ts *",
			others: files{"m/c.ts": "x ## def fetch 0 0", "n/b.ts": "import ## import m/a.ts fetch"}},
		{name: "gone, beside a module that leads on", path: "m/a.ts", old: "x ## def fetch 0 0\nexport * ## import m/c.ts *", now: "export * ## import m/c.ts *",
			others: files{"m/c.ts": "export * ## import m/unknown.ts *", "n/b.ts": "import ## import m/a.ts fetch"}},
		{name: "a child's own call", path: "j/K.java", old: "x ## type K\nx ## def m 0 0 K", now: "x ## type K\nx ## def m 1 1 K",
			others: files{"j/L.java": "x ## type L; parent K\nx ## def n 0 0 L\nm() ## call m 0"}, want: "`K.m` takes 1", sites: 1},
		{name: "a child that has its own", path: "j/K.java", old: "x ## type K\nx ## def m 0 0 K", now: "x ## type K\nx ## def m 1 1 K",
			others: files{"j/L.java": "x ## type L; parent K\nx ## def m 0 0 L\nx ## def n 0 0 L\nm() ## call m 0"}},
		{name: "a class with a parent, a method of its own", path: "j/K.java", old: "x ## type K; parent P\nx ## def reserveWholeOrder 0 0 K", now: "x ## type K; parent P\nx ## def reserveWholeOrder 1 1 K",
			others: files{"j/L.java": "x ## def n 0 0 L\nk().reserveWholeOrder() ## call reserveWholeOrder 0 k()"}, complete: true, want: "`K.reserveWholeOrder` takes 1", sites: 1},
		{name: "a class with a parent, a method of that", path: "j/K.java", old: "x ## type K; parent P\n@Override\nx ## def reserveWholeOrder 0 0 K", now: "x ## type K; parent P\nx ## def reserveWholeOrder 1 1 K",
			others: files{"j/L.java": "x ## def n 0 0 L\nk().reserveWholeOrder() ## call reserveWholeOrder 0 k()"}, complete: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := facts.Across{Files: []facts.Input{whole(t, tt.path, tt.old, tt.now)}, Imports: byName{}, Complete: tt.complete}
			for p, text := range tt.changed {
				f := whole(t, p, "", text)
				f.Before = &syntax.Facts{Status: syntax.StatusOK, Language: languageOf(p)}
				in.Files = append(in.Files, f)
			}
			for p, text := range tt.others {
				in.Others = append(in.Others, facts.Unit{Path: p, Facts: outline(languageOf(p), text), Text: []byte(text)})
			}
			got := facts.Broken(in)
			if tt.want == "" {
				if len(got) > 0 {
					t.Fatalf("got %s\n%s", got[0].Title, got[0].Body)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0].Title, tt.want) || strings.Count(got[0].Body, "\n- `") != tt.sites {
				t.Fatalf("got %+v", got)
			}
			if !got[0].Anchored() || got[0].Rule != facts.RuleBrokenCall {
				t.Errorf("got %+v", got[0])
			}
		})
	}
}

// A call of a definition that other changed files hide from the parser says nothing.
func TestBrokenWhereAFileIsNotKnown(t *testing.T) {
	t.Parallel()
	in := facts.Across{Files: []facts.Input{whole(t, "shop/a.go", "func F() ## def F 0 0", "nothing")}, Imports: byName{}, Unseen: []string{"shop/generated.go"},
		Others: []facts.Unit{{Path: "shop/b.go", Facts: outline("go", "F() ## call F 0"), Text: []byte("F()")}}}
	if got := facts.Broken(in); len(got) > 0 {
		t.Errorf("got %+v", got)
	}
	in.Unseen = []string{"other/generated.go"}
	if got := facts.Broken(in); len(got) != 1 || got[0].Anchor.Side != diff.Old {
		t.Errorf("got %+v", got)
	}
	if got := facts.Suspects(in); len(got) != 1 || got[0].Name != "F" {
		t.Errorf("suspects %+v", got)
	}
}

// testFile makes the facts of a file of tests: each begins on a line that holds "test NAME".
func testFile(language, text string) *syntax.Facts {
	f := &syntax.Facts{Status: syntax.StatusOK, Language: language}
	at := 0
	for i, line := range strings.SplitAfter(text, "\n") {
		if _, name, ok := strings.Cut(line, "test "); ok {
			name = strings.Trim(strings.Fields(name)[0], "\"'")
			f.Symbols = append(f.Symbols, syntax.Symbol{Name: name, Kind: syntax.Function, Test: true, Parent: -1, Signature: strings.TrimSpace(line),
				Range: syntax.Range{StartLine: i + 1, StartByte: at}, NameRange: syntax.Range{StartLine: i + 1, EndLine: i + 1, StartByte: at, EndByte: at + len(line)}})
		}
		if strings.Contains(line, "(") && strings.HasPrefix(line, "\t") {
			f.References = append(f.References, syntax.Reference{Name: "check", Kind: syntax.Call, Range: syntax.Range{StartLine: i + 1, EndLine: i + 1, StartByte: at + 1, EndByte: at + len(line)}})
		}
		at += len(line)
		if n := len(f.Symbols); n > 0 {
			f.Symbols[n-1].Range.EndLine, f.Symbols[n-1].Range.EndByte = i+1, at
		}
	}
	return f
}

func TestTests(t *testing.T) {
	t.Parallel()
	two := "test One\n\talpha(1)\n\tbeta(2)\ntest Two\n\tgamma(3)\n\tdelta(4)\n"
	for _, tt := range []struct{ name, path, old, now, want string }{
		{"nothing", "a_test.go", two, two + "\n", ""},
		{"removed", "a_test.go", two, "test One\n\talpha(1)\n\tbeta(2)\n", "test_removed 4-4 low"},
		{"renamed", "a_test.go", two, strings.Replace(two, "test Two", "test Zwei", 1), ""},
		{"rewritten", "a_test.go", two, "test One\n\talpha(1)\n\tbeta(2)\ntest Three\n\tepsilon(9)\n", ""},
		{"moved into another", "a_test.go", two, "test One\n\talpha(1)\n\tbeta(2)\n\tcases(\"Two\")\n", "test_removed 4-4 low"},
		{"named still", "a_test.go", strings.ReplaceAll(two, "Two", "TestTwo"), "test One\n\talpha(1)\n\t// TestTwo\n", ""},
		{"named beside it before", "a_test.go", "// TestTwo runs alone\n" + strings.ReplaceAll(two, "Two", "TestTwo"), "// TestTwo runs alone\ntest One\n\talpha(1)\n\tbeta(2)\n", "test_removed 5-5 low"},
		{"emptied", "a_test.go", two, "test One\n\talpha(1)\n\tbeta(2)\ntest Two\n\n", "test_emptied 4-4 medium"},
		{"skipped", "a_test.go", two, strings.Replace(two, "test Two\n", "test Two\n\tt.Skip(\"later\")\n", 1), "test_skipped 5-5 medium"},
		{"skipped on a condition", "a_test.go", two, strings.Replace(two, "test Two\n", "test Two\n\tif short() {\n\t\tt.Skip()\n\t}\n", 1), ""},
		{"skipped before", "a_test.go", strings.Replace(two, "test Two\n", "test Two\n\tt.Skip(1)\n", 1), strings.Replace(two, "test Two\n", "test Two\n\tt.Skip(2)\n", 1), ""},
		{"focused", "a.test.ts", "it('test One', () => {\n\talpha(1)\n", "it.only('test One', () => {\n\talpha(1)\n", "test_skipped 1-1 high"},
		{"skipped in TypeScript", "a.test.ts", "it('test One', () => {\n\talpha(1)\n", "it.skip('test One', () => {\n\talpha(1)\n", "test_skipped 1-1 medium"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := whole(t, tt.path, strings.TrimSuffix(tt.old, "\n"), strings.TrimSuffix(tt.now, "\n"))
			in.Old, in.New = []byte(tt.old), []byte(tt.now)
			in.Before, in.After = testFile(languageOf(tt.path), tt.old), testFile(languageOf(tt.path), tt.now)
			if got := say(facts.Tests([]facts.Input{in})); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
