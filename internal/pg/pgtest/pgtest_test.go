//go:build linux

package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestEachTestHasItsOwn(t *testing.T) {
	t.Parallel()
	for i := range 6 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			db := New(t)
			if _, err := db.Pool().Exec(t.Context(), `INSERT INTO installations (id) VALUES (1)`); err != nil {
				t.Fatal(err)
			}
			var mine, jobs int
			var secret []byte
			err := db.Pool().QueryRow(t.Context(), `SELECT (SELECT count(*) FROM installations), (SELECT count(*) FROM river_job), marker_secret FROM settings`).
				Scan(&mine, &jobs, &secret)
			if err != nil || mine != 1 || jobs != 0 || len(secret) != 32 {
				t.Errorf("%d installations, %d jobs, a secret of %d bytes (%v)", mine, jobs, len(secret), err)
			}
		})
	}
}

// childVariable makes this test binary a process that opens a database and waits.
const childVariable = "OPENRABBIT_TEST_PGTEST_CHILD"

func TestChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		t.Skip("is another test's child")
	}
	New(t)
	entries, err := filepath.Glob(fmt.Sprintf("/tmp/openrabbit-test-%d/%d-*", os.Geteuid(), os.Getpid()))
	if err != nil || len(entries) != 1 {
		t.Fatalf("directories: %v (%v)", entries, err)
	}
	fmt.Println("\ndirectory", entries[0])
	if os.Getenv(childVariable) == "wait" {
		select {}
	}
}

// TestNothingIsLeft runs a test process as another user, to its good end and to its kill, and waits for its server and
// its files to go.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	if os.Getenv("OPENRABBIT_TEST_DATABASE_URL") != "" {
		t.Skip("no server of our own")
	}
	base, err := os.MkdirTemp("/tmp", "orpgtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	binary := filepath.Join(base, "child.test")
	content, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = errors.Join(os.WriteFile(binary, content, 0o755), os.Chmod(base, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"end", "wait"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), binary, "-test.run=^TestChild$", "-test.v")
			cmd.Env = append(os.Environ(), childVariable+"="+mode)
			cmd.Dir = base
			if os.Geteuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, Groups: []uint32{}}}
			}
			output, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var dir string
			var said []string
			for lines := bufio.NewScanner(output); dir == "" && lines.Scan(); {
				said = append(said, lines.Text())
				dir, _ = strings.CutPrefix(lines.Text(), "directory ")
				if dir == lines.Text() {
					dir = ""
				}
			}
			if dir == "" {
				t.Fatalf("the child says:\n%s", strings.Join(said, "\n"))
			}
			pidFile, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
			if err == nil {
				line, _, _ := strings.Cut(string(pidFile), "\n")
				if pid, err := strconv.Atoi(line); err == nil {
					defer gone(t, "the server", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
				}
			}
			defer gone(t, "the directory", func() bool { _, err := os.Stat(dir); return errors.Is(err, os.ErrNotExist) })
			if mode == "wait" {
				if err != nil {
					t.Fatalf("the server does not run: %v", err)
				}
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait()
		})
	}
}

func gone(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Errorf("%s is still there", what)
			return
		}
	}
}

func TestSweepRemovesWhatTheDeadLeft(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dead := exec.CommandContext(t.Context(), "/bin/true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(base, fmt.Sprintf("%d-left", dead.Process.Pid))
	mine := filepath.Join(base, fmt.Sprintf("%d-mine", os.Getpid()))
	strange := filepath.Join(base, "strange")
	for _, dir := range []string{left, mine, strange} {
		if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	sweep(base)
	for dir, want := range map[string]bool{left: false, mine: true, strange: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", dir, err == nil, want)
		}
	}
}

func TestWithDatabase(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"postgres://u@/openrabbit?host=%2Frun&port=5432": "postgres://u@/x?host=%2Frun&port=5432",
		"postgresql://u:p@h:5432/db":                     "postgresql://u:p@h:5432/x",
		"host=/run user=u dbname=db":                     "host=/run user=u dbname=db dbname=x",
	} {
		if got := withDatabase(address, "x"); got != want {
			t.Errorf("%s became %s, want %s", address, got, want)
		}
	}
}
