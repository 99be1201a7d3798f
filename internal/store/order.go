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
	// heads and befores are the heads that deliveries of that second named, and those they moved away from.
	heads, befores []string
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
// away from wins. While that leaves several (the delivery between them has not arrived), the last to arrive wins, and
// the missing one settles it. A circle in one second (there and back) is left to the order of arrival.
func (p position) after(m moment) position {
	switch {
	case m.head == "" || m.at.Before(p.at):
		return p
	case m.at.After(p.at) || p.head == "":
		return position{head: m.head, at: m.at, heads: add(nil, m.head), befores: add(nil, m.before)}
	}
	next := position{head: p.head, at: p.at, heads: add(p.heads, m.head), befores: add(p.befores, m.before)}
	var tips []string
	for _, h := range next.heads {
		if !slices.Contains(next.befores, h) {
			tips = append(tips, h)
		}
	}
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

// add appends a word that is not there yet; it never changes the array of its argument.
func add(words []string, word string) []string {
	if word == "" || slices.Contains(words, word) || len(words) >= maxTied {
		return slices.Clone(words)
	}
	return append(slices.Clone(words), word)
}
