//go:build linux && cgo

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// parts is the processor time that each kind of process took, in seconds.
type parts struct{ Client, Service, Children float64 }

func (p parts) sum() float64 { return p.Client + p.Service + p.Children }

func (p parts) minus(q parts) parts {
	return parts{p.Client - q.Client, p.Service - q.Service, p.Children - q.Children}
}

// of says what each part is of so many files, in microseconds a file.
func (p parts) of(files int) string {
	each := 1e6 / float64(files)
	return fmt.Sprintf("client %.0f, service %.0f, children %.0f µs", p.Client*each, p.Service*each, p.Children*each)
}

// parts gives what this process, the service's and its children have taken until now. A child that has ended counts with
// its kind.
func (s *server) parts() parts {
	p := parts{Client: cpu(), Service: taken(s.cmd.Process.Pid), Children: ofEnded(s.cmd.Process.Pid)}
	for _, pid := range s.pids()[1:] {
		p.Children += taken(pid)
	}
	return p
}

// taken gives the processor time of a process that lives, to the nanosecond.
func taken(pid int) float64 {
	// The clock of another process, as clock_getcpuclockid(3) makes it.
	const scheduled = 2
	var t unix.Timespec
	if unix.ClockGettime(int32(^pid)<<3|scheduled, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano()).Seconds()
}

// ofEnded gives the processor time of a process's children that it has waited for, in ticks of 10 ms.
func ofEnded(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	const first, last = 13, 14 // cutime, cstime
	var ticks int64
	if f := strings.Fields(rest); len(f) > last {
		for _, s := range f[first : last+1] {
			n, _ := strconv.ParseInt(s, 10, 64)
			ticks += n
		}
	}
	return float64(ticks) / 100
}
