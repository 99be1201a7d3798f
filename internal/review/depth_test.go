package review_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/openrabbit/openrabbit/internal/review"
)

// long makes a Go file of one function with so many lines, which calls what it is given.
func long(name string, lines int, calls ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package shop\n\nfunc %s() {\n", name)
	for i := range lines {
		fmt.Fprintf(&b, "\tstep%s%03d(\"a line of some length, so that the file takes room in a prompt\")\n", name, i)
	}
	for _, c := range calls {
		fmt.Fprintf(&b, "\t%s()\n", c)
	}
	b.WriteString("}\n")
	return b.String()
}

// A verdict is asked for as soon as its candidate is known: here the second finder answers only after it.
func TestVerifiersDoNotWaitForOtherFinders(t *testing.T) {
	t.Parallel()
	c, f := between(t, tree{}, tree{"a.go": long("Alpha", 80), "b.go": long("Beta", 80)})
	judged := make(chan struct{})
	var once sync.Once
	m := &fakeModel{answer: func(q review.ModelRequest) (review.ModelAnswer, error) {
		switch q.SchemaName {
		case "verdict":
			once.Do(func() { close(judged) })
			return said(keep)
		case "findings":
			if strings.Contains(q.Messages[1].Content, "path: a.go") {
				return said(report(map[string]any{"path": "a.go", "quote": "stepAlpha007(\"a line of some length", "title": "It steps"}))
			}
			<-judged // a barrier would wait here for ever
			return said(report())
		}
		return said(`{"summary":"s","changes":[],"risk":""}`)
	}}
	res := run(t, review.Deps{Model: m}, c, f, review.Options{PromptTokens: 4000})
	if len(m.of("findings")) < 2 || len(res.Findings) != 1 {
		t.Errorf("%d finders, findings %s", len(m.of("findings")), at(res))
	}
}

func TestQuick(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	m := script(always(report(map[string]any{"quote": held, "title": "The lock stays held"})), always(keep))
	res := run(t, review.Deps{Model: m}, c, f, review.Options{Depth: review.Quick})
	if len(res.Prompts) != 3 || !strings.HasPrefix(res.Prompts[0], "finder-") {
		t.Errorf("prompts %v", res.Prompts)
	}
	if m.of("findings")[0].Tier != review.Fast || m.of("verdict")[0].Tier != review.Main || len(res.Findings) != 1 {
		t.Errorf("tiers %s and %s, %s", m.of("findings")[0].Tier, m.of("verdict")[0].Tier, at(res))
	}
}

// Three looks with the files in other orders; what two report is heard, what one is sure of, too.
func TestDeep(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	lock := map[string]any{"quote": held, "title": "The lock stays held", "category": "concurrency", "confidence": 0.6}
	say := func(q review.ModelRequest) string {
		switch q.Pass {
		case 0:
			return report(lock, map[string]any{"path": "cart.go", "quote": "\tclear()", "title": "It clears nothing", "confidence": 0.6})
		case 1:
			return report(map[string]any{"quote": "\t\treturn errShort\n\t}", "title": "Whoever comes next waits for ever", "category": "concurrency", "confidence": 0.6})
		}
		return report(map[string]any{"quote": "\tlock()", "title": "It locks twice", "confidence": 0.9})
	}
	m := script(say, always(keep))
	res := run(t, review.Deps{Model: m}, c, f, review.Options{Depth: review.Deep})
	asked := m.of("findings")
	var passes []int
	orders := map[string]bool{}
	for _, q := range asked {
		passes = append(passes, q.Pass)
		orders[q.Messages[1].Content] = true
	}
	slices.Sort(passes)
	if !slices.Equal(passes, []int{0, 1, 2}) || len(orders) < 2 {
		t.Errorf("passes %v, %d orders", passes, len(orders))
	}
	got := at(res)
	if !strings.Contains(got, "The lock stays held") || !strings.Contains(got, "It locks twice") || strings.Contains(got, "clears nothing") || res.Dropped["outvoted"] != 1 {
		t.Errorf("got %s\ndropped %v", got, res.Dropped)
	}
	// The same questions after a restart.
	again := script(say, always(keep))
	if run(t, review.Deps{Model: again}, c, f, review.Options{Depth: review.Deep}); !slices.Equal(m.requests(), again.requests()) {
		t.Error("other questions are asked the second time")
	}
}

// When one look of three is not answered, the change was reviewed all the same.
func TestDeepWithALookMissing(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	m := script(always(report(map[string]any{"quote": held, "title": "The lock stays held"})), always(keep))
	inner := m.answer
	m.answer = func(q review.ModelRequest) (review.ModelAnswer, error) {
		if q.Pass == 1 {
			return outcome(review.OutcomeRefused)
		}
		return inner(q)
	}
	res := run(t, review.Deps{Model: m}, c, f, review.Options{Depth: review.Deep})
	if res.Partial || len(res.Findings) != 1 || !strings.Contains(strings.Join(res.Notes, " "), "deep") {
		t.Errorf("got %+v", res)
	}
}

// What belongs together is read together: a test with its code, a caller with what it calls, whatever lies between.
func TestBundlesByWhatBelongsTogether(t *testing.T) {
	t.Parallel()
	c, f := between(t, tree{}, tree{
		"a_test.go": long("TestA", 25), "b.go": long("Bee", 25, "Zed"), "m.go": long("Em", 25), "pkg/a.go": long("Ay", 25), "z.go": long("Zed", 25),
	})
	m := script(always(report()), always(keep))
	run(t, review.Deps{Model: m}, c, f, review.Options{PromptTokens: 4000})
	with := func(name string) string {
		for _, q := range m.of("findings") {
			if strings.Contains(q.Messages[1].Content, "\npath: "+name+"\n") {
				return q.Messages[1].Content
			}
		}
		return ""
	}
	if n := len(m.of("findings")); n < 2 {
		t.Fatalf("%d bundles", n)
	}
	if !strings.Contains(with("b.go"), "\npath: z.go\n") {
		t.Error("a caller is not read with what it calls")
	}
	if !strings.Contains(with("a_test.go"), "\npath: pkg/a.go\n") {
		t.Error("a test is not read with its code")
	}
}

// repository is a whole tree that can be listed and searched.
type repository struct {
	*fakeFiles
	most int
}

func (r repository) Paths(context.Context) ([]string, error) {
	var list []string
	for p := range r.new {
		list = append(list, p)
	}
	slices.Sort(list)
	return list, nil
}

func (r repository) Affordable() int { return r.most }

func (r repository) Definitions(_ context.Context, names []string) ([]review.Site, error) {
	return r.grep("func ", names), nil
}

func (r repository) Uses(_ context.Context, names []string) ([]review.Site, error) {
	return r.grep("", names), nil
}

func (r repository) grep(before string, names []string) []review.Site {
	var sites []review.Site
	paths, _ := r.Paths(context.Background())
	for _, p := range paths {
		for i, line := range strings.Split(r.new[p], "\n") {
			for _, n := range names {
				if strings.Contains(line, before+n+"(") {
					sites = append(sites, review.Site{Path: p, Line: i + 1, Text: line})
				}
			}
		}
	}
	return sites
}

// What the change uses and what uses it stands beside it, wherever in the repository it is.
func TestSurroundingsOfTheRepository(t *testing.T) {
	t.Parallel()
	old := tree{
		"go.mod": "module acme\n", "stock.go": "package shop\n\nimport \"acme/price\"\n\nfunc ReserveOrder() {\n\tnothing()\n}\n",
		"price/price.go":  "package price\n\nfunc Total(cents int) int {\n\tkey := \"SECRET_aaaabbbbcccc\"\n\treturn sum(key)\n}\n",
		"far/tax.go":      "package far\n\nfunc TaxOfCountry() int {\n\treturn 7\n}\n",
		"web/api.go":      "package web\n\nfunc Handle() {\n\tshop.ReserveOrder()\n}\n",
		"web/api_test.go": "package web\n\nfunc TestHandle() {\n\tshop.ReserveOrder()\n}\n",
		"docs/shop.md":    "ReserveOrder() reserves\n",
	}
	now := tree{}
	for p, text := range old {
		now[p] = text
	}
	now["stock.go"] = strings.Replace(old["stock.go"], "\tnothing()\n", "\tprice.Total(1)\n\tTaxOfCountry()\n", 1)
	c, f := between(t, old, now)
	for name, tt := range map[string]struct {
		files review.Files
		want  []string
		not   []string
	}{
		"bare": {files: f, not: []string{"defines", "calls ReserveOrder"}},
		"searched": {files: repository{fakeFiles: f}, want: []string{"price/price.go:3 (defines Total)", "far/tax.go:3 (defines TaxOfCountry)", "web/api.go:4 (calls ReserveOrder)", "web/api_test.go:4 (test that calls ReserveOrder)"},
			not: []string{"docs/shop.md", "SECRET_"}},
	} {
		m := script(always(report()), always(keep))
		run(t, review.Deps{Model: m}, c, tt.files, review.Options{})
		prompt := m.of("findings")[0].Messages[1].Content
		for _, want := range tt.want {
			if !strings.Contains(prompt, want) {
				t.Errorf("%s: no %q in\n%s", name, want, prompt)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(prompt, not) {
				t.Errorf("%s: %q in\n%s", name, not, prompt)
			}
		}
	}
}

// No more files are read beside the change than its reader affords.
func TestReadsBesideAreBounded(t *testing.T) {
	t.Parallel()
	now := tree{"go.mod": "module acme\n"}
	var imports, calls strings.Builder
	for i := range 9 {
		fmt.Fprintf(&imports, "import \"acme/p%d\"\n", i)
		fmt.Fprintf(&calls, "\tp%d.Do()\n", i)
		now[fmt.Sprintf("p%d/p.go", i)] = "package p\n\nfunc Do() {\n}\n"
	}
	now["a.go"] = "package a\n\n" + imports.String() + "\nfunc A() {\n" + calls.String() + "}\n"
	c, f := between(t, tree{"go.mod": now["go.mod"]}, now)
	for i := range c.Diff.Files {
		if c.Diff.Files[i].NewPath == "a.go" {
			c.Diff.Files = c.Diff.Files[i : i+1]
			break
		}
	}
	for most, want := range map[int]int{0: 9, 4: 4} {
		m := script(always(report()), always(keep))
		run(t, review.Deps{Model: m}, c, repository{fakeFiles: f, most: most}, review.Options{})
		if got := strings.Count(m.of("findings")[0].Messages[1].Content, "(defines Do)"); got != want {
			t.Errorf("of at most %d files, %d definitions", most, got)
		}
	}
}

// A call between directories that was not there before is a step of the flow; one alone is none.
func TestFlow(t *testing.T) {
	t.Parallel()
	old := tree{"go.mod": "module acme\n", "price/p.go": "package price\n\nfunc Total() {\n}\n\nfunc Round() {\n}\n", "web/w.go": "package web\n\nimport \"acme/price\"\n\nfunc Show() {\n}\n"}
	change := func(lines string) *review.Result {
		now := tree{"go.mod": old["go.mod"], "price/p.go": old["price/p.go"], "web/w.go": strings.Replace(old["web/w.go"], "Show() {\n", "Show() {\n"+lines, 1)}
		c, f := between(t, old, now)
		return run(t, review.Deps{}, c, repository{fakeFiles: f}, review.Options{})
	}
	want := []review.FlowStep{{From: "web", To: "price", Call: "Total"}, {From: "web", To: "price", Call: "Round"}}
	if got := change("\tprice.Total()\n\tprice.Round()\n").Flow; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if got := change("\tprice.Total()\n").Flow; got != nil {
		t.Errorf("one call: %v", got)
	}
}

func TestNoise(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	for title, cut := range map[string]bool{
		"Great refactoring of the reservation": true, "Looks good to me!": true, "Missing docstring for Reserve": true, "Trailing whitespace": true, "LGTM": true,
		"Good fix, but the lock stays held": false, "Missing newline in the record splits two orders": false, "Unused imports hide the real handler": true,
		"The lock stays held": false, "Looks good until n is negative, then it never returns": false, "Missing unlock on the short path": false,
	} {
		res := run(t, review.Deps{Model: script(always(report(map[string]any{"quote": held, "title": title})), always(keep))}, c, f, review.Options{})
		if got := res.Dropped["praise_or_style"] == 1; got != cut {
			t.Errorf("%q: cut is %v", title, got)
		}
	}
}

func TestGuidelines(t *testing.T) {
	t.Parallel()
	files := map[string]string{"AGENTS.md": "Be kind.\n", "CLAUDE.md": "Be kind.", "CONTRIBUTING.md": strings.Repeat("long ", 3000)}
	got, err := review.ReadGuidelines(t.Context(), review.GuidelineFiles(), func(_ context.Context, name string) ([]byte, error) { return []byte(files[name]), nil })
	if err != nil || !strings.HasPrefix(got, "From AGENTS.md:\nBe kind.\n\nFrom CONTRIBUTING.md:\nlong") || len(got) > 8<<10 || strings.Count(got, "Be kind") != 1 {
		t.Errorf("%v: %.80s", err, got)
	}
	if got, err := review.ReadGuidelines(t.Context(), nil, nil); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
