package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	gh "github.com/google/go-github/v62/github"
)

// graphQLPath gives where GraphQL is served, relative to the REST API: Enterprise Server has it beside "/api/v3/".
func (c *Client) graphQLPath() string {
	if strings.HasSuffix(c.gh.BaseURL.Path, "/api/v3/") {
		return "../graphql"
	}
	return "graphql"
}

// graphQL asks one question. GraphQL answers 200 with "errors" where REST has a status; a part of an answer is none.
func graphQL[T any](ctx context.Context, c *Client, op, query string, variables map[string]any) (T, error) {
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	var data T
	_, _, err := call(withUnits(ctx, 0), c, op, false, func(ctx context.Context) (struct{}, *gh.Response, error) {
		req, err := c.gh.NewRequest(http.MethodPost, c.graphQLPath(), map[string]any{"query": query, "variables": variables})
		if err != nil {
			return struct{}{}, nil, err
		}
		resp, err := c.gh.Do(ctx, req, &answer)
		return struct{}{}, resp, err
	})
	if err != nil {
		return data, err
	}
	if len(answer.Errors) > 0 {
		e := &Error{Op: op, Kind: Invalid, Status: http.StatusOK, Message: clean(answer.Errors[0].Message, nil)}
		switch answer.Errors[0].Type {
		case "FORBIDDEN", "INSUFFICIENT_SCOPES":
			e.Kind = Forbidden
		case "NOT_FOUND":
			e.Kind = NotFound
		case "RATE_LIMITED":
			e.Kind, e.RetryAfter, e.Guessed, e.Resource = RateLimited, defaultWait, true, "graphql"
		}
		return data, e
	}
	if err := json.Unmarshal(answer.Data, &data); err != nil {
		return data, &Error{Op: op, Kind: Unavailable, Message: "the answer cannot be read"}
	}
	return data, nil
}

// ReviewThread is the conversation that a comment on lines began.
type ReviewThread struct {
	// ID is GraphQL's.
	ID       string
	Resolved bool
}

const threadsQuery = `query ReviewThreads($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $after) {
        nodes { id isResolved comments(first: 1) { nodes { databaseId } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}`

// ReviewThreads gives the threads of a pull request by the comment that began each.
func (c *Client) ReviewThreads(ctx context.Context, repo string, number int) (map[int64]ReviewThread, error) {
	const op = "list review threads"
	owner, name, err := split(op, repo)
	if err != nil {
		return nil, err
	}
	all := map[int64]ReviewThread{}
	after := ""
	for range maxPages {
		variables := map[string]any{"owner": owner, "name": name, "number": number}
		if after != "" {
			variables["after"] = after
		}
		page, err := graphQL[struct {
			Repository struct {
				PullRequest struct {
					ReviewThreads struct {
						Nodes []*struct {
							ID         string
							IsResolved bool
							Comments   struct{ Nodes []*struct{ DatabaseID int64 } }
						}
						PageInfo struct {
							HasNextPage bool
							EndCursor   string
						}
					}
				}
			}
		}](ctx, c, op, threadsQuery, variables)
		if err != nil {
			return nil, err
		}
		threads := page.Repository.PullRequest.ReviewThreads
		for _, n := range threads.Nodes {
			if n == nil || len(n.Comments.Nodes) == 0 || n.Comments.Nodes[0] == nil {
				continue // GraphQL gives null for what it cannot show
			}
			all[n.Comments.Nodes[0].DatabaseID] = ReviewThread{ID: n.ID, Resolved: n.IsResolved}
		}
		if !threads.PageInfo.HasNextPage {
			return all, nil
		}
		if threads.PageInfo.EndCursor == after {
			return nil, &Error{Op: op, Kind: Unavailable, Message: "the next page is not after this one"}
		}
		after = threads.PageInfo.EndCursor
	}
	return nil, &Error{Op: op, Kind: TooLarge, Message: "the listing has too many pages"}
}

// ResolveThread resolves a thread. GitHub wants "contents: write" of an App for it: see MayResolve. Doing it twice is as
// good as once.
func (c *Client) ResolveThread(ctx context.Context, id string) error {
	const op = "resolve thread"
	done, err := graphQL[struct {
		ResolveReviewThread *struct{ Thread *struct{ IsResolved bool } }
	}](ctx, c, op, `mutation ResolveThread($id: ID!) {
  resolveReviewThread(input: {threadId: $id}) { thread { id isResolved } }
}`, map[string]any{"id": id})
	if err != nil {
		return err
	}
	if done.ResolveReviewThread == nil || done.ResolveReviewThread.Thread == nil {
		return &Error{Op: op, Kind: NotFound, Message: "there is no such thread"}
	}
	return nil
}

// MayResolve says whether the App was given what resolving a thread takes.
func (c *Client) MayResolve(ctx context.Context) (bool, error) {
	if c.contents == nil {
		return false, nil
	}
	level, err := c.contents(ctx)
	return level == "write" || level == "admin", err
}

// repliesPath is where replies to a comment are made.
func repliesPath(owner, name string, number int, comment int64) string {
	return fmt.Sprintf("repos/%s/%s/pulls/%d/comments/%d/replies", owner, name, number, comment)
}
