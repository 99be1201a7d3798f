package localpg

import "syscall"

// dieWithParent makes the kernel send SIGINT, which Postgres takes as a fast shutdown, when the forking thread ends.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
