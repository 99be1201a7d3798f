//go:build unix

package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// minMajor is the oldest Postgres that our SQL and River's are tested with.
const minMajor = 15

// ErrNotInstalled says that no Postgres was found and none may be, or could be, fetched. Its text says what to do.
var ErrNotInstalled = errors.New("no Postgres found: install it (Debian and Ubuntu: apt-get install postgresql; macOS: brew install postgresql) or set DATABASE_URL")

// Version is a version of Postgres.
type Version struct{ Major, Minor int }

// String gives the usual form, such as 15.18.
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Binaries is one installation of Postgres.
type Binaries struct {
	// Dir holds initdb and postgres.
	Dir     string
	Version Version
}

func (b Binaries) path(program string) string { return filepath.Join(b.Dir, program) }

// Find gives the installed Postgres to use: the system's, else one in the cache. major is that of an existing cluster,
// which only the same major can open; 0 takes the first that is new enough.
func Find(ctx context.Context, o Options, major int) (Binaries, error) {
	o, err := o.complete()
	if err != nil {
		return Binaries{}, err
	}
	return o.find(ctx, major)
}

// binaries finds Postgres, or fetches it when that is allowed.
func (o Options) binaries(ctx context.Context, major int) (Binaries, error) {
	found, err := o.find(ctx, major)
	if err == nil || !errors.Is(err, ErrNotInstalled) || !o.Fetch {
		return found, err
	}
	if major != 0 && major != fetchMajor {
		return Binaries{}, fmt.Errorf("the data was made by Postgres %d, and what can be fetched is %d: install postgresql-%d", major, fetchMajor, major)
	}
	return o.fetch(ctx)
}

func (o Options) find(ctx context.Context, major int) (Binaries, error) {
	var others []string
	for _, dir := range o.candidates(ctx) {
		version, ok := inspect(ctx, dir)
		if !ok {
			continue
		}
		if version.Major < minMajor || (major != 0 && version.Major != major) {
			others = append(others, fmt.Sprintf("%s in %s", version, dir))
			continue
		}
		return Binaries{Dir: dir, Version: version}, nil
	}
	if err := ctx.Err(); err != nil {
		return Binaries{}, fmt.Errorf("look for Postgres: %w", err)
	}
	if len(others) == 0 {
		return Binaries{}, ErrNotInstalled
	}
	wanted := fmt.Sprintf("%d or newer is needed", minMajor)
	if major != 0 {
		wanted = fmt.Sprintf("the data was made by %d", major)
	}
	return Binaries{}, fmt.Errorf("%w (%s; found %s)", ErrNotInstalled, wanted, strings.Join(others, ", "))
}

// candidates gives directories that may hold binaries, best first, each once.
func (o Options) candidates(ctx context.Context) []string {
	dirs := o.BinDirs
	if dirs == nil {
		dirs = systemDirs(ctx)
	}
	if o.CacheDir != "" {
		dirs = append(slices.Clone(dirs), o.cachedDir())
	}
	var once []string
	for _, dir := range dirs {
		if resolved, err := filepath.EvalSymlinks(dir); err == nil && !slices.Contains(once, resolved) {
			once = append(once, resolved)
		}
	}
	return once
}

// systemDirs gives where systems put Postgres: what pg_config says, Debian's and Red Hat's places with the newest
// first, Homebrew's, and every directory of PATH.
func systemDirs(ctx context.Context) []string {
	var dirs []string
	asking, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if output, err := exec.CommandContext(asking, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(output)))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		slices.SortFunc(found, func(a, b string) int { return majorIn(b) - majorIn(a) })
		dirs = append(dirs, found...)
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// majorIn gives the last number in a path.
func majorIn(path string) int {
	numbers := regexp.MustCompile(`[0-9]+`).FindAllString(path, -1)
	if len(numbers) == 0 {
		return 0
	}
	n, err := strconv.Atoi(numbers[len(numbers)-1])
	if err != nil {
		return 0
	}
	return n
}

// inspect says whether a directory holds both programs, and which version.
func inspect(ctx context.Context, dir string) (Version, bool) {
	b := Binaries{Dir: dir}
	for _, program := range []string{"initdb", "postgres"} {
		info, err := os.Stat(b.path(program))
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
			return Version{}, false
		}
	}
	asking, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(asking, b.path("postgres"), "--version")
	cmd.Env = environment()
	output, err := cmd.Output()
	if err != nil {
		return Version{}, false
	}
	return parseVersion(string(output))
}

// parseVersion reads "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"; a beta has no minor.
func parseVersion(text string) (Version, bool) {
	match := regexp.MustCompile(`\(PostgreSQL\) ([0-9]{1,4})(?:\.([0-9]{1,4}))?`).FindStringSubmatch(text)
	if match == nil {
		return Version{}, false
	}
	major, err := strconv.Atoi(match[1])
	if err != nil {
		return Version{}, false
	}
	minor := 0
	if match[2] != "" {
		if minor, err = strconv.Atoi(match[2]); err != nil {
			return Version{}, false
		}
	}
	return Version{Major: major, Minor: minor}, true
}
