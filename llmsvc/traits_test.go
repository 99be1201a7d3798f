package llmsvc

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/openrabbit/openrabbit/internal/llmtest"
	"github.com/openrabbit/openrabbit/internal/review"
)

// A server that lacks something is asked again without it, once; the next question is right at the first request.
func TestLackingServersAreLearned(t *testing.T) {
	t.Parallel()
	half, seed := 0.5, int64(3)
	for name, tt := range map[string]struct {
		lacks llmtest.Lacks
		cfg   Config
		// first is how many requests the first question takes.
		first int
		check func(llmtest.Call) bool
		// unsent: the first lesson is the client library's, without a request.
		unsent bool
	}{
		"nothing": {first: 1, check: func(c llmtest.Call) bool { return c.Format == "json_schema" && c.Strict && c.MaxTokens > 0 }},
		"strict":  {lacks: llmtest.Lacks{Strict: true}, first: 2, check: func(c llmtest.Call) bool { return c.Format == "json_schema" && !c.Strict }},
		"json_schema": {lacks: llmtest.Lacks{JSONSchema: true}, first: 2, check: func(c llmtest.Call) bool {
			return c.Format == "json_object" && strings.Contains(c.Prompt(), findingsSchema)
		}},
		"response_format": {lacks: llmtest.Lacks{JSONSchema: true, JSONObject: true}, first: 3,
			check: func(c llmtest.Call) bool { return c.Format == "" && strings.Contains(c.Prompt(), findingsSchema) }},
		"max_tokens": {lacks: llmtest.Lacks{MaxTokens: true}, first: 2, check: func(c llmtest.Call) bool { return c.MaxTokens == 0 && c.MaxCompletionTokens > 0 }},
		"max_completion_tokens": {lacks: llmtest.Lacks{MaxCompletionTokens: true}, cfg: Config{Main: "o9-not-known", Endpoint: Endpoint{BaseURL: "https://api.openai.com/v1"}}, first: 2,
			check: func(c llmtest.Call) bool { return c.MaxTokens > 0 && c.MaxCompletionTokens == 0 }},
		"both limits": {lacks: llmtest.Lacks{MaxTokens: true, MaxCompletionTokens: true}, first: 3,
			check: func(c llmtest.Call) bool { return c.MaxTokens == 0 && c.MaxCompletionTokens == 0 }},
		"temperature": {lacks: llmtest.Lacks{Temperature: true}, first: 2, check: func(c llmtest.Call) bool { return c.Temperature == nil && c.Seed != nil }},
		"seed":        {lacks: llmtest.Lacks{Seed: true}, first: 2, check: func(c llmtest.Call) bool { return c.Temperature != nil && c.Seed == nil }},
		"system": {lacks: llmtest.Lacks{SystemRole: true}, first: 2,
			check: func(c llmtest.Call) bool {
				return len(c.Messages) == 1 && strings.HasPrefix(c.Messages[0].Content, "You review.\n\nlook")
			}},
		"everything": {lacks: llmtest.Lacks{JSONSchema: true, JSONObject: true, MaxTokens: true, MaxCompletionTokens: true, Temperature: true, Seed: true, SystemRole: true}, first: 8,
			check: func(c llmtest.Call) bool { return c.Format == "" && len(c.Messages) == 1 }},
		// The client library refuses some things for these names before anything is sent.
		"a thinking model's name": {cfg: Config{Main: "gpt-5.4"}, first: 1, unsent: true,
			check: func(c llmtest.Call) bool {
				return c.MaxCompletionTokens > 0 && c.MaxTokens == 0 && c.Temperature == nil
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRig(t, llmtest.Options{Lacks: tt.lacks}, tt.cfg)
			q := s.findings(t, "look")
			q.temperature, q.seed = &half, &seed
			for ask, requests := range []int{tt.first, tt.first + 1} {
				got, err := s.complete(t.Context(), q)
				if err != nil || got.outcome != review.OutcomeOK {
					t.Fatalf("ask %d: %+v %v (%v)", ask, got, err, s.server.Problems())
				}
				calls := s.server.Calls()
				if len(calls) != requests {
					t.Errorf("ask %d: %d requests so far, want %d", ask, len(calls), requests)
				}
				if last := calls[len(calls)-1]; !tt.check(last) || last.Schema != "findings" {
					t.Errorf("ask %d: at last sent %+v", ask, last)
				}
			}
			if learned := strings.Count(s.log.String(), "learned what a model server takes"); (learned > 0) != (tt.first > 1 || tt.unsent) {
				t.Errorf("logged %d times:\n%s", learned, s.log)
			}
		})
	}
}

func TestManyAtOnceLearnTogether(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{Lacks: llmtest.Lacks{JSONSchema: true, MaxTokens: true}}, Config{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if got, err := s.complete(t.Context(), s.findings(t, "x")); err != nil || got.outcome != review.OutcomeOK {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
	group.Wait()
	before := len(s.server.Calls())
	if s.ask(t, "x"); len(s.server.Calls()) != before+1 {
		t.Errorf("%d requests for what is known", len(s.server.Calls())-before)
	}
}

// What a refusal seems to teach is forgotten when leaving it out does not help.
func TestNothingIsLearnedFromAWrongGuess(t *testing.T) {
	t.Parallel()
	s := newRig(t, script(
		llmtest.Rule{Match: llmtest.Match{Contains: []string{"odd"}}, Status: 400, Error: &llmtest.Error{Message: "response_format? temperature? no: cosmic rays"}},
	), Config{})
	if got := s.ask(t, "odd"); got.outcome != review.OutcomeRefused {
		t.Fatalf("got %+v", got)
	}
	if s.ask(t, "even"); s.server.Calls()[len(s.server.Calls())-1].Format != "json_schema" {
		t.Error("the guess was kept")
	}
}

// A refusal without a word of why is most likely about response_format.
func TestAnOpaqueRefusal(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{Respond: func(c llmtest.Call) *llmtest.Rule {
		if c.Format != "" {
			return &llmtest.Rule{Status: 400, Body: "Bad Request"}
		}
		return nil
	}}, Config{})
	if got := s.ask(t, "x"); got.outcome != review.OutcomeOK || got.spent.requests != 2 {
		t.Errorf("got %+v", got)
	}
	s = newRig(t, script(llmtest.Rule{Status: 400, Body: "Bad Request"}), Config{})
	if got := s.ask(t, "x"); got.outcome != review.OutcomeRefused || got.spent.requests != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestALimitThatIsTooHighIsLowered(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]int{
		"max_tokens is too large: 4096. This model supports at most 2048 completion tokens, whereas you provided 4096.": 2048,
		"Invalid max_tokens value, the valid range of max_tokens is [1, 1024]":                                          1024,
		"max_tokens must be less than or equal to `3000`, the maximum value for `max_tokens` is less than the window":   3000,
	} {
		s := newRig(t, llmtest.Options{Respond: func(c llmtest.Call) *llmtest.Rule {
			if c.MaxTokens > want {
				return &llmtest.Rule{Status: 400, Error: &llmtest.Error{Message: message}}
			}
			return nil
		}}, Config{})
		got := s.ask(t, "x")
		calls := s.server.Calls()
		if got.outcome != review.OutcomeOK || len(calls) != 2 || calls[1].MaxTokens != want {
			t.Errorf("%q: %s after %d requests, the last with %d", message, got.outcome, len(calls), calls[len(calls)-1].MaxTokens)
		}
	}
}

func TestLessonsAreNotAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRig(t, llmtest.Options{
			Lacks:  llmtest.Lacks{JSONSchema: true, MaxTokens: true},
			Script: llmtest.Script{Rules: []llmtest.Rule{{Status: 500, Times: 2}}},
		}, Config{})
		if got := s.ask(t, "x"); got.outcome != review.OutcomeOK || got.spent.requests != 5 {
			t.Errorf("got %+v", got)
		}
	})
}

// A server that always finds something else to refuse is not asked for ever.
func TestLessonsHaveAnEnd(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{Respond: func(c llmtest.Call) *llmtest.Rule {
		return &llmtest.Rule{Status: 400, Error: &llmtest.Error{Message: fmt.Sprintf("max_tokens must be at most %d", c.MaxTokens-1)}}
	}}, Config{})
	if got := s.ask(t, "x"); got.outcome != review.OutcomeRefused || got.spent.requests != maxLessons+1 {
		t.Errorf("got %+v", got)
	}
}

func TestTraitsOnlyGrow(t *testing.T) {
	t.Parallel()
	a := traits{format: byObject, loose: true, outputCap: 100, noSeed: true, maxBatch: 8}
	b := traits{noMaxTokens: true, outputCap: 50, noTemperature: true, noSystem: true, reasons: true}
	want := traits{
		format: byObject, loose: true, outputCap: 50, noSeed: true, maxBatch: 8,
		noMaxTokens: true, noTemperature: true, noSystem: true, reasons: true,
	}
	if got := a.merge(b); got != want || b.merge(a) != want || got.merge(traits{}) != want {
		t.Errorf("got %+v", got)
	}
	var m memory
	if !m.keep(a) || m.keep(a) || m.keep(traits{}) || m.get() != a {
		t.Error("keep says whether something is new")
	}
}
