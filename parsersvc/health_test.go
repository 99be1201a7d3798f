package parsersvc

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

func health(t *testing.T, addr string) healthpb.HealthCheckResponse_ServingStatus {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	resp, err := healthpb.NewHealthClient(conn).Check(within(t, 10*time.Second), &healthpb.HealthCheckRequest{Service: parserv1.ParserService_ServiceDesc.ServiceName}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetStatus()
}

func TestHealthTellsTheTruth(t *testing.T) {
	t.Parallel()
	_, s := start(t, Config{Children: 1})
	if got := health(t, s.Addr()); got != healthpb.HealthCheckResponse_SERVING || s.Health() != nil {
		t.Errorf("with a child: %v, %v", got, s.Health())
	}
	// A service whose children don't start accepts connections and says that it does not serve.
	said := make(lines, 100)
	broken, err := New(Config{Addr: "127.0.0.1:0", AdminAddr: AdminOff, Children: 1, Executable: "/bin/false"},
		Deps{Log: slog.New(slog.NewTextHandler(said, nil)), Registry: telemetry.NewRegistry("parsersvc")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- broken.Run(ctx, func() { t.Error("it is said to be ready") })
	}()
	if got := health(t, broken.Addr()); got != healthpb.HealthCheckResponse_NOT_SERVING || broken.Health() == nil {
		t.Errorf("without a child: %v, %v", got, broken.Health())
	}
	for !strings.Contains(<-said, "parser child did not start") {
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}

// lines gets the lines of a log, as many as it has room for.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	select {
	case l <- string(b):
	default:
	}
	return len(b), nil
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	c, s := start(t, Config{Children: 1, marker: faulty})
	outline(t, c, "x.go", goSource)
	outline(t, c, "x.go", "// order: segfault")
	outline(t, c, "x.a-language-from-outside", "x")
	families, err := s.deps.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			got[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for key, want := range map[string]float64{
		"openrabbit_parser_files_total go ok":             1,
		"openrabbit_parser_files_total go crashed":        1,
		"openrabbit_parser_files_total other unsupported": 1,
		"openrabbit_parser_children_ended_total crashed":  1,
		"openrabbit_parser_quarantine":                    1,
		"openrabbit_parser_shed_total":                    0,
	} {
		if value, ok := got[key]; !ok || value != want {
			t.Errorf("%s is %v (%t), want %v", key, value, ok, want)
		}
	}
}
