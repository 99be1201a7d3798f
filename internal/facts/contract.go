package facts

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// RuleBrokenCall is a signature that changed, or a symbol that is gone, while code at hand still uses the old one.
const RuleBrokenCall = "broken_call"

// Imports follows an import of a file to the files it leads to, as far as that is known.
type Imports interface {
	Import(from, language string, imp syntax.Import) []string
}

// Unit is a file that the change does not touch and that may use what it changes.
type Unit struct {
	Path  string
	Facts *syntax.Facts
	Text  []byte
}

// Across is a change as a whole, with the files around it that are at hand.
type Across struct {
	Files   []Input
	Others  []Unit
	Imports Imports
	// Unseen are changed files whose names are not known: what is gone may have gone there.
	Unseen []string
	// Complete is set when every file of the repository that holds the name of a suspect is among Files and Others.
	Complete bool
}

// Suspect is a definition whose users are worth looking for: it is gone, or takes other numbers of arguments.
type Suspect struct{ Path, Language, Name string }

// Suspects gives the definitions for which more files at hand would tell Broken more.
func Suspects(in Across) []Suspect {
	var list []Suspect
	for _, c := range newAcross(in).changes() {
		list = append(list, Suspect{Path: c.file.Path(), Language: c.language, Name: c.name})
	}
	return list
}

// source is a file as it is after the change.
type source struct {
	path  string
	facts *syntax.Facts
	lines []string
	// file is nil for one that the change does not touch.
	file *diff.File
	// top are the lines outside functions, once they were needed.
	top *string
}

// key names a definition for those who use it: Go and Java know packages, the others files.
type key struct{ place, container, name string }

// change is a definition whose callers may be broken.
type change struct {
	key
	language string
	// before are the definitions under this key before the change, after those after it; overloads have several.
	before, after []*syntax.Symbol
	// file is where the first of them was.
	file *diff.File
	// class is set for a constructor: its name is the class's.
	class bool
	// byDefault is set when it is what its module of JavaScript's exports by default.
	byDefault bool
}

// gone says that nothing is left under the key.
func (c *change) gone() bool { return len(c.after) == 0 }

// checked are the languages whose calls are understood.
func checked(language string) bool {
	switch language {
	case "go", "python", "javascript", "typescript", "tsx", "java":
		return true
	}
	return false
}

// script says whether a language is JavaScript or becomes it.
func script(language string) bool {
	return language == "javascript" || language == "typescript" || language == "tsx"
}

// placeOf is where a file's names live.
func placeOf(p, language string) string {
	if language == "go" || language == "java" {
		return path.Dir(p)
	}
	return p
}

// keyOf names a symbol. A constructor is known by its class.
func keyOf(p, language string, s *syntax.Symbol) (k key, class bool) {
	k = key{placeOf(p, language), s.Container, s.Name}
	switch {
	case language == "python" && s.Name == "__init__", script(language) && s.Name == "constructor",
		language == "java" && s.Name == path.Base(strings.ReplaceAll(s.Container, ".", "/")) && s.Kind == syntax.Method:
		k.name = path.Base(strings.ReplaceAll(s.Container, ".", "/"))
		k.container = "new"
		return k, true
	}
	return k, false
}

// visible says whether a definition can be used by others than the function it stands in.
func visible(f *syntax.Facts, s *syntax.Symbol) bool {
	if s.Test || s.Kind == syntax.Field || s.Kind == syntax.Module || s.Kind == syntax.Variable && !s.Exported {
		return false
	}
	// What stands in a type is a method; a function there is one that a function declares, which is a class as well.
	if s.Kind == syntax.Function && s.Parent >= 0 && s.Parent < len(f.Symbols) && f.Symbols[s.Parent].Kind == syntax.Class {
		return false
	}
	for at := s.Parent; at >= 0 && at < len(f.Symbols); at = f.Symbols[at].Parent {
		if k := f.Symbols[at].Kind; k == syntax.Function || k == syntax.Method {
			return false
		}
	}
	return true
}

// changes collects the definitions that are gone, or take other numbers of arguments.
func (a *across) changes() []*change {
	before := map[key]*change{}
	var order []key
	for i := range a.Files {
		in := &a.Files[i]
		f := in.Before
		if f == nil || f.Status != syntax.StatusOK || !checked(f.Language) || fixture(in.File.Path()) || len(f.Errors) > 0 {
			continue
		}
		for j := range f.Symbols {
			s := &f.Symbols[j]
			if !visible(f, s) {
				continue
			}
			k, class := keyOf(in.File.OldPath, f.Language, s)
			c := before[k]
			if c == nil {
				c = &change{key: k, language: f.Language, file: in.File, class: class}
				before[k] = c
				order = append(order, k)
			}
			c.before = append(c.before, s)
			c.byDefault = c.byDefault || exportsDefault(in, s)
		}
	}
	for _, s := range a.sources {
		for j := range s.facts.Symbols {
			if !visible(s.facts, &s.facts.Symbols[j]) {
				continue
			}
			k, _ := keyOf(s.path, s.facts.Language, &s.facts.Symbols[j])
			if c := before[k]; c != nil {
				c.after = append(c.after, &s.facts.Symbols[j])
			}
		}
	}
	var list []*change
	for _, k := range order {
		if c := before[k]; len(list) < maxChanges && a.interesting(c) {
			list = append(list, c)
		}
	}
	return list
}

// interesting says whether a definition changed in a way that breaks callers, and nothing else may stand in for it.
func (a *across) interesting(c *change) bool {
	if c.gone() {
		return !c.class && !a.hidden(c) && !a.standsIn(c)
	}
	same := len(c.before) == len(c.after)
	for i := range c.after {
		if !c.takesArguments(c.after[i]) {
			return false
		}
		same = same && c.before[i].MinArguments == c.after[i].MinArguments && c.before[i].MaxArguments == c.after[i].MaxArguments
	}
	for _, s := range c.before {
		if !c.takesArguments(s) {
			return false
		}
	}
	return !same
}

// hidden says whether what is gone may be in a changed file whose names are not known.
func (a *across) hidden(c *change) bool {
	for p := range a.unparsed {
		if placeOf(p, c.language) == c.place && path.Ext(p) == path.Ext(c.file.Path()) {
			return true
		}
	}
	return slices.ContainsFunc(a.Unseen, func(p string) bool {
		return placeOf(p, c.language) == c.place && path.Ext(p) == path.Ext(c.file.Path())
	})
}

// takesArguments says whether it is known how many arguments a definition takes. In JavaScript a function may be a class.
func (c *change) takesArguments(s *syntax.Symbol) bool {
	return s.MinArguments >= 0 && (callable(s) || script(c.language) && s.Kind == syntax.Class)
}

func callable(s *syntax.Symbol) bool { return s.Kind == syntax.Function || s.Kind == syntax.Method }

// fits says whether a call with so many arguments fits one of some definitions.
func fits(list []*syntax.Symbol, arguments int) bool {
	return slices.ContainsFunc(list, func(s *syntax.Symbol) bool {
		return arguments >= s.MinArguments && (s.MaxArguments < 0 || arguments <= s.MaxArguments)
	})
}

// takes says in words how many arguments some definitions take.
func takes(list []*syntax.Symbol) string {
	var words []string
	for _, s := range list {
		var w string
		switch {
		case s.MaxArguments < 0:
			w = fmt.Sprintf("at least %s", number(s.MinArguments, "argument"))
		case s.MaxArguments == s.MinArguments:
			w = number(s.MinArguments, "argument")
		default:
			w = fmt.Sprintf("%d to %d arguments", s.MinArguments, s.MaxArguments)
		}
		if !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return strings.Join(words, " or ")
}

func number(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
