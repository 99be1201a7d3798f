//go:build cgo

package analysis

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/parsersvc/internal/grammar"
)

// recoverHeaders adds the definitions whose first line lies in text that the grammar could make nothing of: what is half
// written, or newer than the grammar, is still a name to whoever reads the file. Of such a definition the name, the first
// line and, by the indentation, the end are known; its arity is not.
func (b *builder) recoverHeaders(nodes []grammar.Node) {
	if b.lang.rules.headers == nil || len(nodes) == 0 || !nodes[0].HasError() {
		return
	}
	rules := &b.lang.rules
	r := recovery{
		text: b.text, headers: rules.headers(), named: make(map[uint32]struct{}),
		codeEnds: rules.codeEnds, codeBegins: rules.codeBegins,
	}
	r.survey(b.lang.grammar, nodes)
	if len(r.broken) == 0 {
		return
	}
	for i := range b.g.definitions {
		r.named[b.g.definitions[i].name.start] = struct{}{}
	}
	r.read()
	if len(r.found) == 0 {
		return
	}
	b.g.definitions = nested(append(b.g.definitions, r.found...))
}

// recovery reads the lines of a file that its grammar could not read.
type recovery struct {
	text    *text
	headers []header
	// broken is the text that was not understood, opaque comments, strings and other text that is no code; both in order.
	broken, opaque []span
	// named are the places of the names that are definitions already.
	named map[uint32]struct{}
	// codeEnds and codeBegins are the language's rule, left says that what is read now is no code by it.
	codeEnds, codeBegins string
	left                 bool
	// open are indices of those found whose ends are not, and how far each is indented.
	open  []opened
	found []definition
}

type opened struct{ index, indent int }

// survey finds what is broken, and what is no code.
func (r *recovery) survey(l *grammar.Language, nodes []grammar.Node) {
	code := make(map[string]bool)
	for i := 0; i < len(nodes); {
		n := &nodes[i]
		s := span{n.Start(), n.End()}
		if n.IsError() && (len(r.broken) == 0 || r.broken[len(r.broken)-1].end < s.end) {
			r.broken = append(r.broken, s)
		}
		name := l.Name(*n)
		is, known := code[name]
		if !known {
			is = isCode(name)
			code[name] = is
		}
		if is {
			i++
			continue
		}
		r.opaque = append(r.opaque, s)
		i = n.Next()
	}
}

// isCode says whether in a node of this name there may be code.
func isCode(name string) bool {
	for _, part := range []string{"comment", "string", "heredoc", "nowdoc", "template", "regex"} {
		if strings.Contains(name, part) {
			return false
		}
	}
	return name != "text"
}

// read goes through the lines from the first that is broken.
func (r *recovery) read() {
	content := r.text.content
	for at := lineStart(content, r.broken[0].start); at < uint32(len(content)) && len(r.found) < maxSymbols; {
		end := at + uint32(len(content[at:]))
		if i := bytes.IndexByte(content[at:], '\n'); i >= 0 {
			end = at + uint32(i)
		}
		for len(r.broken) > 0 && r.broken[0].end <= at {
			r.broken = r.broken[1:]
		}
		if len(r.broken) == 0 && len(r.open) == 0 {
			return
		}
		r.line(span{at, end})
		at = end + 1
	}
}

func lineStart(content []byte, at uint32) uint32 {
	return uint32(bytes.LastIndexByte(content[:at], '\n') + 1)
}

// line ends what the line at s ends, and finds the header on it.
func (r *recovery) line(s span) {
	line := bytes.TrimRight(s.text(r.text.content), " \t\r\f")
	words := bytes.TrimLeft(line, " \t")
	first := s.start + uint32(len(line)-len(words))
	// A line for the preprocessor, an attribute or a comment stands at the margin wherever it is; it begins and ends nothing.
	if len(words) == 0 || words[0] == '#' || r.isOpaque(first) {
		return
	}
	indent := columns(line[:len(line)-len(words)])
	for len(r.open) > 0 && r.open[len(r.open)-1].indent >= indent {
		last := r.open[len(r.open)-1]
		d := &r.found[last.index]
		if last.indent == indent && words[0] == '{' {
			break
		}
		if last.indent == indent && closes(words) {
			d.node.end = s.start + uint32(len(line))
			if words[0] == ')' {
				break // of the parameters
			}
		}
		r.open = r.open[:len(r.open)-1]
	}
	for _, o := range r.open {
		r.found[o.index].node.end = s.start + uint32(len(line))
	}
	if r.codeEnds != "" {
		r.left = (r.left || bytes.HasPrefix(words, []byte(r.codeEnds))) && !bytes.Contains(words, []byte(r.codeBegins))
	}
	if len(r.broken) > 0 && r.broken[0].start < s.end && !r.left {
		r.header(s.start, first, line, indent)
	}
}

// columns gives how far white space indents.
func columns(white []byte) int {
	n := 0
	for _, c := range white {
		if n++; c == '\t' {
			n = (n + 7) / 8 * 8
		}
	}
	return n
}

// closes says whether a line that is indented as a header ends what that began.
func closes(words []byte) bool {
	return strings.IndexByte(")]}", words[0]) >= 0 || string(words) == "end"
}

func (r *recovery) isOpaque(at uint32) bool {
	for len(r.opaque) > 0 && r.opaque[0].end <= at {
		r.opaque = r.opaque[1:]
	}
	return len(r.opaque) > 0 && r.opaque[0].start <= at
}

// maxHeader is how long a line may be that is looked at.
const maxHeader = 1 << 10

func (r *recovery) header(start, first uint32, line []byte, indent int) {
	if len(line) > maxHeader {
		return
	}
	for _, h := range r.headers {
		m := h.pattern.FindSubmatchIndex(line)
		if m == nil {
			continue
		}
		part := func(group string) span {
			if i := h.pattern.SubexpIndex(group); i >= 0 && m[2*i] >= 0 {
				return span{start + uint32(m[2*i]), start + uint32(m[2*i+1])}
			}
			return span{}
		}
		name := part("name")
		if _, ok := r.named[name.start]; ok {
			return
		}
		end := start + uint32(len(line))
		signature := end
		if c := line[len(line)-1]; c == ':' || c == '{' {
			signature--
		}
		r.open = append(r.open, opened{len(r.found), indent})
		r.found = append(r.found, definition{
			kind: h.kind, pattern: math.MaxInt, name: name, container: part("container"), recovered: end,
			node: span{first, end}, body: span{signature, end},
		})
		return
	}
}

// nested sorts definitions, a parent before its children, and cuts those that were recovered where they would overlap
// others: the indentation knows less than the grammar. One that is not left its first line is none.
func nested(all []definition) []definition {
	for i := range all {
		if d := &all[i]; d.recovered > 0 {
			d.outer = d.node
		}
	}
	sortNested(all)
	var open []*definition
	for i := range all {
		d := &all[i]
		for len(open) > 0 && !open[len(open)-1].settle(d) {
			open = open[:len(open)-1]
		}
		open = append(open, d)
	}
	all = slices.DeleteFunc(all, func(d definition) bool { return d.outer.end == 0 })
	sortNested(all)
	return all
}

// settle says whether d, which begins in or after another definition, is in it. Where the two overlap, one that was
// recovered is cut, and has no end when nothing is left of it.
func (d *definition) settle(inner *definition) bool {
	switch top := d.outer.end; {
	case top <= inner.outer.start:
		return false
	case top >= inner.outer.end:
		return true
	case inner.recovered > 0 && inner.recovered <= top:
		inner.endAt(top)
		return true
	case d.recovered > 0 && d.recovered <= inner.outer.start:
		d.endAt(inner.outer.start)
		return false
	case inner.recovered > 0:
		inner.endAt(0)
		return true
	case d.recovered > 0:
		d.endAt(0)
		return false
	default:
		return true
	}
}

func (d *definition) endAt(at uint32) { d.node.end, d.outer.end = at, at }
