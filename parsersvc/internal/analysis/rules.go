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
	// localsToo: the query finds what a function declares for itself, too; it is no definition.
	localsToo bool
	// oncePerScope: a variable is defined by its first assignment.
	oncePerScope bool
	// modulesHaveMethods: a function in a module is a method of it.
	modulesHaveMethods bool
	// separator joins the module of an import with that of an import inside it; empty when there are none.
	separator string
	// importsEnd: the last part of an imported path is what is taken from the module.
	importsEnd bool
	// rawNames: a backslash in a name is a backslash.
	rawNames bool
	// dropBlank: "_" is no name.
	dropBlank bool
	// indentation is syntax.
	indentation bool
	// borrowed: the grammar is that of another language. What it refuses may be right, and what it makes of the text between
	// the definitions may be wrong, so only these are told.
	borrowed bool
	// headers are how definitions begin where the grammar could not read them; nil when only it can tell.
	headers func() []header
	// codeEnds begins a line of such text after which there is no code, codeBegins one after which there is again; empty
	// where all is code.
	codeEnds, codeBegins string
}

// question is what a rule is asked about.
type question struct {
	path   string
	symbol *syntax.Symbol
	// parent is the enclosing definition, or nil.
	parent *syntax.Symbol
	// exported and private are marks in the syntax on the definition itself, or on the section of its type.
	exported, private bool
	// local: it is declared in a function that makes objects.
	local bool
	// decorators gives the texts of the decorators in front of it.
	decorators func() []string
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
	case q.private || q.local || strings.HasPrefix(q.symbol.Name, "#"):
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

// exportedInNamespaces is the same where types stand in namespaces, which are always visible.
func exportedInNamespaces(q question) bool {
	return q.symbol.Kind == syntax.Module || exportedByModifier(q)
}

// exportedUnlessPrivate is the rule of languages where everything is visible that nobody hid.
func exportedUnlessPrivate(q question) bool {
	return !q.private && (q.parent == nil || isType(q.parent.Kind) && q.parent.Exported)
}

// exportedByLinkage is C's and C++'s: what is not static is visible to the linker; the members of a class are private
// unless a section says otherwise, those of a struct public.
func exportedByLinkage(q question) bool {
	switch {
	case q.private:
		return false
	case q.parent == nil:
		return true
	case q.parent.Kind == syntax.Class:
		return q.parent.Exported && q.exported
	default:
		return isType(q.parent.Kind) && q.parent.Exported
	}
}

// rustTest: an attribute says so, of the language's or of a framework's.
func rustTest(q question) bool {
	for _, d := range q.decorators() {
		name, _, _ := strings.Cut(strings.TrimRight(strings.TrimLeft(d, "#[ "), "] "), "(")
		if name = name[strings.LastIndexByte(name, ':')+1:]; name == "test" || name == "rstest" || name == "bench" {
			return q.symbol.Kind == syntax.Function || q.symbol.Kind == syntax.Method
		}
	}
	return false
}

// minitest is the rule of Ruby's minitest and test-unit.
func minitest(q question) bool {
	return q.symbol.Kind == syntax.Method && strings.HasPrefix(q.symbol.Name, "test_") && q.parent != nil &&
		(strings.HasSuffix(q.parent.Name, "Test") || strings.HasPrefix(q.parent.Name, "Test"))
}

// xctest is XCTest's rule.
func xctest(q question) bool {
	return q.symbol.Kind == syntax.Method && strings.HasPrefix(q.symbol.Name, "test") && q.parent != nil &&
		(strings.HasSuffix(q.parent.Name, "Tests") || strings.HasSuffix(q.parent.Name, "Test"))
}

// phpunit is PHPUnit's rule by names.
func phpunit(q question) bool {
	return q.symbol.Kind == syntax.Method && strings.HasPrefix(q.symbol.Name, "test") && q.parent != nil &&
		strings.HasSuffix(q.parent.Name, "Test")
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
