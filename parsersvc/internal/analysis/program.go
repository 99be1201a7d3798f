//go:build cgo

package analysis

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"unsafe"

	"github.com/openrabbit/openrabbit/parsersvc/internal/grammar"
	"github.com/openrabbit/openrabbit/parsersvc/queries"
)

// span is a half-open range of bytes.
type span struct{ start, end uint32 }

func (s span) contains(o span) bool         { return s.start <= o.start && o.end <= s.end }
func (s span) text(content []byte) []byte   { return content[s.start:s.end] }
func (s span) string(content []byte) string { return string(content[s.start:s.end]) }
func (s span) strictlyContains(o span) bool { return s.contains(o) && s != o }

// capture is one node that a pattern found.
type capture struct {
	meaning
	span
	// children is how many named nodes an argument list has, comments not among them.
	children int
}

// program is a query with its predicates understood.
type program struct {
	query      *grammar.Query
	meanings   []meaning
	predicates [][]predicate
}

// predicate is a condition on the text of one capture.
type predicate struct {
	capture int
	negated bool
	pattern *regexp.Regexp
	words   map[string]struct{}
}

func (p *predicate) holds(text []byte) bool {
	if p.pattern != nil {
		return p.pattern.Match(text) != p.negated
	}
	_, ok := p.words[string(text)]
	return ok != p.negated
}

// compile makes a language ready.
func (l Language) compile() (*compiled, error) {
	g, err := grammar.NewLanguage(l.grammar())
	if err != nil {
		return nil, fmt.Errorf("read the grammar of %s: %w", l.Name, err)
	}
	c := &compiled{Language: l, grammar: g}
	for _, part := range []struct {
		file string
		to   **program
	}{{"definitions.scm", &c.definitions}, {"references.scm", &c.references}, {"indentation.scm", &c.indentation}} {
		var text bytes.Buffer
		for _, folder := range l.folders {
			b, err := queries.Files.ReadFile(folder + "/" + part.file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("read query of %s: %w", l.Name, err)
			}
			text.Write(b)
			text.WriteByte('\n')
		}
		p, err := newProgram(text.String(), c.grammar)
		if err != nil {
			return nil, fmt.Errorf("compile %s of %s: %w", part.file, l.Name, err)
		}
		*part.to = p
	}
	return c, nil
}

func newProgram(text string, language *grammar.Language) (*program, error) {
	q, err := grammar.NewQuery(language, text, func(capture string) bool { return vocabulary()[capture] == roleArguments })
	if err != nil {
		return nil, err
	}
	p := &program{query: q, predicates: make([][]predicate, len(q.Predicates))}
	for _, name := range q.Captures {
		m, err := meaningOf(name)
		if err != nil {
			return nil, err
		}
		p.meanings = append(p.meanings, m)
	}
	for i, list := range q.Predicates {
		for _, raw := range list {
			pr, err := newPredicate(raw)
			if err != nil {
				return nil, fmt.Errorf("pattern %d: %w", i, err)
			}
			p.predicates[i] = append(p.predicates[i], pr)
		}
	}
	return p, nil
}

// newPredicate understands #eq?, #any-of?, #match? and their negations, on a capture and strings.
func newPredicate(raw grammar.Predicate) (predicate, error) {
	p := predicate{capture: int(raw.Capture)}
	if len(raw.Words) == 0 {
		return predicate{}, errors.New("a predicate is of a capture and strings")
	}
	switch raw.Name {
	case "not-eq?", "not-any-of?", "not-match?":
		p.negated = true
	}
	switch raw.Name {
	case "eq?", "not-eq?", "any-of?", "not-any-of?":
		p.words = make(map[string]struct{}, len(raw.Words))
		for _, w := range raw.Words {
			p.words[w] = struct{}{}
		}
	case "match?", "not-match?":
		re, err := regexp.Compile(raw.Words[0])
		if err != nil {
			return predicate{}, err
		}
		p.pattern = re
	default:
		return predicate{}, fmt.Errorf("no meaning for predicate #%s", raw.Name)
	}
	return p, nil
}

// each calls fn for every match whose predicates hold. The captures are valid during the call only. It says whether
// these are all that there are.
func (p *program) each(found grammar.Matches, content []byte, fn func(pattern int, captures []capture)) bool {
	var captures []capture
	for pattern, raw := range found.All() {
		if !p.accepts(pattern, raw, content) {
			continue
		}
		captures = captures[:0]
		for _, c := range raw {
			captures = append(captures, capture{
				meaning: p.meanings[c.ID()], span: span{c.Start, c.End}, children: c.Children(),
			})
		}
		fn(pattern, captures)
	}
	return found.Whole
}

func (p *program) accepts(pattern int, captures []grammar.Capture, content []byte) bool {
	for i := range p.predicates[pattern] {
		pr := &p.predicates[pattern][i]
		for _, c := range captures {
			if c.ID() == pr.capture && !pr.holds(content[c.Start:c.End]) {
				return false
			}
		}
	}
	return true
}

// Grammar gives tree-sitter's tables of a language, for measuring what a bare parse takes; nil when there are none.
func Grammar(name string) unsafe.Pointer {
	for _, l := range table() {
		if l.Name == name {
			// The binding's Language is a struct of one pointer.
			return *(*unsafe.Pointer)(unsafe.Pointer(l.grammar()))
		}
	}
	return nil
}
