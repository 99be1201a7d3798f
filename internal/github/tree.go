package github

import (
	"context"

	gh "github.com/google/go-github/v62/github"

	"github.com/openrabbit/openrabbit/internal/review"
)

// readsBeside is how many files beside the change one review may read: each is a call of the installation's 5,000 an hour.
const readsBeside = 40

// repository is a repository at the two ends of a change, whose files can also be listed.
type repository struct{ files }

var (
	_ review.Files = (*repository)(nil)
	_ review.Tree  = (*repository)(nil)
)

// Repository gives what Files gives, and can list the head: so a review may follow imports to files outside the change.
// Listing is one call, and Affordable bounds the reads.
func (c *Client) Repository(repo, baseSHA, headSHA string) review.Files {
	return &repository{files{c: c, repo: repo, base: baseSHA, head: headSHA}}
}

// Affordable implements review.Tree.
func (r *repository) Affordable() int { return readsBeside }

// Paths implements review.Tree. Of a repository that is too large for GitHub to list in one answer nothing is known.
func (r *repository) Paths(ctx context.Context) ([]string, error) {
	const op = "list files"
	owner, name, err := split(op, r.repo)
	if err != nil || r.head == "" {
		return nil, err
	}
	tree, _, err := call(ctx, r.c, op, false, func(ctx context.Context) (*gh.Tree, *gh.Response, error) {
		return r.c.gh.Git.GetTree(ctx, owner, name, r.head, true)
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
