package child

import (
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// putUpWalls limits this process for the rest of its life and gives the names of the walls that stand. One that the
// system refuses is left out: the parent says so once, and its own walls (the deadline, SIGKILL) stand anyway.
func putUpWalls(l Limits) []string {
	var walls []string
	limit := func(name string, resource int, value uint64) {
		if unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}) == nil {
			walls = append(walls, name)
		}
	}
	// Writable private memory, of Go and C. The address space is no measure: Go reserves much that it never uses.
	limit("memory", unix.RLIMIT_DATA, uint64(l.Memory))
	limit("files", unix.RLIMIT_FSIZE, 0)
	limit("core", unix.RLIMIT_CORE, 0)
	// The hard limit is for the whole life; each request sets the soft one.
	if endAtSoftLimit() == nil && unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: lifeSeconds, Max: lifeSeconds}) == nil {
		walls = append(walls, "cpu")
	}
	// Nothing may read the memory of a process that holds somebody's source, not even another child.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	if filterSyscalls() == nil {
		walls = append(walls, "syscalls")
	}
	return walls
}

// lifeSeconds of processor time is more than a child needs for all files it is given.
const lifeSeconds = 3600

// endAtSoftLimit gives SIGXCPU its own effect back, which is the end: Go's runtime catches the signal and does nothing.
func endAtSoftLimit() error {
	// The kernel's struct sigaction; zeros are SIG_DFL.
	var action [4]uint64
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGXCPU), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// limitProcessor ends the process when the next request takes more processor time than its limit, should the parent
// not be there to do it.
func limitProcessor(limit time.Duration) {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return
	}
	used := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	soft := uint64((used+limit)/time.Second) + 1
	// An error means that the hard limit is reached, and that one stands.
	_ = unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: min(soft, lifeSeconds), Max: lifeSeconds})
}

// peakMemory gives the most memory that the process has had in use, in bytes.
func peakMemory() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return int64(u.Maxrss) * 1024
}

// claimStdout keeps the pipe for frames alone: whatever C code prints goes to stderr.
func claimStdout() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(unix.Stdout), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	if err := unix.Dup3(unix.Stderr, unix.Stdout, 0); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "frames"), nil
}

// filterSyscalls leaves this process, all its threads, the system calls that computing over a pipe takes. The others
// fail with EPERM, which harms nobody who does not need them.
func filterSyscalls() error {
	filter, err := program(auditArch, uint32(os.Getpid()))
	if err != nil {
		return err
	}
	// no_new_privs is a thread's; the filter carries it to the others.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return install(filter)
}
