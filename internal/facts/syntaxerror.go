package facts

import (
	"bytes"
	"errors"
	"fmt"
	"go/parser"
	"go/scanner"
	"go/token"
	"regexp"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

const (
	// maxSyntaxErrors bounds the findings of one file: after the first, errors follow from each other.
	maxSyntaxErrors = 3
	// reach is how many lines below an error's beginning an added line still explains it; reachUp how many above.
	reach   = 30
	reachUp = 100
)

// syntaxErrors finds the errors that the file has now and did not have before.
func (f *file) syntaxErrors() []finding.Finding {
	if f.dialect() {
		return nil
	}
	isNew := f.File.OldPath == "" || f.File.Status == diff.StatusAdded
	if strings.HasSuffix(f.File.NewPath, ".go") {
		return f.goError(isNew)
	}
	if f.After == nil || f.After.Status != syntax.StatusOK || len(f.After.Errors) == 0 || !trusted(f.After.Language) {
		return nil
	}
	if !isNew {
		if f.Before == nil || f.Before.Status != syntax.StatusOK || len(f.After.Errors) <= len(f.Before.Errors) {
			return nil
		}
	}
	var found []finding.Finding
	seen := map[int]bool{}
	for _, e := range f.After.Errors {
		if len(found) == maxSyntaxErrors {
			break
		}
		line := f.culprit(e)
		if line > 0 && f.templated(line) || !isNew && f.known(e) || f.gap(e) {
			continue
		}
		hunk := f.File.HunkOf(diff.Anchor{Side: diff.New, Start: line, End: line})
		if seen[hunk] {
			continue
		}
		seen[hunk] = true
		found = append(found, f.syntaxError(e, languageName(f.After.Language), line, isNew))
	}
	return found
}

// trusted says whether an error of the parser is an error of the file. What the grammars of the other languages refuse
// is too often right: a macro of C's, a newer word, a dialect. Their errors are left to whoever compiles the file.
func trusted(language string) bool {
	switch language {
	case "go", "python", "javascript", "typescript", "tsx", "java":
		return true
	default:
		return false
	}
}

// goError asks Go's own parser, which is at hand, knows the newest syntax and says what it expected.
func (f *file) goError(isNew bool) []finding.Finding {
	if len(f.New) == 0 || !isNew && (f.Old == nil || goFault(f.Old) != nil) {
		return nil
	}
	e := goFault(f.New)
	if e == nil {
		return nil
	}
	line := f.culprit(*e)
	if line > 0 && f.templated(line) {
		return nil
	}
	found := f.syntaxError(*e, "Go", line, isNew)
	found.Confidence = 1
	return []finding.Finding{found}
}

// goFault gives the first error that Go's parser finds, or nil.
func goFault(content []byte) *syntax.Error {
	_, err := parser.ParseFile(token.NewFileSet(), "", content, parser.SkipObjectResolution)
	var list scanner.ErrorList
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &list) || len(list) == 0:
		return nil // not an error of the source
	}
	line := max(list[0].Pos.Line, 1)
	return &syntax.Error{Range: syntax.Range{StartLine: line, EndLine: line}, Message: list[0].Msg}
}

func (f *file) syntaxError(e syntax.Error, language string, line int, isNew bool) finding.Finding {
	found := f.fact(RuleSyntaxError, line, line)
	found.Severity = finding.High
	found.Confidence = 0.95
	found.Title = "The change breaks the syntax of this file"
	before := "The file could be parsed before this change and cannot any more"
	if len(f.beforeErrors()) > 0 {
		before = "The file has more syntax errors than before this change"
	}
	if isNew {
		found.Title = "This new file has a syntax error"
		before = "The file cannot be parsed"
		found.Confidence = 0.8
	}
	found.Body = fmt.Sprintf("%s as %s: line %d, %s. Whatever compiles or loads it will most probably fail in the same place.",
		before, language, e.Range.StartLine, message(e))
	return found
}

// languageName spells the parser's names as people do.
func languageName(name string) string {
	switch name {
	case "javascript":
		return "JavaScript"
	case "typescript":
		return "TypeScript"
	case "tsx":
		return "TSX"
	case "php":
		return "PHP"
	case "":
		return "source"
	case "csharp", "c_sharp":
		return "C#"
	case "cpp":
		return "C++"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// message is the parser's, which may quote the source, kept to one short line.
func message(e syntax.Error) string {
	m := plainName(strings.Join(strings.Fields(e.Message), " "))
	if m == "" {
		return "unexpected text"
	}
	return m
}

func (f *file) beforeErrors() []syntax.Error {
	if f.Before == nil {
		return nil
	}
	return f.Before.Errors
}

// culprit gives the added line an error belongs to: the first added one from its beginning on, within reach, else the
// nearest before it; 0 when there is none near.
func (f *file) culprit(e syntax.Error) int {
	start, end := e.Range.StartLine, min(max(e.Range.EndLine, e.Range.StartLine), e.Range.StartLine+reach)
	above := 0
	for _, l := range f.added {
		switch {
		case l.New >= start && l.New <= end:
			return l.New
		case l.New < start:
			above = l.New
		}
	}
	// A brace that is missing is missed further down.
	if start-above > reachUp {
		return 0
	}
	return above
}

// known says whether an error was there before: on the same line, or in what the same hunk replaces.
func (f *file) known(e syntax.Error) bool {
	if len(f.beforeErrors()) == 0 {
		return false
	}
	for _, h := range f.File.Hunks {
		if e.Range.StartLine < h.NewStart || e.Range.StartLine >= h.NewStart+max(h.NewCount, 1) {
			continue
		}
		for _, b := range f.Before.Errors {
			if b.Range.Overlaps(h.OldStart, h.OldStart+max(h.OldCount, 1)-1) {
				return true
			}
		}
		return false
	}
	// Outside every hunk: moved by the sum of the hunks above.
	old := e.Range.StartLine - f.shift(e.Range.StartLine)
	for _, b := range f.Before.Errors {
		if b.Range.Contains(old) {
			return true
		}
	}
	return false
}

// shift is how far the hunks above a line of the new file have moved it.
func (f *file) shift(line int) int {
	sum := 0
	for _, h := range f.File.Hunks {
		if h.NewStart+h.NewCount <= line {
			sum += h.NewCount - h.OldCount
		}
	}
	return sum
}

// dialect says whether the file is not what its name says, or is wrong on purpose.
func (f *file) dialect() bool {
	if fixture(f.File.NewPath) {
		return true
	}
	head := f.New[:min(len(f.New), 2048)]
	return bytes.Contains(head, []byte("@flow"))
}

// fixture says whether a file is input of tests rather than a test.
func fixture(p string) bool {
	for _, part := range strings.Split(strings.ToLower(p), "/") {
		switch part {
		case "testdata", "fixture", "fixtures", "__fixtures__", "corpus", "snapshots", "__snapshots__":
			return true
		}
		if strings.Contains(part, "{{") {
			return true
		}
	}
	return false
}

// What the grammars of TypeScript and JSX take for an error and no compiler does. In 2,158 files of two real projects
// they were all that was called wrong; the first spoils the rest of its file.
var (
	importedType  = regexp.MustCompile(`<\s*typeof\s+import\s*\(|\bimport\s*\(\s*['"][^'"\n]*['"]\s*\)(?:\s*\.\s*\w+)+\s*[<\[]`)
	bareAmpersand = regexp.MustCompile(`(?:^|[^&])&(?:[^&=#A-Za-z]|[A-Za-z]\w*(?:[^;\w]|$)|$)`)
)

// gap says whether an error is probably one of the grammar.
func (f *file) gap(e syntax.Error) bool {
	switch f.After.Language {
	case "typescript", "tsx", "javascript":
	default:
		return false
	}
	if importedType.Match(f.New) {
		return true
	}
	lines := strings.Split(string(f.New), "\n")
	for n := max(e.Range.StartLine, 1); n <= min(e.Range.EndLine, e.Range.StartLine+5, len(lines)); n++ {
		if bareAmpersand.MatchString(lines[n-1]) {
			return true
		}
	}
	return false
}

// template is what the common template languages put around their own words.
var template = regexp.MustCompile(`\{%|<%|<\?=|\{\{[-\s.]*\w`)

// templated says whether a line holds the marks of a template language.
func (f *file) templated(n int) bool {
	l, ok := f.File.Lookup(diff.New, n)
	return ok && template.MatchString(l.Text)
}
