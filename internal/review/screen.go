package review

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
)

const (
	// maxVerified is how many candidates of one review are verified, the best first.
	maxVerified = 60
	// leastVerified is how many of each bundle are, however many bundles there are.
	leastVerified = 4
	// maxEntries is how many entries of one answer are looked at. Those that do not stand push out none that do.
	maxEntries = 60
	maxTitle   = 200
	maxBody    = 8 << 10
)

// Why a candidate was cut, as Result.Dropped counts it.
const (
	dropInvalid   = "invalid"         // not in the form of a finding
	dropFile      = "unknown_file"    // about a file that was not under review
	dropQuote     = "quote_not_found" // it quotes code that is not there
	dropThreshold = "below_threshold"
	dropRepeat    = "repeat" // says what another one says
	dropLimit     = "over_limit"
	dropLeak      = "recites_prompt"
	dropNoise     = "praise_or_style"
	dropOutvoted  = "outvoted" // reported by one look of several, which was not sure
	dropRefuted   = "refuted"
	dropVerdict   = "no_verdict"
	dropUnproven  = "unproven" // kept on the ground of code that was not shown
)

// claim is a candidate that stands on code of the change and is worth a verdict.
type claim struct {
	finding.Finding
	subject *subject
	bundle  *bundle
}

// screen cuts what needs no verdict to be cut, and gives the rest ranked, at most so many. All it cuts is counted.
func (r *run) screen(all []candidate, most int) (claims []claim, dropped map[string]int) {
	dropped = map[string]int{}
	entries, standing := map[*bundle]int{}, map[*bundle]int{}
	var found []finding.Finding
	var passes []int
	from := map[string]*bundle{}
	for _, c := range all {
		if entries[c.bundle]++; entries[c.bundle] > maxEntries*r.looks() {
			dropped[dropLimit]++
			continue
		}
		f, why := r.stand(c)
		switch {
		case why != "":
			dropped[why]++
		case !r.shown(&f):
			dropped[dropThreshold]++
		case slices.ContainsFunc(r.facts, func(fact finding.Finding) bool { return finding.Same(fact, f) }):
			dropped[dropRepeat]++
		case standing[c.bundle] == maxFindings*r.looks():
			dropped[dropLimit]++
		default:
			standing[c.bundle]++
			found, passes = append(found, f), append(passes, c.pass)
			if key := f.Path + "\x00" + f.Title; from[key] == nil {
				from[key] = c.bundle
			}
		}
	}
	heard := r.heard(found, passes)
	if n := len(found) - len(heard); n > 0 {
		dropped[dropOutvoted] += n
	}
	found, merged := finding.Dedupe(heard)
	if merged > 0 {
		dropped[dropRepeat] += merged
	}
	if len(found) > most {
		dropped[dropLimit] += len(found) - most
		found = found[:most]
	}
	claims = make([]claim, len(found))
	for i, f := range found {
		claims[i] = claim{Finding: f, subject: r.subject(f.Path), bundle: from[f.Path+"\x00"+f.Title]}
	}
	return claims, dropped
}

// stand makes a finding of a candidate by finding the code it quotes, or says why it has no leg to stand on. Code that
// is in the file but not in the diff, or that is there several times, gives a finding without an anchor.
func (r *run) stand(c candidate) (f finding.Finding, why string) {
	f = finding.Finding{
		Severity: finding.Medium, Category: finding.Bug, Source: finding.FromModel,
		Title: plainTitle(clip(c.Title, maxTitle)), Body: clip(c.Body, maxBody), Confidence: confidence(c.Confidence),
	}
	if c.invalid || f.Title == "" || f.Body == "" {
		return f, dropInvalid
	}
	switch {
	case r.leaks.in(f.Title, f.Body, c.Suggestion):
		return f, dropLeak
	case noise(f.Title):
		return f, dropNoise
	}
	if s, err := finding.ParseSeverity(c.Severity); err == nil {
		f.Severity = s
	}
	if k, err := finding.ParseCategory(c.Category); err == nil {
		f.Category = k
	}
	s := r.named(c.Path)
	if s == nil {
		return f, dropFile
	}
	c.Path, f.Path = s.path, s.path
	anchor, _ := finding.Locate(&r.change.Diff, c.Candidate)
	switch {
	case !anchor.IsZero():
		f.Anchor = anchor
		f.Quote = strings.Join(s.anchored(anchor), "\n")
		if def := s.enclosing(anchor.Side, anchor.Start); def != nil {
			f.Scope = def.QualifiedName()
		}
	case s.holds(c.Quote):
		f.Quote = clip(c.Quote, maxBody)
	default:
		return f, dropQuote
	}
	if text := strings.TrimRight(c.Suggestion, "\r\n"); strings.TrimSpace(text) != "" && !strings.Contains(text, secretMark) {
		f.Suggestion, f.HasSuggestion = text, true
	}
	return f, ""
}

// named finds the file under review that a model means: by its path, else by the only one whose path ends so.
func (r *run) named(p string) *subject {
	p = strings.Trim(strings.TrimSpace(p), "`\"'")
	if p == "" {
		return nil
	}
	if s := r.subject(p); s != nil {
		return s
	}
	clean := path.Clean(strings.TrimLeft(p, "/"))
	for _, try := range []string{clean, strings.TrimPrefix(clean, "a/"), strings.TrimPrefix(clean, "b/")} {
		if s := r.subject(try); s != nil {
			return s
		}
	}
	var only *subject
	for _, s := range r.subjects {
		if strings.HasSuffix(s.path, "/"+clean) {
			if only != nil {
				return nil
			}
			only = s
		}
	}
	return only
}

func (r *run) subject(p string) *subject {
	for _, s := range r.subjects {
		if s.path == p {
			return s
		}
	}
	for _, s := range r.subjects {
		if s.file.OldPath == p && p != "" {
			return s
		}
	}
	return nil
}

// anchored gives the lines of an anchor as they may be shown: what a finding quotes goes to the verifier.
func (s *subject) anchored(a diff.Anchor) []string {
	var lines []string
	for n := a.Start; n <= a.End; n++ {
		if a.Side == diff.Old {
			lines = append(lines, s.oldLines[n])
			continue
		}
		text, _ := s.line(n)
		lines = append(lines, text)
	}
	return lines
}

// holds says whether all that a quote says stands in the file, on either side, with no regard to white space.
func (s *subject) holds(quote string) bool {
	q := squeeze(quote)
	if len(q) < 8 {
		return false // a bracket is everywhere
	}
	if strings.Contains(squeeze(string(s.new)), q) || strings.Contains(squeeze(string(s.old)), q) {
		return true
	}
	for i := range s.file.Hunks {
		h := &s.file.Hunks[i]
		if strings.Contains(squeeze(joined(h.Side(diff.New))), q) || strings.Contains(squeeze(joined(h.Side(diff.Old))), q) {
			return true
		}
	}
	return false
}

// squeeze takes the white space out of a text.
func squeeze(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return -1
		}
		return c
	}, s)
}

// confidence brings a number into 0 to 1. Some models count to a hundred.
func confidence(f float64) float64 {
	switch {
	case f > 1 && f <= 100:
		return f / 100
	case f >= 0 && f <= 1:
		return f
	case f > 100:
		return 1
	}
	return 0
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// plainTitle takes the marks of a heading or of emphasis off a title, which is shown as one.
func plainTitle(s string) string {
	s = strings.TrimSpace(strings.TrimLeft(oneLine(s), "# "))
	for _, mark := range []string{"**", "__"} {
		if inner, ok := strings.CutPrefix(s, mark); ok && strings.Count(inner, mark) == 1 {
			s = strings.Replace(inner, mark, "", 1)
		}
	}
	return strings.TrimSpace(s)
}

// lesser gives the milder of two severities, of which one may not be said.
func lesser(a, b finding.Severity) finding.Severity {
	if a == finding.SeverityUnknown || b == finding.SeverityUnknown {
		return cmp.Or(a, b)
	}
	return min(a, b)
}
