package review

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/prompt"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

const (
	// recallTime is how long a review waits for similar code. It never waits for an index.
	recallTime = 3 * time.Second
	// recallLimit and recallQueries bound one search.
	recallLimit, recallQueries, recallQueryBytes = 4, 4, 1200
	// maxCallers, maxDefinitions and maxDefinitionLines bound what the changed files give.
	maxCallers, maxDefinitions, maxDefinitionLines = 10, 8, 14
)

// retrieve finds what the change touches: callers and definitions in the changed files, similar code elsewhere.
func (r *run) retrieve(ctx context.Context) error {
	if err := r.stage(ctx, StageRetrieve, 0, len(r.bundles)); err != nil {
		return err
	}
	names := r.index()
	similar, err := r.similar(ctx)
	if err != nil {
		return err
	}
	room := r.room().surroundings
	for i, b := range r.bundles {
		all := slices.Concat(r.callers(b, names), r.definitions(b, names), similar[i])
		left := room
		for _, s := range all {
			need := prompt.Tokens(s.Path+s.Why+s.Text) + perFile/2
			if need > left {
				continue
			}
			left -= need
			b.surroundings = append(b.surroundings, s)
		}
	}
	return nil
}

// place is a definition or a use in one of the files under review.
type place struct {
	subject *subject
	symbol  *syntax.Symbol
	ref     *syntax.Reference
}

// names are the definitions and calls of all files under review, by name, in the order of the diff.
type names struct {
	definitions, calls map[string][]place
}

// index collects names. It is the small brother of a symbol graph of the whole repository.
func (r *run) index() names {
	n := names{definitions: map[string][]place{}, calls: map[string][]place{}}
	for _, s := range r.subjects {
		if s.after == nil || s.lines == nil || s.gaps {
			continue
		}
		for i := range s.after.Symbols {
			sym := &s.after.Symbols[i]
			if sym.Kind == syntax.Field || sym.Kind == syntax.Module {
				continue // names of fields are everywhere
			}
			n.definitions[sym.Name] = append(n.definitions[sym.Name], place{subject: s, symbol: sym})
		}
		for i := range s.after.References {
			ref := &s.after.References[i]
			if ref.Kind == syntax.Call {
				n.calls[ref.Name] = append(n.calls[ref.Name], place{subject: s, ref: ref})
			}
		}
	}
	return n
}

// changedSymbols gives the definitions of a bundle's files whose lines the change touches, without those that only
// enclose another one that it touches.
func (b *bundle) changedSymbols() []place {
	var list []place
	seen := map[*subject]bool{}
	for _, p := range b.pieces {
		s := p.subject
		if seen[s] || s.after == nil {
			continue
		}
		seen[s] = true
		for i := range s.file.Hunks {
			for _, line := range changedAt(&s.file.Hunks[i]) {
				sym := s.after.Enclosing(line)
				if sym != nil && b.shows(s, line) && !slices.ContainsFunc(list, func(p place) bool { return p.symbol == sym }) {
					list = append(list, place{subject: s, symbol: sym})
				}
			}
		}
	}
	return list
}

// callers gives the lines that call what a bundle changes and that it does not show.
func (r *run) callers(b *bundle, n names) []prompt.Snippet {
	var list []prompt.Snippet
	for _, changed := range b.changedSymbols() {
		for _, call := range n.calls[changed.symbol.Name] {
			line := call.ref.Range.StartLine
			if len(list) == maxCallers || b.shows(call.subject, line) || !kin(call.subject, changed.subject) {
				continue
			}
			list = append(list, call.subject.snippet(line-1, line+1, "calls "+changed.symbol.Name))
		}
	}
	return list
}

// definitions gives what the added lines of a bundle use and the changed files define elsewhere. A name with many
// definitions says nothing.
func (r *run) definitions(b *bundle, n names) []prompt.Snippet {
	var list []prompt.Snippet
	seen := map[string]bool{}
	files := map[*subject]bool{}
	for _, p := range b.pieces {
		s := p.subject
		if files[s] || s.after == nil {
			continue
		}
		files[s] = true
		for _, ref := range s.after.References {
			line := ref.Range.StartLine
			if seen[ref.Name] || !s.added[line] || !b.shows(s, line) {
				continue
			}
			seen[ref.Name] = true
			places := n.definitions[ref.Name]
			if len(places) > 3 {
				continue
			}
			for _, def := range places {
				from := def.symbol.Range.StartLine
				if len(list) == maxDefinitions || b.shows(def.subject, from) || !kin(def.subject, s) {
					continue
				}
				list = append(list, def.subject.snippet(from, min(def.symbol.Range.EndLine, from+maxDefinitionLines-1), "definition of "+ref.Name))
			}
		}
	}
	return list
}

// kin says whether two files are of languages that call each other.
func kin(a, b *subject) bool {
	family := func(language string) string {
		switch language {
		case "typescript", "tsx", "jsx":
			return "javascript"
		case "kotlin", "scala":
			return "java"
		case "c":
			return "cpp"
		}
		return language
	}
	return family(a.after.Language) == family(b.after.Language)
}

// snippet cuts lines out of a file as it may be shown.
func (s *subject) snippet(first, last int, why string) prompt.Snippet {
	w := window{first: first, last: last}.within(len(s.lines))
	return prompt.Snippet{Path: s.path, Line: w.first, Why: why, Text: strings.Join(s.lines[w.first-1:w.last], "\n")}
}

// similar asks for code of the repository that is like what each bundle changes. What does not come in time is left
// out; the review says so and is not partial for it.
func (r *run) similar(ctx context.Context) ([][]prompt.Snippet, error) {
	found := make([][]prompt.Snippet, len(r.bundles))
	if r.recall == nil {
		return found, nil
	}
	notes := make([]string, len(r.bundles))
	limited, cancel := context.WithTimeout(ctx, recallTime)
	defer cancel()
	// It cannot fail: what goes wrong is a note.
	_ = inParallel(limited, len(r.bundles), 4, func(limited context.Context, i int) error {
		snippets, why, err := r.recall.Similar(limited, r.queries(r.bundles[i]), recallLimit)
		if err != nil {
			r.log.WarnContext(ctx, "similar code was not found", "error", err)
			why = "the search failed"
			if errors.Is(err, context.DeadlineExceeded) || limited.Err() != nil {
				why = "the search took too long"
			}
		}
		notes[i] = why
		for _, s := range snippets {
			found[i] = append(found[i], prompt.Snippet{Path: s.Path, Line: s.StartLine, Why: "similar code", Text: r.masker.text(s.Text)})
		}
		return nil
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("find similar code: %w", err)
	}
	if limited.Err() != nil && !slices.ContainsFunc(notes, func(s string) bool { return s != "" }) {
		notes[0] = "the search took too long"
	}
	for _, why := range notes {
		if why = strings.TrimSuffix(why, "."); why != "" {
			r.note(fmt.Sprintf("The rest of the repository was not searched for similar code: %s.", why))
			break
		}
	}
	return found, nil
}

// queries are the changed definitions and hunks of a bundle, the largest first.
func (r *run) queries(b *bundle) []string {
	var list []string
	for _, p := range b.pieces {
		var q strings.Builder
		added := 0
		for _, l := range p.part.Lines {
			if l.Marker == '+' {
				added++
				q.WriteString(strings.TrimSpace(l.Text) + "\n")
			}
		}
		text := strings.ToValidUTF8(q.String()[:min(q.Len(), recallQueryBytes)], "")
		if added > 0 && strings.TrimSpace(text) != "" {
			list = append(list, cmp.Or(p.part.Scope, p.subject.path)+"\n"+text)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return len(b) - len(a) })
	return list[:min(len(list), recallQueries)]
}
