//go:build unix

package localpg

import (
	"context"
	"path/filepath"
	"time"
)

const (
	fetchMajor   = 15
	fetchTimeout = 5 * time.Minute
)

func (o Options) cachedDir() string {
	return filepath.Join(o.CacheDir, "postgres-15", "bin")
}

func (o Options) fetch(context.Context) (Binaries, error) {
	return Binaries{}, ErrNotInstalled
}
