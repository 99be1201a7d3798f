package pool

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes are those of a child's process: it dies with us, and a Ctrl-C at the terminal is not for it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// preferForKilling asks the kernel to take this child first when the machine runs out of memory.
func preferForKilling(pid int) {
	// Without it the kernel chooses by size, which is mostly right too.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("800"), 0)
}

// pipeBytes holds the answer to a file of ordinary size whole, so that neither side waits in the middle of it.
const pipeBytes = 512 << 10

// widen gives a pipe more room than the system's 64 KiB.
func widen(pipe *os.File) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return
	}
	// Where the system refuses, the pipe works as it is.
	_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeBytes) })
}
