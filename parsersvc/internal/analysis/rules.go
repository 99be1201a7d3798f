//go:build cgo

package analysis

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// rules are what a language has that is no syntax.
type rules struct {
	// exported says whether a definition is visible outside its file or package.
	exported func(question) bool
	// test says whether it is a test by its name; nil when only marks in the syntax say so.
	test func(question) bool
	// receiverIsParameter: a method's first parameter is the receiver.
	receiverIsParameter bool
	// decoratorsChangeArity: a decorator may give a function other parameters than it declares.
	decoratorsChangeArity bool
	// oncePerScope: a variable is defined by its first assignment.
	oncePerScope bool
	// dropBlank: "_" is no name.
	dropBlank bool
	// indentation is syntax.
	indentation bool
}

// question is what a rule is asked about.
type question struct {
	path   string
	symbol *syntax.Symbol
	// parent is the enclosing definition, or nil.
	parent *syntax.Symbol
	// exported and private are marks in the syntax on the definition itself.
	exported, private bool
}

// exportedByUpperCase is Go's rule.
func exportedByUpperCase(q question) bool {
	r, _ := utf8.DecodeRuneInString(q.symbol.Name)
	return unicode.IsUpper(r) && (q.parent == nil || isType(q.parent.Kind) && q.parent.Exported)
}

// exportedByUnderscore is Python's: a leading underscore is private, unless the name is one of the language's own.
func exportedByUnderscore(q question) bool {
	name := q.symbol.Name
	dunder := len(name) > 4 && strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__")
	if strings.HasPrefix(name, "_") && !dunder {
		return false
	}
	return q.parent == nil || isType(q.parent.Kind) && q.parent.Exported
}

// exportedByModifier is Java's: public and protected are visible outside the package if what encloses them is; the
// members of an interface are public, the constants of an enum as visible as the enum.
func exportedByModifier(q question) bool {
	if q.parent == nil {
		return q.exported
	}
	if !isType(q.parent.Kind) || !q.parent.Exported || q.private {
		return false
	}
	return q.exported || q.parent.Kind == syntax.Interface || q.parent.Kind == syntax.Enum && q.symbol.Kind == syntax.Constant
}

// exportedByStatement is JavaScript's: an export says so, and a member is as visible as its class unless it is private.
func exportedByStatement(q question) bool {
	switch {
	case q.private || strings.HasPrefix(q.symbol.Name, "#"):
		return false
	case q.exported:
		// An export inside a namespace is as visible as the namespace.
		return q.parent == nil || q.parent.Kind != syntax.Module || q.parent.Exported
	case q.parent == nil:
		return false
	case q.parent.Kind == syntax.Module, q.parent.Kind == syntax.Function, q.parent.Kind == syntax.Method:
		return false
	default:
		return q.parent.Exported
	}
}

// goTest is the rule of Go's test runner.
func goTest(q question) bool {
	if q.symbol.Kind != syntax.Function || !strings.HasSuffix(q.path, "_test.go") {
		return false
	}
	for _, prefix := range []string{"Test", "Benchmark", "Fuzz", "Example"} {
		rest, ok := strings.CutPrefix(q.symbol.Name, prefix)
		if !ok {
			continue
		}
		r, _ := utf8.DecodeRuneInString(rest)
		return rest == "" || !unicode.IsLower(r)
	}
	return false
}

// pytest is pytest's rule of discovery, with unittest's classes.
func pytest(q question) bool {
	base := path.Base(q.path)
	inTests := strings.HasPrefix(base, "test_") || strings.HasSuffix(base, "_test.py") || base == "tests.py"
	if !inTests || !strings.HasPrefix(q.symbol.Name, "test") {
		return false
	}
	switch q.symbol.Kind {
	case syntax.Function:
		return q.parent == nil && strings.HasPrefix(q.symbol.Name, "test_")
	case syntax.Method:
		return q.parent != nil && (strings.HasPrefix(q.parent.Name, "Test") ||
			strings.HasSuffix(q.parent.Name, "Test") || strings.HasSuffix(q.parent.Name, "Tests") ||
			strings.HasSuffix(q.parent.Name, "TestCase"))
	default:
		return false
	}
}

// keepsArity says whether a Python decorator leaves the parameters as they are declared. Of others nothing is known.
func keepsArity(decorator string) bool {
	name, _, _ := strings.Cut(strings.TrimPrefix(decorator, "@"), "(")
	name = strings.TrimSpace(name[strings.LastIndexByte(name, '.')+1:])
	switch name {
	case "staticmethod", "classmethod", "abstractmethod", "override", "final", "overload", "property", "cached_property",
		"setter", "getter", "deleter", "cache", "lru_cache", "contextmanager", "asynccontextmanager", "wraps",
		"no_type_check", "deprecated":
		return true
	default:
		return false
	}
}

// isType says whether a definition of this kind encloses members.
func isType(k syntax.Kind) bool {
	switch k {
	case syntax.Class, syntax.Struct, syntax.Interface, syntax.Enum, syntax.Type, syntax.Module:
		return true
	default:
		return false
	}
}
