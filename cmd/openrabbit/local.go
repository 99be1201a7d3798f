package main

import (
	"bytes"
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
}

// git runs git in a directory, without the user's pager, external diff tools or colours.
func git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "--no-pager", "-c", "core.quotePath=true"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			err = errors.New(text)
		}
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return stdout.Bytes(), nil
}

// diffArgs make git print what internal/diff reads, whatever the user's configuration says.
var diffArgs = []string{"diff", "--no-ext-diff", "--no-textconv", "--no-color", "--find-renames", "--full-index",
	"--src-prefix=a/", "--dst-prefix=b/", "--submodule=short", "--no-relative"}

// fromBase gives the change from the merge base of HEAD and a branch to the working tree.
func fromBase(ctx context.Context, dir, base string) (local, error) {
	root, err := topLevel(ctx, dir)
	if err != nil {
		return local{}, err
	}
	merge, err := git(ctx, root, "merge-base", "--", base, "HEAD")
	if err != nil {
		return local{}, fmt.Errorf("find where %s and HEAD parted: %w", base, err)
	}
	sha := strings.TrimSpace(string(merge))
	return fromGit(ctx, root, sha, "")
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
			return local{}, usageError{fmt.Sprintf("--range %q: want a..b or a...b", spec)}
		}
	}
	if a == "" {
		a = "HEAD"
	}
	if b == "" {
		b = "HEAD"
	}
	if three {
		merge, err := git(ctx, root, "merge-base", "--", a, b)
		if err != nil {
			return local{}, fmt.Errorf("find where %s and %s parted: %w", a, b, err)
		}
		a = strings.TrimSpace(string(merge))
	}
	return fromGit(ctx, root, a, b)
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
	if err != nil {
		return local{}, fmt.Errorf("parse git's diff: %w", err)
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
	return local{config: config, files: files, change: review.Change{
		Repository: filepath.Base(root), Title: title, Base: baseSHA, Head: headSHA, Diff: d}}, nil
}

func topLevel(ctx context.Context, dir string) (string, error) {
	out, err := git(ctx, dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return "", fmt.Errorf("this is not inside a git repository (use --diff FILE to review a bare diff): %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func commit(ctx context.Context, root, name string) (string, error) {
	out, err := git(ctx, root, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("%q names no commit here", name)
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
	// Nothing outside the repository is read, whatever a link says.
	root, err := os.OpenRoot(g.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	text, err := root.ReadFile(filepath.FromSlash(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// show gives a file of a commit, nil when it is not there.
func (g gitFiles) show(ctx context.Context, sha, path string) ([]byte, error) {
	kind, err := git(ctx, g.root, "cat-file", "-t", sha+":"+path)
	if err != nil || strings.TrimSpace(string(kind)) != "blob" {
		return nil, ctx.Err()
	}
	return git(ctx, g.root, "cat-file", "blob", sha+":"+path)
}

// fromDiff gives the change that a diff in a file or on standard input describes. Nothing but the diff is known then.
func fromDiff(name string, stdin io.Reader) (local, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return local{}, err
		}
		defer f.Close()
		in = f
	}
	d, err := diff.Parse(in, diff.Limits{})
	if err != nil {
		return local{}, fmt.Errorf("parse %s: %w", name, err)
	}
	return local{files: noFiles{}, change: review.Change{Repository: "local", Title: filepath.Base(name), Diff: d}}, nil
}

// noFiles is the repository of a bare diff.
type noFiles struct{}

var _ review.Files = noFiles{}

// Read implements review.Files: nothing is known of any file.
func (noFiles) Read(context.Context, diff.Side, string) ([]byte, error) { return nil, nil }
