package orchestrator

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/openrabbit/openrabbit/internal/recall"
	"github.com/openrabbit/openrabbit/internal/review"
)

// Embedder turns texts into vectors of unit length, in order. vectorLedger implements it.
type Embedder interface {
	// EmbedModel names the configured model, empty when there is none.
	EmbedModel(ctx context.Context) (string, error)
	// Embed gives one vector for each text.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// minSimilarity is the score below which code has nothing to do with the question.
const minSimilarity = 0.25

// similar answers the engine's questions from one repository's vectors.
type similar struct {
	store    recall.Store
	indexes  *recall.Indexes
	embedder Embedder
	scope    recall.Scope
}

var _ review.Recall = (*similar)(nil)

// Similar implements review.Recall. A repository without an index is a reason, not an error.
func (s *similar) Similar(ctx context.Context, queries []string, limit int) ([]review.Snippet, string, error) {
	if len(queries) == 0 || limit <= 0 {
		return nil, "", nil
	}
	index, err := s.indexes.Get(ctx, s.scope)
	if err != nil {
		return nil, "", err
	}
	if index.Head == "" {
		return nil, "the repository is not indexed yet", nil
	}
	model, err := s.embedder.EmbedModel(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("ask for the embedding model: %w", err)
	}
	if model != index.Model {
		return nil, "the repository is being indexed again for another embedding model", nil
	}
	vectors, err := s.embedder.Embed(ctx, queries)
	if err != nil {
		return nil, "", fmt.Errorf("embed %d queries: %w", len(queries), err)
	}
	matches := make([][]recall.Match, len(vectors))
	searches := make([]func(context.Context) error, len(vectors))
	for i, v := range vectors {
		searches[i] = func(ctx context.Context) (err error) {
			matches[i], err = s.store.Search(ctx, s.scope, v, limit, nil)
			return err
		}
	}
	if err := together(ctx, searches...); err != nil {
		return nil, "", err
	}
	best := map[string]recall.Match{}
	for _, m := range slices.Concat(matches...) {
		if m.Score >= minSimilarity && m.Score > best[m.ID].Score {
			best[m.ID] = m
		}
	}
	found := make([]review.Snippet, 0, len(best))
	for _, m := range best {
		found = append(found, review.Snippet{Path: m.Path, StartLine: m.StartLine, EndLine: m.EndLine,
			Header: m.Header, Text: m.Text, Score: m.Score})
	}
	slices.SortFunc(found, func(a, b review.Snippet) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Path, b.Path), cmp.Compare(a.StartLine, b.StartLine))
	})
	return found[:min(limit, len(found))], "", nil
}
