package llmsvc

import (
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"
	"github.com/openrabbit/openrabbit/internal/llmtest"
	"github.com/openrabbit/openrabbit/internal/pbconv"
	"github.com/openrabbit/openrabbit/internal/prompt"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/rpc"
)

// serve runs a service on loopback and gives a client of it.
func serve(t *testing.T, s *Service) llmv1.LLMServiceClient {
	t.Helper()
	s.cfg.Addr = "127.0.0.1:0"
	if s.cfg.AdminAddr == defaultAdminAddr {
		s.cfg.AdminAddr = AdminOff
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	conn, err := rpc.Dial(s.Addr(), rpc.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	health, err := healthpb.NewHealthClient(conn).Check(deadline(t), &healthpb.HealthCheckRequest{Service: "openrabbit.llm.v1.LLMService"})
	if err != nil || health.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("health %v %v", health, err)
	}
	return llmv1.NewLLMServiceClient(conn)
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// The engine's own questions, over the wire and back.
func TestServes(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{}, Config{Models: map[string]ModelInfo{"main-model": {ContextTokens: 32000, MaxOutputTokens: 800, InputMicros: 5, OutputMicros: 7}}})
	client := serve(t, s.Service)
	for name, schema := range map[string]string{"summary": prompt.SummarySchema, "findings": prompt.FindingsSchema, "verdict": prompt.VerdictSchema} {
		out, err := client.Complete(deadline(t), pbconv.ModelRequestToProto(review.ModelRequest{
			Tier: review.Main, SchemaName: name, Schema: schema, MaxOutputTokens: 500,
			Messages: []review.Message{{Role: "system", Content: "You review."}, {Role: "user", Content: `{"quote": "x := 1"}`}},
		}))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if a := pbconv.ModelAnswerFromProto(out); a.Outcome != review.OutcomeOK || a.Content == "" || a.Usage.Calls != 1 || a.Usage.InputTokens == 0 {
			t.Errorf("%s: %+v", name, a)
		}
	}
	vectors, err := client.Embed(deadline(t), &llmv1.EmbedRequest{Texts: []string{"a", "b"}, Dimensions: 16})
	if err != nil || len(vectors.GetVectors()) != 2 || len(vectors.GetVectors()[0].GetValues()) != 16 || vectors.GetUsage().GetRequests() != 1 {
		t.Errorf("embed: %v %v", vectors, err)
	}
	counts, err := client.CountTokens(deadline(t), &llmv1.CountTokensRequest{Tier: llmv1.Tier_TIER_EMBED, Texts: []string{"hello", ""}})
	if err != nil || counts.GetCounts()[0] != 2 || counts.GetCounts()[1] != 0 || counts.GetExact() {
		t.Errorf("count: %v %v", counts, err)
	}
	models, err := client.ListModels(deadline(t), &llmv1.ListModelsRequest{})
	if err != nil || len(models.GetModels()) != 3 {
		t.Fatalf("models: %v %v", models, err)
	}
	if m := models.GetModels()[1]; m.GetTier() != llmv1.Tier_TIER_MAIN || m.GetName() != "main-model" || m.GetContextTokens() != 32000 ||
		m.GetMaxOutputTokens() != 800 || m.GetInputMicrosPerMillion() != 5 || m.GetOutputMicrosPerMillion() != 7 {
		t.Errorf("main: %v", m)
	}
	if p := s.server.Problems(); len(p) != 0 {
		t.Errorf("the stand-in complains: %v", p)
	}
}

func TestServesWithoutAModel(t *testing.T) {
	t.Parallel()
	client := serve(t, newBare(t, Config{}))
	ask := &llmv1.CompleteRequest{Messages: []*llmv1.Message{{Role: llmv1.Role_ROLE_USER, Content: "x"}}}
	if _, err := client.Complete(deadline(t), ask); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "set OPENAI_API_KEY") {
		t.Errorf("complete: %v", err)
	}
	if _, err := client.Embed(deadline(t), &llmv1.EmbedRequest{Texts: []string{"x"}}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("embed: %v", err)
	}
	if out, err := client.ListModels(deadline(t), &llmv1.ListModelsRequest{}); err != nil || len(out.GetModels()) != 0 {
		t.Errorf("models: %v %v", out, err)
	}
	if out, err := client.CountTokens(deadline(t), &llmv1.CountTokensRequest{Texts: []string{"x"}}); err != nil || out.GetExact() {
		t.Errorf("count: %v %v", out, err)
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := newRig(t, llmtest.Options{}, Config{})
	client := serve(t, s.Service)
	user := []*llmv1.Message{{Role: llmv1.Role_ROLE_USER, Content: "x"}}
	hot, nan := 2.1, math.NaN()
	for name, in := range map[string]*llmv1.CompleteRequest{
		"no message":      {},
		"no role":         {Messages: []*llmv1.Message{{Content: "x"}}},
		"an unknown role": {Messages: []*llmv1.Message{{Role: 9, Content: "x"}}},
		"no content":      {Messages: []*llmv1.Message{{Role: llmv1.Role_ROLE_USER}}},
		"embedding tier":  {Tier: llmv1.Tier_TIER_EMBED, Messages: user},
		"no schema name":  {Messages: user, Schema: &llmv1.Schema{Json: `{}`}},
		"no schema":       {Messages: user, Schema: &llmv1.Schema{Name: "x"}},
		"too hot":         {Messages: user, Temperature: &hot},
		"no temperature":  {Messages: user, Temperature: &nan},
		"too much":        {Messages: user, MaxOutputTokens: math.MaxUint32},
		"too many":        {Messages: make([]*llmv1.Message, maxMessages+1)},
	} {
		if _, err := client.Complete(deadline(t), in); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, in := range map[string]*llmv1.EmbedRequest{"no text": {}, "too wide": {Texts: []string{"x"}, Dimensions: math.MaxUint32}} {
		if _, err := client.Embed(deadline(t), in); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.CountTokens(deadline(t), &llmv1.CountTokensRequest{Texts: make([]string, maxTexts+1)}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("too many texts: %v", err)
	}
	if n := len(s.server.Calls()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// The mesh's client tries UNAVAILABLE again by itself; this tier has tried already, and says so.
func TestTheMeshDoesNotRetryWhatWasRetried(t *testing.T) {
	t.Parallel()
	s := newRig(t, script(llmtest.Rule{Match: llmtest.Match{Endpoint: "embeddings"}, Status: 503}), Config{Attempts: 1})
	client := serve(t, s.Service)
	_, err := client.Embed(deadline(t), &llmv1.EmbedRequest{Texts: []string{"x"}})
	if status.Code(err) != codes.Unavailable || len(s.server.Calls()) != 1 {
		t.Errorf("%v after %d requests", err, len(s.server.Calls()))
	}
	var after time.Duration
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			after = info.GetRetryDelay().AsDuration()
		}
	}
	if after <= 0 {
		t.Error("it does not say when to come back")
	}
}

func TestTheCallersDeadline(t *testing.T) {
	t.Parallel()
	s := newRig(t, script(llmtest.Rule{Hang: true}), Config{})
	client := serve(t, s.Service)
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := client.Complete(ctx, &llmv1.CompleteRequest{Messages: []*llmv1.Message{{Role: llmv1.Role_ROLE_USER, Content: "x"}}})
	if status.Code(err) != codes.DeadlineExceeded || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestAdminEndpoints(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := l.Addr().String()
	_ = l.Close()
	s := newRig(t, llmtest.Options{}, Config{AdminAddr: admin})
	client := serve(t, s.Service)
	if _, err := client.Complete(deadline(t), &llmv1.CompleteRequest{Purpose: "probe", Messages: []*llmv1.Message{{Role: llmv1.Role_ROLE_USER, Content: "x"}}}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/readyz": "ok", "/metrics": `openrabbit_llm_calls_total{model="main-model",outcome="ok",purpose="probe"} 1`} {
		req, err := http.NewRequestWithContext(deadline(t), http.MethodGet, "http://"+admin+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d %.200s", path, res.StatusCode, text)
		}
	}
}
