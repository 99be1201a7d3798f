package review

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/facts"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// parcel is a file with its parts and what they take.
type parcel struct {
	subject *subject
	pieces  []piece
	tokens  int
}

// bond says that two files belong together, and how much.
type bond struct{ a, b, weight int }

// What ties files together: that one tests the other, and names that one uses and the other changes.
const (
	testBond = 5
	nameBond = 2
	mostBond = 10
)

// grouped puts files together that belong together, as far as one prompt holds them: a test and what it tests, a caller
// and what it calls. Groups are in the order of their first files, and files in that of the diff. When not even all of
// the prompts that a review may take hold the change, what matters least comes last: deleted files, documents, tests.
func (r *run) grouped(parcels []parcel, room int) [][]parcel {
	total := 0
	for _, p := range parcels {
		total += p.tokens
	}
	if total <= room {
		return [][]parcel{parcels}
	}
	group := make([]int, len(parcels))
	size := make([]int, len(parcels))
	for i := range parcels {
		group[i], size[i] = i, parcels[i].tokens
	}
	for _, b := range bonds(parcels) {
		from, to := group[b.b], group[b.a]
		if from == to || size[from]+size[to] > room {
			continue
		}
		from, to = max(from, to), min(from, to)
		for i := range group {
			if group[i] == from {
				group[i] = to
			}
		}
		size[to] += size[from]
	}
	byGroup := make([][]parcel, len(parcels))
	for i, p := range parcels {
		byGroup[group[i]] = append(byGroup[group[i]], p)
	}
	groups := slices.DeleteFunc(byGroup, func(g []parcel) bool { return len(g) == 0 })
	if total > maxBundles*room*9/10 {
		slices.SortStableFunc(groups, func(a, b []parcel) int { return cmp.Compare(least(a), least(b)) })
	}
	return groups
}

// least is the weight of the most important file of a group.
func least(g []parcel) int {
	w := g[0].subject.weight()
	for _, p := range g {
		w = min(w, p.subject.weight())
	}
	return w
}

// bonds gives what ties the files together, the strongest first.
func bonds(parcels []parcel) []bond {
	defines := map[string][]int{}
	for i, p := range parcels {
		for name := range p.subject.changedNames() {
			defines[name] = append(defines[name], i)
		}
	}
	weights := map[[2]int]int{}
	add := func(a, b, w int) {
		if a != b {
			key := [2]int{min(a, b), max(a, b)}
			weights[key] = min(weights[key]+w, mostBond)
		}
	}
	for i, p := range parcels {
		for name := range p.subject.namesUsed() {
			if in := defines[name]; len(in) == 1 {
				add(i, in[0], nameBond)
			}
		}
		for j, q := range parcels {
			if tests(p.subject.path, q.subject.path) {
				add(i, j, testBond)
			}
		}
	}
	list := make([]bond, 0, len(weights))
	for key, w := range weights {
		list = append(list, bond{key[0], key[1], w})
	}
	slices.SortFunc(list, func(x, y bond) int {
		return cmp.Or(cmp.Compare(y.weight, x.weight), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	return list
}

// changedNames are the definitions that a file's change touches.
func (s *subject) changedNames() map[string]bool {
	names := map[string]bool{}
	if s.after == nil {
		return names
	}
	for i := range s.file.Hunks {
		for _, line := range changedAt(&s.file.Hunks[i]) {
			if def := s.enclosing(diff.New, line); def != nil && len(def.Name) > 2 && !def.Test {
				names[def.Name] = true
			}
		}
	}
	return names
}

// namesUsed are what a file calls or names as a type, anywhere.
func (s *subject) namesUsed() map[string]bool {
	names := map[string]bool{}
	if s.after == nil {
		return names
	}
	for _, ref := range s.after.References {
		if ref.Kind != syntax.Read && len(ref.Name) > 2 {
			names[ref.Name] = true
		}
	}
	return names
}

// tests says whether a file is the test of another, by its name.
func tests(test, code string) bool {
	if !facts.TestPath(test) || facts.TestPath(code) || !sameFamily(test, code) {
		return false
	}
	return stem(test) == stem(code)
}

// stem is the name of a file without its endings and what marks it as a test.
func stem(p string) string {
	base := path.Base(p)
	base, _, _ = strings.Cut(base, ".")
	base = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(base, "test_"), "_test"), "_spec")
	for _, end := range []string{"Tests", "Test", "IT", "Spec"} {
		if rest, ok := strings.CutSuffix(base, end); ok && rest != "" {
			return strings.ToLower(rest)
		}
	}
	return strings.ToLower(base)
}
