package child

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errNoFilter is a machine for which there is no filter.
var errNoFilter = errors.New("no filter of system calls for this machine")

// Offsets in the kernel's struct seccomp_data.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// allowed are the system calls of Go's runtime and glibc in a process that computes, reads and writes.
func allowed() []uint32 {
	return []uint32{
		unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_CLOSE, unix.SYS_FCNTL, unix.SYS_FSTAT,
		unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_MPROTECT, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK,
		unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_MEMBARRIER, unix.SYS_RSEQ,
		unix.SYS_SET_ROBUST_LIST, unix.SYS_RESTART_SYSCALL,
		unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY,
		unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2, unix.SYS_PIPE2,
		unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
		unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETRUSAGE, unix.SYS_GETRANDOM,
		unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
	}
}

// program gives the filter in the kernel's byte code: a list of what is allowed, and three calls that depend on an
// argument. A thread may be made, a process not; a signal goes to this process only; limits are this process's.
func program(arch, pid uint32) ([]unix.SockFilter, error) {
	if arch == 0 {
		return nil, errNoFilter
	}
	const (
		refuse = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		absent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	)
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	give := func(what uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what} }
	jump := func(test uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	out := []unix.SockFilter{
		load(offsetArch),
		jump(unix.BPF_JEQ, arch, 1, 0),
		give(unix.SECCOMP_RET_KILL_PROCESS),
		load(offsetNumber),
	}
	for _, number := range allowed() {
		out = append(out, jump(unix.BPF_JEQ, number, 0, 1), give(unix.SECCOMP_RET_ALLOW))
	}
	// with allows a call when the low half of its first argument passes a test.
	with := func(number uint32, test uint16, k uint32) {
		out = append(out,
			jump(unix.BPF_JEQ, number, 0, 4),
			load(offsetArgs),
			jump(test, k, 0, 1),
			give(unix.SECCOMP_RET_ALLOW),
			give(refuse))
	}
	with(unix.SYS_CLONE, unix.BPF_JSET, unix.CLONE_THREAD)
	with(unix.SYS_TGKILL, unix.BPF_JEQ, pid)
	with(unix.SYS_PRLIMIT64, unix.BPF_JEQ, 0)
	// clone3 hides its flags behind a pointer. glibc falls back to clone when it is not there.
	out = append(out, jump(unix.BPF_JEQ, unix.SYS_CLONE3, 0, 1), give(absent), give(refuse))
	return out, nil
}

// install puts the filter on every thread.
func install(filter []unix.SockFilter) error {
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	stuck, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	if stuck != 0 {
		return errors.New("a thread did not take the filter")
	}
	return nil
}
