package llmsvc

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/llmtest"
	"github.com/openrabbit/openrabbit/internal/review"
)

const fallbackKey = "sk-second-canary-9876543210zyx"

// twoServers is a transport to two stand-ins, by host name.
type twoServers map[string]http.Handler

func (t twoServers) RoundTrip(req *http.Request) (*http.Response, error) {
	return inProcess{t[req.URL.Hostname()]}.RoundTrip(req)
}

// withFallback puts a service in front of two stand-ins: first, and second for when it fails.
func withFallback(t *testing.T, first, second llmtest.Options, cfg Config) (s *rig, a, b *llmtest.Server) {
	t.Helper()
	first.Key, second.Key = testKey, fallbackKey
	a, err := llmtest.Unstarted(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err = llmtest.Unstarted(second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	cfg.Endpoint = Endpoint{BaseURL: "http://first.test/v1", Key: config.NewSecret(testKey)}
	cfg.Fallback = Endpoint{BaseURL: "http://second.test/v1", Key: config.NewSecret(fallbackKey)}
	cfg.FallbackModel = "spare-model"
	return newService(t, cfg, twoServers{"first.test": a.Handler(), "second.test": b.Handler()}), a, b
}

func TestFallback(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first llmtest.Rule
		// asked are the requests that each server gets for one question.
		asked [2]int
		want  review.Outcome
	}{
		"failing":           {llmtest.Rule{Status: 500}, [2]int{2, 1}, review.OutcomeOK},
		"overloaded":        {llmtest.Rule{Status: 529}, [2]int{2, 1}, review.OutcomeOK},
		"limited for long":  {llmtest.Rule{Status: 429, RetryAfter: "60"}, [2]int{1, 1}, review.OutcomeOK},
		"no quota":          {llmtest.Rule{Status: 402}, [2]int{1, 1}, review.OutcomeOK},
		"key refused":       {llmtest.Rule{Status: 401}, [2]int{1, 1}, review.OutcomeOK},
		"model gone":        {llmtest.Rule{Status: 404}, [2]int{1, 1}, review.OutcomeOK},
		"hangs":             {llmtest.Rule{Hang: true}, [2]int{2, 1}, review.OutcomeOK},
		"too long":          {llmtest.Rule{Status: 400, Error: &llmtest.Error{Message: "maximum context length", Code: "context_length_exceeded"}}, [2]int{1, 0}, review.OutcomeTooLong},
		"refused":           {llmtest.Rule{Refusal: "no"}, [2]int{1, 0}, review.OutcomeRefused},
		"answers by itself": {llmtest.Rule{}, [2]int{1, 0}, review.OutcomeOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, a, b := withFallback(t, script(tt.first), llmtest.Options{}, Config{Timeout: 20 * time.Second})
				got := s.ask(t, "x")
				if got.outcome != tt.want || len(a.Calls()) != tt.asked[0] || len(b.Calls()) != tt.asked[1] {
					t.Errorf("%+v, %d and %d requests, want %s after %v", got, len(a.Calls()), len(b.Calls()), tt.want, tt.asked)
				}
				if got.outcome == review.OutcomeOK && (got.model == "spare-model") != (tt.asked[1] > 0) {
					t.Errorf("%s answered", got.model)
				}
				if n := metricValue(t, s.reg, "openrabbit_llm_fallbacks_total"); int(n) != tt.asked[1] {
					t.Errorf("%v fallbacks counted", n)
				}
				if got.spent.requests != tt.asked[0]+tt.asked[1] {
					t.Errorf("%d requests counted", got.spent.requests)
				}
				for _, c := range append(a.Calls(), b.Calls()...) {
					if c.Status == http.StatusUnauthorized && name != "key refused" {
						t.Error("a key went to the other server")
					}
				}
				if log := s.log.String(); strings.Contains(log, testKey) || strings.Contains(log, fallbackKey) {
					t.Error("a key is in the log")
				}
			})
		})
	}
}

// With the first model's breaker open nobody waits for it, and calls end after three failed requests in all.
func TestFallbackOfABrokenServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, a, b := withFallback(t, script(llmtest.Rule{Status: 500}), script(llmtest.Rule{Status: 500, Times: 3}), Config{})
		if got := s.ask(t, "x"); got.outcome != review.OutcomeUnavailable || got.spent.requests != 3 {
			t.Errorf("both broken: %+v", got)
		}
		for range 4 {
			s.ask(t, "x")
		}
		before := len(a.Calls())
		began := time.Now()
		if got := s.ask(t, "x"); got.outcome != review.OutcomeOK || len(a.Calls()) != before || time.Since(began) != 0 {
			t.Errorf("breaker open: %+v after %v, %d more requests", got, time.Since(began), len(a.Calls())-before)
		}
		if len(b.Calls()) == 0 {
			t.Error("the fallback was not asked")
		}
	})
}

// What both models said of when to ask again, and what a person has to mend, comes through.
func TestTheLastWordOfTwo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limited := func(after llmtest.Header) llmtest.Options {
			return script(llmtest.Rule{Status: 429, RetryAfter: after})
		}
		s, _, _ := withFallback(t, limited("50"), limited("90"), Config{})
		if got := s.ask(t, "x"); got.outcome != review.OutcomeRateLimited || got.retryAfter > 51*time.Second || got.retryAfter < 49*time.Second {
			t.Errorf("both limited: %+v", got)
		}
		s, _, _ = withFallback(t, limited("50"), script(llmtest.Rule{Status: 404}), Config{})
		if got := s.ask(t, "x"); got.outcome != review.OutcomeRateLimited {
			t.Errorf("a fallback that is not there: %+v", got)
		}
		s, _, _ = withFallback(t, script(llmtest.Rule{Status: 401}), script(llmtest.Rule{Status: 401}), Config{})
		_, err := s.complete(t.Context(), s.findings(t, "x"))
		var r *refusal
		if !errors.As(err, &r) || !strings.Contains(r.text, "OPENRABBIT_FALLBACK_API_KEY") {
			t.Errorf("both keys refused: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, _, b := withFallback(t, script(llmtest.Rule{Hang: true}), llmtest.Options{}, Config{})
		if _, err := s.complete(ctx, s.findings(t, "x")); !errors.Is(err, context.DeadlineExceeded) || len(b.Calls()) != 0 {
			t.Errorf("no time left: %v, %d requests", err, len(b.Calls()))
		}
	})
}

// A fallback that costs more is what has to be reserved, and another model at the same server shares its gate.
func TestListModelsWithAFallback(t *testing.T) {
	t.Parallel()
	s := newBare(t, Config{
		Endpoint: Endpoint{BaseURL: "http://x.test/v1"}, Main: "m", Embed: "e", FallbackModel: "f",
		Models: map[string]ModelInfo{"m": {InputMicros: 5, OutputMicros: 7}, "f": {InputMicros: 3, OutputMicros: 9}},
	})
	got, err := (&handlers{service: s}).ListModels(t.Context(), &llmv1.ListModelsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range got.GetModels() {
		embed := m.GetTier() == llmv1.Tier_TIER_EMBED
		if (m.GetFallback() == "f") == embed || !embed && (m.GetInputMicrosPerMillion() != 5 || m.GetOutputMicrosPerMillion() != 9) {
			t.Errorf("%v", m)
		}
	}
	if len(s.endpoints) != 1 || s.models[review.Main].fallback.endpoint != s.models[review.Main].endpoint {
		t.Error("the same server has two gates")
	}
	if s.cfg.Timeout != fallbackTimeout {
		t.Errorf("timeout %v leaves a fallback no time", s.cfg.Timeout)
	}
}

func TestFallbackComplaints(t *testing.T) {
	t.Parallel()
	for want, env := range map[string]map[string]string{
		"OPENRABBIT_MODEL_FALLBACK: is required": {"OPENAI_API_KEY": "k", "OPENRABBIT_FALLBACK_BASE_URL": "http://x/v1"},
		"falls back from nothing":                {"OPENRABBIT_MODEL_FALLBACK": "f"},
		"OPENRABBIT_FALLBACK_BASE_URL: is":       {"OPENAI_API_KEY": "k", "OPENRABBIT_MODEL_FALLBACK": "f", "OPENRABBIT_FALLBACK_API_KEY": "l"},
		"OPENRABBIT_MODEL_SERVER":                {"OPENAI_API_KEY": "k", "OPENRABBIT_MODEL_SERVER": "skynet"},
	} {
		e := config.FromMap(env)
		ConfigFromEnv(e)
		if err := e.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", env, err, want)
		}
	}
}
