package recall_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/recall"
	"github.com/openrabbit/openrabbit/internal/recall/qdranttest"
)

const dims = 16

// homes gives each home of vectors under the name it is reported by.
func homes() map[string]func(*testing.T) recall.Store {
	return map[string]func(*testing.T) recall.Store{
		"embedded": func(t *testing.T) recall.Store { return recall.NewEmbedded(database(t)) },
		"qdrant":   qdrantStore,
	}
}

// qdrantStore uses the server at QDRANT_URL when it is set, else the in-process implementation of its gRPC API.
func qdrantStore(t *testing.T) recall.Store {
	url, key := os.Getenv("QDRANT_URL"), config.NewSecret(os.Getenv("QDRANT_API_KEY"))
	if url == "" {
		t.Log("QDRANT_URL is not set: running against the in-process implementation of Qdrant's gRPC API")
		server, err := qdranttest.Start("a-key")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		url, key = server.URL(), config.NewSecret("a-key")
	} else {
		t.Logf("running against the server at QDRANT_URL")
	}
	q, err := recall.NewQdrant(recall.QdrantConfig{URL: url, APIKey: key, Prefix: fmt.Sprintf("test_%d", rand.Uint64())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, s := range []recall.Scope{one, two, foreign} {
			if err := q.Drop(context.Background(), s); err != nil {
				t.Error(err)
			}
		}
		q.Close()
	})
	return q
}

var (
	one     = recall.Scope{Installation: 1, Repository: 10}
	two     = recall.Scope{Installation: 1, Repository: 20}
	foreign = recall.Scope{Installation: 2, Repository: 30}
)

func database(t *testing.T) *pg.DB {
	t.Helper()
	db := pgtest.New(t)
	for _, s := range []recall.Scope{one, two, foreign} {
		ctx := t.Context()
		if _, err := db.Pool().Exec(ctx, `INSERT INTO installations (id) VALUES ($1) ON CONFLICT DO NOTHING`, s.Installation); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Pool().Exec(ctx, `INSERT INTO repositories (id, installation_id, full_name) VALUES ($1, $2, $3)`,
			s.Repository, s.Installation, fmt.Sprintf("o/r%d", s.Repository)); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func unit(r *rand.Rand) []float32 {
	v := make([]float32, dims)
	var sum float64
	for i := range v {
		v[i] = float32(r.NormFloat64())
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

// along is the unit vector of one axis.
func along(axis int) []float32 {
	v := make([]float32, dims)
	v[axis] = 1
	return v
}

func chunk(path string, n int, v []float32) recall.Chunk {
	return recall.Chunk{ID: fmt.Sprintf("%s#%d", path, n), Path: path, ContentHash: "h-" + path, StartLine: 10 * n, EndLine: 10*n + 9,
		Header: "header of " + path, Text: fmt.Sprintf("text %d of %s", n, path), Vector: v}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, home := range homes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("finds the nearest with all it was given", func(t *testing.T) { t.Parallel(); findsNearest(t, home(t)) })
			t.Run("agrees with an exhaustive search", func(t *testing.T) { t.Parallel(); agreesWithExhaustive(t, home(t)) })
			t.Run("never leaves its scope", func(t *testing.T) { t.Parallel(); neverLeavesScope(t, home(t)) })
			t.Run("replaces, removes and drops", func(t *testing.T) { t.Parallel(); replacesAndRemoves(t, home(t)) })
			t.Run("refuses what cannot be kept", func(t *testing.T) { t.Parallel(); refuses(t, home(t)) })
			t.Run("an empty scope is empty", func(t *testing.T) { t.Parallel(); empty(t, home(t)) })
		})
	}
}

func findsNearest(t *testing.T, s recall.Store) {
	ctx := t.Context()
	chunks := []recall.Chunk{chunk("a.go", 1, along(0)), chunk("a.go", 2, along(1)), chunk("b.go", 1, along(2))}
	must(t, s.Put(ctx, one, chunks))
	found, err := s.Search(ctx, one, along(1), 2, nil)
	must(t, err)
	if len(found) != 2 {
		t.Fatalf("found %d, want 2", len(found))
	}
	want := chunks[1]
	want.Vector = nil
	if got := found[0]; fmt.Sprint(got.Chunk) != fmt.Sprint(want) || math.Abs(got.Score-1) > 1e-4 {
		t.Errorf("found %+v, want %+v with score 1", got, want)
	}
	found, err = s.Search(ctx, one, along(1), 5, []string{"a.go"})
	must(t, err)
	if len(found) != 1 || found[0].Path != "b.go" {
		t.Errorf("with a.go excluded: %+v, want b.go alone", found)
	}
	must(t, s.Ping(ctx))
}

func agreesWithExhaustive(t *testing.T, s recall.Store) {
	ctx, r := t.Context(), rand.New(rand.NewPCG(1, 2))
	var chunks []recall.Chunk
	for i := range 600 {
		chunks = append(chunks, chunk(fmt.Sprintf("f%d.go", i/3), i, unit(r)))
	}
	must(t, s.Put(ctx, one, chunks))
	for range 20 {
		question := unit(r)
		found, err := s.Search(ctx, one, question, 10, nil)
		must(t, err)
		exact := slices.Clone(chunks)
		slices.SortFunc(exact, func(a, b recall.Chunk) int {
			return -compare(dot(a.Vector, question), dot(b.Vector, question))
		})
		for i, m := range found {
			if m.ID != exact[i].ID {
				t.Fatalf("place %d: %s with %.4f, exhaustively %s with %.4f", i, m.ID, m.Score, exact[i].ID, dot(exact[i].Vector, question))
			}
		}
		if len(found) != 10 {
			t.Fatalf("found %d, want 10", len(found))
		}
	}
}

func neverLeavesScope(t *testing.T, s recall.Store) {
	ctx := t.Context()
	must(t, s.Put(ctx, one, []recall.Chunk{chunk("same.go", 1, along(0))}))
	must(t, s.Put(ctx, two, []recall.Chunk{chunk("same.go", 1, along(0)), chunk("same.go", 2, along(0))}))
	must(t, s.Put(ctx, foreign, []recall.Chunk{chunk("canary.go", 1, along(0))}))
	for scope, want := range map[recall.Scope]int{one: 1, two: 2, foreign: 1} {
		found, err := s.Search(ctx, scope, along(0), 10, nil)
		must(t, err)
		if len(found) != want {
			t.Errorf("%+v: found %d, want %d: %+v", scope, len(found), want, found)
		}
	}
	// The right repository under another installation is somebody else's question.
	stolen := recall.Scope{Installation: one.Installation, Repository: foreign.Repository}
	if found, err := s.Search(ctx, stolen, along(0), 10, nil); err == nil && len(found) > 0 {
		t.Errorf("installation %d read repository %d of another: %+v", stolen.Installation, stolen.Repository, found)
	}
	if files, err := s.Files(ctx, stolen); err == nil && len(files) > 0 {
		t.Errorf("installation %d listed repository %d of another: %v", stolen.Installation, stolen.Repository, files)
	}
	must(t, s.Drop(ctx, one))
	found, err := s.Search(ctx, two, along(0), 10, nil)
	must(t, err)
	if len(found) != 2 {
		t.Errorf("dropping one repository left %d chunks of another, want 2", len(found))
	}
}

func replacesAndRemoves(t *testing.T, s recall.Store) {
	ctx := t.Context()
	must(t, s.Put(ctx, one, []recall.Chunk{chunk("a.go", 1, along(0)), chunk("a.go", 2, along(1)), chunk("b.go", 1, along(2))}))
	newer := chunk("a.go", 3, along(3))
	newer.ContentHash = "newer"
	must(t, s.Put(ctx, one, []recall.Chunk{newer}))
	files, err := s.Files(ctx, one)
	must(t, err)
	if len(files) != 2 || files["a.go"] != "newer" || files["b.go"] != "h-b.go" {
		t.Errorf("files %v", files)
	}
	found, err := s.Search(ctx, one, along(0), 10, nil)
	must(t, err)
	if len(found) != 2 {
		t.Errorf("after a.go was put again: %d chunks, want 2: %+v", len(found), found)
	}
	must(t, s.Remove(ctx, one, []string{"a.go"}))
	files, err = s.Files(ctx, one)
	must(t, err)
	if len(files) != 1 || files["b.go"] == "" {
		t.Errorf("files after removing a.go: %v", files)
	}
	must(t, s.Drop(ctx, one))
	files, err = s.Files(ctx, one)
	must(t, err)
	if len(files) != 0 {
		t.Errorf("files after the drop: %v", files)
	}
}

func refuses(t *testing.T, s recall.Store) {
	ctx := t.Context()
	long := along(0)
	long[1] = 1
	for name, bad := range map[string][]recall.Chunk{
		"not of unit length": {chunk("a.go", 1, long)},
		"no vector":          {chunk("a.go", 1, nil)},
		"two lengths":        {chunk("a.go", 1, along(0)), chunk("a.go", 2, []float32{1})},
		"no id":              {{Path: "a.go", Vector: along(0)}},
	} {
		if err := s.Put(ctx, one, bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := s.Put(ctx, recall.Scope{Repository: 10}, []recall.Chunk{chunk("a.go", 1, along(0))}); err == nil {
		t.Error("a scope without an installation was accepted")
	}
	must(t, s.Put(ctx, one, nil))
}

func empty(t *testing.T, s recall.Store) {
	found, err := s.Search(t.Context(), one, along(0), 10, nil)
	if err != nil || len(found) != 0 {
		t.Errorf("search in nothing: %v, %v", found, err)
	}
}

func TestQdrantSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "qdrant:6334", "http://qdrant:6333", "ftp://qdrant"} {
		if _, err := recall.NewQdrant(recall.QdrantConfig{URL: url}); err == nil {
			t.Errorf("%q was accepted", url)
		}
	}
	if _, err := recall.NewQdrant(recall.QdrantConfig{URL: "http://qdrant.example.com", APIKey: config.NewSecret("k")}); err == nil {
		t.Error("a key in clear text to another network was accepted")
	}
	if os.Getenv("QDRANT_URL") != "" {
		return
	}
	server, err := qdranttest.Start("right")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	q, err := recall.NewQdrant(recall.QdrantConfig{URL: server.URL(), APIKey: config.NewSecret("wrong")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	if err := q.Ping(t.Context()); err == nil {
		t.Error("a wrong key was accepted")
	}
}

func TestIndexes(t *testing.T) {
	t.Parallel()
	ctx, indexes := t.Context(), recall.NewIndexes(database(t))
	got, err := indexes.Get(ctx, one)
	must(t, err)
	if got != (recall.Index{}) {
		t.Errorf("before the first pass: %+v", got)
	}
	must(t, indexes.Finish(ctx, one, recall.Index{Head: "abc", Model: "m", Files: 3}))
	got, err = indexes.Get(ctx, one)
	must(t, err)
	if got.Head != "abc" || got.Model != "m" || got.Files != 3 || time.Since(got.FinishedAt) > time.Minute {
		t.Errorf("after it: %+v", got)
	}
	must(t, indexes.Begin(ctx, one, "other"))
	got, err = indexes.Get(ctx, one)
	must(t, err)
	if got != (recall.Index{Model: "other"}) {
		t.Errorf("after a pass with another model began: %+v", got)
	}
	stolen := recall.Scope{Installation: foreign.Installation, Repository: one.Repository}
	if err := indexes.Begin(ctx, stolen, "m"); err == nil {
		t.Error("another installation began the index")
	}
	if err := indexes.Finish(ctx, stolen, recall.Index{Head: "evil"}); err == nil {
		t.Error("another installation wrote the index")
	}
}

// TestAStaleCopyIsReadAgain shows that two workers see each other's changes.
func TestAStaleCopyIsReadAgain(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), database(t)
	a, b := recall.NewEmbedded(db), recall.NewEmbedded(db)
	must(t, a.Put(ctx, one, []recall.Chunk{chunk("a.go", 1, along(0))}))
	for _, s := range []recall.Store{a, b} {
		if found, err := s.Search(ctx, one, along(0), 5, nil); err != nil || len(found) != 1 {
			t.Fatalf("found %v, %v", found, err)
		}
	}
	must(t, a.Put(ctx, one, []recall.Chunk{chunk("b.go", 1, along(1))}))
	if found, err := b.Search(ctx, one, along(0), 5, nil); err != nil || len(found) != 2 {
		t.Errorf("the second worker sees %d chunks (%v), want 2", len(found), err)
	}
}

func BenchmarkEmbeddedSearch(b *testing.B) {
	db := pgtest.New(b)
	for _, q := range []string{`INSERT INTO installations (id) VALUES (1)`, `INSERT INTO repositories (id, installation_id, full_name) VALUES (10, 1, 'o/r')`} {
		if _, err := db.Pool().Exec(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
	s, r := recall.NewEmbedded(db), rand.New(rand.NewPCG(1, 2))
	var chunks []recall.Chunk
	for i := range 50_000 {
		v := make([]float32, 256)
		var sum float64
		for j := range v {
			v[j] = float32(r.NormFloat64())
			sum += float64(v[j]) * float64(v[j])
		}
		for j := range v {
			v[j] /= float32(math.Sqrt(sum))
		}
		chunks = append(chunks, chunk(fmt.Sprintf("f%d.go", i/5), i, v))
	}
	if err := s.Put(b.Context(), one, chunks); err != nil {
		b.Fatal(err)
	}
	question := chunks[7].Vector
	for b.Loop() {
		if found, err := s.Search(b.Context(), one, question, 10, nil); err != nil || len(found) != 10 {
			b.Fatal(len(found), err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func dot(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}
