package review

import (
	"context"
	"fmt"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// fix checks a finding's suggestion. One that applies and parses stays, mended if only its indentation was wrong. One
// that changes nothing goes. Every other is shown in the body as plain code, so that nobody commits it unread.
func (r *run) fix(ctx context.Context, s *subject, f finding.Finding) (finding.Finding, error) {
	if !f.HasSuggestion {
		return f, nil
	}
	text, why := r.checkSuggestion(ctx, s, &f)
	if err := ctx.Err(); err != nil {
		return f, fmt.Errorf("check suggestion for %s: %w", f.Path, err)
	}
	switch why {
	case "":
		f.Suggestion = text
	case nothingChanges:
		f.Suggestion, f.HasSuggestion = "", false
	default:
		if len(f.Suggestion) > maxCode {
			f.Suggestion, f.HasSuggestion = "", false
			break
		}
		f.Body = strings.TrimRight(f.Body, "\n") + "\n\n" + asCode(s, f.Suggestion)
		f.Suggestion, f.HasSuggestion = "", false
	}
	return f, nil
}

const (
	nothingChanges = "it changes nothing"
	// maxCode is the largest suggestion that is shown as plain code, in bytes.
	maxCode = 4 << 10
)

// checkSuggestion gives the replacement to offer, or why none can be offered.
func (r *run) checkSuggestion(ctx context.Context, s *subject, f *finding.Finding) (text, why string) {
	if problem := finding.SuggestionProblem(&r.change.Diff, f.Anchor, f.Suggestion); problem != "" {
		return "", problem
	}
	if f.Anchor.Side != diff.New || len(s.new) == 0 {
		return "", "the file is not known"
	}
	text = finding.Reindent(finding.AnchoredText(&r.change.Diff, f.Anchor), f.Suggestion)
	verdict, mended, err := r.parser.CheckSuggestion(ctx, syntax.Source{Path: s.path, Content: s.new}, f.Anchor.Start, f.Anchor.End, text)
	if err != nil {
		r.log.WarnContext(ctx, "suggestion was not checked", "error", err)
		return "", "the parser did not answer"
	}
	switch verdict {
	case syntax.VerdictOK:
		return text, ""
	case syntax.VerdictReindented:
		return mended, ""
	case syntax.VerdictNoChange:
		return "", nothingChanges
	case syntax.VerdictBreaks:
		return "", "it breaks the syntax of the file"
	case syntax.VerdictUnknown:
		return "", "the language of the file is not known"
	default:
		return "", "it was not checked"
	}
}

// asCode shows a suggestion as plain code, in a fence that is longer than any inside.
func asCode(s *subject, suggestion string) string {
	fence := "```"
	for strings.Contains(suggestion, fence) {
		fence += "`"
	}
	language := ""
	if s.after != nil {
		language = s.after.Language
	}
	return fmt.Sprintf("For example (to be adapted, it was not checked):\n\n%s%s\n%s\n%s", fence, language, strings.TrimRight(suggestion, "\n"), fence)
}
