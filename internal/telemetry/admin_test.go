package telemetry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAdminEndpoints(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	health := func() error {
		if down.Load() {
			return errors.New("postgres://user:canary@host does not answer")
		}
		return nil
	}
	get := func(admin *Admin, method, path string) (int, string) {
		recorder := httptest.NewRecorder()
		admin.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		return recorder.Code, recorder.Body.String()
	}
	admin := AdminServer("", NewRegistry("gateway"), health, false)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/debug/pprof/": 404, "/": 404} {
		if code, body := get(admin, http.MethodGet, path); code != want {
			t.Errorf("%s answers %d: %s", path, code, body)
		}
	}
	if code, _ := get(admin, http.MethodPost, "/readyz"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST answers %d", code)
	}
	if _, body := get(admin, http.MethodGet, "/metrics"); !strings.Contains(body, `openrabbit_build_info{revision=`) ||
		!strings.Contains(body, `service="gateway"`) || !strings.Contains(body, "go_goroutines") {
		t.Errorf("metrics:\n%s", body)
	}
	down.Store(true)
	code, body := get(admin, http.MethodGet, "/readyz")
	if code != http.StatusServiceUnavailable || !strings.Contains(body, "does not answer") || strings.Contains(body, "canary") {
		t.Errorf("not ready answers %d: %s", code, body)
	}
	if code, _ := get(admin, http.MethodGet, "/healthz"); code != http.StatusOK {
		t.Errorf("alive and not ready answers %d", code)
	}
	profiling := AdminServer("", NewRegistry("gateway"), nil, true)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/readyz"} {
		if code, _ := get(profiling, http.MethodGet, path); code != http.StatusOK {
			t.Errorf("%s answers %d", path, code)
		}
	}
}

func TestAdminRuns(t *testing.T) {
	t.Parallel()
	admin := AdminServer("127.0.0.1:0", NewRegistry("gateway"), nil, false)
	if admin.Addr() != "" {
		t.Error("has an address before it runs")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- admin.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + admin.Addr() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(body) != "ok\n" {
		t.Errorf("answers %q", body)
	}
	if err := AdminServer(admin.Addr(), NewRegistry("gateway"), nil, false).Run(ctx, nil); err == nil {
		t.Error("two servers on one address")
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("does not stop")
	}
}
