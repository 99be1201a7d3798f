//go:build cgo

package grammar

import (
	"fmt"
	"strconv"
	"strings"
)

// quantifier says how often a step may stand.
type quantifier uint8

const (
	quantifierOne quantifier = iota
	quantifierOptional
	quantifierStar
	quantifierPlus
)

// step is one node of a pattern, or a choice between several lists of steps.
type step struct {
	symbol  symbol
	missing bool
	field   uint16
	// without are fields that the node must not have.
	without    []uint16
	captures   []uint16
	quantifier quantifier
	// immediate: nothing named stands before it; last: nothing named follows the last of its children.
	immediate, last bool
	children        []*step
	choices         [][]*step
}

// leading gives the nodes that a step may be.
func (s *step) leading() []*step {
	if s.choices == nil {
		return []*step{s}
	}
	var out []*step
	for _, c := range s.choices {
		out = append(out, c[0].leading()...)
	}
	return out
}

// pattern is one pattern of a query with its predicates.
type pattern struct {
	steps      []*step
	predicates []Predicate
}

// Predicate is a condition that a pattern sets: its name with the question mark, a capture, and strings.
type Predicate struct {
	Name    string
	Capture uint16
	Words   []string
}

// reader reads the text of a query.
type reader struct {
	language *Language
	text     string
	at       int
	captures []string
}

func (r *reader) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: %s", 1+strings.Count(r.text[:min(r.at, len(r.text))], "\n"), fmt.Sprintf(format, args...))
}

// space skips white space and comments.
func (r *reader) space() {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == ';':
			i := strings.IndexByte(r.text[r.at:], '\n')
			if i < 0 {
				r.at = len(r.text)
				return
			}
			r.at += i
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			r.at++
		default:
			return
		}
	}
}

// next gives the next character after white space, or 0.
func (r *reader) next() byte {
	r.space()
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

// take passes a character that must stand next.
func (r *reader) take(c byte) error {
	if r.next() != c {
		return r.errorf("no %q", c)
	}
	r.at++
	return nil
}

// name reads a name of a node, a field, a capture or a predicate.
func (r *reader) name() string {
	from := r.at
	for r.at < len(r.text) {
		c := r.text[r.at]
		if c != '_' && c != '-' && c != '.' && c != '?' && c != '!' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			break
		}
		r.at++
	}
	return r.text[from:r.at]
}

// word reads a string in quotes.
func (r *reader) word() (string, error) {
	if err := r.take('"'); err != nil {
		return "", err
	}
	var out strings.Builder
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch c {
		case '"':
			return out.String(), nil
		case '\\':
			if r.at == len(r.text) {
				return "", r.errorf("a string has no end")
			}
			switch e := r.text[r.at]; e {
			case 'n':
				out.WriteByte('\n')
			case 'r':
				out.WriteByte('\r')
			case 't':
				out.WriteByte('\t')
			case '0':
				out.WriteByte(0)
			default:
				out.WriteByte(e)
			}
			r.at++
		default:
			out.WriteByte(c)
		}
	}
	return "", r.errorf("a string has no end")
}

// query reads all patterns.
func (r *reader) query() ([]pattern, error) {
	var out []pattern
	for r.next() != 0 {
		var p pattern
		steps, err := r.element(&p)
		if err != nil {
			return nil, err
		}
		p.steps = steps
		out = append(out, p)
	}
	return out, nil
}

// element reads one element of a list: a node, a group or a choice, with what is written behind it. A group without a
// quantifier is the list that it holds.
func (r *reader) element(p *pattern) ([]*step, error) {
	var field uint16
	if c := r.next(); c != '(' && c != '[' && c != '"' && c != '_' {
		name := r.name()
		id, ok := r.language.fields[name]
		if !ok {
			return nil, r.errorf("no field %q", name)
		}
		field = id
		if err := r.take(':'); err != nil {
			return nil, err
		}
	}
	steps, err := r.bare(p)
	if err != nil {
		return nil, err
	}
	q, err := r.suffix(steps)
	if err != nil {
		return nil, err
	}
	if field != 0 {
		for _, s := range steps[0].leading() {
			s.field = field
		}
	}
	if q != quantifierOne {
		if len(steps) > 1 {
			steps = []*step{{choices: [][]*step{steps}}}
		}
		steps[0].quantifier = q
	}
	return steps, nil
}

// suffix reads the quantifier and the captures behind an element.
func (r *reader) suffix(steps []*step) (quantifier, error) {
	q := quantifierOne
	for {
		switch r.next() {
		case '?':
			q = quantifierOptional
		case '*':
			q = quantifierStar
		case '+':
			q = quantifierPlus
		case '@':
			r.at++
			id := r.capture(r.name())
			for _, s := range steps[0].leading() {
				if s.captures = append(s.captures, id); len(s.captures) > maxCaptures {
					return q, r.errorf("a node has more than %d captures", maxCaptures)
				}
			}
			continue
		default:
			return q, nil
		}
		r.at++
	}
}

func (r *reader) capture(name string) uint16 {
	for i, c := range r.captures {
		if c == name {
			return uint16(i)
		}
	}
	r.captures = append(r.captures, name)
	return uint16(len(r.captures) - 1)
}

func (r *reader) bare(p *pattern) ([]*step, error) {
	switch c := r.next(); c {
	case '"':
		w, err := r.word()
		if err != nil {
			return nil, err
		}
		id, ok := r.language.anonymous[w]
		if !ok {
			return nil, r.errorf("no token %q", w)
		}
		return []*step{{symbol: id}}, nil
	case '_':
		r.at++
		return []*step{{symbol: symbolAny}}, nil
	case '[':
		return r.choice(p)
	case '(':
		r.at++
		switch r.next() {
		case '(', '[', '"', '.':
			return r.group(p)
		default:
			s, err := r.node(p)
			return []*step{s}, err
		}
	default:
		return nil, r.errorf("%q is no pattern", c)
	}
}

func (r *reader) choice(p *pattern) ([]*step, error) {
	r.at++
	s := &step{}
	for r.next() != ']' {
		list, err := r.element(p)
		if err != nil {
			return nil, err
		}
		if list[0].quantifier != quantifierOne {
			return nil, r.errorf("a choice begins with something that need not be there")
		}
		s.choices = append(s.choices, list)
	}
	r.at++
	if len(s.choices) == 0 {
		return nil, r.errorf("a choice is empty")
	}
	return []*step{s}, nil
}

func (r *reader) group(p *pattern) ([]*step, error) {
	list, last, err := r.list(p, nil)
	if err != nil {
		return nil, err
	}
	if last || len(list) == 0 {
		return nil, r.errorf("a group is empty or ends with an anchor")
	}
	return list, nil
}

// node reads a node after its opening bracket.
func (r *reader) node(p *pattern) (*step, error) {
	s := &step{}
	name := r.name()
	switch name {
	case "_":
		s.symbol = symbolAnyNamed
	case "ERROR":
		s.symbol = symbolError
	case "MISSING":
		s.symbol, s.missing = symbolAny, true
		if c := r.next(); c != ')' {
			inner, err := r.missing(c)
			if err != nil {
				return nil, err
			}
			s.symbol = inner
		}
	default:
		id, ok := r.language.named[name]
		if _, super := r.language.supertypes[name]; !ok && super {
			return nil, r.errorf("%q is a supertype, which is no node: write (_) or a choice", name)
		}
		if !ok {
			return nil, r.errorf("no node %q", name)
		}
		s.symbol = id
	}
	var err error
	s.children, s.last, err = r.list(p, s)
	return s, err
}

func (r *reader) missing(c byte) (symbol, error) {
	if c == '"' {
		w, err := r.word()
		if err != nil {
			return 0, err
		}
		if id, ok := r.language.anonymous[w]; ok {
			return id, nil
		}
		return 0, r.errorf("no token %q", w)
	}
	name := r.name()
	if id, ok := r.language.named[name]; ok {
		return id, nil
	}
	return 0, r.errorf("no node %q", name)
}

// list reads what stands in brackets up to the closing one: elements, anchors, predicates, and in a node the fields that
// it must not have.
func (r *reader) list(p *pattern, node *step) (out []*step, last bool, err error) {
	anchored := false
	for {
		switch c := r.next(); {
		case c == 0:
			return nil, false, r.errorf("a bracket is not closed")
		case c == ')':
			r.at++
			return out, anchored && len(out) > 0, nil
		case c == '.':
			r.at++
			anchored = true
		case c == '!' && node != nil:
			r.at++
			name := r.name()
			id, ok := r.language.fields[name]
			if !ok {
				return nil, false, r.errorf("no field %q", name)
			}
			node.without = append(node.without, id)
		case c == '(' && r.isPredicate():
			if err := r.predicate(p); err != nil {
				return nil, false, err
			}
		default:
			list, err := r.element(p)
			if err != nil {
				return nil, false, err
			}
			if anchored {
				for _, s := range list[0].leading() {
					s.immediate = true
				}
			}
			anchored = false
			out = append(out, list...)
		}
	}
}

func (r *reader) isPredicate() bool {
	rest := strings.TrimLeft(r.text[r.at+1:], " \t\r\n")
	return strings.HasPrefix(rest, "#")
}

func (r *reader) predicate(p *pattern) error {
	r.at++
	if err := r.take('#'); err != nil {
		return err
	}
	out := Predicate{Name: r.name()}
	if err := r.take('@'); err != nil {
		return err
	}
	name := r.name()
	before := len(r.captures)
	if out.Capture = r.capture(name); len(r.captures) > before {
		return r.errorf("no capture @%s before its predicate", name)
	}
	for r.next() != ')' {
		if r.next() == '@' {
			return r.errorf("a predicate is of one capture and strings")
		}
		var w string
		if r.next() == '"' {
			var err error
			if w, err = r.word(); err != nil {
				return err
			}
		} else if w = r.name(); w == "" {
			return r.errorf("%s is no word", strconv.Quote(string(r.next())))
		}
		out.Words = append(out.Words, w)
	}
	r.at++
	p.predicates = append(p.predicates, out)
	return nil
}
