//go:build unix

package failpoint

import "syscall"

func raise(a Action) {
	sig := syscall.SIGKILL
	if a == Freeze {
		sig = syscall.SIGSTOP
	}
	_ = syscall.Kill(syscall.Getpid(), sig)
}
