//go:build cgo

package analysis

import (
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/go-enry/go-enry/v2"
	sitter "github.com/smacker/go-tree-sitter"
	"github.com/smacker/go-tree-sitter/golang"
	"github.com/smacker/go-tree-sitter/java"
	"github.com/smacker/go-tree-sitter/javascript"
	"github.com/smacker/go-tree-sitter/python"
	"github.com/smacker/go-tree-sitter/typescript/tsx"
	"github.com/smacker/go-tree-sitter/typescript/typescript"

	"github.com/openrabbit/openrabbit/parsersvc/internal/grammar"
)

// Language is one that can be parsed.
type Language struct {
	// Name in lower case, as linguist spells it otherwise.
	Name string
	// Extensions with their dot, in lower case. The first language of the table that has an extension gets it.
	Extensions []string
	// linguist is the name that go-enry gives.
	linguist string
	// folders are the folders of queries, the most particular first: where two patterns name the same thing, the
	// first wins.
	folders []string
	grammar func() *sitter.Language
	rules   rules
}

// table is every language, in the order in which extensions are looked up.
func table() []Language {
	return []Language{
		{
			Name: "go", linguist: "Go", Extensions: []string{".go"},
			folders: []string{"go"}, grammar: golang.GetLanguage,
			rules: rules{exported: exportedByUpperCase, test: goTest, dropBlank: true},
		},
		{
			Name: "java", linguist: "Java", Extensions: []string{".java"},
			folders: []string{"java"}, grammar: java.GetLanguage,
			rules: rules{exported: exportedByModifier},
		},
		{
			Name: "javascript", linguist: "JavaScript", Extensions: []string{".js", ".jsx", ".mjs", ".cjs", ".es6"},
			folders: []string{"javascript", "jsx", "ecmascript"}, grammar: javascript.GetLanguage,
			rules: rules{exported: exportedByStatement},
		},
		{
			Name: "python", linguist: "Python", Extensions: []string{".py", ".pyi", ".pyw"},
			folders: []string{"python"}, grammar: python.GetLanguage,
			rules: rules{
				exported: exportedByUnderscore, test: pytest, receiverIsParameter: true, oncePerScope: true,
				decoratorsChangeArity: true, indentation: true,
			},
		},
		{
			Name: "tsx", linguist: "TSX", Extensions: []string{".tsx"},
			folders: []string{"typescript", "jsx", "ecmascript"}, grammar: tsx.GetLanguage,
			rules: rules{exported: exportedByStatement},
		},
		{
			Name: "typescript", linguist: "TypeScript", Extensions: []string{".ts", ".mts", ".cts"},
			folders: []string{"typescript", "ecmascript"}, grammar: typescript.GetLanguage,
			rules: rules{exported: exportedByStatement},
		},
	}
}

// Languages lists the languages, sorted by name. The slices are the caller's.
func Languages() []Language {
	out := table()
	slices.SortFunc(out, func(a, b Language) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// DetectByPath is Detect for a file whose content must not be read: what its name alone says.
func DetectByPath(name string) string {
	base := path.Base(name)
	ext := strings.ToLower(path.Ext(base))
	for _, l := range table() {
		if slices.Contains(l.Extensions, ext) {
			return l.Name
		}
	}
	found, _ := enry.GetLanguageByFilename(base)
	if found == "" {
		found, _ = enry.GetLanguageByExtension(base)
	}
	return strings.ToLower(found)
}

// headBytes is how much of a file is read to detect what it is written in.
const headBytes = 16 << 10

// Detect gives the name of the language of a file: one of the table's where that is possible, otherwise linguist's in
// lower case, otherwise empty. The path decides; where it says nothing or several things, the content does.
func Detect(name string, content []byte) string {
	base := path.Base(name)
	ext := strings.ToLower(path.Ext(base))
	for _, l := range table() {
		// A Qt translation is ".ts" too, and XML; everything else with one of our extensions is what it says.
		if slices.Contains(l.Extensions, ext) && !(ext == ".ts" && strings.HasPrefix(string(content[:min(len(content), 5)]), "<?xml")) {
			return l.Name
		}
	}
	head := content[:min(len(content), headBytes)]
	found := enry.GetLanguage(base, head)
	for _, l := range table() {
		if l.linguist == found {
			return l.Name
		}
	}
	return strings.ToLower(found)
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
