package pbconv

import (
	"math"
	"time"

	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"
	"github.com/openrabbit/openrabbit/internal/review"
)

// Roles of a review.Message.
const (
	roleSystem    = "system"
	roleUser      = "user"
	roleAssistant = "assistant"
)

// ModelRequestToProto converts a question. PromptHash and Pass do not travel: they belong to the checkpoints, which the
// model tier knows nothing of. The purpose is the schema's name.
func ModelRequestToProto(q review.ModelRequest) *llmv1.CompleteRequest {
	out := &llmv1.CompleteRequest{
		Tier:            TierToProto(q.Tier),
		MaxOutputTokens: clampUint32(q.MaxOutputTokens),
		Purpose:         q.SchemaName,
	}
	for _, m := range q.Messages {
		out.Messages = append(out.Messages, &llmv1.Message{Role: RoleToProto(m.Role), Content: m.Content})
	}
	if q.Schema != "" || q.SchemaName != "" {
		out.Schema = &llmv1.Schema{Name: q.SchemaName, Json: q.Schema}
	}
	return out
}

// ModelRequestFromProto converts a question back; PromptHash and Pass are zero.
func ModelRequestFromProto(in *llmv1.CompleteRequest) review.ModelRequest {
	out := review.ModelRequest{
		Tier:            TierFromProto(in.GetTier()),
		SchemaName:      in.GetSchema().GetName(),
		Schema:          in.GetSchema().GetJson(),
		MaxOutputTokens: int(in.GetMaxOutputTokens()),
	}
	for _, m := range in.GetMessages() {
		out.Messages = append(out.Messages, review.Message{Role: RoleFromProto(m.GetRole()), Content: m.GetContent()})
	}
	return out
}

// ModelAnswerToProto converts an answer. OutcomeBudget and Stored are the ledger's own and do not travel.
func ModelAnswerToProto(a review.ModelAnswer) *llmv1.CompleteResponse {
	return &llmv1.CompleteResponse{
		Outcome:      OutcomeToProto(a.Outcome),
		Content:      a.Content,
		Model:        a.Model,
		Usage:        ModelUsageToProto(a.Usage),
		RetryAfterMs: DurationToMillis(a.RetryAfter),
		Detail:       a.Detail,
	}
}

// ModelAnswerFromProto converts an answer back.
func ModelAnswerFromProto(in *llmv1.CompleteResponse) review.ModelAnswer {
	return review.ModelAnswer{
		Outcome:    OutcomeFromProto(in.GetOutcome()),
		Content:    in.GetContent(),
		Model:      in.GetModel(),
		Usage:      ModelUsageFromProto(in.GetUsage()),
		RetryAfter: DurationFromMillis(in.GetRetryAfterMs()),
		Detail:     in.GetDetail(),
	}
}

// ModelUsageToProto converts what calls took. Negative numbers are 0.
func ModelUsageToProto(u review.Usage) *llmv1.Usage {
	return &llmv1.Usage{
		InputTokens:  clampUint64(u.InputTokens),
		OutputTokens: clampUint64(u.OutputTokens),
		CostMicros:   clampUint64(u.CostMicros),
		Requests:     clampUint32(u.Calls),
	}
}

// ModelUsageFromProto converts what calls took; which of the input was cached and what was estimated is not kept.
func ModelUsageFromProto(in *llmv1.Usage) review.Usage {
	return review.Usage{
		InputTokens:  clampInt64(in.GetInputTokens()),
		OutputTokens: clampInt64(in.GetOutputTokens()),
		CostMicros:   clampInt64(in.GetCostMicros()),
		Calls:        int(in.GetRequests()),
	}
}

// TierToProto converts a tier; one that is not known is not said.
func TierToProto(t review.Tier) llmv1.Tier {
	switch t {
	case review.Fast:
		return llmv1.Tier_TIER_FAST
	case review.Main:
		return llmv1.Tier_TIER_MAIN
	default:
		return llmv1.Tier_TIER_UNSPECIFIED
	}
}

// TierFromProto converts a tier. The domain asks no embedding tier, so that one is not said either.
func TierFromProto(t llmv1.Tier) review.Tier {
	switch t {
	case llmv1.Tier_TIER_FAST:
		return review.Fast
	case llmv1.Tier_TIER_MAIN:
		return review.Main
	default:
		return ""
	}
}

// RoleToProto converts who speaks; a role that is not known is not said, and the model tier refuses it.
func RoleToProto(role string) llmv1.Role {
	switch role {
	case roleSystem:
		return llmv1.Role_ROLE_SYSTEM
	case roleUser:
		return llmv1.Role_ROLE_USER
	case roleAssistant:
		return llmv1.Role_ROLE_ASSISTANT
	default:
		return llmv1.Role_ROLE_UNSPECIFIED
	}
}

// RoleFromProto converts who speaks; empty for one that is not said.
func RoleFromProto(role llmv1.Role) string {
	switch role {
	case llmv1.Role_ROLE_SYSTEM:
		return roleSystem
	case llmv1.Role_ROLE_USER:
		return roleUser
	case llmv1.Role_ROLE_ASSISTANT:
		return roleAssistant
	default:
		return ""
	}
}

// OutcomeToProto converts what came of a question. OutcomeBudget never reaches the model tier and is not said.
func OutcomeToProto(o review.Outcome) llmv1.Outcome {
	switch o {
	case review.OutcomeOK:
		return llmv1.Outcome_OUTCOME_OK
	case review.OutcomeTruncated:
		return llmv1.Outcome_OUTCOME_TRUNCATED
	case review.OutcomeRefused:
		return llmv1.Outcome_OUTCOME_REFUSED
	case review.OutcomeEmpty:
		return llmv1.Outcome_OUTCOME_EMPTY
	case review.OutcomeInvalid:
		return llmv1.Outcome_OUTCOME_INVALID
	case review.OutcomeTooLong:
		return llmv1.Outcome_OUTCOME_TOO_LONG
	case review.OutcomeRateLimited:
		return llmv1.Outcome_OUTCOME_RATE_LIMITED
	case review.OutcomeUnavailable:
		return llmv1.Outcome_OUTCOME_UNAVAILABLE
	default:
		return llmv1.Outcome_OUTCOME_UNSPECIFIED
	}
}

// OutcomeFromProto converts what came of a question. A value that is not known (a newer model tier's) counts as
// invalid: its content is not to be trusted.
func OutcomeFromProto(o llmv1.Outcome) review.Outcome {
	switch o {
	case llmv1.Outcome_OUTCOME_OK:
		return review.OutcomeOK
	case llmv1.Outcome_OUTCOME_TRUNCATED:
		return review.OutcomeTruncated
	case llmv1.Outcome_OUTCOME_REFUSED:
		return review.OutcomeRefused
	case llmv1.Outcome_OUTCOME_EMPTY:
		return review.OutcomeEmpty
	case llmv1.Outcome_OUTCOME_INVALID:
		return review.OutcomeInvalid
	case llmv1.Outcome_OUTCOME_TOO_LONG:
		return review.OutcomeTooLong
	case llmv1.Outcome_OUTCOME_RATE_LIMITED:
		return review.OutcomeRateLimited
	case llmv1.Outcome_OUTCOME_UNAVAILABLE:
		return review.OutcomeUnavailable
	default:
		return review.OutcomeInvalid
	}
}

// DurationToMillis gives whole milliseconds, rounded up so that nobody asks again too early; 0 for none.
func DurationToMillis(d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	ms := d / time.Millisecond
	if d%time.Millisecond != 0 {
		ms++
	}
	return uint64(ms)
}

// DurationFromMillis gives the duration, at most the longest there is.
func DurationFromMillis(ms uint64) time.Duration {
	const most = uint64(math.MaxInt64 / int64(time.Millisecond))
	return time.Duration(min(ms, most)) * time.Millisecond
}

func clampUint32(n int) uint32 {
	if n <= 0 {
		return 0
	}
	return uint32(min(int64(n), math.MaxUint32))
}

func clampUint64(n int64) uint64 { return uint64(max(n, 0)) }

func clampInt64(n uint64) int64 { return int64(min(n, uint64(math.MaxInt64))) }
