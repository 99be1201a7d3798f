package github

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/review"
)

const (
	// filledFiles is how many files without a patch are read whole: each is two calls of the installation's 5,000 an hour.
	filledFiles = 20
	// filledAtOnce is how many of them are read side by side.
	filledAtOnce = 8
)

// fill reads both contents of files that GitHub gave no lines for, and finds the lines. What stays Unseen: files that
// nobody wrote here, those beyond the first filledFiles, and what is too large to be read.
func (c *Client) fill(ctx context.Context, repo string, pr PullRequest, d *diff.Diff) error {
	var bare []*diff.File
	for i := range d.Files {
		if f := &d.Files[i]; f.Unseen && !f.Submodule && len(bare) < filledFiles && review.OwnCode(f.Path()) {
			bare = append(bare, f)
		}
	}
	if len(bare) == 0 {
		return nil
	}
	if err := c.needMergeBase(ctx, repo, &pr); err != nil {
		return err
	}
	ends := c.Files(repo, pr.MergeBase, pr.Head)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(filledAtOnce)
	for _, f := range bare {
		group.Go(func() error {
			before, known, err := end(ctx, ends, diff.Old, f.OldPath)
			if err != nil || !known {
				return err
			}
			after, known, err := end(ctx, ends, diff.New, f.NewPath)
			if err != nil || !known {
				return err
			}
			// What cannot be compared (a line of megabytes) stays unseen, and is named as such.
			_ = f.Fill(before, after)
			return nil
		})
	}
	return group.Wait()
}

// end reads one side of a file. Its content is not known when it is too large, or not a file.
func end(ctx context.Context, ends *Files, side diff.Side, path string) (content []byte, known bool, err error) {
	if path == "" {
		return nil, true, nil
	}
	content, err = ends.Read(ctx, side, path)
	return content, content != nil, err
}

// needMergeBase finds the merge base when whoever reads the diff did not know it.
func (c *Client) needMergeBase(ctx context.Context, repo string, pr *PullRequest) (err error) {
	if pr.MergeBase == "" {
		pr.MergeBase, err = c.MergeBase(ctx, repo, pr.Base, pr.Head)
	}
	return err
}
