package review

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/facts"
	"github.com/openrabbit/openrabbit/internal/finding"
)

// findFacts collects what needs no model.
func (r *run) findFacts(ctx context.Context) error {
	for _, s := range r.subjects {
		r.addFacts(facts.Find(s.input()))
	}
	across, err := r.across(ctx)
	if err != nil {
		return err
	}
	r.addFacts(facts.Broken(across))
	r.addFacts(facts.Tests(across.Files))
	return nil
}

func (s *subject) input() facts.Input {
	return facts.Input{File: s.file, Old: s.old, New: s.new, Before: s.before, After: s.after, Secrets: s.secrets}
}

// addFacts takes facts with the code and the words that may be shown.
func (r *run) addFacts(list []finding.Finding) {
	for _, f := range list {
		if s := r.subject(f.Path); f.Anchored() && s != nil {
			f.Quote = strings.Join(s.anchored(f.Anchor), "\n") // without credentials, whatever the fact is about
		}
		f.Body = r.masker.text(f.Body) // a syntax error is told with the text that is wrong
		r.facts = append(r.facts, f)
	}
}

// maxUserFiles bounds the files that are read because they may use what the change breaks.
const maxUserFiles = 150

// across gives the change as a whole, with files around it that may use what it breaks: those that its own imports lead
// to, the rest of their packages, and those that a search of the repository names.
func (r *run) across(ctx context.Context) (facts.Across, error) {
	in := facts.Across{Imports: r.related.tree}
	under := map[string]bool{}
	for _, s := range r.subjects {
		in.Files = append(in.Files, s.input())
		under[s.path] = true
	}
	for i := range r.change.Diff.Files {
		if f := &r.change.Diff.Files[i]; !under[f.Path()] && f.NewPath != "" {
			in.Unseen = append(in.Unseen, f.NewPath)
		}
	}
	in.Others = r.beside()
	suspects := facts.Suspects(in)
	if len(suspects) > 0 && r.files != nil {
		var err error
		if in.Complete, err = r.readUsers(ctx, suspects); err != nil {
			return in, err
		}
	}
	in.Others = r.beside()
	return in, nil
}

// beside gives the files beside the change whose names are known by now.
func (r *run) beside() []facts.Unit {
	var list []facts.Unit
	for _, p := range slices.Sorted(maps.Keys(r.related.units)) {
		if u := r.related.units[p]; u != nil && u.facts != nil {
			list = append(list, facts.Unit{Path: p, Facts: u.facts, Text: []byte(strings.Join(u.lines, "\n"))})
		}
	}
	return list
}

// readUsers reads files that may use some definitions. It says whether that was all of the repository's.
func (r *run) readUsers(ctx context.Context, suspects []facts.Suspect) (complete bool, err error) {
	var wanted []string
	add := func(p string) bool {
		if _, read := r.related.units[p]; !read && r.subject(p) == nil && !slices.Contains(wanted, p) {
			if len(wanted) == maxUserFiles {
				return false
			}
			wanted = append(wanted, p)
		}
		return true
	}
	if finder, ok := r.files.(Symbols); ok {
		var names []string
		for _, s := range suspects {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
		complete = len(names) <= maxAsked
		sites, err := finder.Uses(ctx, names[:min(len(names), maxAsked)])
		if err != nil {
			return false, fmt.Errorf("search for users: %w", err)
		}
		for _, site := range sites {
			if slices.ContainsFunc(suspects, func(s facts.Suspect) bool { return sameFamily(s.Path, site.Path) }) {
				complete = add(site.Path) && complete
			}
		}
	}
	for _, s := range suspects {
		for _, p := range r.related.tree.Siblings(s.Path, s.Language) {
			add(p)
		}
	}
	if err := r.readUnits(ctx, wanted); err != nil {
		return false, err
	}
	return complete, r.readAgain(ctx, wanted)
}

// readAgain reads the manifests and the modules by which files know what they use, where these only export it again.
func (r *run) readAgain(ctx context.Context, users []string) error {
	for range relatedRounds {
		var modules, next []string
		for _, p := range users {
			if u := r.related.units[p]; u != nil && u.facts != nil {
				for _, imp := range u.facts.Imports {
					modules = append(modules, imp.Module)
				}
			}
		}
		if err := r.readManifests(ctx, nil, modules); err != nil {
			return err
		}
		for _, p := range users {
			u := r.related.units[p]
			if u == nil || u.facts == nil || path.Ext(p) == ".go" || path.Ext(p) == ".java" {
				continue
			}
			for _, imp := range u.facts.Imports {
				for _, t := range r.related.tree.Import(p, u.facts.Language, imp) {
					base := path.Base(t)
					if _, read := r.related.units[t]; !read && (strings.HasPrefix(base, "index.") || base == "__init__.py") && r.subject(t) == nil &&
						!slices.Contains(next, t) && len(next) < maxUserFiles/3 {
						next = append(next, t)
					}
				}
			}
		}
		if len(next) == 0 {
			return nil
		}
		if err := r.readUnits(ctx, next); err != nil {
			return err
		}
		users = next
	}
	return nil
}
