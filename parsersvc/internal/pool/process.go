package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/openrabbit/openrabbit/parsersvc/internal/child"
	"github.com/openrabbit/openrabbit/parsersvc/internal/wire"
)

// process is one child.
type process struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	writer *wire.Writer
	frames *wire.Reader
	stderr *tail
	// tokens is the end of the pipe of tokens that is written, takable the one that is read, which the child has too;
	// taken is its descriptor.
	tokens, takable *os.File
	taken           int
	// done is closed when the process has ended; state says how from then on.
	done  chan struct{}
	state *os.ProcessState
}

// killGrace is what a child that was killed has to be gone.
const killGrace = 5 * time.Second

// newProcess starts a child. It must be called on a thread that lives as long as the child may.
func newProcess(command []string) (*process, error) {
	// The context would only kill; the pool does that itself.
	cmd := exec.Command(command[0], command[1:]...) //nolint:noctx // process.end ends it, and waits
	// Nothing of ours is inherited: no variable, no directory.
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.SysProcAttr = attributes()
	stderr := &tail{}
	cmd.Stderr = stderr
	// A grandchild can't keep us waiting for stderr's end: there are none, and this bounds it if there were.
	cmd.WaitDelay = time.Second

	var files []*os.File
	pipe := func() (read, write *os.File, err error) {
		if read, write, err = os.Pipe(); err == nil {
			files = append(files, read, write)
		}
		return read, write, err
	}
	childIn, in, err1 := pipe()
	out, childOut, err2 := pipe()
	takable, tokens, err3 := pipe()
	err := errors.Join(err1, err2, err3)
	if err == nil {
		cmd.Stdin, cmd.Stdout, cmd.ExtraFiles = childIn, childOut, []*os.File{takable}
		err = cmd.Start()
	}
	if err != nil {
		for _, f := range files {
			_ = f.Close()
		}
		return nil, err
	}
	// The child has its own; ours would keep the pipe open after its end.
	_, _ = childIn.Close(), childOut.Close()
	preferForKilling(cmd.Process.Pid)
	widen(in)
	widen(out)
	p := &process{
		cmd: cmd, in: in, out: out, writer: wire.NewWriter(in, wire.MaxRequest), frames: wire.NewReader(out, wire.MaxAnswer), stderr: stderr,
		tokens: tokens, takable: takable, taken: int(takable.Fd()), done: make(chan struct{}),
	}
	// Who finds no token does not wait for one. That is the pipe's, so it holds for the child too.
	if err := syscall.SetNonblock(p.taken, true); err != nil {
		p.kill()
	}
	go func() {
		// How it ended is in the state; the error says the same.
		_ = cmd.Wait()
		p.state = cmd.ProcessState
		close(p.done)
	}()
	return p, nil
}

// greet waits for a child's first frame.
func (p *process) greet(ctx context.Context, timeout time.Duration) ([]string, error) {
	timer := time.AfterFunc(timeout, p.kill)
	unwatch := context.AfterFunc(ctx, p.kill)
	f, err := p.frames.Read()
	unwatch()
	if !timer.Stop() {
		return nil, fmt.Errorf("child said nothing for %s", timeout)
	}
	switch {
	case err != nil:
		p.end()
		return nil, fmt.Errorf("child ended before it spoke: %s", p.detail())
	case f.Kind != wire.Hello:
		return nil, fmt.Errorf("child began with a frame of kind %d", f.Kind)
	}
	return child.ParseGreeting(f.Body)
}

// send writes a request. The child may be dead already, or not read; who reads its answers hears of that.
func (p *process) send(kind wire.Kind, r wire.Request) { _ = p.writer.WriteRequest(kind, r) }

// putToken makes a request that will be sent the child's, or ours, whoever takes the token first.
func (p *process) putToken(token byte) bool {
	n, err := p.tokens.Write([]byte{token})
	return n == 1 && err == nil
}

// takeTokens takes those that the child has not.
func (p *process) takeTokens() []byte {
	var b [8]byte
	for {
		n, err := syscall.Read(p.taken, b[:])
		if !errors.Is(err, syscall.EINTR) {
			return b[:max(n, 0)]
		}
	}
}

// kill ends the child, so that whoever reads its pipe wakes.
func (p *process) kill() {
	// An error means that it has ended.
	_ = p.cmd.Process.Kill()
	// Something that the child left behind could hold the pipe's other end.
	_ = p.out.SetDeadline(time.Now().Add(killGrace))
	_ = p.in.SetDeadline(time.Now().Add(killGrace))
}

// end kills the child if it lives and waits until it is gone.
func (p *process) end() {
	_ = p.in.Close()
	p.kill()
	timer := time.NewTimer(killGrace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		// A process that SIGKILL does not end hangs in the kernel; it has nothing of ours.
	}
	_, _, _ = p.out.Close(), p.tokens.Close(), p.takable.Close()
}

// detail says how a child ended, in words without anything of what it read.
func (p *process) detail() string {
	select {
	case <-p.done:
	default:
		return "it did not end"
	}
	how := p.state.String()
	if why := p.stderr.signal(); why != "" {
		how += " (" + why + ")"
	}
	return how
}

// tail keeps the beginning of what a child prints, which is where Go and C say why they end.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write takes everything and keeps a little.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const keep = 4 << 10
	if room := keep - len(t.text); room > 0 {
		t.text = append(t.text, b[:min(len(b), room)]...)
	}
	return len(b), nil
}

// signal finds why a child ended in what it printed: a fixed list of reasons, never its text, which might quote a file.
func (t *tail) signal() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := string(t.text)
	for _, known := range []struct{ sign, reason string }{
		{"failed to allocate", "out of memory"},
		{"out of memory", "out of memory"},
		{"cannot allocate memory", "out of memory"},
		{"Assertion", "an assertion failed"},
		{"SIGSEGV", "segmentation fault"},
		{"unexpected fault address", "segmentation fault"},
		{"SIGBUS", "bus error"},
		{"SIGABRT", "aborted"},
		{"stack overflow", "stack overflow"},
		{"panic:", "panic"},
	} {
		if strings.Contains(text, known.sign) {
			return known.reason
		}
	}
	return ""
}

var _ io.Writer = (*tail)(nil)
