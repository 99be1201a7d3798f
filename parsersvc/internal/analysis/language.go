//go:build cgo

package analysis

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/go-enry/go-enry/v2"
	sitter "github.com/smacker/go-tree-sitter"

	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/parsersvc/internal/grammar"
)

// Language is one that can be parsed.
type Language struct {
	// Name in lower case.
	Name string
	// Extensions with their dot, in lower case. The first language of the table that has an extension gets it.
	Extensions []string
	// files are patterns of the names of files without a telling extension, in lower case.
	files []string
	// interpreters are the programs that a script's first line names, without their version.
	interpreters []string
	// aliases are other names that a caller may use.
	aliases []string
	// linguist is the name that go-enry gives.
	linguist string
	// folders are the folders of queries, the most particular first: where two patterns name the same thing, the
	// first wins. Nil means the folder that has the language's name.
	folders []string
	grammar func() *sitter.Language
	rules   rules
}

// Languages lists the languages, sorted by name. The slices are the caller's.
func Languages() []Language {
	out := slices.Clone(table())
	for i := range out {
		out[i].Extensions = slices.Clone(out[i].Extensions)
	}
	slices.SortFunc(out, func(a, b Language) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// byPath gives the language of the table that a file's name tells, or nil.
func byPath(base string) *Language {
	base = strings.ToLower(base)
	ext := path.Ext(base)
	for _, l := range table() {
		if slices.Contains(l.Extensions, ext) {
			return &l
		}
		for _, pattern := range l.files {
			if ok, _ := path.Match(pattern, base); ok {
				return &l
			}
		}
	}
	return nil
}

// DetectByPath is Detect for a file whose content must not be read: what its name alone says.
func DetectByPath(name string) string {
	base := path.Base(name)
	if l := byPath(base); l != nil {
		return l.Name
	}
	found, _ := enry.GetLanguageByFilename(base)
	if found == "" {
		found, _ = enry.GetLanguageByExtension(base)
	}
	return ours(found)
}

// headBytes is how much of a file is read to detect what it is written in.
const headBytes = 16 << 10

// Detect gives the name of the language of a file: one of the table's where that is possible, otherwise linguist's in
// lower case, otherwise empty. The name decides, then a script's first line; where they say nothing or several things,
// the content does.
func Detect(name string, content []byte) string {
	base := path.Base(name)
	head := content[:min(len(content), headBytes)]
	if l := byPath(base); l != nil && !shared(strings.ToLower(path.Ext(base)), head) {
		return l.Name
	}
	if l := byInterpreter(head); l != nil {
		return l.Name
	}
	return ours(enry.GetLanguage(base, head))
}

// shared says whether an extension of ours is, by the content, perhaps another's: headers are C, C++ or Objective-C, and
// a Qt translation is ".ts" too, and XML.
func shared(ext string, head []byte) bool {
	switch ext {
	case ".h":
		return len(head) > 0
	case ".ts":
		return bytes.HasPrefix(head, []byte("<?xml"))
	default:
		return false
	}
}

// ours gives the table's name for linguist's, or that in lower case.
func ours(linguist string) string {
	for _, l := range table() {
		if l.linguist == linguist {
			return l.Name
		}
	}
	return strings.ToLower(linguist)
}

// byInterpreter gives the language that a script's first line names, or nil.
func byInterpreter(head []byte) *Language {
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	rest, ok := strings.CutPrefix(string(line), "#!")
	if !ok {
		return nil
	}
	for _, word := range strings.Fields(rest) {
		program := path.Base(word)
		// env, its flags and what it sets come before the program.
		if program == "env" || strings.HasPrefix(word, "-") || strings.Contains(word, "=") {
			continue
		}
		program = strings.TrimRight(program, "0123456789.")
		for _, l := range table() {
			if slices.Contains(l.interpreters, program) {
				return &l
			}
		}
		return nil
	}
	return nil
}

// named gives the table's name of a language that a caller names, or what the caller says in lower case.
func named(language string) string {
	language = strings.ToLower(language)
	for _, l := range table() {
		if l.Name == language || slices.Contains(l.aliases, language) {
			return l.Name
		}
	}
	return language
}

// compiled is a language with its queries.
type compiled struct {
	Language
	grammar     *grammar.Language
	definitions *program
	references  *program
	// indentation matches nothing where indentation is no syntax.
	indentation *program
}

// Analyzer analyses one file at a time. It keeps the queries of the languages it has met.
type Analyzer struct {
	mu       sync.Mutex
	parser   *grammar.Parser
	rows     map[string]Language
	compiled map[string]*compiled
	scratch  scratch
	// spare is a list that was given back.
	spare []syntax.Reference
}

// New gives an analyzer. Nothing is compiled before it is needed.
func New() *Analyzer {
	a := &Analyzer{parser: grammar.NewParser(), rows: make(map[string]Language), compiled: make(map[string]*compiled)}
	for _, l := range table() {
		a.rows[l.Name] = l
	}
	return a
}

// language gives a language ready for use, or nil without an error when there is no grammar for it. The caller holds mu.
func (a *Analyzer) language(name string) (*compiled, error) {
	if c, ok := a.compiled[name]; ok {
		return c, nil
	}
	row, ok := a.rows[name]
	if !ok {
		return nil, nil
	}
	c, err := row.compile()
	if err != nil {
		return nil, err
	}
	a.compiled[name] = c
	return c, nil
}
