package pbconv

import (
	"math"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	reviewv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/review/v1"
	"github.com/openrabbit/openrabbit/internal/review"
)

// ReviewStateToProto converts the state of a review; one that is not known is not said.
func ReviewStateToProto(s review.State) reviewv1.State {
	switch s {
	case review.Queued:
		return reviewv1.State_STATE_QUEUED
	case review.Running:
		return reviewv1.State_STATE_RUNNING
	case review.Clean:
		return reviewv1.State_STATE_CLEAN
	case review.Findings:
		return reviewv1.State_STATE_FINDINGS
	case review.Partial:
		return reviewv1.State_STATE_PARTIAL
	case review.Skipped:
		return reviewv1.State_STATE_SKIPPED
	case review.Superseded:
		return reviewv1.State_STATE_SUPERSEDED
	case review.Cancelled:
		return reviewv1.State_STATE_CANCELLED
	case review.Failed:
		return reviewv1.State_STATE_FAILED
	default:
		return reviewv1.State_STATE_UNSPECIFIED
	}
}

// ReviewStateFromProto converts a state back; empty for one that is not said.
func ReviewStateFromProto(s reviewv1.State) review.State {
	switch s {
	case reviewv1.State_STATE_QUEUED:
		return review.Queued
	case reviewv1.State_STATE_RUNNING:
		return review.Running
	case reviewv1.State_STATE_CLEAN:
		return review.Clean
	case reviewv1.State_STATE_FINDINGS:
		return review.Findings
	case reviewv1.State_STATE_PARTIAL:
		return review.Partial
	case reviewv1.State_STATE_SKIPPED:
		return review.Skipped
	case reviewv1.State_STATE_SUPERSEDED:
		return review.Superseded
	case reviewv1.State_STATE_CANCELLED:
		return review.Cancelled
	case reviewv1.State_STATE_FAILED:
		return review.Failed
	default:
		return ""
	}
}

// ReviewSeverityToProto converts how bad a finding is.
func ReviewSeverityToProto(s finding.Severity) reviewv1.Severity {
	switch s {
	case finding.Info:
		return reviewv1.Severity_SEVERITY_INFO
	case finding.Low:
		return reviewv1.Severity_SEVERITY_LOW
	case finding.Medium:
		return reviewv1.Severity_SEVERITY_MEDIUM
	case finding.High:
		return reviewv1.Severity_SEVERITY_HIGH
	case finding.Critical:
		return reviewv1.Severity_SEVERITY_CRITICAL
	default:
		return reviewv1.Severity_SEVERITY_UNSPECIFIED
	}
}

// ReviewSeverityFromProto converts a severity back.
func ReviewSeverityFromProto(s reviewv1.Severity) finding.Severity {
	switch s {
	case reviewv1.Severity_SEVERITY_INFO:
		return finding.Info
	case reviewv1.Severity_SEVERITY_LOW:
		return finding.Low
	case reviewv1.Severity_SEVERITY_MEDIUM:
		return finding.Medium
	case reviewv1.Severity_SEVERITY_HIGH:
		return finding.High
	case reviewv1.Severity_SEVERITY_CRITICAL:
		return finding.Critical
	default:
		return finding.SeverityUnknown
	}
}

// ReviewSideToProto converts a side of a diff.
func ReviewSideToProto(s diff.Side) reviewv1.Side {
	switch s {
	case diff.Old:
		return reviewv1.Side_SIDE_OLD
	case diff.New:
		return reviewv1.Side_SIDE_NEW
	default:
		return reviewv1.Side_SIDE_UNSPECIFIED
	}
}

// ReviewSideFromProto converts a side back.
func ReviewSideFromProto(s reviewv1.Side) diff.Side {
	switch s {
	case reviewv1.Side_SIDE_OLD:
		return diff.Old
	case reviewv1.Side_SIDE_NEW:
		return diff.New
	default:
		return diff.SideUnknown
	}
}

// ReviewFindingToProto converts a finding. Its scope, source, rule and quote stay with us, and an empty suggestion
// (delete the lines) is not told from none.
func ReviewFindingToProto(f finding.Finding) *reviewv1.Finding {
	return &reviewv1.Finding{
		Path:        valid(f.Path),
		Side:        ReviewSideToProto(f.Anchor.Side),
		StartLine:   clampUint32(f.Anchor.Start),
		EndLine:     clampUint32(f.Anchor.End),
		Severity:    ReviewSeverityToProto(f.Severity),
		Category:    valid(string(f.Category)),
		Title:       valid(f.Title),
		Body:        valid(f.Body),
		Suggestion:  valid(f.Suggestion),
		Confidence:  f.Confidence,
		Fingerprint: valid(string(f.Fingerprint)),
		Anchored:    f.Anchored(),
	}
}

// ReviewFindingFromProto converts a finding back.
func ReviewFindingFromProto(in *reviewv1.Finding) finding.Finding {
	f := finding.Finding{
		Path:          in.GetPath(),
		Severity:      ReviewSeverityFromProto(in.GetSeverity()),
		Category:      finding.Category(in.GetCategory()),
		Title:         in.GetTitle(),
		Body:          in.GetBody(),
		Suggestion:    in.GetSuggestion(),
		HasSuggestion: in.GetSuggestion() != "",
		Confidence:    in.GetConfidence(),
		Fingerprint:   finding.Fingerprint(in.GetFingerprint()),
	}
	if in.GetAnchored() {
		f.Anchor = diff.Anchor{
			Path: f.Path, Side: ReviewSideFromProto(in.GetSide()),
			Start: int(in.GetStartLine()), End: int(in.GetEndLine()),
		}
	}
	return f
}

// ReviewOmissionToProto converts an omission; whether it was left out by policy is not said.
func ReviewOmissionToProto(o finding.Omission) *reviewv1.Omission {
	return &reviewv1.Omission{Path: valid(o.Path), Reason: valid(o.Reason)}
}

// ReviewOmissionFromProto converts an omission back.
func ReviewOmissionFromProto(in *reviewv1.Omission) finding.Omission {
	return finding.Omission{Path: in.GetPath(), Reason: in.GetReason()}
}

// ReviewUsageToProto converts what a review took. Negative numbers are 0.
func ReviewUsageToProto(u review.Usage) *reviewv1.Usage {
	return &reviewv1.Usage{
		InputTokens:  clampUint64(u.InputTokens),
		OutputTokens: clampUint64(u.OutputTokens),
		CostMicros:   clampUint64(u.CostMicros),
		Calls:        clampUint32(u.Calls),
	}
}

// ReviewUsageFromProto converts what a review took.
func ReviewUsageFromProto(in *reviewv1.Usage) review.Usage {
	return review.Usage{
		InputTokens:  clampInt64(in.GetInputTokens()),
		OutputTokens: clampInt64(in.GetOutputTokens()),
		CostMicros:   clampInt64(in.GetCostMicros()),
		Calls:        int(min(in.GetCalls(), math.MaxInt32)),
	}
}

// ReviewResultToProto puts what was found into a review: its summary, findings and omissions. A nil result leaves them.
func ReviewResultToProto(r *review.Result, into *reviewv1.Review) {
	if r == nil {
		return
	}
	into.Summary = valid(r.Summary)
	into.Findings, into.Omissions = nil, nil
	for _, f := range r.Findings {
		into.Findings = append(into.Findings, ReviewFindingToProto(f))
	}
	for _, o := range r.Omissions {
		into.Omissions = append(into.Omissions, ReviewOmissionToProto(o))
	}
}

// valid makes text fit for the wire, where what is not UTF-8 cannot be sent at all.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
