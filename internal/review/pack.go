package review

import (
	"cmp"
	"slices"

	"github.com/openrabbit/openrabbit/internal/prompt"
)

// surrounding is code from elsewhere that may stand in a prompt: at least in short, at most whole.
type surrounding struct {
	prompt.Snippet
	// short is the least that says something, "" when that is the whole text.
	short string
}

// packing chooses what stands in a prompt.
type packing struct {
	room  int
	all   []surrounding
	taken []bool
	whole []bool
	paths map[string]bool
}

// pack takes what fits into so many tokens: contracts and calls in at most half of the room, definitions in short, calls
// that were left, and then the whole of those definitions for which there is room. It is shown by file.
func pack(calls, rest []surrounding, room int) []prompt.Snippet {
	p := &packing{room: room, all: slices.Concat(calls, rest), paths: map[string]bool{}}
	p.taken, p.whole = make([]bool, len(p.all)), make([]bool, len(p.all))
	keep := room / 2
	p.room -= keep
	p.take(0, len(calls))
	p.room += keep
	p.take(len(calls), len(p.all))
	p.take(0, len(calls))
	for i, s := range p.all {
		if more := prompt.Tokens(s.Text) - prompt.Tokens(s.short); p.taken[i] && s.short != "" && more <= p.room {
			p.room -= more
			p.whole[i] = true
		}
	}
	var list []prompt.Snippet
	for i, s := range p.all {
		if !p.taken[i] {
			continue
		}
		one := s.Snippet
		if s.short != "" && !p.whole[i] {
			one.Text = s.short
		}
		list = append(list, one)
	}
	slices.SortStableFunc(list, func(a, b prompt.Snippet) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
	})
	return list
}

// take takes the short forms of some, in order, as far as there is room.
func (p *packing) take(from, to int) {
	for i := from; i < to; i++ {
		s := p.all[i]
		need := prompt.Tokens(s.Why+cmp.Or(s.short, s.Text)) + perSnippet
		if !p.paths[s.Path] {
			need += prompt.Tokens(s.Path)
		}
		if !p.taken[i] && need <= p.room {
			p.room -= need
			p.taken[i], p.paths[s.Path] = true, true
		}
	}
}
