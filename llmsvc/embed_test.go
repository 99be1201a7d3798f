package llmsvc

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/openrabbit/openrabbit/internal/llmtest"
)

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func texts(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("text number %d", i)
	}
	return out
}

func TestEmbed(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{}, Config{Models: map[string]ModelInfo{"embed-model": {InputMicros: 1_000_000}}})
	in := texts(300)
	got, err := s.embed(t.Context(), "", in, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.vectors) != 300 || got.model != "embed-model" || got.spent.requests != 3 || got.spent.input == 0 || got.spent.cost == 0 || got.spent.estimated {
		t.Errorf("%d vectors of %s, %+v", len(got.vectors), got.model, got.spent)
	}
	for i, v := range got.vectors {
		if len(v) != defaultDimensions || math.Abs(dot(v, v)-1) > 1e-5 {
			t.Fatalf("vector %d: %d components, length² %f", i, len(v), dot(v, v))
		}
		if want := llmtest.Embedding(in[i], defaultDimensions); dot(v, want) < 0.9999 {
			t.Fatalf("vector %d is not that of its text", i)
		}
	}
	for i, want := range []int{128, 128, 44} {
		if c := s.server.Calls()[i]; len(c.Inputs) != want || c.Dimensions != defaultDimensions {
			t.Errorf("request %d: %d inputs of %d dimensions", i, len(c.Inputs), c.Dimensions)
		}
	}
	if got := metricValue(t, s.reg, "openrabbit_llm_calls_total", "purpose", "embed", "outcome", "ok"); got != 1 {
		t.Errorf("counted %v", got)
	}
}

// However a server treats dimensions, vectors have the asked length and unit norm.
func TestDimensions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options  llmtest.Options
		requests int
	}{
		"honoured": {llmtest.Options{}, 1},
		"refused":  {llmtest.Options{Lacks: llmtest.Lacks{Dimensions: true}, NativeDimensions: 384}, 2},
		"ignored":  {llmtest.Options{IgnoreDimensions: true, NativeDimensions: 384}, 1},
	} {
		s := newRig(t, tt.options, Config{})
		for i := range 2 {
			got, err := s.embed(t.Context(), "", []string{"parseHTTPBody in a handler"}, 64)
			if err != nil || len(got.vectors[0]) != 64 || math.Abs(dot(got.vectors[0], got.vectors[0])-1) > 1e-5 {
				t.Fatalf("%s: %v %v", name, got, err)
			}
			if n := len(s.server.Calls()); n != tt.requests+i {
				t.Errorf("%s: %d requests after %d calls", name, n, i+1)
			}
		}
	}
}

func TestSmallBatchesAreLearned(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{MaxBatch: 32}, Config{})
	got, err := s.embed(t.Context(), "", texts(100), 8)
	if err != nil || len(got.vectors) != 100 {
		t.Fatalf("%d vectors, %v", len(got.vectors), err)
	}
	var sizes []int
	for _, c := range s.server.Calls() {
		sizes = append(sizes, len(c.Inputs))
	}
	if got := fmt.Sprint(sizes); got != "[100 50 25 25 25 25]" {
		t.Errorf("batches %s", got)
	}
	for i, v := range got.vectors {
		if dot(v, llmtest.Embedding(fmt.Sprintf("text number %d", i), 8)) < 0.9999 {
			t.Fatalf("vector %d is not that of its text", i)
		}
	}
}

func TestBatchesAreBoundedInTokens(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{}, Config{})
	big := strings.Repeat("x ", 150_000) // about 100,000 tokens by our estimate
	got, err := s.embed(t.Context(), "", []string{big, big, big, "small", strings.Repeat("y ", 600_000), "small"}, 8)
	if err != nil || len(got.vectors) != 6 {
		t.Fatalf("%d vectors, %v", len(got.vectors), err)
	}
	var sizes []int
	for _, c := range s.server.Calls() {
		sizes = append(sizes, len(c.Inputs))
	}
	if got := fmt.Sprint(sizes); got != "[2 2 1 1]" {
		t.Errorf("batches %s", got)
	}
}

// A text beyond the window is cut to it where its tokens can be counted.
func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{}, Config{Embed: "text-embedding-3-small"})
	if _, err := s.embed(t.Context(), "", []string{strings.Repeat("word ", 20_000), "short"}, 8); err != nil {
		t.Fatal(err)
	}
	in := s.server.Calls()[0].Inputs
	if n, exact := newCounter("text-embedding-3-small").count(in[0]); !exact || n > 8191 || n < 8000 || in[1] != "short" {
		t.Errorf("sent %d tokens", n)
	}
}

func TestEmbeddingsThatDontFitAreErrors(t *testing.T) {
	t.Parallel()
	vector := func(index int, values string) string {
		return fmt.Sprintf(`{"index":%d,"embedding":%s}`, index, values)
	}
	for name, tt := range map[string]struct{ data, want string }{
		"too few":     {vector(0, "[1,0]"), "1 embeddings for 2 texts"},
		"none":        {"", "0 embeddings for 2 texts"},
		"too many":    {vector(0, "[1,0]") + "," + vector(1, "[1,0]") + "," + vector(2, "[1,0]"), "3 embeddings for 2 texts"},
		"twice":       {vector(0, "[1,0]") + "," + vector(0, "[1,0]"), "order"},
		"beyond":      {vector(0, "[1,0]") + "," + vector(7, "[1,0]"), "order"},
		"negative":    {vector(0, "[1,0]") + "," + vector(-1, "[1,0]"), "order"},
		"too short":   {vector(0, "[1]") + "," + vector(1, "[1,0]"), "1 dimensions and not 2"},
		"zero":        {vector(0, "[0,0]") + "," + vector(1, "[1,0]"), "direction"},
		"missing one": {vector(0, "null") + "," + vector(1, "[1,0]"), "0 dimensions"},
	} {
		s := newRig(t, script(llmtest.Rule{Match: llmtest.Match{Endpoint: "embeddings"}, Body: `{"data":[` + tt.data + `]}`}), Config{})
		_, err := s.embed(t.Context(), "", []string{"a", "b"}, 2)
		var refused *refusal
		if !errors.As(err, &refused) || refused.kind != refusedPrecondition || !strings.Contains(err.Error(), tt.want) || len(s.server.Calls()) != 1 {
			t.Errorf("%s: %v after %d requests", name, err, len(s.server.Calls()))
		}
	}
}

func TestEmbeddingsOutOfOrderArePutInOrder(t *testing.T) {
	t.Parallel()
	s := newRig(t, script(llmtest.Rule{Match: llmtest.Match{Endpoint: "embeddings"},
		Body: `{"data":[{"index":1,"embedding":[0,3]},{"index":0,"embedding":[2,0]}],"model":"exact-name"}`}), Config{})
	got, err := s.embed(t.Context(), "", []string{"a", "b"}, 2)
	if err != nil || fmt.Sprint(got.vectors) != "[[1 0] [0 1]]" || got.model != "exact-name" || !got.spent.estimated {
		t.Errorf("got %+v %v", got, err)
	}
}

func TestEmbedFailures(t *testing.T) {
	t.Parallel()
	on := llmtest.Match{Endpoint: "embeddings"}
	for name, tt := range map[string]struct {
		rule     llmtest.Rule
		want     refusalKind
		requests int
	}{
		"busy":       {llmtest.Rule{Match: on, Status: 429}, refusedUnavailable, 3},
		"broken":     {llmtest.Rule{Match: on, Status: 500}, refusedUnavailable, 3},
		"not JSON":   {llmtest.Rule{Match: on, Body: "<html>"}, refusedUnavailable, 3},
		"infinite":   {llmtest.Rule{Match: on, Body: `{"data":[{"index":0,"embedding":[1e99,0]}]}`}, refusedUnavailable, 3},
		"too long":   {llmtest.Rule{Match: on, Status: 400, Error: &llmtest.Error{Message: "maximum context length"}}, refusedArgument, 1},
		"bad":        {llmtest.Rule{Match: on, Status: 400, Error: &llmtest.Error{Message: "bad"}}, refusedArgument, 1},
		"key":        {llmtest.Rule{Match: on, Status: 401}, refusedPrecondition, 1},
		"model":      {llmtest.Rule{Match: on, Status: 404}, refusedPrecondition, 1},
		"recovers":   {llmtest.Rule{Match: on, Status: 503, Times: 2}, 0, 3},
		"error, 200": {llmtest.Rule{Match: on, Body: `{"error":{"message":"busy","code":503}}`}, refusedUnavailable, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newRig(t, script(tt.rule), Config{})
			_, err := s.embed(t.Context(), "", []string{"a"}, 2)
			var refused *refusal
			errors.As(err, &refused)
			if (err == nil) != (tt.want == 0) || (refused != nil && refused.kind != tt.want) || len(s.server.Calls()) != tt.requests {
				t.Errorf("%s: %v after %d requests", name, err, len(s.server.Calls()))
			}
			if tt.want == refusedUnavailable && refused != nil && refused.retryAfter == 0 {
				t.Errorf("%s: it does not say when to come back", name)
			}
		})
	}
}

func TestEmbedArguments(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{}, Config{})
	for name, tt := range map[string]struct {
		texts      []string
		dimensions int
	}{
		"none":         {nil, 0},
		"too many":     {texts(maxTexts + 1), 0},
		"an empty one": {[]string{"a", ""}, 0},
		"negative":     {[]string{"a"}, -1},
		"too wide":     {[]string{"a"}, maxDimensionsWanted + 1},
		"too much":     {texts(maxTexts), 4096},
	} {
		_, err := s.embed(t.Context(), "", tt.texts, tt.dimensions)
		var refused *refusal
		if !errors.As(err, &refused) || refused.kind != refusedArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(s.server.Calls()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// The largest set of vectors that servers commonly give fits the bound on their answers.
func TestABatchOfWideVectorsFits(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Input []string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		wide := "[" + strings.TrimSuffix(strings.Repeat("-0.0123456789,", 4096), ",") + "]"
		var data []string
		for i := range in.Input {
			data = append(data, fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":%s}`, i, wide))
		}
		_, _ = fmt.Fprintf(w, `{"data":[%s]}`, strings.Join(data, ","))
	})
	s := newService(t, Config{}, inProcess{handler})
	if got, err := s.embed(t.Context(), "", texts(defaultBatch), 256); err != nil || len(got.vectors) != defaultBatch {
		t.Errorf("%d vectors, %v", len(got.vectors), err)
	}
}
