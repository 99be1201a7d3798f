//go:build cgo

package analysis

import (
	"slices"

	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/parsersvc/internal/grammar"
)

// maxReceiver bounds the text of a receiver, in bytes.
const maxReceiver = 256

// use is one use of a name as its pattern found it. There may be hundreds of thousands, so it is small.
type use struct {
	name, receiver span
	// list is the start of a call's arguments, 0 without one, and arguments how many there are.
	list      uint32
	arguments int32
	// enclosing is the innermost definition around it, scope the innermost that has variables of its own; or -1.
	enclosing, scope int32
	pattern          uint16
	// role is what the name is captured as.
	role role
}

// kind puts a use into the domain's words.
func (u *use) kind() syntax.ReferenceKind {
	switch u.role {
	case roleCall:
		return syntax.Call
	case roleType:
		return syntax.TypeUse
	case roleInherit:
		return syntax.Inherit
	default:
		return syntax.Read
	}
}

// localName is a name within a definition.
type localName struct {
	symbol int32
	name   string
}

// maxReferences bounds the uses that are told of a file.
const maxReferences = 50_000

// references sorts what the query of references found. It gives the uses of names that the definitions around them don't
// make themselves, in the order of the text, and whether that is all of them.
func (b *builder) references(found grammar.Matches) ([]syntax.Reference, bool) {
	uses, spreads, whole := b.uses(found)
	b.enclose(uses)
	locals, names := b.localNames(uses)
	out := make([]syntax.Reference, 0, min(len(uses), maxReferences))
	for i := 0; i < len(uses); {
		j := i + 1
		for j < len(uses) && uses[j].name.start == uses[i].name.start {
			j++
		}
		u, ok := pick(uses[i:j])
		i = j
		_, defined := names[u.name.start]
		if !ok || defined && u.role != roleInherit || u.receiver.end == 0 && b.isLocal(locals, u) {
			continue
		}
		if len(out) == maxReferences {
			return out, false
		}
		_, spread := spreads[u.list]
		out = append(out, b.reference(u, spread))
	}
	return out, whole
}

// uses gives the names that the query found, and the lists that are spread.
func (b *builder) uses(found grammar.Matches) (uses []use, spreads map[uint32]struct{}, whole bool) {
	spreads = make(map[uint32]struct{})
	uses = make([]use, 0, found.Len())
	whole = b.lang.references.each(found, b.text.content, func(pattern int, captures []capture) {
		u := use{pattern: uint16(pattern), arguments: -1}
		for _, c := range captures {
			switch c.role {
			case roleCall, roleType, roleInherit, roleRead, roleLocal, roleIgnore:
				u.role, u.name = c.role, c.span
			case roleReceiver:
				u.receiver = c.span
			case roleArguments:
				u.list, u.arguments = c.start, int32(c.children)
			case roleNoArguments:
				u.arguments = 0
			case roleSpread:
				spreads[c.start] = struct{}{}
			default:
			}
		}
		if u.name.end > u.name.start {
			uses = append(uses, u)
		}
	})
	return uses, spreads, whole
}

// reference puts a use into the domain's words.
func (b *builder) reference(u use, spread bool) syntax.Reference {
	r := syntax.Reference{
		Name: b.text.name(u.name),
		Kind: u.kind(), Arguments: int(u.arguments), Range: b.text.rangeOf(u.name), Enclosing: int(u.enclosing),
	}
	if u.receiver.end > u.receiver.start {
		r.Receiver = b.text.folded(u.receiver, maxReceiver)
	}
	if spread {
		r.Arguments = -1
	}
	return r
}

// pick chooses among the matches about one name, sorted by pattern: a name that is being made is no use, otherwise the
// pattern that stands first in the query says what it is.
func pick(same []use) (use, bool) {
	for i := range same {
		if same[i].role == roleLocal {
			return same[i], false
		}
	}
	return same[0], same[0].role != roleIgnore
}

// sortUses sorts by place, and at one place by pattern. Numbers are sorted faster than what they stand for, and the uses
// are nearly in order.
func sortUses(uses []use) {
	keys := make([]uint64, len(uses))
	for i := range uses {
		keys[i] = uint64(uses[i].name.start)<<32 | uint64(uses[i].pattern)<<patternShift | uint64(i)
	}
	slices.Sort(keys)
	sorted := make([]use, len(uses))
	for i, k := range keys {
		sorted[i] = uses[k&(1<<patternShift-1)]
	}
	copy(uses, sorted)
}

// patternShift leaves 20 bits for the number of a use, of which there are fewer than grammar.MaxMatches, and 12 for its
// pattern.
const patternShift = 20

// enclose sorts the uses and finds the innermost definition around each.
func (b *builder) enclose(uses []use) {
	sortUses(uses)
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
				uses[i].enclosing = int32(open[j])
			}
			if hasVariables(b.symbols[open[j]].Kind) {
				uses[i].scope = int32(open[j])
				break
			}
		}
	}
}

// localNames gives the names that definitions make for themselves, and the places where definitions have their names.
func (b *builder) localNames(uses []use) (map[localName]struct{}, map[uint32]struct{}) {
	locals := make(map[localName]struct{})
	for i := range uses {
		if u := &uses[i]; u.role == roleLocal && u.scope >= 0 {
			locals[localName{u.scope, b.text.all[u.name.start:u.name.end]}] = struct{}{}
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
	name := b.text.all[u.name.start:u.name.end]
	for at, n := u.scope, 0; at >= 0 && n < maxNesting; at, n = int32(b.symbols[at].Parent), n+1 {
		if _, ok := locals[localName{at, name}]; ok {
			return true
		}
	}
	return false
}

// maxNesting bounds every loop up a chain of parents.
const maxNesting = 64
