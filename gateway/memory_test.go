package gateway

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openrabbit/openrabbit/internal/config"
)

type taking struct{}

func (taking) Accept(context.Context, Delivery) (Outcome, error) {
	return Outcome{Status: StatusAccepted}, nil
}

// TestALargePayloadCostsLittle is alone in its process while it runs, as it is not parallel: what is allocated is its own.
func TestALargePayloadCostsLittle(t *testing.T) {
	const size = 5 << 20
	body := []byte(`{"action":"opened","pull_request":{"body":"` + strings.Repeat("word ", size/5) + `","number":7}}`)
	form := []byte("payload=" + url.QueryEscape(string(body)))
	cfg := Config{Secrets: []config.Secret{config.NewSecret("key")}}.withDefaults()
	m, err := newMetrics(prometheus.NewRegistry(), 1, func() float64 { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	rc := &receiver{
		verifier: newVerifier(cfg.Secrets), cfg: cfg, log: slog.New(slog.DiscardHandler), metrics: m, inbox: taking{},
		bodies: newBodies(cfg.BodyMemory), inFlight: make(chan struct{}, 1), failpoint: func(string) {},
	}
	for kind, sent := range map[string][]byte{"application/json": body, "application/x-www-form-urlencoded": form} {
		mac := hmac.New(sha256.New, []byte("key"))
		_, _ = mac.Write(sent)
		signature := signaturePrefix + hex.EncodeToString(mac.Sum(nil))
		once := func() {
			r := httptest.NewRequest(http.MethodPost, webhookPath, bytes.NewReader(sent))
			r.Header.Set("Content-Type", kind)
			r.Header.Set("X-GitHub-Event", "pull_request")
			r.Header.Set("X-GitHub-Delivery", "d")
			r.Header.Set(signatureHeader, signature)
			w := httptest.NewRecorder()
			rc.ServeHTTP(w, r)
			if w.Code != http.StatusAccepted {
				t.Fatalf("%s: answer %d %s", kind, w.Code, w.Body)
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		once()
		runtime.ReadMemStats(&after)
		if cost := after.TotalAlloc - before.TotalAlloc; cost > 20<<20 {
			t.Errorf("%s: a payload of 5 MiB costs %d MiB, its own buffers included", kind, cost>>20)
		} else {
			t.Logf("%s: %d KiB for %d KiB", kind, cost>>10, len(sent)>>10)
		}
	}
}
