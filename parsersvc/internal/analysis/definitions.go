//go:build cgo

package analysis

import (
	"cmp"
	"slices"

	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/parsersvc/internal/grammar"
)

// definition is one definition as its pattern found it.
type definition struct {
	kind    syntax.Kind
	pattern int
	// node is the range of the definition, outer the same with what wraps it and the decorators before it.
	node, outer span
	name        span
	// body is where the signature ends, container a type named by the definition itself; zero when there is none.
	body, container span
	// value is the function that it names, or is made of when wrapped.
	value   span
	wrapped bool
	// recovered is where the first line ends of one that the grammar could not read; 0 for any other.
	recovered uint32
	// elsewhere: it counts only where no other definition has its name.
	elsewhere bool
	// parameters is the list, or single the only parameter of a definition without a list.
	parameters, single span
	// wrappers are the ranges between node and outer, for marks that sit on one of them.
	wrappers []span
}

// function is what a function without a name has.
type function struct {
	body, parameters, single span
}

// parameter is one parameter of a list.
type parameter struct {
	role role
	span span
}

// section is a place in a type from which on its members are private, or exported.
type section struct {
	at      uint32
	private bool
}

// gathered is what the query of definitions found in a file.
type gathered struct {
	definitions []definition
	functions   map[span]function
	parameters  map[uint32][]parameter // by the start of the list
	loose       []parameter            // of definitions without a list
	wrappers    map[span]span          // from the wrapped to the wrapper
	decorators  map[uint32]span        // by the end
	// decoratorStarts has the same by the start, made when first needed.
	decoratorStarts map[uint32]span
	exported        map[span]struct{}
	private         map[span]struct{}
	tests           map[span]struct{}
	// exportedNames are names of definitions exported elsewhere, constructors names of functions that make objects,
	// constructorPlaces points inside such functions. namedConstructors are where names stand that say it by themselves;
	// in a file with markup they are those of components.
	exportedNames     map[string]struct{}
	privateNames      map[string]struct{}
	constructors      map[string]struct{}
	constructorPlaces map[uint32]struct{}
	namedConstructors map[span]struct{}
	markup            bool
	sections          []section
	comments          []span
	docs              map[span]span // from the definition to its docstring
	imports           map[span]*importParts
	whole             bool
}

// gather sorts what the query of definitions found.
func gather(p *program, found grammar.Matches, content []byte) *gathered {
	g := &gathered{
		functions:  make(map[span]function),
		parameters: make(map[uint32][]parameter), wrappers: make(map[span]span), decorators: make(map[uint32]span),
		exported: make(map[span]struct{}), private: make(map[span]struct{}), tests: make(map[span]struct{}),
		exportedNames: make(map[string]struct{}), privateNames: make(map[string]struct{}), constructors: make(map[string]struct{}),
		constructorPlaces: make(map[uint32]struct{}), namedConstructors: make(map[span]struct{}),
		docs: make(map[span]span), imports: make(map[span]*importParts),
	}
	g.whole = p.each(found, content, func(pattern int, captures []capture) { g.match(pattern, captures, content) })
	slices.SortFunc(g.comments, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	slices.SortFunc(g.sections, func(a, b section) int { return cmp.Compare(a.at, b.at) })
	for i := range g.definitions {
		g.definitions[i].take(g.functions)
	}
	g.definitions = firstOfEachName(g.definitions)
	g.dropElsewhere(content)
	g.placeLoose()
	return g
}

// take gives a definition what the function that it names has.
func (d *definition) take(functions map[span]function) {
	f, ok := functions[d.value]
	if !ok {
		return
	}
	d.body = f.body
	if !d.wrapped {
		d.parameters, d.single = f.parameters, f.single
	}
}

// match sorts one match into what it says.
func (g *gathered) match(pattern int, captures []capture, content []byte) {
	d := definition{pattern: pattern}
	var defined, wrapped, wrapper, documented, doc, list, nameless span
	var param parameter
	var isDefinition bool
	var imp importMatch
	for _, c := range captures {
		switch c.role {
		case roleDefinition:
			// What is captured in pieces reaches from the first to the last.
			if isDefinition {
				c.span = span{min(defined.start, c.start), max(defined.end, c.end)}
			}
			isDefinition, defined, d.kind = true, c.span, c.kind
		case roleName:
			d.name = c.span
		case roleParameters:
			list = c.span
		case roleBody:
			d.body = c.span
		case roleContainer:
			d.container = c.span
		case roleFunction:
			nameless = c.span
		case roleValue:
			d.value = c.span
		case roleWrappedValue:
			d.value, d.wrapped = c.span, true
		case roleElsewhere:
			d.elsewhere = true
		case roleConstructor:
			g.constructors[c.string(content)] = struct{}{}
		case roleConstructorHere:
			g.constructorPlaces[c.start] = struct{}{}
		case roleConstructorNamed:
			g.namedConstructors[c.span] = struct{}{}
		case roleMarkup:
			g.markup = true
		case roleParameter, roleParameterUnnamed, roleOptional, roleOptionalUnnamed, roleVariadic,
			roleVariadicUnnamed, roleReceiverParameter:
			param = parameter{c.role, c.span}
		case roleWrapped:
			wrapped = c.span
		case roleWrapper:
			wrapper = c.span
		case roleDecorator:
			g.decorators[c.end] = c.span
		case roleExported:
			g.exported[c.span] = struct{}{}
		case roleExportedName:
			g.exportedNames[c.string(content)] = struct{}{}
		case rolePrivate:
			g.private[c.span] = struct{}{}
		case rolePrivateName:
			g.privateNames[plainName(c.string(content))] = struct{}{}
		case roleSectionPrivate, roleSectionExported:
			g.sections = append(g.sections, section{c.start, c.role == roleSectionPrivate})
		case roleTest:
			g.tests[c.span] = struct{}{}
		case roleComment:
			g.comments = append(g.comments, c.span)
		case roleDoc:
			doc = c.span
		case roleDocumented:
			documented = c.span
		case roleImport, roleImportModule, roleImportAlias, roleImportDefault, roleImportName, roleImportNameAlias:
			imp.add(c)
		default:
		}
	}
	switch {
	case isDefinition && d.name.end > d.name.start:
		// Of a definition that is captured in pieces one may be missing; its name is always in it.
		defined = span{min(defined.start, d.name.start), max(defined.end, d.name.end)}
		d.node, d.parameters, d.single = defined, list, param.span
		g.definitions = append(g.definitions, d)
	case nameless.end > nameless.start:
		g.functions[nameless] = function{d.body, list, param.span}
	case param.role != roleNone && list.end == 0:
		g.loose = append(g.loose, param)
	case param.role != roleNone:
		g.parameters[list.start] = append(g.parameters[list.start], param)
	}
	if wrapped.end > wrapped.start && wrapped != wrapper {
		g.wrappers[wrapped] = wrapper
	}
	if doc.end > doc.start {
		g.docs[documented] = doc
	}
	if imp.at.end > imp.at.start {
		g.addImport(imp, content)
	}
}

// firstOfEachName keeps one definition for each name in the text: that of the pattern that stands first in the query,
// and of its matches the one that found a body. They come out in the order of the text, outer before inner.
func firstOfEachName(all []definition) []definition {
	slices.SortFunc(all, func(a, b definition) int {
		return cmp.Or(
			cmp.Compare(a.name.start, b.name.start),
			cmp.Compare(a.pattern, b.pattern),
			cmp.Compare(b.body.start, a.body.start),
		)
	})
	return slices.CompactFunc(all, func(a, b definition) bool { return a.name.start == b.name.start })
}

// dropElsewhere leaves out the definitions whose names others have too; of several such the first stays.
func (g *gathered) dropElsewhere(content []byte) {
	if !slices.ContainsFunc(g.definitions, func(d definition) bool { return d.elsewhere }) {
		return
	}
	names := make(map[string]struct{})
	for i := range g.definitions {
		if d := &g.definitions[i]; !d.elsewhere {
			names[d.name.string(content)] = struct{}{}
		}
	}
	g.definitions = slices.DeleteFunc(g.definitions, func(d definition) bool {
		if !d.elsewhere {
			return false
		}
		name := d.name.string(content)
		_, there := names[name]
		names[name] = struct{}{}
		return there
	})
}

// placeLoose gives the parameters without a list to the innermost definition whose signature they stand in. Such a
// definition has its name for a list.
func (g *gathered) placeLoose() {
	if len(g.loose) == 0 {
		return
	}
	// The definitions come in the order of their names, outer before inner.
	slices.SortFunc(g.loose, func(a, b parameter) int { return cmp.Compare(a.span.start, b.span.start) })
	next := 0
	for i := range g.definitions {
		d := &g.definitions[i]
		if d.parameters != d.name {
			continue
		}
		end := d.node.end
		if d.body.end > 0 {
			end = d.body.start
		}
		for ; next < len(g.loose) && g.loose[next].span.start < d.name.end; next++ {
		}
		for ; next < len(g.loose) && g.loose[next].span.end <= end; next++ {
			g.parameters[d.name.start] = append(g.parameters[d.name.start], g.loose[next])
		}
	}
}

// widen extends every definition over what wraps it and the decorators before it, and sorts them so that a parent
// comes before its children.
func (g *gathered) widen(content []byte) {
	// A chain of wrappers is declarator, declaration, export, decorators; more would be a mistake in a query.
	const deepest = 8
	for i := range g.definitions {
		d := &g.definitions[i]
		d.outer = d.node
		for range deepest {
			w, ok := g.wrappers[d.outer]
			if !ok || !w.strictlyContains(d.outer) {
				break
			}
			d.wrappers = append(d.wrappers, w)
			d.outer = w
		}
		for len(g.decorators) > 0 {
			dec, ok := g.decorators[endBefore(content, d.outer.start)]
			if !ok {
				break
			}
			d.outer.start = dec.start
		}
	}
	sortNested(g.definitions)
}

// sortNested sorts definitions so that a parent comes before its children.
func sortNested(all []definition) {
	slices.SortStableFunc(all, func(a, b definition) int {
		return cmp.Or(
			cmp.Compare(a.outer.start, b.outer.start),
			cmp.Compare(b.outer.end, a.outer.end),
			cmp.Compare(a.name.start, b.name.start),
		)
	})
}

// endBefore gives the offset after the last byte before at that is no white space.
func endBefore(content []byte, at uint32) uint32 {
	for at > 0 && isSpace(content[at-1]) {
		at--
	}
	return at
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' || b == '\f' }

// marked says whether a definition, or what wraps it, is among the spans.
func (d *definition) marked(spans map[span]struct{}) bool {
	if _, ok := spans[d.node]; ok {
		return true
	}
	for _, w := range d.wrappers {
		if _, ok := spans[w]; ok {
			return true
		}
	}
	return false
}

// parametersOf gives the parameters of a definition in the order of the text, and whether it takes any list at all.
func (g *gathered) parametersOf(d *definition) ([]parameter, bool) {
	switch {
	case d.single.end > d.single.start:
		return []parameter{{roleParameter, d.single}}, true
	case d.parameters.end > d.parameters.start:
		list := g.parameters[d.parameters.start]
		slices.SortStableFunc(list, func(a, b parameter) int {
			return cmp.Or(cmp.Compare(a.span.start, b.span.start), cmp.Compare(b.span.end, a.span.end))
		})
		return merged(list), true
	default:
		return nil, false
	}
}

// merged puts together what several patterns say of the same parameter: of equals the most particular role holds, and
// what lies inside one that has no name is its name.
func merged(list []parameter) []parameter {
	out := list[:0:0]
	var last span
	for _, p := range list {
		if len(out) == 0 || !last.contains(p.span) {
			out, last = append(out, p), p.span
			continue
		}
		switch whole := &out[len(out)-1]; {
		case p.span == last:
			whole.role = max(whole.role, p.role)
		case whole.span == last && whole.role.unnamed():
			*whole = parameter{whole.role - 1, p.span}
		}
	}
	return out
}

// unnamed says whether a role is that of a parameter without a name; the one before it is the same with a name.
func (r role) unnamed() bool {
	return r == roleParameterUnnamed || r == roleOptionalUnnamed || r == roleVariadicUnnamed
}
