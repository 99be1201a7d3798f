package github

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"

	gh "github.com/google/go-github/v62/github"

	"github.com/openrabbit/openrabbit/internal/diff"
)

const (
	maxDiff   = 32 << 20
	emptyBlob = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
)

// Diff reads the change of a pull request. GitHub refuses (406) the diff of one with more than 300 files, 20,000 lines or
// 1 MB; then the files come page by page with a patch each. What GitHub gives no patch for, what cannot be parsed, and what
// is beyond the 3,000 files that GitHub lists, is compared here, within bounds. What is left is in the diff as an Unseen
// file, so that no file is missing in silence.
func (c *Client) Diff(ctx context.Context, repo string, number int, pr PullRequest) (diff.Diff, error) {
	d, err := c.givenDiff(ctx, repo, number, pr)
	if err != nil {
		return diff.Diff{}, err
	}
	if err := c.fill(ctx, repo, pr, &d); err != nil {
		return diff.Diff{}, err
	}
	return d, nil
}

// givenDiff reads the change as GitHub gives it.
func (c *Client) givenDiff(ctx context.Context, repo string, number int, pr PullRequest) (diff.Diff, error) {
	const op = "get diff"
	owner, name, err := split(op, repo)
	if err != nil {
		return diff.Diff{}, err
	}
	raw, _, err := call(withLimit(ctx, maxDiff), c, op, false, func(ctx context.Context) (string, *gh.Response, error) {
		return c.gh.PullRequests.GetRaw(ctx, owner, name, number, gh.RawOptions{Type: gh.Diff})
	})
	switch {
	case KindOf(err) == TooLarge:
		return c.listedDiff(ctx, repo, number, pr)
	case err != nil:
		return diff.Diff{}, err
	}
	d, err := diff.Parse(strings.NewReader(raw), diff.Limits{})
	broken, whole := diff.SplitErrors(err)
	switch {
	case errors.Is(whole, diff.ErrTooLarge):
		return c.listedDiff(ctx, repo, number, pr)
	case whole != nil:
		return diff.Diff{}, &Error{Op: op, Kind: Unavailable, Message: "the diff cannot be read: " + clean(whole.Error(), nil)}
	case len(broken) == 0 && len(d.Files) >= pr.ChangedFiles:
		return d, nil
	}
	// Some files are broken or missing: the listing names them, and may have them in a better state.
	listed, err := c.listedDiff(ctx, repo, number, pr)
	if err != nil {
		return diff.Diff{}, err
	}
	for _, f := range listed.Files {
		if d.File(f.Path()) == nil {
			d.Files = append(d.Files, f)
		}
	}
	for _, b := range broken {
		if b.Path != "" && d.File(b.Path) == nil {
			d.Files = append(d.Files, diff.File{OldPath: b.Path, NewPath: b.Path, Status: diff.StatusModified, Unseen: true})
		}
	}
	return d, nil
}

// listedDiff puts the diff together from the listing of changed files.
func (c *Client) listedDiff(ctx context.Context, repo string, number int, pr PullRequest) (diff.Diff, error) {
	const op = "list changed files"
	owner, name, err := split(op, repo)
	if err != nil {
		return diff.Diff{}, err
	}
	var d diff.Diff
	seen := map[string]bool{}
	err = pages(withLimit(ctx, maxDiff), c, op, func(ctx context.Context, o gh.ListOptions) ([]*gh.CommitFile, *gh.Response, error) {
		return c.gh.PullRequests.ListFiles(ctx, owner, name, number, &o)
	}, func(f *gh.CommitFile) error {
		if f.GetFilename() != "" && !seen[f.GetFilename()] {
			seen[f.GetFilename()] = true
			d.Files = append(d.Files, listedFile(f))
		}
		return nil
	})
	if err != nil {
		return diff.Diff{}, err
	}
	if pr.ChangedFiles > len(d.Files) { // GitHub lists the first 3,000
		if err := c.addUnlisted(ctx, repo, pr, &d); err != nil {
			return diff.Diff{}, err
		}
	}
	return d, nil
}

var submodulePatch = regexp.MustCompile(`(?m)^[-+]Subproject commit [0-9a-f]{40,64}$`)

// listedFile makes a file of an entry of the listing.
func listedFile(f *gh.CommitFile) diff.File {
	file := diff.File{OldPath: f.GetFilename(), NewPath: f.GetFilename(), Status: diff.StatusModified}
	switch f.GetStatus() {
	case "added":
		file.OldPath, file.Status = "", diff.StatusAdded
	case "removed":
		file.NewPath, file.Status = "", diff.StatusDeleted
	case "renamed":
		file.OldPath, file.Status = f.GetPreviousFilename(), diff.StatusRenamed
	case "copied":
		file.OldPath, file.Status = f.GetPreviousFilename(), diff.StatusCopied
	}
	switch {
	case f.GetPatch() != "":
		// GitHub's own counts tell a patch that was cut.
		parsed, err := diff.ParsePatch(file.OldPath, file.NewPath, file.Status, f.GetPatch())
		added, deleted := parsed.Counts()
		file.Unseen = err != nil || added != f.GetAdditions() || deleted != f.GetDeletions()
		if !file.Unseen {
			file.Hunks = parsed.Hunks
		}
		file.Submodule = submodulePatch.MatchString(f.GetPatch())
	case f.GetChanges() > 0 || f.GetAdditions() > 0 || f.GetDeletions() > 0:
		file.Unseen = true
	default:
		// No lines changed: a pure rename, a change of mode, an empty file, or a binary one.
		switch f.GetStatus() {
		case "added", "removed", "modified":
			file.Binary = f.GetSHA() != emptyBlob
		}
	}
	return file
}

// addUnlisted names the changed files beyond those that GitHub lists, by comparing the two trees.
func (c *Client) addUnlisted(ctx context.Context, repo string, pr PullRequest, d *diff.Diff) error {
	if err := c.needMergeBase(ctx, repo, &pr); err != nil {
		return err
	}
	base, err := c.tree(ctx, repo, pr.MergeBase)
	if err != nil {
		return err
	}
	head, err := c.tree(ctx, repo, pr.Head)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, f := range d.Files {
		known[f.NewPath] = true
		if f.Status != diff.StatusCopied {
			known[f.OldPath] = true
		}
	}
	add := func(f diff.File) {
		if !known[f.Path()] {
			f.Unseen = true
			d.Files = append(d.Files, f)
		}
	}
	for _, e := range head.order {
		switch before, ok := base.ids[e]; {
		case !ok:
			add(diff.File{NewPath: e, Status: diff.StatusAdded})
		case before != head.ids[e]:
			add(diff.File{OldPath: e, NewPath: e, Status: diff.StatusModified})
		}
	}
	for _, e := range base.order {
		if _, ok := head.ids[e]; !ok {
			add(diff.File{OldPath: e, Status: diff.StatusDeleted})
		}
	}
	return nil
}

// tree is what a revision holds: for each path an id that changes with content or mode.
type tree struct {
	ids   map[string]string
	order []string
}

func (c *Client) tree(ctx context.Context, repo, sha string) (tree, error) {
	const op = "get tree"
	owner, name, err := split(op, repo)
	if err != nil {
		return tree{}, err
	}
	got, _, err := call(withLimit(ctx, maxDiff), c, op, false, func(ctx context.Context) (*gh.Tree, *gh.Response, error) {
		return c.gh.Git.GetTree(ctx, owner, name, sha, true)
	})
	if err != nil {
		return tree{}, err
	}
	if got.GetTruncated() {
		return tree{}, &Error{Op: op, Kind: TooLarge, Message: "GitHub does not name all files of so large a repository"}
	}
	t := tree{ids: map[string]string{}}
	for _, e := range got.Entries {
		if e.GetType() != "tree" {
			t.ids[e.GetPath()] = e.GetMode() + e.GetSHA()
			t.order = append(t.order, e.GetPath())
		}
	}
	return t, nil
}

// bodyOf reads a raw answer whole; its cap is the transport's.
func bodyOf(ctx context.Context, c *Client, path, accept string) ([]byte, *gh.Response, error) {
	req, err := c.gh.NewRequest("GET", path, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", accept)
	var b bytes.Buffer
	resp, err := c.gh.Do(ctx, req, &b)
	return b.Bytes(), resp, err
}
