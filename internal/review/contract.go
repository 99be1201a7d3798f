package review

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/facts"
	"github.com/openrabbit/openrabbit/internal/prompt"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

const (
	// maxCommon is how many uses a name may have in the repository before it says nothing about one definition.
	maxCommon = 60
	// maxOutside bounds the callers outside the change that are shown for one definition.
	maxOutside = 5
	// maxAsked bounds the changed definitions whose uses are searched for.
	maxAsked = 60
)

// contracts shows how the signatures of a bundle's definitions read before and after the change.
func (r *run) contracts(b *bundle) []surrounding {
	var list []surrounding
	for _, s := range b.subjects() {
		if s.before == nil || s.after == nil {
			continue
		}
		for _, c := range changedContracts(s.before, s.after) {
			if len(list) == maxCallers {
				return list
			}
			text := "before: " + c.before.Signature + "\nafter:  "
			line := 0
			if c.after != nil {
				text += c.after.Signature
				line = c.after.NameRange.StartLine
			} else {
				text += "(gone)"
			}
			list = append(list, surrounding{Snippet: prompt.Snippet{Path: s.path, Line: line, Why: "contract of " + c.before.QualifiedName(), Text: r.masker.text(text)}})
		}
	}
	return list
}

// contract is a definition whose signature changed; after is nil for one that is gone.
type contract struct{ before, after *syntax.Symbol }

// changedContracts pairs the callables and types of the two sides of a file by their qualified names. Names with several
// definitions on a side are overloads, of which nothing is said.
func changedContracts(before, after *syntax.Facts) []contract {
	one := func(f *syntax.Facts) map[string]*syntax.Symbol {
		m := map[string]*syntax.Symbol{}
		for i := range f.Symbols {
			s := &f.Symbols[i]
			switch s.Kind {
			case syntax.Function, syntax.Method, syntax.Class, syntax.Interface, syntax.Struct, syntax.Enum, syntax.Type:
				if _, twice := m[s.QualifiedName()]; twice {
					m[s.QualifiedName()] = nil
				} else if !s.Test {
					m[s.QualifiedName()] = s
				}
			case syntax.Constant, syntax.Variable, syntax.Field, syntax.Module:
			}
		}
		return m
	}
	olds, news := one(before), one(after)
	var list []contract
	for i := range before.Symbols {
		o := olds[before.Symbols[i].QualifiedName()]
		if o == nil || o != &before.Symbols[i] {
			continue
		}
		n, there := news[o.QualifiedName()]
		if there && n == nil || there && n.Signature == o.Signature {
			continue
		}
		if !there && o.Parent >= 0 && o.Parent < len(before.Symbols) && news[before.Symbols[o.Parent].QualifiedName()] == nil {
			continue // it went with what encloses it
		}
		list = append(list, contract{before: o, after: n})
	}
	return list
}

// outsideCallers searches the repository for uses of what each bundle changes.
func (r *run) outsideCallers(ctx context.Context) (map[*bundle][]surrounding, error) {
	finder, ok := r.files.(Symbols)
	if !ok {
		return nil, nil
	}
	type changed struct {
		name     string
		from     *subject
		contract bool
	}
	byBundle := map[*bundle][]changed{}
	var names []string
	for _, b := range r.bundles {
		var list []changed
		add := func(name string, s *subject, contract bool) {
			if len(name) < 4 || slices.ContainsFunc(list, func(c changed) bool { return c.name == name }) {
				return
			}
			if !slices.Contains(names, name) {
				if len(names) == maxAsked {
					return
				}
				names = append(names, name)
			}
			list = append(list, changed{name, s, contract})
		}
		for _, s := range b.subjects() {
			if s.before != nil && s.after != nil {
				for _, c := range changedContracts(s.before, s.after) {
					add(c.before.Name, s, true)
				}
			}
		}
		for _, p := range b.changedSymbols() {
			function := p.symbol.Kind == syntax.Function || p.symbol.Kind == syntax.Class && p.symbol.MinArguments >= 0
			if function || p.symbol.Kind == syntax.Method && !p.symbol.Test {
				add(p.symbol.Name, p.subject, false)
			}
		}
		byBundle[b] = list
	}
	if len(names) == 0 {
		return nil, nil
	}
	sites, err := finder.Uses(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("search for callers: %w", err)
	}
	byName := map[string][]Site{}
	for _, site := range sites {
		for _, w := range wordsOf(site.Text) {
			if slices.Contains(names, w) && !facts.ProsePath(site.Path) {
				byName[w] = append(byName[w], site)
			}
		}
	}
	found := map[*bundle][]surrounding{}
	for _, b := range r.bundles {
		for _, c := range byBundle[b] {
			found[b] = append(found[b], r.callSites(byName[c.name], c.name, c.from)...)
		}
	}
	return found, nil
}

// callSites shows lines outside the change that call a name: code before tests. A name that stands everywhere says
// nothing.
func (r *run) callSites(sites []Site, name string, from *subject) []surrounding {
	call := regexp.MustCompile(`(^|[^A-Za-z0-9_])` + regexp.QuoteMeta(name) + `\s*(<[^()]*>)?\(`)
	defines := regexp.MustCompile(`\b(?:func|def|function|class|interface|fn|fun)\b[^=]*\b` + regexp.QuoteMeta(name) + `\b`)
	var calls []Site
	for _, s := range sites {
		if sameFamily(s.Path, from.path) && r.subject(s.Path) == nil && call.MatchString(s.Text) && !defines.MatchString(s.Text) {
			calls = append(calls, s)
		}
	}
	if len(calls) == 0 || len(calls) > maxCommon {
		return nil
	}
	slices.SortStableFunc(calls, func(a, b Site) int {
		test := map[bool]int{true: 1}
		return (test[facts.TestPath(a.Path)]-test[facts.TestPath(b.Path)])*1000 - (shared(a.Path, from.path) - shared(b.Path, from.path))
	})
	var list []surrounding
	for _, s := range calls[:min(len(calls), maxOutside)] {
		why := "calls " + name
		if facts.TestPath(s.Path) {
			why = "test that calls " + name
		}
		list = append(list, surrounding{Snippet: prompt.Snippet{Path: s.Path, Line: s.Line, Why: why, Text: r.masker.text(strings.TrimSpace(s.Text))}})
	}
	return list
}
