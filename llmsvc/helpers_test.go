package llmsvc

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/llmtest"
	"github.com/openrabbit/openrabbit/internal/review"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey        = "sk-canary-0123456789abcdefXYZ"
	findingsSchema = `{"type":"object","additionalProperties":false,"required":["findings"],"properties":{` +
		`"findings":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["path","line"],` +
		`"properties":{"path":{"type":"string"},"line":{"type":"integer","maximum":1000}}}}}}`
)

// inProcess is a transport that has no network: what it asks is answered by a handler in this process, so a test in a
// synctest bubble can use it.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.handler.ServeHTTP(w, req)
	}()
	select {
	case <-done:
	case <-req.Context().Done():
		<-done // the handler sees the same context
		return nil, req.Context().Err()
	}
	if w.cut {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{
		StatusCode: w.status, Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		Header: w.header, Body: io.NopCloser(&w.body), Request: req, ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	cut    bool
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// rig is a service in front of a stand-in.
type rig struct {
	*Service
	server *llmtest.Server
	log    *lockedBuffer
	reg    *prometheus.Registry
}

// lockedBuffer takes the log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newRig puts a service in front of a stand-in without a network. cfg may be zero.
func newRig(t *testing.T, o llmtest.Options, cfg Config) *rig {
	t.Helper()
	if o.Key == "" {
		o.Key = testKey
	}
	server, err := llmtest.Unstarted(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	s := newService(t, cfg, inProcess{server.Handler()})
	s.server = server
	return s
}

func newService(t *testing.T, cfg Config, transport http.RoundTripper) *rig {
	t.Helper()
	if cfg.BaseURL == "" {
		cfg.BaseURL = "http://model.test/v1"
	}
	if cfg.Main == "" {
		cfg.Main = "main-model"
	}
	if cfg.Key.IsZero() {
		cfg.Key = config.NewSecret(testKey)
	}
	if cfg.Embed == "" {
		cfg.Embed = "embed-model"
	}
	log := &lockedBuffer{}
	reg := prometheus.NewRegistry()
	s, err := New(cfg, Deps{
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), Registry: reg, Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{Service: s, log: log, reg: reg}
}

// newBare makes a service of exactly this configuration.
func newBare(t *testing.T, cfg Config) *Service {
	t.Helper()
	s, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// script is a stand-in's options with these rules.
func script(rules ...llmtest.Rule) llmtest.Options {
	return llmtest.Options{Script: llmtest.Script{Rules: rules}}
}

// findings is a question for findings.
func (s *rig) findings(t *testing.T, prompt string) question {
	t.Helper()
	form, err := s.schemas.get("findings", findingsSchema)
	if err != nil {
		t.Fatal(err)
	}
	return question{
		tier: review.Main, purpose: "findings", schema: form,
		messages: []message{{roleSystem, "You review."}, {roleUser, prompt}},
	}
}

// ask asks for findings within a minute and wants no error.
func (s *rig) ask(t *testing.T, prompt string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := s.complete(ctx, s.findings(t, prompt))
	if err != nil {
		t.Fatalf("complete: %v", err)
	}
	return got
}

// body is a whole chat completion with this content.
func body(t *testing.T, content string) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"model":   "m",
		"choices": []any{map[string]any{"finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": content}}},
		"usage":   map[string]any{"prompt_tokens": 10, "completion_tokens": 5},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// metricValue sums a metric over its labels.
func metricValue(t *testing.T, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			values := map[string]string{}
			for _, l := range m.GetLabel() {
				values[l.GetName()] = l.GetValue()
			}
			fits := true
			for i := 0; i+1 < len(labels); i += 2 {
				fits = fits && values[labels[i]] == labels[i+1]
			}
			if fits {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return total
}
