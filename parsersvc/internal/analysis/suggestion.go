//go:build cgo

package analysis

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/parsersvc/internal/grammar"
)

// Suggestion is a replacement for whole lines of a file.
type Suggestion struct {
	// Start and End are the lines replaced, 1-based and inclusive, within the file.
	Start, End int
	// Replacement are the new lines without a newline at the end; empty deletes the lines.
	Replacement string
}

// Checked is what a suggestion does to a file.
type Checked struct {
	Verdict syntax.Verdict
	// Reindented is the replacement as it should be, with VerdictReindented.
	Reindented string
	// Added are the syntax errors it adds, with VerdictBreaks, by lines of the new text.
	Added []syntax.Error
}

// Check says what a suggestion does to a file. A file that can't be judged gives VerdictUnknown; an error means that the
// analyzer is broken.
func (a *Analyzer) Check(src Source, s Suggestion, limit time.Duration) (Checked, error) {
	edit, ok := newEdit(src.Content, s)
	if !ok {
		return Checked{Verdict: syntax.VerdictUnknown}, nil
	}
	if edit.noChange() {
		return Checked{Verdict: syntax.VerdictNoChange}, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	lang, err := a.language(a.describe(src).Language)
	if err != nil {
		return Checked{}, err
	}
	if lang == nil || lang.rules.borrowed {
		return Checked{Verdict: syntax.VerdictUnknown}, nil
	}
	// Up to three texts are parsed within the limit.
	c := checker{analyzer: a, lang: lang, limit: limit / 3, edit: edit}
	out, err := c.run()
	if errors.Is(err, grammar.ErrLimit) {
		return Checked{Verdict: syntax.VerdictUnknown}, nil
	}
	return out, err
}

// checker compares the syntax errors of a file before and after an edit.
type checker struct {
	analyzer *Analyzer
	lang     *compiled
	limit    time.Duration
	edit     edit
	before   []lineFault
}

// lineFault is a fault with its line.
type lineFault struct {
	fault
	line int
}

func (c *checker) run() (Checked, error) {
	var err error
	if c.before, _, err = c.faults(c.edit.content); err != nil {
		return Checked{}, err
	}
	added, err := c.try(c.edit.replacement)
	if err != nil {
		return Checked{}, err
	}
	mended := c.edit.reindented()
	// Where indentation is syntax, lines that have none, in place of lines that have some, have lost it.
	lost := c.lang.rules.indentation && c.edit.lostIndentation()
	if (added != nil || lost) && mended != "" && mended != c.edit.replacement {
		worse, err := c.try(mended)
		if err != nil {
			return Checked{}, err
		}
		if worse == nil {
			return Checked{Verdict: syntax.VerdictReindented, Reindented: mended}, nil
		}
	}
	if added == nil {
		return Checked{Verdict: syntax.VerdictOK}, nil
	}
	return Checked{Verdict: syntax.VerdictBreaks, Added: added}, nil
}

// try gives the syntax errors that a replacement adds, nil when the file is at least as well as before.
func (c *checker) try(replacement string) ([]syntax.Error, error) {
	after, t, err := c.faults(c.edit.apply(replacement))
	if err != nil || len(after) == 0 {
		return nil, err
	}
	added := c.unmatched(after, replacement)
	// A file that was broken before is compared by how much: the same number of faults in other places is a worse file
	// only when they take up more of it than the edit itself could explain.
	if len(added) == 0 || len(after) < len(c.before) ||
		len(after) == len(c.before) && extent(after) <= extent(c.before)+len(replacement) {
		return nil, nil
	}
	var out []syntax.Error
	for _, f := range added[:min(len(added), maxErrors)] {
		out = append(out, syntax.Error{Range: t.rangeOf(f.span), Message: f.message})
	}
	return out, nil
}

func extent(faults []lineFault) int {
	n := 0
	for _, f := range faults {
		n += int(f.end - f.start)
	}
	return n
}

// unmatched gives the faults after the edit that were not there before it: the same message on the same line, counted
// by the lines of the new text.
func (c *checker) unmatched(after []lineFault, replacement string) []lineFault {
	type key struct {
		line    int
		message string
	}
	shift := c.edit.lineCount(replacement) - (c.edit.End - c.edit.Start + 1)
	known := make(map[key]int)
	for _, f := range c.before {
		line := f.line
		if line > c.edit.End {
			line += shift
		}
		known[key{line, f.message}]++
	}
	var out []lineFault
	for _, f := range after {
		if k := (key{f.line, f.message}); known[k] > 0 {
			known[k]--
			continue
		}
		out = append(out, f)
	}
	return out
}

// faults parses a text and gives its faults, those of indentation among them.
func (c *checker) faults(content []byte) ([]lineFault, *text, error) {
	t := newText(content)
	var out []lineFault
	tree, err := c.analyzer.parse(c.lang, t.content, c.limit, c.lang.indentation)
	if err != nil {
		return nil, t, err
	}
	for _, f := range faults(c.lang.grammar, tree.Nodes, t.content) {
		out = append(out, lineFault{f, t.line(f.start)})
	}
	for _, f := range c.misindented(tree.Found[0], t) {
		out = append(out, lineFault{f, t.line(f.start)})
	}
	slices.SortStableFunc(out, func(a, b lineFault) int { return cmp.Compare(a.start, b.start) })
	return out, t, nil
}

// misindented finds statements that begin in another column than the first of their block.
func (c *checker) misindented(found grammar.Matches, t *text) []fault {
	var out []fault
	columns := make(map[uint32]uint32) // of blocks, by their start
	var statements []struct{ block, start, end uint32 }
	c.lang.indentation.each(found, t.content, func(_ int, captures []capture) {
		var s struct{ block, start, end uint32 }
		for _, c := range captures {
			switch c.role {
			case roleBlock:
				s.block = c.start
			case roleStatement:
				s.start, s.end = c.start, c.end
			default:
			}
		}
		statements = append(statements, s)
	})
	slices.SortStableFunc(statements, func(a, b struct{ block, start, end uint32 }) int { return cmp.Compare(a.start, b.start) })
	for _, s := range statements {
		if !t.startsLine(s.start) || t.content[s.start] == '#' {
			continue
		}
		column := s.start - t.starts[t.line(s.start)-1]
		first, ok := columns[s.block]
		if !ok {
			columns[s.block] = column
			continue
		}
		if column != first {
			out = append(out, fault{span{s.start, s.end}, false, "unexpected indentation"})
		}
	}
	return out
}

// edit is a suggestion over the lines it replaces.
type edit struct {
	Suggestion
	content     []byte
	lines       []string
	replacement string
	newline     string
}

// newEdit gives the edit, or false when the file does not have these lines.
func newEdit(content []byte, s Suggestion) (edit, bool) {
	lines := slices.Collect(strings.Lines(string(content)))
	if s.Start < 1 || s.End < s.Start || s.End > len(lines) {
		return edit{}, false
	}
	e := edit{Suggestion: s, content: content, lines: lines, newline: "\n"}
	if strings.HasSuffix(lines[s.Start-1], "\r\n") {
		e.newline = "\r\n"
	}
	e.replacement = strings.TrimSuffix(strings.ReplaceAll(s.Replacement, "\r\n", "\n"), "\n")
	return e, true
}

func (e *edit) replaced() []string { return e.lines[e.Start-1 : e.End] }

// noChange says whether the new lines are the old ones.
func (e *edit) noChange() bool {
	// Deleting an empty line is a change.
	old := strings.ReplaceAll(strings.Join(e.replaced(), ""), "\r\n", "\n")
	return e.replacement != "" && strings.TrimSuffix(old, "\n") == e.replacement
}

// lineCount gives how many lines a replacement is; none when it deletes.
func (e *edit) lineCount(replacement string) int {
	if replacement == "" {
		return 0
	}
	return strings.Count(replacement, "\n") + 1
}

// apply gives the file with a replacement in place, ending as it did.
func (e *edit) apply(replacement string) []byte {
	var b strings.Builder
	for _, l := range e.lines[:e.Start-1] {
		b.WriteString(l)
	}
	if replacement != "" {
		b.WriteString(strings.ReplaceAll(replacement, "\n", e.newline))
		if strings.HasSuffix(e.lines[e.End-1], "\n") {
			b.WriteString(e.newline)
		}
	}
	for _, l := range e.lines[e.End:] {
		b.WriteString(l)
	}
	return []byte(b.String())
}

// lostIndentation says whether the old lines were all indented and a new one is not.
func (e *edit) lostIndentation() bool {
	return e.replacement != "" && commonIndent(e.replaced()) != "" && commonIndent(strings.Split(e.replacement, "\n")) == ""
}

// reindented gives the replacement with the indentation of the lines it replaces: what its own lines have in common
// goes, what the old lines have in common comes.
func (e *edit) reindented() string {
	lines := strings.Split(e.replacement, "\n")
	from, to := commonIndent(lines), commonIndent(e.replaced())
	for i, l := range lines {
		if strings.TrimSpace(l) == "" {
			lines[i] = ""
			continue
		}
		lines[i] = to + strings.TrimPrefix(l, from)
	}
	return strings.Join(lines, "\n")
}

// commonIndent gives the white space that all lines with something on them begin with.
func commonIndent(lines []string) string {
	common, found := "", false
	for _, l := range lines {
		if strings.TrimSpace(l) == "" {
			continue
		}
		indent := l[:len(l)-len(strings.TrimLeft(l, " \t"))]
		if !found {
			common, found = indent, true
			continue
		}
		n := 0
		for n < len(common) && n < len(indent) && common[n] == indent[n] {
			n++
		}
		common = common[:n]
	}
	return common
}
