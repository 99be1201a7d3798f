//go:build unix

package localpg

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRunningServer has one server for everything that can be asked of one.
func TestRunningServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(place(t), "a", "b")
	server := run(t, Options{DataDir: dir})
	t.Run("is private and UTF-8", func(t *testing.T) { checkPrivate(t, server, dir) })
	t.Run("has its directory for itself", func(t *testing.T) {
		_, err := Start(deadline(t), Options{DataDir: dir})
		if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
			t.Errorf("the second start gave %v, want a message with the directory and our pid", err)
		}
		do(t, server, "SELECT 1")
	})
	if runtime.GOOS != "linux" {
		return // Only Linux says what a process is.
	}
	t.Run("is named when its parent has gone", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := waitForPredecessor(ctx, filepath.Join(dir, "data"))
		if pid := server.child.process.Pid; err == nil || !strings.Contains(err.Error(), strconv.Itoa(pid)) {
			t.Errorf("gave %v, want a message with the pid %d", err, pid)
		}
	})
	t.Run("sees nothing of our environment", func(t *testing.T) {
		environ, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(server.child.process.Pid), "environ"))
		if err != nil {
			t.Fatal(err)
		}
		if os.Getenv(canaryVariable) == "" || len(environ) == 0 || strings.Contains(string(environ), canaryVariable) {
			t.Errorf("the server's environment: %q", environ)
		}
	})
}

func checkPrivate(t *testing.T, server *Server, dir string) {
	t.Helper()
	do(t, server, `DO $$ BEGIN
		IF current_setting('listen_addresses') <> '' THEN RAISE 'listens on %', current_setting('listen_addresses'); END IF;
		IF current_setting('server_encoding') <> 'UTF8' THEN RAISE 'encoding %', current_setting('server_encoding'); END IF;
		IF (SELECT datcollate FROM pg_database WHERE datname = current_database()) NOT IN ('C.UTF-8', 'C.utf8', 'C') THEN RAISE 'collation'; END IF;
		IF current_database() <> 'openrabbit' THEN RAISE 'database %', current_database(); END IF;
		IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN RAISE 'not allowed everything'; END IF;
	END $$`)
	for path, want := range map[string]os.FileMode{dir: 0o700, server.socketDir: 0o700, filepath.Dir(dir): 0o755} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	u, err := url.Parse(server.URL())
	if err != nil || u.Query().Get("host") != server.socketDir || u.Path != "/openrabbit" {
		t.Errorf("URL %s (%v)", server.URL(), err)
	}
	if server.Version().Major < minMajor {
		t.Errorf("version %s", server.Version())
	}
	if ours, err := syscall.Getpgid(server.child.process.Pid); err != nil || ours == syscall.Getpgrp() {
		t.Errorf("Postgres is in our process group (%v): a Ctrl-C would reach it before us", err)
	}
	if os.Geteuid() == 0 {
		info, err := os.Stat(filepath.Join(dir, "data", "PG_VERSION"))
		if err != nil {
			t.Fatal(err)
		}
		if stat := info.Sys().(*syscall.Stat_t); stat.Uid == 0 {
			t.Error("the cluster belongs to root")
		}
	}
}

func TestDataSurvivesEveryEnd(t *testing.T) {
	t.Parallel()
	dir := place(t)
	first := run(t, Options{DataDir: dir})
	do(t, first, "CREATE TABLE kept (n int)")
	do(t, first, "INSERT INTO kept VALUES (1)")
	for range 2 {
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	<-first.Done()

	second := run(t, Options{DataDir: dir})
	do(t, second, "INSERT INTO kept VALUES (2)")
	do(t, second, "CHECKPOINT") // Without fsync only this reaches the files for sure.
	if err := second.child.process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-second.Done()
	if !exists(filepath.Join(dir, "data", "postmaster.pid")) {
		t.Fatal("the kill left no pid file: this test would prove nothing")
	}
	third := run(t, Options{DataDir: dir})
	kept := func(server *Server) {
		t.Helper()
		do(t, server, `DO $$ BEGIN IF (SELECT sum(n) FROM kept) <> 3 THEN RAISE 'rows are missing'; END IF; END $$`)
	}
	kept(third)
	if err := third.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}

	if runtime.GOOS == "linux" {
		// After a restart of a container the old pid belongs to anything: here to ourselves.
		pidFile := filepath.Join(dir, "data", "postmaster.pid")
		if err := os.WriteFile(pidFile, fmt.Appendf(nil, "%d\n%s/data\n", os.Getpid(), dir), 0o644); err != nil {
			t.Fatal(err)
		}
		fourth := run(t, Options{DataDir: dir})
		kept(fourth)
		if err := fourth.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	// A server that does not start shows its log, and leaves the directory free.
	auto := filepath.Join(dir, "data", "postgresql.auto.conf")
	if err := os.WriteFile(auto, []byte("no_such_setting_anywhere = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(deadline(t), Options{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "no_such_setting_anywhere") {
		t.Errorf("gave %v, want the end of the server's log", err)
	}
	if err := os.WriteFile(auto, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	kept(run(t, Options{DataDir: dir}))
}

// TestFirstStart has everything in its way: an end in the middle of making the cluster, a start that was given up, and
// a directory whose name is too long for a socket.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(place(t), strings.Repeat("x", 100))
	if err := (owner{uid: os.Geteuid()}).makeDir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "data.new", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Options{DataDir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("gave %v", err)
	}
	server := run(t, Options{DataDir: dir})
	t.Cleanup(func() { _ = os.RemoveAll(server.socketDir) })
	if got := len(server.socket()); got > maxSocketPath {
		t.Errorf("the socket's path has %d bytes", got)
	}
	do(t, server, "SELECT 1")
}

func TestPlantedSocketDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	who := owner{uid: os.Geteuid(), gid: os.Getegid()}
	dataDir := filepath.Join(place(t), strings.Repeat("y", 100))
	dir, err := who.socketDir(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if again, err := who.socketDir(dataDir); err != nil || again != dir {
		t.Errorf("the second time gave %s, %v", again, err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := who.socketDir(dataDir); err == nil {
		t.Error("an open directory was taken")
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/tmp", dir); err != nil {
		t.Fatal(err)
	}
	if _, err := who.socketDir(dataDir); err == nil {
		t.Error("a link was followed")
	}
}

func TestClosedParentIsNamed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root becomes another user")
	}
	closed := filepath.Join(place(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(deadline(t), Options{DataDir: filepath.Join(closed, "pg")})
	if err == nil || !strings.Contains(err.Error(), closed) {
		t.Errorf("gave %v, want a message that names %s", err, closed)
	}
}

func TestStopDoesNotHang(t *testing.T) {
	t.Parallel()
	server := run(t, Options{DataDir: place(t)})
	if err := server.child.process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := server.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > quitTimeout+5*time.Second {
		t.Errorf("took %s", took)
	}
}
