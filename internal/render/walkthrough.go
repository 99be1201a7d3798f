package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
)

// ConfigProblem is a mistake in `.openrabbit.yaml`.
type ConfigProblem struct {
	// Line is 1-based, 0 when the problem has none.
	Line    int
	Message string
	// Fatal is set when the file was ignored because of it.
	Fatal bool
}

// Meta is what is known of a review beside its result.
type Meta struct {
	// Repository is "owner/name".
	Repository string
	Number     int
	// Head is the revision.
	Head  string
	State review.State
	// Reason says why a review was skipped, cancelled or failed, in a phrase.
	Reason string
	// Stage is where a running review is.
	Stage review.Stage
	// ReviewMarker is what Marker gave.
	ReviewMarker   string
	ConfigProblems []ConfigProblem
	// Refused are findings whose comment GitHub took in no form: the walkthrough tells them.
	Refused []finding.Fingerprint
	// FailOn is the severity from which on the check run fails; zero for never.
	FailOn finding.Severity
}

// Walkthrough is the one summary comment of a pull request, which is edited in place.
type Walkthrough struct {
	Meta
	// Result is nil while there is none.
	Result *review.Result
}

// Placement is where the findings of a result are told. Each stands in exactly one of the lists.
type Placement struct {
	// Comments stand on their lines.
	Comments []finding.Finding
	// Unplaced have no lines in the diff, or GitHub refused them there.
	Unplaced []finding.Finding
	// Beyond are over the cap of comments.
	Beyond []finding.Finding
}

// Place says where each finding of a result is told: the first MaxComments with an anchor as comments.
func Place(r *review.Result, refused []finding.Fingerprint) Placement {
	var p Placement
	if r == nil {
		return p
	}
	limit := r.MaxComments
	if limit <= 0 {
		limit = 10
	}
	placed := 0
	for _, f := range r.Findings {
		switch {
		case !f.Anchored():
			p.Unplaced = append(p.Unplaced, f)
		case placed >= limit:
			p.Beyond = append(p.Beyond, f)
		default:
			placed++
			if f.Fingerprint != "" && slices.Contains(refused, f.Fingerprint) {
				p.Unplaced = append(p.Unplaced, f)
			} else {
				p.Comments = append(p.Comments, f)
			}
		}
	}
	return p
}

// room is how much each part of a walkthrough may take.
type room struct {
	summary, finding           int // bytes of one text
	findings, beyond           int // how many are listed
	changes, omissions, config int
}

// Render writes the walkthrough's body, never longer than MaxBody: what does not fit is counted.
func (w Walkthrough) Render() string {
	r := room{summary: 6 << 10, finding: 4 << 10, findings: 30, beyond: 50, changes: 150, omissions: 200, config: 20}
	for {
		body := w.render(r)
		if len(body) <= MaxBody {
			return body
		}
		r = room{r.summary / 2, r.finding / 2, r.findings * 2 / 3, r.beyond * 2 / 3, r.changes / 2, r.omissions / 2, r.config / 2}
	}
}

func (w Walkthrough) render(r room) string {
	var b strings.Builder
	b.WriteString(walkthroughMarker + "\n## 🐇 OpenRabbit\n\n")
	b.WriteString(w.stateLine() + "\n\n")
	w.config(&b, r)
	if w.Result != nil {
		place := Place(w.Result, w.Refused)
		for _, note := range w.Result.Notes[:min(len(w.Result.Notes), 10)] {
			b.WriteString("> " + line(note, w.Repository, 500, false) + "\n\n")
		}
		w.unplaced(&b, place.Unplaced, r)
		w.summary(&b, r)
		w.beyond(&b, place.Beyond, r)
		w.changes(&b, r)
		w.flow(&b)
		w.omissions(&b, r)
		w.footer(&b)
	}
	if w.ReviewMarker != "" {
		b.WriteString(w.ReviewMarker + "\n")
	}
	return b.String()
}

// stateLine says in one line how the review stands.
func (w Walkthrough) stateLine() string {
	head := revision(w.Head)
	reason := ""
	if w.Reason != "" {
		reason = ": " + strings.TrimRight(line(w.Reason, w.Repository, 500, false), ".")
	}
	switch w.State {
	case review.Queued:
		return "⏳ Waiting to review" + head + "."
	case review.Running:
		if doing := stageWords(w.Stage); doing != "" {
			return "⏳ Reviewing" + head + ": " + doing + "."
		}
		return "⏳ Reviewing" + head + "."
	case review.Clean:
		return "✅ **No findings**" + in(head) + "."
	case review.Findings:
		return "💬 **" + w.counted() + "**" + in(head) + "."
	case review.Partial:
		if reason == "" && w.Result != nil && w.Result.PartialReason != "" {
			reason = ": " + strings.TrimRight(line(w.Result.PartialReason, w.Repository, 500, false), ".")
		}
		return "🚧 **Reviewed in part**" + in(head) + reason + ". " + capital(w.counted()) + "."
	case review.Skipped:
		return "⏩ **Not reviewed**" + in(head) + reason + "."
	case review.Superseded:
		return "⏩ The review of" + head + " was given up: a newer revision arrived."
	case review.Cancelled:
		return "🚫 **Cancelled**" + in(head) + reason + "."
	case review.Failed:
		return "❌ **The review failed**" + in(head) + reason + "."
	}
	return "⏳ Reviewing" + head + "."
}

func in(head string) string {
	if head == "" {
		return ""
	}
	return " in" + head
}

// revision writes a commit's short name after a blank.
func revision(head string) string {
	if len(head) < 7 || strings.Trim(head, "0123456789abcdef") != "" {
		return ""
	}
	return " `" + head[:7] + "`"
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// counted writes "3 findings (1 high, 2 low)".
func (w Walkthrough) counted() string {
	if w.Result == nil {
		return "no findings"
	}
	return countFindings(w.Result.Findings)
}

func countFindings(fs []finding.Finding) string {
	if len(fs) == 0 {
		return "no findings"
	}
	counts := map[finding.Severity]int{}
	for _, f := range fs {
		counts[f.Severity]++
	}
	var parts []string
	for s := finding.Critical; s > finding.SeverityUnknown; s-- {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	text := count(len(fs), "finding")
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func stageWords(s review.Stage) string {
	switch s {
	case review.StageLoad:
		return "reading the change"
	case review.StageAnalyze:
		return "analysing the code"
	case review.StageRetrieve:
		return "looking for related code"
	case review.StageReview:
		return "reading for problems"
	case review.StageVerify:
		return "checking what was found"
	case review.StagePublish:
		return "writing it down"
	}
	return ""
}
