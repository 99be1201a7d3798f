package render

import (
	"strings"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
)

// Conclusion is how a check run ended, in GitHub's words. The empty one means that it has not.
type Conclusion string

// The conclusions.
const (
	Success   Conclusion = "success"
	Neutral   Conclusion = "neutral"
	Failure   Conclusion = "failure"
	Skipped   Conclusion = "skipped"
	Cancelled Conclusion = "cancelled"
)

// Conclude says how a check run ends for the state of a review. Only a review that found nothing and left nothing out
// is a success. One with findings, or a partial one, is neutral; it fails when failOn is set and a finding is at least
// as severe.
func Conclude(state review.State, r *review.Result, failOn finding.Severity) Conclusion {
	switch state {
	case review.Clean:
		return Success
	case review.Findings, review.Partial:
		if r != nil && failOn > finding.SeverityUnknown {
			for _, f := range r.Findings {
				if f.Severity >= failOn {
					return Failure
				}
			}
		}
		return Neutral
	case review.Skipped:
		return Skipped
	case review.Superseded, review.Cancelled:
		return Cancelled
	case review.Failed:
		return Failure
	case review.Queued, review.Running:
	}
	return ""
}

// Check is the text of a check run.
type Check struct {
	Conclusion Conclusion
	// Title has no markup and at most 200 bytes; Summary is markdown of at most 65,535 bytes.
	Title, Summary string
}

// maxCheckSummary is the longest summary that GitHub takes, in bytes.
const maxCheckSummary = 65_535

// CheckRun writes a review's check run.
func CheckRun(w Walkthrough) Check {
	c := Check{Conclusion: Conclude(w.State, w.Result, w.FailOn), Title: w.checkTitle()}
	var b strings.Builder
	b.WriteString(w.stateLine() + "\n\n")
	w.config(&b, room{config: 20})
	if w.Result != nil {
		for _, note := range w.Result.Notes[:min(len(w.Result.Notes), 10)] {
			b.WriteString("> " + line(note, w.Repository, 500, false) + "\n\n")
		}
		for i, f := range w.Result.Findings {
			if i == 50 {
				more(&b, len(w.Result.Findings)-i)
				break
			}
			b.WriteString("- " + badge(f.Severity) + ": " + title(f, Options{Repository: w.Repository}))
			if where := place(f); where != "" {
				b.WriteString(" (" + where + ")")
			}
			b.WriteByte('\n')
		}
		if len(w.Result.Findings) > 0 {
			b.WriteByte('\n')
		}
		w.omissions(&b, room{omissions: 50})
		w.footer(&b)
	}
	c.Summary = b.String()
	if len(c.Summary) > maxCheckSummary {
		c.Summary = w.stateLine() + "\n"
	}
	return c
}

// checkTitle is the state in a few plain words.
func (w Walkthrough) checkTitle() string {
	reason := plainLine(w.Reason, 120)
	with := func(words string) string {
		if reason == "" {
			return words
		}
		return words + ": " + reason
	}
	switch w.State {
	case review.Clean:
		return "No findings"
	case review.Findings:
		return w.counted()
	case review.Partial:
		return "Reviewed in part, " + w.counted()
	case review.Skipped:
		return with("Not reviewed")
	case review.Superseded:
		return "Superseded by a newer revision"
	case review.Cancelled:
		return with("Cancelled")
	case review.Failed:
		return with("The review failed")
	case review.Queued:
		return "Waiting"
	case review.Running:
	}
	if doing := stageWords(w.Stage); doing != "" {
		return capital(doing)
	}
	return "Reviewing"
}
