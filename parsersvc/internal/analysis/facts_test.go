//go:build cgo

package analysis

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/parsersvc/internal/grammar"
)

func facts(t interface {
	Helper()
	Fatalf(string, ...any)
}, path, content string) syntax.Facts {
	t.Helper()
	f, err := New().Facts(Source{Path: path, Content: []byte(content)}, Want{}, 20*time.Second)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return f
}

func TestQueriesAreHeldToTheVocabulary(t *testing.T) {
	t.Parallel()
	language, err := grammar.NewLanguage(New().rows["go"].grammar())
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		`(function_declaration) @definition.thing`:            `no kind of definition "thing"`,
		`(function_declaration) @whatever`:                    `no meaning for capture @whatever`,
		`((identifier) @name (#lua-match? @name "x"))`:        `no meaning for predicate #lua-match?`,
		`((identifier) @name (#eq? @name @name))`:             `of one capture and strings`,
		`((identifier) @name (#match? @name "("))`:            `missing closing )`,
		`(nonsense) @name`:                                    `no node "nonsense"`,
		`((identifier) @_x (#any-of? @_x "a" "b")) @ignore`:   ``,
		`((identifier) @_x (#not-match? @_x "^a")) @ignore`:   ``,
		`((identifier) @name (#not-eq? @name "a")) @comment`:  ``,
		`((identifier) @name (#not-any-of? @name "a")) @type`: ``,
	} {
		_, err := newProgram(query, language)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", query, err, want)
		}
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, content, want string }{
		{"a/b.go", "", "go"}, {"B.GO", "", "go"}, {"a.mjs", "", "javascript"}, {"a.tsx", "", "tsx"}, {"a.d.ts", "", "typescript"},
		{"a.ts", "<?xml version=\"1.0\"?><TS/>", "xml"}, {"a.pyi", "", "python"}, {"A.java", "", "java"},
		{"script", "#!/usr/bin/python3\n", "python"}, {"script", "#!/usr/bin/env node\n", "javascript"},
		{"Makefile", "", "makefile"}, {"a.rb", "", "ruby"}, {"nothing", "", ""},
		{"lib/tasks/db.rake", "", "ruby"}, {"Gemfile", "", "ruby"}, {"build.gradle.kts", "", "kotlin"}, {"main.tf", "", "hcl"},
		{"Dockerfile", "", "dockerfile"}, {"deploy/Dockerfile.prod", "", "dockerfile"}, {"web.Dockerfile", "", "dockerfile"},
		{"a.h", "", "c"}, {"a.h", "int f(void);\n", "c"}, {"a.h", "namespace a { class B; }\nusing std::string;\n", "cpp"},
		{"a.hpp", "", "cpp"}, {"a.yml", "", "yaml"}, {"x.d.mts", "", "typescript"}, {"a.cs", "", "csharp"},
		{"run", "#!/bin/sh\n", "bash"}, {"run", "#!/usr/bin/env -S FOO=1 ruby3.2\n", "ruby"}, {"run", "#!/usr/bin/env\n", ""},
		{"a.m", "#import <Foundation/Foundation.h>\n@interface A\n@end\n", "objective-c"},
	} {
		if got := Detect(c.path, []byte(c.content)); got != c.want {
			t.Errorf("Detect(%q, %q) = %q, want %q", c.path, c.content, got, c.want)
		}
	}
	for path, want := range map[string]string{"a.go": "go", "x/Dockerfile": "dockerfile", "a.rb": "ruby", "a.h": "c", "a.hs": "haskell", "what": ""} {
		if got := DetectByPath(path); got != want {
			t.Errorf("DetectByPath(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestPlainName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		`a`: "a", `"a b"`: "a b", `'it\'s'`: "it's", "`x`": "x", `\u00e9t\u{e9}`: "été", `"\uD834\uDD1E"`: "𝄞", `"\uD834x"`: "\uFFFD\uFFFD\uFFFDx",
		`"\x41\n\t\\"`: "A\n\t\\", `"\q"`: "q", `\u12`: "u12", `\u{zz}`: "u{zz}", `a\`: `a\`, `"`: `"`, `""`: "", "'a\\\nb'": "ab", `\u{110000}`: "u{110000}",
	} {
		if got := plainName(name); got != want {
			t.Errorf("plainName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestTestRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, content string
		want          []string
	}{
		{"x_test.go", "package x\nfunc TestA(t *T) {}\nfunc Test_b(t *T) {}\nfunc Testc() {}\nfunc Test() {}\nfunc ExampleA() {}\nfunc (s S) TestM() {}\n",
			[]string{"TestA", "Test_b", "Test", "ExampleA"}},
		{"x.go", "package x\nfunc TestA(t *T) {}\n", nil},
		{"test_x.py", "def test_a(): pass\ndef testb(): pass\nclass TestC:\n  def test_d(self): pass\nclass D:\n  def test_e(self): pass\n",
			[]string{"test_a", "test_d"}},
		{"x.py", "def test_connection(): pass\n", nil},
		{"A.java", "class A { @Test void a() {} @ParameterizedTest(name=\"x\") public void b() {} @Before void c() {} void testD() {} }\n", []string{"a", "b"}},
		{"a.test.ts", "describe('x', () => { it('y', function () {}); it.only('z', async () => {}); test.each([1])('w', (n) => {}); other('v', () => {}); });\n",
			[]string{"x", "y", "z", "w"}},
	} {
		var got []string
		for _, s := range facts(t, c.path, c.content).Symbols {
			if s.Test {
				got = append(got, s.Name)
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: tests %q, want %q", c.path, got, c.want)
		}
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, content string
		want          map[string]int
	}{
		{"a.go", "package a\nfunc f() { a(); b(1); c(1, /* x */ 2); d(x...); e(g()); h(1, g()); m[int](1, 2); n(func() { o(1, 2, 3) }, 2) }\n",
			map[string]int{"a": 0, "b": 1, "c": 2, "d": -1, "e": -1, "g": 0, "h": 2, "m": 2, "n": 2, "o": 3}},
		{"a.py", "a(); b(1, k=2); c(*x); d(1, **x); e(y for y in z); f(1, # comment\n 2)\n",
			map[string]int{"a": 0, "b": 2, "c": -1, "d": -1, "e": -1, "f": 2}},
		{"a.ts", "a(); b(1, 2,); c(...x); d`x`; new E(1); new F; g?.(1); h<T>(1); i!.j(1)\n",
			map[string]int{"a": 0, "b": 2, "c": -1, "d": -1, "E": 1, "F": -1, "g": 1, "h": 1, "j": 1}},
		{"A.java", "class A { void m() { a(); b(1, /* x */ 2); new C<>(1); d(x -> x, 2); this.e(1); } }\n",
			map[string]int{"a": 0, "b": 2, "C": 1, "d": 2, "e": 1}},
	} {
		got := make(map[string]int)
		for _, r := range facts(t, c.path, c.content).References {
			if r.Kind == syntax.Call {
				got[r.Name] = r.Arguments
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.path, got, c.want)
		}
	}
}

func TestErrorsArePointedAt(t *testing.T) {
	t.Parallel()
	f := facts(t, "a.go", "package a\n\nfunc f() {\n\tx := (1\n}\n\nfunc g() {}\n")
	if len(f.Errors) != 1 || f.Errors[0].Range.StartLine != 4 {
		t.Errorf("errors %v", f.Errors)
	}
	// The grammar wants an end of line where a file may well have none.
	if f := facts(t, "a.go", "package a\n\nvar x int"); len(f.Errors) > 0 {
		t.Errorf("no newline at the end: %v", f.Errors)
	}
	f = facts(t, "a.js", strings.Repeat("a b c (\n", 3000))
	if len(f.Errors) == 0 || len(f.Errors) > maxErrors {
		t.Errorf("%d errors", len(f.Errors))
	}
}

func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	f := facts(t, "a.js", strings.Repeat("var a\n", maxSymbols+10))
	if len(f.Symbols) != maxSymbols || f.Status != syntax.StatusPartial || f.Detail == "" {
		t.Errorf("%d symbols, %s %q", len(f.Symbols), f.Status, f.Detail)
	}
	// A name in a thousand classes is not a thousand names long.
	f = facts(t, "a.js", strings.Repeat("class ABCDEFGHIJ { static {\n", 1000)+strings.Repeat("}}\n", 1000))
	for _, s := range f.Symbols {
		if len(s.Container) > maxContainer {
			t.Fatalf("a container of %d bytes", len(s.Container))
		}
	}
}

func TestOnlyLines(t *testing.T) {
	t.Parallel()
	const content = "package a\n\nimport \"fmt\"\n\ntype T struct {\n\tA int\n\tB int\n}\n\nfunc f() {\n\tfmt.Println(1)\n\tg(2)\n}\n"
	f := facts(t, "a.go", content)
	Want{OnlyLines: []syntax.Range{{StartLine: 12, EndLine: 12}, {StartLine: 7, EndLine: 7}, {StartLine: 7, EndLine: 8}}}.Keep(&f)
	var got []string
	for _, s := range f.Symbols {
		got = append(got, fmt.Sprint(s.Name, " ", s.Parent))
	}
	for _, r := range f.References {
		got = append(got, fmt.Sprint(r.Name, " ", r.Enclosing))
	}
	if want := []string{"T -1", "B 0", "f -1", "g 2"}; !reflect.DeepEqual(got, want) || len(f.Imports) != 0 {
		t.Errorf("kept %q, want %q; imports %v", got, want, f.Imports)
	}
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	f, err := New().Facts(Source{Path: "a.go", Content: []byte("package a\n" + strings.Repeat("var x = a[b](c)\n", 50_000))}, Want{}, time.Millisecond)
	if err != nil || f.Status != syntax.StatusTimeout || f.Language != "go" || f.Lines != 50_001 {
		t.Errorf("%s %q %d %v", f.Status, f.Language, f.Lines, err)
	}
}

// checkFacts holds what is true of the facts of any text.
func checkFacts(t interface {
	Helper()
	Fatalf(string, ...any)
}, content string, f syntax.Facts) {
	t.Helper()
	inside := func(r syntax.Range) bool {
		return r.StartByte >= 0 && r.StartByte <= r.EndByte && r.EndByte <= len(content) &&
			r.StartLine >= 1 && r.StartLine <= r.EndLine && r.EndLine <= max(f.Lines, 1)
	}
	for i, s := range f.Symbols {
		if !inside(s.Range) || !inside(s.NameRange) || s.Name == "" || s.Kind == "" {
			t.Fatalf("symbol %d: %+v of %d lines", i, s, f.Lines)
		}
		if s.Range.StartByte > s.NameRange.StartByte || s.Range.EndByte < s.NameRange.EndByte {
			t.Fatalf("symbol %d does not hold its name: %+v", i, s)
		}
		if s.Parent >= i || s.Parent < -1 {
			t.Fatalf("symbol %d has parent %d", i, s.Parent)
		}
		if i > 0 && f.Symbols[i-1].Range.StartByte > s.Range.StartByte {
			t.Fatalf("symbol %d stands before the one before", i)
		}
		if s.MaxArguments >= 0 && s.MaxArguments < s.MinArguments {
			t.Fatalf("symbol %d takes %d to %d arguments", i, s.MinArguments, s.MaxArguments)
		}
	}
	for i, r := range f.References {
		if !inside(r.Range) || r.Name == "" || r.Kind == "" || r.Enclosing >= len(f.Symbols) || r.Enclosing < -1 {
			t.Fatalf("reference %d: %+v", i, r)
		}
		if i > 0 && f.References[i-1].Range.StartByte >= r.Range.StartByte {
			t.Fatalf("reference %d stands before the one before: %+v", i, r)
		}
		if r.Enclosing >= 0 && !(f.Symbols[r.Enclosing].Range.StartByte <= r.Range.StartByte && r.Range.EndByte <= f.Symbols[r.Enclosing].Range.EndByte) {
			t.Fatalf("reference %d is not in what encloses it", i)
		}
	}
	for _, e := range f.Errors {
		if !inside(e.Range) || e.Message == "" {
			t.Fatalf("error %+v of %d lines", e, f.Lines)
		}
	}
	for _, i := range f.Imports {
		if !inside(i.Range) || i.Module == "" {
			t.Fatalf("import %+v", i)
		}
	}
}

func fixtures(t interface {
	Helper()
	Fatal(...any)
}) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/facts/*.fixture")
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures", err)
	}
	out := make(map[string]string)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(file), ".fixture")] = string(b)
	}
	return out
}

// Whatever becomes of a real file, its facts stay well formed.
func TestMutatedFiles(t *testing.T) {
	t.Parallel()
	files := fixtures(t)
	for name, content := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			analyzer := New()
			rapid.Check(t, func(t *rapid.T) {
				b := []byte(content)
				for range rapid.IntRange(1, 6).Draw(t, "mutations") {
					at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
					n := rapid.IntRange(0, min(40, len(b)-at)).Draw(t, "cut")
					with := rapid.OneOf(rapid.Just(""), rapid.SampledFrom([]string{"(", ")", "{", "}", "\"", "'", "`", "\n", "\xff", "/*", "\ufeff", "=>", ":", "@"}),
						rapid.Map(rapid.IntRange(0, len(content)-1), func(i int) string { return content[i:min(len(content), i+30)] })).Draw(t, "with")
					b = append(b[:at:at], append([]byte(with), b[at+n:]...)...)
					if len(b) == 0 {
						return
					}
				}
				f, err := analyzer.Facts(Source{Path: name, Content: b}, Want{}, 20*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				checkFacts(t, string(b), f)
			})
		})
	}
}

func FuzzFacts(f *testing.F) {
	languages := Languages()
	for name, content := range fixtures(f) {
		language := Detect(name, []byte(content))
		f.Add(uint8(slices.IndexFunc(languages, func(l Language) bool { return l.Name == language })), content)
	}
	analyzer := New()
	f.Fuzz(func(t *testing.T, language uint8, content string) {
		ext := languages[int(language)%len(languages)].Extensions[0]
		begun := time.Now()
		defer func() {
			// The parse stops by itself; what is made of it must not take long either.
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("%d bytes of %s took %s", len(content), ext, took)
			}
		}()
		facts, err := analyzer.Facts(Source{Path: "x" + ext, Content: []byte(content)}, Want{}, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		checkFacts(t, content, facts)
	})
}

func FuzzCheck(f *testing.F) {
	f.Add(".py", pyFile, 3, 5, "if x:\n  y\n")
	f.Add(".go", goFile, 5, 5, "x")
	analyzer := New()
	f.Fuzz(func(t *testing.T, ext, content string, start, end int, replacement string) {
		got, err := analyzer.Check(Source{Path: "x" + ext, Content: []byte(content)}, Suggestion{start, end, replacement}, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if got.Verdict == "" || (got.Verdict == syntax.VerdictBreaks) != (len(got.Added) > 0) || (got.Verdict == syntax.VerdictReindented) != (got.Reindented != "") {
			t.Fatalf("verdict %+v", got)
		}
	})
}
