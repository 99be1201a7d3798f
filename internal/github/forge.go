package github

import (
	"context"
	"net/http"
	"strings"

	gh "github.com/google/go-github/v62/github"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/post"
)

// forge is one pull request as package post sees it.
type forge struct {
	c      *Client
	repo   string
	number int
	login  string
}

var _ post.Forge = (*forge)(nil)

// Forge gives a pull request to post to. Own reviews are those whose author is ownLogin; with "" it is Login's.
func (c *Client) Forge(repo string, number int, ownLogin string) post.Forge {
	return &forge{c: c, repo: repo, number: number, login: ownLogin}
}

// Look implements post.Forge: one call.
func (f *forge) Look(ctx context.Context) (post.PullRequest, error) {
	pr, err := f.c.look(ctx, "look at pull request", f.repo, f.number)
	if err != nil {
		return post.PullRequest{}, err
	}
	return post.PullRequest{Head: pr.Head, Open: pr.Open, Draft: pr.Draft}, nil
}

// Own implements post.Forge. A review that two pages show, because one was added between them, is given once.
func (f *forge) Own(ctx context.Context) ([]post.Posted, error) {
	const op = "list own reviews"
	owner, name, err := split(op, f.repo)
	if err != nil {
		return nil, err
	}
	login := f.login
	if login == "" {
		if login, err = f.c.login(ctx); err != nil {
			return nil, wrap(op, false, err)
		}
	}
	var own []post.Posted
	seen := map[int64]bool{}
	err = pages(ctx, f.c, op, func(ctx context.Context, o gh.ListOptions) ([]*gh.PullRequestReview, *gh.Response, error) {
		return f.c.gh.PullRequests.ListReviews(ctx, owner, name, f.number, &o)
	}, func(r *gh.PullRequestReview) error {
		if strings.EqualFold(r.GetUser().GetLogin(), login) && !seen[r.GetID()] {
			seen[r.GetID()] = true
			own = append(own, post.Posted{
				ID: r.GetID(), Body: r.GetBody(), Head: r.GetCommitID(), Pending: strings.EqualFold(r.GetState(), "PENDING"),
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return own, nil
}

// Draft implements post.Forge. Without an event GitHub keeps the review pending: nobody else sees it.
func (f *forge) Draft(ctx context.Context, head, body string, comments []post.Comment) (int64, error) {
	const op = "create pending review"
	owner, name, err := split(op, f.repo)
	if err != nil {
		return 0, err
	}
	request := &gh.PullRequestReviewRequest{CommitID: &head, Body: &body}
	for i, c := range comments {
		place, problem := placed(c)
		if problem != "" {
			// What GitHub would say, without asking it.
			return 0, &Error{Op: op, Kind: Invalid, Status: http.StatusUnprocessableEntity, Message: problem, Comments: []int{i}}
		}
		request.Comments = append(request.Comments, place)
	}
	r, _, err := call(ctx, f.c, op, true, func(ctx context.Context) (*gh.PullRequestReview, *gh.Response, error) {
		return f.c.gh.PullRequests.CreateReview(withUnits(ctx, 1+len(comments)), owner, name, f.number, request)
	})
	if err != nil {
		return 0, err
	}
	if r.GetID() == 0 {
		return 0, &Error{Op: op, Kind: Ambiguous, Message: "the answer has no id"}
	}
	return r.GetID(), nil
}

// placed gives a comment in GitHub's words, or what is wrong with its place. start_line and start_side are for ranges
// only: GitHub refuses a range of one line.
func placed(c post.Comment) (d *gh.DraftReviewComment, problem string) {
	a := c.Anchor
	var side string
	switch a.Side {
	case diff.Old:
		side = "LEFT"
	case diff.New:
		side = "RIGHT"
	default:
		return nil, "comment at " + a.String() + " has no side"
	}
	if a.Path == "" || a.Start < 1 || a.End < a.Start {
		return nil, "comment at " + a.String() + " has no place"
	}
	d = &gh.DraftReviewComment{Path: &a.Path, Body: &c.Body, Side: &side, Line: &a.End}
	if a.Start != a.End {
		d.StartLine, d.StartSide = &a.Start, &side
	}
	return d, ""
}

// Submit implements post.Forge. Its event is COMMENT and can be nothing else.
func (f *forge) Submit(ctx context.Context, id int64) error {
	const op = "submit review"
	owner, name, err := split(op, f.repo)
	if err != nil {
		return err
	}
	event := "COMMENT"
	r, _, err := call(ctx, f.c, op, true, func(ctx context.Context) (*gh.PullRequestReview, *gh.Response, error) {
		return f.c.gh.PullRequests.SubmitReview(ctx, owner, name, f.number, id, &gh.PullRequestReviewRequest{Event: &event})
	})
	if err != nil {
		return err
	}
	if r.GetID() != id {
		return &Error{Op: op, Kind: Ambiguous, Message: "the answer is about another review"}
	}
	return nil
}

// Discard implements post.Forge. A review that is not there is discarded already.
func (f *forge) Discard(ctx context.Context, id int64) error {
	const op = "delete pending review"
	owner, name, err := split(op, f.repo)
	if err != nil {
		return err
	}
	_, _, err = call(ctx, f.c, op, true, func(ctx context.Context) (*gh.PullRequestReview, *gh.Response, error) {
		return f.c.gh.PullRequests.DeletePendingReview(ctx, owner, name, f.number, id)
	})
	if KindOf(err) == NotFound {
		return nil
	}
	return err
}
