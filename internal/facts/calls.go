package facts

import (
	"slices"
	"strings"
	"unicode"

	"github.com/openrabbit/openrabbit/internal/resolve"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// across looks at a change as a whole.
type across struct {
	Across
	sources []*source
	byPath  map[string]*source
	// unparsed are changed files of which the new side is not known.
	unparsed map[string]bool
	// named are all definitions at hand, before and after, by name.
	named map[string][]defined
	// bindings are what imports give each file.
	bindings map[*source][]resolve.Binding
	// references are all uses at hand, by name, in the order of the sources; imports the bindings, by the name in the
	// module.
	references map[string][]reference
	imports    map[string][]imported
}

// reference is a use with the file it stands in, imported a binding with it.
type reference struct {
	*source
	ref *syntax.Reference
}

type imported struct {
	*source
	resolve.Binding
}

// defined is a definition with where it lives.
type defined struct {
	key
	symbol *syntax.Symbol
	after  bool
}

func newAcross(in Across) *across {
	a := &across{Across: in, byPath: map[string]*source{}, unparsed: map[string]bool{}, named: map[string][]defined{}, bindings: map[*source][]resolve.Binding{},
		references: map[string][]reference{}, imports: map[string][]imported{}}
	add := func(s *source) {
		if s.facts == nil || s.facts.Status != syntax.StatusOK || !checked(s.facts.Language) || a.byPath[s.path] != nil {
			return
		}
		a.sources = append(a.sources, s)
		a.byPath[s.path] = s
		a.bindings[s] = resolve.Bindings(s.facts.Language, s.facts.Imports)
	}
	for i := range in.Files {
		f := &in.Files[i]
		if f.After == nil || f.New == nil {
			if f.File.NewPath != "" {
				a.unparsed[f.File.Path()] = true
			}
			continue
		}
		add(&source{path: f.File.NewPath, facts: f.After, lines: strings.Split(string(f.New), "\n"), file: f.File})
	}
	for i := range in.Others {
		add(&source{path: in.Others[i].Path, facts: in.Others[i].Facts, lines: strings.Split(string(in.Others[i].Text), "\n")})
	}
	for _, s := range a.sources {
		for i := range s.facts.References {
			ref := &s.facts.References[i]
			a.references[ref.Name] = append(a.references[ref.Name], reference{s, ref})
		}
		for _, b := range a.bindings[s] {
			if b.Name != "" {
				a.imports[b.Name] = append(a.imports[b.Name], imported{s, b})
			}
		}
	}
	note := func(p string, f *syntax.Facts, after bool) {
		for i := range f.Symbols {
			s := &f.Symbols[i]
			if s.Kind == syntax.Function || s.Kind == syntax.Method || s.Kind == syntax.Class || s.Kind == syntax.Struct {
				k, _ := keyOf(p, f.Language, s)
				a.named[k.name] = append(a.named[k.name], defined{k, s, after})
			}
		}
	}
	for i := range in.Files {
		if f := in.Files[i].Before; f != nil {
			note(in.Files[i].File.OldPath, f, false)
		}
	}
	for _, s := range a.sources {
		note(s.path, s.facts, true)
	}
	return a
}

// knows says whether a file can name a type that lives where a definition does: in the same place, or by an import.
func (a *across) knows(s *source, c *change, name string) bool {
	if placeOf(s.path, s.facts.Language) == c.place {
		return true
	}
	for _, b := range a.bindings[s] {
		if (b.Local == name || b.Local == "*" || b.Name == "") && a.leads(s, b, c) {
			return true
		}
	}
	return false
}

// leads says whether an import leads to where a definition lives, also through modules that only export it again.
func (a *across) leads(s *source, b resolve.Binding, c *change) bool {
	return a.leadsFrom(s, b, c, 0)
}

// maxAgain is through how many modules a name may be exported again.
const maxAgain = 4

func (a *across) leadsFrom(s *source, b resolve.Binding, c *change, depth int) bool {
	list := a.Imports.Import(s.path, s.facts.Language, s.facts.Imports[b.Import])
	if slices.ContainsFunc(list, func(p string) bool { return placeOf(p, c.language) == c.place }) {
		return true
	}
	if depth == maxAgain || c.language == "go" || c.language == "java" {
		return false
	}
	for _, p := range list {
		via := a.byPath[p]
		if via == nil || via == s {
			continue
		}
		for _, again := range a.bindings[via] {
			if (again.Local == b.Name || again.Local == "*" || b.Name == "" || b.Name == "*") && a.leadsFrom(via, again, c, depth+1) {
				return true
			}
		}
	}
	return false
}

// uses says whether a reference is certainly to a definition that changed.
func (a *across) uses(s *source, ref *syntax.Reference, c *change) bool {
	language := s.facts.Language
	if !sameLanguage(language, c.language) || ref.Name != c.name && !a.renamed(s, ref, c) {
		return false
	}
	switch {
	case c.class:
		return ref.Kind == syntax.Call && a.constructs(s, ref, c)
	case c.container != "":
		return ref.Kind == syntax.Call && (a.isOf(s, ref, c) || a.only(s, ref, c))
	}
	if ref.Receiver != "" {
		return a.throughModule(s, ref, c)
	}
	return a.bare(s, ref, c)
}

func sameLanguage(a, b string) bool { return a == b || script(a) && script(b) }

// renamed says whether a file knows a definition by another name.
func (a *across) renamed(s *source, ref *syntax.Reference, c *change) bool {
	return ref.Receiver == "" && slices.ContainsFunc(a.bindings[s], func(b resolve.Binding) bool {
		return b.Local == ref.Name && b.Name == c.name && b.Local != b.Name
	})
}

// bare says whether a name without a receiver is that of a definition outside types.
func (a *across) bare(s *source, ref *syntax.Reference, c *change) bool {
	language := s.facts.Language
	for _, b := range a.bindings[s] {
		if b.Local == ref.Name {
			return (b.Name == c.name || b.Name == "default" && c.byDefault) && language != "go" && a.leads(s, b, c)
		}
	}
	if placeOf(s.path, language) != c.place || language == "java" {
		return false // what stands in no type of Java's is a type
	}
	if language == "go" && strings.HasSuffix(s.path, "_test.go") && outerTest(s) {
		return false
	}
	// A function inside another may have the same name.
	for i := range s.facts.Symbols {
		if sym := &s.facts.Symbols[i]; sym.Name == ref.Name && (!visible(s.facts, sym) && !sym.Test || sym.Container != "") && language != "go" {
			return false
		}
	}
	return true
}

// outerTest says whether a test of Go's stands in a package of its own.
func outerTest(s *source) bool {
	for _, l := range s.lines {
		if rest, ok := strings.CutPrefix(l, "package "); ok {
			word, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			return strings.HasSuffix(word, "_test")
		}
	}
	return false
}

// throughModule says whether a receiver is the module that a definition lives in.
func (a *across) throughModule(s *source, ref *syntax.Reference, c *change) bool {
	if c.language == "go" && !isExported(c.name) {
		return false
	}
	for _, b := range a.bindings[s] {
		if b.Local == ref.Receiver && b.Name == "" {
			return a.leads(s, b, c)
		}
	}
	return false
}

func isExported(name string) bool { return name != "" && unicode.IsUpper(rune(name[0])) }

// constructs says whether a call makes an object of a class whose constructor changed.
func (a *across) constructs(s *source, ref *syntax.Reference, c *change) bool {
	switch {
	case ref.Receiver != "" && !(c.language == "python" && a.throughModule(s, ref, c)):
		return false
	case ref.Receiver == "" && placeOf(s.path, s.facts.Language) != c.place:
		return slices.ContainsFunc(a.bindings[s], func(b resolve.Binding) bool {
			return b.Local == ref.Name && (b.Name == c.name || b.Name == "default") && a.leads(s, b, c)
		})
	case s.facts.Language == "java":
		// A method may be called as the class is; and an inner class is another one.
		return ref.Range.StartLine <= len(s.lines) && strings.Contains(s.lines[ref.Range.StartLine-1], "new "+c.name) && len(a.definitions(c.name, "new")) == 1
	}
	return true
}

// definitions counts the places in which a name is defined in a container.
func (a *across) definitions(name, container string) map[key]bool {
	found := map[key]bool{}
	for _, d := range a.named[name] {
		if d.container == container {
			found[d.key] = true
		}
	}
	return found
}

// only says whether a call can mean nothing else at hand, though its receiver is not known: the name is a particular
// one, all definitions of it before the change are of this type, and the file has to do with it.
func (a *across) only(s *source, ref *syntax.Reference, c *change) bool {
	if ref.Receiver == "" || !particular(c.name) || a.inherits(c) && !a.ownOnly(c) {
		return false
	}
	for _, d := range a.named[c.name] {
		if d.container != c.container || d.place != c.place {
			return false
		}
	}
	for _, b := range a.bindings[s] {
		if b.Local == rootName(ref.Receiver) && (b.Name == "" || isExported(b.Local)) {
			return false // a module or a class, which would have been recognised
		}
	}
	if a.Complete && !c.gone() {
		return true
	}
	class := c.container
	if i := strings.LastIndexByte(class, '.'); i >= 0 {
		class = class[i+1:]
	}
	return a.knows(s, c, class)
}

func rootName(receiver string) string {
	if i := strings.IndexAny(receiver, ".([<?! \n\t"); i > 0 {
		return receiver[:i]
	}
	return receiver
}

// particular says whether a name is of several words and rather long: Reserve is anybody's, ReserveAllOrNone is one's own.
func particular(name string) bool {
	words := 1
	for i, r := range name {
		if i > 0 && (r == '_' || unicode.IsUpper(r) && !unicode.IsUpper(rune(name[i-1]))) {
			words++
		}
	}
	return words >= 2 && len(name) >= 8
}
