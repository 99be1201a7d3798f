package torture

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/openrabbit/openrabbit/internal/failpoint"
)

// Fault stops a process of a service the first time it comes by a named point.
type Fault struct {
	// Service is gateway or orchestrator.
	Service string
	Point   string
	Action  failpoint.Action
}

// String names the fault in the log.
func (f Fault) String() string { return fmt.Sprintf("%s/%s/%s", f.Service, f.Point, f.Action) }

// faults hands out each service's faults, one to each start of a process.
type faults struct {
	mu   sync.Mutex
	left []Fault
}

func (f *faults) next(service string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.left {
		if fault.Service == service {
			f.left = append(f.left[:i:i], f.left[i+1:]...)
			return fault, true
		}
	}
	return Fault{}, false
}

func (f *faults) remaining() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.left)
}

// process keeps one process of a service running: when it ends it is started again, with the next fault armed.
type process struct {
	name, service, path string
	env                 []string
	faults              *faults
	log                 *Log
	output              io.Writer

	mu     sync.Mutex
	frozen int // pid of the frozen process, 0 when there is none
}

const landedPrefix = "failpoint landed: "

// run starts the process again and again until ctx ends.
func (p *process) run(ctx context.Context) {
	for ctx.Err() == nil {
		p.once(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (p *process) once(ctx context.Context) {
	cmd := exec.CommandContext(ctx, p.path)
	cmd.Env = p.env
	fault, armed := p.faults.next(p.service)
	if armed {
		cmd.Env = append(append([]string{}, p.env...), fmt.Sprintf("OPENRABBIT_FAILPOINT=%s:%s:1", fault.Point, fault.Action))
		p.log.Add(Event{Kind: Armed, Process: p.name, Fault: fault.String()})
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		p.log.Add(Event{Kind: Ended, Process: p.name, Note: err.Error()})
		return
	}
	if err := cmd.Start(); err != nil {
		p.log.Add(Event{Kind: Ended, Process: p.name, Note: err.Error()})
		return
	}
	p.log.Add(Event{Kind: Started, Process: p.name})
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), landedPrefix) {
			p.landed(cmd.Process.Pid, fault)
		}
		fmt.Fprintf(p.output, "%s: %s\n", p.name, lines.Text())
	}
	err = cmd.Wait()
	p.log.Add(Event{Kind: Ended, Process: p.name, Note: fmt.Sprint(err)})
}

func (p *process) landed(pid int, fault Fault) {
	p.log.Add(Event{Kind: Landed, Process: p.name, Fault: fault.String()})
	if fault.Action == failpoint.Freeze {
		p.mu.Lock()
		p.frozen = pid
		p.mu.Unlock()
	}
}

// thaw lets a frozen process go on.
func (p *process) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != 0 {
		_ = syscall.Kill(p.frozen, syscall.SIGCONT) // it may have been killed meanwhile
		p.log.Add(Event{Kind: Resumed, Process: p.name})
		p.frozen = 0
	}
}
