package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// vectorBook is where vectors and what they cost are kept.
type vectorBook interface {
	Embeddings(ctx context.Context, key store.EmbeddingKey, texts []string) ([][]float32, error)
	SaveEmbeddings(ctx context.Context, key store.EmbeddingKey, texts []string, vectors [][]float32) error
	Reserve(ctx context.Context, c store.ModelCall, l store.Limits) (store.Reserved, error)
	Settle(ctx context.Context, done store.Settlement) error
}

// vectorModel makes vectors.
type vectorModel interface {
	vectors(ctx context.Context) (name string, dimensions int, price Price, err error)
	embed(ctx context.Context, of review.ID, texts []string) ([][]float32, review.Usage, error)
}

var (
	_ vectorModel = (*ModelClient)(nil)
	_ vectorBook  = (*store.Store)(nil)
	_ Embedder    = (*vectorLedger)(nil)
)

// errNoBudget says that vectors are not made because a limit of spending is reached.
var errNoBudget = errors.New("the budget for models is used up")

// vectorLedger stands in front of the embedding model as ledger does in front of the others: no text is paid for twice
// within the retention, and nothing is spent that was not reserved.
type vectorLedger struct {
	model  vectorModel
	book   vectorBook
	limits store.Limits

	installation review.InstallationID
	repository   review.RepositoryID
	// review is empty for the index of a repository.
	review review.ID
}

// EmbedModel implements Embedder.
func (l *vectorLedger) EmbedModel(ctx context.Context) (string, error) {
	name, _, _, err := l.model.vectors(ctx)
	return name, err
}

// Embed implements Embedder.
func (l *vectorLedger) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	name, dimensions, price, err := l.model.vectors(ctx)
	if err != nil {
		return nil, err
	}
	key := store.EmbeddingKey{InstallationID: l.installation, Model: name, Dimensions: dimensions}
	known, err := l.book.Embeddings(ctx, key, texts)
	if err != nil {
		return nil, err
	}
	var missing []string
	var places []int
	for i, v := range known {
		if v == nil {
			missing, places = append(missing, texts[i]), append(places, i)
		}
	}
	if len(missing) == 0 {
		return known, nil
	}
	made, err := l.pay(ctx, key, price, missing)
	if err != nil {
		return nil, err
	}
	for i, v := range made {
		known[places[i]] = v
	}
	return known, nil
}

// pay reserves, asks, settles and keeps.
func (l *vectorLedger) pay(ctx context.Context, key store.EmbeddingKey, price Price, texts []string) ([][]float32, error) {
	sum, bytes := sha256.New(), 0
	fmt.Fprintf(sum, "embed %s %d\n", key.Model, key.Dimensions)
	for _, text := range texts {
		fmt.Fprintf(sum, "%d\n%s", len(text), text)
		bytes += len(text)
	}
	// Each batch may be lost once and made again.
	tokens := int64(bytes)/3 + int64(len(texts))
	call := store.ModelCall{
		InstallationID: l.installation, RepositoryID: l.repository, ReviewID: l.review, RequestHash: hex.EncodeToString(sum.Sum(nil)),
		Purpose: "embed", Tokens: 2 * tokens, CostMicros: cost(2*tokens, price.Input), LostTokens: tokens, LostMicros: cost(tokens, price.Input),
	}
	for {
		got, err := l.book.Reserve(ctx, call, l.limits)
		switch {
		case err != nil:
			return nil, err
		case !got.OK && !got.Wait:
			return nil, fmt.Errorf("%w: %s", errNoBudget, got.Why)
		case !got.OK:
			if err := wait(ctx, nil, budgetPause); err != nil {
				return nil, fmt.Errorf("wait for budget: %w", err)
			}
			continue
		}
		break
	}
	vectors, usage, err := l.model.embed(ctx, l.review, texts)
	if err != nil {
		// What it took is not known: it counts as lost.
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := l.book.Settle(ctx, store.Settlement{InstallationID: l.installation, RequestHash: call.RequestHash, Model: key.Model, Usage: usage}); err != nil {
		return nil, err
	}
	if err := l.book.SaveEmbeddings(ctx, key, texts, vectors); err != nil {
		return nil, err
	}
	return vectors, nil
}
