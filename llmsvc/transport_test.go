package llmsvc

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/llmtest"
	"github.com/openrabbit/openrabbit/internal/review"
)

// hostile puts a service in front of a real server on loopback. One attempt, so that no test waits.
func hostile(t *testing.T, cfg Config, handler http.HandlerFunc) (*rig, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg.BaseURL = server.URL
	if cfg.Attempts == 0 {
		cfg.Attempts = 1
	}
	return newService(t, cfg, newClosingTransport(t)), server
}

func TestEndlessAnswersAreCut(t *testing.T) {
	t.Parallel()
	endless := func(w io.Writer) {
		chunk := []byte(strings.Repeat(" ", 64<<10))
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	for name, handler := range map[string]http.HandlerFunc{
		"bytes": func(w http.ResponseWriter, _ *http.Request) { endless(w) },
		"an error": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			endless(w)
		},
		"a bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			endless(z)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := hostile(t, Config{}, handler)
			got := s.ask(t, "x")
			if got.outcome != review.OutcomeInvalid || !strings.Contains(got.detail, "too large") {
				t.Errorf("got %s %q", got.outcome, got.detail)
			}
		})
	}
}

// An answer as large as is allowed is read, and one byte more is not.
func TestTheBoundOfBodies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size int
		want review.Outcome
	}{{maxChatBody, review.OutcomeOK}, {maxChatBody + 1, review.OutcomeInvalid}} {
		text := body(t, empty)
		s, _ := hostile(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, text+strings.Repeat(" ", tt.size-len(text)))
		})
		if got := s.ask(t, "x"); got.outcome != tt.want {
			t.Errorf("%d bytes: %s", tt.size, got.outcome)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var visited atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited.Add(1) }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s, _ := hostile(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, status)
		})
		_, err := s.complete(t.Context(), s.findings(t, "x"))
		if err == nil || !strings.Contains(err.Error(), "redirect") {
			t.Errorf("status %d: %v", status, err)
		}
	}
	if visited.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// raw serves connections without HTTP.
func raw(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = http.ReadRequest(bufio.NewReader(conn))
				serve(conn)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	ok := body(t, empty)
	for name, serve := range map[string]func(net.Conn){
		"closed at once": func(net.Conn) {},
		"reset":          func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) },
		"not HTTP":       func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-hello\r\n") },
		"endless header": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2*maxHeader)) },
		"cut body": func(c net.Conn) {
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(ok), ok[:20])
		},
		"cut without length": func(c net.Conn) { _, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s", ok[:20]) },
		"cut chunk": func(c net.Conn) {
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n%s", ok[:20])
		},
		"lying gzip": func(c net.Conn) {
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, Config{Endpoint: Endpoint{BaseURL: raw(t, serve)}, Attempts: 1}, newClosingTransport(t))
			got := s.ask(t, "x")
			if got.outcome != review.OutcomeUnavailable || got.spent.requests != 1 || got.detail == "" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func newClosingTransport(t *testing.T) *http.Transport {
	t.Helper()
	transport := newTransport(2)
	transport.Proxy = nil
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func TestUnreachableServers(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	_ = l.Close()
	s := newService(t, Config{Endpoint: Endpoint{BaseURL: closed}, Attempts: 1}, newClosingTransport(t))
	if got := s.ask(t, "x"); got.outcome != review.OutcomeUnavailable || got.detail != "the model server refuses connections" || got.spent.input != 0 {
		t.Errorf("got %+v", got)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	s = newService(t, Config{Endpoint: Endpoint{BaseURL: strings.Replace(plain.URL, "http:", "https:", 1)}, Attempts: 1}, newClosingTransport(t))
	if got := s.ask(t, "x"); got.outcome != review.OutcomeUnavailable || !strings.Contains(got.detail, "TLS") {
		t.Errorf("got %+v", got)
	}
	encrypted := httptest.NewUnstartedServer(http.NotFoundHandler())
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0)
	encrypted.StartTLS()
	defer encrypted.Close()
	s = newService(t, Config{Endpoint: Endpoint{BaseURL: encrypted.URL}, Attempts: 1}, newClosingTransport(t))
	if got := s.ask(t, "x"); got.outcome != review.OutcomeUnavailable || !strings.Contains(got.detail, "TLS") {
		t.Errorf("got %+v", got)
	}
}

// A server that gives a byte now and then is bounded by the time of one request.
func TestASlowTrickleEnds(t *testing.T) {
	t.Parallel()
	s, _ := hostile(t, Config{Timeout: 300 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	began := time.Now()
	got := s.ask(t, "x")
	if took := time.Since(began); got.outcome != review.OutcomeUnavailable || took < 300*time.Millisecond || took > 10*time.Second {
		t.Errorf("%s after %v", got.outcome, took)
	}
}

// The caller's leaving ends the HTTP request: the server sees its client go.
func TestCancellationReachesTheServer(t *testing.T) {
	t.Parallel()
	arrived, left := make(chan struct{}), make(chan struct{})
	s, _ := hostile(t, Config{}, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
		close(left)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := s.complete(ctx, s.findings(t, "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Error("the server still works for nobody")
	}
}

func TestOverARealConnection(t *testing.T) {
	t.Parallel()
	two := 2
	server, err := llmtest.New(llmtest.Options{Key: testKey, Script: llmtest.Script{Rules: []llmtest.Rule{{CutAfterBytes: &two, Times: 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	s := newService(t, Config{Endpoint: Endpoint{BaseURL: server.URL + "/"}}, newClosingTransport(t))
	if got := s.ask(t, "x"); got.outcome != review.OutcomeOK || got.spent.requests != 2 || !got.spent.estimated {
		t.Errorf("got %+v", got)
	}
}

func TestRetryAfterIsRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		header, ms string
		want       time.Duration
	}{
		{"", "", 0},
		{"9", "", 9 * time.Second},
		{" 9 ", "", 9 * time.Second},
		{"9", "1500", 1500 * time.Millisecond},
		{"9", "soon", 9 * time.Second},
		{"0", "", 0},
		{"-3", "", 0},
		{"NaN", "", 0},
		{"-Inf", "", 0},
		{"Inf", "", maxRetryAfter},
		{"1e300", "", maxRetryAfter},
		{"Fri, 02 Jan 2026 03:04:35 GMT", "", 30 * time.Second},
		{"Fri, 02 Jan 2026 03:04:05 GMT", "", 0},
		{"Fri, 02 Jan 2099 03:04:05 GMT", "", maxRetryAfter},
		{"next week", "", 0},
	} {
		h := http.Header{}
		h.Set("Retry-After", tt.header)
		h.Set("Retry-After-Ms", tt.ms)
		if got := retryAfter(h, now); got != tt.want {
			t.Errorf("%q %q: %v, want %v", tt.header, tt.ms, got, tt.want)
		}
	}
}
