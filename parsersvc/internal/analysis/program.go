//go:build cgo

package analysis

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"

	sitter "github.com/smacker/go-tree-sitter"

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
	node *sitter.Node
}

// program is a query with its predicates understood.
type program struct {
	query      *sitter.Query
	meanings   []meaning
	predicates [][]predicate
}

// predicate is a condition on the text of one capture. The binding's own filter compiles its regular expressions again
// for each match; this one does so once.
type predicate struct {
	capture uint32
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
	c := &compiled{Language: l, grammar: l.grammar()}
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
		p, err := newProgram(text.Bytes(), c.grammar)
		if err != nil {
			return nil, fmt.Errorf("compile %s of %s: %w", part.file, l.Name, err)
		}
		*part.to = p
	}
	return c, nil
}

func newProgram(text []byte, grammar *sitter.Language) (*program, error) {
	q, err := sitter.NewQuery(text, grammar)
	if err != nil {
		return nil, err
	}
	p := &program{query: q, predicates: make([][]predicate, q.PatternCount())}
	for id := range q.CaptureCount() {
		m, err := meaningOf(q.CaptureNameForId(id))
		if err != nil {
			return nil, err
		}
		p.meanings = append(p.meanings, m)
	}
	for i := range p.predicates {
		for _, steps := range q.PredicatesForPattern(uint32(i)) {
			pr, err := newPredicate(q, steps)
			if err != nil {
				return nil, fmt.Errorf("pattern %d: %w", i, err)
			}
			p.predicates[i] = append(p.predicates[i], pr)
		}
	}
	return p, nil
}

// newPredicate understands #eq?, #any-of?, #match? and their negations, on a capture and strings.
func newPredicate(q *sitter.Query, steps []sitter.QueryPredicateStep) (predicate, error) {
	// The last step is the end mark.
	if len(steps) < 4 || steps[1].Type != sitter.QueryPredicateStepTypeCapture {
		return predicate{}, errors.New("a predicate is of a capture and strings")
	}
	p := predicate{capture: steps[1].ValueId}
	var words []string
	for _, s := range steps[2 : len(steps)-1] {
		if s.Type != sitter.QueryPredicateStepTypeString {
			return predicate{}, errors.New("a predicate is of one capture only")
		}
		words = append(words, q.StringValueForId(s.ValueId))
	}
	name := q.StringValueForId(steps[0].ValueId)
	switch name {
	case "not-eq?", "not-any-of?", "not-match?":
		p.negated = true
	}
	switch name {
	case "eq?", "not-eq?", "any-of?", "not-any-of?":
		p.words = make(map[string]struct{}, len(words))
		for _, w := range words {
			p.words[w] = struct{}{}
		}
	case "match?", "not-match?":
		re, err := regexp.Compile(words[0])
		if err != nil {
			return predicate{}, err
		}
		p.pattern = re
	default:
		return predicate{}, fmt.Errorf("no meaning for predicate #%s", name)
	}
	return p, nil
}

// maxMatches bounds what is taken from one query over one file: a file of a mebibyte can hold half a million names,
// and each costs some hundred bytes here.
const maxMatches = 300_000

// each calls fn for every match whose predicates hold. The captures are valid during the call only. It gives false
// when it stopped at the limit.
func (p *program) each(root *sitter.Node, content []byte, fn func(pattern int, captures []capture)) bool {
	cursor := sitter.NewQueryCursor()
	defer cursor.Close()
	cursor.Exec(p.query, root)
	var captures []capture
	for range maxMatches {
		m, ok := cursor.NextMatch()
		if !ok {
			return true
		}
		captures = captures[:0]
		for _, c := range m.Captures {
			captures = append(captures, capture{
				meaning: p.meanings[c.Index],
				span:    span{c.Node.StartByte(), c.Node.EndByte()},
				node:    c.Node,
			})
		}
		if p.accepts(m, captures, content) {
			fn(int(m.PatternIndex), captures)
		}
	}
	return false
}

func (p *program) accepts(m *sitter.QueryMatch, captures []capture, content []byte) bool {
	for i := range p.predicates[m.PatternIndex] {
		pr := &p.predicates[m.PatternIndex][i]
		for j, c := range m.Captures {
			if c.Index == pr.capture && !pr.holds(captures[j].text(content)) {
				return false
			}
		}
	}
	return true
}
