//go:build unix

package localpg

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// maxSocketPath is what sun_path holds on Linux without the NUL; macOS has 103.
const maxSocketPath = 103

// owner is who runs Postgres.
type owner struct {
	uid, gid int
	// drop is set when we are root and the children are not.
	drop bool
}

// chooseOwner gives ourselves, or as root the owner of an existing cluster, else postgres, else nobody.
func chooseOwner(clusterDir string) (owner, error) {
	if os.Geteuid() != 0 {
		return owner{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	if info, err := os.Stat(clusterDir); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
			return owner{uid: int(stat.Uid), gid: int(stat.Gid), drop: true}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(account.Uid)
		gid, err2 := strconv.Atoi(account.Gid)
		if err1 != nil || err2 != nil || uid == 0 {
			continue
		}
		return owner{uid: uid, gid: gid, drop: true}, nil
	}
	return owner{}, errors.New("postgres does not run as root, and there is neither a user postgres nor a user nobody")
}

// credential gives what a child has to become, nil for what we are.
func (w owner) credential() *syscall.Credential {
	if !w.drop {
		return nil
	}
	return &syscall.Credential{Uid: uint32(w.uid), Gid: uint32(w.gid), Groups: []uint32{}}
}

// makeDir makes a directory that belongs to the owner, and its parents so that others may pass through them.
func (w owner) makeDir(path string, mode fs.FileMode) error {
	if err := makeOpenDirs(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", path)
	}
	if w.drop {
		return os.Chown(path, w.uid, w.gid)
	}
	return nil
}

// makeOpenDirs makes a directory and its parents. Those that it makes may be passed through by everybody, whatever the
// umask is.
func makeOpenDirs(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := filepath.Dir(path); parent != path {
		if err := makeOpenDirs(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	return os.Chmod(path, 0o755)
}

// canEnter says, when we drop privileges, whether the owner may pass through every directory down to path.
func (w owner) canEnter(path string) error {
	if !w.drop {
		return nil
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		bit := fs.FileMode(0o001)
		switch {
		case int(stat.Uid) == w.uid:
			bit = 0o100
		case int(stat.Gid) == w.gid:
			bit = 0o010
		}
		if info.Mode().Perm()&bit == 0 {
			return fmt.Errorf("user %d, who runs postgres in place of root, may not enter %s: choose a place outside it", w.uid, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// socketDir makes the private directory of the socket: inside dataDir if the path is short enough for a socket, else
// one below /tmp whose name follows from dataDir.
func (w owner) socketDir(dataDir string) (string, error) {
	dir := filepath.Join(dataDir, "run")
	if len(filepath.Join(dir, ".s.PGSQL."+port+".lock")) <= maxSocketPath {
		if err := w.makeDir(dir, 0o700); err != nil {
			return "", err
		}
		return dir, os.Chmod(dir, 0o700)
	}
	sum := sha256.Sum256([]byte(dataDir))
	dir = filepath.Join("/tmp", "openrabbit-"+hex.EncodeToString(sum[:8]))
	err := os.Mkdir(dir, 0o700)
	if err == nil && w.drop {
		err = os.Lchown(dir, w.uid, w.gid)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	// Anyone may make names in /tmp: it has to be a directory, ours and closed.
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != w.uid || info.Mode().Perm() != 0o700 {
		return "", fmt.Errorf("%s, the place for the socket, is there and not a private directory of user %d: remove it", dir, w.uid)
	}
	return dir, nil
}
