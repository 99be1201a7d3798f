// Package finding turns what a model states (a Candidate) into what may be posted (a Finding): it finds the quoted
// code in the diff, checks the suggestion, and gives the finding a fingerprint that outlives line numbers. It follows a
// finding's code into newer revisions (Carry), and says whether two findings mean the same problem (Same).
//
// It promises never to guess: a quote that is ambiguous or nowhere gives a finding without an anchor, code whose fate
// cannot be told gives an unknown one, and two findings that may be two problems are two.
package finding

import (
	"fmt"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// Severity is how bad a finding is. The zero value means "not said".
type Severity uint8

// The severities, ordered.
const (
	SeverityUnknown Severity = iota
	Info
	Low
	Medium
	High
	Critical
)

var severityNames = [...]string{"", "info", "low", "medium", "high", "critical"}

// String gives the word of the outside contract.
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return ""
}

// ParseSeverity reads the word of the outside contract, in any case.
func ParseSeverity(word string) (Severity, error) {
	for i, name := range severityNames[1:] {
		if strings.EqualFold(strings.TrimSpace(word), name) {
			return Severity(i + 1), nil
		}
	}
	return SeverityUnknown, fmt.Errorf("severity %q: want critical, high, medium, low or info", word)
}

// MarshalText writes the word of the outside contract.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word of the outside contract; empty text is "not said".
func (s *Severity) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = SeverityUnknown
		return nil
	}
	v, err := ParseSeverity(string(text))
	if err != nil {
		return err
	}
	*s = v
	return nil
}

// Category is what a finding is about. The zero value means "not said".
type Category string

// The categories.
const (
	Bug             Category = "bug"
	Security        Category = "security"
	Performance     Category = "performance"
	Concurrency     Category = "concurrency"
	API             Category = "api"
	Test            Category = "test"
	Maintainability Category = "maintainability"
)

// ParseCategory reads the word of the outside contract, in any case.
func ParseCategory(word string) (Category, error) {
	switch c := Category(strings.ToLower(strings.TrimSpace(word))); c {
	case Bug, Security, Performance, Concurrency, API, Test, Maintainability:
		return c, nil
	}
	return "", fmt.Errorf("category %q: want bug, security, performance, concurrency, api, test or maintainability", word)
}

// Source says who found it.
type Source string

// The sources: a model, or a deterministic fact.
const (
	FromModel Source = "model"
	FromFact  Source = "fact"
)

// Candidate is a problem as the model stated it. Nothing in it is trusted.
type Candidate struct {
	Path string `json:"path"`
	// Quote is the code, verbatim; StartLine and EndLine are hints.
	Quote      string   `json:"quote"`
	StartLine  int      `json:"start_line"`
	EndLine    int      `json:"end_line"`
	Severity   string   `json:"severity"`
	Category   string   `json:"category"`
	Title      string   `json:"title"`
	Body       string   `json:"body"`
	Suggestion string   `json:"suggestion"`
	Confidence float64  `json:"confidence"`
	_          struct{} // keyed literals only
}

// Finding is a candidate that passed verification and validation, or a fact.
type Finding struct {
	// Anchor is zero when the finding has no place in the diff; Path is set all the same.
	Anchor   diff.Anchor `json:"anchor"`
	Path     string      `json:"path"`
	Severity Severity    `json:"severity"`
	Category Category    `json:"category"`
	Title    string      `json:"title"`
	Body     string      `json:"body"`
	// Suggestion replaces exactly the anchored lines; HasSuggestion tells an empty one (delete the lines) from none.
	Suggestion    string  `json:"suggestion,omitempty"`
	HasSuggestion bool    `json:"has_suggestion,omitempty"`
	Confidence    float64 `json:"confidence"`
	// Scope is the qualified name of the enclosing definition, empty outside any.
	Scope       string      `json:"scope,omitempty"`
	Fingerprint Fingerprint `json:"fingerprint"`
	Source      Source      `json:"source"`
	// Rule names the fact ("secret", "syntax_error", "conflict_marker"); empty for a model's finding.
	Rule string `json:"rule,omitempty"`
	// Quote is the anchored code, or the candidate's quote when there is no anchor.
	Quote string `json:"quote,omitempty"`
}

// Anchored says whether the finding has a place in the diff.
func (f *Finding) Anchored() bool { return !f.Anchor.IsZero() }

// Fingerprint identifies a finding across revisions: "v1:" and 32 hexadecimal digits.
type Fingerprint string

// Omission is something that should or could have been reviewed and was not.
type Omission struct {
	// Path is empty when it is not about one file.
	Path string `json:"path,omitempty"`
	// Reason is a phrase for a reader: "lock file", "generated", "too large", "no model is configured".
	Reason string `json:"reason"`
	// Policy is set for what is left out by rule (lock files, generated files, filters): it makes no review partial.
	Policy bool `json:"policy,omitempty"`
}
