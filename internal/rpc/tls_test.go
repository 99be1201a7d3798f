package rpc

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

func secureServer(t *testing.T, files TLSFiles, log *slog.Logger) *Server {
	t.Helper()
	s := newTestServer(t, ServerConfig{Name: "parsersvc", TLS: files, AllowedClients: []string{"orchestrator", "spiffe://mesh/up"}}, &echo{
		say:  func(_ context.Context, in string) (string, error) { return in, nil },
		chat: func(grpc.ServerStream) error { return nil },
	}, log, prometheus.NewRegistry())
	s.SetServing(true)
	start(t, s)
	return s
}

func secureClient(t *testing.T, s *Server, files TLSFiles) *grpc.ClientConn {
	t.Helper()
	return connect(t, s.Addr(), ClientConfig{Name: "parsersvc", TLS: files, ServerName: "parsersvc", Retry: Retry{Attempts: 1}})
}

func TestGuestsAreLetIn(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	s := secureServer(t, ca.issue(t.TempDir(), time.Hour, "parsersvc"), quiet())
	for _, names := range [][]string{{"orchestrator"}, {"other", "ORCHESTRATOR"}} {
		if got, err := say(t, secureClient(t, s, ca.issue(t.TempDir(), time.Hour, names...)), "x"); err != nil || got != "x" {
			t.Errorf("%v: gave %q, %v", names, got, err)
		}
	}
}

// TestEachWayToBeRefused has one message for each.
func TestEachWayToBeRefused(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t), newAuthority(t)
	good := ca.issue(t.TempDir(), time.Hour, "orchestrator")
	strange := stranger.issue(t.TempDir(), time.Hour, "orchestrator")
	strange.CAFile = ca.caFile // It trusts us; we don't trust it.
	tests := map[string]struct {
		conn   func(t *testing.T, s *Server) *grpc.ClientConn
		code   codes.Code
		client string // what the client hears for sure; the alert of a handshake may be lost with the connection
		log    string // what our log says, when the connection itself is refused
	}{
		"no certificate": {func(t *testing.T, s *Server) *grpc.ClientConn {
			roots := x509.NewCertPool()
			roots.AddCert(ca.cert)
			conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "parsersvc"})))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			return conn
		}, codes.Unavailable, "", "the client has no certificate"},
		"expired": {func(t *testing.T, s *Server) *grpc.ClientConn {
			return secureClient(t, s, ca.issue(t.TempDir(), -time.Hour, "orchestrator"))
		}, codes.Unavailable, "", "expired or not valid yet"},
		"another authority": {func(t *testing.T, s *Server) *grpc.ClientConn { return secureClient(t, s, strange) },
			codes.Unavailable, "", "signed by an authority that we don't know"},
		"not on the list": {func(t *testing.T, s *Server) *grpc.ClientConn {
			return secureClient(t, s, ca.issue(t.TempDir(), time.Hour, "gateway"))
		}, codes.PermissionDenied, `parsersvc: the client named ["gateway"] is not on the list`, ""},
		"no name": {func(t *testing.T, s *Server) *grpc.ClientConn {
			return secureClient(t, s, ca.issue(t.TempDir(), time.Hour))
		}, codes.PermissionDenied, "is not on the list", ""},
		"plaintext": {func(t *testing.T, s *Server) *grpc.ClientConn {
			return connect(t, s.Addr(), ClientConfig{Name: "parsersvc", Retry: Retry{Attempts: 1}})
		}, codes.Unavailable, "", "the client does not speak TLS"},
		"the server is another": {func(t *testing.T, s *Server) *grpc.ClientConn {
			return connect(t, s.Addr(), ClientConfig{Name: "llmsvc", TLS: good, ServerName: "llmsvc", Retry: Retry{Attempts: 1}})
		}, codes.Unavailable, "not llmsvc", ""},
		"the server's authority is another": {func(t *testing.T, s *Server) *grpc.ClientConn {
			files := good
			files.CAFile = stranger.caFile
			return secureClient(t, s, files)
		}, codes.Unavailable, "unknown authority", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log := &lockedWriter{w: &out}
			s := secureServer(t, ca.issue(t.TempDir(), time.Hour, "parsersvc"), slog.New(slog.NewTextHandler(log, nil)))
			conn := test.conn(t, s)
			_, err := say(t, conn, "x")
			if status.Code(err) != test.code || !strings.Contains(err.Error(), test.client) {
				t.Errorf("the client hears %v, want %s %q", err, test.code, test.client)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, chatMethod)
			if err == nil {
				err = stream.RecvMsg(new(message))
			}
			if status.Code(err) != test.code {
				t.Errorf("a stream hears %v", err)
			}
			// The client may hear it before the server has said it.
			says := func() string {
				log.mu.Lock()
				defer log.mu.Unlock()
				return out.String()
			}
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for !strings.Contains(says(), test.log) {
				select {
				case <-tick.C:
				case <-ctx.Done():
					t.Fatalf("the log says:\n%s\nwant %q", says(), test.log)
				}
			}
		})
	}
}

func TestCertificatesAreReplacedWhileRunning(t *testing.T) {
	t.Parallel()
	old := newAuthority(t)
	serverDir, clientDir := t.TempDir(), t.TempDir()
	serverFiles, clientFiles := old.issue(serverDir, time.Hour, "parsersvc"), old.issue(clientDir, time.Hour, "orchestrator")
	s := secureServer(t, serverFiles, quiet())
	fresh := func() error {
		conn, err := Dial(s.Addr(), ClientConfig{Name: "parsersvc", TLS: clientFiles, ServerName: "parsersvc", Retry: Retry{Attempts: 1}})
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		_, err = say(t, conn, "x")
		return err
	}
	kept := secureClient(t, s, clientFiles)
	if _, err := say(t, kept, "x"); err != nil {
		t.Fatal(err)
	}
	if err := fresh(); err != nil {
		t.Fatal(err)
	}
	// Everything is replaced, authority and all: who has the new certificates gets in, and who has the old does not.
	oldClient := old.issue(t.TempDir(), time.Hour, "orchestrator")
	next := newAuthority(t)
	next.issue(serverDir, time.Hour, "parsersvc")
	next.issue(clientDir, time.Hour, "orchestrator")
	if err := fresh(); err != nil {
		t.Errorf("with the new certificates: %v", err)
	}
	if _, err := say(t, secureClient(t, s, oldClient), "x"); status.Code(err) != codes.Unavailable {
		t.Errorf("with the old certificates: %v", err)
	}
	if _, err := say(t, kept, "x"); err != nil {
		t.Errorf("a connection from before was cut: %v", err)
	}
}

func TestBrokenCertificatesLeaveTheOldOnes(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	files := ca.issue(t.TempDir(), time.Hour, "parsersvc")
	var out bytes.Buffer
	log := &lockedWriter{w: &out}
	c, err := newCertificates(files, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := c.current()
	if err := os.WriteFile(files.CertFile, []byte("half of a certific"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if after, roots := c.current(); after != before || roots == nil {
			t.Error("a half-written file was taken")
		}
	}
	if got := strings.Count(out.String(), "new certificates cannot be used"); got != 1 {
		t.Errorf("%d complaints, want one:\n%s", got, out.String())
	}
	if err := os.Remove(files.KeyFile); err != nil {
		t.Fatal(err)
	}
	if after, _ := c.current(); after != before {
		t.Error("a missing file took the certificate away")
	}
	ca.issue(strings.TrimSuffix(files.CertFile, "/cert.pem"), time.Hour, "parsersvc")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if after, _ := c.current(); after == before {
				t.Error("the mended files are not used")
			}
		})
	}
	group.Wait()
}
