//go:build !linux

package pool

import (
	"os"
	"syscall"
)

// attributes are those of a child's process. It ends with the pipe to us.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func preferForKilling(int) {}

func widen(*os.File) {}
