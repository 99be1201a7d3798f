package github

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// ArchiveLimits bound what is read of a repository. A zero field means its default.
type ArchiveLimits struct {
	// FileBytes is the largest file that is given. Default 1 MiB.
	FileBytes int64
	// Files is how many files are given. Default 50,000.
	Files int
	// ArchiveBytes and UnpackedBytes bound the archive itself, large files included. Default 512 MiB and 4 GiB.
	ArchiveBytes, UnpackedBytes int64
	// Stall ends the reading when nothing arrives for so long. Default 30 seconds.
	Stall time.Duration
}

func (l ArchiveLimits) withDefaults() ArchiveLimits {
	if l.FileBytes <= 0 {
		l.FileBytes = 1 << 20
	}
	if l.Files <= 0 {
		l.Files = 50_000
	}
	if l.ArchiveBytes <= 0 {
		l.ArchiveBytes = 512 << 20
	}
	if l.UnpackedBytes <= 0 {
		l.UnpackedBytes = 4 << 30
	}
	if l.Stall <= 0 {
		l.Stall = 30 * time.Second
	}
	return l
}

// Archive says what EachFile gave.
type Archive struct {
	// Files were given; TooLarge were left out because of FileBytes.
	Files, TooLarge int
	// Truncated is set when the limits ended the reading before the last file.
	Truncated bool
}

// EachFile calls fn with every regular file of a commit, in the archive's order, from one download. The content belongs
// to fn. Symbolic links, submodules and what .gitattributes keeps out of archives (export-ignore) are not in it. An error
// of fn ends the reading and is returned as it is. There is no overall deadline but ctx's; a reading that stalls ends.
func (c *Client) EachFile(ctx context.Context, repo, sha string, limits ArchiveLimits, fn func(path string, content []byte) error) (Archive, error) {
	const op = "download archive"
	owner, name, err := split(op, repo)
	if err != nil {
		return Archive{}, err
	}
	if sha == "" {
		return Archive{}, &Error{Op: op, Kind: Invalid, Message: "no commit"}
	}
	limits = limits.withDefaults()
	ctx, cancel := context.WithCancel(withLimit(ctx, limits.ArchiveBytes))
	defer cancel()
	req, err := c.gh.NewRequest("GET", "repos/"+owner+"/"+name+"/tarball/"+url.PathEscape(sha), nil)
	if err != nil {
		return Archive{}, wrap(op, false, err)
	}
	resp, err := c.gh.BareDo(ctx, req)
	if err != nil {
		return Archive{}, wrap(op, false, err)
	}
	defer resp.Body.Close()
	stalled := newStall(resp.Body, limits.Stall, cancel)
	defer stalled.stop()
	a, err := eachFile(stalled, limits, fn)
	var theirs callerError
	switch {
	case errors.As(err, &theirs):
		return a, theirs.error
	case err != nil && stalled.fired():
		return a, &Error{Op: op, Kind: Unavailable, Message: "the archive stalled"}
	case err != nil:
		return a, wrap(op, false, err)
	}
	return a, nil
}

// callerError marks an error of the caller's function.
type callerError struct{ error }

func eachFile(r io.Reader, limits ArchiveLimits, fn func(string, []byte) error) (Archive, error) {
	var a Archive
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return a, fmt.Errorf("open archive: %w", err)
	}
	unpacked := &io.LimitedReader{R: unzipped, N: limits.UnpackedBytes}
	files := tar.NewReader(unpacked)
	for {
		h, err := files.Next()
		switch {
		case unpacked.N <= 0:
			a.Truncated = true
			return a, nil
		case errors.Is(err, io.EOF):
			return a, nil
		case err != nil:
			return a, fmt.Errorf("read archive: %w", err)
		case h.Typeflag != tar.TypeReg:
			continue
		}
		// The first element is GitHub's: OWNER-NAME-COMMIT.
		_, path, ok := strings.Cut(h.Name, "/")
		if _, fine := escapePath(path); !ok || !fine {
			continue
		}
		if h.Size > limits.FileBytes {
			a.TooLarge++
			continue
		}
		if a.Files == limits.Files {
			a.Truncated = true
			return a, nil
		}
		content := make([]byte, h.Size)
		if _, err := io.ReadFull(files, content); err != nil {
			if unpacked.N <= 0 {
				a.Truncated = true
				return a, nil
			}
			return a, fmt.Errorf("read %s in archive: %w", clean(path, nil), err)
		}
		a.Files++
		if err := fn(path, content); err != nil {
			return a, callerError{err}
		}
	}
}

// stall cancels a reading when one Read takes too long. Time that the caller spends between reads does not count.
type stall struct {
	r     io.Reader
	after time.Duration
	timer *time.Timer
	over  atomic.Bool
}

func newStall(r io.Reader, after time.Duration, cancel func()) *stall {
	s := &stall{r: r, after: after}
	s.timer = time.AfterFunc(after, func() {
		s.over.Store(true)
		cancel()
	})
	s.timer.Stop()
	return s
}

func (s *stall) Read(p []byte) (int, error) {
	s.timer.Reset(s.after)
	defer s.timer.Stop()
	return s.r.Read(p)
}

func (s *stall) stop() { s.timer.Stop() }

func (s *stall) fired() bool { return s.over.Load() }
