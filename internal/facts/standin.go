package facts

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// standsIn says whether a name that is gone may still be there by other means: imported and exported again, made by an
// assignment or at run time, or inherited.
func (a *across) standsIn(c *change) bool {
	s := a.byPath[c.file.NewPath]
	if c.file.NewPath == "" || s == nil {
		// The file is gone. That of a package goes on in its other files, which were looked at.
		return c.language == "python" || script(c.language)
	}
	if c.container != "" {
		return a.inherits(c)
	}
	for _, imp := range s.facts.Imports {
		for _, n := range imp.Names {
			if n == "*" && a.mayGive(s, imp, c.name, 0) || n == c.name || strings.HasSuffix(n, " as "+c.name) || strings.HasPrefix(n, c.name+" as ") {
				return true
			}
		}
		if imp.Alias == c.name {
			return true
		}
	}
	for i := range s.facts.Symbols {
		if s.facts.Symbols[i].Name == c.name {
			return true
		}
	}
	text := strings.Join(s.lines, "\n")
	if strings.Contains(text, "__getattr__") || strings.Contains(text, "globals()[") {
		return true
	}
	text = exportList.ReplaceAllString(text, "$1") // what exports a name does not make it
	q := regexp.QuoteMeta(c.name)
	return regexp.MustCompile(`\bas\s+` + q + `\b|[{,]\s*(?:\w+\s*:\s*)?` + q + `\s*[,}]|\b` + q + `\s*(?::[^=\n]+)?=[^=>]|exports\.` + q + `\b|["']` + q + `["']`).MatchString(text)
}

// exportsDefault says whether a definition was what its module exports by default.
func exportsDefault(in *Input, s *syntax.Symbol) bool {
	if !script(in.Before.Language) {
		return false
	}
	return strings.HasPrefix(s.Signature, "export default") || bytes.Contains(in.Old, []byte("export default "+s.Name)) &&
		regexp.MustCompile(`(?m)^export default `+regexp.QuoteMeta(s.Name)+`\s*;?\s*$`).Match(in.Old)
}

// mayGive says whether what a file imports whole may hold a name: a module that is not known may hold any.
func (a *across) mayGive(from *source, imp syntax.Import, name string, depth int) bool {
	list := a.Imports.Import(from.path, from.facts.Language, imp)
	if len(list) == 0 || depth == maxAgain {
		return true
	}
	for _, p := range list {
		s := a.byPath[p]
		if s == nil || slices.ContainsFunc(s.lines, func(l string) bool { return strings.Contains(l, name) }) {
			return true
		}
		for _, further := range s.facts.Imports {
			if slices.Contains(further.Names, "*") && a.mayGive(s, further, name, depth+1) {
				return true
			}
		}
	}
	return false
}

// exportList is a list of names of the file itself that JavaScript exports, with what follows it on its line.
var exportList = regexp.MustCompile(`(?m)^export\s*\{[^}]*\}\s*(;|$)`)

// inherits says whether the type of a method may have it from another type: by a parent, or embedded.
func (a *across) inherits(c *change) bool {
	for _, s := range a.sources {
		if placeOf(s.path, s.facts.Language) != c.place {
			continue
		}
		for i := range s.facts.Symbols {
			t := &s.facts.Symbols[i]
			if t.QualifiedName() != c.container || callable(t) {
				continue
			}
			for _, ref := range s.facts.References {
				if ref.Kind == syntax.Inherit && t.Range.Contains(ref.Range.StartLine) {
					return true
				}
			}
			if c.language == "go" {
				for n := t.Range.StartLine + 1; n < t.Range.EndLine && n <= len(s.lines); n++ {
					if embedded.MatchString(s.lines[n-1]) {
						return true
					}
				}
			}
		}
	}
	return false
}

// ownOnly says whether a method that is still there is its type's own, though the type has parents: Java's say when they
// override one, and all of the repository that holds the name was looked at.
func (a *across) ownOnly(c *change) bool {
	if c.language != "java" || c.gone() || !a.Complete {
		return false
	}
	i := slices.IndexFunc(a.Files, func(in Input) bool { return in.File == c.file })
	if i < 0 || a.Files[i].Old == nil {
		return false
	}
	lines := &source{lines: strings.Split(string(a.Files[i].Old), "\n")}
	return !slices.ContainsFunc(c.before, func(s *syntax.Symbol) bool {
		return strings.Contains(lines.between(s.Range.StartLine-1, s.NameRange.StartLine), "@Override")
	})
}

// embedded is a field of a Go struct that has no name.
var embedded = regexp.MustCompile("^\\s*\\*?(?:\\w+\\.)?[A-Za-z]\\w*(?:\\[[^\\]]*\\])?\\s*(?:`[^`]*`)?\\s*(?://.*)?$")
