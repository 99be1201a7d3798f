//go:build cgo

package analysis

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-enry/go-enry/v2"

	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/parsersvc/internal/grammar"
)

// Source is a file to analyse.
type Source struct {
	Path    string
	Content []byte
	// Language is a name of the table; empty means detect.
	Language string
}

// Want says what of the facts is wanted. The zero value means everything.
type Want struct {
	// NoReferences leaves out the uses of names.
	NoReferences bool
	// OnlyLines keeps only what touches one of these ranges of lines; empty means all.
	OnlyLines []syntax.Range
}

// Facts analyses one file. What the file itself is to blame for is a status; an error means that the analyzer is broken
// (a query that doesn't compile).
func (a *Analyzer) Facts(src Source, want Want, limit time.Duration) (syntax.Facts, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.describe(src)
	lang, err := a.language(f.Language)
	if err != nil {
		return syntax.Facts{}, err
	}
	if lang == nil {
		f.Status = syntax.StatusUnsupported
		f.Detail = "there is no grammar for its language"
		if f.Language == "" {
			f.Detail = "its language was not recognised"
		}
		return f, nil
	}
	t := newText(src.Content)
	want.NoReferences = want.NoReferences || lang.rules.borrowed
	references := lang.references
	if want.NoReferences {
		references = nil
	}
	tree, err := a.parse(lang, t.content, limit, lang.definitions, references)
	if errors.Is(err, grammar.ErrLimit) {
		f.Status, f.Detail = syntax.StatusTimeout, "parsing it took too long"
		return f, nil
	}
	if err != nil {
		return syntax.Facts{}, fmt.Errorf("parse %s: %w", f.Language, err)
	}
	b := &builder{
		path: src.Path, lang: lang, text: t, g: gather(lang.definitions, tree.Found[0], t.content),
		scratch: &a.scratch, spare: a.spare,
	}
	a.spare = nil
	b.build(tree.Nodes)
	f.Symbols, f.Imports = b.symbols, b.g.importsOf(t, &lang.rules)
	all := b.g.whole && !b.cut
	if !want.NoReferences {
		var whole bool
		f.References, whole = b.references(tree.Found[1])
		all = all && whole
	}
	found := faults(lang.grammar, tree.Nodes, t.content)
	if lang.rules.borrowed {
		f.Imports, found = nil, nil
	}
	f.Errors = errorsOf(found, t)
	if !all || len(found) > maxErrors {
		f.Status, f.Detail = syntax.StatusPartial, "it holds more than is listed"
	}
	want.Keep(&f)
	return f, nil
}

// Recycle takes back the list of references of an answer that nobody reads any more: the next may be written there.
func (a *Analyzer) Recycle(f *syntax.Facts) {
	a.mu.Lock()
	defer a.mu.Unlock()
	// What stays of a list must not keep a file's text alive.
	clear(f.References)
	if a.spare = f.References[:0]; cap(a.spare) > keepUses {
		a.spare = nil
	}
	f.References = nil
}

// parse parses a text and runs programs over it; a nil one finds nothing. The tree is valid until the next parse.
func (a *Analyzer) parse(lang *compiled, content []byte, limit time.Duration, programs ...*program) (grammar.Tree, error) {
	var queries []*grammar.Query
	for _, p := range programs {
		if p == nil {
			queries = append(queries, nil)
			continue
		}
		queries = append(queries, p.query)
	}
	return a.parser.Parse(lang.grammar, content, limit, queries...)
}

// describe gives what is known of a file without parsing it.
func (a *Analyzer) describe(src Source) syntax.Facts {
	f := syntax.Facts{
		Path: src.Path, Language: named(src.Language), Status: syntax.StatusOK,
		Generated: enry.IsGenerated(src.Path, src.Content), Vendored: IsVendored(src.Path),
		Lines: CountLines(src.Content),
	}
	if f.Language == "" {
		f.Language = Detect(src.Path, src.Content)
	}
	return f
}

// Keep leaves of the facts only what touches the wanted lines. A definition that encloses a kept one is kept by its own
// lines.
func (w Want) Keep(f *syntax.Facts) {
	if len(w.OnlyLines) == 0 {
		return
	}
	only := merge(w.OnlyLines)
	touches := func(r syntax.Range) bool {
		i, _ := slices.BinarySearchFunc(only, r.StartLine, func(o syntax.Range, line int) int { return cmp.Compare(o.EndLine, line) })
		return i < len(only) && r.Overlaps(only[i].StartLine, only[i].EndLine)
	}
	moved := make([]int, len(f.Symbols))
	var symbols []syntax.Symbol
	for i, s := range f.Symbols {
		moved[i] = -1
		if !touches(s.Range) {
			continue
		}
		if s.Parent >= 0 {
			s.Parent = moved[s.Parent]
		}
		moved[i] = len(symbols)
		symbols = append(symbols, s)
	}
	var references []syntax.Reference
	for _, r := range f.References {
		if !touches(r.Range) {
			continue
		}
		if r.Enclosing >= 0 {
			r.Enclosing = moved[r.Enclosing]
		}
		references = append(references, r)
	}
	var imports []syntax.Import
	for _, i := range f.Imports {
		if touches(i.Range) {
			imports = append(imports, i)
		}
	}
	f.Symbols, f.References, f.Imports = symbols, references, imports
}

// merge sorts ranges of lines and puts those together that touch.
func merge(ranges []syntax.Range) []syntax.Range {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b syntax.Range) int { return cmp.Compare(a.StartLine, b.StartLine) })
	out := sorted[:1]
	for _, r := range sorted[1:] {
		if last := &out[len(out)-1]; r.StartLine <= last.EndLine {
			last.EndLine = max(last.EndLine, r.EndLine)
			continue
		}
		out = append(out, r)
	}
	return out
}
