package orchestrator

import (
	"context"
	"testing"

	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/recall"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// chunkParser gives one chunk for a file, or none for content that it cannot parse.
type chunkParser struct{ review.Parser }

func (chunkParser) Analyze(_ context.Context, sources []syntax.Source) ([]syntax.Analysis, error) {
	out := make([]syntax.Analysis, len(sources))
	for i, s := range sources {
		if string(s.Content) == "broken" {
			out[i].Facts.Status = syntax.StatusCrashed
			continue
		}
		out[i].Chunks = []syntax.Chunk{{ID: s.Path, Range: syntax.Range{StartLine: 1, EndLine: 1}, Text: string(s.Content)}}
	}
	return out, nil
}

type oneVector struct{}

func (oneVector) EmbedModel(context.Context) (string, error) { return "m", nil }

func (oneVector) Embed(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = []float32{1, 0}
	}
	return out, nil
}

// TestAFileThatNoLongerParsesHasNoVectors: what is recalled is the repository as it is, and what was left out is counted.
func TestAFileThatNoLongerParsesHasNoVectors(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), pgtest.New(t)
	for _, q := range []string{`INSERT INTO installations (id) VALUES (1)`, `INSERT INTO repositories (id, installation_id, full_name) VALUES (2, 1, 'o/r')`} {
		if _, err := db.Pool().Exec(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	worker := &indexWorker{store: recall.NewEmbedded(db), indexes: recall.NewIndexes(db), parser: chunkParser{}}
	for _, c := range []struct {
		content          string
		indexed, skipped int
	}{{"func f() {}", 2, 0}, {"broken", 1, 1}} {
		pass := indexPass{indexWorker: worker, embedder: oneVector{}, scope: recall.Scope{Installation: 1, Repository: 2}, seen: map[string]bool{}}
		pass.batch = []syntax.Source{{Path: "a.go", Content: []byte(c.content)}, {Path: "b.go", Content: []byte("func g() {}")}}
		if err := pass.flush(ctx); err != nil {
			t.Fatal(err)
		}
		files, err := worker.store.Files(ctx, pass.scope)
		if err != nil || len(files) != c.indexed || pass.skipped != c.skipped {
			t.Errorf("%q: %d files have vectors (%v), %d skipped; want %d and %d", c.content, len(files), err, pass.skipped, c.indexed, c.skipped)
		}
	}
}
