package review

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/resolve"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

const (
	// maxRelated bounds the files outside the change that are read for one review in each round, maxRelatedBytes each of
	// them.
	maxRelated      = 250
	maxRelatedBytes = 512 << 10
	// relatedRounds is how often what was read may lead on: an index that exports again, a class and its parent.
	relatedRounds = 3
)

// unit is a file whose names are known: one under review, or one that the change leads to.
type unit struct {
	path  string
	facts *syntax.Facts // nil when it was not parsed
	lines []string      // not masked, unless it is a subject's
	// subject is the file under review, nil for another.
	subject *subject
}

// related is what is known of the repository beyond the files under review.
type related struct {
	tree *resolve.Tree
	// units are the files that were read, by path; nil for one that is not there.
	units map[string]*unit
	// leads are, for a file under review, the files that it leads to, the nearest first.
	leads map[*subject][]string
	// manifests are those that were read.
	manifests map[string]bool
	// left is how many more files may be read, if that is bounded.
	bounded bool
	left    int
	// found are the definitions that a search gave, by name.
	found map[string][]place
}

// relate follows the imports of the files under review.
func (r *run) relate(ctx context.Context) error {
	r.related = related{units: map[string]*unit{}, leads: map[*subject][]string{}, found: map[string][]place{}, manifests: map[string]bool{}, tree: resolve.New(nil)}
	if r.files == nil || len(r.subjects) == 0 {
		return nil
	}
	if err := r.readTree(ctx); err != nil || !r.related.tree.Known() {
		return err // without a listing each import would be a guess, and each guess a read
	}
	next := map[*subject][][]string{}
	for _, s := range r.subjects {
		if s.after != nil && s.lines != nil {
			next[s] = r.firstLeads(s)
		}
	}
	for range relatedRounds {
		if err := r.follow(ctx, next); err != nil {
			return err
		}
		next = map[*subject][][]string{}
		for _, s := range r.subjects {
			if lists := r.furtherLeads(s); len(lists) > 0 {
				next[s] = lists
			}
		}
		if len(next) == 0 {
			break
		}
	}
	return nil
}

// readTree lists the repository, with what the change took away, and reads the manifests that its imports go by.
func (r *run) readTree(ctx context.Context) error {
	lister, ok := r.files.(Tree)
	if !ok {
		return nil
	}
	paths, err := lister.Paths(ctx)
	if err != nil {
		return fmt.Errorf("list the files of the repository: %w", err)
	}
	if len(paths) == 0 {
		return nil
	}
	var from, modules []string
	for _, s := range r.subjects {
		paths = append(paths, s.file.OldPath)
		from = append(from, s.path)
		for _, f := range []*syntax.Facts{s.before, s.after} {
			if f != nil {
				for _, imp := range f.Imports {
					modules = append(modules, imp.Module)
				}
			}
		}
	}
	r.related.tree = resolve.New(paths)
	r.related.bounded, r.related.left = lister.Affordable() > 0, lister.Affordable()
	return r.readManifests(ctx, from, modules)
}

// readManifests reads what says how the imports of some files are to be read, what was read already excepted.
func (r *run) readManifests(ctx context.Context, from, modules []string) error {
	manifests := slices.DeleteFunc(r.related.tree.Manifests(from, modules), func(p string) bool { return r.related.manifests[p] })
	contents, err := r.readAll(ctx, manifests)
	if err != nil {
		return err
	}
	for i, p := range manifests {
		r.related.manifests[p] = true
		r.related.tree.AddManifest(p, contents[i])
	}
	return nil
}

func (r *run) readAll(ctx context.Context, paths []string) ([][]byte, error) {
	contents := make([][]byte, len(paths))
	err := inParallel(ctx, len(paths), readsAtOnce, func(ctx context.Context, i int) error {
		var err error
		if contents[i], err = r.files.Read(ctx, diff.New, paths[i]); err != nil {
			return fmt.Errorf("read %s beside the change: %w", paths[i], err)
		}
		return nil
	})
	return contents, err
}

// usedNames gives the names that the added lines of a file use and with what they begin: f for f(x), s for s.f(x).
func (s *subject) usedNames() map[string]bool {
	used := map[string]bool{}
	for _, ref := range s.after.References {
		if s.added[ref.Range.StartLine] {
			used[rootOf(ref)] = true
			used[ref.Receiver] = true
		}
	}
	delete(used, "")
	return used
}

// rootOf is the first name of a use.
func rootOf(ref syntax.Reference) string {
	if ref.Receiver == "" {
		return ref.Name
	}
	if i := strings.IndexAny(ref.Receiver, ".([<?! \n\t"); i > 0 {
		return ref.Receiver[:i]
	}
	return ref.Receiver
}

// firstLeads gives the files that the imports of a file lead to: first those that the added lines use, then parents,
// then files of the same package, then the rest.
func (r *run) firstLeads(s *subject) [][]string {
	language, used := s.after.Language, s.usedNames()
	parents := map[string]bool{}
	for _, ref := range s.after.References {
		if ref.Kind == syntax.Inherit {
			parents[rootOf(ref)] = true
		}
	}
	var first, second, last [][]string
	bound := map[string]bool{}
	done := map[int]bool{}
	for _, b := range resolve.Bindings(language, s.after.Imports) {
		bound[b.Local] = true
		if done[b.Import] && !used[b.Local] {
			continue
		}
		list := r.related.tree.Import(s.path, language, s.after.Imports[b.Import])
		if len(list) == 0 {
			continue
		}
		done[b.Import] = true
		switch {
		case used[b.Local]:
			first = append(first, list)
		case parents[b.Local], b.Local == "*":
			second = append(second, list)
		default:
			last = append(last, list)
		}
	}
	own := map[string]bool{}
	for _, sym := range s.after.Symbols {
		own[sym.Name] = true
	}
	open := false
	for _, names := range []map[string]bool{used, parents} {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if bound[name] || own[name] {
				continue
			}
			open = true
			if p := r.related.tree.Neighbour(s.path, language, name); p != "" {
				second = append(second, []string{p})
			}
		}
	}
	if open && language == "go" {
		second = append(second, r.related.tree.Siblings(s.path, language))
	}
	return slices.Concat(first, second, last)
}

// furtherLeads gives where the files that a file leads to lead on: modules that export again what is used, and parents.
func (r *run) furtherLeads(s *subject) [][]string {
	var lists [][]string
	if s.after == nil || s.lines == nil {
		return nil
	}
	used := s.usedNames()
	for _, ref := range s.after.References {
		if s.added[ref.Range.StartLine] {
			used[ref.Name] = true
		}
	}
	for _, p := range r.related.leads[s] {
		u := r.related.units[p]
		if u == nil || u.facts == nil {
			continue
		}
		parents := map[string]bool{}
		for _, ref := range u.facts.References {
			if ref.Kind == syntax.Inherit {
				parents[rootOf(ref)] = true
			}
		}
		again := path.Ext(p) != ".java" && path.Ext(p) != ".go"
		for _, b := range resolve.Bindings(u.facts.Language, u.facts.Imports) {
			if parents[b.Local] || again && (used[b.Local] || b.Local == "*") {
				lists = append(lists, r.related.tree.Import(p, u.facts.Language, u.facts.Imports[b.Import]))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(parents)) {
			if n := r.related.tree.Neighbour(p, u.facts.Language, name); n != "" {
				lists = append(lists, []string{n})
			}
		}
	}
	return lists
}

// follow reads what files lead to, in turns, so that no file takes all the room.
func (r *run) follow(ctx context.Context, next map[*subject][][]string) error {
	var wanted []string
	asked := map[string]bool{}
	for turn, more := 0, true; more; turn++ {
		more = false
		for _, s := range r.subjects {
			if turn >= len(next[s]) {
				continue
			}
			more = true
			for _, p := range next[s][turn] {
				if _, read := r.related.units[p]; !read && !asked[p] && r.subject(p) == nil && len(wanted) < maxRelated {
					asked[p] = true
					wanted = append(wanted, p)
				}
			}
		}
	}
	if err := r.readUnits(ctx, wanted); err != nil {
		return err
	}
	for _, s := range r.subjects {
		for _, list := range next[s] {
			for _, p := range list {
				if u := r.related.units[p]; u != nil && !slices.Contains(r.related.leads[s], p) {
					r.related.leads[s] = append(r.related.leads[s], p)
				}
			}
		}
	}
	return nil
}

// readUnits reads and parses files outside the change.
func (r *run) readUnits(ctx context.Context, paths []string) error {
	if r.related.bounded {
		paths = paths[:min(len(paths), r.related.left)]
		r.related.left -= len(paths)
	}
	contents, err := r.readAll(ctx, paths)
	if err != nil {
		return err
	}
	var sources []syntax.Source
	for i, p := range paths {
		r.related.units[p] = nil
		if len(contents[i]) > 0 && len(contents[i]) <= maxRelatedBytes {
			sources = append(sources, syntax.Source{Path: p, Content: contents[i]})
			r.related.units[p] = &unit{path: p, lines: splitLines(string(contents[i]))}
		}
	}
	if len(sources) == 0 {
		return nil
	}
	answers, err := r.parser.Analyze(ctx, sources)
	if ctx.Err() != nil {
		return fmt.Errorf("analyze files beside the change: %w", ctx.Err())
	}
	if err != nil || len(answers) != len(sources) {
		r.log.WarnContext(ctx, "parser did not answer for files beside the change", "error", err, "files", len(sources))
		return nil // they are shown as text, if at all
	}
	for i := range answers {
		if f := &answers[i].Facts; f.Status == syntax.StatusOK || f.Status == syntax.StatusPartial {
			r.related.units[sources[i].Path].facts = f
		}
	}
	return nil
}
