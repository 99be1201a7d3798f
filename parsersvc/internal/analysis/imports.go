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
	if m.module.end > m.module.start {
		p.out.Module = strings.Trim(m.module.string(content), "\"'`")
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
func (g *gathered) importsOf(t *text) []syntax.Import {
	parts := make([]*importParts, 0, len(g.imports))
	for _, p := range g.imports {
		if p.out.Module != "" {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(a, b *importParts) int { return cmp.Compare(a.at.start, b.at.start) })
	var out []syntax.Import
	for _, p := range parts {
		slices.SortFunc(p.names, func(a, b importName) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(len(b.text), len(a.text)))
		})
		p.names = slices.CompactFunc(p.names, func(a, b importName) bool { return a.at == b.at })
		for _, n := range p.names {
			p.out.Names = append(p.out.Names, n.text)
		}
		p.out.Range = t.rangeOf(p.at)
		out = append(out, p.out)
	}
	return out
}
