// Package render writes what people read: comments, the walkthrough, check runs, and text for a terminal.
//
// It promises that nothing which a model or a pull request wrote can act on GitHub: no image, no link to elsewhere, no
// mention, no reference to an issue, no command, no HTML, no hidden character, no suggestion that was not checked, no
// marker of ours. It does no I/O, and the same input gives the same text.
package render

import (
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
)

// MaxBody is the longest body that GitHub takes for a comment or a review, in characters; ours are no longer in bytes.
const MaxBody = 65_536

// Bounds of the parts of a body, in bytes of markdown.
const (
	maxTitle  = 300
	maxBodyOf = 8 << 10 // the body of one finding
)

// Options are what all texts of one review share.
type Options struct {
	// Repository is "owner/name": links into its source stay links.
	Repository string
}

// Comment writes a finding as a comment on its lines, and the plainer bodies to try when GitHub refuses it: with the
// suggestion as plain code, then without it. A finding without a suggestion, or on deleted lines, has no
// fallbacks.
//
// All bodies end in the finding's hidden marker.
func Comment(f finding.Finding, o Options) (body string, fallbacks []string) {
	head := heading(f, o) + "\n\n"
	text := strings.TrimSpace(sanitize(f.Body, o.Repository, maxBodyOf))
	if text != "" {
		head += text + "\n\n"
	}
	tail := FindingMarker(f.Fingerprint) + "\n"
	plain := head + tail
	if !f.HasSuggestion || f.Anchor.Side != diff.New {
		return plain, nil
	}
	code := strings.TrimSuffix(newlines(f.Suggestion), "\n")
	asCode := head + "Suggested instead:\n\n" + fence(code, "") + "\n" + tail
	if code == "" {
		asCode = head + "Suggested instead: delete these lines.\n\n" + tail
	}
	if len(asCode) > MaxBody-100 {
		return plain, nil
	}
	if !faithful(code) {
		return asCode, []string{plain}
	}
	return head + fence(code, "suggestion") + "\n" + tail, []string{asCode, plain}
}

// faithful says whether code stands in a block exactly as it is: nothing hidden is shown, no line is moved, no marker
// taken out. Only then may a click commit it.
func faithful(code string) bool {
	return strings.HasPrefix(fence(code, ""), "`") && shown(unmarked(code)) == code && longestRun(code, '`') <= 100
}

// heading is the first line of a finding: how bad, of what kind, and what.
func heading(f finding.Finding, o Options) string {
	words := badge(f.Severity)
	if f.Category != "" {
		words += " · " + string(f.Category)
	}
	return "**" + words + "** — **" + title(f, o) + "**"
}

// title is a finding's title on one line.
func title(f finding.Finding, o Options) string {
	if strings.TrimSpace(f.Title) == "" {
		return "A problem in these lines"
	}
	return line(f.Title, o.Repository, maxTitle, false)
}

// badge writes a severity with a colour that is told apart at a glance.
func badge(s finding.Severity) string {
	switch s {
	case finding.Critical:
		return "🔴 Critical"
	case finding.High:
		return "🟠 High"
	case finding.Medium:
		return "🟡 Medium"
	case finding.Low:
		return "🔵 Low"
	case finding.Info:
		return "⚪ Info"
	case finding.SeverityUnknown:
	}
	return "⚪ Finding"
}
