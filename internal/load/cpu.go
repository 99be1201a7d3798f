package load

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc; Linux has had this one on every platform that Go runs on.
const tick = 10 * time.Millisecond

// stat is what /proc says of a process: its parent, and the processor time of itself and of children it has waited for.
type stat struct {
	parent     int
	self, gone time.Duration
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, err
	}
	// The name, in parentheses, may hold anything.
	_, after, ok := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
	fields := strings.Fields(after)
	if !ok || len(fields) < 15 {
		return stat{}, fmt.Errorf("the stat of process %d is unreadable", pid)
	}
	number := func(i int) time.Duration {
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		return time.Duration(n) * tick
	}
	parent, err := strconv.Atoi(fields[1])
	return stat{parent: parent, self: number(11) + number(12), gone: number(13) + number(14)}, err
}

// Processes is a process with those it has started.
type Processes struct{ root int }

// ids lists the process and its children.
func (p Processes) ids() []int {
	ids := []int{p.root}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return ids
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil && s.parent == p.root {
			ids = append(ids, pid)
		}
	}
	return ids
}

// CPU is the processor time of all of them so far, those that have ended included.
func (p Processes) CPU() (total time.Duration) {
	for _, pid := range p.ids() {
		s, err := readStat(pid)
		if err != nil {
			continue
		}
		total += s.self
		if pid == p.root {
			total += s.gone
		}
	}
	return total
}

// RSS is the resident memory of the process itself, in bytes.
func (p Processes) RSS() int64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.root), "statm"))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
