package llmsvc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/openrabbit/openrabbit/internal/llmtest"
)

// The errors of servers that people run, in their own forms.
func TestErrorsOfRealServers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
		want   failureKind
		says   string
	}{
		"openai window":     {400, `{"error":{"message":"Input tokens exceed the configured limit","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, tooLong, "Input tokens"},
		"vllm window":       {400, `{"object":"error","message":"This model's maximum context length is 6048 tokens. However, you requested 6616 tokens.","type":"BadRequestError","param":null,"code":400}`, tooLong, "6048"},
		"vllm newer window": {400, `{"error":{"message":"You passed 1015 input tokens and requested 10 output tokens. However, the model's context length is only 1024 tokens","type":"BadRequestError","param":"input_tokens","code":400}}`, tooLong, "1015"},
		"llama.cpp window":  {500, `{"error":{"code":500,"message":"the request exceeds the available context size.","type":"exceed_context_size_error"}}`, tooLong, "available"},
		"413":               {413, `too big`, tooLong, "too big"},
		"google in a list":  {400, `[{"error":{"code":400,"message":"Invalid JSON payload received.","status":"INVALID_ARGUMENT"}}]`, badRequest, "payload"},
		"lm studio":         {400, `{"error":"'response_format.type' must be 'json_schema'"}`, badRequest, "must be"},
		"fastapi":           {422, `{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted","input":"the prompt"}]}`, badRequest, "body.seed: Extra inputs"},
		"fastapi text":      {404, `{"detail":"Not Found"}`, setup, "Not Found"},
		"azure filter":      {400, `{"error":{"message":"The response was filtered","type":null,"param":"prompt","code":"content_filter","status":400}}`, policy, "filtered"},
		"openai policy":     {400, `{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.","type":"invalid_request_error","code":"invalid_prompt"}}`, policy, ""},
		"message as object": {422, `{"message":{"detail":[{"loc":["body"]}]}}`, badRequest, "loc"},
		"html":              {502, `<html><h1>Bad Gateway</h1>`, transient, ""},
		"cut json":          {500, `{"error":{"mess`, transient, ""},
		"nothing":           {500, ``, transient, ""},
		"null error":        {500, `{"error":null,"message":"x"}`, transient, "x"},
		"good status":       {200, `{"error":{"message":"busy","code":503}}`, transient, "busy"},
		"good status, text": {200, `{"error":"overloaded"}`, transient, "overloaded"},
		"good status, 429":  {200, `{"error":{"message":"slow down","code":"429"}}`, rateLimited, "slow"},
		"good, but not it":  {200, `[1,2]`, transient, ""},
		"timeout":           {408, ``, transient, ""},
		"conflict":          {409, ``, transient, ""},
		"teapot":            {418, ``, badRequest, ""},
	} {
		x := &exchange{status: tt.status, body: []byte(tt.body)}
		if f := classify(x, errors.New("whatever the library said"), nil, nil); f.kind != tt.want || !strings.Contains(f.said.message, tt.says) || f.what == "" {
			t.Errorf("%s: kind %d %q (%q), want %d %q", name, f.kind, f.said.message, f.what, tt.want, tt.says)
		}
	}
}

func TestScrub(t *testing.T) {
	t.Parallel()
	request := "func chargeCustomer(id string) {\n\tpassword := \"hunter2\"\n\tlog.Print(password)\n}"
	for name, tt := range map[string]struct{ in, gone, kept string }{
		"key":             {"Incorrect API key provided: " + testKey + ".", testKey, "Incorrect API key"},
		"key in pieces":   {"Incorrect API key: sk-can********defXYZ.", "defXYZ", "Incorrect API key"},
		"another key":     {"leaked sk-proj-abcdefghijklmnop1234567890 here", "abcdefghijklmnop", "here"},
		"bearer":          {"Authorization: Bearer abcdefghijklmnopqrstuvwx", "abcdefghijklmnop", "Authorization"},
		"echo":            {"cannot parse: func chargeCustomer(id string) { at 3", "chargeCustomer", "cannot parse"},
		"echo, escaped":   {`invalid: "{\n\tpassword := \"hunter2\"\n\tlog"`, "hunter2", "invalid"},
		"echo, one line":  {"bad { password := \"hunter2\" log.Print(password)", "hunter2", "bad"},
		"echo, quoted":    {"unexpected token 'hunter2' in input", "hunter2", "unexpected token"},
		"nothing to hide": {"The model `m1` does not exist", "[…]", "`m1` does not exist"},
		"control":         {"a\r\nb\x00c\x1b[31m", "\x1b", "a b c"},
		"bytes":           {"a\xff\xfeb", "\xff", "ab"},
	} {
		got := scrub(tt.in, []string{"You review code.", request}, testKey)
		if strings.Contains(got, tt.gone) || !strings.Contains(got, tt.kept) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := scrub("your key correct-horse-battery-staple is wrong", nil, "correct-horse-battery-staple"); strings.Contains(got, "battery") {
		t.Errorf("a key without a shape: %q", got)
	}
	if got := scrub("your key ab12 is wrong", nil, "ab12"); strings.Contains(got, "ab12") {
		t.Errorf("a short key: %q", got)
	}
	if got := scrub(strings.Repeat("long ", 1000), nil, ""); len(got) > maxDetail+len("…") {
		t.Errorf("%d bytes", len(got))
	}
	// A key that straddles the cut is not left in half.
	if got := scrub(strings.Repeat("x", 2*maxDetail-10)+testKey, nil, testKey); strings.Contains(got, testKey[:8]) {
		t.Errorf("half a key: %q", got)
	}
}

// Neither the key nor the text of a request comes out anywhere, whatever a server does with them.
func TestCanaries(t *testing.T) {
	t.Parallel()
	const secret = "canary-text-of-the-repository-4711"
	for name, respond := range map[string]func(*http.Request, string) (int, string){
		"echoes all":       func(r *http.Request, b string) (int, string) { return 400, dump(r, b) },
		"as a message":     func(r *http.Request, b string) (int, string) { return 400, message1(dump(r, b)) },
		"when it fails":    func(r *http.Request, b string) (int, string) { return 500, message1(dump(r, b)) },
		"when it is busy":  func(r *http.Request, b string) (int, string) { return 429, message1(dump(r, b)) },
		"when it refuses":  func(r *http.Request, b string) (int, string) { return 401, message1(dump(r, b)) },
		"not found":        func(r *http.Request, b string) (int, string) { return 404, message1(dump(r, b)) },
		"no credit":        func(r *http.Request, b string) (int, string) { return 402, message1(dump(r, b)) },
		"too long":         func(r *http.Request, b string) (int, string) { return 413, message1(dump(r, b)) },
		"with good status": func(r *http.Request, b string) (int, string) { return 200, message1(dump(r, b)) },
		"as an answer":     func(r *http.Request, b string) (int, string) { return 200, answer1(dump(r, b)) },
		"as a key of it":   func(*http.Request, string) (int, string) { return 200, answer1(`{"findings":[],"` + secret + `":1}`) },
		"as a refusal": func(r *http.Request, b string) (int, string) {
			return 200, `{"choices":[{"message":{"refusal":` + quote(dump(r, b)) + `}}]}`
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					var b strings.Builder
					buf := make([]byte, 1<<20)
					for {
						n, err := r.Body.Read(buf)
						b.Write(buf[:n])
						if err != nil {
							break
						}
					}
					status, text := respond(r, b.String())
					w.WriteHeader(status)
					_, _ = w.Write([]byte(text))
				})
				s := newService(t, Config{}, inProcess{handler})
				got, err := s.complete(t.Context(), s.findings(t, "look at "+secret+" please"))
				vectors, embedErr := s.embed(t.Context(), "", []string{"embed " + secret}, 0)
				sinks := map[string]string{
					"answer": fmt.Sprintf("%+v", got), "error": fmt.Sprint(err), "log": s.log.String(),
					"embed error": fmt.Sprint(embedErr), "vectors": fmt.Sprintf("%+v", vectors),
					"rpc": fmt.Sprint(rpcError(context.Background(), errors.Join(err, embedErr))), "metrics": gathered(t, s),
				}
				for sink, text := range sinks {
					for _, canary := range []string{secret, testKey, testKey[3:], "canary-text"} {
						if strings.Contains(text, canary) {
							t.Errorf("%q in the %s: %s", canary, sink, text)
						}
					}
				}
			})
		})
	}
}

func dump(r *http.Request, body string) string {
	return "you sent " + r.Header.Get("Authorization") + r.Header.Get("Api-Key") + " and " + body
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func message1(s string) string { return `{"error":{"message":` + quote(s) + `,"param":"p"}}` }

func answer1(s string) string {
	return `{"choices":[{"message":{"content":` + quote(s) + `},"finish_reason":"stop"}]}`
}

func gathered(t *testing.T, s *rig) string {
	t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(families)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t, script(llmtest.Rule{Status: 503, Times: 1}, llmtest.Rule{Usage: &llmtest.Usage{PromptTokens: 100, CompletionTokens: 7}}),
			Config{Models: map[string]ModelInfo{"main-model": {InputMicros: 1_000_000}}})
		s.ask(t, "x")
		for _, tt := range []struct {
			name   string
			labels []string
			want   float64
		}{
			{"openrabbit_llm_calls_total", []string{"purpose", "findings", "model", "main-model", "outcome", "ok"}, 1},
			{"openrabbit_llm_http_requests_total", []string{"status", "503"}, 1},
			{"openrabbit_llm_http_requests_total", []string{"status", "200"}, 1},
			{"openrabbit_llm_tokens_total", []string{"kind", "input"}, 100},
			{"openrabbit_llm_tokens_total", []string{"kind", "output"}, 7},
			{"openrabbit_llm_cost_micros_total", nil, 100},
			{"openrabbit_llm_call_seconds", []string{"purpose", "findings"}, 1},
			{"openrabbit_llm_breaker_state", nil, 0},
			{"openrabbit_llm_http_in_flight", nil, 0},
		} {
			if got := metricValue(t, s.reg, tt.name, tt.labels...); got != tt.want {
				t.Errorf("%s%v = %v, want %v", tt.name, tt.labels, got, tt.want)
			}
		}
	})
}

func TestPurposesAreBounded(t *testing.T) {
	t.Parallel()
	s := newBare(t, Config{})
	for _, bad := range []string{"", "Secret", "a b", "x\n", strings.Repeat("a", 40)} {
		if got := s.metrics.purpose(bad); got != "other" {
			t.Errorf("%q became %q", bad, got)
		}
	}
	seen := map[string]bool{}
	for i := range 1000 {
		seen[s.metrics.purpose(fmt.Sprintf("p%d", i))] = true
	}
	if len(seen) != maxPurposes+1 || s.metrics.purpose("p0") != "p0" {
		t.Errorf("%d labels", len(seen))
	}
}
