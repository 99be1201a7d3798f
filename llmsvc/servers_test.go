package llmsvc

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/review"
)

// wire is one request as a server sees it.
type wire struct {
	path, query, bearer, apiKey string
	body                        map[string]any
}

func (w wire) has(field string) bool { _, ok := w.body[field]; return ok }

// format gives the type of response_format, "" when there is none.
func (w wire) format() string {
	f, _ := w.body["response_format"].(map[string]any)
	kind, _ := f["type"].(string)
	return kind
}

// scriptedServer answers as one kind of server does: refuse says with which status and body it refuses a request, 0 when
// it takes it.
type scriptedServer struct {
	refuse func(wire) (int, string)
	// usage and content are what it answers.
	content string

	mu   sync.Mutex
	seen []wire
}

func (s *scriptedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	got := wire{path: r.URL.Path, query: r.URL.RawQuery, bearer: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), apiKey: r.Header.Get("api-key")}
	_ = json.Unmarshal(text, &got.body)
	s.mu.Lock()
	s.seen = append(s.seen, got)
	s.mu.Unlock()
	if s.refuse != nil {
		if status, body := s.refuse(got); status != 0 {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return
		}
	}
	if strings.HasSuffix(got.path, "/embeddings") {
		type item struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		}
		var data []item
		inputs, _ := got.body["input"].([]any)
		for i := range inputs {
			data = append(data, item{i, []float32{3, 4, 0, 0, 1, 2, 3, 4}})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": data, "model": got.body["model"], "usage": map[string]int{"prompt_tokens": 3}})
		return
	}
	content := s.content
	if content == "" {
		content = empty
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id": "x", "object": "chat.completion", "model": got.body["model"], "usage": map[string]int{"prompt_tokens": 40, "completion_tokens": 5},
		"choices": []any{map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": content}}},
	})
}

// unknownField refuses requests with a field, in these words.
func unknownField(field string, status int, body string) func(wire) (int, string) {
	return func(w wire) (int, string) {
		if w.has(field) {
			return status, body
		}
		return 0, ""
	}
}

// TestServers asks a server of each kind, as its documentation describes it, three times: the first answer must come, and
// after it no request is refused any more.
func TestServers(t *testing.T) {
	t.Parallel()
	half, seed := 0.5, int64(3)
	for name, tt := range map[string]struct {
		endpoint Endpoint
		model    string
		server   *scriptedServer
		// refused is how many requests the first question may lose to what the table does not know.
		refused int
		check   func(wire) bool
		// embed is how many texts a batch may hold, 0 when there are no embeddings.
		embed int
	}{
		"openai": {Endpoint{BaseURL: "https://api.openai.com/v1"}, "gpt-4.1", &scriptedServer{
			refuse: unknownField("max_tokens", 400, `{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}`),
		}, 0, func(w wire) bool {
			return w.path == "/v1/chat/completions" && w.format() == "json_schema" && w.has("max_completion_tokens") && w.bearer == testKey && w.has("seed")
		}, 2048},
		"azure deployments": {Endpoint{BaseURL: "https://acme.openai.azure.com", APIVersion: "2025-01-01"}, "reviews-4.1", &scriptedServer{
			refuse: unknownField("max_tokens", 400, `{"error":{"code":"unsupported_parameter","message":"Unsupported parameter: 'max_tokens'","param":"max_tokens","type":"invalid_request_error"}}`),
		}, 0, func(w wire) bool {
			return w.path == "/openai/deployments/reviews-4.1/chat/completions" && w.query == "api-version=2025-01-01" && w.apiKey == testKey && w.bearer == ""
		}, 2048},
		"azure v1": {Endpoint{BaseURL: "https://acme.openai.azure.com/openai/v1/"}, "reviews", &scriptedServer{}, 0, func(w wire) bool {
			return w.path == "/openai/v1/chat/completions" && w.query == "" && w.bearer == testKey && w.has("max_completion_tokens")
		}, 2048},
		"groq, a model without json_schema": {Endpoint{BaseURL: "https://api.groq.com/openai/v1"}, "llama-3.3-70b-versatile", &scriptedServer{refuse: func(w wire) (int, string) {
			if w.format() == "json_schema" {
				return 400, "{\"error\":{\"message\":\"This model does not support response format `json_schema`. See supported models\",\"type\":\"invalid_request_error\",\"param\":\"response_format\"}}"
			}
			return 0, ""
		}}, 1, func(w wire) bool { return w.format() == "json_object" && w.has("max_completion_tokens") }, 0},
		"gemini": {Endpoint{BaseURL: "https://generativelanguage.googleapis.com/v1beta/openai"}, "gemini-3-flash", &scriptedServer{refuse: func(w wire) (int, string) {
			inputs, _ := w.body["input"].([]any)
			switch {
			case w.has("seed"):
				return 400, `[{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"seed\": Cannot find field.","status":"INVALID_ARGUMENT"}}]`
			case len(inputs) > 100:
				return 400, `[{"error":{"code":400,"message":"* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch","status":"INVALID_ARGUMENT"}}]`
			}
			return 0, ""
		}}, 0, func(w wire) bool {
			return w.path == "/v1beta/openai/chat/completions" && w.format() == "json_schema" && !w.has("seed") && w.bearer == testKey
		}, 100},
		"anthropic": {Endpoint{BaseURL: "https://api.anthropic.com/v1"}, "claude-sonnet-4-5", &scriptedServer{content: "Here you are:\n```json\n" + empty + "\n```"}, 0, func(w wire) bool {
			text, _ := json.Marshal(w.body["messages"])
			return w.format() == "" && !w.has("seed") && strings.Contains(string(text), "JSON Schema named")
		}, 0},
		"vllm": {Endpoint{BaseURL: "http://gpu.example:8000/v1", Server: "vllm"}, "Qwen/Qwen3-Coder-30B", &scriptedServer{
			refuse: unknownField("dimensions", 400, `{"object":"error","message":"Model \"e\" does not support matryoshka representation, changing output dimensions will lead to poor results.","type":"BadRequestError","param":null,"code":400}`),
		}, 0, func(w wire) bool { return w.format() == "json_schema" && w.has("max_completion_tokens") }, 2048},
		"ollama": {Endpoint{BaseURL: "http://localhost:11434/v1"}, "qwen3-coder:30b", &scriptedServer{}, 0, func(w wire) bool { return w.format() == "json_schema" && w.has("max_tokens") && w.has("seed") }, 2048},
		"llama.cpp without --embeddings": {Endpoint{BaseURL: "http://127.0.0.1:8081/v1", Server: "llamacpp"}, "any", &scriptedServer{refuse: func(w wire) (int, string) {
			if strings.HasSuffix(w.path, "/embeddings") {
				return 501, `{"error":{"code":501,"message":"This server does not support embeddings. Start it with --embeddings","type":"not_supported_error"}}`
			}
			return 0, ""
		}}, 0, func(w wire) bool { return w.format() == "json_schema" && w.has("max_tokens") }, 0},
		"litellm in front of a model without seed": {Endpoint{BaseURL: "http://localhost:4000"}, "team/claude", &scriptedServer{refuse: func(w wire) (int, string) {
			if w.has("seed") {
				return 400, `{"error":{"message":"litellm.UnsupportedParamsError: anthropic does not support parameters: ['seed'], for model=claude. To drop these, set litellm.drop_params=True","type":"None","param":"None","code":"400"}}`
			}
			return 0, ""
		}}, 1, func(w wire) bool {
			return w.path == "/chat/completions" && !w.has("seed") && w.format() == "json_schema"
		}, 2048},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.endpoint.Key = config.NewSecret(testKey)
			s := newService(t, Config{Endpoint: tt.endpoint, Main: tt.model, Embed: "e", EmbedBatch: 2048}, inProcess{tt.server})
			q := s.findings(t, "look")
			q.temperature, q.seed = &half, &seed
			for ask := range 3 {
				got, err := s.complete(t.Context(), q)
				if err != nil || got.outcome != review.OutcomeOK || got.content != empty {
					t.Fatalf("ask %d: %+v, %v", ask, got, err)
				}
				if last := tt.server.seen[len(tt.server.seen)-1]; !tt.check(last) {
					t.Errorf("ask %d sent %+v", ask, last)
				}
			}
			if n := len(tt.server.seen); n != 3+tt.refused {
				t.Errorf("%d requests for 3 questions, want %d refused", n, tt.refused)
			}
			got, err := s.embed(t.Context(), "", texts(150), 8)
			if (err == nil) != (tt.embed > 0) {
				t.Fatalf("embed: %v", err)
			}
			if tt.embed == 0 {
				return
			}
			if len(got.vectors) != 150 || len(got.vectors[149]) != 8 {
				t.Errorf("%d vectors", len(got.vectors))
			}
			for _, w := range tt.server.seen {
				if inputs, _ := w.body["input"].([]any); len(inputs) > tt.embed {
					t.Errorf("a batch of %d", len(inputs))
				}
			}
		})
	}
}

// What each kind of server says when it cannot.
func TestServersFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
		want   review.Outcome
	}{
		"azure filters":           {400, `{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, review.OutcomeRefused},
		"anthropic is overloaded": {529, `{"error":{"message":"Overloaded","type":"overloaded_error"}}`, review.OutcomeUnavailable},
		"anthropic, too long":     {400, `{"error":{"message":"prompt is too long: 250000 tokens > 200000 maximum","type":"invalid_request_error"}}`, review.OutcomeTooLong},
		"vllm, too long":          {400, `{"object":"error","message":"This model's maximum context length is 32768 tokens. However, you requested 40000 tokens","type":"BadRequestError","param":null,"code":400}`, review.OutcomeTooLong},
		"llama.cpp, too long":     {400, `{"error":{"code":400,"message":"the request exceeds the available context size. try increasing the context size","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":8192}}`, review.OutcomeTooLong},
		"gemini, too long":        {400, `[{"error":{"code":400,"message":"The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]`, review.OutcomeTooLong},
		"gemini, no quota now":    {429, `[{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}]`, review.OutcomeRateLimited},
		"groq, too many tokens":   {429, "{\"error\":{\"message\":\"Rate limit reached for model `x` on tokens per minute (TPM)\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}", review.OutcomeRateLimited},
		"ollama loads":            {503, `{"error":{"message":"server busy, please try again. maximum pending requests exceeded","type":"api_error","param":null,"code":null}}`, review.OutcomeUnavailable},
		"litellm, budget":         {429, `{"error":{"message":"No deployments available for selected model","type":"None","param":"None","code":"429"}}`, review.OutcomeRateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &scriptedServer{refuse: func(wire) (int, string) { return tt.status, tt.body }}
				s := newService(t, Config{}, inProcess{server})
				if got := s.ask(t, "x"); got.outcome != tt.want || len(server.seen) > 3 {
					t.Errorf("%+v after %d requests, want %s", got, len(server.seen), tt.want)
				}
			})
		})
	}
}

// Every row names its documentation, and a server's row is found by its address but for a name that looks like it.
func TestTheTableOfServers(t *testing.T) {
	t.Parallel()
	for _, s := range knownServers() {
		if len(s.docs) == 0 || s.limit == "" {
			t.Errorf("%s: no documentation or no limit", s.name)
		}
		for _, at := range s.docs {
			if !strings.HasPrefix(at, "https://") {
				t.Errorf("%s: %q is no address", s.name, at)
			}
		}
	}
	for base, want := range map[string]string{
		"https://api.openai.com/v1": "openai", "https://api.openai.com.evil.test/v1": "other", "https://ACME.openai.azure.com/openai": "azure",
		"https://openai.azure.com.evil.test": "other", "http://localhost:11434/v1": "ollama", "http://models.example:11434/v1": "other",
		"http://127.0.0.1:4000": "litellm", "https://api.anthropic.com/v1": "anthropic", "http://x.test/v1": "other", "": "other",
	} {
		if got := serverOf("", base).name; got != want {
			t.Errorf("%q is %s, want %s", base, got, want)
		}
	}
	if got := serverOf("vllm", "https://api.openai.com/v1").name; got != "vllm" {
		t.Errorf("what the configuration says counts, got %s", got)
	}
}

// A wait that a server asked of one caller is every caller's.
func TestAnAskedWaitIsEverybodys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var first sync.Once
		limited := false
		var asked []time.Time
		var mu sync.Mutex
		began := time.Now()
		handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			asked = append(asked, time.Now())
			mu.Unlock()
			first.Do(func() { limited = true })
			if limited {
				limited = false
				w.Header().Set("Retry-After", "20")
				w.WriteHeader(429)
				return
			}
			_, _ = io.WriteString(w, body(t, empty))
		})
		s := newService(t, Config{Concurrency: 1}, inProcess{handler})
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { s.ask(t, "x") })
		}
		all.Wait()
		for i, at := range asked {
			if d := at.Sub(began); i > 0 && d < 20*time.Second {
				t.Errorf("request %d after %v, inside of the 20 s", i, d)
			}
		}
		if len(asked) != 6 {
			t.Errorf("%d requests, want 6", len(asked))
		}
	})
}
