package facts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

const (
	// maxSitesTold bounds the call sites that a finding names, maxQuoted the text of each.
	maxSitesTold, maxQuoted = 8, 120
	// maxBroken bounds the findings of one change, maxChanges the definitions that are looked at for them.
	maxBroken, maxChanges = 20, 2000
)

// site is a use of what is not there any more.
type site struct {
	source *source
	line   int
}

// Broken finds what the change takes away, or gives another number of arguments, while code at hand still uses it as it
// was. It reports only uses that certainly mean the changed definition, and that were right before.
func Broken(in Across) []finding.Finding {
	a := newAcross(in)
	var found []finding.Finding
	for _, c := range a.changes() {
		if len(found) == maxBroken {
			break
		}
		if sites := a.sites(c); len(sites) > 0 {
			found = append(found, a.tell(c, sites))
		}
	}
	return found
}

// sites finds the uses that the change breaks, each line once.
func (a *across) sites(c *change) []site {
	uses := slices.Clone(a.references[c.name])
	for _, i := range a.imports[c.name] {
		if i.Local == c.name {
			continue
		}
		for _, r := range a.references[i.Local] {
			if r.source == i.source {
				uses = append(uses, r)
			}
		}
	}
	var list []site
	seen := map[site]bool{}
	for _, u := range uses {
		at := site{u.source, u.ref.Range.StartLine}
		if seen[at] || fixture(u.path) || !a.breaks(u.source, u.ref, c) || !a.uses(u.source, u.ref, c) || a.within(u.source, u.ref, c) {
			continue
		}
		seen[at] = true
		list = append(list, at)
	}
	if c.gone() && c.container == "" && c.language != "go" && c.language != "java" && !c.byDefault {
		list = append(list, a.imported(c, list)...)
	}
	return list
}

// imported gives the imports of a name that is gone, in files where no use of it was seen.
func (a *across) imported(c *change, seen []site) []site {
	var list []site
	for _, i := range a.imports[c.name] {
		if fixture(i.path) || !sameLanguage(i.facts.Language, c.language) || !a.leads(i.source, i.Binding, c) {
			continue
		}
		if !slices.ContainsFunc(slices.Concat(seen, list), func(x site) bool { return x.source == i.source }) {
			list = append(list, site{i.source, i.facts.Imports[i.Import].Range.StartLine})
		}
	}
	return list
}

// breaks says whether a use was right before the change and is wrong after it, as far as its form says.
func (a *across) breaks(s *source, ref *syntax.Reference, c *change) bool {
	if c.gone() {
		return ref.Kind != syntax.Read || c.container == ""
	}
	n := ref.Arguments
	if ref.Kind != syntax.Call || n < 0 || !fits(c.before, n) || fits(c.after, n) {
		return false
	}
	language := s.facts.Language
	switch {
	case language == "go" && n == 1 && passesResults(s, ref):
		return false
	case script(c.language) && readsArguments(a, c):
		return false
	case language == "javascript" || c.language == "javascript":
		// More arguments than are wanted do no harm there.
		for _, d := range c.after {
			if n >= d.MinArguments {
				return false
			}
		}
	}
	return true
}

// passesResults says whether the one argument of a Go call is itself a call, whose results may be several.
func passesResults(s *source, ref *syntax.Reference) bool {
	if ref.Range.StartLine < 1 || ref.Range.StartLine > len(s.lines) {
		return true
	}
	line := s.lines[ref.Range.StartLine-1]
	_, rest, ok := strings.Cut(line, ref.Name+"(")
	rest, _, _ = strings.Cut(rest, ")")
	return !ok || strings.Contains(rest, "(") || strings.TrimSpace(rest) == ""
}

// readsArguments says whether a function of JavaScript's looks at its arguments by itself.
func readsArguments(a *across, c *change) bool {
	s := a.byPath[c.file.NewPath]
	return s == nil || slices.ContainsFunc(c.after, func(d *syntax.Symbol) bool {
		return regexp.MustCompile(`\barguments\b`).MatchString(s.between(d.Range.StartLine, d.Range.EndLine))
	})
}

// within says whether a use stands in one of the definitions that it would mean: what calls itself was read with it, and
// a definition that is there still under another key is none that is gone.
func (a *across) within(s *source, ref *syntax.Reference, c *change) bool {
	for at := ref.Enclosing; at >= 0 && at < len(s.facts.Symbols); at = s.facts.Symbols[at].Parent {
		sym := &s.facts.Symbols[at]
		if c.gone() && sym.Name == c.name {
			return true
		}
	}
	return false
}

// tell writes the finding. It stands on the definition, or where that is not in the diff, on the first use that is.
func (a *across) tell(c *change, sites []site) finding.Finding {
	name := c.name
	if c.container != "" && !c.class {
		name = c.container + "." + c.name
	}
	f := finding.Finding{
		Path: c.file.Path(), Category: finding.API, Severity: finding.High, Confidence: 0.95, Source: finding.FromFact, Rule: RuleBrokenCall, Scope: name,
	}
	uses := number(len(sites), "place")
	if c.gone() {
		f.Title = fmt.Sprintf("`%s` is gone, and %s still %s it", name, uses, verb(len(sites), "use", "uses"))
		f.Body = fmt.Sprintf("This change removes or renames `%s`. What still uses it fails when it is compiled, loaded or reached:", name)
	} else {
		what := "`" + name + "`"
		if c.class {
			what = "The constructor of `" + name + "`"
		}
		f.Title = fmt.Sprintf("%s takes %s now, and %s still %s it as before", what, takes(c.after), uses, verb(len(sites), "call", "calls"))
		f.Body = fmt.Sprintf("%s took %s and takes %s now. These calls were left as they were:", what, takes(c.before), takes(c.after))
	}
	if allTests(sites) {
		f.Severity = finding.Medium
	}
	var b strings.Builder
	b.WriteString(f.Body + "\n")
	for i, s := range sites {
		if i == maxSitesTold {
			fmt.Fprintf(&b, "\n- and %d more", len(sites)-i)
			break
		}
		text := ""
		if s.line >= 1 && s.line <= len(s.source.lines) {
			text = strings.TrimSpace(s.source.lines[s.line-1])
		}
		if len(text) > maxQuoted {
			text = strings.ToValidUTF8(text[:maxQuoted], "") + "…"
		}
		fmt.Fprintf(&b, "\n- `%s:%d`: `%s`", s.source.path, s.line, strings.ReplaceAll(text, "`", "'"))
	}
	f.Body = b.String()
	f.Anchor = a.anchor(c, sites)
	if f.Anchored() {
		f.Path = f.Anchor.Path
	}
	return f
}

func verb(n int, many, one string) string {
	if n == 1 {
		return one
	}
	return many
}

func allTests(sites []site) bool {
	return !slices.ContainsFunc(sites, func(s site) bool { return !TestPath(s.source.path) })
}

// anchor gives the line of the definition as it is now, or where it was, or of a use, whichever is in the diff.
func (a *across) anchor(c *change, sites []site) diff.Anchor {
	try := func(f *diff.File, side diff.Side, line int) diff.Anchor {
		at := diff.Anchor{Path: f.Path(), Side: side, Start: line, End: line}
		if f.HunkOf(at) < 0 {
			return diff.Anchor{}
		}
		return at
	}
	for _, s := range c.after {
		if at := try(c.file, diff.New, s.NameRange.StartLine); !at.IsZero() && c.file.NewPath != "" {
			return at
		}
	}
	for _, s := range c.before {
		if at := try(c.file, diff.Old, s.NameRange.StartLine); !at.IsZero() {
			return at
		}
	}
	for _, s := range sites {
		if s.source.file != nil {
			if at := try(s.source.file, diff.New, s.line); !at.IsZero() {
				return at
			}
		}
	}
	return diff.Anchor{}
}
