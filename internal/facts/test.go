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

// The rules about tests.
const (
	RuleTestRemoved = "test_removed"
	RuleTestEmptied = "test_emptied"
	RuleTestSkipped = "test_skipped"
)

// skips are the ways in which a test says that it is not to run, by language. What depends on a condition is none.
var skips = map[string]*regexp.Regexp{
	"go":         regexp.MustCompile(`^\t\w+\.Skip(?:Now|f)?\(`),
	"python":     regexp.MustCompile(`^\s*@(?:pytest\.mark\.skip|(?:unittest\.)?skip)(?:\(|\s*$)|^\s+(?:self\.skipTest|pytest\.skip)\(`),
	"java":       regexp.MustCompile(`@(?:Disabled|Ignore)\b`),
	"javascript": regexp.MustCompile(`\b(?:it|test|describe|context|suite)(?:\.\w+)*\.(?:skip|todo)\b|^\s*(?:xit|xtest|xdescribe)\s*\(`),
}

// focused is what makes a runner of JavaScript's run one test and leave out all others of its file.
var focused = regexp.MustCompile(`^\s*(?:(?:it|test|describe|context|suite)\.only|fit|fdescribe)\s*\(`)

// tested is a test with its full name.
type tested struct {
	name   string
	symbol *syntax.Symbol
}

// suite is the head of what holds tests in JavaScript and is none.
var suite = regexp.MustCompile(`^(?:\w+\.)?x?f?(?:describe|context|suite)\b`)

// testsOf gives the tests of a file. Those that only hold others are none.
func testsOf(f *syntax.Facts) []tested {
	if f == nil || f.Status != syntax.StatusOK {
		return nil
	}
	holds := map[int]bool{}
	for i := range f.Symbols {
		if f.Symbols[i].Test && f.Symbols[i].Parent >= 0 {
			holds[f.Symbols[i].Parent] = true
		}
	}
	var list []tested
	for i := range f.Symbols {
		s := &f.Symbols[i]
		if !s.Test || holds[i] || suite.MatchString(s.Signature) || s.Kind != syntax.Function && s.Kind != syntax.Method {
			continue
		}
		name := s.QualifiedName()
		for at := s.Parent; at >= 0 && at < len(f.Symbols); at = f.Symbols[at].Parent {
			if f.Symbols[at].Test {
				name = f.Symbols[at].Name + " › " + name
			}
		}
		list = append(list, tested{name, s})
	}
	return list
}

func family(language string) string {
	if script(language) {
		return "javascript"
	}
	return language
}

// Tests finds tests that the change takes away, empties or switches off. It looks at the change as a whole, because a
// test may have moved.
func Tests(files []Input) []finding.Finding {
	var found []finding.Finding
	moved := newTests(files)
	for i := range files {
		f := &file{Input: files[i], added: files[i].File.NewLines()}
		if f.File.NewPath == "" || f.Before == nil || f.After == nil || fixture(f.File.NewPath) || len(f.After.Errors) > len(f.Before.Errors) {
			continue
		}
		found = append(found, f.switchedOff()...)
		found = append(found, f.emptied()...)
		if gone := f.goneTests(moved); len(gone) > 0 {
			found = append(found, f.removed(gone))
		}
	}
	return found
}

// switchedOff finds tests that ran before and are skipped now, and tests that are the only ones to run.
func (f *file) switchedOff() []finding.Finding {
	skip := skips[family(f.After.Language)]
	if skip == nil {
		return nil
	}
	before := map[string]*syntax.Symbol{}
	for i := range f.Before.Symbols {
		if s := &f.Before.Symbols[i]; s.Test {
			before[s.QualifiedName()] = s
		}
	}
	old, now := strings.Split(string(f.Old), "\n"), strings.Split(string(f.New), "\n")
	var found []finding.Finding
	for i := range f.After.Symbols {
		s := &f.After.Symbols[i]
		if !s.Test {
			continue
		}
		was := before[s.QualifiedName()]
		line := f.skipLine(now, s, skip)
		if was != nil && line > 0 && f.isAdded(line) && f.skipLine(old, was, skip) == 0 {
			x := f.fact(RuleTestSkipped, line, line)
			x.Category, x.Severity, x.Confidence = finding.Test, finding.Medium, 0.95
			x.Title = fmt.Sprintf("The test %s does not run any more", quoteName(s.Name))
			x.Body = "It ran before this change and is skipped now: what it guarded is not checked any more, and the run stays green."
			found = append(found, x)
		}
		if n := s.Range.StartLine; family(f.After.Language) == "javascript" && n <= len(now) && focused.MatchString(now[n-1]) && f.isAdded(n) {
			x := f.fact(RuleTestSkipped, n, n)
			x.Category, x.Severity, x.Confidence = finding.Test, finding.High, 0.97
			x.Title = fmt.Sprintf("Only the test %s of this file runs now", quoteName(s.Name))
			x.Body = "A test that is focused switches off all others beside it: they are not run any more, and nothing says so."
			found = append(found, x)
		}
	}
	return found
}

// skipLine gives the line on which a test says that it is skipped, 0 when it does not. Marks stand at its head or among
// its own statements, not in those of what it holds.
func (f *file) skipLine(lines []string, s *syntax.Symbol, skip *regexp.Regexp) int {
	last := min(s.Range.EndLine, len(lines))
	if language := family(f.After.Language); language == "java" || language == "javascript" {
		last = min(s.NameRange.StartLine, last)
	} else if language == "python" {
		last = min(s.NameRange.StartLine+2, last) // at once, and not on a condition
	} else {
		last = min(s.NameRange.StartLine+8, last)
	}
	for n := max(s.Range.StartLine, 1); n <= last; n++ {
		if skip.MatchString(lines[n-1]) {
			return n
		}
	}
	return 0
}

// emptied finds tests that called something before and call nothing now.
func (f *file) emptied() []finding.Finding {
	before := map[string]tested{}
	for _, t := range testsOf(f.Before) {
		before[t.name] = t
	}
	var found []finding.Finding
	for _, t := range testsOf(f.After) {
		was, ok := before[t.name]
		if !ok || callsIn(f.Before, was.symbol) == 0 || callsIn(f.After, t.symbol) > 0 || asserts(string(f.New), t.symbol) {
			continue
		}
		line := t.symbol.NameRange.StartLine
		x := f.fact(RuleTestEmptied, line, line)
		x.Category, x.Severity, x.Confidence = finding.Test, finding.Medium, 0.95
		x.Title = fmt.Sprintf("The test %s is empty now", quoteName(t.symbol.Name))
		x.Body = "It called code and checked it before this change; now it calls nothing, so it passes whatever happens."
		found = append(found, x)
	}
	return found
}

// callsIn counts the calls inside a definition.
func callsIn(f *syntax.Facts, s *syntax.Symbol) int {
	n := 0
	for _, ref := range f.References {
		if ref.Kind == syntax.Call && ref.Range.StartByte > s.NameRange.EndByte && ref.Range.EndByte <= s.Range.EndByte {
			n++
		}
	}
	return n
}

// asserts says whether a definition holds a statement that checks without a call, as Python's.
func asserts(text string, s *syntax.Symbol) bool {
	from, to := max(s.Range.StartByte, 0), min(s.Range.EndByte, len(text))
	return from < to && regexp.MustCompile(`(?m)^\s*(?:assert|raise|throw)\b`).MatchString(text[from:to])
}

// newTests gives, over all files, the bodies of tests that are not where they were.
func newTests(files []Input) []string {
	var list []string
	for i := range files {
		known := map[string]bool{}
		for _, t := range testsOf(files[i].Before) {
			known[t.name] = true
		}
		for _, t := range testsOf(files[i].After) {
			if !known[t.name] {
				list = append(list, textOf(files[i].New, t.symbol))
			}
		}
	}
	return list
}

func textOf(content []byte, s *syntax.Symbol) string {
	from, to := max(s.Range.StartByte, 0), min(s.Range.EndByte, len(content))
	if from >= to {
		return ""
	}
	return string(content[from:to])
}

// goneTests gives the tests of a file that are gone and did not go elsewhere: under another name, to another file, or
// into a table. Where the file has as many tests as before, they were rewritten.
func (f *file) goneTests(moved []string) []tested {
	now := testsOf(f.After)
	names := map[string]bool{}
	for _, t := range now {
		names[t.name] = true
	}
	olds := testsOf(f.Before)
	if len(now) >= len(olds) {
		return nil
	}
	var gone []tested
	for _, t := range olds {
		text := textOf(f.Old, t.symbol)
		if names[t.name] || slices.ContainsFunc(moved, func(other string) bool { return alike(text, other) > 0.4 }) {
			continue
		}
		if mentions(f.New, t.symbol.Name) > mentions(f.Old, t.symbol.Name)-mentions([]byte(text), t.symbol.Name) {
			continue // its name stands there still, in a table or commented out, and did not stand beside it before
		}
		gone = append(gone, t)
	}
	return gone
}

// mentions counts where a text holds a name as a word, never for a short one.
func mentions(text []byte, name string) int {
	if len(name) <= 4 {
		return 0
	}
	return len(regexp.MustCompile(`(?:^|\W)`+regexp.QuoteMeta(name)+`(?:\W|$)`).FindAllIndex(text, -1))
}

// alike is the share of the words of two texts that both have.
func alike(a, b string) float64 {
	count := func(s string) map[string]int {
		m := map[string]int{}
		for _, w := range anyWord.FindAllString(s, -1) {
			m[w]++
		}
		return m
	}
	x, y := count(a), count(b)
	both, all := 0, 0
	for w, n := range x {
		both += min(n, y[w])
		all += max(n, y[w])
	}
	for w, n := range y {
		if x[w] == 0 {
			all += n
		}
	}
	if all == 0 {
		return 0
	}
	return float64(both) / float64(all)
}

var anyWord = regexp.MustCompile(`\w+`)

// removed tells of tests that are gone, one finding for a file.
func (f *file) removed(gone []tested) finding.Finding {
	x := f.fact(RuleTestRemoved, 0, 0)
	for _, t := range gone {
		line := t.symbol.NameRange.StartLine
		if l, ok := f.File.Lookup(diff.Old, line); ok {
			x.Anchor.Path, x.Anchor.Side, x.Anchor.Start, x.Anchor.End = f.File.Path(), diff.Old, line, line
			x.Quote = l.Text
			break
		}
	}
	x.Category, x.Severity, x.Confidence = finding.Test, finding.Low, 0.9
	var names []string
	for _, t := range gone {
		names = append(names, quoteName(t.symbol.Name))
	}
	if len(gone) == 1 {
		x.Title = fmt.Sprintf("The test %s is removed", names[0])
		x.Body = "It is not elsewhere in this change. If what it tested still exists, nothing checks it any more."
		return x
	}
	x.Title = fmt.Sprintf("%d tests are removed", len(gone))
	const most = 12
	list := "\n\n- " + strings.Join(names[:min(len(names), most)], "\n- ")
	if len(names) > most {
		list += fmt.Sprintf("\n- and %d more", len(names)-most)
	}
	x.Body = "They are not elsewhere in this change:" + list + "\n\nIf what they tested still exists, nothing checks it any more."
	return x
}

// quoteName shows a test's name, which may be a sentence.
func quoteName(name string) string {
	name = strings.Join(strings.Fields(strings.ReplaceAll(name, "`", "'")), " ")
	if len(name) > maxQuoted {
		name = strings.ToValidUTF8(name[:maxQuoted], "") + "…"
	}
	return "`" + name + "`"
}
