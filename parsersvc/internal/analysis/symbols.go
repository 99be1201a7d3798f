//go:build cgo

package analysis

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/parsersvc/internal/grammar"
)

// Limits on what one file may give.
const (
	maxSymbols   = 20_000
	maxContainer = 512
	maxName      = 256
	maxDoc       = 1 << 10
	maxParams    = 256
)

// builder turns definitions into symbols.
type builder struct {
	path string
	lang *compiled
	text *text
	g    *gathered
	docs *docs

	symbols []syntax.Symbol
	// spans are the symbols' ranges with what wraps them.
	spans []span
	// bodies are the starts of the symbols' bodies, 0 without one.
	bodies []uint32
	// places are where properties of this are assigned to, in order.
	places []uint32
	// makers are the functions that make objects.
	makers map[int]bool
	// private has, for a symbol whose body has sections, whether the section that was met last is private; sections are
	// those that lie ahead.
	private  map[int]bool
	sections []section
	// cut says that the list ended at its limit.
	cut bool
	// scratch is the analyzer's, spare an empty list that may be filled with the uses of names.
	scratch *scratch
	spare   []syntax.Reference
}

// build gives the symbols in the order of the text, a parent before its children.
func (b *builder) build(nodes []grammar.Node) {
	b.g.widen(b.text.content)
	b.recoverHeaders(nodes)
	b.docs = newDocs(b.g.comments, b.text)
	b.places = slices.Sorted(maps.Keys(b.g.constructorPlaces))
	type variable struct {
		parent int
		name   string
	}
	seen := make(map[variable]struct{})
	b.private, b.sections, b.makers = make(map[int]bool), b.g.sections, make(map[int]bool)
	n := min(len(b.g.definitions), maxSymbols)
	b.symbols, b.spans, b.bodies = slices.Grow(b.symbols, n), slices.Grow(b.spans, n), slices.Grow(b.bodies, n)
	var open []int
	for i := range b.g.definitions {
		d := &b.g.definitions[i]
		name := b.nameOf(d)
		if name == "" || b.lang.rules.dropBlank && name == "_" {
			continue
		}
		if _, imported := b.g.imports[d.node]; imported {
			continue
		}
		if len(b.symbols) == maxSymbols {
			b.cut = true
			return
		}
		b.passSections(d.outer.start, open)
		for len(open) > 0 && b.spans[open[len(open)-1]].end <= d.outer.start {
			open = open[:len(open)-1]
		}
		parent := b.parentOf(d, open)
		if b.lang.rules.localsToo && parent >= 0 && isCallable(b.symbols[parent].Kind) && d.declares() {
			continue
		}
		if b.lang.rules.oncePerScope && (d.kind == syntax.Variable || d.kind == syntax.Constant || d.kind == syntax.Field) {
			key := variable{parent, name}
			if _, ok := seen[key]; ok {
				continue
			}
			seen[key] = struct{}{}
		}
		// In f = function f() {} the same body is defined twice under one name.
		if parent >= 0 && b.symbols[parent].Name == name && d.body.start > 0 && b.bodies[parent] == d.body.start {
			continue
		}
		b.add(d, name, parent)
		open = append(open, len(b.symbols)-1)
	}
}

func (b *builder) nameOf(d *definition) string {
	name := b.text.string(d.name)
	if !b.lang.rules.rawNames {
		name = plainName(name)
	}
	if strings.IndexByte(name, '\n') >= 0 {
		name = strings.Join(strings.Fields(name), " ")
	}
	return cut(name, maxName)
}

// declares says whether a definition has no body of its own.
func (d *definition) declares() bool {
	switch d.kind {
	case syntax.Variable, syntax.Constant, syntax.Field:
		return true
	default:
		return isCallable(d.kind) && d.body.end == 0
	}
}

// passSections notes the sections before a place for the innermost of the open definitions that they lie in.
func (b *builder) passSections(at uint32, open []int) {
	for ; len(b.sections) > 0 && b.sections[0].at < at; b.sections = b.sections[1:] {
		for i := len(open) - 1; i >= 0; i-- {
			if s := b.spans[open[i]]; s.start <= b.sections[0].at && b.sections[0].at < s.end {
				b.private[open[i]] = b.sections[0].private
				break
			}
		}
	}
}

// parentOf gives the innermost open definition that encloses another, or -1. Fields belong to the type, also where
// they are declared in a constructor.
func (b *builder) parentOf(d *definition, open []int) int {
	parent := -1
	for i := len(open) - 1; i >= 0; i-- {
		if b.spans[open[i]].strictlyContains(d.outer) {
			parent = open[i]
			break
		}
	}
	if d.kind != syntax.Field {
		return parent
	}
	for parent >= 0 && !isType(b.symbols[parent].Kind) {
		parent = b.symbols[parent].Parent
	}
	return parent
}

func (b *builder) add(d *definition, name string, parent int) {
	s := syntax.Symbol{
		Name: name, Kind: d.kind, Parent: parent,
		Range: b.text.rangeOf(d.outer), NameRange: b.text.rangeOf(d.name),
		MinArguments: -1, MaxArguments: -1,
	}
	var up *syntax.Symbol
	if parent >= 0 {
		up = &b.symbols[parent]
	}
	own := b.makesObject(d, up)
	// What a function that makes objects declares is its own, unless it gives it to an object.
	local := parent >= 0 && b.makers[parent] && d.kind != syntax.Method && !b.text.follows(d.name.start, '.')
	if s.Kind == syntax.Function {
		if b.makesObjects(d, name) {
			s.Kind = syntax.Class
			b.makers[len(b.symbols)] = true
		} else if up != nil && b.hasMethods(up.Kind) && !own && !local {
			s.Kind = syntax.Method
		}
	}
	if !local {
		s.Container = b.container(d, &s, up, own)
	}
	s.Signature = b.signature(d)
	b.arity(d, &s)
	_, named := b.g.exportedNames[name]
	_, hidden := b.g.privateNames[name]
	private, inSection := b.private[parent]
	q := question{
		path: b.path, symbol: &s, parent: up, local: local, decorators: func() []string { return b.decoratorsOf(d) },
		exported: d.marked(b.g.exported) || named && parent < 0 || inSection && !private,
		private:  d.marked(b.g.private) || hidden && parent >= 0 || inSection && private,
	}
	s.Exported = b.lang.rules.exported != nil && b.lang.rules.exported(q)
	s.Test = d.marked(b.g.tests) || b.lang.rules.test != nil && b.lang.rules.test(q)
	if doc, ok := b.g.docs[d.node]; ok {
		s.Doc = cleanDocstring(doc.text(b.text.content))
	} else if up == nil || up.Range.StartLine < s.Range.StartLine {
		s.Doc = b.docs.above(s.Range.StartLine)
	}
	b.symbols = append(b.symbols, s)
	b.spans = append(b.spans, d.outer)
	b.bodies = append(b.bodies, d.body.start)
}

// hasMethods says whether a function in a definition of this kind is a method of it. The constant of an enumeration may
// have methods of its own.
func (b *builder) hasMethods(k syntax.Kind) bool {
	return k == syntax.Constant || isType(k) && (k != syntax.Module || b.lang.rules.modulesHaveMethods)
}

// makesObject says whether a definition is an assignment to a property of this.
func (b *builder) makesObject(d *definition, up *syntax.Symbol) bool {
	if up == nil || d.kind != syntax.Method {
		return false
	}
	_, ok := b.g.constructorPlaces[d.node.start]
	return ok
}

// makesObjects says whether a function is a class by another name: what makes objects is named in upper case, and
// something in the file shows that it does, or, where the language has that custom, its name says so.
func (b *builder) makesObjects(d *definition, name string) bool {
	if r, _ := utf8.DecodeRuneInString(name); !unicode.IsUpper(r) || d.wrapped {
		return false
	}
	if _, ok := b.g.constructors[name]; ok {
		return true
	}
	if _, ok := b.g.namedConstructors[d.name]; ok && !b.g.markup {
		return true
	}
	i, _ := slices.BinarySearch(b.places, d.body.start)
	return d.body.start > 0 && i < len(b.places) && b.places[i] < d.node.end
}

// container gives the names of the types that a definition belongs to. A function in between ends the chain: what it
// encloses belongs to no type.
func (b *builder) container(d *definition, s, up *syntax.Symbol, own bool) string {
	switch {
	case d.container.end > d.container.start:
		named := dotted(strings.ToValidUTF8(d.container.string(b.text.content), "\uFFFD"))
		if up != nil && isType(up.Kind) {
			outer := dotted(up.QualifiedName())
			if up.Name == named {
				return cut(outer, maxContainer)
			}
			return cut(outer+"."+named, maxContainer)
		}
		return cut(named, maxContainer)
	case up == nil:
		return ""
	case isType(up.Kind), s.Kind == syntax.Method && !isCallable(up.Kind):
		return cut(dotted(up.QualifiedName()), maxContainer)
	case own:
		return up.Container
	default:
		return ""
	}
}

// dotted writes a path of types as containers are written.
func dotted(path string) string {
	return strings.ReplaceAll(strings.ReplaceAll(path, "::", "."), `\`, ".")
}

func isCallable(k syntax.Kind) bool { return k == syntax.Function || k == syntax.Method }

// signature gives the text up to the body, without decorators.
func (b *builder) signature(d *definition) string {
	content := b.text.content
	start, end := d.outer.start, d.outer.end
	for {
		dec, ok := b.decoratorAt(start)
		if !ok || dec.end >= end {
			break
		}
		start = dec.end
		for start < end && isSpace(content[start]) {
			start++
		}
	}
	switch {
	case d.body.start > start:
		end = d.body.start
		if string(content[end:d.body.end]) == "=>" {
			end = d.body.end
		}
	case d.kind == syntax.Variable, d.kind == syntax.Constant, d.kind == syntax.Field:
		// A value may go on for long; its first line says enough.
		if i := bytes.IndexByte(content[start:min(end, start+maxSignature)], '\n'); i >= 0 {
			end = start + uint32(i)
		}
	}
	return strings.TrimRight(fold(content[start:end], maxSignature), " ;{")
}

// decoratorAt finds the decorator that begins at an offset.
func (b *builder) decoratorAt(at uint32) (span, bool) {
	if b.g.decoratorStarts == nil {
		b.g.decoratorStarts = make(map[uint32]span, len(b.g.decorators))
		for _, d := range b.g.decorators {
			b.g.decoratorStarts[d.start] = d
		}
	}
	d, ok := b.g.decoratorStarts[at]
	return d, ok
}

// decoratorsOf gives the texts of the decorators in front of a definition.
func (b *builder) decoratorsOf(d *definition) []string {
	var out []string
	for at := d.outer.start; at < d.node.start; {
		dec, ok := b.decoratorAt(at)
		if !ok {
			break
		}
		out = append(out, dec.string(b.text.content))
		for at = dec.end; at < d.node.start && isSpace(b.text.content[at]); at++ {
		}
	}
	return out
}

// arity fills in the parameters and the bounds of a call's arguments.
func (b *builder) arity(d *definition, s *syntax.Symbol) {
	list, ok := b.g.parametersOf(d)
	if !ok {
		return
	}
	known, static := true, false
	if b.lang.rules.decoratorsChangeArity {
		for _, dec := range b.decoratorsOf(d) {
			known = known && keepsArity(dec)
			static = static || strings.HasSuffix(strings.TrimSpace(dec), "staticmethod")
		}
	}
	if b.lang.rules.receiverIsParameter && s.Kind == syntax.Method && !static && len(list) > 0 &&
		(list[0].role == roleParameter || list[0].role == roleOptional) {
		list = list[1:]
	}
	least, most := 0, 0
	for _, p := range list {
		name := "_"
		switch p.role {
		case roleReceiverParameter:
			continue
		case roleParameter, roleOptional, roleVariadic:
			name = fold(p.span.text(b.text.content), maxName)
		default:
		}
		if len(s.Parameters) < maxParams {
			s.Parameters = append(s.Parameters, name)
		}
		switch p.role {
		case roleVariadic, roleVariadicUnnamed:
			most = -1
		case roleOptional, roleOptionalUnnamed:
			if most >= 0 {
				most++
			}
		default:
			least++
			if most >= 0 {
				most++
			}
		}
	}
	if known {
		s.MinArguments, s.MaxArguments = least, most
	}
}
