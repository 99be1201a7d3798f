package rpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openrabbit/openrabbit/internal/config"
)

func listenerDialer(listener *bufconn.Listener) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
}

func TestHealthTellsTheTruth(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ServerConfig{}, &echo{say: same}, quiet(), prometheus.NewRegistry())
	stop := start(t, s)
	conn, err := grpc.NewClient(s.Addr(), insecureOption())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	health := healthpb.NewHealthClient(conn)
	check := func(service string) string {
		resp, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			return status.Code(err).String()
		}
		return resp.GetStatus().String()
	}
	if got := check(""); got != "NOT_SERVING" {
		t.Errorf("a new server is %s", got)
	}
	// A service nobody has spoken for is not known, which clients take as not serving.
	if got := check("openrabbit.test.Echo"); got != "NotFound" {
		t.Errorf("a new service is %s", got)
	}
	for serving, want := range map[bool]string{true: "SERVING", false: "NOT_SERVING"} {
		s.SetServing(serving)
		for _, service := range []string{"", "openrabbit.test.Echo"} {
			if got := check(service); got != want {
				t.Errorf("%q is %s, want %s", service, got, want)
			}
		}
	}
	s.SetServing(true)
	watch, err := health.Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("watching says %v (%v)", first, err)
	}
	go stop()
	if next, err := watch.Recv(); err != nil || next.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("stopping says %v (%v), want NOT_SERVING before anything closes", next, err)
	}
	stop()
	s.SetServing(true)
	s.Stop()
}

func TestReflection(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerConfig{}, &echo{say: same})
	conn, err := grpc.NewClient(s.Addr(), insecureOption())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	v1, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err == nil {
		err = v1.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := v1.Recv(); err != nil || !strings.Contains(resp.String(), "openrabbit.test.Echo") {
		t.Errorf("v1 says %v (%v)", resp, err)
	}
	// Older tools speak v1alpha, which is the same under another name.
	if _, ok := s.grpc.GetServiceInfo()["grpc.reflection.v1alpha.ServerReflection"]; !ok {
		t.Error("v1alpha is not served")
	}
}

func TestPanicIsOneFailedCall(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&lockedWriter{w: &out}, nil))
	listener := bufconn.Listen(1 << 20)
	reg := prometheus.NewRegistry()
	s := newTestServer(t, ServerConfig{Listener: listener}, &echo{
		say: func(_ context.Context, in string) (string, error) {
			switch in {
			case "value":
				panic("canary of the source code")
			case "index":
				return []string{}[len(in)], nil
			}
			return in, nil
		},
		chat: func(grpc.ServerStream) error { panic(errors.New("canary of a stream")) },
	}, log, reg)
	s.SetServing(true)
	stop := start(t, s)
	conn := connect(t, "memory", ClientConfig{Dialer: listenerDialer(listener)})
	for _, in := range []string{"value", "index"} {
		if _, err := say(t, conn, in); status.Code(err) != codes.Internal || status.Convert(err).Message() != "internal error" {
			t.Errorf("%s: gave %v", in, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, chatMethod)
	if err == nil {
		err = stream.RecvMsg(new(message))
	}
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "canary") {
		t.Errorf("stream: gave %v", err)
	}
	if got, err := say(t, conn, "still here"); err != nil || got != "still here" {
		t.Errorf("after a panic: %q, %v", got, err)
	}
	stop()
	if strings.Contains(out.String(), "canary") || !strings.Contains(out.String(), "index out of range") || !strings.Contains(out.String(), "server_test.go") {
		t.Errorf("the log says:\n%s", out.String())
	}
	want := `
# HELP openrabbit_rpc_server_running Calls that are being answered.
# TYPE openrabbit_rpc_server_running gauge
openrabbit_rpc_server_running{method="/openrabbit.test.Echo/Chat"} 0
openrabbit_rpc_server_running{method="/openrabbit.test.Echo/Say"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "openrabbit_rpc_server_running"); err != nil {
		t.Error(err)
	}
	if got, err := testutil.GatherAndCount(reg, "openrabbit_rpc_server_seconds"); err != nil || got != 3 {
		t.Errorf("%d series of seconds, want Say/Internal, Say/OK and Chat/Internal (%v)", got, err)
	}
}

func TestMessageLimits(t *testing.T) {
	t.Parallel()
	conn := inMemory(t, ServerConfig{MaxMessageBytes: 1 << 20}, &echo{say: func(_ context.Context, in string) (string, error) {
		if in == "more" {
			return strings.Repeat("x", 2<<20), nil
		}
		return in, nil
	}})
	if got, err := say(t, conn, strings.Repeat("x", 1<<19)); err != nil || len(got) != 1<<19 {
		t.Errorf("half of the limit gave %d bytes, %v", len(got), err)
	}
	for _, in := range []string{strings.Repeat("x", 1<<20+1), "more"} {
		if _, err := say(t, conn, in); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("gave %v", err)
		}
	}
	// The default is the same at both ends, and above gRPC's 4 MiB.
	conn = inMemory(t, ServerConfig{}, &echo{say: same})
	if got, err := say(t, conn, strings.Repeat("x", 7<<20)); err != nil || len(got) != 7<<20 {
		t.Errorf("7 MiB gave %d bytes, %v", len(got), err)
	}
	if _, err := say(t, conn, strings.Repeat("x", 9<<20)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("9 MiB gave %v", err)
	}
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	listener := bufconn.Listen(1 << 20)
	s := newTestServer(t, ServerConfig{Listener: listener, DrainTimeout: 100 * time.Millisecond}, &echo{say: func(context.Context, string) (string, error) {
		close(begun)
		<-release // It ignores its context.
		return "", nil
	}}, quiet(), prometheus.NewRegistry())
	s.SetServing(true)
	stop := start(t, s)
	conn := connect(t, "memory", ClientConfig{Dialer: listenerDialer(listener), Retry: Retry{Attempts: 1}})
	ended := make(chan error, 1)
	go func() {
		_, err := say(t, conn, "x")
		ended <- err
	}()
	<-begun
	stop()
	s.Stop()
	close(release)
	if err := <-ended; status.Code(err) != codes.Unavailable {
		t.Errorf("the call that was cut gave %v", err)
	}
}

func TestStopDoesNotWaitForWatchers(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, ServerConfig{DrainTimeout: time.Minute}, &echo{say: same}, quiet(), prometheus.NewRegistry())
	s.SetServing(true)
	stop := start(t, s)
	if _, err := say(t, connect(t, s.Addr(), ClientConfig{}), "x"); err != nil {
		t.Fatal(err)
	}
	stranger, err := grpc.NewClient(s.Addr(), insecureOption())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Close() }()
	watch, err := healthpb.NewHealthClient(stranger).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err == nil {
		_, err = watch.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	stop()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the stop took %s", took)
	}
}

func TestStopWaitsForRunningCalls(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	listener := bufconn.Listen(1 << 20)
	s := newTestServer(t, ServerConfig{Listener: listener}, &echo{say: func(_ context.Context, in string) (string, error) {
		close(begun)
		<-release
		return in, nil
	}}, quiet(), prometheus.NewRegistry())
	s.SetServing(true)
	stop := start(t, s)
	conn := connect(t, "memory", ClientConfig{Dialer: listenerDialer(listener)})
	ended := make(chan error, 1)
	go func() {
		_, err := say(t, conn, "x")
		ended <- err
	}()
	<-begun
	go func() {
		// The stop has begun when nothing new is accepted.
		for {
			probe, err := listener.DialContext(context.Background())
			if err != nil {
				close(release)
				return
			}
			_ = probe.Close()
		}
	}()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the running call gave %v", err)
	}
}

func TestServerRefusesToBegin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := newAuthority(t).issue(dir, time.Hour, "echosvc")
	reg := prometheus.NewRegistry()
	for want, cfg := range map[string]ServerConfig{
		"a name is required":             {Addr: "127.0.0.1:0"},
		"an address is required":         {Name: "x"},
		"not loopback":                   {Name: "x", Addr: "0.0.0.0:0"},
		"is not loopback":                {Name: "x", Addr: ":0"},
		"only some of them are set":      {Name: "x", Addr: ":0", TLS: TLSFiles{CertFile: "x"}, AllowedClients: []string{"y"}},
		"list of the clients":            {Name: "x", Addr: ":0", TLS: files},
		"both TLS and plaintext":         {Name: "x", Addr: ":0", TLS: files, Plaintext: true, AllowedClients: []string{"y"}},
		"no such file":                   {Name: "x", Addr: ":0", TLS: TLSFiles{CertFile: "/nowhere/c", KeyFile: files.KeyFile, CAFile: files.CAFile}, AllowedClients: []string{"y"}},
		"holds no certificate":           {Name: "x", Addr: ":0", TLS: TLSFiles{CertFile: files.CertFile, KeyFile: files.KeyFile, CAFile: files.KeyFile}, AllowedClients: []string{"y"}},
		"limit of a message is negative": {Name: "x", Addr: "127.0.0.1:0", MaxMessageBytes: -1},
		"missing port in address":        {Name: "x", Addr: "127.0.0.1"},
		"no such file or directory":      {Name: "x", Addr: "unix:///nowhere/at/all.sock"},
	} {
		s, err := NewServer(cfg, quiet(), reg)
		if err == nil {
			s.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("gave %v, want %q", err, want)
		}
	}
	if s, err := NewServer(ServerConfig{Name: "x", Addr: "0.0.0.0:0", Plaintext: true}, quiet(), reg); err != nil {
		t.Errorf("plaintext said out loud gave %v", err)
	} else {
		s.Stop()
	}
	if _, err := NewServer(ServerConfig{Name: "x", Addr: "127.0.0.1:0"}, quiet(), nil); err == nil {
		t.Error("no registry, no error")
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	// What a killed process leaves: a socket nobody listens on.
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	_ = left.Close()
	s := serve(t, ServerConfig{Addr: "unix://" + path}, &echo{say: same})
	if s.Addr() != "unix://"+path {
		t.Errorf("address %s", s.Addr())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
	if got, err := say(t, connect(t, s.Addr(), ClientConfig{}), "x"); err != nil || got != "x" {
		t.Errorf("gave %q, %v", got, err)
	}
	if _, err := NewServer(ServerConfig{Name: "second", Addr: s.Addr()}, quiet(), prometheus.NewRegistry()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second server gave %v", err)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	conn := inMemory(t, ServerConfig{}, &echo{chat: func(stream grpc.ServerStream) error {
		for {
			in := new(message)
			if err := stream.RecvMsg(in); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if err := stream.SendMsg(in); err != nil {
				return err
			}
		}
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, chatMethod)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{"a", "b"} {
		out := new(message)
		if err := errors.Join(stream.SendMsg(wrapperspb.String(in)), stream.RecvMsg(out)); err != nil || out.GetValue() != in {
			t.Errorf("%s came back as %s, %v", in, out.GetValue(), err)
		}
	}
	if err := errors.Join(stream.CloseSend(), stream.RecvMsg(new(message))); !errors.Is(err, io.EOF) {
		t.Errorf("the good end is %v", err)
	}
}

func TestMeshFromEnv(t *testing.T) {
	t.Parallel()
	for want, values := range map[string]map[string]string{
		"":                         {"OPENRABBIT_MESH_CERT_FILE": "c", "OPENRABBIT_MESH_KEY_FILE": "k", "OPENRABBIT_MESH_CA_FILE": "a"},
		"only some of them":        {"OPENRABBIT_MESH_CERT_FILE": "c"},
		"certificates too: choose": {"OPENRABBIT_MESH_CERT_FILE": "c", "OPENRABBIT_MESH_KEY_FILE": "k", "OPENRABBIT_MESH_CA_FILE": "a", "OPENRABBIT_MESH_PLAINTEXT": "1"},
	} {
		env := config.FromMap(values)
		mesh := MeshFromEnv(env)
		if err := env.Err(); (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: gave %v, want %q", values, err, want)
		}
		if mesh.TLS.CertFile != "c" {
			t.Errorf("read %+v", mesh)
		}
	}
}
