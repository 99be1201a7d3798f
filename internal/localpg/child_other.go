//go:build unix && !linux

package localpg

import "syscall"

// dieWithParent does nothing: this system has no such signal. A server left behind by a kill -9 is named by the next
// start.
func dieWithParent(*syscall.SysProcAttr) {}
