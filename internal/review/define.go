package review

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/facts"
	"github.com/openrabbit/openrabbit/internal/resolve"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

const (
	// maxSought bounds the names that are searched for, maxPlaces the definitions that a name may have to say something.
	maxSought, maxPlaces = 300, 3
	// maxFoundFiles bounds the files that are read because a search named them.
	maxFoundFiles = 40
)

// use is a name on added lines of a file, with what is needed to look for its definition.
type use struct {
	subject *subject
	ref     *syntax.Reference
	// count is on how many added lines it stands.
	count int
}

// uses gives the names that the added lines of a file use, each once, those used as calls and types first.
func (s *subject) uses() []use {
	if s.after == nil {
		return nil
	}
	var list []use
	at := map[string]int{}
	for i := range s.after.References {
		ref := &s.after.References[i]
		if !s.added[ref.Range.StartLine] || len(ref.Name) < 2 {
			continue
		}
		key := rootOf(*ref) + "\x00" + ref.Name
		if j, ok := at[key]; ok {
			list[j].count++
			if ref.Kind == syntax.Call || ref.Kind == syntax.Inherit {
				list[j].ref = ref
			}
			continue
		}
		at[key] = len(list)
		list = append(list, use{subject: s, ref: ref, count: 1})
	}
	rank := func(u use) int {
		switch u.ref.Kind {
		case syntax.Call, syntax.Inherit:
			return 0
		case syntax.TypeUse:
			return 1
		default:
			return 2
		}
	}
	slices.SortStableFunc(list, func(a, b use) int { return rank(a) - rank(b) })
	return list
}

// define finds the definitions of a name that a file uses, in the files its imports lead to. More than maxPlaces say
// nothing and are none.
func (r *run) define(u use) []place {
	s, ref := u.subject, u.ref
	var targets []string
	name, module := ref.Name, false
	root := rootOf(*ref)
	bound := false
	for _, b := range resolve.Bindings(s.after.Language, s.after.Imports) {
		if b.Local != root && (ref.Receiver == "" || b.Local != ref.Receiver) {
			continue
		}
		bound = true
		targets = append(targets, r.related.tree.Import(s.path, s.after.Language, s.after.Imports[b.Import])...)
		module = module || b.Name == ""
		if ref.Receiver == "" && b.Name != "" && b.Name != "default" {
			name = b.Name
		}
	}
	leads := r.related.leads[s]
	switch {
	case bound && (ref.Receiver == "" || module):
		if list := r.symbolsIn(targets, func(sym *syntax.Symbol) bool { return sym.Name == name && sym.Container == "" }); len(list) > 0 {
			return list
		}
		return few(r.symbolsIn(leads, func(sym *syntax.Symbol) bool { return sym.Name == name && sym.Container == "" }))
	case bound:
		if list := r.symbolsIn(targets, func(sym *syntax.Symbol) bool { return sym.Name == name && sym.Container == root }); len(list) > 0 {
			return few(list)
		}
		return few(r.symbolsIn(leads, func(sym *syntax.Symbol) bool { return sym.Name == name && sym.Container == root }))
	case ref.Receiver == "":
		// A name of the same package, or one that a parent gives.
		return few(r.symbolsIn(leads, func(sym *syntax.Symbol) bool {
			return sym.Name == name && (sym.Container == "" || sym.Kind == syntax.Method && s.after.Language == "java")
		}))
	case ref.Kind == syntax.Call:
		return few(r.symbolsIn(leads, func(sym *syntax.Symbol) bool { return sym.Name == name && sym.Container != "" }))
	}
	return nil
}

func few(list []place) []place {
	if len(list) > maxPlaces {
		return nil
	}
	return list
}

// symbolsIn gives the definitions in some files that answer to a question.
func (r *run) symbolsIn(paths []string, answers func(*syntax.Symbol) bool) []place {
	var list []place
	for _, p := range paths {
		u := r.related.units[p]
		if u == nil || u.facts == nil {
			continue
		}
		for i := range u.facts.Symbols {
			sym := &u.facts.Symbols[i]
			if sym.Kind != syntax.Module && answers(sym) {
				list = append(list, place{unit: u, symbol: sym})
			}
		}
	}
	return list
}

// search looks in the whole repository for the names that imports did not lead to.
func (r *run) search(ctx context.Context, n names) error {
	finder, ok := r.files.(Symbols)
	if !ok {
		return nil
	}
	var sought []string
	from := map[string]*subject{}
	for _, s := range r.subjects {
		if s.lines == nil {
			continue
		}
		for _, u := range r.usesOf(s) {
			name := u.ref.Name
			if from[name] != nil || len(name) < 4 || len(sought) == maxSought || len(n.definitions[name]) > 0 || len(r.define(u)) > 0 {
				continue
			}
			if u.ref.Kind == syntax.Read && (u.ref.Receiver != "" || name == strings.ToLower(name)) {
				continue // a variable or a property, whose name stands anywhere
			}
			from[name] = s
			sought = append(sought, name)
		}
	}
	if len(sought) == 0 {
		return nil
	}
	sites, err := finder.Definitions(ctx, sought)
	if err != nil {
		return fmt.Errorf("search for definitions: %w", err)
	}
	return r.takeSites(ctx, from, sought, sites)
}

// takeSites reads the files that a search named and keeps the names that they really define.
func (r *run) takeSites(ctx context.Context, from map[string]*subject, sought []string, sites []Site) error {
	byName := map[string][]Site{}
	for _, site := range sites {
		if r.subject(site.Path) != nil || facts.ProsePath(site.Path) {
			continue
		}
		for _, word := range wordsOf(site.Text) {
			if s := from[word]; s != nil && sameFamily(s.path, site.Path) {
				byName[word] = append(byName[word], site)
			}
		}
	}
	var read []string
	for _, name := range sought {
		list := nearest(byName[name], from[name].path)
		byName[name] = list
		for _, site := range list {
			if _, known := r.related.units[site.Path]; !known && !slices.Contains(read, site.Path) && len(read) < maxFoundFiles {
				read = append(read, site.Path)
			}
		}
	}
	if err := r.readUnits(ctx, read); err != nil {
		return err
	}
	for _, name := range sought {
		for _, site := range byName[name] {
			if p, ok := placeAt(r.related.units[site.Path], site, name); ok {
				r.related.found[name] = append(r.related.found[name], p)
			}
		}
		r.related.found[name] = few(r.related.found[name])
	}
	return nil
}

// nearest chooses among the sites of a name: those that are no tests, and of many those that share most of the path
// with where the name is used.
func nearest(sites []Site, from string) []Site {
	code := slices.DeleteFunc(slices.Clone(sites), func(s Site) bool { return facts.TestPath(s.Path) })
	if len(code) > 0 || !facts.TestPath(from) {
		sites = code
	}
	if len(sites) <= maxPlaces {
		return sites
	}
	best := 0
	for _, s := range sites {
		best = max(best, shared(from, s.Path))
	}
	near := slices.DeleteFunc(slices.Clone(sites), func(s Site) bool { return shared(from, s.Path) < best })
	if best < 2 || len(near) > maxPlaces {
		return nil
	}
	return near
}

// shared counts the leading directories that two paths have in common.
func shared(a, b string) int {
	x, y := strings.Split(path.Dir(a), "/"), strings.Split(path.Dir(b), "/")
	n := 0
	for n < len(x) && n < len(y) && x[n] == y[n] {
		n++
	}
	return n
}

// placeAt says whether a name is defined where a search says so.
func placeAt(u *unit, site Site, name string) (place, bool) {
	if u == nil || site.Line < 1 || site.Line > len(u.lines) {
		return place{}, false
	}
	if u.facts == nil {
		sym := &syntax.Symbol{Name: name, Range: syntax.Range{StartLine: site.Line, EndLine: min(site.Line+maxDefinitionLines, len(u.lines))},
			NameRange: syntax.Range{StartLine: site.Line, EndLine: site.Line}}
		defines := regexp.MustCompile(`\b(?:class|interface|enum|struct|record|trait|module|object|def|fn|fun|func|function|type)\s+(?:[A-Za-z_]\w*(?:\.|::))*` + regexp.QuoteMeta(name) + `\b`)
		return place{unit: u, symbol: sym}, defines.MatchString(u.lines[site.Line-1])
	}
	for i := range u.facts.Symbols {
		if sym := &u.facts.Symbols[i]; sym.Name == name && sym.NameRange.StartLine == site.Line && sym.Kind != syntax.Module {
			return place{unit: u, symbol: sym}, true
		}
	}
	return place{}, false
}

var word = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

func wordsOf(text string) []string {
	list := word.FindAllString(text, -1)
	slices.Sort(list)
	return slices.Compact(list)
}

// families are the endings of files whose code can call each other.
var families = [][]string{
	{".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".svelte"},
	{".java", ".kt", ".kts", ".scala", ".groovy"},
	{".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".m", ".mm"},
	{".py", ".pyi"},
	{".rb", ".rake", ".erb"},
}

func sameFamily(a, b string) bool {
	x, y := strings.ToLower(path.Ext(a)), strings.ToLower(path.Ext(b))
	if x == y {
		return true
	}
	for _, f := range families {
		if slices.Contains(f, x) {
			return slices.Contains(f, y)
		}
	}
	return false
}

// usesOf gives the names that the added lines of a file use. Of a file that no grammar reads, they are its words that
// look like names of types, or are called.
func (r *run) usesOf(s *subject) []use {
	if s.after != nil && s.after.Status != syntax.StatusUnsupported {
		return s.uses()
	}
	var list []use
	at := map[string]int{}
	for i := range s.file.Hunks {
		for _, l := range s.file.Hunks[i].Side(diff.New) {
			if l.Kind != diff.Added {
				continue
			}
			text, _ := s.line(l.New)
			for _, m := range plainUse.FindAllStringSubmatch(text, -1) {
				name := m[1] + m[2]
				if j, ok := at[name]; ok {
					list[j].count++
					continue
				}
				at[name] = len(list)
				kind := syntax.TypeUse
				if m[2] != "" {
					kind = syntax.Call
				}
				list = append(list, use{subject: s, count: 1, ref: &syntax.Reference{Name: name, Kind: kind, Arguments: -1, Enclosing: -1,
					Range: syntax.Range{StartLine: l.New, EndLine: l.New}}})
			}
		}
	}
	return list
}

// plainUse is a name in upper camel case, or one that is called.
var plainUse = regexp.MustCompile(`\b(?:([A-Z][a-z0-9]+[A-Za-z0-9]*)\b|([a-z_][A-Za-z0-9_]{3,}[?!]?)\()`)
