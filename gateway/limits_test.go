package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/gateway"
)

const limit = 25 << 20

// padded is a ping of this many bytes.
func padded(size int) []byte {
	const frame = `{"zen":""}`
	return []byte(`{"zen":"` + strings.Repeat("z", size-len(frame)) + `"}`)
}

func TestTheLargestBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for size, code := range map[int]int{limit - 1: http.StatusOK, limit: http.StatusOK, limit + 1: http.StatusRequestEntityTooLarge} {
		body := padded(size)
		signature := "X-Hub-Signature-256: " + sign(secret, body)
		got := w.send(w.request("ping", body, signature))
		if got.code != code {
			t.Errorf("%d bytes: %d, want %d", size, got.code, code)
		}
		chunked := w.request("ping", nil, signature)
		chunked.Body, chunked.ContentLength = io.NopCloser(io.MultiReader(bytes.NewReader(body))), -1
		got, err := w.try(chunked)
		if err != nil || got.code != code {
			t.Errorf("%d bytes in chunks: %d, %v, want %d", size, got.code, err, code)
		}
	}
	if rows := w.count(`deliveries`); rows != 4 {
		t.Errorf("%d rows, want 4", rows)
	}
}

// raw speaks HTTP by hand.
type raw struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func (w *world) raw() *raw {
	w.t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(context.Background(), "tcp", w.gateway.Addr())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &raw{t: w.t, conn: conn, in: bufio.NewReader(conn)}
}

// write may fail: the other side may have closed.
func (r *raw) write(format string, args ...any) { _, _ = fmt.Fprintf(r.conn, format, args...) }

func (r *raw) head(lines ...string) {
	r.write("POST /webhooks/github HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: ping\r\nX-GitHub-Delivery: d\r\n"+
		"Content-Type: application/json\r\nX-Hub-Signature-256: %s\r\n%s\r\n\r\n", sign("x", nil), strings.Join(lines, "\r\n"))
}

// answer gives the code, 0 when the connection was closed without one.
func (r *raw) answer() int {
	resp, err := http.ReadResponse(r.in, nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// closed waits for the other side to close.
func (r *raw) closed() {
	r.t.Helper()
	if _, err := io.Copy(io.Discard, r.in); err != nil && !strings.Contains(err.Error(), "reset") {
		r.t.Errorf("not closed: %v", err)
	}
}

func TestAnEndlessBodyIsCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, configured(func(c *gateway.Config) { c.MaxBody = 1 << 20 }))
	r := w.raw()
	r.head("Transfer-Encoding: chunked")
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 64<<10, strings.Repeat("x", 64<<10))
	go func() {
		for range 1000 {
			if _, err := io.WriteString(r.conn, chunk); err != nil {
				return
			}
		}
	}()
	if code := r.answer(); code != http.StatusRequestEntityTooLarge {
		t.Errorf("answer %d, want 413", code)
	}
	r.closed()
}

func TestSlowSendersAreCut(t *testing.T) {
	t.Parallel()
	const patience = 300 * time.Millisecond
	w := newWorld(t, configured(func(c *gateway.Config) { c.HeaderTimeout, c.BodyTimeout = patience, patience }))
	var all sync.WaitGroup
	for name, slow := range map[string]struct {
		send func(r *raw)
		code int
	}{
		"headers":           {func(r *raw) { r.write("POST /webhooks/github HTTP/1.1\r\nHost: x\r\nX-A") }, http.StatusBadRequest},
		"headers, at all":   {func(*raw) {}, 0},
		"body":              {func(r *raw) { r.head("Content-Length: 100"); r.write("{") }, http.StatusRequestTimeout},
		"body, large":       {func(r *raw) { r.head("Content-Length: 100000"); r.write("%s", strings.Repeat("x", 70_000)) }, http.StatusRequestTimeout},
		"body, at all":      {func(r *raw) { r.head("Content-Length: 26214400") }, http.StatusRequestTimeout},
		"chunks":            {func(r *raw) { r.head("Transfer-Encoding: chunked"); r.write("5\r\nab") }, http.StatusRequestTimeout},
		"half closed":       {func(r *raw) { r.head("Content-Length: 100"); _ = r.conn.(*net.TCPConn).CloseWrite() }, http.StatusBadRequest},
		"an unread body":    {func(r *raw) { r.head("Content-Length: 26214401") }, http.StatusRequestEntityTooLarge},
		"another's path":    {func(r *raw) { r.write("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{") }, http.StatusNotFound},
		"without signature": {func(r *raw) { r.write("POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{") }, http.StatusUnauthorized},
	} {
		for range 20 {
			r := w.raw()
			all.Go(func() {
				begun := time.Now()
				slow.send(r)
				if code := r.answer(); code != slow.code {
					t.Errorf("%s: answer %d, want %d", name, code, slow.code)
				}
				r.closed()
				if took := time.Since(begun); took > 20*patience {
					t.Errorf("%s: closed after %s", name, took)
				}
			})
		}
	}
	// Good senders are not kept waiting by 200 slow ones.
	for i := range 20 {
		w.expect(w.deliver(pullRequest(`"number":12`, fmt.Sprintf(`"number":%d`, 200+i))), http.StatusAccepted, "accepted", "")
	}
	all.Wait()
}

func TestBodiesInMemoryAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, configured(func(c *gateway.Config) {
		c.MaxBody, c.BodyMemory, c.BodyTimeout = 1<<20, 1<<20, time.Minute
	}))
	var held []*raw
	hold := func(n int) { // of 64 KiB each
		for range n {
			r := w.raw()
			r.head("Content-Length: 60000")
			r.write("%s", strings.Repeat("x", 30_000))
			held = append(held, r)
		}
	}
	hold(16)
	w.eventually("a large body is refused for want of room", func() bool {
		body := padded(200_000)
		got := w.send(w.request("ping", body))
		if got.code == http.StatusServiceUnavailable && got.Reason == "overload" && got.header.Get("Retry-After") != "" {
			return true
		}
		// There was room for it. Some that were to hold that may have been refused, while an earlier try had it.
		hold(4)
		return false
	})
	// A small one needs none.
	w.expect(w.send(w.request("ping", padded(3000))), http.StatusOK, "ping", "")
	for _, r := range held {
		_ = r.conn.Close()
	}
	w.eventually("the room is given back", func() bool { return w.send(w.request("ping", padded(900_000))).code == http.StatusOK })
}

func TestAConnectionServesManyDeliveries(t *testing.T) {
	t.Parallel()
	const patience = 200 * time.Millisecond
	w := newWorld(t, configured(func(c *gateway.Config) { c.BodyTimeout = patience }))
	r := w.raw()
	for i := range 4 {
		body := fmt.Sprintf(`{"zen":"%d"}`, i)
		r.write("POST /webhooks/github HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: ping\r\nX-GitHub-Delivery: d%d\r\n"+
			"Content-Type: application/json\r\nX-Hub-Signature-256: %s\r\nContent-Length: %d\r\n\r\n%s",
			i, sign(secret, []byte(body)), len(body), body)
		if code := r.answer(); code != http.StatusOK {
			t.Fatalf("delivery %d: %d", i, code)
		}
		// The deadline of one body is not the next one's.
		<-time.After(2 * patience / 3)
	}
}
