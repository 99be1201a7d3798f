//go:build unix

package localpg

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	// An installation has about 1,000 files and 60 MB.
	maxFiles    = 20_000
	maxUnpacked = 1 << 30
	maxLinks    = 1 << 20
)

// unpackNPM unpacks what is below package/native of an npm tarball and makes the symbolic links that such a tarball
// cannot hold and lists in pg-symlinks.json.
func unpackNPM(tarball io.Reader, target string) error {
	content, err := gzip.NewReader(tarball)
	if err != nil {
		return fmt.Errorf("open the tarball: %w", err)
	}
	const prefix = "package/native/"
	if err := unpackTar(content, target, prefix); err != nil {
		return err
	}
	listed, err := os.ReadFile(filepath.Join(target, "pg-symlinks.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if len(listed) > maxLinks {
		return errors.New("the list of links is too long")
	}
	if err := json.Unmarshal(listed, &links); err != nil {
		return fmt.Errorf("read the list of links: %w", err)
	}
	root, err := os.OpenRoot(target)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for _, link := range links {
		source, ok1 := strings.CutPrefix(link.Source, "native/")
		place, ok2 := strings.CutPrefix(link.Target, "native/")
		if !ok1 || !ok2 || !filepath.IsLocal(source) || !filepath.IsLocal(place) {
			return fmt.Errorf("the link %.100q leaves the archive", link.Target)
		}
		relative, err := filepath.Rel(path.Dir(place), source)
		if err != nil {
			return err
		}
		if exists(filepath.Join(target, place)) {
			continue
		}
		if err := root.Symlink(relative, place); err != nil {
			return err
		}
	}
	return nil
}

// unpackTar unpacks the entries below prefix. Nothing is written outside target, whatever the archive says: the
// operations go through os.Root. Entries that are neither a file, a directory nor a symbolic link are refused.
func unpackTar(content io.Reader, target, prefix string) error {
	root, err := os.OpenRoot(target)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	archive := tar.NewReader(content)
	left := int64(maxUnpacked)
	for files := 0; ; files++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		if files >= maxFiles {
			return fmt.Errorf("the archive holds more than %d entries", maxFiles)
		}
		name, ok := strings.CutPrefix(path.Clean(header.Name), prefix)
		if !ok || name == "" || name == "." {
			continue
		}
		if left -= header.Size; left < 0 || header.Size < 0 {
			return fmt.Errorf("the archive holds more than %d bytes", int64(maxUnpacked))
		}
		if err := unpackEntry(root, archive, header, name); err != nil {
			return fmt.Errorf("unpack %.100q: %w", name, err)
		}
	}
}

func unpackEntry(root *os.Root, content io.Reader, header *tar.Header, name string) error {
	if !filepath.IsLocal(name) {
		return errors.New("the name leaves the archive")
	}
	if header.Typeflag == tar.TypeDir {
		return root.MkdirAll(name, 0o755)
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeReg:
	case tar.TypeSymlink:
		if !filepath.IsLocal(path.Join(path.Dir(name), header.Linkname)) || path.IsAbs(header.Linkname) {
			return errors.New("the link leaves the archive")
		}
		return root.Symlink(header.Linkname, name)
	default:
		return fmt.Errorf("an entry of type %q", header.Typeflag)
	}
	mode := fs.FileMode(0o644)
	if header.Mode&0o111 != 0 {
		mode = 0o755
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}
