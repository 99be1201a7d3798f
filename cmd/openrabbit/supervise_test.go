package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// patience is for what a loaded machine takes.
const patience = 30 * time.Second

// socket gives a short address: sockets have short names, and temporary directories of tests have long ones.
func socket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "or")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return "unix://" + filepath.Join(dir, "s")
}

// eventually polls.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// pids reads what the children wrote.
func pids(t *testing.T, file string) []int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var all []int
	for _, word := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pid)
	}
	return all
}

func TestChildIsStartedAgain(t *testing.T) {
	t.Parallel()
	if _, args, err := parserProgram(); err != nil || len(args) == 0 {
		t.Skip("the parser is not in this binary")
	}
	file := filepath.Join(t.TempDir(), "pids")
	child, err := newParserChild(socket(t), map[string]string{"OPENRABBIT_PARSER_ADMIN_ADDR": "off", "OPENRABBIT_LOG_LEVEL": "error",
		pidsVariable: file, "OPENAI_API_KEY": "not for the parser"}, io.Discard, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer child.conn.Close()
	for _, kv := range child.env {
		if strings.Contains(kv, "OPENAI") {
			t.Errorf("the child is given %s", kv)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- child.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case <-time.After(patience):
		t.Fatal("the child does not serve")
	}
	first := pids(t, file)
	if len(first) != 1 {
		t.Fatalf("%d children were started", len(first))
	}
	if err := syscall.Kill(first[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a second child", func() bool { return len(pids(t, file)) == 2 })
	eventually(t, "the second child serves", func() bool {
		call, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		answer, err := healthpb.NewHealthClient(child.conn).Check(call, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
		return err == nil && answer.GetStatus() == healthpb.HealthCheckResponse_SERVING
	})
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the supervisor does not end")
	}
	for _, pid := range pids(t, file) {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("the child %d still runs: %v", pid, err)
		}
	}
}

// TestChildEndsWithItsParent: a parent that is killed has no chance to end its child, and the child ends all the same,
// with its own children: they all hold standard error, which ends when the last of them does.
func TestChildEndsWithItsParent(t *testing.T) {
	t.Parallel()
	if _, args, err := parserProgram(); err != nil || len(args) == 0 {
		t.Skip("the parser is not in this binary")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.CommandContext(t.Context(), self, "supervisor", socket(t))
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	parent.Stderr = writer
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the parent says %q, %v", line, err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, reader)
		ended <- err
	}()
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed, as it was meant to be
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("a child outlives its parent")
	}
}

func TestChildThatCannotStart(t *testing.T) {
	t.Parallel()
	c := &child{name: "nothing", path: filepath.Join(t.TempDir(), "nothing"), output: io.Discard, log: slog.New(slog.DiscardHandler)}
	if err := c.once(t.Context()); err == nil || !strings.Contains(err.Error(), "start nothing") {
		t.Errorf("gave %v", err)
	}
}
