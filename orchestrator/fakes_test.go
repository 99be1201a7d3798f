package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"
	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
)

// dialMemory serves a gRPC service in memory.
func dialMemory(t testing.TB, register func(*grpc.Server)) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	register(server)
	go func() { _ = server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
	})
	return conn
}

// scripted is a finding that the model states.
type scripted struct {
	Path       string  `json:"path"`
	Quote      string  `json:"quote"`
	StartLine  int     `json:"start_line"`
	EndLine    int     `json:"end_line"`
	Severity   string  `json:"severity"`
	Category   string  `json:"category"`
	Title      string  `json:"title"`
	Body       string  `json:"body"`
	Suggestion *string `json:"suggestion"`
	Confidence float64 `json:"confidence"`
}

func bug(path, quote, title string) scripted {
	return scripted{
		Path: path, Quote: quote, Severity: "high", Category: "bug", Title: title,
		Body: "This fails for an empty cart: " + title + ".", Confidence: 0.9,
	}
}

// override answers a question instead of the script when it gives something.
type override func(q *llmv1.CompleteRequest) (*llmv1.CompleteResponse, error)

// fakeModel is a model tier with a script. Questions are told apart by the title of the pull request.
type fakeModel struct {
	llmv1.UnimplementedLLMServiceServer
	mu        sync.Mutex
	none      bool
	findings  map[string][]scripted
	overrides map[string]override
	asked     map[string][]string
}

func newFakeModel() *fakeModel {
	return &fakeModel{findings: map[string][]scripted{}, overrides: map[string]override{}, asked: map[string][]string{}}
}

func (m *fakeModel) ListModels(context.Context, *llmv1.ListModelsRequest) (*llmv1.ListModelsResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.none {
		return &llmv1.ListModelsResponse{}, nil
	}
	return &llmv1.ListModelsResponse{Models: []*llmv1.Model{
		{Tier: llmv1.Tier_TIER_FAST, Name: "tiny", InputMicrosPerMillion: 100_000, OutputMicrosPerMillion: 400_000},
		{Tier: llmv1.Tier_TIER_MAIN, Name: "big", InputMicrosPerMillion: 2_000_000, OutputMicrosPerMillion: 8_000_000},
	}}, nil
}

func (m *fakeModel) Complete(ctx context.Context, q *llmv1.CompleteRequest) (*llmv1.CompleteResponse, error) {
	var b strings.Builder
	for _, message := range q.GetMessages() {
		b.WriteString(message.GetContent())
	}
	text := b.String()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err // who has left holds nobody up
	}
	title := ""
	for known := range m.findings {
		if strings.Contains(text, known) {
			title = known
		}
	}
	m.asked[title] = append(m.asked[title], q.GetSchema().GetName())
	if f := m.overrides[title]; f != nil {
		if answer, err := f(q); answer != nil || err != nil {
			return answer, err
		}
	}
	var content any
	switch q.GetSchema().GetName() {
	case "summary":
		content = map[string]any{"summary": "Changes the shop.", "changes": []any{}, "risk": "Low."}
	case "findings":
		found := []scripted{}
		for _, f := range m.findings[title] {
			if strings.Contains(text, f.Path) {
				found = append(found, f)
			}
		}
		content = map[string]any{"findings": found}
	default:
		quote := ""
		for _, f := range m.findings[title] {
			if strings.Contains(text, f.Title) {
				quote = f.Quote
			}
		}
		content = map[string]any{"verdict": "keep", "severity": nil, "quote": quote, "reason": "It is so."}
	}
	encoded, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	return &llmv1.CompleteResponse{
		Outcome: llmv1.Outcome_OUTCOME_OK, Content: string(encoded), Model: "big-1",
		Usage: &llmv1.Usage{InputTokens: 1000, OutputTokens: 100, CostMicros: 2800, Requests: 1},
	}, nil
}

// fakeParser is a parser tier that knows no language.
type fakeParser struct {
	parserv1.UnimplementedParserServiceServer
	mu sync.Mutex
	// broken gives the error of the next streams.
	broken []error
	seen   int
}

func (p *fakeParser) AnalyzeFiles(stream grpc.BidiStreamingServer[parserv1.AnalyzeFilesRequest, parserv1.AnalyzeFilesResponse]) error {
	for {
		q, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.seen++
		var fault error
		if len(p.broken) > 0 {
			fault, p.broken = p.broken[0], p.broken[1:]
		}
		p.mu.Unlock()
		if fault != nil {
			return fault
		}
		if err := stream.Send(&parserv1.AnalyzeFilesResponse{Id: q.GetId(), Facts: &parserv1.FileFacts{
			Path: q.GetFile().GetPath(), Language: "go", Status: parserv1.FileStatus_FILE_STATUS_OK,
		}}); err != nil {
			return err
		}
	}
}

func (p *fakeParser) CheckSuggestion(context.Context, *parserv1.CheckSuggestionRequest) (*parserv1.CheckSuggestionResponse, error) {
	return &parserv1.CheckSuggestionResponse{Verdict: parserv1.SuggestionVerdict_SUGGESTION_VERDICT_OK}, nil
}
