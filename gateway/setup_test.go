package gateway_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openrabbit/openrabbit/gateway"
	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/intake"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/store"
)

const (
	secret    = "a secret that only the test knows"
	oldSecret = "the secret that is being replaced"
	headA     = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	headB     = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	headC     = "cccccccccccccccccccccccccccccccccccccccc"
	canary    = "canary-text-of-a-body"
)

// world is a gateway that runs, and its database.
type world struct {
	t       testing.TB
	db      *pg.DB
	store   *store.Store
	gateway *gateway.Gateway
	reg     *prometheus.Registry
	log     *syncBuffer
	client  *http.Client
	guids   atomic.Int64
	stop    context.CancelFunc
	stopped chan error
}

type option func(*gateway.Config, *gateway.Deps)

func newWorld(t testing.TB, options ...option) *world {
	t.Helper()
	return startWorld(t, pgtest.New(t), options...)
}

// startWorld runs a gateway on a database, which options may replace in what the gateway sees.
func startWorld(t testing.TB, db *pg.DB, options ...option) *world {
	t.Helper()
	w := &world{
		t: t, db: db, store: store.New(db), reg: prometheus.NewRegistry(), log: &syncBuffer{}, stopped: make(chan error, 1),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: time.Minute},
	}
	cfg := gateway.Config{
		Addr: "127.0.0.1:0", GRPCAddr: "127.0.0.1:0", AdminAddr: gateway.Off,
		Secrets: []config.Secret{config.NewSecret(secret), config.NewSecret(oldSecret)},
		Self:    intake.Identity{AppID: 5},
	}
	deps := gateway.Deps{DB: db, Registry: w.reg, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, o := range options {
		o(&cfg, &deps)
	}
	var err error
	if w.gateway, err = gateway.New(cfg, deps); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	ready := make(chan struct{})
	go func() { w.stopped <- w.gateway.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		w.client.CloseIdleConnections()
		if err := <-w.stopped; err != nil {
			t.Errorf("run: %v", err)
		}
		if text := w.log.String(); strings.Contains(text, secret) || strings.Contains(text, canary) {
			t.Error("the log holds the secret, or a piece of a body")
		}
	})
	select {
	case <-ready:
	case err := <-w.stopped:
		w.stopped <- nil
		t.Fatalf("run: %v", err)
	}
	return w
}

func failing(f func(name string)) option {
	return func(_ *gateway.Config, d *gateway.Deps) { d.Failpoint = f }
}

func configured(f func(*gateway.Config)) option {
	return func(c *gateway.Config, _ *gateway.Deps) { f(c) }
}

// reply is what the gateway answered.
type reply struct {
	code           int
	header         http.Header
	Status, Reason string
	Review         string
}

func sign(key string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// request makes a delivery as GitHub does; header lines of the form "Name: value" are set, and without a value deleted.
func (w *world) request(event string, body []byte, headers ...string) *http.Request {
	w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+w.gateway.Addr()+"/webhooks/github", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "GitHub-Hookshot/044aadd")
	r.Header.Set("X-GitHub-Event", event)
	r.Header.Set("X-GitHub-Delivery", fmt.Sprintf("72d3162e-cc78-11e3-81ab-%012d", w.guids.Add(1)))
	r.Header.Set("X-Hub-Signature-256", sign(secret, body))
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Del(name)
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	return r
}

// try sends a request and gives an error when there is no answer.
func (w *world) try(r *http.Request) (reply, error) {
	resp, err := w.client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	got := reply{code: resp.StatusCode, header: resp.Header}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(text, &got); err != nil {
			return reply{}, fmt.Errorf("answer %q: %w", text, err)
		}
	}
	return got, nil
}

func (w *world) send(r *http.Request) reply {
	w.t.Helper()
	got, err := w.try(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// deliver sends a delivery of pull_request.
func (w *world) deliver(body []byte, headers ...string) reply {
	w.t.Helper()
	return w.send(w.request("pull_request", body, headers...))
}

// pullRequest is a payload; each edit replaces a piece of text in it.
func pullRequest(edits ...string) []byte {
	return []byte(strings.NewReplacer(edits...).Replace(`{"action":"opened","number":12,
		"pull_request":{"number":12,"state":"open","title":"` + canary + `","updated_at":"2026-11-01T12:00:00Z",
			"user":{"login":"ann","type":"User"},"head":{"sha":"` + headA + `"},"changed_files":3},
		"repository":{"id":70,"full_name":"acme/shop","default_branch":"main"},
		"installation":{"id":7},"sender":{"login":"ann","type":"User"}}`))
}

// event is a payload of this action, second and heads.
func event(action string, second int, before, head string) []byte {
	body := pullRequest(`"opened"`, `"`+action+`"`, headA, head, "12:00:00Z", fmt.Sprintf("12:00:%02dZ", second))
	if before != "" {
		body = bytes.Replace(body, []byte(`"number":12,`), []byte(`"number":12,"before":"`+before+`",`), 1)
	}
	if action == "closed" {
		body = bytes.Replace(body, []byte(`"state":"open"`), []byte(`"state":"closed"`), 1)
	}
	return body
}

// count counts rows.
func (w *world) count(query string, args ...any) int {
	w.t.Helper()
	var n int
	if err := w.db.Pool().QueryRow(context.Background(), `SELECT count(*) FROM `+query, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) expect(got reply, code int, status, reason string) {
	w.t.Helper()
	if got.code != code || got.Status != status || got.Reason != reason {
		w.t.Errorf("answer %d %q %q, want %d %q %q", got.code, got.Status, got.Reason, code, status, reason)
	}
}

// metric reads a counter.
func (w *world) metric(name string, labels ...string) float64 {
	w.t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	total := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			all := ""
			for _, l := range m.GetLabel() {
				all += l.GetName() + "=" + l.GetValue() + " "
			}
			matches := true
			for _, l := range labels {
				matches = matches && strings.Contains(all, l+" ")
			}
			if matches {
				total += m.GetCounter().GetValue()
			}
		}
	}
	return total
}

// eventually waits for a condition.
func (w *world) eventually(what string, condition func() bool) {
	w.t.Helper()
	deadline := time.After(15 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			w.t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
