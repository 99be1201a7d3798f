package facts_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/facts"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// patch parses a file's patch; hunks begin with their header.
func patch(t testing.TB, path, hunks string) *diff.File {
	t.Helper()
	status := diff.StatusModified
	old := path
	if strings.HasPrefix(hunks, "@@ -0,0") {
		status, old = diff.StatusAdded, ""
	}
	f, err := diff.ParsePatch(old, path, status, hunks)
	if err != nil {
		t.Fatal(err)
	}
	return &f
}

// added makes a patch that adds a whole file.
func added(t testing.TB, path string, lines ...string) *diff.File {
	t.Helper()
	return patch(t, path, fmt.Sprintf("@@ -0,0 +1,%d @@\n+%s\n", len(lines), strings.Join(lines, "\n+")))
}

func parsed(errors ...syntax.Error) *syntax.Facts {
	return &syntax.Facts{Status: syntax.StatusOK, Language: "go", Errors: errors, Symbols: []syntax.Symbol{
		{Name: "Reserve", Container: "Stock", Kind: syntax.Method, Parent: -1, Range: syntax.Range{StartLine: 1, EndLine: 50, EndByte: 999}},
	}}
}

func language(name string, errors ...syntax.Error) *syntax.Facts {
	f := parsed(errors...)
	f.Language = name
	return f
}

func wrong(start, end int) syntax.Error {
	return syntax.Error{Range: syntax.Range{StartLine: start, EndLine: end}, Message: "missing `)`"}
}

// say prints a finding as "rule start-end severity".
func say(fs []finding.Finding) string {
	var s []string
	for _, f := range fs {
		at := "nowhere"
		if f.Anchored() {
			at = fmt.Sprintf("%d-%d", f.Anchor.Start, f.Anchor.End)
		}
		s = append(s, fmt.Sprintf("%s %s %s", f.Rule, at, f.Severity))
	}
	return strings.Join(s, "; ")
}

func TestFind(t *testing.T) {
	t.Parallel()
	edit := "@@ -10,3 +10,4 @@ func x\n a\n-b\n+c\n+d\n e\n"
	gone := "@@ -10,3 +10,2 @@ func x\n a\n-}\n e\n"
	conflict := []string{"a", "<<<<<<< HEAD", "b", "=======", "c", ">>>>>>> feature/x", "d"}
	for _, tt := range []struct {
		name string
		in   facts.Input
		want string
	}{
		{name: "nothing", in: facts.Input{File: patch(t, "a.go", edit), Before: parsed(), After: parsed()}},
		{name: "nothing known", in: facts.Input{File: patch(t, "a.go", edit)}},

		{name: "syntax error on an added line", in: facts.Input{File: patch(t, "a.py", edit), Before: parsed(), After: parsed(wrong(11, 11))}, want: "syntax_error 11-11 high"},
		{name: "range begins before the change", in: facts.Input{File: patch(t, "a.py", edit), Before: parsed(), After: parsed(wrong(3, 40))}, want: "syntax_error 11-11 high"},
		{name: "missed further down", in: facts.Input{File: patch(t, "a.py", edit), Before: parsed(), After: parsed(wrong(40, 40))}, want: "syntax_error 12-12 high"},
		{name: "missed very far down", in: facts.Input{File: patch(t, "a.py", edit), Before: parsed(), After: parsed(wrong(400, 400))}, want: "syntax_error nowhere high"},
		{name: "by a deletion alone", in: facts.Input{File: patch(t, "a.py", gone), Before: parsed(), After: parsed(wrong(11, 11))}, want: "syntax_error nowhere high"},
		{name: "was there before", in: facts.Input{File: patch(t, "a.py", edit), Before: parsed(wrong(11, 11)), After: parsed(wrong(12, 12))}},
		{name: "one more than before, elsewhere", in: facts.Input{File: patch(t, "a.py", edit), Before: parsed(wrong(30, 30)), After: parsed(wrong(12, 12), wrong(31, 31))}, want: "syntax_error 12-12 high"},
		{name: "one more than before, in what was wrong before", in: facts.Input{File: patch(t, "a.py", edit), Before: parsed(wrong(10, 12)), After: parsed(wrong(11, 11), wrong(12, 12))}},
		{name: "moved", in: facts.Input{File: patch(t, "a.py", edit), Before: parsed(wrong(30, 30), wrong(40, 40)), After: parsed(wrong(31, 31), wrong(41, 41))}},
		{name: "errors follow from each other", in: facts.Input{File: patch(t, "a.py", edit), Before: parsed(), After: parsed(wrong(11, 11), wrong(12, 12), wrong(13, 13))}, want: "syntax_error 11-11 high"},
		{name: "before is not known", in: facts.Input{File: patch(t, "a.py", edit), After: parsed(wrong(11, 11))}},
		{name: "not analysed", in: facts.Input{File: patch(t, "a.py", edit), Before: parsed(), After: &syntax.Facts{Status: syntax.StatusTimeout, Errors: []syntax.Error{wrong(11, 11)}}}},
		{name: "new file", in: facts.Input{File: added(t, "a.py", "x", "y("), After: parsed(wrong(2, 2))}, want: "syntax_error 2-2 high"},
		{name: "input of a test", in: facts.Input{File: added(t, "pkg/fixtures/a.py", "x", "y("), After: parsed(wrong(2, 2))}},
		{name: "flow", in: facts.Input{File: added(t, "a.js", "// @flow", "y("), New: []byte("// @flow\ny("), After: parsed(wrong(2, 2))}},
		{name: "template", in: facts.Input{File: added(t, "a.py", "{% if x %}", "y"), After: parsed(wrong(1, 1))}},

		{name: "what the grammar of TypeScript lacks", in: facts.Input{File: added(t, "a.ts", "x", "y<typeof import(\"z\")>()"), New: []byte("x\ny<typeof import(\"z\")>()"), After: language("typescript", wrong(2, 2))}},
		{name: "a grammar that is not trusted", in: facts.Input{File: added(t, "a.c", "FOO(int) x;"), New: []byte("FOO(int) x;"), After: language("c", wrong(1, 1))}},
		{name: "and of imported types", in: facts.Input{File: added(t, "a.ts", "type X = import('z').Y<A>;"), New: []byte("type X = import('z').Y<A>;"), After: language("typescript", wrong(1, 1))}},
		{name: "an import that is called is none", in: facts.Input{File: added(t, "a.ts", "import('z').then((;"), New: []byte("import('z').then((;"), After: language("typescript", wrong(1, 1))}, want: "syntax_error 1-1 high"},
		{name: "what the grammar of JSX lacks", in: facts.Input{File: added(t, "a.tsx", "<p>", "you & me", "</p>"), New: []byte("<p>\nyou & me\n</p>"), After: language("tsx", wrong(2, 2))}},
		{name: "an entity is none", in: facts.Input{File: added(t, "a.tsx", "<p>", "you &amp; me && (", "</p>"), New: []byte("<p>\nyou &amp; me && (\n</p>"), After: language("tsx", wrong(2, 2))}, want: "syntax_error 2-2 high"},
		{name: "go is asked of go", in: facts.Input{File: patch(t, "a.go", "@@ -1,1 +1,2 @@\n package a\n+var x = new(\"y\")\n"), Old: []byte("package a\n"), New: []byte("package a\nvar x = new(\"y\")\n"), Before: parsed(), After: parsed(wrong(2, 2))}},
		{name: "go that is wrong", in: facts.Input{File: patch(t, "a.go", "@@ -1,1 +1,2 @@\n package a\n+var x = (\n"), Old: []byte("package a\n"), New: []byte("package a\nvar x = (\n")}, want: "syntax_error 2-2 high"},
		{name: "go that was wrong before", in: facts.Input{File: patch(t, "a.go", "@@ -1,1 +1,2 @@\n package a(\n+var x = (\n"), Old: []byte("package a(\n"), New: []byte("package a(\nvar x = (\n")}},
		{name: "new go that is wrong", in: facts.Input{File: added(t, "a.go", "package a", "func {"), New: []byte("package a\nfunc {\n")}, want: "syntax_error 2-2 high"},
		{name: "go that is a template", in: facts.Input{File: added(t, "a.go", "package {{.Name}}"), New: []byte("package {{.Name}}\n")}},

		{name: "conflict", in: facts.Input{File: added(t, "a.txt", conflict...)}, want: "conflict_marker 2-2 high"},
		{name: "conflict hides its syntax errors", in: facts.Input{File: added(t, "a.go", conflict...), After: parsed(wrong(2, 6))}, want: "conflict_marker 2-2 high"},
		{name: "conflict with base", in: facts.Input{File: added(t, "a.yaml", "<<<<<<< HEAD", "a", "||||||| 1234567", "b", "=======", "c", ">>>>>>> x")}, want: "conflict_marker 1-1 high"},
		{name: "conflict with carriage returns", in: facts.Input{File: added(t, "a.txt", "<<<<<<< HEAD\r", "a\r", "=======\r", "c\r", ">>>>>>> x\r")}, want: "conflict_marker 1-1 high"},
		{name: "two conflicts", in: facts.Input{File: added(t, "a.txt", append(conflict, conflict...)...)}, want: "conflict_marker 2-2 high; conflict_marker 9-9 high"},
		{name: "heading", in: facts.Input{File: added(t, "a.rst", "Title", "=======", "text", "<<<<<<< x")}},
		{name: "in another order", in: facts.Input{File: added(t, "a.txt", ">>>>>>> x", "=======", "<<<<<<< HEAD")}},
		{name: "indented", in: facts.Input{File: added(t, "a.txt", " <<<<<<< HEAD", " =======", " >>>>>>> x")}},
		{name: "only removed", in: facts.Input{File: patch(t, "a.txt", "@@ -1,5 +1,2 @@\n-<<<<<<< HEAD\n a\n-=======\n b\n->>>>>>> x\n")}},
		{name: "was there before ", in: facts.Input{File: patch(t, "a.txt", "@@ -1,5 +1,6 @@\n <<<<<<< HEAD\n a\n+new\n =======\n b\n >>>>>>> x\n")}},
		{name: "in a literal that parses", in: facts.Input{File: added(t, "a.go", conflict...), After: parsed()}},
		{name: "in a fence", in: facts.Input{File: added(t, "a.md", append([]string{"```"}, conflict...)...), New: []byte("```\n" + strings.Join(conflict, "\n"))}},
		{name: "after a fence", in: facts.Input{File: added(t, "a.md", append([]string{"```", "```"}, conflict...)...), New: []byte("```\n```\n" + strings.Join(conflict, "\n"))}, want: "conflict_marker 4-4 high"},

		{name: "secret", in: facts.Input{File: patch(t, "a.go", edit), Secrets: []facts.Secret{{Line: 11, Rule: "aws-access-token", Masked: "k"}}}, want: "secret 11-11 high"},
		{name: "secret on a line that is not added", in: facts.Input{File: patch(t, "a.go", edit), Secrets: []facts.Secret{{Line: 10, Rule: "aws-access-token"}, {Line: 13}}}},
		{name: "secret by its name", in: facts.Input{File: patch(t, "a.go", edit), Secrets: []facts.Secret{{Line: 11, Rule: "generic-api-key", Generic: true}}}, want: "secret 11-11 medium"},
		{name: "two on a line", in: facts.Input{File: patch(t, "a.go", edit), Secrets: []facts.Secret{{Line: 11, Rule: "a"}, {Line: 11, Rule: "b"}}}, want: "secret 11-11 high"},
		{name: "secret in a test", in: facts.Input{File: patch(t, "a_test.go", edit), Secrets: []facts.Secret{{Line: 11, Rule: "private-key"}, {Line: 12, Rule: "generic-api-key", Generic: true}}}, want: "secret 11-11 low"},
		{name: "secret that is allowed", in: facts.Input{File: patch(t, "a.go", edit), Secrets: []facts.Secret{{Line: 11, Rule: "a", Masked: "x // gitleaks:allow"}}}},

		{name: "bidi", in: facts.Input{File: added(t, "a.go", "ok", "x := \u202e\u2066// check\u2069")}, want: "hidden_characters 2-2 high"},
		{name: "bidi in data", in: facts.Input{File: added(t, "a.yaml", "run: \u202eecho")}, want: "hidden_characters 1-1 high"},
		{name: "bidi where the script needs it", in: facts.Input{File: added(t, "he.json", "\"a\": \"\u2067שלום\u2069\"")}},
		{name: "bidi in code in such a script", in: facts.Input{File: added(t, "a.py", "# \u2067שלום\u2069")}, want: "hidden_characters 1-1 high"},
		{name: "zero width space in code", in: facts.Input{File: added(t, "a.ts", "is\u200bAdmin()")}, want: "hidden_characters 1-1 medium"},
		{name: "zero width space in a test", in: facts.Input{File: added(t, "a.test.ts", "is\u200bAdmin()")}, want: "hidden_characters 1-1 low"},
		{name: "zero width space in prose", in: facts.Input{File: added(t, "a.md", "long\u200bword")}},
		{name: "joiner in a name", in: facts.Input{File: added(t, "a.py", "ad\u200dmin = 1")}, want: "hidden_characters 1-1 medium"},
		{name: "emoji", in: facts.Input{File: added(t, "a.py", "x = '👩\u200d💻 ❤\ufe0f 🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f'")}},
		{name: "persian", in: facts.Input{File: added(t, "a.py", "x = 'می\u200cخواهم'")}},
		{name: "tags", in: facts.Input{File: added(t, "README.md", "hello\U000e0069\U000e0067\U000e006e")}, want: "hidden_characters 1-1 high"},
		{name: "variation selectors", in: facts.Input{File: added(t, "a.js", "x = '😀\U000e0101\U000e0110\U000e0111'")}, want: "hidden_characters 1-1 high"},
		{name: "byte order mark", in: facts.Input{File: added(t, "a.cs", "\ufeffusing X;", "y")}},
		{name: "byte order mark inside", in: facts.Input{File: added(t, "a.cs", "x", "\ufeffy")}, want: "hidden_characters 2-2 medium"},
		{name: "on a context line", in: facts.Input{File: patch(t, "a.go", "@@ -1,1 +1,2 @@\n x\u202e\n+y\n")}},
		{name: "deleted file", in: facts.Input{File: &diff.File{OldPath: "a.go", Status: diff.StatusDeleted}}},
		{name: "binary", in: facts.Input{File: &diff.File{NewPath: "a.go", Binary: true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := facts.Find(tt.in)
			if say(got) != tt.want {
				t.Fatalf("got %q, want %q", say(got), tt.want)
			}
			d := diff.Diff{Files: []diff.File{*tt.in.File}}
			for _, f := range got {
				if f.Title == "" || f.Body == "" || f.Path != tt.in.File.Path() || f.Source != finding.FromFact || f.Confidence <= 0 || f.Confidence > 1 {
					t.Errorf("incomplete: %+v", f)
				}
				if f.Anchored() {
					if err := d.Valid(f.Anchor); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

func TestScopeAndQuote(t *testing.T) {
	t.Parallel()
	got := facts.Find(facts.Input{
		File: added(t, "a.py", "x", "y("), After: parsed(wrong(2, 2)),
		Secrets: []facts.Secret{{Line: 1, Rule: "github-pat", Description: "Uncovered a GitHub Personal Access Token, potentially leading to x.", Masked: "x = ⟦secret⟧"}},
	})
	if len(got) != 2 || got[0].Scope != "Stock.Reserve" || got[0].Quote != "x = ⟦secret⟧" || got[1].Quote != "y(" {
		t.Fatalf("got %+v", got)
	}
	if !strings.Contains(got[0].Body, "a GitHub Personal Access Token") {
		t.Errorf("body %q", got[0].Body)
	}
}

func TestManyHiddenLinesAreOneList(t *testing.T) {
	t.Parallel()
	lines := make([]string, 40)
	for i := range lines {
		lines[i] = "x\u202e"
	}
	got := facts.Find(facts.Input{File: added(t, "a.go", lines...)})
	if len(got) != 5 || !strings.Contains(got[4].Body, "35 more lines") {
		t.Errorf("%d findings, the last: %s", len(got), got[len(got)-1].Body)
	}
}

// Whatever the diff and the parser say, every anchor is one that GitHub takes, on an added line or a marker.
func FuzzFind(f *testing.F) {
	f.Add("a.go", "@@ -1,2 +1,3 @@\n a\n+<<<<<<< HEAD\n-b\n+\u202ec\n", 1, 5, 2)
	f.Add("b.go", "@@ -1,1 +1,2 @@\n package a\n+func (\n", 1, 5, 2)
	f.Fuzz(func(t *testing.T, path, hunks string, start, end, secret int) {
		file, err := diff.ParsePatch(path, path, diff.StatusModified, hunks)
		if err != nil {
			return
		}
		d := diff.Diff{Files: []diff.File{file}}
		for _, got := range facts.Find(facts.Input{
			File: &file, Old: []byte("package a\n"), New: []byte(hunks), Before: parsed(), After: parsed(wrong(start, end)), Secrets: []facts.Secret{{Line: secret, Rule: "r"}},
		}) {
			if !got.Anchored() {
				continue
			}
			if err := d.Valid(got.Anchor); err != nil {
				t.Fatal(err)
			}
			if l, ok := file.Lookup(diff.New, got.Anchor.Start); !ok || l.Kind != diff.Added {
				t.Fatalf("anchor %s is not on an added line", got.Anchor)
			}
		}
	})
}
