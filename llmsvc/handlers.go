package llmsvc

import (
	"context"
	"errors"
	"math"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/review"
)

// handlers serve LLMService: convert, call, convert.
type handlers struct {
	llmv1.UnimplementedLLMServiceServer
	service *Service
}

var _ llmv1.LLMServiceServer = (*handlers)(nil)

// Complete implements LLMService.
func (h *handlers) Complete(ctx context.Context, in *llmv1.CompleteRequest) (*llmv1.CompleteResponse, error) {
	q, err := h.service.questionFrom(in)
	if err != nil {
		return nil, rpcError(ctx, err)
	}
	got, err := h.service.complete(ctx, q)
	if err != nil {
		return nil, rpcError(ctx, err)
	}
	return &llmv1.CompleteResponse{
		Outcome:      pbconv.OutcomeToProto(got.outcome),
		Content:      got.content,
		Model:        got.model,
		Usage:        usageToProto(got.spent),
		RetryAfterMs: pbconv.DurationToMillis(got.retryAfter),
		Detail:       got.detail,
	}, nil
}

// questionFrom reads and checks a question.
func (s *Service) questionFrom(in *llmv1.CompleteRequest) (question, error) {
	q := question{
		tier: pbconv.TierFromProto(in.GetTier()), maxOutput: int(in.GetMaxOutputTokens()),
		temperature: in.Temperature, seed: in.Seed, purpose: in.GetPurpose(), model: in.GetModel(),
		group: in.GetReview(), ceiling: int64(min(in.GetMaxTotalTokens(), math.MaxInt64)),
	}
	if in.GetTier() == llmv1.Tier_TIER_EMBED {
		return q, badArgument("the embedding tier completes nothing")
	}
	if q.tier == "" {
		q.tier = review.Main
	}
	switch n := len(in.GetMessages()); {
	case n == 0:
		return q, badArgument("there is no message")
	case n > maxMessages:
		return q, badArgument("there are %d messages, more than %d", n, maxMessages)
	}
	for i, m := range in.GetMessages() {
		r, ok := map[llmv1.Role]role{
			llmv1.Role_ROLE_SYSTEM: roleSystem, llmv1.Role_ROLE_USER: roleUser, llmv1.Role_ROLE_ASSISTANT: roleAssistant,
		}[m.GetRole()]
		if !ok {
			return q, badArgument("message %d: its role is not said", i)
		}
		if m.GetContent() == "" {
			return q, badArgument("message %d is empty", i)
		}
		q.messages = append(q.messages, message{role: r, content: m.GetContent()})
	}
	if in.Schema != nil {
		form, err := s.schemas.get(in.GetSchema().GetName(), in.GetSchema().GetJson())
		if err != nil {
			return q, badArgument("%v", err)
		}
		q.schema = form
		if q.purpose == "" {
			q.purpose = form.name
		}
	}
	if t := q.temperature; t != nil && (math.IsNaN(*t) || *t < 0 || *t > 2) {
		return q, badArgument("the temperature %v is not from 0 to 2", *t)
	}
	if q.maxOutput > maxOutputTokensAsk {
		return q, badArgument("%d tokens of answer are more than %d", q.maxOutput, maxOutputTokensAsk)
	}
	return q, nil
}

// Embed implements LLMService.
func (h *handlers) Embed(ctx context.Context, in *llmv1.EmbedRequest) (*llmv1.EmbedResponse, error) {
	if in.GetDimensions() > maxDimensionsWanted {
		return nil, rpcError(ctx, badArgument("%d dimensions are more than %d", in.GetDimensions(), maxDimensionsWanted))
	}
	got, err := h.service.embed(ctx, in.GetReview(), in.GetTexts(), int(in.GetDimensions()))
	if err != nil {
		return nil, rpcError(ctx, err)
	}
	out := &llmv1.EmbedResponse{Model: got.model, Usage: usageToProto(got.spent), Vectors: make([]*llmv1.Vector, len(got.vectors))}
	for i, v := range got.vectors {
		out.Vectors[i] = &llmv1.Vector{Values: v}
	}
	return out, nil
}

// CountTokens implements LLMService. Without a model it estimates.
func (h *handlers) CountTokens(ctx context.Context, in *llmv1.CountTokensRequest) (*llmv1.CountTokensResponse, error) {
	if len(in.GetTexts()) > maxTexts {
		return nil, rpcError(ctx, badArgument("there are %d texts, more than %d", len(in.GetTexts()), maxTexts))
	}
	tier := pbconv.TierFromProto(in.GetTier())
	if in.GetTier() == llmv1.Tier_TIER_EMBED {
		tier = tierEmbed
	}
	counts, exact := h.service.countTokens(ctx, tier, in.GetTexts())
	if err := ctx.Err(); err != nil {
		return nil, rpcError(ctx, err)
	}
	return &llmv1.CountTokensResponse{Counts: counts, Exact: exact}, nil
}

// ListModels implements LLMService.
func (h *handlers) ListModels(context.Context, *llmv1.ListModelsRequest) (*llmv1.ListModelsResponse, error) {
	out := &llmv1.ListModelsResponse{}
	for _, tier := range []struct {
		domain review.Tier
		wire   llmv1.Tier
	}{{review.Fast, llmv1.Tier_TIER_FAST}, {review.Main, llmv1.Tier_TIER_MAIN}, {tierEmbed, llmv1.Tier_TIER_EMBED}} {
		m, ok := h.service.models[tier.domain]
		if !ok {
			continue
		}
		model := &llmv1.Model{
			Tier: tier.wire, Name: m.name,
			ContextTokens: uint32(m.info.ContextTokens), MaxOutputTokens: uint32(m.info.MaxOutputTokens),
			InputMicrosPerMillion: uint64(m.info.InputMicros), OutputMicrosPerMillion: uint64(m.info.OutputMicros),
		}
		switch {
		case tier.domain == tierEmbed:
			model.Dimensions = uint32(h.service.cfg.Dimensions)
		case m.memory.get().reasons || m.fallback != nil && m.fallback.memory.get().reasons:
			model.HeadroomTokens = uint32(h.service.cfg.ReasoningTokens)
		}
		if to := m.fallback; to != nil {
			// What is reserved for a call must hold whichever of the two answers it.
			model.Fallback = to.name
			model.InputMicrosPerMillion = max(model.InputMicrosPerMillion, uint64(to.info.InputMicros))
			model.OutputMicrosPerMillion = max(model.OutputMicrosPerMillion, uint64(to.info.OutputMicros))
		}
		out.Models = append(out.Models, model)
	}
	return out, nil
}

func usageToProto(u usage) *llmv1.Usage {
	out := pbconv.ModelUsageToProto(review.Usage{InputTokens: u.input, OutputTokens: u.output, CostMicros: u.cost, Calls: u.requests})
	out.CachedInputTokens, out.Estimated = uint64(max(u.cached, 0)), u.estimated
	return out
}

// rpcError gives an error its code. UNAVAILABLE tells the caller's gRPC not to try again by itself: this tier has
// already tried as often as is good.
func rpcError(ctx context.Context, err error) error {
	var refused *refusal
	switch {
	case errors.As(err, &refused):
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
	switch refused.kind {
	case refusedPrecondition:
		return status.Error(codes.FailedPrecondition, refused.text)
	case refusedArgument:
		return status.Error(codes.InvalidArgument, refused.text)
	default:
		// Outside of a gRPC call there are no trailers to set.
		_ = grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", "-1"))
		return unavailable(refused.text, refused.retryAfter)
	}
}

func unavailable(text string, after time.Duration) error {
	s := status.New(codes.Unavailable, text)
	if after > 0 {
		if detailed, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)}); err == nil {
			s = detailed
		}
	}
	return s.Err()
}
