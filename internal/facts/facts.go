// Package facts finds what is wrong with a change without asking a model: syntax errors it introduces, conflict markers
// it leaves, credentials it commits, characters it hides; and over the change as a whole, calls that it breaks and tests
// that it takes away or switches off.
//
// It promises precision before number: a fact is reported only when it is on a line the change adds (or, for a syntax
// error, when the file was sound before), and whoever reads it needs no tool to see that it is so. It is pure: what it
// needs to know of the file is handed to it.
package facts

import (
	"path"
	"slices"
	"strings"

	"github.com/go-enry/go-enry/v2"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// The rules, as they stand in Finding.Rule.
const (
	RuleSyntaxError      = "syntax_error"
	RuleConflictMarker   = "conflict_marker"
	RuleSecret           = "secret"
	RuleHiddenCharacters = "hidden_characters"
)

// Input is one changed file.
type Input struct {
	File *diff.File
	// Old and New are the contents before and after the change, nil when there is none or it is not known. The diff is
	// enough for all but syntax.
	Old, New []byte
	// Before and After are the parser's facts of the two sides, nil when there are none.
	Before, After *syntax.Facts
	// Secrets are the credentials found on the new side, by the new file's lines.
	Secrets []Secret
}

// Secret is a credential on a line of the new file.
type Secret struct {
	Line int
	// Rule and Description are the detector's; Generic marks a rule that only guesses from names.
	Rule, Description string
	Generic           bool
	// Masked is the text of the line without the credential.
	Masked string
}

// Find gives the facts of one file, in the order of its lines.
func Find(in Input) []finding.Finding {
	if in.File == nil || in.File.Binary || in.File.Submodule || in.File.NewPath == "" {
		return nil
	}
	f := &file{Input: in, added: in.File.NewLines()}
	var found []finding.Finding
	found = append(found, f.conflicts()...)
	if len(found) == 0 { // the markers of a conflict are syntax errors, too
		found = append(found, f.syntaxErrors()...)
	}
	found = append(found, f.secrets()...)
	found = append(found, f.hidden()...)
	slices.SortStableFunc(found, func(a, b finding.Finding) int { return a.Anchor.Start - b.Anchor.Start })
	return found
}

// file is an input with what several rules need.
type file struct {
	Input
	added []diff.Line
}

// fact makes a finding at lines of the new side. Lines of 0 make one without an anchor.
func (f *file) fact(rule string, start, end int) finding.Finding {
	found := finding.Finding{
		Path:       f.File.Path(),
		Category:   finding.Bug,
		Confidence: 1,
		Source:     finding.FromFact,
		Rule:       rule,
	}
	if start < 1 {
		return found
	}
	found.Anchor = diff.Anchor{Path: f.File.Path(), Side: diff.New, Start: start, End: end}
	if f.File.HunkOf(found.Anchor) < 0 {
		found.Anchor = diff.Anchor{}
		return found
	}
	var quote []string
	for n := start; n <= end; n++ {
		if l, ok := f.File.Lookup(diff.New, n); ok {
			quote = append(quote, l.Text)
		}
	}
	found.Quote = strings.Join(quote, "\n")
	if f.After != nil {
		if s := f.After.Enclosing(start); s != nil {
			found.Scope = s.QualifiedName()
		}
	}
	return found
}

// isAdded says whether the change adds a line of the new file.
func (f *file) isAdded(n int) bool {
	_, ok := slices.BinarySearchFunc(f.added, n, func(l diff.Line, n int) int { return l.New - n })
	return ok
}

// TestPath says whether a path is that of a test, an example or a fixture, where wrong code and made-up credentials
// are often meant.
func TestPath(p string) bool {
	if enry.IsTest(p) {
		return true
	}
	lower := strings.ToLower(p)
	for _, part := range strings.Split(path.Dir(lower), "/") {
		switch part {
		case "test", "tests", "testing", "testdata", "fixture", "fixtures", "__tests__", "__mocks__", "__fixtures__", "mocks", "spec", "specs",
			"example", "examples", "sample", "samples", "e2e", "corpus", "snapshots", "__snapshots__", "cassettes":
			return true
		}
	}
	base := path.Base(lower)
	name := strings.TrimSuffix(base, path.Ext(base))
	return strings.HasPrefix(base, "test_") || strings.HasSuffix(name, "_test") || strings.HasSuffix(name, ".test") || strings.HasSuffix(name, ".spec") ||
		strings.HasSuffix(name, "_spec") || strings.HasSuffix(path.Base(p), "Test.java") || strings.HasSuffix(path.Base(p), "Tests.java") || name == "conftest"
}

// program says whether a path is code that runs.
func program(p string) bool {
	if ProsePath(p) {
		return false
	}
	name, _ := enry.GetLanguageByFilename(path.Base(p))
	if name == "" {
		name, _ = enry.GetLanguageByExtension(path.Base(p))
	}
	return enry.GetLanguageType(name) == enry.Programming
}

// ProsePath says whether a path is text for readers, where anything may be shown. linguist is not asked: it takes some .md
// for machine descriptions.
func ProsePath(p string) bool {
	switch strings.ToLower(path.Ext(p)) {
	case ".md", ".markdown", ".mdx", ".rst", ".txt", ".adoc", ".asciidoc", ".org", ".tex", ".textile", ".wiki", ".pod", ".rdoc":
		return true
	}
	return false
}
