package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/openrabbit/openrabbit/gateway"
	"github.com/openrabbit/openrabbit/internal/config"
	reviewv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/review/v1"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/github/githubtest/fixture"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/llmtest"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/secrets"
	"github.com/openrabbit/openrabbit/internal/telemetry"
	"github.com/openrabbit/openrabbit/llmsvc"
	"github.com/openrabbit/openrabbit/orchestrator"
	"github.com/openrabbit/openrabbit/parsersvc"
)

// TestMain lets parsersvc start this test binary as its parsing children.
func TestMain(m *testing.M) {
	parsersvc.MaybeChild()
	os.Exit(m.Run())
}

const (
	repository     = "acme/shop"
	repositoryID   = 11
	installationID = 22
)

// mesh is the whole of OpenRabbit in this process.
type mesh struct {
	t       *testing.T
	github  *githubtest.Server
	env     map[string]string
	reviews reviewv1.ReviewServiceClient
	logs    *lockedBuilder
	db      *pg.DB
}

// start brings everything up around a repository with these files; more overrides the environment of the services.
func start(t *testing.T, files map[string]string, more map[string]string) *mesh {
	t.Helper()
	hub := fixture.New(t, githubtest.Options{})
	if _, err := hub.AddRepository(repository, repositoryID, installationID, files); err != nil {
		t.Fatal(err)
	}
	m := &mesh{t: t, github: hub, logs: &lockedBuilder{}, env: map[string]string{
		"GITHUB_API_URL": hub.URL, "GITHUB_APP_ID": fmt.Sprint(hub.AppID), "GITHUB_APP_PRIVATE_KEY": hub.PrivateKeyPEM(),
		"GITHUB_WEBHOOK_SECRET": hub.WebhookSecret, "OPENRABBIT_GATEWAY_ADMIN_ADDR": "off", "OPENRABBIT_PARSER_ADMIN_ADDR": "off",
		"OPENRABBIT_LLM_ADMIN_ADDR": "off", "OPENRABBIT_ORCHESTRATOR_ADMIN_ADDR": "off",
	}}
	for _, name := range []string{"OPENRABBIT_GATEWAY_ADDR", "OPENRABBIT_GATEWAY_GRPC_ADDR", "OPENRABBIT_PARSER_ADDR", "OPENRABBIT_LLM_ADDR"} {
		m.env[name] = freeAddr(t)
	}
	m.env["OPENRABBIT_PARSER_TARGET"], m.env["OPENRABBIT_LLM_TARGET"] = m.env["OPENRABBIT_PARSER_ADDR"], m.env["OPENRABBIT_LLM_ADDR"]
	for name, value := range more {
		m.env[name] = value
	}
	m.run()
	conn, err := rpc.Dial(m.env["OPENRABBIT_GATEWAY_GRPC_ADDR"], rpc.ClientConfig{Name: "gateway", WaitForReady: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m.reviews = reviewv1.NewReviewServiceClient(conn)
	return m
}

// run starts the services in their order and stops them at the test's end.
func (m *mesh) run() {
	t := m.t
	db := pgtest.New(t)
	m.db = db
	env := config.FromMap(m.env)
	gatewayConfig, orchestratorConfig := gateway.ConfigFromEnv(env), orchestrator.ConfigFromEnv(env)
	parserConfig, llmConfig := parsersvc.ConfigFromEnv(env), llmsvc.ConfigFromEnv(env)
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	scanner, err := secrets.New()
	if err != nil {
		t.Fatal(err)
	}
	log := func(name string) *slog.Logger {
		return telemetry.NewLogger(m.logs, "text", slog.LevelInfo).With(telemetry.KeyService, name)
	}
	parser, err := parsersvc.New(parserConfig, parsersvc.Deps{Log: log("parsersvc"), Registry: telemetry.NewRegistry("parsersvc")})
	if err != nil {
		t.Fatal(err)
	}
	model, err := llmsvc.New(llmConfig, llmsvc.Deps{Log: log("llmsvc"), Registry: telemetry.NewRegistry("llmsvc")})
	if err != nil {
		t.Fatal(err)
	}
	worker, err := orchestrator.New(orchestratorConfig, orchestrator.Deps{Log: log("orchestrator"), Registry: telemetry.NewRegistry("orchestrator"),
		DB: db, Secrets: scanner})
	if err != nil {
		t.Fatal(err)
	}
	door, err := gateway.New(gatewayConfig, gateway.Deps{Log: log("gateway"), Registry: telemetry.NewRegistry("gateway"), DB: db})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	up, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- lifecycle.Run(ctx, log("mesh"),
			lifecycle.Service{Name: "parsersvc", Run: parser.Run}, lifecycle.Service{Name: "llmsvc", Run: model.Run},
			lifecycle.Service{Name: "orchestrator", Run: worker.Run}, lifecycle.Service{Name: "gateway", Run: door.Run},
			lifecycle.Service{Name: "up", Run: func(ctx context.Context, ready func()) error {
				ready()
				close(up)
				<-ctx.Done()
				return nil
			}})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the mesh ended with: %v", err)
		}
		if t.Failed() {
			t.Logf("logs:\n%s", m.logs)
		}
	})
	select {
	case <-up:
	case err := <-done:
		done <- nil
		t.Fatalf("the mesh did not start: %v\n%s", err, m.logs)
	case <-time.After(time.Minute):
		t.Fatalf("the mesh did not start in a minute:\n%s", m.logs)
	}
}

// deliver sends a pull_request event and wants it to be accepted.
func (m *mesh) deliver(number int, action string, more map[string]any) {
	m.t.Helper()
	payload, err := m.github.PullRequestEvent(repository, number, action, more)
	if err != nil {
		m.t.Fatal(err)
	}
	status, _, err := m.github.Deliver(m.t.Context(), m.webhook(), githubtest.Delivery{Event: "pull_request", Payload: payload})
	if err != nil || status != 202 {
		m.t.Fatalf("%s: status %d, %v; want 202", action, status, err)
	}
}

func (m *mesh) webhook() string {
	return "http://" + m.env["OPENRABBIT_GATEWAY_ADDR"] + "/webhooks/github"
}

// newest waits for the end of the newest review of a pull request.
func (m *mesh) newest(number int) *reviewv1.Review {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	list, err := m.reviews.ListReviews(ctx, &reviewv1.ListReviewsRequest{Repository: repository, Number: uint32(number)}, grpc.WaitForReady(true))
	if err != nil {
		m.t.Fatal(err)
	}
	if len(list.GetReviews()) == 0 {
		m.t.Fatalf("no review of #%d", number)
	}
	stream, err := m.reviews.WatchReview(ctx, &reviewv1.WatchReviewRequest{Id: list.GetReviews()[0].GetId()})
	if err != nil {
		m.t.Fatal(err)
	}
	var last *reviewv1.Review
	for {
		answer, err := stream.Recv()
		if err != nil {
			if last == nil || last.GetState() <= reviewv1.State_STATE_RUNNING {
				m.t.Fatalf("watch #%d: %v; last seen %v", number, err, last)
			}
			return last
		}
		last = answer.GetReview()
	}
}

// open opens a pull request with these files and delivers it.
func (m *mesh) open(spec githubtest.PullRequestSpec) int {
	m.t.Helper()
	number, _, err := m.github.OpenPullRequest(repository, spec)
	if err != nil {
		m.t.Fatal(err)
	}
	m.deliver(number, "opened", nil)
	return number
}

// model starts a scripted model and gives the environment that points at it.
func model(t *testing.T, options llmtest.Options) (*llmtest.Server, map[string]string) {
	t.Helper()
	server, err := llmtest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server, map[string]string{"OPENAI_BASE_URL": server.URL, "OPENRABBIT_MODEL_MAIN": "m", "OPENRABBIT_MODEL_FAST": "m",
		"OPENRABBIT_MODEL_EMBED": "m"}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := config.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// lockedBuilder collects the logs of all services.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
