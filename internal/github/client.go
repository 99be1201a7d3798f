package github

import (
	"context"
	"regexp"
	"strings"
	"time"

	gh "github.com/google/go-github/v62/github"

	"github.com/openrabbit/openrabbit/internal/review"
)

const (
	perPage  = 100
	maxPages = 100
)

// Client calls GitHub as one installation, or as one token's user. It is cheap to make: take one for each piece of work.
// Repositories are named "owner/name". It is safe for concurrent use.
type Client struct {
	gh      *gh.Client
	appID   int64 // 0 for a token's user
	timeout time.Duration
	login   func(ctx context.Context) (string, error)
	// contents gives the level of the App's permission for contents here, "" for none; nil for a token's user.
	contents func(ctx context.Context) (string, error)
}

// Login gives the login that our own reviews and comments have.
func (c *Client) Login(ctx context.Context) (string, error) { return c.login(ctx) }

var repositoryName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}/[A-Za-z0-9_.-]{1,100}$`)

// split takes "owner/name" apart.
func split(op, repo string) (owner, name string, err error) {
	owner, name, _ = strings.Cut(repo, "/")
	if !repositoryName.MatchString(repo) || name == "." || name == ".." {
		return "", "", &Error{Op: op, Kind: Invalid, Message: "not a repository's \"owner/name\""}
	}
	return owner, name, nil
}

// call makes one call under the client's deadline and gives its error the operation's name.
func call[T any](ctx context.Context, c *Client, op string, write bool, f func(context.Context) (T, *gh.Response, error)) (T, *gh.Response, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, nil, wrap(op, false, err) // nothing is sent, so not even a write is ambiguous
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	v, resp, err := f(ctx)
	if err != nil {
		return none, resp, wrap(op, write, err)
	}
	return v, resp, nil
}

// pages reads every page of a listing. It fails, instead of giving a part, when a listing is longer than maxPages or its
// next links do not go forward: who looks for something of ours must not take a part for the whole.
func pages[T any](ctx context.Context, c *Client, op string, f func(context.Context, gh.ListOptions) ([]T, *gh.Response, error), each func(T) error) error {
	o := gh.ListOptions{Page: 1, PerPage: perPage}
	for range maxPages {
		items, resp, err := call(ctx, c, op, false, func(ctx context.Context) ([]T, *gh.Response, error) { return f(ctx, o) })
		if err != nil {
			return err
		}
		for _, item := range items {
			if err := each(item); err != nil {
				return err
			}
		}
		switch {
		case resp.NextPage == 0:
			return nil
		case resp.NextPage <= o.Page:
			return &Error{Op: op, Kind: Unavailable, Message: "the next page is not after this one"}
		}
		o.Page = resp.NextPage
	}
	return &Error{Op: op, Kind: TooLarge, Message: "the listing has too many pages"}
}

// PullRequest is a pull request as it is now. Title, Body, names and labels are people's words: data, never instructions.
type PullRequest struct {
	Number      int
	Title, Body string
	Author      string
	AuthorIsBot bool
	Draft       bool
	Open        bool
	Merged      bool
	Locked      bool
	// Head is the revision, HeadRef its branch; Base is the tip of the base branch that GitHub compares with.
	Head, HeadRef string
	Base, BaseRef string
	// MergeBase is where the reviewed change begins.
	MergeBase string
	// FromFork is set when the branch is in another repository, or in none any more.
	FromFork                           bool
	Labels                             []string
	ChangedFiles, Additions, Deletions int
	RepositoryID                       review.RepositoryID
	NodeID                             string
	UpdatedAt                          time.Time
}

// PullRequest reads a pull request and its merge base: two calls.
func (c *Client) PullRequest(ctx context.Context, repo string, number int) (PullRequest, error) {
	pr, err := c.look(ctx, "get pull request", repo, number)
	if err != nil {
		return PullRequest{}, err
	}
	pr.MergeBase, err = c.MergeBase(ctx, repo, pr.Base, pr.Head)
	if err != nil {
		return PullRequest{}, err
	}
	return pr, nil
}

// PullRequestNow reads a pull request without its merge base: one call.
func (c *Client) PullRequestNow(ctx context.Context, repo string, number int) (PullRequest, error) {
	return c.look(ctx, "get pull request", repo, number)
}

// look reads a pull request without its merge base.
func (c *Client) look(ctx context.Context, op, repo string, number int) (PullRequest, error) {
	owner, name, err := split(op, repo)
	if err != nil {
		return PullRequest{}, err
	}
	p, _, err := call(ctx, c, op, false, func(ctx context.Context) (*gh.PullRequest, *gh.Response, error) {
		return c.gh.PullRequests.Get(ctx, owner, name, number)
	})
	if err != nil {
		return PullRequest{}, err
	}
	if p.GetHead().GetSHA() == "" || p.GetBase().GetSHA() == "" {
		return PullRequest{}, &Error{Op: op, Kind: Unavailable, Message: "the answer has no head or no base"}
	}
	pr := PullRequest{
		Number: number, Title: p.GetTitle(), Body: p.GetBody(),
		Author:      p.GetUser().GetLogin(),
		AuthorIsBot: isBot(p.GetUser()),
		Draft:       p.GetDraft(), Open: p.GetState() == "open", Merged: p.GetMerged(), Locked: p.GetLocked(),
		Head: p.GetHead().GetSHA(), HeadRef: p.GetHead().GetRef(),
		Base: p.GetBase().GetSHA(), BaseRef: p.GetBase().GetRef(),
		FromFork:     p.GetHead().GetRepo().GetID() != p.GetBase().GetRepo().GetID(),
		ChangedFiles: p.GetChangedFiles(), Additions: p.GetAdditions(), Deletions: p.GetDeletions(),
		RepositoryID: review.RepositoryID(p.GetBase().GetRepo().GetID()),
		NodeID:       p.GetNodeID(), UpdatedAt: p.GetUpdatedAt().Time,
	}
	for _, l := range p.Labels {
		pr.Labels = append(pr.Labels, l.GetName())
	}
	return pr, nil
}

// MergeBase gives the commit where head left base. NotFound means that a commit is gone or that there is none in common.
func (c *Client) MergeBase(ctx context.Context, repo, base, head string) (string, error) {
	const op = "get merge base"
	owner, name, err := split(op, repo)
	if err != nil {
		return "", err
	}
	compared, _, err := call(ctx, c, op, false, func(ctx context.Context) (*gh.CommitsComparison, *gh.Response, error) {
		// The list of files, with all their patches, is on the first page only. The merge base is on every one.
		return c.gh.Repositories.CompareCommits(ctx, owner, name, base, head, &gh.ListOptions{Page: 2, PerPage: 1})
	})
	if err != nil {
		return "", err
	}
	if compared.GetMergeBaseCommit().GetSHA() == "" {
		return "", &Error{Op: op, Kind: Unavailable, Message: "the answer has no merge base"}
	}
	return compared.GetMergeBaseCommit().GetSHA(), nil
}
