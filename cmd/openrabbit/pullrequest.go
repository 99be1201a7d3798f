package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/repoconfig"
	"github.com/openrabbit/openrabbit/internal/review"
)

// remotePullRequest is a pull request on GitHub, read with a person's token.
type remotePullRequest struct {
	local
	client *github.Client
	repo   string
	number int
	head   string
}

// markerKey makes the markers of a person's reviews. It is no secret, and depends on no token, which are renewed: only
// reviews by that very person are looked through for one.
func markerKey(login string) []byte {
	key := sha256.Sum256([]byte("openrabbit review marker of " + login))
	return key[:]
}

// pullRequestName reads https://HOST/OWNER/REPO/pull/N.
func pullRequestName(text string) (host, repo string, number int, err error) {
	u, err := url.Parse(text)
	if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		parts := strings.Split(strings.Trim(u.Path, "/"), "/")
		if len(parts) >= 4 && nameOnGitHub(parts[0]) && nameOnGitHub(parts[1]) && parts[2] == "pull" {
			if number, err = strconv.Atoi(parts[3]); err == nil && number > 0 {
				return u.Host, parts[0] + "/" + parts[1], number, nil
			}
		}
	}
	return "", "", 0, usageError{fmt.Sprintf("openrabbit review: %q: want https://github.com/OWNER/REPO/pull/NUMBER", text)}
}

// nameOnGitHub says whether an owner or a repository may have this name.
func nameOnGitHub(name string) bool {
	return strings.Trim(name, ".") != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z')
	})
}

// refused says what a person can do about an answer of GitHub's to their token.
func refused(err error, repo string, number int) error {
	var answer *github.Error
	if errors.As(err, &answer) {
		switch answer.Kind {
		case github.Unauthorized:
			err = errors.New("it does not accept GITHUB_TOKEN: is it expired, or for another server?")
		case github.NotFound:
			err = fmt.Errorf("no pull request %s#%d that GITHUB_TOKEN may read", repo, number)
		default:
		}
	}
	return lifecycle.Dependency("GitHub", err)
}

func openPullRequest(ctx context.Context, env *config.Env, text string) (*remotePullRequest, error) {
	host, repo, number, err := pullRequestName(text)
	if err != nil {
		return nil, err
	}
	env.Require("GITHUB_TOKEN", "to read a pull request")
	token, api := env.Secret("GITHUB_TOKEN"), env.URL("GITHUB_API_URL", "")
	if api == "" && host != "github.com" {
		env.Complain("GITHUB_API_URL", "is required for %s, as in https://%s/api/v3", host, host)
	}
	if err := env.Err(); err != nil {
		return nil, err
	}
	client, err := github.NewTokenClient(token, api)
	if err != nil {
		return nil, err
	}
	pr, err := client.PullRequest(ctx, repo, number)
	if err != nil {
		return nil, refused(err, repo, number)
	}
	d, err := client.Diff(ctx, repo, number, pr)
	if err != nil {
		return nil, refused(err, repo, number)
	}
	configText, err := client.File(ctx, repo, pr.Base, repoconfig.FileName)
	if err != nil {
		return nil, refused(err, repo, number)
	}
	return &remotePullRequest{client: client, repo: repo, number: number, head: pr.Head, local: local{
		config: configText, files: client.Files(repo, pr.MergeBase, pr.Head),
		change: review.Change{Repository: repo, Number: number, Title: pr.Title, Description: pr.Body, Author: pr.Author,
			Base: pr.MergeBase, Head: pr.Head, Diff: d}}}, nil
}

// post posts the review by the same protocol as the services do. The record lives as long as this process; the review's
// id is that of its revision, so that a second run finds what the first one posted.
func (r *remotePullRequest) post(ctx context.Context, stderr io.Writer, result *review.Result, meta render.Meta) error {
	login, err := r.client.Login(ctx)
	if err != nil {
		return err
	}
	key := markerKey(login)
	id := review.ID(uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%s#%d@%s", r.repo, r.number, r.head)).String())
	walkthrough := render.Walkthrough{Meta: meta, Result: result}
	draft := post.Draft{ReviewID: id, Marker: render.Marker(key, id), Head: r.head,
		ParseMarker: func(body string) (review.ID, bool) { return render.ParseMarker(key, body) },
		Body:        walkthrough.Render()}
	for _, f := range render.Place(result, nil).Comments {
		body, fallbacks := render.Comment(f, render.Options{Repository: r.repo})
		draft.Comments = append(draft.Comments, post.Comment{Anchor: f.Anchor, Body: body, Fallbacks: fallbacks})
	}
	record := &memoryRecord{}
	posted, err := post.Publish(ctx, post.Deps{Forge: r.client.Forge(r.repo, r.number, login), Record: record, Fence: alone{}}, draft)
	switch {
	case err != nil:
		return err
	case !record.drafted:
		fmt.Fprintf(stderr, "the review of this revision stands on %s#%d already (review %d): nothing was posted\n", r.repo, r.number, posted.GitHubReviewID)
	default:
		fmt.Fprintf(stderr, "posted on %s#%d as review %d with %d comments\n", r.repo, r.number, posted.GitHubReviewID, len(posted.Posted))
	}
	if n := len(posted.Refused); n > 0 {
		fmt.Fprintf(stderr, "GitHub took %d of the comments in no form; they stand only in what is printed here\n", n)
	}
	return nil
}

// memoryRecord is a posting's record for the length of one run.
type memoryRecord struct {
	state post.State
	// drafted is set once this run has made a draft, so what stands there in the end is its own.
	drafted bool
}

var _ post.Record = (*memoryRecord)(nil)

// Load implements post.Record.
func (m *memoryRecord) Load(context.Context) (post.State, error) { return m.state, nil }

// Advance implements post.Record.
func (m *memoryRecord) Advance(_ context.Context, stage post.Stage, id int64) error {
	m.drafted = m.drafted || stage == post.StageDrafted
	m.state.Stage, m.state.ReviewID, m.state.AttemptedAt = stage, id, time.Now()
	return nil
}

// Learn implements post.Record.
func (m *memoryRecord) Learn(_ context.Context, tried []post.Tried) error {
	m.state.Tried = tried
	return nil
}

// alone is the fence of a program that a person runs: nobody else has this review.
type alone struct{}

var _ post.Fence = alone{}

// Check implements post.Fence.
func (alone) Check(context.Context) error { return nil }
