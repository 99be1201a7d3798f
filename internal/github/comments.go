package github

import (
	"context"
	"errors"
	"strings"

	gh "github.com/google/go-github/v62/github"
)

// Comment is a comment in the conversation of a pull request.
type Comment struct {
	ID   int64
	Body string
	URL  string
}

var errFound = errors.New("found")

// FindOwnComment gives the first comment of ours whose body the function knows. A stranger's comment with the same words
// is not ours.
func (c *Client) FindOwnComment(ctx context.Context, repo string, number int, known func(body string) bool) (Comment, bool, error) {
	var found Comment
	err := c.eachOwnComment(ctx, "find own comment", repo, number, known, func(o Comment) error {
		found = o
		return errFound
	})
	if errors.Is(err, errFound) {
		return found, true, nil
	}
	return Comment{}, false, err
}

// OwnComments gives all our comments in the conversation whose body the function knows, oldest first. One that two pages
// show is given once.
func (c *Client) OwnComments(ctx context.Context, repo string, number int, known func(body string) bool) ([]Comment, error) {
	var all []Comment
	seen := map[int64]bool{}
	err := c.eachOwnComment(ctx, "list own comments", repo, number, known, func(o Comment) error {
		if !seen[o.ID] {
			seen[o.ID] = true
			all = append(all, o)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// eachOwnComment goes through our comments in the conversation whose body the function knows.
func (c *Client) eachOwnComment(ctx context.Context, op, repo string, number int, known func(body string) bool, each func(Comment) error) error {
	owner, name, login, err := c.here(ctx, op, repo)
	if err != nil {
		return err
	}
	return pages(ctx, c, op, func(ctx context.Context, o gh.ListOptions) ([]*gh.IssueComment, *gh.Response, error) {
		return c.gh.Issues.ListComments(ctx, owner, name, number, &gh.IssueListCommentsOptions{ListOptions: o})
	}, func(ic *gh.IssueComment) error {
		if strings.EqualFold(ic.GetUser().GetLogin(), login) && known(ic.GetBody()) {
			return each(comment(ic))
		}
		return nil
	})
}

// here takes a repository's name apart and says who we are there.
func (c *Client) here(ctx context.Context, op, repo string) (owner, name, login string, err error) {
	if owner, name, err = split(op, repo); err != nil {
		return "", "", "", err
	}
	if login, err = c.login(ctx); err != nil {
		return "", "", "", wrap(op, false, err)
	}
	return owner, name, login, nil
}

func comment(ic *gh.IssueComment) Comment {
	return Comment{ID: ic.GetID(), Body: ic.GetBody(), URL: ic.GetHTMLURL()}
}

// CreateComment writes a comment into the conversation.
func (c *Client) CreateComment(ctx context.Context, repo string, number int, body string) (Comment, error) {
	const op = "create comment"
	owner, name, err := split(op, repo)
	if err != nil {
		return Comment{}, err
	}
	ic, _, err := call(ctx, c, op, true, func(ctx context.Context) (*gh.IssueComment, *gh.Response, error) {
		return c.gh.Issues.CreateComment(ctx, owner, name, number, &gh.IssueComment{Body: &body})
	})
	if err != nil {
		return Comment{}, err
	}
	if ic.GetID() == 0 {
		return Comment{}, &Error{Op: op, Kind: Ambiguous, Message: "the answer has no id"}
	}
	return comment(ic), nil
}

// EditComment replaces the body of a comment of ours. Doing it twice is as good as once, so an Ambiguous edit may simply
// be repeated. NotFound means that somebody deleted the comment.
func (c *Client) EditComment(ctx context.Context, repo string, id int64, body string) error {
	const op = "edit comment"
	owner, name, err := split(op, repo)
	if err != nil {
		return err
	}
	_, _, err = call(ctx, c, op, true, func(ctx context.Context) (*gh.IssueComment, *gh.Response, error) {
		return c.gh.Issues.EditComment(ctx, owner, name, id, &gh.IssueComment{Body: &body})
	})
	return err
}
