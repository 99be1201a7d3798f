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
	// maxCallers, maxDefinitions and maxDefinitionLines bound what stands beside a change, before the room does.
	maxCallers, maxDefinitions, maxDefinitionLines = 10, 120, 14
	// perSnippet is what the frame of a snippet takes in a prompt, in tokens.
	perSnippet = 6
	// maskAhead is how many lines after a cut are searched for the end of a credential that begins before it.
	maskAhead = 40
)

// retrieve finds what the change touches: the contracts it changes and who calls them, definitions it uses, similar code.
func (r *run) retrieve(ctx context.Context) error {
	if err := r.stage(ctx, StageRetrieve, 0, len(r.bundles)); err != nil {
		return err
	}
	names := r.index()
	if err := r.search(ctx, names); err != nil {
		return err
	}
	callers, err := r.outsideCallers(ctx)
	if err != nil {
		return err
	}
	similar, err := r.similar(ctx)
	if err != nil {
		return err
	}
	for i, b := range r.bundles {
		calls := slices.Concat(r.contracts(b), r.callers(b, names), callers[b])
		b.surroundings = pack(calls, slices.Concat(r.definitions(b, names), similar[i]), r.roomBeside(b))
	}
	return nil
}

// place is a definition or a use of a name.
type place struct {
	*unit
	symbol *syntax.Symbol
	ref    *syntax.Reference
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
		own := &unit{path: s.path, facts: s.after, lines: s.lines, subject: s}
		for i := range s.after.Symbols {
			sym := &s.after.Symbols[i]
			if sym.Kind == syntax.Field || sym.Kind == syntax.Module {
				continue // names of fields are everywhere
			}
			n.definitions[sym.Name] = append(n.definitions[sym.Name], place{unit: own, symbol: sym})
		}
		for i := range s.after.References {
			ref := &s.after.References[i]
			if ref.Kind == syntax.Call {
				n.calls[ref.Name] = append(n.calls[ref.Name], place{unit: own, ref: ref})
			}
		}
	}
	return n
}

// subjects gives the files of a bundle, each once.
func (b *bundle) subjects() []*subject {
	var list []*subject
	for _, p := range b.pieces {
		if !slices.Contains(list, p.subject) {
			list = append(list, p.subject)
		}
	}
	return list
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
					list = append(list, place{unit: &unit{path: s.path, facts: s.after, lines: s.lines, subject: s}, symbol: sym})
				}
			}
		}
	}
	return list
}

// callers gives the lines of the changed files that call what a bundle changes and that it does not show.
func (r *run) callers(b *bundle, n names) []surrounding {
	var list []surrounding
	for _, changed := range b.changedSymbols() {
		for _, call := range n.calls[changed.symbol.Name] {
			line := call.ref.Range.StartLine
			if len(list) == maxCallers || b.shows(call.subject, line) || !kin(call.subject, changed.subject) {
				continue
			}
			list = append(list, r.excerpt(call.unit, line-1, line+1, "calls "+changed.symbol.Name))
		}
	}
	return list
}

// definitions gives what the added lines of a bundle use and it does not show, whichever file defines it. A name with
// many definitions says nothing.
func (r *run) definitions(b *bundle, n names) []surrounding {
	var list []surrounding
	seen := map[string]bool{}
	for _, s := range b.subjects() {
		if s.lines == nil {
			continue
		}
		for _, u := range r.usesOf(s) {
			if !b.shows(s, u.ref.Range.StartLine) {
				continue
			}
			for _, def := range r.places(u, n) {
				key := fmt.Sprintf("%s:%d", def.path, def.symbol.NameRange.StartLine)
				if len(list) == maxDefinitions || seen[key] || def.subject != nil && b.shows(def.subject, def.symbol.NameRange.StartLine) {
					continue
				}
				seen[key] = true
				list = append(list, r.definition(def, u.ref.Name))
			}
		}
	}
	return list
}

// places finds the definitions of a name that a file under review uses: where its imports lead, in the other changed
// files, or where a search found it.
func (r *run) places(u use, n names) []place {
	if u.subject.after != nil {
		if list := r.define(u); len(list) > 0 {
			return list
		}
		var own []place
		for _, def := range n.definitions[u.ref.Name] {
			if kin(def.subject, u.subject) {
				own = append(own, def)
			}
		}
		if len(own) > 0 {
			return few(own)
		}
	}
	return r.related.found[u.ref.Name]
}

// definition shows a definition: its head in short, or its first lines.
func (r *run) definition(def place, name string) surrounding {
	sym := def.symbol
	from := sym.Range.StartLine
	if sym.NameRange.StartLine-from > 3 { // a long comment or list of decorators
		from = sym.NameRange.StartLine
	}
	s := r.excerpt(def.unit, from, min(sym.Range.EndLine, from+maxDefinitionLines-1), "defines "+name)
	head := max(headEnd(def.lines, sym), from)
	if head < min(sym.Range.EndLine, from+maxDefinitionLines-1) {
		s.short = r.excerpt(def.unit, from, head, "").Text
	}
	return s
}

// headEnd is the line on which the head of a definition ends.
func headEnd(lines []string, sym *syntax.Symbol) int {
	const longest = 5
	last := min(sym.Range.EndLine, sym.NameRange.StartLine+longest, len(lines))
	for n := sym.NameRange.StartLine; n <= last; n++ {
		if t := strings.TrimSpace(lines[n-1]); strings.HasSuffix(t, "{") || strings.HasSuffix(t, ":") || strings.HasSuffix(t, ";") || strings.HasSuffix(t, "=>") {
			return n
		}
	}
	return sym.NameRange.StartLine
}

// excerpt cuts lines out of a file as they may be shown. A definition is searched for credentials as a whole, so that no
// cut hides what one is.
func (r *run) excerpt(u *unit, first, last int, why string) surrounding {
	w := window{first: first, last: last}.within(len(u.lines))
	text := strings.Join(u.lines[w.first-1:w.last], "\n")
	if u.subject == nil {
		wider := window{first: first, last: last + maskAhead}.within(len(u.lines))
		masked := splitLines(r.masker.text(strings.Join(u.lines[wider.first-1:wider.last], "\n")))
		text = strings.Join(masked[:min(len(masked), w.last-w.first+1)], "\n")
	}
	return surrounding{Snippet: prompt.Snippet{Path: u.path, Line: w.first, Why: why, Text: text}}
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

// similar asks for code of the repository that is like what each bundle changes. What does not come in time is left
// out; the review says so and is not partial for it.
func (r *run) similar(ctx context.Context) ([][]surrounding, error) {
	found := make([][]surrounding, len(r.bundles))
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
			found[i] = append(found[i], surrounding{Snippet: prompt.Snippet{Path: s.Path, Line: s.StartLine, Why: "similar code", Text: r.masker.text(s.Text)}})
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
