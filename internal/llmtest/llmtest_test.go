package llmtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/openrabbit/openrabbit/internal/llmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const findingsSchema = `{"type":"object","additionalProperties":false,"required":["findings"],
	"properties":{"findings":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["path"],"properties":{"path":{"type":"string"}}}}}}`

// client asks a stand-in with plain HTTP.
type client struct {
	t    *testing.T
	http *http.Client
	url  string
	key  string
}

func start(t *testing.T, o llmtest.Options) (*llmtest.Server, *client) {
	t.Helper()
	s, err := llmtest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(func() { s.Close(); transport.CloseIdleConnections() })
	return s, &client{t: t, url: s.URL, key: o.Key, http: &http.Client{Transport: transport}}
}

type reply struct {
	status  int
	header  http.Header
	body    string
	Choices []struct {
		Message struct {
			Content *string `json:"content"`
			Refusal *string `json:"refusal"`
		} `json:"message"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage *llmtest.Usage `json:"usage"`
	Error *llmtest.Error `json:"error"`
	Data  []struct {
		Embedding []float32 `json:"embedding"`
	} `json:"data"`
}

func (r reply) content() string {
	if len(r.Choices) == 0 || r.Choices[0].Message.Content == nil {
		return ""
	}
	return *r.Choices[0].Message.Content
}

func (c *client) post(ctx context.Context, path string, body any) (reply, error) {
	c.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(raw))
	if err != nil {
		c.t.Fatal(err)
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, err
	}
	out := reply{status: res.StatusCode, header: res.Header, body: string(text)}
	_ = json.Unmarshal(text, &out) // foreign bytes are a case of their own
	return out, nil
}

func (c *client) ask(schema, schemaJSON, prompt string) reply {
	c.t.Helper()
	out, err := c.post(context.Background(), "/chat/completions", question(schema, schemaJSON, prompt))
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func question(schema, schemaJSON, prompt string) map[string]any {
	q := map[string]any{"model": "m", "messages": []map[string]string{{"role": "user", "content": prompt}}}
	if schemaJSON != "" {
		q["response_format"] = map[string]any{"type": "json_schema", "json_schema": map[string]any{
			"name": schema, "schema": json.RawMessage(schemaJSON), "strict": true,
		}}
	}
	return q
}

func TestRulesMatchInOrderAndAreUsedUp(t *testing.T) {
	t.Parallel()
	script, err := llmtest.ParseScript([]byte(`{"rules":[
		{"match":{"schema":"findings"},"status":429,"retry_after":2,"times":1},
		{"match":{"schema":"findings","contains":["alpha","beta"]},"answer":{"findings":[{"path":"both"}]}},
		{"match":{"schema":"findings"},"answer":{"findings":[{"path":"other"}]},"times":1}
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	s, c := start(t, llmtest.Options{Script: script})
	if got := c.ask("findings", findingsSchema, "alpha beta"); got.status != 429 || got.header.Get("Retry-After") != "2" {
		t.Fatalf("first: %d %q", got.status, got.header.Get("Retry-After"))
	}
	for i, want := range []struct{ prompt, content string }{
		{"alpha beta", `{"findings":[{"path":"both"}]}`},
		{"alpha", `{"findings":[{"path":"other"}]}`},
		{"alpha", `{"findings":[]}`},
		{"beta and alpha", `{"findings":[{"path":"both"}]}`},
	} {
		if got := c.ask("findings", findingsSchema, want.prompt); got.content() != want.content {
			t.Errorf("answer %d to %q: %s, want %s", i, want.prompt, got.body, want.content)
		}
	}
	calls := s.Calls()
	var rules []int
	for _, call := range calls {
		rules = append(rules, call.Rule)
	}
	if got := fmt.Sprint(rules); got != "[0 1 2 -1 1]" {
		t.Errorf("rules used %s", got)
	}
	if calls[0].PromptHash != calls[1].PromptHash || calls[1].PromptHash == calls[2].PromptHash {
		t.Error("equal questions must have equal hashes, and others not")
	}
	if calls[0].Schema != "findings" || calls[0].Format != "json_schema" || !strings.Contains(calls[0].Prompt(), "alpha beta") {
		t.Errorf("call noted as %+v", calls[0])
	}
	if p := s.Problems(); len(p) != 0 {
		t.Errorf("problems: %v", p)
	}
}

func TestDefaultAnswersFitTheirSchemas(t *testing.T) {
	t.Parallel()
	object := func(properties string, required ...string) string {
		names, _ := json.Marshal(required)
		return fmt.Sprintf(`{"type":"object","additionalProperties":false,"required":%s,"properties":{%s}}`, names, properties)
	}
	s, c := start(t, llmtest.Options{})
	for _, tt := range []struct{ name, schema, prompt, want string }{
		{"findings", findingsSchema, "x", `{"findings":[]}`},
		{"verdict", object(`"verdict":{"enum":["keep","drop","lower"]},"severity":{"type":"string"},"quote":{"type":"string"},"reason":{"type":"string"}`, "verdict", "severity", "quote", "reason"),
			`judge {"severity": "high", "quote": "a\tb := \"c\""}`, `"quote":"a\tb := \"c\"","reason":"The stand-in keeps what it is shown.","severity":"high","verdict":"keep"`},
		{"summary", object(`"summary":{"type":"string"},"changes":{"type":"array"},"risk":{"type":"string"}`, "summary", "changes", "risk"), "x", `"changes":[],"risk":"low"`},
		{"reply", object(`"body":{"type":"string","minLength":2},"concede":{"type":"boolean"},"n":{"type":["integer","null"],"minimum":3}`, "body", "concede", "n"), "x", `{"body":"--","concede":false,"n":3}`},
		// A summary of another form than the usual one still gets a valid answer.
		{"summary", object(`"text":{"enum":["short","long"]}`, "text"), "x", `{"text":"short"}`},
	} {
		if got := c.ask(tt.name, tt.schema, tt.prompt); got.status != 200 || !strings.Contains(got.content(), tt.want) {
			t.Errorf("%s: %d %s, want %s", tt.name, got.status, got.body, tt.want)
		}
	}
	if got := c.ask("", "", "hello"); got.content() == "" {
		t.Error("no plain answer")
	}
	if p := s.Problems(); len(p) != 0 {
		t.Errorf("problems: %v", p)
	}
}

func TestVerdictQuotesTheFirstAddedLineWhenNothingIsQuoted(t *testing.T) {
	t.Parallel()
	_, c := start(t, llmtest.Options{})
	got := c.ask("", "", "Answer by the JSON Schema named \"verdict\".\n--- a\n+++ b\n context\n+\treturn nil\n+more")
	if !strings.Contains(got.content(), `"quote":"\treturn nil"`) {
		t.Errorf("got %s", got.content())
	}
}

func TestAScriptIsHeldAgainstTheSchema(t *testing.T) {
	t.Parallel()
	rule := llmtest.Rule{Answer: llmtest.JSON(`{"findings":[{"file":"x"}]}`)}
	s, c := start(t, llmtest.Options{Script: llmtest.Script{Rules: []llmtest.Rule{rule}}})
	if got := c.ask("findings", findingsSchema, "x"); got.status != 500 || len(s.Problems()) != 1 {
		t.Errorf("a wrong script answered %d; problems %v", got.status, s.Problems())
	}
	rule.Raw = true
	s, c = start(t, llmtest.Options{Script: llmtest.Script{Rules: []llmtest.Rule{rule}}})
	if got := c.ask("findings", findingsSchema, "x"); got.status != 200 || len(s.Problems()) != 0 {
		t.Errorf("a raw answer gave %d; problems %v", got.status, s.Problems())
	}
}

func TestRequestsAreChecked(t *testing.T) {
	t.Parallel()
	body := func(change func(map[string]any)) map[string]any {
		q := question("findings", findingsSchema, "hello")
		change(q)
		return q
	}
	format := func(kind, name, schema string, strict bool) map[string]any {
		return map[string]any{"type": kind, "json_schema": map[string]any{"name": name, "schema": json.RawMessage(schema), "strict": strict}}
	}
	loose := `{"type":"object","properties":{"a":{"type":"string"}}}`
	all := llmtest.Lacks{
		JSONSchema: true, JSONObject: true, Strict: true, MaxTokens: true, MaxCompletionTokens: true,
		Temperature: true, Seed: true, SystemRole: true, Dimensions: true,
	}
	for name, tt := range map[string]struct {
		options llmtest.Options
		body    map[string]any
		path    string
		status  int
		param   string
	}{
		"good":                 {body: body(func(map[string]any) {}), status: 200},
		"no model":             {body: body(func(q map[string]any) { delete(q, "model") }), status: 400, param: "model"},
		"unknown model":        {options: llmtest.Options{Models: []string{"other"}}, body: body(func(map[string]any) {}), status: 404},
		"no messages":          {body: body(func(q map[string]any) { q["messages"] = []any{} }), status: 400, param: "messages"},
		"empty message":        {body: body(func(q map[string]any) { q["messages"] = []any{map[string]any{"role": "user"}} }), status: 400, param: "messages[0].content"},
		"unknown role":         {body: body(func(q map[string]any) { q["messages"] = []any{map[string]any{"role": "x", "content": "y"}} }), status: 400, param: "messages[0].role"},
		"stream":               {body: body(func(q map[string]any) { q["stream"] = true }), status: 400, param: "stream"},
		"schema not an object": {body: body(func(q map[string]any) { q["response_format"] = format("json_schema", "n", `[]`, false) }), status: 400, param: "response_format"},
		"schema name":          {body: body(func(q map[string]any) { q["response_format"] = format("json_schema", "a b", `{}`, false) }), status: 400, param: "response_format"},
		"not strict enough":    {body: body(func(q map[string]any) { q["response_format"] = format("json_schema", "n", loose, true) }), status: 400, param: "response_format"},
		"loose":                {body: body(func(q map[string]any) { q["response_format"] = format("json_schema", "n", loose, false) }), status: 200},
		"lacks json_schema":    {options: llmtest.Options{Lacks: all}, body: body(func(map[string]any) {}), status: 400, param: "response_format"},
		"lacks json_object":    {options: llmtest.Options{Lacks: all}, body: body(func(q map[string]any) { q["response_format"] = map[string]any{"type": "json_object"} }), status: 400, param: "response_format"},
		"lacks strict":         {options: llmtest.Options{Lacks: llmtest.Lacks{Strict: true}}, body: body(func(map[string]any) {}), status: 400, param: "response_format"},
		"lacks max_tokens":     {options: llmtest.Options{Lacks: all}, body: body(func(q map[string]any) { q["max_tokens"] = 5 }), status: 400, param: "max_tokens"},
		"lacks the other":      {options: llmtest.Options{Lacks: all}, body: body(func(q map[string]any) { q["max_completion_tokens"] = 5 }), status: 400, param: "max_completion_tokens"},
		"lacks temperature":    {options: llmtest.Options{Lacks: all}, body: body(func(q map[string]any) { q["temperature"] = 0.2 }), status: 400, param: "temperature"},
		"lacks seed":           {options: llmtest.Options{Lacks: all}, body: body(func(q map[string]any) { q["seed"] = 2 }), status: 400, param: "seed"},
		"lacks system": {options: llmtest.Options{Lacks: all}, status: 400, param: "messages[0].role",
			body: body(func(q map[string]any) { q["messages"] = []any{map[string]any{"role": "system", "content": "y"}} })},
		"too long":         {options: llmtest.Options{ContextTokens: 1}, body: body(func(map[string]any) {}), status: 400, param: "messages"},
		"no input":         {path: "/embeddings", body: map[string]any{"model": "m", "input": []string{}}, status: 400, param: "input"},
		"empty input":      {path: "/embeddings", body: map[string]any{"model": "m", "input": []string{"a", ""}}, status: 400, param: "input"},
		"batch":            {path: "/embeddings", options: llmtest.Options{MaxBatch: 1}, body: map[string]any{"model": "m", "input": []string{"a", "b"}}, status: 422, param: "input"},
		"lacks dimensions": {path: "/embeddings", options: llmtest.Options{Lacks: all}, body: map[string]any{"model": "m", "input": "a", "dimensions": 8}, status: 400, param: "dimensions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := start(t, tt.options)
			path := tt.path
			if path == "" {
				path = "/chat/completions"
			}
			got, err := c.post(context.Background(), path, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if got.status != tt.status || (tt.param != "" && (got.Error == nil || got.Error.Param != tt.param)) {
				t.Errorf("got %d %s, want %d about %q", got.status, got.body, tt.status, tt.param)
			}
			if noted := s.Calls()[0].Status; noted != tt.status {
				t.Errorf("noted status %d", noted)
			}
			if (len(s.Problems()) > 0) != (tt.status != 200) {
				t.Errorf("problems %v", s.Problems())
			}
		})
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	s, c := start(t, llmtest.Options{Key: "k1"})
	if got := c.ask("", "", "x"); got.status != 200 {
		t.Fatalf("with the key: %d", got.status)
	}
	for _, wrong := range []string{"", "k", "k1x"} {
		c.key = wrong
		if got := c.ask("", "", "x"); got.status != 401 {
			t.Errorf("key %q: %d", wrong, got.status)
		}
	}
	if n := len(s.Calls()); n != 4 {
		t.Errorf("%d calls noted", n)
	}
}

func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	zero, ten := 0, 10
	one := func(r llmtest.Rule) llmtest.Options {
		return llmtest.Options{Script: llmtest.Script{Rules: []llmtest.Rule{r}}}
	}
	t.Run("cut", func(t *testing.T) {
		t.Parallel()
		for _, at := range []*int{&zero, &ten} {
			_, c := start(t, one(llmtest.Rule{CutAfterBytes: at}))
			if _, err := c.post(context.Background(), "/chat/completions", question("", "", "x")); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("cut after %d: %v", *at, err)
			}
		}
	})
	t.Run("hang ends with the client and with the server", func(t *testing.T) {
		t.Parallel()
		arrived := make(chan struct{}, 2)
		s, c := start(t, llmtest.Options{Respond: func(llmtest.Call) *llmtest.Rule {
			arrived <- struct{}{}
			return &llmtest.Rule{Hang: true}
		}})
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if _, err := c.post(ctx, "/chat/completions", question("", "", "x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := c.post(context.Background(), "/chat/completions", question("", "", "x"))
			done <- err
		}()
		<-arrived
		<-arrived
		s.Close()
		s.Close()
		if err := <-done; err == nil {
			t.Error("an answer from a closed server")
		}
	})
	t.Run("answers", func(t *testing.T) {
		t.Parallel()
		for name, tt := range map[string]struct {
			rule  llmtest.Rule
			check func(reply) bool
		}{
			"refusal":  {llmtest.Rule{Refusal: "no"}, func(r reply) bool { return *r.Choices[0].Message.Refusal == "no" && r.content() == "" }},
			"finish":   {llmtest.Rule{FinishReason: "content_filter"}, func(r reply) bool { return r.Choices[0].FinishReason == "content_filter" }},
			"tool":     {llmtest.Rule{ToolCall: true}, func(r reply) bool { return r.content() == "" && r.Choices[0].FinishReason == "tool_calls" }},
			"no usage": {llmtest.Rule{DropUsage: true}, func(r reply) bool { return r.Usage == nil }},
			"a lie":    {llmtest.Rule{Usage: &llmtest.Usage{PromptTokens: -5}}, func(r reply) bool { return r.Usage.PromptTokens == -5 }},
			"thinking": {llmtest.Rule{ReasoningTokens: 7}, func(r reply) bool { return strings.Contains(r.body, `"reasoning_tokens":7`) }},
			"body":     {llmtest.Rule{Body: "<html>"}, func(r reply) bool { return r.body == "<html>" && r.status == 200 }},
			"redirect": {llmtest.Rule{Status: 404, Location: "/x"}, func(r reply) bool { return r.header.Get("Location") == "/x" }},
			"error": {llmtest.Rule{Status: 503, Error: &llmtest.Error{Message: "busy", Code: "c"}},
				func(r reply) bool { return r.status == 503 && r.Error.Message == "busy" && r.Error.Code == "c" }},
			"text": {llmtest.Rule{Answer: llmtest.Text("plain <text>")}, func(r reply) bool { return r.content() == "plain <text>" }},
		} {
			_, c := start(t, one(tt.rule))
			if got := c.ask("", "", "x"); !tt.check(got) {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
		}
	})
	t.Run("limit", func(t *testing.T) {
		t.Parallel()
		_, c := start(t, llmtest.Options{ReasoningTokens: 8})
		q := question("findings", findingsSchema, "x")
		q["max_tokens"] = 9
		got, err := c.post(context.Background(), "/chat/completions", q)
		if err != nil || got.Choices[0].FinishReason != "length" || got.content() != `{"fi` {
			t.Errorf("got %s %v", got.body, err)
		}
	})
}

func TestDelayTakesItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := llmtest.Unstarted(llmtest.Options{Respond: func(llmtest.Call) *llmtest.Rule { return &llmtest.Rule{DelayMS: 5000} }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		began := time.Now()
		w := newRecorder()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/chat/completions",
			strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"x"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		s.Handler().ServeHTTP(w, r)
		if took := time.Since(began); took != 5*time.Second || w.status != 200 {
			t.Errorf("took %v, status %d: %s", took, w.status, w.body.String())
		}
	})
}

type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func newRecorder() *recorder                          { return &recorder{header: http.Header{}, status: 200} }
func (r *recorder) Header() http.Header               { return r.header }
func (r *recorder) WriteHeader(status int)            { r.status = status }
func (r *recorder) Write(b []byte) (n int, err error) { return r.body.Write(b) }

func TestModelsAreListed(t *testing.T) {
	t.Parallel()
	s, c := start(t, llmtest.Options{Models: []string{"a", "b"}})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/models", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(text), `"id":"a"`) || !strings.Contains(string(text), `"id":"b"`) {
		t.Errorf("got %s %v", text, err)
	}
}

func TestForgetText(t *testing.T) {
	t.Parallel()
	s, c := start(t, llmtest.Options{ForgetText: true, DropUsage: true})
	if got := c.ask("findings", findingsSchema, "long text"); got.Usage != nil || got.content() == "" {
		t.Errorf("got %s", got.body)
	}
	if call := s.Calls()[0]; call.Prompt() != "" || call.PromptHash == "" || call.BodyHash == "" {
		t.Errorf("noted %+v", call)
	}
}

func TestScriptsAreChecked(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"unknown key": `{"rules":[{"answr":1}]}`,
		"status":      `{"rules":[{"status":99}]}`,
		"endpoint":    `{"rules":[{"match":{"endpoint":"x"}}]}`,
		"negative":    `{"rules":[{"times":-1}]}`,
		"trailing":    `{"rules":[]} {}`,
		"header":      `{"rules":[{"retry_after":[]}]}`,
		"not JSON":    `rules`,
	} {
		if _, err := llmtest.ParseScript([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	bad := llmtest.Script{Rules: []llmtest.Rule{{Answer: llmtest.JSON("{")}}}
	if _, err := llmtest.New(llmtest.Options{Script: bad}); err == nil {
		t.Error("a bad script started")
	}
}

func TestLoadScript(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"s/b.json": {Data: []byte(`{"rules":[{"status":503}]}`)},
		"s/a.json": {Data: []byte(`{"rules":[{"status":429,"retry_after":"Wed, 21 Oct 2015 07:28:00 GMT"},{"answer":"x"}]}`)},
		"s/c.txt":  {Data: []byte(`no`)},
	}
	s, err := llmtest.LoadScript(fsys, "s/*.json")
	if err != nil || len(s.Rules) != 3 || s.Rules[0].Status != 429 || s.Rules[2].Status != 503 {
		t.Errorf("got %+v %v", s, err)
	}
	if _, err := llmtest.LoadScript(fsys, "none/*"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing to load: %v", err)
	}
	if _, err := llmtest.LoadScript(fsys, "s/*"); err == nil || !strings.Contains(err.Error(), "s/c.txt") {
		t.Errorf("a file that is no script: %v", err)
	}
}
