package load

import (
	"os"
	"syscall"
)

// flush has the disk write what was written to a file, as Postgres does it by default on Linux.
func flush(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
