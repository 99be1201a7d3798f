package finding

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// Same says whether two findings mean the same problem. It would rather miss a pair than merge two problems: both must
// be of the same path and of overlapping lines (or, without an anchor, of the same quote), both must name the same kinds
// of problem, and one title may say more than the other but not something else: as soon as each has a word that the
// other has not, they may be two problems.
//
// Findings of two revisions are compared by lines that mean the same: Carried.Onto brings the older one's up to date.
//
// Findings of two different rules are never the same; those of one rule are when their titles are equal.
func Same(a, b Finding) bool {
	if a.Path != b.Path || !together(&a, &b) {
		return false
	}
	if a.Rule != "" && b.Rule != "" {
		return a.Rule == b.Rule && a.Title == b.Title
	}
	code := a.Quote + "\n" + b.Quote
	one, two := topicOf(a.Title, code), topicOf(b.Title, code)
	if len(one.words) == 0 || len(two.words) == 0 {
		return false
	}
	if one.conflicts(two) || !equalSets(one.kinds, two.kinds) {
		return false
	}
	likeness := one.likeness(two)
	switch {
	case likeness >= 0.8:
		return true
	case a.Category != b.Category || a.Category == "":
		return false
	case likeness >= 0.6:
		return true
	}
	// Differently worded: the same lines, the same kind of problem by name (that something is not, is none), and the
	// same identifiers.
	named := len(one.kinds) > 1 || len(one.kinds) == 1 && !one.kinds["not"]
	return overlap(&a, &b) >= 0.5 && named && equalSets(one.names, two.names)
}

// together says whether two findings of one path are about the same lines.
func together(a, b *Finding) bool {
	if a.Anchored() && b.Anchored() {
		return a.Anchor.Side == b.Anchor.Side && a.Anchor.Start <= b.Anchor.End && b.Anchor.Start <= a.Anchor.End
	}
	q := squeeze(a.Quote)
	return q != "" && q == squeeze(b.Quote)
}

// overlap is the share of the lines of both that both have; 1 without anchors, where the quotes are equal.
func overlap(a, b *Finding) float64 {
	if !a.Anchored() || !b.Anchored() {
		return 1
	}
	common := min(a.Anchor.End, b.Anchor.End) - max(a.Anchor.Start, b.Anchor.Start) + 1
	all := max(a.Anchor.End, b.Anchor.End) - min(a.Anchor.Start, b.Anchor.Start) + 1
	return float64(common) / float64(all)
}

// topic is what a title speaks of.
type topic struct {
	words map[string]bool // all that say something, stemmed
	names map[string]bool // the identifiers of the code among them
	kinds map[string]bool // the kinds of problem among them
}

// topicOf reads a title. Words that stand in the code as identifiers are names.
func topicOf(title, code string) topic {
	t := topic{words: map[string]bool{}, names: map[string]bool{}, kinds: map[string]bool{}}
	identifiers := map[string]bool{}
	for _, word := range strings.FieldsFunc(code, func(r rune) bool { return !wordRune(r) }) {
		identifiers[word] = true
	}
	for i, piece := range strings.Split(title, "`") {
		quoted := i%2 == 1
		for _, word := range strings.FieldsFunc(piece, func(r rune) bool { return !wordRune(r) && r != '-' }) {
			word = strings.Trim(word, "-")
			lower := strings.ToLower(word)
			kind, isKind := kindOf[stem(lower)]
			switch {
			case word == "" || !quoted && filler[lower]:
			case isKind && !quoted:
				t.kinds[kind] = true
				t.words[kind] = true
			case quoted || identifiers[word] || named(word):
				t.names[word] = true
				t.words[lower] = true
			default:
				t.words[stem(lower)] = true
			}
		}
	}
	return t
}

// named says whether a word is spelled as identifiers are: with an underscore, digits or capitals inside it.
func named(word string) bool {
	return strings.ContainsFunc(word[1:], func(r rune) bool { return r == '_' || unicode.IsUpper(r) || unicode.IsDigit(r) }) &&
		strings.ToUpper(word) != word
}

// conflicts says whether each has a word, or an identifier in the case it is written in, that the other has not.
func (t topic) conflicts(o topic) bool {
	return !within(t.words, o.words) && !within(o.words, t.words) || !within(t.names, o.names) && !within(o.names, t.names)
}

// within says whether every key of a is one of b.
func within(a, b map[string]bool) bool {
	for key := range a {
		if !b[key] {
			return false
		}
	}
	return true
}

// likeness is the share of the words of both that both have.
func (t topic) likeness(o topic) float64 {
	shared := 0
	for word := range t.words {
		if o.words[word] {
			shared++
		}
	}
	if all := len(t.words) + len(o.words) - shared; all > 0 {
		return float64(shared) / float64(all)
	}
	return 0
}

func equalSets(a, b map[string]bool) bool { return within(a, b) && within(b, a) }

// stem cuts the commonest English endings.
func stem(word string) string {
	for _, ending := range []string{"ization", "isation", "ations", "ation", "ions", "ing", "ers", "ed", "es", "er", "ion", "s", "e"} {
		if rest, ok := strings.CutSuffix(word, ending); ok && len(rest) >= 4 {
			return rest
		}
	}
	return word
}

// Dedupe keeps one of each set of findings that mean the same: the first by rank. It gives them ranked, and how many
// were merged away. The kept one takes the suggestion of another at the very same lines when it has none itself.
func Dedupe(fs []Finding) (kept []Finding, merged int) {
	ranked := slices.Clone(fs)
	Rank(ranked)
next:
	for _, f := range ranked {
		for i := range kept {
			k := &kept[i]
			if !Same(*k, f) {
				continue
			}
			if !k.HasSuggestion && f.HasSuggestion && k.Anchor == f.Anchor {
				k.Suggestion, k.HasSuggestion = f.Suggestion, true
			}
			merged++
			continue next
		}
		kept = append(kept, f)
	}
	return kept, merged
}

// Rank sorts findings, best first: by severity, by confidence, and then by place, so that the order is always the same.
func Rank(fs []Finding) {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(b.Severity, a.Severity),
			cmp.Compare(b.Confidence, a.Confidence),
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Anchor.Start, b.Anchor.Start),
			cmp.Compare(a.Anchor.End, b.Anchor.End),
			cmp.Compare(a.Anchor.Side, b.Anchor.Side),
			cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Title, b.Title),
			cmp.Compare(a.Body, b.Body),
			cmp.Compare(a.Suggestion, b.Suggestion),
		)
	})
}
