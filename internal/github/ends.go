package github

import (
	"context"

	gh "github.com/google/go-github/v62/github"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/review"
)

// readsBeside is how many files beside the change one review may read: each is a call of the installation's 5,000 an hour.
const readsBeside = 40

// Files is a repository at the two ends of a change.
type Files struct {
	c                *Client
	repo, base, head string
}

var (
	_ review.Files = (*Files)(nil)
	_ review.Tree  = (*Files)(nil)
)

// Files gives the files at the two ends of a change, which can also be listed: so a review may follow imports to
// files outside the change. A side without a commit has no files. Listing is one call, and Affordable bounds the reads.
func (c *Client) Files(repo, baseSHA, headSHA string) *Files {
	return &Files{c: c, repo: repo, base: baseSHA, head: headSHA}
}

// Read implements review.Files. A file beyond File's cap counts as one whose content is not known: its change is still
// in the diff, and nobody parses a file of that size.
func (f *Files) Read(ctx context.Context, side diff.Side, path string) ([]byte, error) {
	ref := f.head
	if side == diff.Old {
		ref = f.base
	}
	if ref == "" || side == diff.SideUnknown {
		return nil, nil
	}
	content, err := f.c.File(ctx, f.repo, ref, path)
	if KindOf(err) == TooLarge {
		return nil, nil
	}
	return content, err
}

// Affordable implements review.Tree.
func (f *Files) Affordable() int { return readsBeside }

// Paths implements review.Tree. Of a repository that is too large for GitHub to list in one answer nothing is known.
func (f *Files) Paths(ctx context.Context) ([]string, error) {
	const op = "list files"
	owner, name, err := split(op, f.repo)
	if err != nil || f.head == "" {
		return nil, err
	}
	tree, _, err := call(ctx, f.c, op, false, func(ctx context.Context) (*gh.Tree, *gh.Response, error) {
		return f.c.gh.Git.GetTree(ctx, owner, name, f.head, true)
	})
	switch kind := KindOf(err); {
	case kind == NotFound || kind == TooLarge:
		return nil, nil
	case err != nil:
		return nil, err
	case tree.GetTruncated():
		return nil, nil
	}
	var paths []string
	for _, e := range tree.Entries {
		if e.GetType() == "blob" && e.GetMode() != "120000" { // a link is its target's name
			paths = append(paths, e.GetPath())
		}
	}
	return paths, nil
}
