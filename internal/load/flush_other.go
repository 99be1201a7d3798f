//go:build !linux

package load

import "os"

// flush has the disk write what was written to a file.
func flush(f *os.File) error { return f.Sync() }
