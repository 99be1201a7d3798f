package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// Bounds of Locate. A quote beyond them is no quote of a few lines.
const (
	maxQuoteBytes = 16 << 10
	maxQuoteLines = 400
	// hintWindow is how far, in lines, a model's line number may be off and still choose among equal matches. It
	// chooses only when every other match is farther away than that.
	hintWindow = 20
)

// Locate finds the code that a candidate quotes in the hunks of its file. The anchor it gives is always valid in d;
// without one it says why in a phrase for a reader.
//
// It tries the quote verbatim, then without regard to white space, then as part of a line, then with elisions ("...")
// or skipped lines, then with a few characters edited; the first of these that matches anywhere decides. A quote is of
// the new side (context and added lines) or of the old side when it holds a deleted line; code that was both deleted
// and added is taken from the new side. Among several matches the candidate's line numbers choose: the match they are
// exactly on, else the only one within 20 lines. Anything else is ambiguous and has no anchor: line numbers alone, or
// a likely guess, are never a place. Code that is only like the quote, while another file of the diff holds the quote
// itself, is not what was meant.
func Locate(d *diff.Diff, c Candidate) (a diff.Anchor, why string) {
	f := fileOf(d, c.Path)
	switch {
	case strings.TrimSpace(c.Quote) == "":
		return diff.Anchor{}, "no code was quoted, and line numbers alone are not trusted"
	case f == nil:
		return diff.Anchor{}, "the file is not in the diff"
	case f.Unseen:
		return diff.Anchor{}, "the lines of the file were not delivered"
	case f.Binary || f.Submodule || len(f.Hunks) == 0:
		return diff.Anchor{}, "the file has no lines in the diff"
	case len(c.Quote) > maxQuoteBytes || strings.Count(c.Quote, "\n") > maxQuoteLines:
		return diff.Anchor{}, "the quote is too long to be searched for"
	}
	found, near := search(f, c.Quote)
	if len(found) == 0 || near && elsewhere(d, f, c.Quote) {
		return diff.Anchor{}, "the quoted code is not in the diff"
	}
	m, ok := choose(found, hintOf(c), weight(c.Quote) >= minPart)
	if !ok {
		return diff.Anchor{}, fmt.Sprintf("the quoted code stands in the diff %d times, and the lines given do not tell which is meant", len(found))
	}
	a = diff.Anchor{Path: f.Path(), Side: m.side, Start: m.start, End: m.end}
	if err := d.Valid(a); err != nil {
		// Two entries of one path (a file that became a link): the first is the one that GitHub would take.
		return diff.Anchor{}, "the file stands in the diff more than once"
	}
	return a, ""
}

// AnchoredText gives the anchored lines, nil when the anchor is not valid in d.
func AnchoredText(d *diff.Diff, a diff.Anchor) []string { return d.Text(a) }

// fileOf finds the file that a model names, with the prefixes that models copy from diffs.
func fileOf(d *diff.Diff, path string) *diff.File {
	path = strings.Trim(strings.TrimSpace(path), "`\"'")
	if f := d.File(path); f != nil {
		return f
	}
	path = strings.TrimLeft(strings.TrimPrefix(path, "./"), "/")
	if f := d.File(path); f != nil {
		return f
	}
	for _, prefix := range []string{"b/", "a/"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			if f := d.File(rest); f != nil {
				return f
			}
		}
	}
	return nil
}

// elsewhere says whether another file of the diff holds a quote, white space aside: then code that is only like it is
// not what was meant.
func elsewhere(d *diff.Diff, f *diff.File, quote string) bool {
	for i := range d.Files {
		other := &d.Files[i]
		if other == f {
			continue
		}
		for h := range other.Hunks {
			for _, side := range []diff.Side{diff.New, diff.Old} {
				s := newSequence(other.Hunks[h].Side(side), side)
				for _, reading := range quotes(quote) {
					if len(s.loose(reading)) > 0 {
						return true
					}
				}
			}
		}
	}
	return false
}

// match is a place where a quote was found.
type match struct {
	side       diff.Side
	start, end int
	added      bool // it covers an added line
}

// hint is where the model says that the code is; zero when it does not say.
type hint struct{ start, end int }

func hintOf(c Candidate) hint {
	h := hint{c.StartLine, c.EndLine}
	if h.start < 1 {
		h.start = h.end
	}
	if h.start < 1 {
		return hint{}
	}
	if h.end < h.start {
		h.end = h.start
	}
	return h
}

// choose takes the one match that is meant, or none. Telling is set for a quote that says more than a brace does.
func choose(found []match, h hint, telling bool) (match, bool) {
	if len(found) == 1 {
		return found[0], true
	}
	if h.start > 0 {
		for _, on := range []func(match) bool{
			func(m match) bool { return m.start == h.start && m.end == h.end },
			func(m match) bool { return m.start == h.start && h.end == h.start }, // no end was said
		} {
			hits := filter(found, on)
			if telling {
				hits = preferNew(hits)
			}
			if len(hits) == 1 && (hits[0].side == diff.New || !slices.ContainsFunc(found, h.nearNew)) {
				return hits[0], true
			} else if len(hits) > 0 {
				return match{}, false
			}
		}
	}
	if telling {
		found = preferNew(found)
	}
	if len(found) == 1 {
		return found[0], true
	}
	if h.start == 0 {
		return match{}, false
	}
	if found = filter(found, h.near); len(found) != 1 {
		return match{}, false
	}
	return found[0], true
}

// near says whether a match is so near that the hint may mean it.
func (h hint) near(m match) bool {
	return m.start-h.start <= hintWindow && h.start-m.start <= hintWindow
}

// nearNew is near for a match on the new side: models count the lines of the new file, so a number that is exactly that
// of a deleted line may as well be a wrong one of that match.
func (h hint) nearNew(m match) bool { return m.side == diff.New && h.near(m) }

// preferNew drops matches on the old side when all others are added lines: the code was moved or re-indented, and a
// finding is about where it is now.
func preferNew(found []match) []match {
	news := filter(found, func(m match) bool { return m.side == diff.New })
	for _, m := range news {
		if !m.added {
			return found
		}
	}
	if len(news) == 0 {
		return found
	}
	return news
}

func filter(found []match, keep func(match) bool) []match {
	var kept []match
	for _, m := range found {
		if keep(m) {
			kept = append(kept, m)
		}
	}
	return kept
}
