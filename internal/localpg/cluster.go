//go:build unix

package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// hba lets in whoever may enter the socket's directory, and nobody else: there is no line for TCP.
const hba = "# Written by openrabbit: the socket's directory is private.\nlocal all all trust\n"

// logFileSize is the size of a file of the write-ahead log, in MB. Until a cluster has files to use again it makes new
// ones, filled with zeros and brought to the disk, while every commit waits: 10 ms on a fast disk for the usual 16 MB.
const logFileSize = "1"

// clusterVersion gives the major version of an existing cluster, 0 when there is none.
func clusterVersion(clusterDir string) int {
	content, err := os.ReadFile(filepath.Join(clusterDir, "PG_VERSION"))
	if err != nil {
		return 0
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0
	}
	return major
}

// initCluster makes the cluster, beside its place and then moved there, so that a kill in the middle leaves nothing
// that looks whole.
func initCluster(ctx context.Context, o Options, bin Binaries, who owner, clusterDir string) error {
	switch _, err := os.Stat(clusterDir); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	o.Log.Info("making a postgres cluster", "directory", clusterDir, "version", bin.Version.String())
	making := clusterDir + ".new"
	if err := os.RemoveAll(making); err != nil {
		return err
	}
	// C.UTF-8 orders by code point and knows upper and lower case; a system without it orders the same way under C.
	var err error
	for _, locale := range []string{"C.UTF-8", "C"} {
		if err = initdb(ctx, o, bin, who, making, locale); err == nil {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if removeErr := os.RemoveAll(making); removeErr != nil {
			return removeErr
		}
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(making, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return err
	}
	return os.Rename(making, clusterDir)
}

func initdb(ctx context.Context, o Options, bin Binaries, who owner, dir, locale string) error {
	args := []string{"-D", dir, "-U", role, "--auth=trust", "--encoding=UTF8", "--locale=" + locale, "--wal-segsize=" + logFileSize}
	if o.Unsafe {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, bin.path("initdb"), args...)
	cmd.Dir = o.DataDir
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: who.credential()}
	output, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		return fmt.Errorf("initdb: %w: %s", err, strings.Join(lines[max(0, len(lines)-3):], " | "))
	}
	return nil
}
