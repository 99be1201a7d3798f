package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

func insecureOption() grpc.DialOption {
	return grpc.WithTransportCredentials(insecure.NewCredentials())
}

// lockedWriter lets several goroutines write.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// TestRetryCount counts the attempts at the server: a policy in the wrong place of the service config does nothing.
func TestRetryCount(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		code         codes.Code
		fails        int64
		retry        Retry
		request      string
		wantAttempts int64
		wantErr      bool
	}{
		"unavailable once":          {codes.Unavailable, 1, Retry{}, "x", 2, false},
		"unavailable three times":   {codes.Unavailable, 3, Retry{}, "x", 4, false},
		"unavailable for ever":      {codes.Unavailable, 1 << 30, Retry{}, "x", 4, true},
		"two attempts":              {codes.Unavailable, 1 << 30, Retry{Attempts: 2}, "x", 2, true},
		"no retry":                  {codes.Unavailable, 1 << 30, Retry{Attempts: 1}, "x", 1, true},
		"too large is not retried":  {codes.ResourceExhausted, 1 << 30, Retry{}, "x", 1, true},
		"a mistake is not retried":  {codes.InvalidArgument, 1 << 30, Retry{}, "x", 1, true},
		"internal is not retried":   {codes.Internal, 1 << 30, Retry{}, "x", 1, true},
		"a large request is, still": {codes.Unavailable, 1, Retry{}, strings.Repeat("x", 3<<20), 2, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var attempts atomic.Int64
			s := serve(t, ServerConfig{}, &echo{say: func(_ context.Context, in string) (string, error) {
				if attempts.Add(1) <= test.fails {
					return "", status.Error(test.code, "not now")
				}
				return in, nil
			}})
			test.retry.Initial = time.Millisecond
			reg := prometheus.NewRegistry()
			conn := connect(t, s.Addr(), ClientConfig{Name: "echosvc", Retry: test.retry, Registry: reg})
			_, err := say(t, conn, test.request)
			if (err != nil) != test.wantErr || (err != nil && status.Code(err) != test.code) {
				t.Errorf("gave %v", err)
			}
			if got := attempts.Load(); got != test.wantAttempts {
				t.Errorf("%d attempts, want %d", got, test.wantAttempts)
			}
			if got, err := testutil.GatherAndCount(reg, "openrabbit_rpc_client_seconds"); err != nil || got != 1 {
				t.Errorf("%d series (%v): a call is counted once, whatever its attempts", got, err)
			}
		})
	}
}

func TestServerChoosesTheDelay(t *testing.T) {
	t.Parallel()
	var attempts atomic.Int64
	s := serve(t, ServerConfig{}, &echo{say: func(ctx context.Context, in string) (string, error) {
		if attempts.Add(1) == 1 {
			if err := grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", "300")); err != nil {
				return "", err
			}
			return "", status.Error(codes.Unavailable, "full")
		}
		return in, nil
	}})
	conn := connect(t, s.Addr(), ClientConfig{Retry: Retry{Initial: time.Millisecond}})
	begun := time.Now()
	if _, err := say(t, conn, "x"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 300*time.Millisecond {
		t.Errorf("tried again after %s, though the server asked for 300 ms", took)
	}
}

// backends runs several servers that count their calls and answer with their number.
func backends(t *testing.T, n int) (servers []*Server, stops []func(), counts []*atomic.Int64, target string) {
	t.Helper()
	var addresses []string
	for i := range n {
		count := new(atomic.Int64)
		s := newTestServer(t, ServerConfig{DrainTimeout: time.Millisecond}, &echo{say: func(context.Context, string) (string, error) {
			count.Add(1)
			return fmt.Sprint(i), nil
		}}, quiet(), prometheus.NewRegistry())
		s.SetServing(true)
		servers, counts, addresses = append(servers, s), append(counts, count), append(addresses, s.Addr())
		stops = append(stops, start(t, s))
	}
	return servers, stops, counts, strings.Join(addresses, ", ")
}

// both calls until every backend has answered, which it gives up after 20 seconds.
func both(t *testing.T, conn *grpc.ClientConn, counts []*atomic.Int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, err := sayWith(ctx, conn, "x"); err != nil {
			t.Fatal(err)
		}
		all := true
		for _, count := range counts {
			all = all && count.Load() > 0
		}
		if all {
			return
		}
	}
}

func TestAllBackendsGetTraffic(t *testing.T) {
	t.Parallel()
	servers, _, counts, target := backends(t, 2)
	conn := connect(t, target, ClientConfig{Name: "echosvc"})
	both(t, conn, counts)
	for _, count := range counts {
		count.Store(0)
	}
	const calls = 100
	for range calls {
		if _, err := say(t, conn, "x"); err != nil {
			t.Fatal(err)
		}
	}
	for i, count := range counts {
		if got := count.Load(); got < calls/5 {
			t.Errorf("backend %d got %d of %d calls", i, got, calls)
		}
	}
	// A backend that says NOT_SERVING gets nothing more, though its port is open; the message takes a moment.
	servers[0].SetServing(false)
	quietFor(t, conn, counts[0])
	servers[0].SetServing(true)
	both(t, conn, counts[:1])
}

// quietFor calls until a backend got none of 50 calls in a row.
func quietFor(t *testing.T, conn *grpc.ClientConn, count *atomic.Int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		count.Store(0)
		for range 50 {
			if _, err := sayWith(ctx, conn, "x"); err != nil {
				t.Fatal(err)
			}
		}
		if count.Load() == 0 {
			return
		}
	}
}

// TestKillOneInTheMiddle stops one of two backends hard while calls run: none fails.
func TestKillOneInTheMiddle(t *testing.T) {
	t.Parallel()
	_, stops, counts, target := backends(t, 2)
	conn := connect(t, target, ClientConfig{Name: "echosvc", Retry: Retry{Initial: time.Millisecond}})
	both(t, conn, counts)
	var group sync.WaitGroup
	var done atomic.Int64
	killed := make(chan struct{})
	for range 4 {
		group.Go(func() {
			for range 100 {
				if _, err := say(t, conn, "x"); err != nil {
					t.Errorf("a call failed: %v", err)
				}
				if done.Add(1) == 100 {
					close(killed)
				}
			}
		})
	}
	<-killed
	stops[0]()
	group.Wait()
	if counts[0].Load() == 0 || counts[1].Load() == 0 || done.Load() != 400 {
		t.Errorf("calls: %d, %d of %d", counts[0].Load(), counts[1].Load(), done.Load())
	}
}

// TestConnectionsAge has connections that are asked to come anew while calls run: none of these fails.
func TestConnectionsAge(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	peers := make(map[string]bool)
	s := serve(t, ServerConfig{ConnectionAge: 30 * time.Millisecond}, &echo{say: func(ctx context.Context, in string) (string, error) {
		if p, ok := peer.FromContext(ctx); ok {
			mu.Lock()
			defer mu.Unlock()
			peers[p.Addr.String()] = true
		}
		return in, nil
	}})
	conn := connect(t, s.Addr(), ClientConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	connections := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(peers)
	}
	for connections() < 4 {
		if _, err := sayWith(ctx, conn, "x"); err != nil {
			t.Fatalf("after %d connections: %v", connections(), err)
		}
	}
}

func TestNobodyServes(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	conn := connect(t, address, ClientConfig{Name: "echosvc", Retry: Retry{Initial: time.Millisecond}})
	_, err = say(t, conn, "x")
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "call echosvc "+sayMethod) {
		t.Errorf("gave %v", err)
	}
	// Waiting for it is for callers who asked for that.
	waiting := connect(t, address, ClientConfig{Name: "echosvc", WaitForReady: true})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := sayWith(ctx, waiting, "x"); status.Code(err) != codes.DeadlineExceeded || !strings.Contains(err.Error(), "echosvc") {
		t.Errorf("gave %v", err)
	}
}

func TestDialRefuses(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"parser.example:50051":                "not loopback",
		"10.0.0.1:50051":                      "not loopback",
		"127.0.0.1:1,10.0.0.1:1":              "10.0.0.1:1 is not loopback",
		"":                                    "an address is required",
		"127.0.0.1:1,":                        "an address is required",
		"unix:///a,unix:///b":                 "a list cannot hold a unix socket",
		"localhost.evil.example:50051":        "not loopback",
		"127.0.0.1.evil.example:50051":        "not loopback",
		"dns:///parser.example:50051":         "not loopback",
		"passthrough:///parser.example:50051": "not loopback",
	} {
		conn, err := Dial(target, ClientConfig{Name: "echosvc"})
		if err == nil {
			_ = conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: gave %v, want %q", target, err, want)
		}
	}
	for _, target := range []string{"localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "unix:///run/x.sock", "unix:x.sock"} {
		conn, err := Dial(target, ClientConfig{})
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		_ = conn.Close()
	}
	if conn, err := Dial("parser.example:1", ClientConfig{Plaintext: true}); err != nil {
		t.Errorf("plaintext said out loud: %v", err)
	} else {
		_ = conn.Close()
	}
	if _, err := Dial("parser.example:1", ClientConfig{TLS: TLSFiles{CertFile: "x"}}); err == nil {
		t.Error("half a set of TLS files was taken")
	}
}

// TestServiceConfigIsWhatGRPCReads pins the form: gRPC ignores what it does not know.
func TestServiceConfigIsWhatGRPCReads(t *testing.T) {
	t.Parallel()
	text, err := ClientConfig{HealthService: "svc"}.serviceConfig()
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		LoadBalancingConfig []map[string]any
		HealthCheckConfig   struct{ ServiceName string }
		MethodConfig        []struct {
			Name        []map[string]string
			RetryPolicy struct {
				MaxAttempts          int
				InitialBackoff       string
				RetryableStatusCodes []string
			}
		}
		RetryPolicy *struct{}
	}
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.LoadBalancingConfig) != 1 || config.LoadBalancingConfig[0]["round_robin"] == nil || config.HealthCheckConfig.ServiceName != "svc" ||
		config.RetryPolicy != nil || len(config.MethodConfig) != 1 || len(config.MethodConfig[0].Name) != 1 ||
		config.MethodConfig[0].RetryPolicy.MaxAttempts != 4 || config.MethodConfig[0].RetryPolicy.InitialBackoff != "0.050s" ||
		fmt.Sprint(config.MethodConfig[0].RetryPolicy.RetryableStatusCodes) != "[UNAVAILABLE]" {
		t.Errorf("service config %s", text)
	}
}
