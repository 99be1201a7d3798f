//go:build cgo

package analysis

import (
	"cmp"
	"slices"
	"strings"

	sitter "github.com/smacker/go-tree-sitter"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// maxReceiver bounds the text of a receiver, in bytes.
const maxReceiver = 256

// use is one use of a name as its pattern found it.
type use struct {
	pattern   int
	kind      syntax.ReferenceKind
	name      span
	receiver  span
	arguments *sitter.Node
	// ignored is a name that is no use, local one that its definition makes for itself.
	ignored, local bool
	// enclosing is the innermost definition around it, scope the innermost that has variables of its own; or -1.
	enclosing, scope int
}

// localName is a name within a definition.
type localName struct {
	symbol int
	name   string
}

// references runs the query of references. It gives the uses of names that the definitions around them don't make
// themselves, in the order of the text, and whether that is all of them.
func (b *builder) references(root *sitter.Node) ([]syntax.Reference, bool) {
	content := b.text.content
	var uses []use
	spreads := make(map[uint32]struct{})
	whole := b.lang.references.each(root, content, func(pattern int, captures []capture) {
		u := use{pattern: pattern}
		for _, c := range captures {
			switch c.role {
			case roleCall:
				u.kind, u.name = syntax.Call, c.span
			case roleType:
				u.kind, u.name = syntax.TypeUse, c.span
			case roleInherit:
				u.kind, u.name = syntax.Inherit, c.span
			case roleRead:
				u.kind, u.name = syntax.Read, c.span
			case roleReceiver:
				u.receiver = c.span
			case roleArguments:
				u.arguments = c.node
			case roleSpread:
				spreads[c.start] = struct{}{}
			case roleLocal:
				u.local, u.name = true, c.span
			case roleIgnore:
				u.ignored, u.name = true, c.span
			default:
			}
		}
		if u.name.end > u.name.start {
			uses = append(uses, u)
		}
	})
	b.enclose(uses)
	locals, names := b.localNames(uses)
	var out []syntax.Reference
	for i := 0; i < len(uses); {
		j := i + 1
		for j < len(uses) && uses[j].name.start == uses[i].name.start {
			j++
		}
		u, ok := pick(uses[i:j])
		i = j
		_, defined := names[u.name.start]
		if !ok || defined && u.kind != syntax.Inherit || u.receiver.end == 0 && b.isLocal(locals, u) {
			continue
		}
		r := syntax.Reference{
			Name: cut(strings.ToValidUTF8(u.name.string(content), "\uFFFD"), maxName),
			Kind: u.kind, Arguments: -1, Range: b.text.rangeOf(u.name), Enclosing: u.enclosing,
		}
		if u.receiver.end > u.receiver.start {
			r.Receiver = fold(u.receiver.text(content), maxReceiver)
		}
		if u.arguments != nil {
			if _, spread := spreads[u.arguments.StartByte()]; !spread {
				r.Arguments = b.count(u.arguments)
			}
		}
		out = append(out, r)
	}
	return out, whole
}

// pick chooses among the matches about one name, sorted by pattern: a name that is being made is no use, otherwise the
// pattern that stands first in the query says what it is.
func pick(same []use) (use, bool) {
	for i := range same {
		if same[i].local {
			return same[i], false
		}
	}
	return same[0], !same[0].ignored
}

// enclose sorts the uses and finds the innermost definition around each.
func (b *builder) enclose(uses []use) {
	slices.SortFunc(uses, func(x, y use) int {
		return cmp.Or(cmp.Compare(x.name.start, y.name.start), cmp.Compare(x.pattern, y.pattern))
	})
	var open []int
	next := 0
	for i := range uses {
		at := uses[i].name
		for next < len(b.spans) && b.spans[next].start <= at.start {
			for len(open) > 0 && b.spans[open[len(open)-1]].end <= b.spans[next].start {
				open = open[:len(open)-1]
			}
			open = append(open, next)
			next++
		}
		for len(open) > 0 && b.spans[open[len(open)-1]].end <= at.start {
			open = open[:len(open)-1]
		}
		uses[i].enclosing, uses[i].scope = -1, -1
		for j := len(open) - 1; j >= 0 && j >= len(open)-maxNesting; j-- {
			if !b.spans[open[j]].contains(at) {
				continue
			}
			if uses[i].enclosing < 0 {
				uses[i].enclosing = open[j]
			}
			if hasVariables(b.symbols[open[j]].Kind) {
				uses[i].scope = open[j]
				break
			}
		}
	}
}

// localNames gives the names that definitions make for themselves, and the places where definitions have their names.
func (b *builder) localNames(uses []use) (map[localName]struct{}, map[uint32]struct{}) {
	locals := make(map[localName]struct{})
	for i := range uses {
		if u := &uses[i]; u.local && u.scope >= 0 {
			locals[localName{u.scope, u.name.string(b.text.content)}] = struct{}{}
		}
	}
	names := make(map[uint32]struct{}, len(b.symbols))
	for i := range b.symbols {
		names[uint32(b.symbols[i].NameRange.StartByte)] = struct{}{}
	}
	return locals, names
}

// hasVariables says whether a definition of this kind has variables or type parameters of its own.
func hasVariables(k syntax.Kind) bool { return isCallable(k) || isType(k) && k != syntax.Module }

// isLocal says whether a name is made by a definition around its use.
func (b *builder) isLocal(locals map[localName]struct{}, u use) bool {
	if len(locals) == 0 {
		return false
	}
	name := u.name.string(b.text.content)
	for at, n := u.scope, 0; at >= 0 && n < maxNesting; at, n = b.symbols[at].Parent, n+1 {
		if _, ok := locals[localName{at, name}]; ok {
			return true
		}
	}
	return false
}

// maxNesting bounds every loop up a chain of parents.
const maxNesting = 64

// count gives the number of arguments in a list. Comments are nodes too; a list that holds one is gone through.
func (b *builder) count(list *sitter.Node) int {
	s := span{list.StartByte(), list.EndByte()}
	i, _ := slices.BinarySearchFunc(b.g.comments, s.start, func(c span, at uint32) int { return cmp.Compare(c.start, at) })
	if i == len(b.g.comments) || b.g.comments[i].start >= s.end {
		return int(list.NamedChildCount())
	}
	cursor := sitter.NewTreeCursor(list)
	defer cursor.Close()
	n := 0
	for ok := cursor.GoToFirstChild(); ok; ok = cursor.GoToNextSibling() {
		if node := cursor.CurrentNode(); node.IsNamed() && !node.IsExtra() {
			n++
		}
	}
	return n
}
