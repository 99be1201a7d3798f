//go:build linux

package localpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// parentVariable makes this test binary a process that starts a server and waits to be killed.
const parentVariable = "OPENRABBIT_TEST_LOCALPG_PARENT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentVariable); dir != "" {
		parent(dir)
	}
	if err := os.Setenv(canaryVariable, "a secret of ours"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// parent starts a server, says its pid and waits. Threads come and go meanwhile, and must not take Postgres along.
func parent(dir string) {
	server, err := Start(context.Background(), Options{DataDir: dir, Unsafe: true})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	// So many at once take every idle thread, and end it: a locked thread ends with its goroutine.
	var locked, ended sync.WaitGroup
	for range 100 {
		locked.Add(1)
		ended.Go(func() {
			runtime.LockOSThread()
			locked.Done()
			locked.Wait()
		})
	}
	ended.Wait()
	fmt.Println("pid", server.child.process.Pid)
	select {}
}

func TestServerDiesWithItsParent(t *testing.T) {
	t.Parallel()
	users := map[string]*syscall.Credential{"as we are": nil}
	if os.Geteuid() == 0 {
		users["as an ordinary user"] = &syscall.Credential{Uid: 65534, Gid: 65534, Groups: []uint32{}}
	}
	for name, credential := range users {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := place(t)
			binary := filepath.Join(base, "parent.test")
			copyFile(t, os.Args[0], binary)
			dir := filepath.Join(base, "pg")
			if credential != nil {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.Chown(dir, int(credential.Uid), int(credential.Gid)); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), binary)
			cmd.Env = append(os.Environ(), parentVariable+"="+dir)
			cmd.Dir = base
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
			output, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Wait() }()
			line, err := bufio.NewReader(output).ReadString('\n')
			pid, convErr := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "pid ")))
			if err != nil || convErr != nil {
				t.Fatalf("the parent says %q (%v)", line, err)
			}
			socket := filepath.Join(dir, "run", ".s.PGSQL."+port)
			if err := query(deadline(t), socket, database, "CREATE TABLE kept (n int)"); err != nil {
				t.Fatalf("Postgres died while its parent lives: %v", err)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			// The next start does not wait for the end of the old server itself: that is Start's.
			if credential == nil {
				do(t, run(t, Options{DataDir: dir}), "INSERT INTO kept VALUES (1)")
			}
			eventually(t, "the end of the orphan", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
			if credential != nil && exists(filepath.Join(dir, "data", "postmaster.pid")) {
				t.Error("the server did not shut down by itself: its pid file is there")
			}
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o755); err != nil {
		t.Fatal(err)
	}
}
