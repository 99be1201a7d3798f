package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openrabbit/openrabbit/internal/store"
)

func TestEmbeddings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := store.EmbeddingKey{InstallationID: installation, Model: "m", Dimensions: 2}
	texts := []string{"a", "b\x00", "a", ""}
	vectors := [][]float32{{1, 0}, {0.6, -0.8}, {1, 0}, {0, 1}}
	for range 2 { // saving again is fine
		if err := w.SaveEmbeddings(w.ctx(), key, texts, vectors); err != nil {
			t.Fatal(err)
		}
	}
	get := func(key store.EmbeddingKey, texts ...string) [][]float32 {
		t.Helper()
		got, err := w.Embeddings(w.ctx(), key, texts)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if d := cmp.Diff([][]float32{{0.6, -0.8}, nil, {1, 0}, {1, 0}, {0, 1}}, get(key, "b\x00", "c", "a", "a", "")); d != "" {
		t.Error(d)
	}
	for name, other := range map[string]store.EmbeddingKey{
		"installation": {InstallationID: installation + 1, Model: "m", Dimensions: 2},
		"model":        {InstallationID: installation, Model: "n", Dimensions: 2},
		"length":       {InstallationID: installation, Model: "m", Dimensions: 3},
	} {
		if got := get(other, "a"); got[0] != nil {
			t.Errorf("the vector of another %s", name)
		}
	}
	if err := w.SaveEmbeddings(w.ctx(), key, []string{"x"}, [][]float32{{1}}); err == nil {
		t.Error("a vector of another length was kept")
	}
	if _, err := w.db.Pool().Exec(w.ctx(), `UPDATE embeddings SET created_at = now() - interval '31 days'`); err != nil {
		t.Fatal(err)
	}
	done, err := w.CleanUp(w.ctx(), store.Retention{})
	if err != nil || done.Embeddings != 3 {
		t.Errorf("cleaned up %+v, %v", done, err)
	}
}
