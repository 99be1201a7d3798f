//go:build unix

package localpg

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// canaryVariable is in our environment, and must not be in that of Postgres.
const canaryVariable = "OPENRABBIT_TEST_CANARY"

// place gives a directory that the user who runs Postgres may enter; t.TempDir's are closed.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "orpg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// run starts a server that is stopped at the end of the test.
func run(t *testing.T, o Options) *Server {
	t.Helper()
	o.Unsafe = true
	server, err := Start(deadline(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return server
}

func (s *Server) socket() string { return filepath.Join(s.socketDir, ".s.PGSQL."+port) }

func do(t *testing.T, s *Server, sql string) {
	t.Helper()
	if err := query(deadline(t), s.socket(), database, sql); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx := deadline(t); !ok(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within a minute", what)
		}
	}
}
