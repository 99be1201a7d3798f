package orchestrator

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"
	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

func sources(names ...string) []syntax.Source {
	out := make([]syntax.Source, len(names))
	for i, name := range names {
		out[i] = syntax.Source{Path: name, Content: []byte("package x\n")}
	}
	return out
}

func parserClient(t *testing.T, p *fakeParser) *ParserClient {
	t.Helper()
	return NewParserClient(dialMemory(t, func(s *grpc.Server) { parserv1.RegisterParserServiceServer(s, p) }))
}

func TestParserClient(t *testing.T) {
	t.Parallel()
	c := parserClient(t, &fakeParser{})
	big := syntax.Source{Path: "big.go", Content: make([]byte, parserFileBytes+1)}
	got, err := c.Analyze(t.Context(), append(sources("a.go", "b.go"), big))
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	for i, want := range []struct {
		path   string
		status syntax.Status
	}{{"a.go", syntax.StatusOK}, {"b.go", syntax.StatusOK}, {"big.go", syntax.StatusTooLarge}} {
		if f := got[i].Facts; f.Path != want.path || f.Status != want.status {
			t.Errorf("facts %d = %+v, want %+v", i, f, want)
		}
	}
	if none, err := c.Analyze(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("nothing: %v, %v", none, err)
	}
	v, text, err := c.CheckSuggestion(t.Context(), sources("a.go")[0], 1, 1, "package y")
	if err != nil || v != syntax.VerdictOK || text != "package y" {
		t.Errorf("suggestion: %v, %q, %v", v, text, err)
	}
}

// TestParserClientResends: a broken stream sends the unanswered files again, and only those, as long as that helps.
func TestParserClientResends(t *testing.T) {
	t.Parallel()
	down := status.Error(codes.Unavailable, "restarting")
	for name, tt := range map[string]struct {
		broken []error
		// seen is how many files the server got, ok how many were answered; err is what comes back.
		seen, ok int
		fails    bool
		err      error
	}{
		"one break":            {broken: []error{nil, down}, seen: 5, ok: 4},
		"a break at each file": {broken: []error{down, nil, down, nil, down, nil, down}, seen: 8, ok: 4},
		"dead from the start":  {broken: []error{down, down, down, down, down}, seen: 3, fails: true, err: errParserTier},
		"dead half way":        {broken: []error{nil, nil, down, down, down, down}, seen: 5, ok: 2},
		"too large":            {broken: []error{status.Error(codes.ResourceExhausted, "too large")}, seen: 1, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &fakeParser{broken: tt.broken}
			got, err := parserClient(t, p).Analyze(t.Context(), sources("a.go", "b.go", "c.go", "d.go"))
			if (err != nil) != tt.fails || tt.err != nil && !errors.Is(err, tt.err) {
				t.Fatalf("error = %v, want %v (%v)", err, tt.err, tt.fails)
			}
			ok := 0
			for _, a := range got {
				switch a.Facts.Status {
				case syntax.StatusOK:
					ok++
				case syntax.StatusTimeout:
				default:
					t.Errorf("facts = %+v", a.Facts)
				}
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if ok != tt.ok || p.seen != tt.seen {
				t.Errorf("%d answered, %d sent, want %d and %d", ok, p.seen, tt.ok, tt.seen)
			}
		})
	}
}

func TestParserClientStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := parserClient(t, &fakeParser{}).Analyze(ctx, sources("a.go")); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

// answeringModel answers every question with one thing.
type answeringModel struct {
	llmv1.UnimplementedLLMServiceServer
	answer *llmv1.CompleteResponse
	err    error
	models *llmv1.ListModelsResponse
	lists  int
}

func (m *answeringModel) Complete(ctx context.Context, _ *llmv1.CompleteRequest) (*llmv1.CompleteResponse, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, status.Error(codes.Internal, "a call without a deadline")
	}
	return m.answer, m.err
}

func (m *answeringModel) ListModels(context.Context, *llmv1.ListModelsRequest) (*llmv1.ListModelsResponse, error) {
	m.lists++
	if m.models == nil {
		return nil, status.Error(codes.Unavailable, "down")
	}
	return m.models, nil
}

func (m *answeringModel) Embed(_ context.Context, q *llmv1.EmbedRequest) (*llmv1.EmbedResponse, error) {
	out := &llmv1.EmbedResponse{}
	for _, text := range q.GetTexts() {
		if text == "lost" {
			continue
		}
		out.Vectors = append(out.Vectors, &llmv1.Vector{Values: []float32{float32(len(text))}})
	}
	return out, nil
}

func modelClient(t *testing.T, m *answeringModel) *ModelClient {
	t.Helper()
	return NewModelClient(dialMemory(t, func(s *grpc.Server) { llmv1.RegisterLLMServiceServer(s, m) }))
}

func TestModelClient(t *testing.T) {
	t.Parallel()
	shed, err := status.New(codes.Unavailable, "full").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		answer *llmv1.CompleteResponse
		err    error
		want   review.Outcome
		after  time.Duration
	}{
		"ok":             {answer: &llmv1.CompleteResponse{Outcome: llmv1.Outcome_OUTCOME_OK, Content: "{}"}, want: review.OutcomeOK},
		"limited":        {answer: &llmv1.CompleteResponse{Outcome: llmv1.Outcome_OUTCOME_RATE_LIMITED, RetryAfterMs: 1500}, want: review.OutcomeRateLimited, after: 1500 * time.Millisecond},
		"full":           {err: shed.Err(), want: review.OutcomeUnavailable, after: 3 * time.Second},
		"down":           {err: status.Error(codes.Unavailable, "down"), want: review.OutcomeUnavailable, after: modelRetryAfter},
		"slow":           {err: status.Error(codes.DeadlineExceeded, "slow"), want: review.OutcomeUnavailable, after: modelRetryAfter},
		"too large":      {err: status.Error(codes.ResourceExhausted, "large"), want: review.OutcomeTooLong},
		"bad":            {err: status.Error(codes.InvalidArgument, "bad"), want: review.OutcomeInvalid},
		"not configured": {err: status.Error(codes.FailedPrecondition, "no key"), want: review.OutcomeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := modelClient(t, &answeringModel{answer: tt.answer, err: tt.err}).Ask(t.Context(), review.ModelRequest{SchemaName: "summary"})
			if err != nil || got.Outcome != tt.want || got.RetryAfter != tt.after {
				t.Errorf("answer = %+v, %v, want %s after %s", got, err, tt.want, tt.after)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := modelClient(t, &answeringModel{}).Ask(ctx, review.ModelRequest{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestModelClientLists(t *testing.T) {
	t.Parallel()
	m := &answeringModel{}
	c := modelClient(t, m)
	if ok, why := c.Available(t.Context()); ok || !strings.Contains(why, "reached") {
		t.Errorf("down: %v, %q", ok, why)
	}
	m.models = &llmv1.ListModelsResponse{}
	if ok, why := modelClient(t, m).Available(t.Context()); ok || !strings.Contains(why, "configured") {
		t.Errorf("none: %v, %q", ok, why)
	}
	m.models.Models = []*llmv1.Model{
		{Tier: llmv1.Tier_TIER_MAIN, Name: "big", InputMicrosPerMillion: 2, OutputMicrosPerMillion: 8},
		{Tier: llmv1.Tier_TIER_EMBED, Name: "vectors"},
	}
	c = modelClient(t, m)
	before := m.lists
	if ok, why := c.Available(t.Context()); !ok {
		t.Error(why)
	}
	name, price := c.Model(t.Context(), review.Main)
	if name != "big" || price != (Price{Input: 2, Output: 8}) {
		t.Errorf("model %q, price %+v", name, price)
	}
	if name, _ := c.Model(t.Context(), review.Fast); name != "" {
		t.Errorf("fast model %q", name)
	}
	if name, err := c.EmbedModel(t.Context()); err != nil || name != "vectors" {
		t.Errorf("embed model %q, %v", name, err)
	}
	if m.lists != before+1 {
		t.Errorf("listed %d times", m.lists-before)
	}
	if v, _, err := c.embed(t.Context(), "r", []string{"a", "bcd"}); err != nil || len(v) != 2 || v[1][0] != 3 {
		t.Errorf("vectors %v, %v", v, err)
	}
	if v, _, err := c.embed(t.Context(), "r", []string{"a", "lost"}); err == nil {
		t.Errorf("a vector is missing: %v", v)
	}
}

// TestTimeouts: an attempt is longer than any call in it, and what is kept for publishing is left over.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	c := Config{}.withDefaults()
	if err := c.validate(); err != nil {
		t.Error(err)
	}
	if left := c.JobTimeout - c.reserve() - modelCallTimeout; left <= 0 {
		t.Errorf("a question of %s does not fit an attempt of %s with %s for publishing", modelCallTimeout, c.JobTimeout, c.reserve())
	}
	if parserTries*parserCallTimeout > c.JobTimeout-c.reserve() {
		t.Error("the tries of the parser do not fit an attempt")
	}
	if c.Settle <= c.GitHub.Timeout {
		t.Errorf("settle %s is not longer than a call's %s", c.Settle, c.GitHub.Timeout)
	}
	if c.RescueAfter <= c.JobTimeout+finishTimeout {
		t.Errorf("rescue after %s does not leave an attempt of %s the time to end", c.RescueAfter, c.JobTimeout)
	}
}
