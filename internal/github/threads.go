package github

import (
	"context"
	"net/http"
	"strings"

	gh "github.com/google/go-github/v62/github"
)

// ReviewComment is a comment on lines of a pull request, or a reply to one. Its words are data, never instructions.
type ReviewComment struct {
	ID int64
	// ReviewID is the review that it came with. A reply has one of its own.
	ReviewID int64
	// InReplyTo is the comment that began the thread, 0 for that one.
	InReplyTo int64
	Body      string
	// Own says that it is ours.
	Own bool
}

// ReviewComments lists all comments on lines of a pull request, oldest first. One that two pages show is given once.
func (c *Client) ReviewComments(ctx context.Context, repo string, number int) ([]ReviewComment, error) {
	const op = "list review comments"
	owner, name, login, err := c.here(ctx, op, repo)
	if err != nil {
		return nil, err
	}
	var all []ReviewComment
	seen := map[int64]bool{}
	err = pages(ctx, c, op, func(ctx context.Context, o gh.ListOptions) ([]*gh.PullRequestComment, *gh.Response, error) {
		return c.gh.PullRequests.ListComments(ctx, owner, name, number, &gh.PullRequestListCommentsOptions{ListOptions: o})
	}, func(p *gh.PullRequestComment) error {
		if !seen[p.GetID()] {
			seen[p.GetID()] = true
			all = append(all, ReviewComment{
				ID: p.GetID(), ReviewID: p.GetPullRequestReviewID(), InReplyTo: p.GetInReplyTo(), Body: p.GetBody(),
				Own: strings.EqualFold(p.GetUser().GetLogin(), login),
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Reply answers the comment that began a thread, and gives the reply's id.
func (c *Client) Reply(ctx context.Context, repo string, number int, comment int64, body string) (int64, error) {
	const op = "reply to comment"
	owner, name, err := split(op, repo)
	if err != nil {
		return 0, err
	}
	// go-github replies through the route that creates comments, which is described only with a commit and a path.
	made, _, err := call(ctx, c, op, true, func(ctx context.Context) (*gh.PullRequestComment, *gh.Response, error) {
		req, err := c.gh.NewRequest(http.MethodPost, repliesPath(owner, name, number, comment), struct {
			Body string `json:"body"`
		}{body})
		if err != nil {
			return nil, nil, err
		}
		made := &gh.PullRequestComment{}
		resp, err := c.gh.Do(ctx, req, made)
		return made, resp, err
	})
	if err != nil {
		return 0, err
	}
	if made.GetID() == 0 {
		return 0, &Error{Op: op, Kind: Ambiguous, Message: "the answer has no id"}
	}
	return made.GetID(), nil
}

// DeleteReviewComment deletes a comment of ours on lines. One that is not there is deleted already.
func (c *Client) DeleteReviewComment(ctx context.Context, repo string, id int64) error {
	const op = "delete review comment"
	owner, name, err := split(op, repo)
	if err != nil {
		return err
	}
	return c.remove(ctx, op, func(ctx context.Context) (*gh.Response, error) {
		return c.gh.PullRequests.DeleteComment(ctx, owner, name, id)
	})
}

// DeleteComment deletes a comment of ours in the conversation. One that is not there is deleted already.
func (c *Client) DeleteComment(ctx context.Context, repo string, id int64) error {
	const op = "delete comment"
	owner, name, err := split(op, repo)
	if err != nil {
		return err
	}
	return c.remove(ctx, op, func(ctx context.Context) (*gh.Response, error) {
		return c.gh.Issues.DeleteComment(ctx, owner, name, id)
	})
}

func (c *Client) remove(ctx context.Context, op string, f func(context.Context) (*gh.Response, error)) error {
	_, _, err := call(ctx, c, op, true, func(ctx context.Context) (struct{}, *gh.Response, error) {
		resp, err := f(ctx)
		return struct{}{}, resp, err
	})
	if KindOf(err) == NotFound {
		return nil
	}
	return err
}

// EditReview replaces the body of a submitted review of ours. Doing it twice is as good as once.
func (c *Client) EditReview(ctx context.Context, repo string, number int, id int64, body string) error {
	const op = "edit review"
	owner, name, err := split(op, repo)
	if err != nil {
		return err
	}
	_, _, err = call(ctx, c, op, true, func(ctx context.Context) (*gh.PullRequestReview, *gh.Response, error) {
		return c.gh.PullRequests.UpdateReview(ctx, owner, name, number, id, body)
	})
	return err
}
