package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/review"
)

const (
	// modelCallTimeout bounds one question, the model tier's own retries included.
	modelCallTimeout = 2 * time.Minute
	// embedTimeout bounds one call for vectors.
	embedTimeout = time.Minute
	// modelListTimeout bounds asking which models there are.
	modelListTimeout = 5 * time.Second
	// modelListLife is how long the answer to that counts.
	modelListLife = time.Minute
	// modelRetryAfter is when to ask again when the model tier can't be reached and nobody says when.
	modelRetryAfter = 15 * time.Second
)

// Price is what a model costs, in millionths of a US dollar for a million tokens; 0 when it is not known.
type Price struct {
	Input, Output int64
	// Headroom are the tokens of thinking that come on top of an answer's limit.
	Headroom int64
}

// ModelClient is the model tier over gRPC. It keeps no answers and no budget: that is the ledger's.
type ModelClient struct {
	llm llmv1.LLMServiceClient

	mu     sync.Mutex
	models map[llmv1.Tier]*llmv1.Model
	listed time.Time
}

var _ review.Model = (*ModelClient)(nil)

// NewModelClient makes the client on a connection to the model tier.
func NewModelClient(conn grpc.ClientConnInterface) *ModelClient {
	return &ModelClient{llm: llmv1.NewLLMServiceClient(conn)}
}

// Ask implements review.Model. A model tier that cannot be reached is an outcome, so that a review goes on without it.
func (c *ModelClient) Ask(ctx context.Context, q review.ModelRequest) (review.ModelAnswer, error) {
	return c.AskFor(ctx, "", q, 0)
}

// AskFor asks for a review, whose turn at the model server it is, and lets it take no more tokens than the ceiling, if
// there is one.
func (c *ModelClient) AskFor(ctx context.Context, of review.ID, q review.ModelRequest, ceiling int64) (review.ModelAnswer, error) {
	call, cancel := context.WithTimeout(ctx, modelCallTimeout)
	defer cancel()
	in := pbconv.ModelRequestToProto(q)
	in.Review, in.MaxTotalTokens = string(of), uint64(max(ceiling, 0))
	answer, err := c.llm.Complete(call, in)
	if err == nil {
		return pbconv.ModelAnswerFromProto(answer), nil
	}
	if ctx.Err() != nil {
		return review.ModelAnswer{}, fmt.Errorf("ask model for %s: %w", q.SchemaName, context.Cause(ctx))
	}
	return modelFailure(err), nil
}

// modelFailure turns an RPC error into what it means for a review.
func modelFailure(err error) review.ModelAnswer {
	s := status.Convert(err)
	a := review.ModelAnswer{Outcome: review.OutcomeUnavailable, Detail: sentence(s.Message())}
	switch s.Code() {
	case codes.InvalidArgument:
		a.Outcome = review.OutcomeInvalid
	case codes.ResourceExhausted:
		// The message is too large for the mesh, which no retry mends.
		a.Outcome = review.OutcomeTooLong
	case codes.FailedPrecondition, codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented:
		// Not configured, or refused: waiting doesn't help.
	default:
		a.RetryAfter = retryDelay(s)
	}
	return a
}

// retryDelay reads when to come back.
func retryDelay(s *status.Status) time.Duration {
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok && info.GetRetryDelay().AsDuration() > 0 {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return modelRetryAfter
}

// sentence keeps the first line of a message, at a length that a reader bears.
func sentence(text string) string {
	text, _, _ = strings.Cut(strings.ToValidUTF8(text, "\uFFFD"), "\n")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}

// Available implements review.Model.
func (c *ModelClient) Available(ctx context.Context) (ok bool, why string) {
	ok, err := c.Configured(ctx)
	switch {
	case err != nil:
		return false, "the model service cannot be reached"
	case !ok:
		return false, "no model is configured"
	}
	return true, ""
}

// Configured says whether there is a model for reviews. An error means that the model tier cannot be reached.
func (c *ModelClient) Configured(ctx context.Context) (bool, error) {
	models, err := c.list(ctx)
	if err != nil {
		return false, err
	}
	return models[llmv1.Tier_TIER_MAIN] != nil || models[llmv1.Tier_TIER_FAST] != nil, nil
}

// Model names the model behind a tier and its price; empty when it isn't known.
func (c *ModelClient) Model(ctx context.Context, tier review.Tier) (name string, price Price) {
	models, err := c.list(ctx)
	if err != nil {
		return "", Price{}
	}
	m := models[pbconv.TierToProto(tier)]
	return m.GetName(), Price{
		Input: int64(m.GetInputMicrosPerMillion()), Output: int64(m.GetOutputMicrosPerMillion()), Headroom: int64(m.GetHeadroomTokens()),
	}
}

// EmbedModel names the model for embeddings, empty when there is none.
func (c *ModelClient) EmbedModel(ctx context.Context) (string, error) {
	name, _, _, err := c.vectors(ctx)
	return name, err
}

// vectors gives the model for embeddings, the length of its vectors and its price.
func (c *ModelClient) vectors(ctx context.Context) (name string, dimensions int, price Price, err error) {
	models, err := c.list(ctx)
	if err != nil {
		return "", 0, Price{}, err
	}
	m := models[llmv1.Tier_TIER_EMBED]
	return m.GetName(), int(m.GetDimensions()), Price{Input: int64(m.GetInputMicrosPerMillion())}, nil
}

// embed gives one vector of unit length for each text, in order, and what that took.
func (c *ModelClient) embed(ctx context.Context, of review.ID, texts []string) ([][]float32, review.Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, embedTimeout)
	defer cancel()
	answer, err := c.llm.Embed(ctx, &llmv1.EmbedRequest{Texts: texts, Review: string(of)})
	if err != nil {
		return nil, review.Usage{}, fmt.Errorf("embed %d texts: %w", len(texts), err)
	}
	if len(answer.GetVectors()) != len(texts) {
		return nil, review.Usage{}, fmt.Errorf("embed %d texts: got %d vectors", len(texts), len(answer.GetVectors()))
	}
	vectors := make([][]float32, len(texts))
	for i, v := range answer.GetVectors() {
		vectors[i] = v.GetValues()
	}
	return vectors, pbconv.ModelUsageFromProto(answer.GetUsage()), nil
}

// list gives the configured models, from memory for a minute.
func (c *ModelClient) list(ctx context.Context) (map[llmv1.Tier]*llmv1.Model, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.models != nil && time.Since(c.listed) < modelListLife {
		return c.models, nil
	}
	ctx, cancel := context.WithTimeout(ctx, modelListTimeout)
	defer cancel()
	listed, err := c.llm.ListModels(ctx, &llmv1.ListModelsRequest{})
	if err != nil {
		if c.models != nil && !errors.Is(ctx.Err(), context.Canceled) {
			return c.models, nil // what it was a while ago is better than nothing
		}
		return nil, fmt.Errorf("list models: %w", err)
	}
	models := make(map[llmv1.Tier]*llmv1.Model, len(listed.GetModels()))
	for _, m := range listed.GetModels() {
		models[m.GetTier()] = m
	}
	c.models, c.listed = models, time.Now()
	return models, nil
}
