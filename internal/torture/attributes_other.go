//go:build unix && !linux

package torture

import "syscall"

func attributes() *syscall.SysProcAttr { return nil }
