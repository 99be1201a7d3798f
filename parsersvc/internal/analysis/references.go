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

// scratch is memory that is used for one file after the other. None of it holds anything of a file but numbers.
type scratch struct {
	uses, sorted []use
	keys         []uint64
}

// keepUses is for how many uses memory is kept; what a larger file took is given back.
const keepUses = 64 << 10

// trim gives back what a large file took.
func (s *scratch) trim() {
	if cap(s.uses) > keepUses || cap(s.sorted) > keepUses {
		*s = scratch{}
	}
}

// localNames are the names that definitions make for themselves. Most names are none, and one look says so.
type localNames struct {
	numbers map[string]uint32
	// made has the number of a name and the definition that makes it.
	made map[localName]struct{}
}

type localName struct {
	number uint32
	symbol int32
}

// maxReferences bounds the uses that are told of a file.
const maxReferences = 50_000

// references sorts what the query of references found. It gives the uses of names that the definitions around them don't
// make themselves, in the order of the text, and whether that is all of them.
func (b *builder) references(found grammar.Matches) ([]syntax.Reference, bool) {
	defer b.scratch.trim()
	uses, spreads, whole := b.uses(found)
	uses = b.scratch.sort(uses)
	b.enclose(uses)
	locals, names := b.localNames(uses), b.nameStarts()
	out := b.spare
	if n := min(len(uses), maxReferences); cap(out) < n {
		out = make([]syntax.Reference, 0, n)
	}
	for i := 0; i < len(uses); {
		j := i + 1
		for j < len(uses) && uses[j].name.start == uses[i].name.start {
			j++
		}
		u, ok := pick(uses[i:j])
		i = j
		for len(names) > 0 && names[0] < u.name.start {
			names = names[1:]
		}
		defined := len(names) > 0 && names[0] == u.name.start
		if !ok || defined && u.role != roleInherit || u.receiver.end == 0 && b.isLocal(locals, u) {
			continue
		}
		if len(out) == maxReferences {
			return out, false
		}
		spread := false
		if u.arguments >= 0 && len(spreads) > 0 {
			_, spread = spreads[u.list]
		}
		out = append(out, b.reference(u, spread))
	}
	return out, whole
}

// uses gives the names that the query found, and the lists that are spread.
func (b *builder) uses(found grammar.Matches) (uses []use, spreads map[uint32]struct{}, whole bool) {
	spreads = make(map[uint32]struct{})
	p := b.lang.references
	uses = slices.Grow(b.scratch.uses[:0], found.Len())
	for pattern, captures := range found.All() {
		if !p.accepts(pattern, captures, b.text.content) {
			continue
		}
		u := use{pattern: uint16(pattern), arguments: -1}
		for _, c := range captures {
			switch role := p.meanings[c.ID()].role; role {
			case roleCall, roleType, roleInherit, roleRead, roleLocal, roleIgnore:
				u.role, u.name = role, span{c.Start, c.End}
			case roleReceiver:
				u.receiver = span{c.Start, c.End}
			case roleArguments:
				u.list, u.arguments = c.Start, int32(c.Children())
			case roleNoArguments:
				u.arguments = 0
			case roleSpread:
				spreads[c.Start] = struct{}{}
			default:
			}
		}
		if u.name.end > u.name.start {
			uses = append(uses, u)
		}
	}
	b.scratch.uses = uses
	return uses, spreads, found.Whole
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

// sort gives the uses by place, and at one place by pattern. Numbers are sorted faster than what they stand for, and the
// uses are nearly in order.
func (s *scratch) sort(uses []use) []use {
	keys := slices.Grow(s.keys[:0], len(uses))
	for i := range uses {
		keys = append(keys, uint64(uses[i].name.start)<<32|uint64(uses[i].pattern)<<patternShift|uint64(i))
	}
	sortNearly(keys)
	sorted := slices.Grow(s.sorted[:0], len(uses))
	for _, k := range keys {
		sorted = append(sorted, uses[k&(1<<patternShift-1)])
	}
	s.keys, s.sorted = keys, sorted
	return sorted
}

// sortNearly sorts what is nearly in order by moving each number to its place. When that takes more than some moves a
// number, the rest is sorted as anything else.
func sortNearly(keys []uint64) {
	moves := 8 * len(keys)
	for i := 1; i < len(keys); i++ {
		k := keys[i]
		j := i
		for ; j > 0 && keys[j-1] > k && moves > 0; j-- {
			keys[j] = keys[j-1]
			moves--
		}
		keys[j] = k
		if moves == 0 {
			slices.Sort(keys)
			return
		}
	}
}

// patternShift leaves 20 bits for the number of a use, of which there are fewer than grammar.MaxMatches, and 12 for its
// pattern.
const patternShift = 20

// enclose finds the innermost definition around each of the uses, which are sorted.
func (b *builder) enclose(uses []use) {
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

// localNames gives the names that definitions make for themselves.
func (b *builder) localNames(uses []use) localNames {
	out := localNames{make(map[string]uint32), make(map[localName]struct{})}
	for i := range uses {
		u := &uses[i]
		if u.role != roleLocal || u.scope < 0 {
			continue
		}
		name := b.text.all[u.name.start:u.name.end]
		number, ok := out.numbers[name]
		if !ok {
			number = uint32(len(out.numbers))
			out.numbers[name] = number
		}
		out.made[localName{number, u.scope}] = struct{}{}
	}
	return out
}

// nameStarts gives the places where definitions have their names, sorted.
func (b *builder) nameStarts() []uint32 {
	starts := make([]uint32, len(b.symbols))
	for i := range b.symbols {
		starts[i] = uint32(b.symbols[i].NameRange.StartByte)
	}
	slices.Sort(starts)
	return starts
}

// hasVariables says whether a definition of this kind has variables or type parameters of its own.
func hasVariables(k syntax.Kind) bool { return isCallable(k) || isType(k) && k != syntax.Module }

// isLocal says whether a name is made by a definition around its use.
func (b *builder) isLocal(locals localNames, u use) bool {
	if len(locals.numbers) == 0 || u.scope < 0 {
		return false
	}
	number, ok := locals.numbers[b.text.all[u.name.start:u.name.end]]
	if !ok {
		return false
	}
	for at, n := u.scope, 0; at >= 0 && n < maxNesting; at, n = int32(b.symbols[at].Parent), n+1 {
		if _, ok := locals.made[localName{number, at}]; ok {
			return true
		}
	}
	return false
}

// maxNesting bounds every loop up a chain of parents.
const maxNesting = 64
