//go:build unix

package torture

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/openrabbit/openrabbit/internal/failpoint"
)

// faults hands out each service's faults, one to each start of a process.
type faults struct {
	mu     sync.Mutex
	left   []Fault
	armed  int
	landed int
}

// next gives the next fault of a service. A process that is frozen is one less to work, so a freeze waits until no other
// process is, or may become, frozen.
func (f *faults) next(service string, mayFreeze bool) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.left {
		if fault.Service == service && (mayFreeze || fault.Action != failpoint.Freeze) {
			f.left = slices.Delete(f.left, i, i+1)
			f.armed++
			return fault, true
		}
	}
	return Fault{}, false
}

// struck notes that a fault landed, missed that its process ended without it: then another process gets it.
func (f *faults) struck() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed--
	f.landed++
}

func (f *faults) missed(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed--
	f.left = slices.Insert(f.left, 0, fault)
}

// wanted says whether a fault of a service waits for a process.
func (f *faults) wanted(service string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.left, func(fault Fault) bool { return fault.Service == service })
}

// count gives how many have landed, and how many have not yet.
func (f *faults) count() (landed, waiting int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.landed, f.armed + len(f.left)
}

// fleet is what the processes of a run share.
type fleet struct {
	faults *faults
	log    *Log
	output io.Writer
	// running counts the reviews under way.
	running func(ctx context.Context) int
	// freezes is told of every process that froze; the process is thawed by whoever listens.
	freezes chan *process
	// cut ends the database sessions of a process and says how many there were.
	cut func(ctx context.Context, name string) (int, error)
	// frozen holds the name of the process that is frozen, or may be: at most one.
	mu     sync.Mutex
	frozen string
}

// mayFreeze reserves the one freeze for a process.
func (f *fleet) mayFreeze(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.frozen != "" {
		return false
	}
	f.frozen = name
	return true
}

func (f *fleet) doneFreezing(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.frozen == name {
		f.frozen = ""
	}
}

// process keeps one process of a service running: when it ends it is started again, with the next fault armed.
type process struct {
	*fleet
	name, service, path string
	env                 []string

	mu  sync.Mutex
	pid int
	// armed is set while it waits for a fault.
	armed bool
	// excused is set when the process may end by itself: the harness asked it to, or it was frozen and goes on, with all
	// that it held gone.
	excused bool
	// thawed is when it went on after a freeze, zero if it was not frozen since it was started.
	thawed time.Time
}

// aftermath is how long a process that was thawed may work before it is started anew for the next fault: what it went on
// with is done, or stopped, long before.
const aftermath = 5 * time.Second

const landedPrefix = "failpoint landed: "

// run starts the process again and again until ctx ends.
func (p *process) run(ctx context.Context) {
	// Linux ends a child when the thread that started it does: no service outlives a harness that was killed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for ctx.Err() == nil {
		p.once(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (p *process) once(ctx context.Context) {
	reserved := p.mayFreeze(p.name)
	fault, armed := p.faults.next(p.service, reserved)
	if reserved && (!armed || fault.Action != failpoint.Freeze) {
		p.doneFreezing(p.name)
		reserved = false
	}
	cmd := exec.CommandContext(ctx, p.path)
	cmd.Env = p.env
	cmd.SysProcAttr = attributes()
	if armed {
		// Which passing it is, the process counts itself.
		cmd.Env = append(slices.Clone(p.env), fmt.Sprintf("OPENRABBIT_FAILPOINT=%s:%s:1:%d", fault.Point, fault.Action, max(1, fault.Pass)-1))
		p.log.Add(Event{Kind: Armed, Process: p.name, Fault: fault.String(), Note: fmt.Sprintf("at passing %d", max(1, fault.Pass))})
	}
	said, err := p.carryOut(ctx, cmd, fault, armed)
	killed := wasKilled(cmd)
	switch {
	case ctx.Err() != nil:
		p.log.Add(Event{Kind: Ended, Process: p.name, Note: "stopped by the harness"})
		return
	case said && fault.Action == failpoint.Kill && killed:
		p.faults.struck()
		p.log.Add(Event{Kind: Landed, Process: p.name, Fault: fault.String(), Running: p.running(ctx)})
		p.log.Add(Event{Kind: Ended, Process: p.name, Note: fmt.Sprint(err)})
		return
	case said && fault.Action == failpoint.Freeze:
		p.doneFreezing(p.name)
	case armed:
		// It ended before it came by.
		p.faults.missed(fault)
		p.log.Add(Event{Kind: Missed, Process: p.name, Fault: fault.String()})
		if reserved {
			p.doneFreezing(p.name)
		}
	}
	kind := Crashed
	p.mu.Lock()
	if p.excused {
		kind = Ended
	}
	p.mu.Unlock()
	p.log.Add(Event{Kind: kind, Process: p.name, Note: fmt.Sprint(err)})
}

// carryOut runs the command to its end and says whether its fault landed, by what it wrote.
func (p *process) carryOut(ctx context.Context, cmd *exec.Cmd, fault Fault, armed bool) (said bool, err error) {
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	p.mu.Lock()
	p.pid, p.armed, p.excused, p.thawed = cmd.Process.Pid, armed, false, time.Time{}
	p.mu.Unlock()
	p.log.Add(Event{Kind: Started, Process: p.name})
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fmt.Fprintf(p.output, "%s %s: %s\n", time.Now().Format("15:04:05.000"), p.name, lines.Text())
		if !strings.HasPrefix(lines.Text(), landedPrefix) {
			continue
		}
		p.mu.Lock()
		p.armed = false
		p.mu.Unlock()
		if said = true; fault.Action == failpoint.Freeze {
			p.froze(ctx, fault)
		}
	}
	return said, cmd.Wait()
}

// froze sees that the process is stopped, and tells.
func (p *process) froze(ctx context.Context, fault Fault) {
	for deadline := time.Now().Add(5 * time.Second); !stopped(p.pid); {
		if time.Now().After(deadline) {
			p.log.Add(Event{Kind: Crashed, Process: p.name, Fault: fault.String(), Note: "said that it is frozen, and is not"})
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	note := ""
	if fault.Cut {
		n, err := p.cut(ctx, p.name)
		if err != nil || n == 0 {
			p.log.Add(Event{Kind: Crashed, Process: p.name, Fault: fault.String(), Note: fmt.Sprintf("%d sessions cut: %v", n, err)})
			return
		}
		note = fmt.Sprintf("%d sessions cut", n)
	}
	p.faults.struck()
	p.log.Add(Event{Kind: Landed, Process: p.name, Fault: fault.String(), Running: p.running(ctx), Note: note})
	select {
	case p.freezes <- p:
	case <-ctx.Done():
	}
}

// thaw lets a frozen process go on.
func (p *process) thaw(zombies int, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.excused, p.thawed = true, time.Now()
	_ = syscall.Kill(p.pid, syscall.SIGCONT) // it may have been killed meanwhile
	p.log.Add(Event{Kind: Resumed, Process: p.name, Zombies: zombies, Note: note})
	p.doneFreezing(p.name)
}

// rearm asks a process of a service to end, orderly, when a fault waits for one and none is armed: it starts anew with
// the fault.
func (f *fleet) rearm(processes []*process) {
	for service := range Points() {
		if !f.faults.wanted(service) {
			continue
		}
		var free *process
		for _, p := range processes {
			if p.service != service {
				continue
			}
			p.mu.Lock()
			leaving := p.excused && (p.thawed.IsZero() || time.Since(p.thawed) < aftermath)
			busy := p.armed || leaving || p.pid == 0
			p.mu.Unlock()
			if busy {
				free = nil
				break
			}
			free = p
		}
		if free != nil {
			free.mu.Lock()
			free.excused, free.thawed = true, time.Time{}
			_ = syscall.Kill(free.pid, syscall.SIGTERM) // it may have ended meanwhile
			free.mu.Unlock()
		}
	}
}

// stopped says whether a process is stopped by a signal; where there is no /proc, it is believed.
func stopped(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return runtime.GOOS != "linux"
	}
	_, after, found := strings.Cut(string(stat), ") ")
	return found && strings.HasPrefix(after, "T")
}

func wasKilled(cmd *exec.Cmd) bool {
	if cmd.ProcessState == nil {
		return false
	}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
