package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/recall"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// Limits of an index. What is beyond them is left out and counted.
const (
	indexFileBytes = 256 << 10
	indexFiles     = 20_000
	// indexBatch files are parsed, embedded and stored at a time: what a crash repeats.
	indexBatch = 32
	// embedBatch texts go to the model in one call.
	embedBatch = 128
	// indexBusy is when a job looks again whether another one still indexes its repository.
	indexBusy = 15 * time.Second
)

// indexWorker makes and renews the vectors of a repository's default branch. Files whose content did not change since
// they were stored are not parsed or embedded again, which is also how an interrupted pass goes on.
type indexWorker struct {
	river.WorkerDefaults[queue.IndexArgs]
	store    recall.Store
	indexes  *recall.Indexes
	embedder func(review.InstallationID, review.RepositoryID) Embedder
	parser   review.Parser
	source   func(review.InstallationID) indexSource
	log      *slog.Logger
	// session opens the connection that holds the repository's lock.
	session func(context.Context) (lock, error)
	// slice is how long one attempt works before it makes room and goes on later.
	slice time.Duration
}

// lock is a session that holds locks until it is closed.
type lock interface {
	TryLock(ctx context.Context, name string) (bool, error)
	Close()
}

// indexSource is the repository as GitHub has it.
type indexSource interface {
	EachFile(ctx context.Context, repo, sha string, limits github.ArchiveLimits, fn func(path string, content []byte) error) (github.Archive, error)
}

// errSlice ends the reading of an archive when the attempt's time is used up.
var errSlice = errors.New("the attempt's time is used up")

// Work implements river.Worker.
func (w *indexWorker) Work(ctx context.Context, job *river.Job[queue.IndexArgs]) error {
	args := job.Args
	log := w.log.With(telemetry.KeyInstallation, args.InstallationID, telemetry.KeyRepository, args.Repository, telemetry.KeyHead, args.Head)
	embedder := w.embedder(args.InstallationID, args.RepositoryID)
	model, err := embedder.EmbedModel(ctx)
	if err != nil {
		return fmt.Errorf("ask for the embedding model: %w", err)
	}
	if model == "" {
		return river.JobCancel(errors.New("no embedding model is configured"))
	}
	session, err := w.session(ctx)
	if err != nil {
		return fmt.Errorf("lock the index of %s: %w", args.Repository, err)
	}
	defer session.Close()
	switch mine, err := session.TryLock(ctx, fmt.Sprintf("index/%d", args.RepositoryID)); {
	case err != nil:
		return fmt.Errorf("lock the index of %s: %w", args.Repository, err)
	case !mine:
		return river.JobSnooze(indexBusy)
	}
	pass := indexPass{indexWorker: w, scope: recall.Scope{Installation: args.InstallationID, Repository: args.RepositoryID},
		embedder: embedder, model: model, until: time.Now().Add(w.slice), seen: map[string]bool{}}
	done, err := pass.run(ctx, args)
	switch {
	case errors.Is(err, errSlice):
		return river.JobSnooze(time.Second)
	case goneForGood(err):
		return river.JobCancel(fmt.Errorf("index %s: %w", args.Repository, err))
	case err != nil:
		if wait, ok := retryAfter(err); ok {
			return river.JobSnooze(wait)
		}
		return fmt.Errorf("index %s: %w", args.Repository, err)
	case done:
		log.InfoContext(ctx, "repository indexed", "files", pass.files, "embedded_files", pass.embedded, "chunks", pass.chunks, "skipped_files", pass.skipped)
	}
	return nil
}

// retryAfter reads how long a rate-limited call must wait.
func retryAfter(err error) (time.Duration, bool) {
	var hint interface{ RetryAfterHint() (time.Duration, bool) }
	if errors.As(err, &hint) {
		return hint.RetryAfterHint()
	}
	return 0, false
}

// indexPass is one attempt over a repository.
type indexPass struct {
	*indexWorker
	embedder Embedder
	scope    recall.Scope
	model    string
	until    time.Time
	known    map[string]string
	seen     map[string]bool
	batch    []syntax.Source
	// files are all that belong to the index, embedded and chunks what was made anew.
	files, embedded, chunks, skipped int
}

// run says whether there was anything to do.
func (p *indexPass) run(ctx context.Context, args queue.IndexArgs) (bool, error) {
	index, err := p.indexes.Get(ctx, p.scope)
	if err != nil {
		return false, err
	}
	if index.Head == args.Head && index.Model == p.model && args.Head != "" {
		return false, nil
	}
	if index.Model != p.model {
		if err := p.store.Drop(ctx, p.scope); err != nil {
			return false, err
		}
		if err := p.indexes.Begin(ctx, p.scope, p.model); err != nil {
			return false, err
		}
	}
	if p.known, err = p.store.Files(ctx, p.scope); err != nil {
		return false, err
	}
	archive, err := p.source(args.InstallationID).EachFile(ctx, args.Repository, args.Head,
		github.ArchiveLimits{FileBytes: indexFileBytes, Files: indexFiles}, func(name string, content []byte) error {
			return p.add(ctx, name, content)
		})
	if err != nil {
		return false, err
	}
	if err := p.flush(ctx); err != nil {
		return false, err
	}
	p.skipped += archive.TooLarge
	var gone []string
	for name := range p.known {
		if !p.seen[name] {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	// A truncated archive says nothing about the files after its end.
	if !archive.Truncated {
		if err := p.store.Remove(ctx, p.scope, gone); err != nil {
			return false, err
		}
	}
	return true, p.indexes.Finish(ctx, p.scope, recall.Index{Head: args.Head, Model: p.model, Files: p.files})
}

// add takes one file of the archive into the pass.
func (p *indexPass) add(ctx context.Context, name string, content []byte) error {
	if !review.Indexable(name, content) {
		p.skipped++
		return nil
	}
	p.files++
	p.seen[name] = true
	if p.known[name] == contentHash(content) {
		return nil
	}
	p.batch = append(p.batch, syntax.Source{Path: name, Content: slices.Clone(content), Chunk: true})
	if len(p.batch) < indexBatch {
		return nil
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	if time.Now().After(p.until) {
		return errSlice
	}
	return nil
}

// flush parses, embeds and stores the batch.
func (p *indexPass) flush(ctx context.Context) error {
	if len(p.batch) == 0 {
		return nil
	}
	batch := p.batch
	p.batch = nil
	analyses, err := p.parser.Analyze(ctx, batch)
	if err != nil {
		return fmt.Errorf("analyze %d files: %w", len(batch), err)
	}
	var chunks []recall.Chunk
	var texts, without []string
	for i, a := range analyses {
		if len(a.Chunks) == 0 {
			without = append(without, batch[i].Path)
		}
		for _, c := range a.Chunks {
			chunks = append(chunks, recall.Chunk{ID: c.ID, Path: batch[i].Path, ContentHash: contentHash(batch[i].Content),
				StartLine: c.Range.StartLine, EndLine: c.Range.EndLine, Header: c.Header, Text: c.Text})
			texts = append(texts, c.Header+"\n"+c.Text)
		}
	}
	for start := 0; start < len(texts); start += embedBatch {
		end := min(start+embedBatch, len(texts))
		vectors, err := p.embedder.Embed(ctx, texts[start:end])
		if err != nil {
			return fmt.Errorf("embed %d chunks: %w", end-start, err)
		}
		for i, v := range vectors {
			chunks[start+i].Vector = v
		}
	}
	if err := p.store.Put(ctx, p.scope, chunks); err != nil {
		return err
	}
	// What the parser made nothing of has no vectors any more, not those of its earlier content.
	if err := p.store.Remove(ctx, p.scope, without); err != nil {
		return err
	}
	p.skipped += len(without)
	p.embedded += len(batch) - len(without)
	p.chunks += len(chunks)
	return nil
}

func contentHash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:16])
}
