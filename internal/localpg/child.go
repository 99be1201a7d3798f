//go:build unix

package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// child is a process that ends with us.
type child struct {
	process *os.Process
	// done is closed after the process has been waited for; err is set before that.
	done chan struct{}
	err  error
}

// startChild starts a program as who, with a bare environment, in a process group of its own: a Ctrl-C at the terminal
// is for us, and the services have to drain while Postgres still answers.
func startChild(ctx context.Context, path string, args []string, dir string, output *os.File, who owner) (*child, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, args...)
	cmd.Dir = dir
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: who.credential()}
	dieWithParent(cmd.SysProcAttr)

	c := &child{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel sends the parent's death signal when the thread that forked ends, and Go ends idle threads: this
		// one lives as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			c.process = cmd.Process
		}
		started <- err
		if err != nil {
			return
		}
		c.err = cmd.Wait()
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return c, nil
}

// environment gives children nothing of ours: no credential and no PG* variable reaches Postgres.
func environment() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
}

// stop asks for a fast shutdown for at most this long, then for an immediate one, then kills.
func (c *child) stop(ctx context.Context, fast time.Duration) error {
	if fast > 0 {
		c.signal(syscall.SIGINT)
		if c.wait(ctx, fast) {
			return nil
		}
	}
	after := context.WithoutCancel(ctx)
	c.signal(syscall.SIGQUIT)
	if c.wait(after, quitTimeout) {
		return nil
	}
	c.signal(syscall.SIGKILL)
	if c.wait(after, quitTimeout) {
		return nil
	}
	return errors.New("the process does not end, not even by SIGKILL")
}

func (c *child) signal(s syscall.Signal) {
	// The only failure is a process that has ended, and done says that.
	_ = c.process.Signal(s)
}

func (c *child) wait(ctx context.Context, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.done:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// outcome says how the process ended. Call it after done.
func (c *child) outcome() string {
	if c.err != nil {
		return c.err.Error()
	}
	return "exit status 0"
}
