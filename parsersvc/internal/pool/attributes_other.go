//go:build !linux

package pool

import "syscall"

// attributes are those of a child's process. It ends with the pipe to us.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func preferForKilling(int) {}
