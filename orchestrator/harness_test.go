package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/openrabbit/openrabbit/internal/config"
	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"
	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

const (
	repoName     = "acme/shop"
	repoID       = 7001
	installation = 9001
	patience     = 20 * time.Second
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

// fakeModel is a model tier with a script.
type fakeModel struct {
	llmv1.UnimplementedLLMServiceServer
	mu       sync.Mutex
	none     bool
	findings []scripted
	// override answers instead of the script when it gives something.
	override func(q *llmv1.CompleteRequest) (*llmv1.CompleteResponse, error)
	asked    []string
}

func (m *fakeModel) set(change func(*fakeModel)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

func (m *fakeModel) calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.asked)
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

func (m *fakeModel) Complete(_ context.Context, q *llmv1.CompleteRequest) (*llmv1.CompleteResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, q.GetSchema().GetName())
	if m.override != nil {
		if answer, err := m.override(q); answer != nil || err != nil {
			return answer, err
		}
	}
	var text strings.Builder
	for _, message := range q.GetMessages() {
		text.WriteString(message.GetContent())
	}
	var content any
	switch q.GetSchema().GetName() {
	case "summary":
		content = map[string]any{"summary": "Changes the shop.", "changes": []any{}, "risk": "Low."}
	case "findings":
		found := []scripted{}
		for _, f := range m.findings {
			if strings.Contains(text.String(), f.Path) {
				found = append(found, f)
			}
		}
		content = map[string]any{"findings": found}
	default:
		quote := ""
		for _, f := range m.findings {
			if strings.Contains(text.String(), f.Title) {
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

// world is everything around one orchestrator.
type world struct {
	t      *testing.T
	github *githubtest.Server
	app    *github.App
	db     *pg.DB
	store  *store.Store
	jobs   *queue.Inserter
	model  *fakeModel
	parser *fakeParser
	cfg    Config
	deps   Deps
	log    *logBuffer
}

// logBuffer keeps the log of a test, to be shown when it fails.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

var baseFiles = map[string]string{
	"README.md": "# Shop\n",
	"cart.go":   "package shop\n\nfunc total(prices []int) int {\n\tsum := 0\n\treturn sum\n}\n",
}

var headFiles = githubtest.With(baseFiles, map[string]string{
	"cart.go": "package shop\n\nfunc total(prices []int) int {\n\tsum := 0\n\tfor i := range prices {\n\t\tsum += prices[i+1]\n\t}\n\tfirst := prices[0]\n\treturn sum / first\n}\n",
})

var defaultFindings = []scripted{
	bug("cart.go", "\t\tsum += prices[i+1]", "Reads beyond the last price"),
	bug("cart.go", "\tfirst := prices[0]", "Panics without prices"),
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server, err := githubtest.New(githubtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	if _, err := server.AddRepository(repoName, repoID, installation, baseFiles); err != nil {
		t.Fatal(err)
	}
	app, err := github.NewApp(github.AppConfig{
		AppID: server.AppID, PrivateKey: config.NewSecret(server.PrivateKeyPEM()), APIURL: server.URL, Timeout: 5 * time.Second,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	db := pgtest.New(t)
	jobs, err := queue.NewInserter(db)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, github: server, app: app, db: db, store: store.New(db), jobs: jobs,
		model: &fakeModel{findings: defaultFindings}, parser: &fakeParser{}, log: &logBuffer{},
	}
	w.cfg = Config{
		JobTimeout: 20 * time.Second, RescueAfter: 30 * time.Second, Settle: 50 * time.Millisecond, StopTimeout: 2 * time.Second,
		RetryBase: 20 * time.Millisecond, Patience: -1, AdminAddr: adminOff, SweepEvery: time.Hour,
		Workers: Workers{Fast: 4, Slow: 1, Index: 1, Interactive: 1},
	}
	w.deps = Deps{
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Registry: newRegistry(), DB: db, GitHub: app,
		Parser:  dialMemory(t, func(s *grpc.Server) { parserv1.RegisterParserServiceServer(s, w.parser) }),
		Model:   dialMemory(t, func(s *grpc.Server) { llmv1.RegisterLLMServiceServer(s, w.model) }),
		Secrets: noSecrets{},
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", w.log)
		}
	})
	return w
}

type noSecrets struct{}

func (noSecrets) Scan(string) []review.Secret { return nil }

// start runs an orchestrator until the test ends, or until the function that it gives is called.
func (w *world) start() (stop func()) {
	w.t.Helper()
	o, err := New(w.cfg, w.deps)
	if err != nil {
		w.t.Fatal(err)
	}
	o.poll = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- o.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		w.t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the orchestrator ended with %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// open opens a pull request with the change.
func (w *world) open(spec githubtest.PullRequestSpec) (number int, head string) {
	w.t.Helper()
	if spec.Title == "" {
		spec.Title = "Sum the prices"
	}
	if spec.Head == nil {
		spec.Head = headFiles
	}
	number, head, err := w.github.OpenPullRequest(repoName, spec)
	if err != nil {
		w.t.Fatal(err)
	}
	return number, head
}

// request asks for a review as the gateway does.
func (w *world) request(number int, head string, change ...func(*store.Wanted)) store.Requested {
	w.t.Helper()
	wanted := store.Wanted{
		InstallationID: installation, RepositoryID: repoID, Repository: repoName, DefaultBranch: "main",
		Number: number, Head: head, EventAt: time.Now(), Action: "synchronize",
	}
	for _, c := range change {
		c(&wanted)
	}
	var got store.Requested
	err := pg.InTx(w.t.Context(), w.db, func(ctx context.Context, tx pg.Tx) (err error) {
		if got, err = w.store.RequestReview(ctx, tx, wanted); err != nil || !got.Created {
			return err
		}
		for _, old := range got.Superseded {
			if err := w.jobs.Cancel(ctx, tx, old.JobID); err != nil {
				return err
			}
		}
		id, err := w.jobs.Review(ctx, tx, queue.ReviewArgs{
			ReviewID: got.Review.ID, InstallationID: installation, RepositoryID: repoID, Repository: repoName,
			Number: number, Head: got.Review.Head, Generation: got.Review.Generation,
		}, false)
		if err != nil {
			return err
		}
		return w.store.SetJob(ctx, tx, got.Review.ID, id)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// ended waits for the end of a review.
func (w *world) ended(id review.ID) store.Review {
	w.t.Helper()
	var row store.Review
	w.eventually("the review ends", func() bool {
		var err error
		if row, err = w.store.Review(w.t.Context(), id); err != nil {
			w.t.Fatal(err)
		}
		return row.State.Terminal()
	})
	return row
}

// eventually polls until it is so.
func (w *world) eventually(what string, so func() bool) {
	w.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			w.t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

// checkRun gives the check run of a review.
func (w *world) checkRun(id review.ID) (githubtest.CheckRun, bool) {
	runs := w.github.CheckRuns(repoName)
	i := slices.IndexFunc(runs, func(r githubtest.CheckRun) bool { return r.ExternalID == string(id) })
	if i < 0 {
		return githubtest.CheckRun{}, false
	}
	return runs[i], true
}

// concluded waits for the end of a check run and compares it.
func (w *world) concluded(id review.ID, want string) githubtest.CheckRun {
	w.t.Helper()
	var run githubtest.CheckRun
	w.eventually("the check run is "+want, func() bool {
		run, _ = w.checkRun(id)
		return run.Status == "completed"
	})
	if run.Conclusion != want {
		w.t.Errorf("check run %q concludes %q, want %q", run.Title, run.Conclusion, want)
	}
	return run
}

// submitted gives the reviews that people see.
func (w *world) submitted(number int) []githubtest.Review {
	var out []githubtest.Review
	for _, r := range w.github.Reviews(repoName, number) {
		if r.State != "PENDING" {
			out = append(out, r)
		}
	}
	return out
}

// walkthroughs gives our comments in the conversation.
func (w *world) walkthroughs(number int) []githubtest.IssueComment {
	var out []githubtest.IssueComment
	for _, c := range w.github.IssueComments(repoName, number) {
		if strings.HasSuffix(c.Author, "[bot]") {
			out = append(out, c)
		}
	}
	return out
}

// valid checks that GitHub had nothing to complain of in any request.
func (w *world) valid() {
	w.t.Helper()
	for _, v := range w.github.Violations() {
		w.t.Errorf("github's description is violated: %s", v)
	}
}

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }
