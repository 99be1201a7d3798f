//go:build unix

package localpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// predecessorTimeout is how long a server whose parent was killed may take to shut down.
const predecessorTimeout = 15 * time.Second

// lockTimeout is how long a killed process may take to vanish.
const lockTimeout = time.Second

// dirLock says that a data directory is ours. The kernel drops it when we end, however we end.
type dirLock struct{ file *os.File }

// lockDir takes the directory, or says which process has it. It waits a moment for one that was just killed.
func lockDir(ctx context.Context, dataDir string) (*dirLock, error) {
	path := filepath.Join(dataDir, "lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(ctx, file); err != nil {
		defer func() { _ = file.Close() }()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			holder, _ := io.ReadAll(io.LimitReader(file, 32))
			return nil, fmt.Errorf("the data directory %s is in use by process %s", dataDir, strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := file.Truncate(0); err == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &dirLock{file: file}, nil
}

func flock(ctx context.Context, file *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

func (l *dirLock) release() {
	// Closing drops the lock; the file stays, as removing it would let two processes lock two files of one name.
	_ = l.file.Truncate(0)
	_ = l.file.Close()
}

// waitForPredecessor returns when no server runs on the cluster. We hold the directory's lock, so one that does is the
// child of a process that was killed, and it is shutting down; or somebody started it by hand. A pid file without its
// server, as kill -9 and a power cut leave it, is removed: Postgres itself would be stopped by it when the pid belongs
// to another process by now.
func waitForPredecessor(ctx context.Context, clusterDir string) error {
	pidFile := filepath.Join(clusterDir, "postmaster.pid")
	deadline := time.NewTimer(predecessorTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		pid, err := readPid(pidFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if pid <= 0 || !runsOn(pid, clusterDir) {
			if err := os.Remove(pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the earlier postgres, process %d: %w", pid, ctx.Err())
		case <-deadline.C:
			return fmt.Errorf("another postgres, process %d, runs on %s: stop it with kill -INT %d", pid, clusterDir, pid)
		}
	}
}

// readPid gives the first line of a pid file, 0 when it is no number.
func readPid(path string) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	line, err := bufio.NewReader(io.LimitReader(file, 64)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
		return pid, nil
	}
	return 0, nil // A half-written file names no process.
}

// runsOn says whether a live process is a server on this cluster: a postmaster's working directory is its cluster.
// Where the system does not tell, a live process counts as one.
func runsOn(pid int, clusterDir string) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	cwd, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	if err != nil {
		// Another user's process is not ours, and one that has just ended is none.
		_, procErr := os.Stat("/proc/self/cwd")
		return procErr != nil
	}
	if resolved, err := filepath.EvalSymlinks(clusterDir); err == nil {
		clusterDir = resolved
	}
	return cwd == clusterDir
}
