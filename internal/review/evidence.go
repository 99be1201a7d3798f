package review

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/prompt"
)

// evidenceAround is how many lines around a claim are shown when its definition is too long to be shown whole.
const evidenceAround = 60

// evidence is what a verifier was shown, line by line, without white space.
type evidence struct {
	lines  []string
	joined strings.Builder
}

// lineFrame is what stands before the code of a shown line, when a model copies it along.
var lineFrame = regexp.MustCompile(`^\s*\d*\s*[+-]`)

// proves says whether all lines of a quote were shown. A verdict without a quote rests on the claim's own, which was
// found in the change before.
func (e *evidence) proves(quote string) bool {
	if strings.TrimSpace(quote) == "" {
		return true
	}
	if q := squeeze(quote); strings.Contains(e.joined.String(), q) {
		return true
	}
	substance := false
	for _, line := range strings.Split(quote, "\n") {
		plain, bare := squeeze(line), squeeze(lineFrame.ReplaceAllString(line, ""))
		if plain == "" || plain == "..." || plain == "…" || plain == "@@" {
			continue
		}
		if !e.has(plain) && !e.has(bare) {
			return false
		}
		substance = substance || len(plain) > 2
	}
	return substance
}

func (e *evidence) has(line string) bool {
	if line == "" {
		return false
	}
	for _, l := range e.lines {
		if strings.Contains(l, line) {
			return true
		}
	}
	return false
}

func (e *evidence) add(lines ...string) {
	for _, l := range lines {
		l = squeeze(prompt.Visible(l))
		e.lines = append(e.lines, l)
		e.joined.WriteString(l)
	}
}

// evidencePieces chooses what of the change a verifier sees, the most telling first, and takes it from the room.
func (r *run) evidencePieces(c claim, room *int) []piece {
	s := c.subject
	var pieces []piece
	take := func(s *subject, p prompt.Part) bool {
		if len(p.Lines) == 0 {
			return true
		}
		need := tokens(p) + perFile
		if need > *room {
			return false
		}
		*room -= need
		pieces = append(pieces, piece{s, p})
		return true
	}
	own := s.claimWindow(c.Finding)
	all := merge(append(s.windows(), own))
	at := slices.IndexFunc(all, func(w window) bool { return w.first <= own.first && own.last <= w.last })
	if part := s.part(own); (at < 0 || !take(s, s.part(all[at]))) && !take(s, part) {
		short, need := s.shortenAround(part, c.Anchor, *room-perFile)
		*room -= need + perFile
		pieces = append(pieces, piece{s, short})
	}
	for i, w := range all {
		if i != at {
			take(s, s.part(w))
		}
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return numberAt(a.part.Lines) - numberAt(b.part.Lines) })
	if c.bundle == nil {
		return pieces
	}
	claim := c.Title + "\n" + c.Body + "\n" + c.Suggestion
	for _, p := range c.bundle.pieces {
		if p.subject != s && (strings.Contains(claim, path.Base(p.subject.path)) || mentions(claim, p.subject)) {
			take(p.subject, p.part)
		}
	}
	return pieces
}

// mentions says whether a claim names a definition that a file changes.
func mentions(claim string, s *subject) bool {
	if s.after == nil {
		return false
	}
	for i := range s.file.Hunks {
		for _, line := range changedAt(&s.file.Hunks[i]) {
			if def := s.after.Enclosing(line); def != nil && len(def.Name) > 2 && strings.Contains(claim, def.Name) {
				return true
			}
		}
	}
	return false
}

// claimWindow is the definition a finding is about, or the lines around it. Whole hunks, so that what they delete is
// shown with them.
func (s *subject) claimWindow(f finding.Finding) window {
	w := window{first: 1, last: 0}
	switch {
	case f.Anchor.Side == diff.New:
		w = s.scopeWindow(f.Anchor.Start, evidenceAround).with(s.scopeWindow(f.Anchor.End, evidenceAround))
	case f.Anchor.Side == diff.Old:
		if i := s.file.HunkOf(f.Anchor); i >= 0 {
			w = s.windowOf(&s.file.Hunks[i])
		}
	default:
		if n := s.find(f.Quote); n > 0 {
			w = s.scopeWindow(n, evidenceAround)
		} else if len(s.file.Hunks) > 0 {
			w = s.windowOf(&s.file.Hunks[0])
		}
	}
	for i := range s.file.Hunks {
		h := s.windowOfHunk(i)
		if h.first <= w.last && w.first <= h.last {
			w = w.with(h)
		}
	}
	if s.lines != nil {
		w = w.within(len(s.lines))
	}
	return w
}

// windowOfHunk gives the lines of a hunk as they are.
func (s *subject) windowOfHunk(i int) window {
	h := &s.file.Hunks[i]
	if h.NewCount == 0 {
		return window{first: h.NewStart + 1, last: h.NewStart}
	}
	return window{first: h.NewStart, last: h.NewStart + h.NewCount - 1}
}

// find gives the line on which a quote begins in the new file, 0 when it is not there.
func (s *subject) find(quote string) int {
	first, _, _ := strings.Cut(strings.TrimSpace(quote), "\n")
	first = squeeze(first)
	if first == "" {
		return 0
	}
	for i, l := range s.lines {
		if strings.Contains(squeeze(l), first) {
			return i + 1
		}
	}
	return 0
}

// shortenAround cuts a part that is too long to the lines nearest to an anchor.
func (s *subject) shortenAround(p prompt.Part, a diff.Anchor, room int) (short prompt.Part, need int) {
	at := 0
	for i, l := range p.Lines {
		if a.Side == diff.New && l.Number > 0 && l.Number <= a.Start {
			at = i
		}
	}
	first, last := at, at+1
	short = p
	for {
		try := prompt.Part{Scope: p.Scope, Lines: p.Lines[max(first-5, 0):min(last+10, len(p.Lines))]}
		n := tokens(try)
		if n > room && need > 0 {
			return short, need
		}
		short, need = try, n
		if n > room || (first <= 0 && last >= len(p.Lines)) {
			return short, need
		}
		first, last = first-5, last+10
	}
}
