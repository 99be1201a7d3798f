package orchestrator

import (
	"context"
	"errors"
	"fmt"

	"github.com/riverqueue/river"

	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/recall"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// retrieval is the memory of repositories' code: asked by reviews, filled by index jobs.
type retrieval struct {
	store   recall.Store
	indexes *recall.Indexes
	model   *ModelClient
	// embedder makes the vectors of a repository, for a review or, without one, for its index.
	embedder func(review.InstallationID, review.RepositoryID, review.ID) Embedder
}

// newRetrieval keeps vectors in Qdrant if one is configured, else in Postgres. Close it.
func newRetrieval(db *pg.DB, cfg recall.QdrantConfig, model *ModelClient, book vectorBook, limits store.Limits) (r *retrieval, closeStore func(), err error) {
	r = &retrieval{indexes: recall.NewIndexes(db), model: model}
	r.embedder = func(installation review.InstallationID, repository review.RepositoryID, of review.ID) Embedder {
		limits := limits
		if of == "" {
			limits.ReviewTokens = 0 // an index is no review's
		}
		return &vectorLedger{model: model, book: book, limits: limits, installation: installation, repository: repository, review: of}
	}
	if cfg.URL == "" {
		r.store = recall.NewEmbedded(db)
		return r, func() {}, nil
	}
	qdrant, err := recall.NewQdrant(cfg)
	if err != nil {
		return nil, nil, err
	}
	r.store = qdrant
	return r, func() { _ = qdrant.Close() }, nil
}

// of gives what a review may ask.
func (r *retrieval) of(row store.Review) review.Recall {
	return &similar{store: r.store, indexes: r.indexes, embedder: r.embedder(row.InstallationID, row.RepositoryID, row.ID),
		scope: recall.Scope{Installation: row.InstallationID, Repository: row.RepositoryID}}
}

// requestIndex asks for the index of a commit of the base branch, unless that is what is indexed.
func (o *Orchestrator) requestIndex(ctx context.Context, row store.Review, base string) error {
	model, err := o.retrieval.model.EmbedModel(ctx)
	if err != nil || model == "" {
		return err
	}
	index, err := o.retrieval.indexes.Get(ctx, recall.Scope{Installation: row.InstallationID, Repository: row.RepositoryID})
	if err != nil || index.Head == base && index.Model == model {
		return err
	}
	return pg.InTx(ctx, o.db, func(ctx context.Context, tx pg.Tx) error {
		_, err := o.jobs.Index(ctx, tx, queue.IndexArgs{InstallationID: row.InstallationID, RepositoryID: row.RepositoryID,
			Repository: row.Repository, Head: base})
		return err
	})
}

// addIndexWorker registers the worker of index jobs.
func (o *Orchestrator) addIndexWorker(workers *river.Workers) error {
	err := river.AddWorkerSafely(workers, &indexWorker{store: o.retrieval.store, indexes: o.retrieval.indexes,
		embedder: func(installation review.InstallationID, repository review.RepositoryID) Embedder {
			return o.retrieval.embedder(installation, repository, "")
		},
		parser: o.parser, log: o.log, slice: o.cfg.JobTimeout / 2, session: func(ctx context.Context) (lock, error) { return pg.Session(ctx, o.db) },
		source: func(id review.InstallationID) indexSource { return o.installation(id) }})
	if err != nil {
		return fmt.Errorf("register worker: %w", err)
	}
	return nil
}

// goneForGood says whether GitHub no longer has, or no longer shows us, what a job is about.
func goneForGood(err error) bool {
	var e *github.Error
	return errors.As(err, &e) && e.Gone()
}
