package rpc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	sayMethod  = "/openrabbit.test.Echo/Say"
	chatMethod = "/openrabbit.test.Echo/Chat"
)

type message = wrapperspb.StringValue

// echo is a service whose methods do what a test says.
type echo struct {
	say  func(ctx context.Context, in string) (string, error)
	chat func(stream grpc.ServerStream) error
}

type echoServer interface{ isEcho() }

func (*echo) isEcho() {}

func (e *echo) desc() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "openrabbit.test.Echo",
		HandlerType: (*echoServer)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Say", Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			in := new(message)
			if err := decode(in); err != nil {
				return nil, err
			}
			handle := func(ctx context.Context, req any) (any, error) {
				out, err := srv.(*echo).say(ctx, req.(*message).GetValue())
				if err != nil {
					return nil, err
				}
				return wrapperspb.String(out), nil
			}
			return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: sayMethod}, handle)
		}}},
		Streams: []grpc.StreamDesc{{StreamName: "Chat", ServerStreams: true, ClientStreams: true, Handler: func(srv any, stream grpc.ServerStream) error {
			return srv.(*echo).chat(stream)
		}}},
	}
}

func same(_ context.Context, in string) (string, error) { return in, nil }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// serve runs a server with the service, which says that it serves, until the test ends.
func serve(t *testing.T, cfg ServerConfig, service *echo) *Server {
	t.Helper()
	s := newTestServer(t, cfg, service, quiet(), prometheus.NewRegistry())
	s.SetServing(true)
	start(t, s)
	return s
}

func newTestServer(t *testing.T, cfg ServerConfig, service *echo, log *slog.Logger, reg prometheus.Registerer) *Server {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "echosvc"
	}
	if cfg.Addr == "" && cfg.Listener == nil {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = 5 * time.Second
	}
	s, err := NewServer(cfg, log, reg)
	if err != nil {
		t.Fatal(err)
	}
	s.Registrar().RegisterService(service.desc(), service)
	return s
}

// start runs a server and gives what ends it and waits.
func start(t *testing.T, s *Server) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.Run(ctx, func() { close(ready) }) }()
	<-ready
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(30 * time.Second):
				t.Error("the server does not stop")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// inMemory serves without a network.
func inMemory(t *testing.T, cfg ServerConfig, service *echo) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	cfg.Listener = listener
	serve(t, cfg, service)
	return connect(t, "memory", ClientConfig{Name: "echosvc", Dialer: listenerDialer(listener)})
}

func connect(t *testing.T, target string, cfg ClientConfig) *grpc.ClientConn {
	t.Helper()
	conn, err := Dial(target, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// say calls with a deadline of 20 seconds.
func say(t *testing.T, conn *grpc.ClientConn, in string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return sayWith(ctx, conn, in)
}

func sayWith(ctx context.Context, conn *grpc.ClientConn, in string) (string, error) {
	out := new(message)
	err := conn.Invoke(ctx, sayMethod, wrapperspb.String(in), out)
	return out.GetValue(), err
}

// authority signs certificates for tests.
type authority struct {
	t      *testing.T
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
	caFile string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, cert: cert, key: key, serial: 1, caFile: filepath.Join(t.TempDir(), "ca.pem")}
	writePEM(t, a.caFile, "CERTIFICATE", der)
	return a
}

// issue signs a certificate with these names, valid until the given time from now.
func (a *authority) issue(dir string, valid time.Duration, names ...string) TLSFiles {
	a.t.Helper()
	a.serial++
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: "ignored"}, DNSNames: names,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(valid), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	files := TLSFiles{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), CAFile: filepath.Join(dir, "ca.pem")}
	writePEM(a.t, files.CertFile, "CERTIFICATE", der)
	writePEM(a.t, files.KeyFile, "PRIVATE KEY", encoded)
	writePEM(a.t, files.CAFile, "CERTIFICATE", a.cert.Raw)
	return files
}

// writePEM replaces a file, as a rotation does.
func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
