package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
)

// configName is where a repository says how it wants to be reviewed.
const configName = ".openrabbit.yaml"

// local is a change found on this machine.
type local struct {
	change review.Change
	files  review.Files
	// config is the text of .openrabbit.yaml at the base, nil when there is none.
	config []byte
	// omissions are what is not in the diff and a reader might look for.
	omissions []finding.Omission
}

// git runs git in a directory, without the user's pager and file watcher. Its error is what git says, in one line.
func git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "--no-pager", "-c", "core.quotePath=true",
		"-c", "core.fsmonitor=false", "-c", "diff.suppressBlankEmpty=false"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, errors.New("git is not installed; --diff FILE needs none")
		}
		if text, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n"); text != "" {
			err = errors.New(strings.TrimPrefix(text, "fatal: "))
		}
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return stdout.Bytes(), nil
}

// diffArgs make git print what internal/diff reads, whatever the user's configuration says.
var diffArgs = []string{"diff", "--no-ext-diff", "--no-textconv", "--no-color", "--find-renames", "--full-index", "--patch",
	"--unified=3", "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short", "--ignore-submodules=none",
	"--no-relative", "-O/dev/null"}

// mainBranches are tried in this order when no base is named.
var mainBranches = []string{"main", "origin/main", "master", "origin/master"}

// fromBase gives the change from the merge base of HEAD and a branch to the working tree. An empty base means the first
// of mainBranches.
func fromBase(ctx context.Context, dir, base string) (local, error) {
	root, err := topLevel(ctx, dir)
	if err != nil {
		return local{}, err
	}
	for _, name := range mainBranches {
		if _, err := commit(ctx, root, name); err == nil && base == "" {
			base = name
		}
	}
	if base == "" {
		return local{}, errors.New("no branch main or master here: --base BRANCH names the one that the change will go into")
	}
	merge, err := mergeBase(ctx, root, base, "HEAD")
	if err != nil {
		return local{}, err
	}
	l, err := fromGit(ctx, root, merge, "")
	if err != nil {
		return local{}, err
	}
	names, err := git(ctx, root, "ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory")
	if err != nil {
		return local{}, err
	}
	l.omissions = append(l.omissions, untracked(strings.FieldsFunc(string(names), func(r rune) bool { return r == 0 }))...)
	return l, nil
}

// untracked tells of files, and directories of them, of which git knows nothing yet. They may be anything, so they are
// not sent anywhere before somebody adds them.
func untracked(names []string) []finding.Omission {
	const most = 20
	var out []finding.Omission
	for i, name := range names {
		if i == most {
			return append(out, finding.Omission{Reason: fmt.Sprintf("%d more that git does not track", len(names)-most), Policy: true})
		}
		out = append(out, finding.Omission{Path: name, Reason: "not tracked by git (git add -N makes it part of the change)", Policy: true})
	}
	return out
}

// fromRange gives the change a..b (from a to b) or a...b (from their merge base to b).
func fromRange(ctx context.Context, dir, spec string) (local, error) {
	root, err := topLevel(ctx, dir)
	if err != nil {
		return local{}, err
	}
	a, b, three := strings.Cut(spec, "...")
	if !three {
		var two bool
		if a, b, two = strings.Cut(spec, ".."); !two {
			return local{}, fmt.Errorf("--range %q: want a..b or a...b", spec)
		}
	}
	a, b = cmp.Or(a, "HEAD"), cmp.Or(b, "HEAD")
	if three {
		if a, err = mergeBase(ctx, root, a, b); err != nil {
			return local{}, err
		}
	}
	return fromGit(ctx, root, a, b)
}

// mergeBase gives the commit at which two parted.
func mergeBase(ctx context.Context, root, a, b string) (string, error) {
	one, err := commit(ctx, root, a)
	if err != nil {
		return "", err
	}
	other, err := commit(ctx, root, b)
	if err != nil {
		return "", err
	}
	out, err := git(ctx, root, "merge-base", one, other)
	if err != nil {
		return "", fmt.Errorf("%s and %s have no commit in common here (in a shallow clone, fetch more history)", a, b)
	}
	return strings.TrimSpace(string(out)), nil
}

// fromGit gives the change between two commits, or from a commit to the working tree when head is empty.
func fromGit(ctx context.Context, root, base, head string) (local, error) {
	baseSHA, err := commit(ctx, root, base)
	if err != nil {
		return local{}, err
	}
	args := append([]string{}, diffArgs...)
	args = append(args, baseSHA)
	headSHA := ""
	if head != "" {
		if headSHA, err = commit(ctx, root, head); err != nil {
			return local{}, err
		}
		args = append(args, headSHA)
	}
	patch, err := git(ctx, root, append(args, "--")...)
	if err != nil {
		return local{}, err
	}
	d, err := diff.Parse(bytes.NewReader(patch), diff.Limits{})
	broken, whole := diff.SplitErrors(err)
	if whole != nil {
		return local{}, fmt.Errorf("parse git's diff: %w", whole)
	}
	var omissions []finding.Omission
	for _, b := range broken {
		omissions = append(omissions, finding.Omission{Path: b.Path, Reason: b.Problem})
	}
	files := gitFiles{root: root, base: baseSHA, head: headSHA}
	config, err := files.show(ctx, baseSHA, configName)
	if err != nil {
		return local{}, err
	}
	title := "Working tree"
	if headSHA != "" {
		if subject, err := git(ctx, root, "log", "-1", "--format=%s", headSHA); err == nil {
			title = strings.TrimSpace(string(subject))
		}
	}
	return local{config: config, files: files, omissions: omissions, change: review.Change{
		Repository: filepath.Base(root), Title: title, Base: baseSHA, Head: headSHA, Diff: d}}, nil
}

func topLevel(ctx context.Context, dir string) (string, error) {
	out, err := git(ctx, cmp.Or(dir, "."), "rev-parse", "--show-toplevel")
	if err != nil {
		return "", fmt.Errorf("this is not inside a git work tree; give --diff FILE or a pull request's URL instead (%w)", err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

func commit(ctx context.Context, root, name string) (string, error) {
	out, err := git(ctx, root, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if err != nil {
		if name == "HEAD" && ctx.Err() == nil {
			return "", errors.New("there is no commit here yet")
		}
		return "", fmt.Errorf("%q is no branch, tag or commit here", name)
	}
	return strings.TrimSpace(string(out)), nil
}

// gitFiles reads both ends of a change from git's objects, or the new end from the working tree.
type gitFiles struct{ root, base, head string }

var _ review.Files = gitFiles{}

// Read implements review.Files.
func (g gitFiles) Read(ctx context.Context, side diff.Side, path string) ([]byte, error) {
	switch {
	case side == diff.Old:
		return g.show(ctx, g.base, path)
	case g.head != "":
		return g.show(ctx, g.head, path)
	}
	// Nothing outside the repository is read, whatever a link says; and as in git's own objects, a link is its target's
	// name, not what stands there.
	root, err := os.OpenRoot(g.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	path = filepath.FromSlash(path)
	info, err := root.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := root.Readlink(path)
		return []byte(target), err
	case !info.Mode().IsRegular():
		return nil, nil // a submodule
	}
	return root.ReadFile(path)
}

// show gives a file of a commit, nil when it is not there.
func (g gitFiles) show(ctx context.Context, sha, path string) ([]byte, error) {
	text, err := git(ctx, g.root, "cat-file", "blob", sha+":"+path)
	if err == nil {
		return text, nil
	}
	// Not there, or a submodule or a directory: the tree says which. Anything else is a repository that cannot be read.
	entry, lsErr := git(ctx, g.root, "ls-tree", "-z", sha, "--", ":(literal,top)"+path)
	if lsErr == nil && !strings.Contains(string(entry), " blob ") {
		return nil, nil
	}
	return nil, err
}

// fromDiff gives the change that a diff in a file or on standard input describes. Nothing but the diff is known then.
func fromDiff(ctx context.Context, name string, stdin io.Reader) (local, error) {
	in, title := stdin, "standard input"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return local{}, err
		}
		defer f.Close()
		in, title = f, filepath.Base(name)
	}
	type parsed struct {
		diff diff.Diff
		err  error
	}
	done := make(chan parsed, 1)
	go func() {
		d, err := diff.Parse(in, diff.Limits{})
		done <- parsed{d, err}
	}()
	select {
	case <-ctx.Done(): // nobody types the diff that is waited for
		return local{}, ctx.Err()
	case p := <-done:
		if p.err != nil {
			return local{}, fmt.Errorf("%s: %w", title, p.err)
		}
		return local{files: noFiles{}, change: review.Change{Repository: "local", Title: title, Diff: p.diff}}, nil
	}
}

// noFiles is the repository of a bare diff.
type noFiles struct{}

var _ review.Files = noFiles{}

// Read implements review.Files: nothing is known of any file.
func (noFiles) Read(context.Context, diff.Side, string) ([]byte, error) { return nil, nil }
