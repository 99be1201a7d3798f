//go:build cgo

package analysis

import (
	"cmp"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// importMatch is one match about an import.
type importMatch struct {
	at                                    span
	module, alias, standard, name, rename span
}

func (m *importMatch) add(c capture) {
	switch c.role {
	case roleImport:
		m.at = c.span
	case roleImportModule:
		if m.module.end > m.module.start {
			c.span = span{min(m.module.start, c.start), max(m.module.end, c.end)}
		}
		m.module = c.span
	case roleImportAlias:
		m.alias = c.span
	case roleImportDefault:
		m.standard = c.span
	case roleImportName:
		m.name = c.span
	case roleImportNameAlias:
		m.rename = c.span
	default:
	}
}

// importParts is one import, put together from its matches.
type importParts struct {
	at    span
	out   syntax.Import
	names []importName
}

type importName struct {
	at   uint32
	text string
}

func (g *gathered) addImport(m importMatch, content []byte) {
	p, ok := g.imports[m.at]
	if !ok {
		p = &importParts{at: m.at}
		g.imports[m.at] = p
	}
	// A path may be captured from several of its parts on; the longest is the whole.
	if module := strings.Trim(m.module.string(content), "\"'`<>"); len(module) > len(p.out.Module) {
		p.out.Module = module
	}
	if m.alias.end > m.alias.start {
		p.out.Alias = m.alias.string(content)
	}
	if m.standard.end > m.standard.start {
		p.names = append(p.names, importName{m.standard.start, "default as " + m.standard.string(content)})
	}
	if m.name.end > m.name.start {
		text := m.name.string(content)
		if m.rename.end > m.rename.start {
			text += " as " + m.rename.string(content)
		}
		p.names = append(p.names, importName{m.name.start, text})
	}
}

// importsOf gives the imports in the order of the text.
func (g *gathered) importsOf(t *text, rules *rules) []syntax.Import {
	parts := make([]*importParts, 0, len(g.imports))
	for _, p := range g.imports {
		if p.out.Module != "" {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(a, b *importParts) int {
		return cmp.Or(cmp.Compare(a.at.start, b.at.start), cmp.Compare(b.at.end, a.at.end))
	})
	if rules.separator != "" {
		nest(parts, rules.separator)
	}
	var out []syntax.Import
	for _, p := range parts {
		slices.SortFunc(p.names, func(a, b importName) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(len(b.text), len(a.text)))
		})
		p.names = slices.CompactFunc(p.names, func(a, b importName) bool { return a.at == b.at })
		for _, n := range p.names {
			p.out.Names = append(p.out.Names, n.text)
		}
		if rules.importsEnd {
			p.splitEnd()
		}
		p.out.Range = t.rangeOf(p.at)
		out = append(out, p.out)
	}
	return out
}

// splitEnd makes the last part of a path the name that is taken from the module.
func (p *importParts) splitEnd() {
	i := strings.LastIndexByte(p.out.Module, '.')
	// In code that is broken a path may begin with a dot; then nothing stands before it.
	if i <= 0 || len(p.out.Names) > 0 {
		return
	}
	name := p.out.Module[i+1:]
	if p.out.Alias != "" {
		name, p.out.Alias = name+" as "+p.out.Alias, ""
	}
	p.out.Module, p.out.Names = p.out.Module[:i], []string{name}
}

// nest puts the modules of imports that enclose another in front of its own.
func nest(parts []*importParts, separator string) {
	var open []*importParts
	for _, p := range parts {
		for len(open) > 0 && !open[len(open)-1].at.contains(p.at) {
			open = open[:len(open)-1]
		}
		if len(open) > 0 && len(open) < maxNesting {
			p.out.Module = cut(open[len(open)-1].out.Module+separator+p.out.Module, maxContainer)
		}
		open = append(open, p)
	}
}
