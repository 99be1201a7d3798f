package torture

import "syscall"

// attributes make a process end with the harness.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
