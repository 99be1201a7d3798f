package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/facts"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// perPull is how many mutations of a kind are made of one pull request.
const perPull = 4

// mutation is one edit of one file of a revision that leaves everything else as it is.
type mutation struct {
	kind, path, name string
	rule             string
	old, new         string
	// calls are the lines that call the name by the look of the text, in the whole repository.
	calls int
}

// mutated is a revision with one file changed: the old side is the revision itself.
type mutated struct {
	gitFiles
	path, text string
}

func (m mutated) Read(ctx context.Context, side diff.Side, p string) ([]byte, error) {
	if p == m.path && side == diff.New {
		return []byte(m.text), nil
	}
	return m.show(ctx, m.head, p)
}

// Facts about mutations of real code: a signature of a fixed number of parameters that gets one more, an exported name that is renamed, a test
// that is skipped, emptied or removed, everything else left as it is. The names that are mutated are defined once in
// their repository, so what calls them is known from the text alone, without the code under test.
func TestFactsOnMutations(t *testing.T) {
	data, checkouts := os.Getenv("OPENRABBIT_DATA"), os.Getenv("OPENRABBIT_CHECKOUTS")
	if data == "" || checkouts == "" {
		t.Skip("OPENRABBIT_DATA and OPENRABBIT_CHECKOUTS name no pull requests and no checkouts of them")
	}
	ids, err := os.ReadDir(filepath.Join(data, "pulls"))
	if err != nil {
		t.Fatal(err)
	}
	type count struct{ made, found, other, sites, told int }
	counts := map[string]*count{}
	e := localEngine{stderr: os.Stderr}
	err = e.with(t.Context(), func(ctx context.Context, deps review.Deps) error {
		deps.Model = nil
		engine, err := review.NewEngine(deps)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if only := os.Getenv("OPENRABBIT_PULLS"); only != "" && !slices.Contains(strings.Split(only, ","), id.Name()) {
				continue
			}
			root := filepath.Join(checkouts, id.Name())
			head, err := commit(ctx, root, "head")
			if err != nil {
				return fmt.Errorf("%s: %w", id.Name(), err)
			}
			files := gitFiles{root: root, base: head, head: head}
			list, err := mutations(ctx, deps.Parser, files)
			if err != nil {
				return fmt.Errorf("%s: %w", id.Name(), err)
			}
			for _, m := range list {
				result, err := engine.Run(ctx, review.Change{Repository: "mutated", Diff: m.diff(t)}, mutated{files, m.path, m.new}, review.Options{MaxComments: -1}, nil)
				if err != nil {
					return err
				}
				language := strings.TrimPrefix(path.Ext(m.path), ".")
				c := counts[m.kind+" "+language]
				if c == nil {
					c = &count{}
					counts[m.kind+" "+language] = c
				}
				c.made++
				c.sites += m.calls
				hit := false
				for _, f := range result.Findings {
					if f.Rule == m.rule && strings.Contains(f.Title+f.Body, m.name) && !hit {
						hit = true
						c.told += strings.Count(f.Body, "\n- `")
					} else if f.Source == finding.FromFact && f.Rule != facts.RuleSyntaxError {
						c.other++
						t.Logf("%s: beside %s of %s in %s: %s\n%s", id.Name(), m.kind, m.name, m.path, f.Title, f.Body)
					}
				}
				if hit {
					c.found++
				} else {
					t.Logf("%s: missed: %s of %s in %s, %d calls (%v %v)", id.Name(), m.kind, m.name, m.path, m.calls, result.Notes[:len(result.Notes)-1], result.Omissions)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := count{}
	for _, key := range slices.Sorted(mapsKeys(counts)) {
		c := counts[key]
		t.Logf("%-24s %3d made, %3d found (%d others)", key, c.made, c.found, c.other)
		all.made, all.found, all.other = all.made+c.made, all.found+c.found, all.other+c.other
	}
	if all.made < 100 && os.Getenv("OPENRABBIT_PULLS") == "" {
		t.Fatalf("only %d mutations were made", all.made)
	}
	t.Logf("%d mutations, %d found (%.1f %%), %d facts about something else", all.made, all.found, 100*float64(all.found)/float64(all.made), all.other)
	if all.found*100 < all.made*95 {
		t.Errorf("recall is %d of %d", all.found, all.made)
	}
}

func mapsKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// diff is the change that a mutation makes: the lines between what both texts begin and end with.
func (m mutation) diff(t *testing.T) diff.Diff {
	t.Helper()
	a, b := strings.Split(strings.TrimSuffix(m.old, "\n"), "\n"), strings.Split(strings.TrimSuffix(m.new, "\n"), "\n")
	from := 0
	for from < len(a) && from < len(b) && a[from] == b[from] {
		from++
	}
	end := 0
	for end < len(a)-from && end < len(b)-from && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	var text strings.Builder
	start := max(from-3, 0)
	tail := min(3, end)
	fmt.Fprintf(&text, "diff --git a/%s b/%s\n--- a/%s\n+++ b/%s\n@@ -%d,%d +%d,%d @@\n", m.path, m.path, m.path, m.path,
		start+1, len(a)-end+tail-start, start+1, len(b)-end+tail-start)
	put := func(sign string, lines []string) {
		for _, l := range lines {
			text.WriteString(sign + l + "\n")
		}
	}
	put(" ", a[start:from])
	put("-", a[from:len(a)-end])
	put("+", b[from:len(b)-end])
	put(" ", a[len(a)-end:len(a)-end+tail])
	d, err := diff.Parse(strings.NewReader(text.String()), diff.Limits{})
	if err != nil {
		t.Fatalf("%s: %v\n%s", m.path, err, text.String())
	}
	return d
}

// mutations makes the mutations of one revision, of files that its pull request touched and of their neighbours.
func mutations(ctx context.Context, parser review.Parser, files gitFiles) ([]mutation, error) {
	out, err := git(ctx, files.root, "diff", "--name-only", "base", "head")
	if err != nil {
		return nil, err
	}
	all, err := files.Paths(ctx)
	if err != nil {
		return nil, err
	}
	dirs := map[string]bool{}
	for _, p := range strings.Fields(string(out)) {
		dirs[path.Dir(p)] = true
	}
	var sources []syntax.Source
	for _, p := range all {
		switch path.Ext(p) {
		case ".go", ".py", ".js", ".ts", ".tsx", ".java":
		default:
			continue
		}
		content, err := files.Read(ctx, diff.New, p)
		if dirs[path.Dir(p)] && err == nil && len(content) > 0 && len(content) < 200<<10 && len(sources) < 60 && !strings.Contains(p, "fixture") && !strings.Contains(p, "testdata") {
			sources = append(sources, syntax.Source{Path: p, Content: content})
		}
	}
	if len(sources) == 0 {
		return nil, nil
	}
	answers, err := parser.Analyze(ctx, sources)
	if err != nil {
		return nil, err
	}
	made := map[string]int{}
	var list []mutation
	type candidate struct {
		file int
		sym  *syntax.Symbol
	}
	var candidates []candidate
	for i := range answers {
		f := &answers[i].Facts
		if f.Status != syntax.StatusOK || len(f.Errors) > 0 || f.Generated {
			continue
		}
		for j := range f.Symbols {
			candidates = append(candidates, candidate{i, &f.Symbols[j]})
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int {
		h := func(c candidate) int {
			h := fnv.New32a()
			fmt.Fprint(h, sources[c.file].Path, c.sym.Name, c.sym.Range.StartLine)
			return int(h.Sum32() >> 1)
		}
		return h(a) - h(b)
	})
	for _, c := range candidates {
		for _, m := range edits(sources[c.file], &answers[c.file].Facts, c.sym) {
			if made[m.kind] == perPull {
				continue
			}
			if m.rule == facts.RuleBrokenCall {
				if m.calls, err = callsOf(ctx, files, c.sym.Name, m.path); err != nil {
					return nil, err
				}
				if m.calls == 0 {
					continue
				}
			}
			made[m.kind]++
			list = append(list, m)
		}
	}
	return list, nil
}

// callsOf counts the lines that call a name, 0 when more than one place defines it, or none calls it.
func callsOf(ctx context.Context, files gitFiles, name, from string) (int, error) {
	if len(name) < 4 || name == "Error" { // everybody has one
		return 0, nil
	}
	defs, err := files.Definitions(ctx, []string{name})
	if err != nil {
		return 0, err
	}
	defining := regexp.MustCompile(`\b(?:func|def|function|class|interface|type|const|let|var)\b[^=]*\b` + name + `\b|^\s+(?:(?:public|private|protected|static|async|final|abstract|synchronized)\s+)+[^=;]*\b` + name + `\s*\(|^\s+(?:async\s+)?` + name + `\s*\([^;]*\{\s*$|^\s+(?:(?:public|private|protected|static|async|override)\s+)*` + name + `\s*\([^;]*\)\s*(?::[^;=]*)?\{`)
	n := 0
	for _, d := range defs {
		if defining.MatchString(d.Text) {
			n++
		}
	}
	if n != 1 {
		return 0, nil
	}
	uses, err := files.Uses(ctx, []string{name})
	if err != nil {
		return 0, err
	}
	call := regexp.MustCompile(`^(?:[^#/]|/[^/])*?(?:^|[^A-Za-z0-9_$'"/*#-])` + name + `\(`)
	n = 0
	for _, u := range uses {
		text := strings.TrimSpace(u.Text)
		if path.Ext(u.Path) == path.Ext(from) && call.MatchString(u.Text) && !defining.MatchString(u.Text) &&
			!strings.HasPrefix(text, "//") && !strings.HasPrefix(text, "*") && !strings.HasPrefix(text, "#") && !strings.Contains(u.Path, "fixture") && !strings.Contains(u.Path, "testdata") {
			n++
		}
	}
	return n, nil
}

// edits gives the mutations of one symbol.
func edits(s syntax.Source, f *syntax.Facts, sym *syntax.Symbol) []mutation {
	text := string(s.Content)
	replace := func(from, to int, with string) string { return text[:from] + with + text[to:] }
	var list []mutation
	add := func(kind, rule, changed string) {
		if changed != text {
			list = append(list, mutation{kind: kind, path: s.Path, name: sym.Name, rule: rule, old: text, new: changed})
		}
	}
	if sym.Test {
		for i := range f.Symbols {
			if f.Symbols[i].Parent >= 0 && &f.Symbols[f.Symbols[i].Parent] == sym {
				return nil // it holds others
			}
		}
		list = testEdits(s, f, sym, replace, add)
		return list
	}
	if sym.Kind != syntax.Function && sym.Kind != syntax.Method || sym.MinArguments < 0 || facts.TestPath(s.Path) {
		return nil
	}
	for at := sym.Parent; at >= 0; at = f.Symbols[at].Parent {
		if k := f.Symbols[at].Kind; k == syntax.Function || k == syntax.Method {
			return nil
		}
	}
	open := strings.IndexByte(text[sym.NameRange.EndByte:], '(')
	if open >= 0 && open < 60 && sym.MaxArguments == sym.MinArguments && sym.Name != "constructor" && !strings.HasPrefix(sym.Name, "__") && f.Language != "javascript" {
		at := sym.NameRange.EndByte + open + 1
		extra := map[string]string{"go": "extra int", "python": "extra", "java": "int extra", "typescript": "extra: number", "tsx": "extra: number"}[f.Language]
		if m := regexp.MustCompile(`^\s*(?:self|cls)\s*(,\s*)?`).FindStringIndex(text[at:]); f.Language == "python" && m != nil {
			if strings.Contains(text[at:at+m[1]], ",") {
				add("signature", facts.RuleBrokenCall, replace(at+m[1], at+m[1], extra+", "))
			} else {
				add("signature", facts.RuleBrokenCall, replace(at+m[1], at+m[1], ", "+extra))
			}
		} else if strings.HasPrefix(strings.TrimSpace(text[at:]), ")") {
			add("signature", facts.RuleBrokenCall, replace(at, at, extra))
		} else {
			add("signature", facts.RuleBrokenCall, replace(at, at, extra+", "))
		}
	}
	if sym.Exported && sym.Container == "" && !strings.HasPrefix(sym.Signature, "export default") {
		add("renamed", facts.RuleBrokenCall, replace(sym.NameRange.StartByte, sym.NameRange.EndByte, sym.Name+"Renamed"))
	}
	return list
}

func testEdits(s syntax.Source, f *syntax.Facts, sym *syntax.Symbol, replace func(int, int, string) string, add func(kind, rule, changed string)) []mutation {
	if strings.Contains(sym.Signature, "describe") {
		return nil // it holds tests that are none to the parser
	}
	text := string(s.Content)
	body := text[sym.NameRange.EndByte:sym.Range.EndByte]
	line := strings.LastIndexByte(text[:sym.NameRange.StartByte], '\n') + 1
	indent := text[line : line+len(text[line:])-len(strings.TrimLeft(text[line:], " \t"))]
	var list []mutation
	collect := func(kind, rule, changed string) {
		list = append(list, mutation{kind: kind, path: s.Path, name: sym.Name, rule: rule, old: text, new: changed})
	}
	_ = add
	collect("test removed", facts.RuleTestRemoved, replace(sym.Range.StartByte, sym.Range.EndByte, ""))
	if strings.Contains(body, "kip") || strings.Contains(body, "isabled") || strings.Contains(text[max(0, sym.Range.StartByte-60):sym.NameRange.StartByte], "kip") {
		return list
	}
	switch f.Language {
	case "go", "java":
		open := strings.IndexByte(body, '{')
		if open < 0 || !strings.Contains(body, "(") {
			return list
		}
		from := sym.NameRange.EndByte + open + 1
		collect("test emptied", facts.RuleTestEmptied, replace(from, sym.Range.EndByte-1, "\n"+indent))
		if f.Language == "go" {
			collect("test skipped", facts.RuleTestSkipped, replace(from, from, "\n\tt.Skip(\"later\")"))
		} else {
			collect("test skipped", facts.RuleTestSkipped, replace(sym.Range.StartByte, sym.Range.StartByte, "@Disabled\n"+indent))
		}
	case "python":
		if m := regexp.MustCompile(`\)\s*(?:->[^:]+)?:[ \t]*\n`).FindStringIndex(body); m != nil {
			collect("test emptied", facts.RuleTestEmptied, replace(sym.NameRange.EndByte+m[1], sym.Range.EndByte, indent+"    pass"))
			collect("test skipped", facts.RuleTestSkipped, replace(line, line, indent+"@pytest.mark.skip\n"))
		}
	default:
		head := text[line:sym.NameRange.StartByte]
		if m := regexp.MustCompile(`^\s*(?:it|test)\(`).FindStringIndex(head); m != nil {
			at := line + m[1] - 1
			collect("test skipped", facts.RuleTestSkipped, replace(at, at, ".skip"))
		}
		if open := strings.Index(body, "{"); open >= 0 && strings.HasSuffix(strings.TrimSpace(body), ")") {
			if end := strings.LastIndexByte(body, '}'); end > open && regexp.MustCompile(`=>\s*$`).MatchString(body[:open]) {
				collect("test emptied", facts.RuleTestEmptied, replace(sym.NameRange.EndByte+open+1, sym.NameRange.EndByte+end, ""))
			}
		}
	}
	return list
}
