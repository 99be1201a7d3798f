package githubtest

import (
	"time"
)

// installation is the App on one account.
type installation struct {
	id        int64
	account   string
	suspended bool
	granted   map[string]string
}

// permissions are what the App may do there.
func (i *installation) permissions() obj {
	all := permissions()
	for k, v := range i.granted {
		all[k] = v
	}
	return all
}

// repository is a repository with all that hangs on it.
type repository struct {
	id           int64
	owner, name  string
	installation int64
	branch       string // the default one
	commits      map[string]*commit
	made         int              // commits, gone ones included
	clock        func() time.Time // of commits; nil counts minutes
	branches     map[string]string
	pulls        map[int]*pull
	checks       []*CheckRun
	compared     map[[2]string][]*change
}

func (r *repository) fullName() string { return r.owner + "/" + r.name }

// changes compares two commits, once.
func (r *repository) changes(base, head string) []*change {
	key := [2]string{base, head}
	if all, ok := r.compared[key]; ok {
		return all
	}
	var before, after map[string]string
	if c := r.commits[base]; c != nil {
		before = c.files
	}
	if c := r.commits[head]; c != nil {
		after = c.files
	}
	all := changes(before, after)
	r.compared[key] = all
	return all
}

// pull is a pull request with its conversation.
type pull struct {
	repo             *repository
	id               int64
	number           int
	title, body      string
	author           string
	draft, locked    bool
	state            string
	merged           bool
	labels           []string
	baseRef, headRef string
	base, head       string
	heads            []string // all that were
	fork             bool
	created, updated time.Time
	closed           time.Time
	reviews          []*Review
	comments         []*IssueComment
	resolved         map[int64]string // who resolved a thread, by the comment that began it
}

// changes gives the diff of a revision: from the merge base, with three dots.
func (p *pull) changes(head string) []*change {
	return p.repo.changes(p.repo.mergeBase(p.base, head), head)
}

// Review is a review of a pull request.
type Review struct {
	ID     int64
	Author string
	Body   string
	// State is GitHub's: PENDING, COMMENTED, APPROVED or CHANGES_REQUESTED.
	State    string
	CommitID string
	Comments []ReviewComment
	// Created and Submitted are by the server's clock; a pending review has no Submitted.
	Created, Submitted time.Time
}

// ReviewComment is a comment on lines of the diff, in GitHub's words.
type ReviewComment struct {
	ID, ReviewID int64
	// InReplyTo is the comment that began the thread, 0 for that one.
	InReplyTo int64
	Author    string
	Path      string
	// Side is LEFT or RIGHT; StartLine is 0 for a single line.
	Side      string
	StartLine int
	Line      int
	CommitID  string
	Body      string
	// Hunk is the hunk that the comment stands in.
	Hunk    string
	Created time.Time
}

// IssueComment is a comment in the conversation.
type IssueComment struct {
	ID      int64
	Author  string
	Body    string
	Created time.Time
	Updated time.Time
	// Edits counts how often the body was replaced.
	Edits int
}

// CheckRun is a check run on a commit.
type CheckRun struct {
	ID                   int64
	Name                 string
	Head                 string
	ExternalID           string
	Status, Conclusion   string
	Title, Summary, Text string
	DetailsURL           string
	Annotations          []Annotation
	Started, Completed   time.Time
}

// Annotation is a remark of a check run.
type Annotation struct {
	Path               string
	StartLine, EndLine int
	Level              string
	Title, Message     string
}

// Request is one request that the server got.
type Request struct {
	Method, Path, Query string
	// Route is "METHOD /path/{with}/{names}", empty when nothing answers there.
	Route string
	// Accept is the media type that was asked for.
	Accept string
	Body   string
	// Status is what the request was answered with; 0 while it is not, or when a fault left it without an answer.
	Status int
	// Applied says whether the request was carried out, whatever the client was told.
	Applied bool
	// Caller is "app", "installation:7", "user:octocat" or "".
	Caller string
	At     time.Time
}
