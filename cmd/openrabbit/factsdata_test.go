package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/facts"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// perPull is how many mutations of a kind are made of one pull request.
const perPull = 8

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
	*remembered
	path, text string
}

func (m mutated) Read(ctx context.Context, side diff.Side, p string) ([]byte, error) {
	if p == m.path && side == diff.New {
		return []byte(m.text), nil
	}
	return m.remembered.Read(ctx, side, p)
}

// remembered is one revision of which git is asked everything once only: its mutations are of the same files.
type remembered struct {
	gitFiles
	mu    sync.Mutex
	paths []string
	texts map[string][]byte
	sites map[string][]review.Site
}

// remember gives what a map holds, or asks for it and puts it there.
func remember[V any](r *remembered, in map[string]V, key string, ask func() (V, error)) (V, error) {
	r.mu.Lock()
	v, ok := in[key]
	r.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := ask()
	if err == nil {
		r.mu.Lock()
		in[key] = v
		r.mu.Unlock()
	}
	return v, err
}

func (r *remembered) Read(ctx context.Context, _ diff.Side, p string) ([]byte, error) {
	return remember(r, r.texts, p, func() ([]byte, error) { return r.show(ctx, r.head, p) })
}

func (r *remembered) Paths(context.Context) ([]string, error) { return slices.Clone(r.paths), nil }

func (r *remembered) Definitions(ctx context.Context, names []string) ([]review.Site, error) {
	sites, err := remember(r, r.sites, "define "+strings.Join(names, " "), func() ([]review.Site, error) { return r.gitFiles.Definitions(ctx, names) })
	return slices.Clone(sites), err
}

func (r *remembered) Uses(ctx context.Context, names []string) ([]review.Site, error) {
	sites, err := remember(r, r.sites, "use "+strings.Join(names, " "), func() ([]review.Site, error) { return r.gitFiles.Uses(ctx, names) })
	return slices.Clone(sites), err
}

// tally counts mutations of one kind in one language: those made, those of which a fact told, and facts about anything
// else.
type tally struct{ made, found, other int }

func (c *tally) add(d tally) {
	c.made, c.found, c.other = c.made+d.made, c.found+d.found, c.other+d.other
}

func (c tally) String() string {
	return fmt.Sprintf("%d made, %d found (%.1f %%), %d facts about anything else", c.made, c.found, 100*float64(c.found)/float64(max(c.made, 1)), c.other)
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
	var all tally
	kinds := map[string]*tally{}
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
			start := time.Now()
			head, err := commit(ctx, filepath.Join(checkouts, id.Name()), "head")
			if err != nil {
				return fmt.Errorf("%s: %w", id.Name(), err)
			}
			files := &remembered{gitFiles: gitFiles{root: filepath.Join(checkouts, id.Name()), base: head, head: head},
				texts: map[string][]byte{}, sites: map[string][]review.Site{}}
			if files.paths, err = files.gitFiles.Paths(ctx); err != nil {
				return fmt.Errorf("%s: %w", id.Name(), err)
			}
			list, err := mutations(ctx, deps.Parser, files)
			if err != nil {
				return fmt.Errorf("%s: %w", id.Name(), err)
			}
			results, errs := make([]tally, len(list)), make([]error, len(list))
			var group sync.WaitGroup
			for worker := range 2 {
				group.Go(func() {
					for i := worker; i < len(list); i += 2 {
						results[i], errs[i] = list[i].run(ctx, t, engine, files)
					}
				})
			}
			group.Wait()
			if err := errors.Join(errs...); err != nil {
				return fmt.Errorf("%s: %w", id.Name(), err)
			}
			var here tally
			for i, m := range list {
				key := m.kind + " " + strings.TrimPrefix(path.Ext(m.path), ".")
				if kinds[key] == nil {
					kinds[key] = &tally{}
				}
				kinds[key].add(results[i])
				here.add(results[i])
			}
			all.add(here)
			t.Logf("%s: %s in %s; so far %s", id.Name(), here, time.Since(start).Round(time.Second), all)
		}
		return nil
	})
	for _, key := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%-20s %s", key, kinds[key])
	}
	t.Logf("all: %s", all)
	if err != nil {
		t.Fatal(err)
	}
	if all.made < 100 && os.Getenv("OPENRABBIT_PULLS") == "" {
		t.Fatalf("only %d mutations were made", all.made)
	}
	if all.found*100 < all.made*95 && !sharedNames() {
		t.Errorf("recall is %d of %d", all.found, all.made)
	}
	if told := all.found + all.other; all.found*100 < told*90 {
		t.Errorf("precision is %d of %d", all.found, told)
	}
}

// run reviews one mutation, and tells what was missed and what else was said.
func (m mutation) run(ctx context.Context, t *testing.T, engine *review.Engine, files *remembered) (tally, error) {
	result, err := engine.Run(ctx, review.Change{Repository: "mutated", Diff: m.diff(t)}, mutated{files, m.path, m.new}, review.Options{MaxComments: -1}, nil)
	if err != nil {
		return tally{}, fmt.Errorf("%s of %s in %s: %w", m.kind, m.name, m.path, err)
	}
	c := tally{made: 1}
	for _, f := range result.Findings {
		if f.Rule == m.rule && strings.Contains(f.Title+f.Body, m.name) && c.found == 0 {
			c.found = 1
			if sharedNames() && m.rule == facts.RuleBrokenCall {
				t.Logf("%s of %s in %s: %s\n%s", m.kind, m.name, m.path, f.Title, f.Body)
			}
		} else if f.Source == finding.FromFact && f.Rule != facts.RuleSyntaxError {
			c.other++
			t.Logf("beside %s of %s in %s: %s\n%s", m.kind, m.name, m.path, f.Title, f.Body)
		}
	}
	if c.found == 0 {
		t.Logf("missed: %s of %s in %s, %d calls (%v %v)", m.kind, m.name, m.path, m.calls, result.Notes, result.Omissions)
	}
	return c, nil
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
func mutations(ctx context.Context, parser review.Parser, files *remembered) ([]mutation, error) {
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
		if !dirs[path.Dir(p)] || len(sources) == 60 || strings.Contains(p, "fixture") || strings.Contains(p, "testdata") {
			continue
		}
		content, err := files.Read(ctx, diff.New, p)
		if err != nil {
			return nil, err
		}
		if len(content) > 0 && len(content) < 200<<10 {
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
				if m.calls, err = callsOf(ctx, files, c.sym, m.path); err != nil {
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

// sharedNames says whether names are mutated that 2 to 12 places define, instead of those that one does. What calls them
// is not known from the text then: there is no share to hold, and what is told is printed, to be read.
func sharedNames() bool { return os.Getenv("OPENRABBIT_FACTS_SHARED") != "" }

// callsOf counts the lines that call a name, 0 when not the wanted number of places defines it, or none calls it.
func callsOf(ctx context.Context, files *remembered, sym *syntax.Symbol, from string) (int, error) {
	name := sym.Name
	if len(name) < 4 || name == "Error" { // everybody has one
		return 0, nil
	}
	uses, err := files.Uses(ctx, []string{name})
	if err != nil {
		return 0, err
	}
	defining := regexp.MustCompile(`\b(?:func|def|function|class|interface|type|const|let|var)\b[^=]*\b` + name + `\b|^\s+(?:(?:public|private|protected|static|async|final|abstract|synchronized)\s+)+[^=;]*\b` + name + `\s*\(|^\s+(?:async\s+)?` + name + `\s*\([^;]*\{\s*$|^\s+(?:(?:public|private|protected|static|async|override)\s+)*` + name + `\s*\([^;]*\)\s*(?::[^=]*)?\{|^\s*` + name + `\s*\??\s*\([^)]*\)\s*:`)
	// A method of an interface of Java's.
	declaring := regexp.MustCompile(`^\s+(?:[A-Za-z][A-Za-z0-9_<>,.?\[\]]*\s+)+` + name + `\s*\([^()]*\)[^(){}=]*;`)
	n := 0
	for _, u := range uses {
		word, _, _ := strings.Cut(strings.TrimSpace(u.Text), " ")
		if defining.MatchString(u.Text) || declaring.MatchString(u.Text) && !slices.Contains([]string{"return", "throw", "new", "else", "case"}, word) {
			n++
		}
	}
	if !sharedNames() && n != 1 || sharedNames() && (n < 2 || n > 12) {
		return 0, nil
	}
	call := regexp.MustCompile(`^(?:[^#/]|/[^/])*?(?:^|[^A-Za-z0-9_$'"/*#-])` + name + `\(`)
	if strings.Contains(".ts.tsx.js", path.Ext(from)) && sym.Container == "" {
		// After a dot it is a method of something else that is named like this function.
		call = regexp.MustCompile(`^(?:[^#/]|/[^/])*?(?:^|[^A-Za-z0-9_$'"/*#.-])` + name + `\(`)
	}
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
		if strings.Contains(text[max(0, sym.Range.StartByte):sym.NameRange.StartByte], "fixture") {
			return nil // named as a test, and none
		}
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
	// Java's that override are called by their parents' types, too, which have them still.
	override := f.Language == "java" && strings.Contains(text[max(0, sym.Range.StartByte-20):sym.NameRange.StartByte], "@Override")
	open := strings.IndexByte(text[sym.NameRange.EndByte:], '(')
	if open >= 0 && open < 60 && !override && sym.MaxArguments == sym.MinArguments && sym.Name != "constructor" && !strings.HasPrefix(sym.Name, "__") && f.Language != "javascript" {
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
	if strings.Contains(sym.Signature, "describe") || strings.Contains(sym.Signature, ".step(") {
		return nil // it holds tests that are none to the parser, or is a part of one
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
