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

	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, childIn.Close(), in.Close())
	}
	cmd.Stdin, cmd.Stdout = childIn, childOut
	err = cmd.Start()
	// The child has its own; ours would keep the pipe open after its end.
	_, _ = childIn.Close(), childOut.Close()
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	preferForKilling(cmd.Process.Pid)
	widen(in)
	widen(out)
	p := &process{cmd: cmd, in: in, out: out, writer: wire.NewWriter(in, wire.MaxRequest), frames: wire.NewReader(out, wire.MaxAnswer), stderr: stderr, done: make(chan struct{})}
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
	stop := p.killAfter(ctx, timeout)
	f, err := p.frames.Read()
	if stop() {
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

// ask sends a request and reads the answer. A reason says that the child is of no use any more.
func (p *process) ask(ctx context.Context, req Request) ([]byte, Reason, error) {
	stop := p.killAfter(ctx, req.Limit)
	f, err := p.exchange(req)
	if stop() {
		return nil, TimedOut, &Killed{TimedOut, "no answer within " + req.Limit.Round(time.Millisecond).String(), req.Limit}
	}
	if err != nil {
		p.end()
		return nil, Crashed, &Killed{Crashed, p.detail(), req.Limit}
	}
	switch f.Kind {
	case wire.Answer:
		return f.Body, "", nil
	case wire.Last:
		return f.Body, Grown, nil
	case wire.Failed:
		return nil, "", &Failed{Detail: strings.ToValidUTF8(string(f.Body[:min(len(f.Body), 300)]), "")}
	default:
		return nil, Crashed, &Killed{Crashed, fmt.Sprintf("it answered with a frame of kind %d", f.Kind), req.Limit}
	}
}

func (p *process) exchange(req Request) (wire.Frame, error) {
	// The child may be dead already; the read says so better than the write.
	writeErr := p.writer.WriteRequest(req.Kind, req.Limit, req.Message)
	f, err := p.frames.Read()
	return f, errors.Join(writeErr, err)
}

// killAfter kills the child when the limit is over or ctx ends, so that whoever reads its pipe wakes. The function it
// gives takes that back, and says whether it is too late for that because the limit was over.
func (p *process) killAfter(ctx context.Context, limit time.Duration) (stop func() (late bool)) {
	kill := func() {
		p.kill()
		// Something that the child left behind could hold the pipe's other end.
		_ = p.out.SetDeadline(time.Now().Add(killGrace))
		_ = p.in.SetDeadline(time.Now().Add(killGrace))
	}
	timer := time.AfterFunc(limit, kill)
	unwatch := context.AfterFunc(ctx, kill)
	return func() bool {
		unwatch()
		return !timer.Stop()
	}
}

func (p *process) kill() {
	// An error means that it has ended.
	_ = p.cmd.Process.Kill()
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
	_ = p.out.Close()
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
