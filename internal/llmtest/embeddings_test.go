package llmtest_test

import (
	"context"
	"math"
	"testing"

	"github.com/openrabbit/openrabbit/internal/llmtest"
)

func TestEmbeddingsAreNearWhenTheWordsAre(t *testing.T) {
	t.Parallel()
	_, c := start(t, llmtest.Options{})
	got, err := c.post(context.Background(), "/embeddings", map[string]any{"model": "m", "dimensions": 256, "input": []string{
		"func parseHTTPRequest(body []byte) (*Request, error)",
		"request, err := parse_http_request(body)",
		"SELECT count(*) FROM invoices WHERE paid_at IS NULL",
		"func parseHTTPRequest(body []byte) (*Request, error)",
	}})
	if err != nil || len(got.Data) != 4 {
		t.Fatalf("%s %v", got.body, err)
	}
	near := func(i, j int) float64 { return cosine(got.Data[i].Embedding, got.Data[j].Embedding) }
	if near(0, 3) < 0.9999 || near(0, 1) < 0.5 || near(0, 2) > 0.2 || near(1, 2) > 0.2 {
		t.Errorf("same %.2f, alike %.2f, others %.2f %.2f", near(0, 3), near(0, 1), near(0, 2), near(1, 2))
	}
	for i, d := range got.Data {
		if norm := cosine(d.Embedding, d.Embedding); len(d.Embedding) != 256 || math.Abs(norm-1) > 1e-5 {
			t.Errorf("vector %d has %d components and length² %f", i, len(d.Embedding), norm)
		}
	}
}

func TestEmbeddingsOfAnything(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " ", "{}[]();", "日本語", "\x00\xff", "A", "ABC", "aB", "__", "HTTPServer2Go"} {
		for _, n := range []int{1, 2, 256} {
			v := llmtest.Embedding(text, n)
			if norm := cosine(v, v); len(v) != n || math.Abs(norm-1) > 1e-5 {
				t.Errorf("%q in %d: %d components, length² %f", text, n, len(v), norm)
			}
		}
	}
}

func TestDimensionsMayBeIgnored(t *testing.T) {
	t.Parallel()
	_, c := start(t, llmtest.Options{IgnoreDimensions: true, NativeDimensions: 64})
	got, err := c.post(context.Background(), "/embeddings", map[string]any{"model": "m", "input": "a", "dimensions": 8})
	if err != nil || len(got.Data[0].Embedding) != 64 {
		t.Errorf("%s %v", got.body, err)
	}
}

func cosine(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
