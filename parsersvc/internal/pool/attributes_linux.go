package pool

import (
	"fmt"
	"os"
	"syscall"
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
