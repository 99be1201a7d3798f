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

// In every language a good line is good and a broken one breaks.
func TestCheckSuggestionInEveryLanguage(t *testing.T) {
	t.Parallel()
	type edit struct {
		line       int
		good, bad  string
		reindented string // what a replacement without its indentation becomes, where indentation is syntax
	}
	edits := map[string]edit{
		"bash":       {17, `  log "more $item" "$at"`, `  log "more $item`, ""},
		"c":          {41, "    return errno_of(count);", "    return errno_of(count;", ""},
		"cpp":        {37, `    this->log("more");`, `    this->log("more";`, ""},
		"csharp":     {48, "            items.Insert(at, item, 1);", "            items.Insert(at, (item);", ""},
		"css":        {12, "  color: red;", "  color: red; }", ""},
		"cython":     {24, "", "    return (sum", ""},
		"dockerfile": {5, "WORKDIR /bin", "FROM", ""},
		"go":         {72, "\treturn nil", "\treturn (nil", ""},
		"hcl":        {18, "  bucket = local.other", "  bucket = [local.other", ""},
		"html":       {10, `  <h1 id="top">Market</h1>`, `  <h1 id="top">Market</h1`, ""},
		"java":       {21, "        items.add(at, item, 1);", "        items.add(at, item;", ""},
		"javascript": {21, "  return round(sum);", "  return round(sum;", ""},
		"kotlin":     {43, "        items.add(at)", "        items.add(at", ""},
		"php":        {65, "        array_splice($this->items, $at);", "        array_splice($this->items, $at;", ""},
		"proto":      {14, "  string name = 1;", "  string name = ;", ""},
		"python":     {44, "        self.items = items", "        self.items = (items", "        self.items = items"},
		"ruby":       {33, "      items.insert(at)", "      items.insert(at", ""},
		"rust":       {59, "        self.items.push(item);", "        self.items.push(item;", ""},
		"scala":      {41, "    lines.insert(at)", "    lines.insert(at", ""},
		"sql":        {4, "  owner TEXT,", "  owner TEXT((,", ""},
		"swift":      {46, "        items.insert(item)", "        items.insert(item", ""},
		"tsx":        {11, "      <p />", "      <p>", ""},
		"typescript": {42, "    this.items.pop();", "    this.items.pop(;", ""},
		"yaml":       {9, "    image: cart:2", "    image: [cart", "    image: cart:2"},
	}
	for name, content := range fixtures(t) {
		language := Detect(name, []byte(content))
		e, ok := edits[language]
		if !ok {
			t.Errorf("%s: no edit in %s", name, language)
		}
		if !strings.HasPrefix(strings.ToLower(name), "shop.") && language != "dockerfile" {
			continue
		}
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			check := func(replacement string) Checked {
				got, err := New().Check(Source{Path: name, Content: []byte(content)}, Suggestion{e.line, e.line, replacement}, 10*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			if language == "cython" {
				// Python's grammar can't judge it.
				if got := check(e.bad); got.Verdict != syntax.VerdictUnknown {
					t.Errorf("the bad line: %+v", got)
				}
				return
			}
			if got := check(e.good); got.Verdict != syntax.VerdictOK {
				t.Errorf("the good line: %+v", got)
			}
			if got := check(e.bad); got.Verdict != syntax.VerdictBreaks || len(got.Added) == 0 {
				t.Errorf("the bad line: %+v", got)
			}
			if e.reindented == "" {
				return
			}
			if got := check(strings.TrimSpace(e.good)); got.Verdict != syntax.VerdictReindented || got.Reindented != e.reindented {
				t.Errorf("without its indentation: %+v", got)
			}
		})
	}
}
