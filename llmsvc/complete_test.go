package llmsvc

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openrabbit/openrabbit/internal/llmtest"
	"github.com/openrabbit/openrabbit/internal/review"
)

const empty = `{"findings":[]}`

func TestOutcomes(t *testing.T) {
	t.Parallel()
	text := func(s string) llmtest.Rule { return llmtest.Rule{Answer: llmtest.Text(s), Raw: true} }
	failing := func(status int, e llmtest.Error) llmtest.Rule { return llmtest.Rule{Status: status, Error: &e} }
	for name, tt := range map[string]struct {
		rules   []llmtest.Rule
		options llmtest.Options
		outcome review.Outcome
		content string
		// requests is how many the server sees.
		requests int
		// detail is a part of it.
		detail string
	}{
		"ok":        {rules: []llmtest.Rule{text(empty)}, outcome: review.OutcomeOK, content: empty, requests: 1},
		"fenced":    {rules: []llmtest.Rule{text("Sure:\n```json\n{\"findings\": [],}\n```\nBye {x}.")}, outcome: review.OutcomeOK, content: empty, requests: 1},
		"canonical": {rules: []llmtest.Rule{text(`{"findings":[{"line":1,"path":"<b>&"}]}`)}, outcome: review.OutcomeOK, content: `{"findings":[{"line":1,"path":"<b>&"}]}`, requests: 1},
		"duplicated keys": {rules: []llmtest.Rule{text(`{"findings":[{"path":"a","line":1}],"findings":[]}`)},
			outcome: review.OutcomeOK, content: empty, requests: 1},
		"mended by one re-ask": {rules: []llmtest.Rule{
			{Match: llmtest.Match{Contains: []string{"This answer cannot be used"}}, Answer: llmtest.JSON(empty)}, text(`{"findings":3}`),
		}, outcome: review.OutcomeOK, content: empty, requests: 2},
		"wrong twice": {rules: []llmtest.Rule{text(`{"findings":"secret-of-the-answer"}`)}, outcome: review.OutcomeInvalid, requests: 2,
			detail: "/properties/findings/type"},
		"prose twice":           {rules: []llmtest.Rule{text("I looked and it is all fine.")}, outcome: review.OutcomeInvalid, requests: 2, detail: "not JSON"},
		"two answers":           {rules: []llmtest.Rule{text(empty + ` or {"findings":[{"path":"a","line":1}]}`)}, outcome: review.OutcomeInvalid, requests: 2, detail: "more than one"},
		"not a number":          {rules: []llmtest.Rule{text(`{"findings":[{"path":"a","line":NaN}]}`)}, outcome: review.OutcomeInvalid, requests: 2},
		"a number beyond all":   {rules: []llmtest.Rule{text(`{"findings":[{"path":"a","line":1e-999999999999}]}`)}, outcome: review.OutcomeInvalid, requests: 2},
		"truncated":             {rules: []llmtest.Rule{{Answer: llmtest.Text(`{"find`), Raw: true, FinishReason: "length"}}, outcome: review.OutcomeTruncated, requests: 1},
		"refusal field":         {rules: []llmtest.Rule{{Refusal: "I won't."}}, outcome: review.OutcomeRefused, requests: 1},
		"content filter":        {rules: []llmtest.Rule{{Answer: llmtest.Text(""), Raw: true, FinishReason: "content_filter"}}, outcome: review.OutcomeRefused, requests: 1},
		"refusal in prose":      {rules: []llmtest.Rule{text("I'm sorry, but I can't assist with that.")}, outcome: review.OutcomeRefused, requests: 1},
		"empty":                 {rules: []llmtest.Rule{text(" \n")}, outcome: review.OutcomeEmpty, requests: 1},
		"a tool call":           {rules: []llmtest.Rule{{ToolCall: true}}, outcome: review.OutcomeEmpty, requests: 1, detail: "tool"},
		"no choices":            {rules: []llmtest.Rule{{Body: `{"choices":[],"model":"m"}`}}, outcome: review.OutcomeEmpty, requests: 1},
		"too long":              {options: llmtest.Options{ContextTokens: 2}, outcome: review.OutcomeTooLong, requests: 1},
		"too long, in words":    {rules: []llmtest.Rule{failing(500, llmtest.Error{Message: "the request exceeds the available context size", Type: "exceed_context_size_error"})}, outcome: review.OutcomeTooLong, requests: 1},
		"error with status 200": {rules: []llmtest.Rule{{Body: `{"error":{"code":400,"message":"the request exceeds the available context size"}}`}}, outcome: review.OutcomeTooLong, requests: 1},
		"policy":                {rules: []llmtest.Rule{failing(400, llmtest.Error{Message: "no", Code: "content_filter"})}, outcome: review.OutcomeRefused, requests: 1},
		"a bad request":         {rules: []llmtest.Rule{failing(400, llmtest.Error{Message: "too odd", Param: "user"})}, outcome: review.OutcomeRefused, requests: 1, detail: "too odd"},
		"rate limited":          {rules: []llmtest.Rule{{Status: 429}}, outcome: review.OutcomeRateLimited, requests: 3},
		"server errors":         {rules: []llmtest.Rule{failing(500, llmtest.Error{Message: "internal"})}, outcome: review.OutcomeUnavailable, requests: 3, detail: "500"},
		"overloaded":            {rules: []llmtest.Rule{{Status: 529}}, outcome: review.OutcomeUnavailable, requests: 3},
		"not JSON at all":       {rules: []llmtest.Rule{{Body: "<html>oops</html>"}}, outcome: review.OutcomeUnavailable, requests: 3},
		"recovers": {rules: []llmtest.Rule{{Status: 503, Times: 1}, {Status: 429, Times: 1}, text(empty)},
			outcome: review.OutcomeOK, content: empty, requests: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tt.options.Script.Rules = tt.rules
				s := newRig(t, tt.options, Config{})
				got := s.ask(t, "look at this")
				if got.outcome != tt.outcome || got.content != tt.content || !strings.Contains(got.detail, tt.detail) {
					t.Errorf("got %q %q %q", got.outcome, got.content, got.detail)
				}
				if n := len(s.server.Calls()); n != tt.requests || got.spent.requests != n {
					t.Errorf("%d requests, %d counted, want %d", n, got.spent.requests, tt.requests)
				}
				if got.model == "" {
					t.Error("no model named")
				}
				if (got.outcome == review.OutcomeRateLimited || got.outcome == review.OutcomeUnavailable) == (got.retryAfter == 0) {
					t.Errorf("retry after %v", got.retryAfter)
				}
				if strings.Contains(got.detail, "secret-of-the-answer") {
					t.Errorf("the detail repeats the answer: %q", got.detail)
				}
				if got.outcome == review.OutcomeOK != (got.detail == "") {
					t.Errorf("detail %q", got.detail)
				}
			})
		})
	}
}

func TestSetupFaultsSayWhatToMend(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rule llmtest.Rule
		want string
	}{
		"key":      {llmtest.Rule{Status: 401, Error: &llmtest.Error{Message: "Incorrect API key provided: " + testKey}}, "the model server refused the key (OPENAI_API_KEY)"},
		"right":    {llmtest.Rule{Status: 403}, "the model server refused the key (OPENAI_API_KEY)"},
		"model":    {llmtest.Rule{Status: 404}, `does not know the model "main-model" (OPENRABBIT_MODEL_MAIN)`},
		"address":  {llmtest.Rule{Status: 405}, "OPENAI_BASE_URL"},
		"quota":    {llmtest.Rule{Status: 429, Error: &llmtest.Error{Message: "You exceeded your current quota", Code: "insufficient_quota"}}, "no quota or credit"},
		"credit":   {llmtest.Rule{Status: 402}, "no quota or credit"},
		"redirect": {llmtest.Rule{Status: 307, Location: "http://elsewhere.test/"}, "redirect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRig(t, script(tt.rule), Config{})
			_, err := s.complete(t.Context(), s.findings(t, "x"))
			var refused *refusal
			if !errors.As(err, &refused) || refused.kind != refusedPrecondition || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v", err)
			}
			if n := len(s.server.Calls()); n != 1 {
				t.Errorf("%d requests: nothing that a person must mend is tried again", n)
			}
			if strings.Contains(err.Error(), testKey) {
				t.Errorf("the error holds the key: %v", err)
			}
		})
	}
}

func TestWithoutAModel(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cfg  Config
		tier review.Tier
		want string
	}{
		"nothing":            {Config{}, review.Main, "set OPENAI_API_KEY, or OPENAI_BASE_URL and OPENRABBIT_MODEL_MAIN"},
		"only a name":        {Config{Main: "x"}, review.Fast, "no model is configured"},
		"only a base":        {Config{Endpoint: Endpoint{BaseURL: "http://x.test"}}, review.Main, "set OPENRABBIT_MODEL_MAIN"},
		"no embedding":       {Config{Endpoint: Endpoint{BaseURL: "http://x.test"}, Main: "x"}, tierEmbed, "set OPENRABBIT_MODEL_EMBED"},
		"nothing to embed":   {Config{}, tierEmbed, "set OPENAI_API_KEY"},
		"unspecified counts": {Config{}, "", "no model is configured"},
	} {
		s := newBare(t, tt.cfg)
		if _, err := s.modelFor(tt.tier); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBudgetForAnotherModel(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{}, Config{})
	q := s.findings(t, "x")
	q.model = "cheaper"
	_, err := s.complete(t.Context(), q)
	var refused *refusal
	if !errors.As(err, &refused) || refused.kind != refusedPrecondition || len(s.server.Calls()) != 0 {
		t.Errorf("got %v after %d requests", err, len(s.server.Calls()))
	}
	q.model = "main-model"
	if _, err := s.complete(t.Context(), q); err != nil {
		t.Errorf("the tier's own model: %v", err)
	}
}

func TestPlainTextNeedsNoForm(t *testing.T) {
	t.Parallel()
	s := newRig(t, script(llmtest.Rule{Answer: llmtest.Text("I cannot help thinking {it} works.")}), Config{})
	got, err := s.complete(t.Context(), question{tier: review.Fast, messages: []message{{roleUser, "well?"}}})
	if err != nil || got.outcome != review.OutcomeOK || got.content != "I cannot help thinking {it} works." {
		t.Errorf("got %+v %v", got, err)
	}
	if c := s.server.Calls()[0]; c.Format != "" || c.Temperature != nil || c.Seed != nil {
		t.Errorf("sent %+v", c)
	}
}

func TestParametersArrive(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{}, Config{})
	q := s.findings(t, "x")
	zero, seed := 0.0, int64(7)
	q.temperature, q.seed, q.maxOutput = &zero, &seed, 123
	if _, err := s.complete(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	c := s.server.Calls()[0]
	if c.Temperature == nil || *c.Temperature > 1e-30 || c.Seed == nil || *c.Seed != 7 || c.MaxTokens != 123 || !c.Strict || c.Format != "json_schema" {
		t.Errorf("sent %+v", c)
	}
}

func TestReaskShowsTheMistakeOnce(t *testing.T) {
	t.Parallel()
	s := newRig(t, script(llmtest.Rule{Answer: llmtest.JSON(`{"findings":[{"path":"a","line":"one"}]}`), Raw: true}), Config{})
	got := s.ask(t, "look")
	calls := s.server.Calls()
	if got.outcome != review.OutcomeInvalid || len(calls) != 2 {
		t.Fatalf("got %+v after %d requests", got, len(calls))
	}
	second := calls[1].Messages
	if len(second) != 4 || second[2].Role != "assistant" || !strings.Contains(second[2].Content, `"one"`) ||
		!strings.Contains(second[3].Content, "/findings/0/line") {
		t.Errorf("the re-ask was %+v", second)
	}
	if got.spent.input == 0 || got.spent.output == 0 || got.spent.estimated {
		t.Errorf("usage of both requests: %+v", got.spent)
	}
}

// A model that nobody knew to think spends the whole limit on it: it is asked once more, with room.
func TestRoomForThinkingIsLearned(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{ReasoningTokens: 600}, Config{OutputTokens: 500, ReasoningTokens: 1000})
	for i, want := range []int{2, 3} {
		if got := s.ask(t, "x"); got.outcome != review.OutcomeOK {
			t.Fatalf("ask %d: %+v", i, got)
		}
		if n := len(s.server.Calls()); n != want {
			t.Errorf("after ask %d: %d requests, want %d", i, n, want)
		}
	}
	calls := s.server.Calls()
	if calls[0].MaxTokens != 500 || calls[1].MaxTokens != 1500 || calls[2].MaxTokens != 1500 {
		t.Errorf("limits %d, %d, %d", calls[0].MaxTokens, calls[1].MaxTokens, calls[2].MaxTokens)
	}
}

func TestThinkingThatNeverEndsIsTruncated(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{ReasoningTokens: 6000}, Config{OutputTokens: 500, ReasoningTokens: 1000})
	if got := s.ask(t, "x"); got.outcome != review.OutcomeTruncated || got.spent.requests != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestUsageIsSummedPricedAndEstimated(t *testing.T) {
	t.Parallel()
	prices := map[string]ModelInfo{"main-model": {InputMicros: 1_000_000, CachedMicros: 100_000, OutputMicros: 2_000_000}}
	for name, tt := range map[string]struct {
		usage *llmtest.Usage
		drop  bool
		long  bool
		check func(usage) bool
	}{
		"said":     {usage: &llmtest.Usage{PromptTokens: 100, CompletionTokens: 10}, check: func(u usage) bool { return u.input == 100 && u.output == 10 && u.cost == 120 && !u.estimated }},
		"cached":   {usage: cached(100, 10, 60), check: func(u usage) bool { return u.cached == 60 && u.cost == 40+6+20 }},
		"negative": {usage: &llmtest.Usage{PromptTokens: -100, CompletionTokens: -1}, check: func(u usage) bool { return u.input > 0 && u.output > 0 && u.estimated }},
		"huge":     {usage: &llmtest.Usage{PromptTokens: 1 << 60, CompletionTokens: 1}, check: func(u usage) bool { return u.input < 1000 && u.estimated }},
		"a lie":    {usage: &llmtest.Usage{PromptTokens: 1, CompletionTokens: 1}, long: true, check: func(u usage) bool { return u.input > 5000 && u.estimated }},
		"nothing":  {usage: &llmtest.Usage{}, check: func(u usage) bool { return u.input > 0 && u.output > 0 && u.estimated }},
		"none":     {drop: true, check: func(u usage) bool { return u.input > 0 && u.output > 0 && u.cost > 0 && u.estimated }},
	} {
		s := newRig(t, script(llmtest.Rule{Usage: tt.usage, DropUsage: tt.drop}), Config{Models: prices})
		text := "a text of some length"
		if tt.long {
			text = strings.Repeat(text, 1000)
		}
		if got := s.ask(t, text); !tt.check(got.spent) {
			t.Errorf("%s: %+v", name, got.spent)
		}
	}
}

// Where the window is known, the limit of the answer leaves room for the question.
func TestTheLimitFitsTheWindow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ window, bytes, want int }{
		{0, 3000, 4096},
		{8000, 3000, 4096},
		{4000, 3000, 4000 - 1004 - estimate(findingsSchema)},
		{1200, 3000, 4096}, // less than leastOutput would be left: the server decides
		{500, 3000, 4096},
	} {
		s := newRig(t, llmtest.Options{}, Config{Models: map[string]ModelInfo{"main-model": {ContextTokens: tt.window}}})
		s.ask(t, strings.Repeat("x", tt.bytes))
		if got := s.server.Calls()[0].MaxTokens; got != tt.want {
			t.Errorf("window %d: limit %d, want %d", tt.window, got, tt.want)
		}
	}
}

func cached(input, output, hit int64) *llmtest.Usage {
	u := llmtest.Usage{PromptTokens: input, CompletionTokens: output}.Cached(hit)
	return &u
}

// What a server may have worked on without an answer that arrived counts as input, by our own estimate.
func TestLostWorkIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t, script(llmtest.Rule{Hang: true}), Config{Timeout: 5 * time.Second})
		got := s.ask(t, "a text of some length")
		if got.outcome != review.OutcomeUnavailable || got.spent.requests != 3 || !got.spent.estimated || got.spent.input == 0 {
			t.Errorf("got %+v", got)
		}
		if one := got.spent.input / 3; one*3 != got.spent.input {
			t.Errorf("three equal requests used %d tokens", got.spent.input)
		}
	})
}

func TestRefusalsInProse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"I'm sorry, but I can't assist with that request.": true,
		"I’m sorry, but I cannot help with this.":          true,
		"Sorry, I can't comply.":                           true,
		"I cannot provide a review of this code.":          true,
		"I am unable to assist with that.":                 true,
		"I must decline to answer.":                        true,
		"I can't find any problem in this change.":         false,
		"I'm sorry to say that this is broken.":            false,
		"The function cannot return nil.":                  false,
		`I'm sorry, but I can't: {"findings":[]}`:          false,
		"": false,
	} {
		if got := refusesInProse(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t, script(llmtest.Rule{Hang: true}), Config{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		began := time.Now()
		// The in-process transport ends only when the stand-in's handler saw the cancellation.
		_, err := s.complete(ctx, s.findings(t, "x"))
		if !errors.Is(err, context.Canceled) || time.Since(began) != 3*time.Second || len(s.server.Calls()) != 1 {
			t.Errorf("%v after %v and %d requests", err, time.Since(began), len(s.server.Calls()))
		}
		ctx, cancel = context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		began = time.Now()
		if _, err = s.complete(ctx, s.findings(t, "x")); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 7*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
