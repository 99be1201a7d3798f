package github

import (
	"context"
	"strings"
	"time"

	gh "github.com/google/go-github/v62/github"

	"github.com/openrabbit/openrabbit/internal/review"
)

// Installation is our App on one account.
type Installation struct {
	ID        review.InstallationID
	Account   string
	Suspended bool
}

// Installations lists where the App is installed.
func (a *App) Installations(ctx context.Context) (all []Installation, err error) {
	err = pages(ctx, a.self(), "list installations", func(ctx context.Context, o gh.ListOptions) ([]*gh.Installation, *gh.Response, error) {
		return a.asApp.Apps.ListInstallations(ctx, &o)
	}, func(i *gh.Installation) error {
		all = append(all, Installation{
			ID: review.InstallationID(i.GetID()), Account: i.GetAccount().GetLogin(), Suspended: i.SuspendedAt != nil,
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Repository is a repository that an installation sees.
type Repository struct {
	ID review.RepositoryID
	// Name is "owner/name".
	Name, DefaultBranch string
	// Quiet is set when it has no open pull request: it is archived or disabled, or GitHub counts no open issue, and a
	// pull request is one.
	Quiet bool
}

// Repositories lists what the installation sees.
func (c *Client) Repositories(ctx context.Context) (all []Repository, err error) {
	err = pages(ctx, c, "list repositories", func(ctx context.Context, o gh.ListOptions) ([]*gh.Repository, *gh.Response, error) {
		found, resp, err := c.gh.Apps.ListRepos(ctx, &o)
		if err != nil {
			return nil, resp, err
		}
		return found.Repositories, resp, nil
	}, func(r *gh.Repository) error {
		all = append(all, Repository{
			ID: review.RepositoryID(r.GetID()), Name: r.GetFullName(), DefaultBranch: r.GetDefaultBranch(),
			Quiet: r.GetArchived() || r.GetDisabled() || r.OpenIssuesCount != nil && *r.OpenIssuesCount == 0,
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// OpenPull is an open pull request as a list shows it.
type OpenPull struct {
	Number      int
	Head        string
	AuthorIsBot bool
	// CreatedAt and UpdatedAt are GitHub's, in seconds. A comment is an update too.
	CreatedAt, UpdatedAt time.Time
}

const (
	// openPage is small, as the newest updates are mostly on the first page; openLimit is for descriptions of 64 KB each.
	openPage  = 50
	openLimit = 24 << 20
)

// OpenPulls lists the open pull requests of a repository that were updated at or after a time, the newest update first,
// and says how many calls it took. One that moves between two pages while they are read is given once.
func (c *Client) OpenPulls(ctx context.Context, repo string, since time.Time) (all []OpenPull, calls int, err error) {
	const op = "list open pull requests"
	owner, name, err := split(op, repo)
	if err != nil {
		return nil, 0, err
	}
	seen := map[int]bool{}
	o := gh.PullRequestListOptions{State: "open", Sort: "updated", Direction: "desc", ListOptions: gh.ListOptions{Page: 1, PerPage: openPage}}
	for range maxPages {
		calls++
		found, resp, err := call(withLimit(ctx, openLimit), c, op, false, func(ctx context.Context) ([]*gh.PullRequest, *gh.Response, error) {
			return c.gh.PullRequests.List(ctx, owner, name, &o)
		})
		if err != nil {
			return nil, calls, err
		}
		for _, p := range found {
			if p.GetUpdatedAt().Before(since) {
				return all, calls, nil
			}
			if seen[p.GetNumber()] || p.GetHead().GetSHA() == "" {
				continue
			}
			seen[p.GetNumber()] = true
			all = append(all, OpenPull{
				Number: p.GetNumber(), Head: p.GetHead().GetSHA(), AuthorIsBot: isBot(p.GetUser()),
				CreatedAt: p.GetCreatedAt().Time, UpdatedAt: p.GetUpdatedAt().Time,
			})
		}
		switch {
		case resp.NextPage == 0:
			return all, calls, nil
		case resp.NextPage <= o.Page:
			return nil, calls, &Error{Op: op, Kind: Unavailable, Message: "the next page is not after this one"}
		}
		o.Page = resp.NextPage
	}
	return nil, calls, &Error{Op: op, Kind: TooLarge, Message: "the listing has too many pages"}
}

func isBot(u *gh.User) bool {
	return u.GetType() == "Bot" || strings.HasSuffix(u.GetLogin(), "[bot]")
}

// CommittedAt gives the committer's time of a commit: when it was made, which may be long before it was pushed.
func (c *Client) CommittedAt(ctx context.Context, repo, sha string) (time.Time, error) {
	const op = "get time of commit"
	owner, name, err := split(op, repo)
	if err != nil {
		return time.Time{}, err
	}
	// A commit compared with itself is the commit without its files, which the commit's own route always gives.
	same, _, err := call(ctx, c, op, false, func(ctx context.Context) (*gh.CommitsComparison, *gh.Response, error) {
		return c.gh.Repositories.CompareCommits(ctx, owner, name, sha, sha, &gh.ListOptions{Page: 1, PerPage: 1})
	})
	if err != nil {
		return time.Time{}, err
	}
	at := same.GetBaseCommit().GetCommit().GetCommitter().GetDate()
	if at.IsZero() {
		return time.Time{}, &Error{Op: op, Kind: Unavailable, Message: "the answer has no time"}
	}
	return at.Time, nil
}
