package facts

import (
	"fmt"
	"strings"

	"github.com/openrabbit/openrabbit/internal/finding"
)

// secrets reports the credentials on added lines, one a line. What is found is never in the text.
func (f *file) secrets() []finding.Finding {
	var found []finding.Finding
	seen := map[int]bool{}
	test := TestPath(f.File.NewPath)
	for _, s := range f.Secrets {
		if seen[s.Line] || !f.isAdded(s.Line) || test && s.Generic || strings.Contains(s.Masked, "gitleaks:allow") {
			continue
		}
		seen[s.Line] = true
		found = append(found, f.secret(s, test))
	}
	return found
}

func (f *file) secret(s Secret, test bool) finding.Finding {
	found := f.fact(RuleSecret, s.Line, s.Line)
	found.Quote = s.Masked
	found.Category = finding.Security
	found.Severity = finding.High
	found.Title = fmt.Sprintf("A credential is committed (%s)", s.Rule)
	what := "what looks like a credential"
	if d := kind(s.Description); d != "" {
		what = "what looks like a credential: " + d
	}
	found.Body = fmt.Sprintf("Line %d adds %s. Everybody who can read the repository can use it, and it stays in the history when the line is deleted later. "+
		"Revoke it where it was issued, and let the program read it from its environment or a secret store.", s.Line, what)
	switch {
	case test:
		found.Severity = finding.Low
		found.Body += " If it is made up for a test, `gitleaks:allow` in a comment on the line says so."
	case s.Generic:
		found.Severity = finding.Medium
		found.Confidence = 0.6
		found.Body += " It was found by the name it is given, not by its form; if it is no secret, `gitleaks:allow` in a comment on the line says so."
	}
	return found
}

// kind takes the noun out of gitleaks' sentence: "Uncovered a GitHub Personal Access Token, potentially leading to…".
func kind(description string) string {
	d, _, _ := strings.Cut(description, ",")
	d = strings.TrimSuffix(strings.TrimSpace(d), ".")
	for _, verb := range []string{"Uncovered ", "Detected ", "Identified ", "Discovered ", "Found ", "Possible "} {
		d = strings.TrimPrefix(d, verb)
	}
	if d == "" || len(d) > 120 {
		return ""
	}
	return strings.ToLower(d[:1]) + d[1:]
}
