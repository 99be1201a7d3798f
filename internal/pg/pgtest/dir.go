//go:build unix

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// janitor waits for the end of our side of a pipe, that is for the end of this process, lets Postgres shut down and
// removes the directory. It is a shell because nothing of ours runs by then.
const janitor = `cat >/dev/null; n=0; while [ -e "$1/data/postmaster.pid" ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done; rm -rf "$1"`

// makeDir makes a directory named after this process, removes those of processes that are gone, and leaves a janitor.
// The directory goes when the file is closed.
func makeDir() (string, *os.File, error) {
	base, err := baseDir()
	if err != nil {
		return "", nil, err
	}
	sweep(base)
	dir, err := os.MkdirTemp(base, strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return "", nil, err
	}
	held, err := startJanitor(dir)
	return dir, held, err
}

// baseDir gives this user's directory for test servers. It is below /tmp rather than TMPDIR: as root the server runs as
// another user, who may not enter a private TMPDIR, and a socket's path is short.
func baseDir() (string, error) {
	base := filepath.Join("/tmp", "openrabbit-test-"+strconv.Itoa(os.Geteuid()))
	if err := os.Mkdir(base, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	info, err := os.Lstat(base)
	if err != nil {
		return "", err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() {
		return "", fmt.Errorf("%s is not a directory of ours", base)
	}
	return base, nil
}

// sweep removes the directories of processes that have ended. What another process removes at the same time is gone
// either way.
func sweep(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, entry := range entries {
		number, _, ok := strings.Cut(entry.Name(), "-")
		pid, err := strconv.Atoi(number)
		if !ok || err != nil || !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			continue
		}
		dir := filepath.Join(base, entry.Name())
		if _, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid")); err == nil && serverAlive(dir) {
			continue
		}
		_ = os.RemoveAll(dir)
	}
}

// serverAlive says whether the server of a directory still shuts down.
func serverAlive(dir string) bool {
	content, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		return false
	}
	line, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	return err == nil && pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// startJanitor leaves a process that outlives us. It ends when the file it gives is closed, which the kernel does at our
// end: keep it.
func startJanitor(dir string) (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	// It outlives every test, and so every context of one.
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", janitor, "openrabbit-test-janitor", dir)
	cmd.Stdin = read
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	_ = read.Close()
	if err == nil {
		err = cmd.Process.Release()
	}
	if err != nil {
		_ = write.Close()
		return nil, err
	}
	return write, nil
}
