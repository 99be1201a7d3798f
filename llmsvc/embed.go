package llmsvc

import (
	"context"
	"fmt"
	"math"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/openrabbit/openrabbit/internal/review"
)

// embeddings are what came of embedding.
type embeddings struct {
	vectors [][]float32
	model   string
	spent   usage
}

// badVectors says in a sentence why an answer is no set of embeddings for what was asked. The same server would answer
// the same again.
type badVectors string

func (b badVectors) Error() string { return string(b) }

// embed makes a vector for each text, in order. A text longer than the model's window is cut to it where the window
// and the tokenizer are known. Its errors are *refusal and the caller's context's.
func (s *Service) embed(ctx context.Context, group string, texts []string, dimensions int) (embeddings, error) {
	m, err := s.modelFor(tierEmbed)
	if err != nil {
		return embeddings{}, err
	}
	if dimensions == 0 {
		dimensions = s.cfg.Dimensions
	}
	if err := checkTexts(texts, dimensions); err != nil {
		return embeddings{}, err
	}
	began := time.Now()
	c := &call{model: m, group: group, traits: m.memory.get()}
	out := embeddings{model: m.name, vectors: make([][]float32, 0, len(texts))}
	err = s.embedAll(ctx, c, texts, dimensions, &out)
	out.spent = c.spent
	outcome := string(review.OutcomeOK)
	if err != nil {
		outcome = "error"
	}
	s.metrics.called("embed", m.name, outcome, c.spent, time.Since(began))
	return out, err
}

func checkTexts(texts []string, dimensions int) error {
	switch {
	case len(texts) == 0:
		return badArgument("there are no texts")
	case len(texts) > maxTexts:
		return badArgument("there are %d texts, more than %d", len(texts), maxTexts)
	case dimensions < 0 || dimensions > maxDimensionsWanted:
		return badArgument("%d dimensions are not from 1 to %d", dimensions, maxDimensionsWanted)
	case len(texts)*dimensions*4 > maxVectorBytes:
		return badArgument("%d vectors of %d dimensions don't fit an answer: ask in parts", len(texts), dimensions)
	}
	for i, text := range texts {
		if text == "" {
			return badArgument("text %d is empty", i)
		}
	}
	return nil
}

func (s *Service) embedAll(ctx context.Context, c *call, texts []string, dimensions int, out *embeddings) error {
	for len(texts) > 0 {
		batch := s.batch(c, texts)
		vectors, name, f := s.embedBatch(ctx, c, batch, dimensions)
		if f != nil {
			return s.embedFailed(c, f)
		}
		if name != "" {
			out.model = name
		}
		out.vectors = append(out.vectors, vectors...)
		texts = texts[len(vectors):]
	}
	return nil
}

// batch takes the texts of the next request off the front: as many as are taken at once, in number and in tokens.
func (s *Service) batch(c *call, texts []string) []string {
	most := smaller(s.cfg.EmbedBatch, c.traits.maxBatch)
	var out []string
	total := 0
	for _, text := range texts {
		text = c.model.counter.cut(text, c.model.info.ContextTokens)
		total += estimate(text)
		if len(out) > 0 && (len(out) == most || total > maxBatchTokens) {
			break
		}
		out = append(out, text)
	}
	return out
}

// embedBatch embeds the texts, or as many from their front as the server turns out to take.
func (s *Service) embedBatch(ctx context.Context, c *call, texts []string, dimensions int) ([][]float32, string, *failure) {
	var vectors [][]float32
	var name string
	c.text = texts
	f := s.persist(ctx, c, maxEmbedBody, func(ctx context.Context, t traits) (sent, error) {
		part := texts
		if t.maxBatch > 0 {
			part = texts[:min(len(texts), t.maxBatch)]
		}
		c.text = part
		used := sent{batch: len(part), dimensions: !t.noDimensions}
		req := openai.EmbeddingRequestStrings{Input: part, Model: openai.EmbeddingModel(c.model.name)}
		if used.dimensions {
			req.Dimensions = dimensions
		}
		res, err := c.model.endpoint.client.CreateEmbeddings(ctx, req)
		if err != nil {
			return used, err
		}
		if len(res.Data) == 0 && statusInBody(exchangeOf(ctx).body) != 0 {
			return used, errNoAnswer
		}
		c.spent.add(c.model.info, res.Usage, guess{input: c.inputEstimate(), inputMost: 3*c.inputEstimate() + frameTokens})
		name = string(res.Model)
		vectors, err = readVectors(res.Data, len(part), dimensions)
		return used, err
	})
	return vectors, name, f
}

// readVectors puts vectors in order, cuts them to their length and makes them of unit length. Its error is badVectors.
func readVectors(data []openai.Embedding, texts, dimensions int) ([][]float32, error) {
	bad := func(format string, args ...any) ([][]float32, error) {
		return nil, badVectors(fmt.Sprintf(format, args...))
	}
	if len(data) != texts {
		return bad("the model server gave %d embeddings for %d texts", len(data), texts)
	}
	vectors := make([][]float32, texts)
	for _, d := range data {
		switch {
		case d.Index < 0 || d.Index >= texts || vectors[d.Index] != nil:
			return bad("the model server gave embeddings whose order is not clear (index %d)", d.Index)
		case len(d.Embedding) < dimensions:
			return bad("the embedding model gives %d dimensions and not %d: set OPENRABBIT_MODEL_EMBED_DIMENSIONS", len(d.Embedding), dimensions)
		}
		unit := unitLength(d.Embedding[:dimensions])
		if unit == nil {
			return bad("the model server gave an embedding without a direction")
		}
		vectors[d.Index] = unit
	}
	return vectors, nil
}

// unitLength gives the vector of length 1 in the same direction, nil when there is none.
func unitLength(v []float32) []float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	norm := math.Sqrt(sum)
	if norm == 0 || math.IsNaN(norm) || math.IsInf(norm, 0) {
		return nil
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(float64(x) / norm)
	}
	return out
}

// embedFailed makes the error of a failure: Embed has no outcomes.
func (s *Service) embedFailed(c *call, f *failure) error {
	detail := f.detail(c.text, c.model.endpoint.Key.Reveal())
	switch f.kind {
	case callerLeft:
		return fmt.Errorf("embed: %w", f.cause)
	case setup:
		return s.setupRefusal(c, f)
	case tooLong:
		return badArgument("a text is longer than the embedding model's window")
	case badRequest, policy:
		return badArgument("%s", detail)
	default:
		return &refusal{kind: refusedUnavailable, text: detail, retryAfter: f.retryAfter}
	}
}
