package finding

import (
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// Fate is what became of the code that a finding is anchored to.
type Fate uint8

// The fates. The zero value means that it cannot be told: whoever answers threads leaves such a one alone.
const (
	FateUnknown Fate = iota
	// Stands: the code is there as it was, white space aside.
	Stands
	// Gone: the code was changed or removed. Whether that mended the problem, it does not say.
	Gone
)

// String gives the fate as one word for logs.
func (f Fate) String() string {
	switch f {
	case Stands:
		return "stands"
	case Gone:
		return "gone"
	default:
		return "unknown"
	}
}

// Passage is what Carry needs to know of a file between the revision in which a finding was made and a newer one. For
// a finding on the new side the contents are those of the two heads; for one on the old side those of the two merge
// bases, which are equal unless the base was merged in or the branch was rebased.
type Passage struct {
	// Before is the file in the older revision; nil when its content cannot be had any more.
	Before []byte
	// After is the file in the newer revision; nil when there is none. Successor says under which path to read it.
	After []byte
	// Path is the file's path in the newer revision, in the sense of diff.File.Path: on the old side of a renamed file
	// it is the new path too, as in an anchor.
	Path string
	// Newer is the newer revision's diff: in it deleted code is still deleted or not, and code may have moved to
	// another file. Without it less can be told.
	Newer *diff.Diff
}

// Carried is a finding's place in a newer revision.
type Carried struct {
	Fate Fate
	// Anchor is set when the code stands. It is a place in the newer revision's file, not always one inside a hunk of
	// its diff: Diff.Valid says so.
	Anchor diff.Anchor
	// Why says in a phrase why the fate is unknown, or what became of code that is gone.
	Why string
}

// Onto gives the finding as it stands in the newer revision, so that Same can compare it with findings made there. A
// finding whose code does not stand comes back without an anchor.
func (c Carried) Onto(f Finding) Finding {
	f.Anchor = c.Anchor
	if c.Anchor.Path != "" {
		f.Path = c.Anchor.Path
	}
	return f
}

// Successor gives the path under which a file of an older revision of a pull request is in a newer one, whose diff is
// given: its own, or the one that the newer diff has renamed it to.
func Successor(newer *diff.Diff, path string) string {
	for i := range newer.Files {
		if newer.Files[i].NewPath == path {
			return path
		}
	}
	for i := range newer.Files {
		if f := &newer.Files[i]; f.OldPath == path && f.Status == diff.StatusRenamed {
			return f.NewPath
		}
	}
	return path
}

// Carry finds the anchored code of a finding in a newer revision. It compares the two contents, so it does not matter
// whether a push, a rebase or a merge from the base lies between them. The same input gives the same answer.
//
// It is careful in both directions: code of which there are several copies, and no telling which is meant, is unknown;
// Gone means that no copy is left which could be the anchored one, in this file or, added, in another. White space and
// line breaks do not count. A finding without an anchor is looked for by its quote alone.
func Carry(f Finding, p Passage) Carried {
	unknown := func(why string) Carried { return Carried{Why: why} }
	switch {
	case f.Anchor.Side == diff.Old:
		return carryOld(f, p)
	case p.Before == nil || !f.Anchored():
		return carryQuote(f, p)
	}
	before := linesOf(p.Before)
	code, why := anchoredIn(before, f)
	switch {
	case why != "":
		return unknown(why)
	case p.After == nil:
		return gone(f, p, code, "the file is not there any more")
	}
	after := linesOf(p.After)
	at, fate := follow(before, after, f.Anchor.Start-1, f.Anchor.End-1)
	switch fate {
	case Stands:
		return Carried{Fate: Stands, Anchor: diff.Anchor{Path: p.Path, Side: f.Anchor.Side, Start: at.from + 1, End: at.to + 1}}
	case Gone:
		return gone(f, p, code, "the code was changed or removed")
	default:
		return unknown("the code stands in the file more than once, and which of it was meant cannot be told")
	}
}

// anchoredIn gives the anchored lines, or why they are not those that the finding was made on.
func anchoredIn(before []string, f Finding) (code []string, why string) {
	if f.Anchor.End > len(before) || f.Anchor.Start < 1 || f.Anchor.End < f.Anchor.Start {
		return nil, "the anchor lies outside the older file"
	}
	code = before[f.Anchor.Start-1 : f.Anchor.End]
	text := squeeze(strings.Join(code, "\n"))
	switch {
	case text == "":
		return nil, "the anchored lines are blank"
	case f.Quote != "" && !masked(f.Quote) && f.Rule == "" && squeeze(f.Quote) != text:
		return nil, "the older file is not the one that the finding was made on"
	}
	return code, ""
}

// masked says whether a credential was taken out of a quote, so that it is not the code any more.
func masked(quote string) bool { return strings.Contains(quote, "⟦") }

// carryQuote looks for code of which the older file is not known. One copy may be the remaining one of two, so that it
// tells nothing; that there is none does.
func carryQuote(f Finding, p Passage) Carried {
	quote := trimBlank(strings.Split(f.Quote, "\n"))
	switch {
	case len(quote) == 0:
		return Carried{Why: "no code was kept with the finding"}
	case masked(f.Quote) || f.Rule != "":
		return Carried{Why: "the older file is not known, and the quote is not the code itself"}
	case p.After == nil:
		return gone(f, p, quote, "the file is not there any more")
	case len(copiesOf(linesOf(p.After), quote)) > 0:
		return Carried{Why: "the older file is not known, so that what stands in the newer one may be another copy"}
	}
	return gone(f, p, quote, "the code was changed or removed")
}

// gone is the answer for code that its file does not hold any more, unless another file of the newer diff has it.
func gone(f Finding, p Passage, code []string, why string) Carried {
	if p.Newer != nil {
		for i := range p.Newer.Files {
			file := &p.Newer.Files[i]
			if file.NewPath == "" || file.NewPath == p.Path {
				continue
			}
			if file.Unseen && p.After == nil {
				return Carried{Why: "the code may have moved to a file whose lines are not known"}
			}
			for h := range file.Hunks {
				s := newSequence(file.Hunks[h].Side(diff.New), diff.New)
				if slices.ContainsFunc(s.loose(code), func(at span) bool { _, ok := s.match(at); return ok }) {
					return Carried{Why: "the code was moved to another file"}
				}
			}
		}
	} else if p.After == nil {
		return Carried{Why: "the file is not there any more, and where its code went is not known"}
	}
	return Carried{Fate: Gone, Why: why}
}

// carryOld carries a finding on deleted code. It stands while any of the code is deleted; when all of it is back, its
// deletion is gone.
func carryOld(f Finding, p Passage) Carried {
	switch {
	case p.Before == nil || p.After == nil:
		return Carried{Why: "the base's file is not known"}
	case p.Newer == nil:
		return Carried{Why: "the newer diff is not known"}
	}
	before, after := linesOf(p.Before), linesOf(p.After)
	if _, why := anchoredIn(before, f); why != "" {
		return Carried{Why: why}
	}
	at, fate := follow(before, after, f.Anchor.Start-1, f.Anchor.End-1)
	if fate != Stands {
		return Carried{Why: "the base has other code there now"}
	}
	deleted, unseen := deletions(p.Newer, p.Path, at)
	switch {
	case unseen:
		return Carried{Why: "the lines of the newer diff are not known"}
	case deleted == 0:
		return Carried{Fate: Gone, Why: "the deleted code is back"}
	}
	return Carried{Fate: Stands, Anchor: diff.Anchor{Path: p.Path, Side: diff.Old, Start: at.from + 1, End: at.to + 1}}
}

// deletions counts the lines of a span of the old side that a diff deletes.
func deletions(d *diff.Diff, path string, at span) (n int, unseen bool) {
	for i := range d.Files {
		f := &d.Files[i]
		if f.Path() != path && (f.OldPath != path || f.Status == diff.StatusCopied) {
			continue
		}
		if f.Unseen || f.Binary {
			return 0, true
		}
		for line := at.from + 1; line <= at.to+1; line++ {
			if l, ok := f.Lookup(diff.Old, line); ok && l.Kind == diff.Deleted {
				n++
			}
		}
	}
	return n, false
}
