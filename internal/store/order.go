package store

import (
	"slices"
	"time"
)

// maxTied bounds what a row remembers of one second. GitHub takes no hundred pushes a second to one branch.
const maxTied = 100

// position is what the row of a pull request knows of its head.
type position struct {
	head string
	// at is pull_request.updated_at of the delivery that set head; zero when no delivery did.
	at time.Time
	// heads are those that deliveries of that second named, and befores those that they moved away from: befores[i] is
	// heads[i]'s, "" when its delivery named none.
	heads, befores []string
	// base is the head that the second began with, as far as is known: that of the second before, or the first of all.
	base string
}

// moment is what one delivery says of the head.
type moment struct {
	at time.Time
	// before is the head that a synchronize moved away from, empty with other actions.
	head, before string
	// opened is set for the pull request's opening, which is before everything else of its second.
	opened bool
}

// after gives the position when m is known too. It does not depend on the order in which deliveries arrive, as far as
// the deliveries themselves can tell: a later second wins; within one second the head that none of its deliveries moved
// away from wins. While that leaves several, since a delivery between them has not arrived, those that the moves lead to
// from the second's base are the older ones: the gap is behind them. Only if that leaves several too (two gaps, or
// nothing was known of the pull request before), the last to arrive wins, and the missing ones settle it. A circle in
// one second (there and back) is left to the order of arrival.
func (p position) after(m moment) position {
	switch {
	case m.head == "" || m.at.Before(p.at):
		return p
	case m.at.After(p.at) || p.head == "":
		next := position{head: m.head, at: m.at, heads: []string{m.head}, befores: []string{m.before}, base: p.head}
		if m.opened {
			next.base = m.head
		}
		return next
	}
	next := p.with(m)
	tips := next.tips()
	switch {
	case len(tips) == 0:
		if m.before == p.head {
			next.head = m.head
		}
	case !m.opened && slices.Contains(tips, m.head):
		next.head = m.head
	case !slices.Contains(tips, p.head):
		next.head = tips[len(tips)-1]
	}
	return next
}

// with remembers what m says.
func (p position) with(m moment) position {
	if m.opened {
		p.base = m.head
	}
	for i, head := range p.heads {
		if head == m.head && p.before(i) == m.before {
			return p
		}
	}
	if len(p.heads) < maxTied {
		befores := make([]string, len(p.heads), len(p.heads)+1)
		for i := range befores {
			befores[i] = p.before(i)
		}
		p.heads, p.befores = append(slices.Clone(p.heads), m.head), append(befores, m.before)
	}
	return p
}

// before is the head that the ith delivery moved away from, or "".
func (p position) before(i int) string {
	if i < len(p.befores) {
		return p.befores[i]
	}
	return ""
}

// tips are the heads that may be the newest of the second, in the order in which they were named first.
func (p position) tips() (tips []string) {
	for i, head := range p.heads {
		if !slices.Contains(p.befores, head) && !slices.Contains(p.heads[:i], head) {
			tips = append(tips, head)
		}
	}
	led := p.ledTo()
	if behind := slices.DeleteFunc(slices.Clone(tips), func(h string) bool { return led[h] }); len(behind) > 0 {
		return behind
	}
	return tips
}

// ledTo are the heads that the moves of the second lead to from its base.
func (p position) ledTo() map[string]bool {
	if p.base == "" {
		return nil
	}
	led := map[string]bool{p.base: true}
	for found := true; found; {
		found = false
		for i, head := range p.heads {
			if before := p.before(i); before != "" && led[before] && !led[head] {
				led[head], found = true, true
			}
		}
	}
	return led
}
