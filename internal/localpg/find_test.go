//go:build unix

package localpg

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// install puts a Postgres of a version into a directory: as much of it as is asked for a version.
func install(t *testing.T, dir, version string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"initdb", "postgres"} {
		script := "#!/bin/sh\necho '" + name + " (PostgreSQL) " + version + "'\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	old := install(t, filepath.Join(base, "13"), "13.22")
	fifteen := install(t, filepath.Join(base, "15"), "15.18 (Debian 15.18-0+deb12u1)")
	seventeen := install(t, filepath.Join(base, "17"), "17beta1")
	partial := install(t, filepath.Join(base, "partial"), "16.1")
	if err := os.Remove(filepath.Join(partial, "initdb")); err != nil {
		t.Fatal(err)
	}
	broken := install(t, filepath.Join(base, "broken"), "16.1")
	if err := os.WriteFile(filepath.Join(broken, "postgres"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		dirs  []string
		major int
		want  Version
		says  string
	}{
		{"none", nil, 0, Version{}, "apt-get install postgresql"},
		{"the first that is new enough", []string{partial, broken, old, seventeen, fifteen}, 0, Version{17, 0}, ""},
		{"of the data", []string{seventeen, fifteen}, 15, Version{15, 18}, ""},
		{"not of the data", []string{seventeen}, 15, Version{}, "made by 15; found 17.0"},
		{"too old", []string{old}, 0, Version{}, "15 or newer is needed; found 13.22"},
		{"no such directory", []string{filepath.Join(base, "nowhere")}, 0, Version{}, "apt-get install postgresql"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dirs := append([]string{}, test.dirs...)
			found, err := Find(t.Context(), Options{BinDirs: dirs, CacheDir: filepath.Join(base, "cache")}, test.major)
			if found.Version != test.want || (err == nil) != (test.says == "") {
				t.Errorf("found %v, %v", found, err)
			}
			if err != nil && (!errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("says %q, want one line with %q", err, test.says)
			}
		})
	}
}

func TestStartWithoutPostgres(t *testing.T) {
	t.Parallel()
	_, err := Start(deadline(t), Options{DataDir: place(t), CacheDir: t.TempDir(), BinDirs: []string{}})
	if !errors.Is(err, ErrNotInstalled) || strings.Contains(err.Error(), "\n") {
		t.Errorf("gave %v, want one line that says what to install", err)
	}
}

func TestStartWithAnotherMajor(t *testing.T) {
	t.Parallel()
	dir := place(t)
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("99\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, fetch := range []bool{false, true} {
		_, err := Start(deadline(t), Options{DataDir: dir, CacheDir: t.TempDir(), Fetch: fetch})
		if err == nil || !strings.Contains(err.Error(), "99") {
			t.Errorf("gave %v, want a message that names the version of the data", err)
		}
	}
}

func TestPATHIsSearched(t *testing.T) {
	dir := install(t, filepath.Join(t.TempDir(), "bin"), "98.7")
	t.Setenv("PATH", dir)
	found, err := Find(t.Context(), Options{CacheDir: t.TempDir()}, 98)
	if resolved, evalErr := filepath.EvalSymlinks(dir); err != nil || evalErr != nil || found.Dir != resolved {
		t.Errorf("found %v, %v", found, err)
	}
}
