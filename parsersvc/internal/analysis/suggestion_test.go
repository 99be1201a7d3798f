//go:build cgo

package analysis

import (
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

const goFile = `package x

func a(ok bool) int {
	if ok {
		return 1
	}
	return 2
}
`

const pyFile = `class C:
    def a(self, ok):
        if ok:
            return 1
        return 2

    def b(self):
        return 3
`

func TestCheckSuggestion(t *testing.T) {
	t.Parallel()
	brokenGo := strings.Replace(goFile, "package x\n", "package x\n\nfunc broken( {\n}\n", 1)
	for _, c := range []struct {
		name, path, content string
		start, end          int
		replacement         string
		want                syntax.Verdict
		reindented          string
		addedLine           int
	}{
		{"good", "a.go", goFile, 5, 5, "\t\treturn 10", syntax.VerdictOK, "", 0},
		{"several lines for one", "a.go", goFile, 7, 7, "\tn := 2\n\treturn n", syntax.VerdictOK, "", 0},
		{"one line for several", "a.go", goFile, 4, 6, "\tprintln(ok)", syntax.VerdictOK, "", 0},
		{"deletes", "a.go", goFile, 4, 6, "", syntax.VerdictOK, "", 0},
		{"deletes a bracket", "a.go", goFile, 6, 6, "", syntax.VerdictBreaks, "", 7},
		{"breaks", "a.go", goFile, 5, 5, "\t\treturn (1", syntax.VerdictBreaks, "", 5},
		{"adds a bracket", "a.go", goFile, 8, 8, "}\n}", syntax.VerdictBreaks, "", 9},
		{"the same", "a.go", goFile, 5, 5, "\t\treturn 1", syntax.VerdictNoChange, "", 0},
		{"the same with a newline", "a.go", goFile, 5, 6, "\t\treturn 1\n\t}\n", syntax.VerdictNoChange, "", 0},
		{"indentation is no syntax", "a.go", goFile, 5, 5, "return 10", syntax.VerdictOK, "", 0},
		{"good in a broken file", "a.go", brokenGo, 8, 8, "\t\treturn 10", syntax.VerdictOK, "", 0},
		{"mends a broken file", "a.go", brokenGo, 3, 3, "func broken() {", syntax.VerdictOK, "", 0},
		{"breaks a broken file more", "a.go", brokenGo, 8, 8, "\t\treturn ((1", syntax.VerdictBreaks, "", 8},
		{"no grammar", "a.txt", "a\nb\n", 1, 1, "c", syntax.VerdictUnknown, "", 0},
		{"no grammar, the same", "a.txt", "a\nb\n", 1, 1, "a", syntax.VerdictNoChange, "", 0},
		{"beyond the end", "a.go", goFile, 8, 9, "}", syntax.VerdictUnknown, "", 0},
		{"windows line ends", "a.go", strings.ReplaceAll(goFile, "\n", "\r\n"), 5, 5, "\t\treturn 1", syntax.VerdictNoChange, "", 0},
		{"last line without an end", "a.go", strings.TrimSuffix(goFile, "\n"), 8, 8, "}\n\nvar x int", syntax.VerdictOK, "", 0},

		{"python good", "a.py", pyFile, 4, 4, "            return 10", syntax.VerdictOK, "", 0},
		{"python breaks", "a.py", pyFile, 4, 4, "            return (10", syntax.VerdictBreaks, "", 4},
		{"python lost indentation", "a.py", pyFile, 3, 5, "if not ok:\n    return 2\nreturn 1", syntax.VerdictReindented,
			"        if not ok:\n            return 2\n        return 1", 0},
		{"python lost indentation of one line", "a.py", pyFile, 8, 8, "return 4", syntax.VerdictReindented, "        return 4", 0},
		{"python too deep", "a.py", pyFile, 5, 5, "            return 4", syntax.VerdictOK, "", 0},
		{"python too deep for any block", "a.py", pyFile, 8, 8, "        x = 3\n            return 4", syntax.VerdictBreaks, "", 9},
		{"python moved in whole", "a.py", "def f():\n    x = 1\n    y = 2\n    return x\n", 3, 3, "        y = 3", syntax.VerdictReindented, "    y = 3", 0},
		{"python broken and lost", "a.py", pyFile, 8, 8, "return (4", syntax.VerdictBreaks, "", 8},
		{"tabs for spaces", "a.py", pyFile, 3, 4, "if ok:\n\n\treturn 5", syntax.VerdictReindented, "        if ok:\n\n        \treturn 5", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := New().Check(Source{Path: c.path, Content: []byte(c.content)}, Suggestion{c.start, c.end, c.replacement}, 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != c.want || got.Reindented != c.reindented {
				t.Errorf("verdict %s %q, want %s %q; added %v", got.Verdict, got.Reindented, c.want, c.reindented, got.Added)
			}
			if c.addedLine > 0 && (len(got.Added) == 0 || got.Added[0].Range.StartLine != c.addedLine) {
				t.Errorf("added %v, want one at line %d", got.Added, c.addedLine)
			}
			if c.addedLine == 0 && len(got.Added) > 0 {
				t.Errorf("added %v", got.Added)
			}
		})
	}
}
