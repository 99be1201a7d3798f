package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
)

// TestGuardWithoutAPassword: a page elsewhere cannot reach River UI by a name of its own that means this machine.
func TestGuardWithoutAPassword(t *testing.T) {
	t.Parallel()
	ui := &riverUI{}
	served := ui.guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for host, want := range map[string]int{
		"localhost": http.StatusTeapot, "localhost:8081": http.StatusTeapot, "LOCALHOST:1": http.StatusTeapot,
		"127.0.0.1:8081": http.StatusTeapot, "127.9.9.9": http.StatusTeapot, "[::1]:8081": http.StatusTeapot, "[::1]": http.StatusTeapot,
		"evil.example": http.StatusForbidden, "evil.example:8081": http.StatusForbidden, "localhost.evil.example": http.StatusForbidden,
		"127.0.0.1.evil.example:8081": http.StatusForbidden, "192.168.0.1:8081": http.StatusForbidden, "0.0.0.0:8081": http.StatusForbidden,
		"": http.StatusForbidden,
	} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/jobs", nil)
		request.Host = host
		answer := httptest.NewRecorder()
		served.ServeHTTP(answer, request)
		if answer.Code != want {
			t.Errorf("host %q: status %d, want %d", host, answer.Code, want)
		}
	}
}

func TestGuardWithAPassword(t *testing.T) {
	t.Parallel()
	ui := &riverUI{password: config.NewSecret("correct horse")}
	served := ui.guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for name, test := range map[string]struct {
		path, user, password string
		want                 int
	}{
		"right":          {"/jobs", uiUser, "correct horse", http.StatusTeapot},
		"none":           {"/jobs", "", "", http.StatusUnauthorized},
		"wrong password": {"/jobs", uiUser, "correct hors", http.StatusUnauthorized},
		"wrong user":     {"/jobs", "admin", "correct horse", http.StatusUnauthorized},
		"empty password": {"/jobs", uiUser, "", http.StatusUnauthorized},
		"health":         {"/readyz", "", "", http.StatusOK},
		"health's child": {"/readyz/jobs", "", "", http.StatusUnauthorized},
	} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, test.path, nil)
		request.Host = "ui.example"
		if test.user != "" {
			request.SetBasicAuth(test.user, test.password)
		}
		answer := httptest.NewRecorder()
		served.ServeHTTP(answer, request)
		if answer.Code != test.want {
			t.Errorf("%s: status %d, want %d", name, answer.Code, test.want)
		}
		if test.want == http.StatusUnauthorized && answer.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: the browser is not told to ask", name)
		}
	}
}

func TestAddressesOfRiverUI(t *testing.T) {
	t.Parallel()
	for addr, alone := range map[string]bool{
		"127.0.0.1:8081": true, "localhost:8081": true, "[::1]:8081": true,
		":8081": false, "0.0.0.0:8081": false, "[::]:8081": false, "192.168.0.1:8081": false, "ui.example:8081": false, "localhost": false,
	} {
		if err := servable(addr, config.Secret{}); (err == nil) != alone {
			t.Errorf("%s without a password: %v", addr, err)
		}
		if err := servable(addr, config.NewSecret("x")); err != nil {
			t.Errorf("%s with a password: %v", addr, err)
		}
	}
}

// TestRiverUI serves the real page, and ends when it is asked to though somebody looks.
func TestRiverUI(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	addr, err := config.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	ui, err := newRiverUI(addr, config.Secret{}, db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- ui.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/": "<html", "/api/queues": "{"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: status %d, %v, %.200s", path, answer.StatusCode, err, body)
		}
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("River UI does not end")
	}
}
