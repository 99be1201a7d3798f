//go:build cgo

package analysis

import (
	"regexp"
	"strings"
	"sync"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// header is how a definition begins on a line of its own. Its pattern is of a whole line and has a group "name"; it may
// have a group "container".
type header struct {
	kind    syntax.Kind
	pattern *regexp.Regexp
}

// line is a header as it is written: what stands between the indentation of its line and its name, and what follows the
// name. A blank in before is any white space, which may not be missing. An empty name is that of most languages.
type line struct {
	kind          syntax.Kind
	before, after string
	name          string
}

// headers compiles patterns when they are first needed, which most processes never do.
func headers(lines ...line) func() []header {
	return sync.OnceValue(func() []header {
		var out []header
		for _, l := range lines {
			name := l.name
			if name == "" {
				name = identifier
			}
			before := strings.ReplaceAll(l.before, " ", `[ \t]+`)
			out = append(out, header{l.kind, regexp.MustCompile(`^[ \t]*` + before + `(?P<name>` + name + `)` + l.after)})
		}
		return out
	})
}

// Only what a keyword gives away is in the lists below: a line that the grammar could not read may be anything.
const (
	identifier = `[\pL_$][\pL\pN_$]*`
	// list follows the name of a function, callList that of one without parameters of types.
	list     = `[ \t]*[(<\[]`
	callList = `[ \t]*\(`
	// body follows the name of a type.
	body = `(?:[ \t]*(?:[({:<\[;/]|$)|[ \t]+(?:extends|implements|permits|with|where)\b)`

	// Java and C#: a method has no keyword, but seldom no modifier either. Some of those may begin an expression.
	isCurly   = `(?:public|protected|private|internal|static|final|abstract|virtual|override|synchronized) `
	ofCurly   = `(?:(?:public|protected|private|internal|static|final|abstract|sealed|partial|virtual|override|async|synchronized|readonly|default|new|unsafe) )*`
	typeCurly = `(?:[\pL\pN_$<>\[\]?.,]+ )*?`
	ofKotlin  = `(?:(?:public|private|protected|internal|open|abstract|final|override|suspend|inline|operator|infix|tailrec|external|data|sealed|inner|annotation|value|companion|fun) )*`
	ofPHP     = `(?:(?:abstract|final|readonly|public|protected|private|static) )*`
	ofRust    = `(?:pub(?:\([^)]*\))? )?(?:(?:default|async|const|unsafe|extern|extern "[^"]*") )*`
	ofScala   = `(?:(?:override|private|protected|final|implicit|inline|lazy|case|abstract|sealed|open)(?:\[[^\]]*\])? )*`
	ofScript  = `(?:(?:export|default|declare|abstract|async|const) )*`
	ofSwift   = `(?:(?:public|private|fileprivate|internal|open|static|class|final|override|mutating|nonmutating|indirect) )*`
	ofCython  = `(?:cdef|cpdef|ctypedef) (?:public |packed )?`
)

var (
	curlyHeaders = headers(
		line{kind: syntax.Class, before: ofCurly + `(?:class|record) `, after: body},
		line{kind: syntax.Interface, before: ofCurly + `@?interface `, after: body},
		line{kind: syntax.Struct, before: ofCurly + `struct `, after: body},
		line{kind: syntax.Enum, before: ofCurly + `enum `, after: body},
		line{kind: syntax.Method, before: isCurly + ofCurly + typeCurly, after: callList},
	)
	goHeaders = headers(
		line{kind: syntax.Function, before: `func `, after: list},
		line{
			kind:   syntax.Method,
			before: `func \((?:[\pL_][\pL\pN_]* )?\*?(?P<container>[\pL_][\pL\pN_]*)(?:\[[^\]]*\])?\) `, after: callList,
		},
		line{kind: syntax.Struct, before: `type `, after: `(?:\[[^\]]*\])?[ \t]+struct\b`},
		line{kind: syntax.Interface, before: `type `, after: `(?:\[[^\]]*\])?[ \t]+interface\b`},
	)
	kotlinHeaders = headers(
		line{kind: syntax.Interface, before: ofKotlin + `interface `, after: body},
		line{kind: syntax.Enum, before: ofKotlin + `enum class `, after: body},
		line{kind: syntax.Class, before: ofKotlin + `(?:class|object) `, after: body},
		line{kind: syntax.Function, before: ofKotlin + `fun (?:<[^>]*> )?(?:(?P<container>[\pL_][\pL\pN_]*)(?:<[^>]*>)?\??\.)?`, after: callList},
	)
	phpHeaders = headers(
		line{kind: syntax.Function, before: ofPHP + `function (?:&\s*)?`, after: callList},
		line{kind: syntax.Class, before: ofPHP + `class `, after: body},
		line{kind: syntax.Interface, before: `(?:interface|trait) `, after: body},
		line{kind: syntax.Enum, before: `enum `, after: body},
	)
	// Cython has Python's grammar; what it adds is text that this can't read.
	pythonHeaders = headers(
		line{kind: syntax.Function, before: `(?:async )?def `, after: list},
		line{kind: syntax.Class, before: `class `, after: `[ \t]*[(:\[]`},
		line{kind: syntax.Class, before: ofCython + `(?:class|cppclass) `, after: body},
		line{kind: syntax.Struct, before: ofCython + `(?:struct|union) `, after: body},
		line{kind: syntax.Enum, before: ofCython + `enum (?:class )?`, after: body},
		line{kind: syntax.Function, before: `cp?def (?:inline )?(?:\([^()]*\)\s*)?(?:[\pL_][\pL\pN_.]*(?:\[[^\]]*\])?[\s*&]+)*?`, after: `[ \t]*\((?:[^*]|$)`},
	)
	rubyHeaders = headers(
		line{kind: syntax.Function, before: `def (?:self\.)?`, name: `[\pL_][\pL\pN_]*[?!=]?`, after: `(?:[ \t(;]|$)`},
		line{kind: syntax.Class, before: `class (?:[A-Z]\w*::)*`, name: `[A-Z]\w*`, after: `[ \t]*(?:[<;#]|$)`},
		line{kind: syntax.Module, before: `module (?:[A-Z]\w*::)*`, name: `[A-Z]\w*`, after: `[ \t]*(?:[;#]|$)`},
	)
	rustHeaders = headers(
		line{kind: syntax.Function, before: ofRust + `fn `, after: list},
		line{kind: syntax.Struct, before: ofRust + `struct `, after: body},
		line{kind: syntax.Enum, before: ofRust + `enum `, after: body},
		line{kind: syntax.Interface, before: ofRust + `trait `, after: body},
	)
	scalaHeaders = headers(
		line{kind: syntax.Function, before: ofScala + `def `, after: `(?:[ \t]*[(\[:={]|$)`},
		line{kind: syntax.Class, before: ofScala + `(?:class|object) `, after: body},
		line{kind: syntax.Interface, before: ofScala + `trait `, after: body},
		line{kind: syntax.Enum, before: `enum `, after: body},
	)
	scriptHeaders = headers(
		line{kind: syntax.Function, before: ofScript + `function(?: |\s*\*\s*)`, after: list},
		line{kind: syntax.Class, before: ofScript + `class `, after: body},
		line{kind: syntax.Interface, before: ofScript + `interface `, after: body},
		line{kind: syntax.Enum, before: ofScript + `enum `, after: body},
	)
	swiftHeaders = headers(
		line{kind: syntax.Function, before: ofSwift + `func `, after: list},
		line{kind: syntax.Class, before: ofSwift + `(?:class|actor) `, after: body},
		line{kind: syntax.Struct, before: ofSwift + `struct `, after: body},
		line{kind: syntax.Enum, before: ofSwift + `enum `, after: body},
		line{kind: syntax.Interface, before: ofSwift + `protocol `, after: body},
	)
)
