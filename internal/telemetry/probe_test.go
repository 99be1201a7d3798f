package telemetry

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestProbe(t *testing.T) {
	t.Parallel()
	var problem error
	server := httptest.NewServer(AdminServer("", NewRegistry("test"), func() error { return problem }, false))
	t.Cleanup(server.Close)
	addr := strings.TrimPrefix(server.URL, "http://")
	if err := Probe(t.Context(), addr); err != nil {
		t.Error(err)
	}
	problem = errors.New("postgres does not answer")
	if err := Probe(t.Context(), addr); err == nil || !strings.Contains(err.Error(), "postgres does not answer") {
		t.Errorf("an unready service: %v", err)
	}
	server.Close()
	if err := Probe(t.Context(), addr); err == nil {
		t.Error("nobody listens, and it was ready")
	}
	if err := Probe(t.Context(), "nonsense"); err == nil {
		t.Error("an address without a port was accepted")
	}
}
