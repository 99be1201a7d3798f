package githubtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// AddRepository makes a repository with one commit on its default branch "main", seen by an installation, which is made
// if need be. It gives the commit.
func (s *Server) AddRepository(fullName string, id, installationID int64, files map[string]string) (head string, err error) {
	owner, name, ok := strings.Cut(fullName, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return "", fmt.Errorf("add repository: %q is not \"owner/name\"", fullName)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repository(fullName) != nil {
		return "", fmt.Errorf("add repository: %s is there already", fullName)
	}
	if s.installations[installationID] == nil {
		s.installations[installationID] = &installation{id: installationID, account: owner}
	}
	r := &repository{
		id: id, owner: owner, name: name, installation: installationID, branch: "main", commits: map[string]*commit{},
		branches: map[string]string{}, pulls: map[int]*pull{}, compared: map[[2]string][]*change{},
	}
	r.branches[r.branch] = r.commit(files, "Begin").sha
	s.repos[strings.ToLower(fullName)] = r
	return r.branches[r.branch], nil
}

// DateCommits makes the commits of a repository by the server's clock. Without it they are a minute apart, so that the
// same content always has the same SHA.
func (s *Server) DateCommits(fullName string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repository(fullName); r != nil {
		r.clock = s.o.Now
	}
}

// RemoveRepository takes a repository away, as if it was deleted or the App lost its access.
func (s *Server) RemoveRepository(fullName string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.repos, strings.ToLower(fullName))
}

// RenameRepository gives a repository another "owner/name". Requests for the old one are redirected.
func (s *Server) RenameRepository(fullName, newName string) error {
	owner, name, ok := strings.Cut(newName, "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(fullName)
	if r == nil || !ok {
		return fmt.Errorf("rename repository: no repository %s, or %q is not \"owner/name\"", fullName, newName)
	}
	delete(s.repos, strings.ToLower(fullName))
	s.renamed[strings.ToLower(fullName)] = r
	r.owner, r.name = owner, name
	s.repos[strings.ToLower(newName)] = r
	return nil
}

// PullRequestSpec is a pull request to open. Base and Head are all files of their side.
type PullRequestSpec struct {
	Title, Body string
	// Author's default is "octocat".
	Author string
	// Base becomes a new commit on the base branch before the pull request begins; nil leaves the branch as it is.
	Base map[string]string
	// Head is the content of the pull request's branch.
	Head map[string]string
	// HeadRef is the branch's name. Default "change-N".
	HeadRef string
	Draft   bool
	// Fork puts the branch into the author's fork.
	Fork   bool
	Labels []string
}

// OpenPullRequest opens a pull request against the default branch and gives its number and head.
func (s *Server) OpenPullRequest(fullName string, spec PullRequestSpec) (number int, head string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(fullName)
	if r == nil {
		return 0, "", fmt.Errorf("open pull request: no repository %s", fullName)
	}
	if spec.Base != nil {
		r.branches[r.branch] = r.commit(spec.Base, "Prepare", r.branches[r.branch]).sha
	}
	p := &pull{
		repo: r, id: s.id(), number: len(r.pulls) + 1, title: spec.Title, body: spec.Body, author: spec.Author, draft: spec.Draft,
		labels: slices.Clone(spec.Labels), state: "open", baseRef: r.branch, base: r.branches[r.branch], headRef: spec.HeadRef,
		fork: spec.Fork, created: s.o.Now(), updated: s.o.Now(),
	}
	if p.author == "" {
		p.author = "octocat"
	}
	if p.headRef == "" {
		p.headRef = fmt.Sprintf("change-%d", p.number)
	}
	s.userID(p.author)
	p.setHead(r.commit(spec.Head, "Change", p.base))
	r.pulls[p.number] = p
	return p.number, p.head, nil
}

func (p *pull) setHead(c *commit) {
	p.head = c.sha
	p.heads = append(p.heads, c.sha)
	if !p.fork {
		p.repo.branches[p.headRef] = c.sha
	}
}

// edit changes a pull request.
func (s *Server) edit(fullName string, number int, f func(*pull) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(fullName)
	if r == nil || r.pulls[number] == nil {
		return fmt.Errorf("no pull request %s#%d", fullName, number)
	}
	r.pulls[number].updated = s.o.Now()
	return f(r.pulls[number])
}

// Push adds a commit with these files to a pull request's branch and gives the new head.
func (s *Server) Push(fullName string, number int, files map[string]string) (head string, err error) {
	err = s.edit(fullName, number, func(p *pull) error {
		p.base = p.repo.branches[p.baseRef]
		p.setHead(p.repo.commit(files, "Change more", p.head))
		head = p.head
		return nil
	})
	return head, err
}

// ForcePush replaces the branch's commits by one on the tip of the base branch. The old ones are gone: GitHub keeps them
// for a while, and a reviewer has to live with both.
func (s *Server) ForcePush(fullName string, number int, files map[string]string) (head string, err error) {
	err = s.edit(fullName, number, func(p *pull) error {
		old := p.repo.between(p.base, p.head)
		p.base = p.repo.branches[p.baseRef]
		p.setHead(p.repo.commit(files, "Change it all", p.base))
		for _, c := range old {
			delete(p.repo.commits, c.sha)
		}
		head = p.head
		return nil
	})
	return head, err
}

// PushBase adds a commit to the default branch and gives it.
func (s *Server) PushBase(fullName string, files map[string]string) (head string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(fullName)
	if r == nil {
		return "", fmt.Errorf("push: no repository %s", fullName)
	}
	r.branches[r.branch] = r.commit(files, "Go on", r.branches[r.branch]).sha
	return r.branches[r.branch], nil
}

// ClosePullRequest closes a pull request, merged or not.
func (s *Server) ClosePullRequest(fullName string, number int, merged bool) error {
	return s.edit(fullName, number, func(p *pull) error {
		p.state, p.merged, p.closed = "closed", merged, s.o.Now()
		return nil
	})
}

// SetDraft makes a pull request a draft or ready.
func (s *Server) SetDraft(fullName string, number int, draft bool) error {
	return s.edit(fullName, number, func(p *pull) error { p.draft = draft; return nil })
}

// Lock locks the conversation: nobody may write to it.
func (s *Server) Lock(fullName string, number int, on bool) error {
	return s.edit(fullName, number, func(p *pull) error { p.locked = on; return nil })
}

// Comment writes a comment of a person into the conversation and gives its id.
func (s *Server) Comment(fullName string, number int, author, body string) (id int64, err error) {
	err = s.edit(fullName, number, func(p *pull) error {
		c := &IssueComment{ID: s.id(), Author: author, Body: body, Created: s.o.Now(), Updated: s.o.Now()}
		p.comments = append(p.comments, c)
		id = c.ID
		return nil
	})
	return id, err
}

// AddReview adds a review as it is, for a person's review or a pending one of ours that an earlier attempt left. ID and
// times are filled in.
func (s *Server) AddReview(fullName string, number int, review Review) (id int64, err error) {
	err = s.edit(fullName, number, func(p *pull) error {
		review.ID, review.Created = s.id(), s.o.Now()
		if review.CommitID == "" {
			review.CommitID = p.head
		}
		if review.State == "" {
			review.State = stateCommented
		}
		if review.State != statePending {
			review.Submitted = review.Created
		}
		p.reviews = append(p.reviews, &review)
		id = review.ID
		return nil
	})
	return id, err
}

// Renumber gives the comments of a pull request's n-th submitted review new ids, and gives them: for a review that was
// added as a copy of another one.
func (s *Server) Renumber(fullName string, number, n int) []int64 {
	var ids []int64
	_ = s.edit(fullName, number, func(p *pull) error { // of no pull request: no ids
		for _, r := range p.reviews {
			if r.State == statePending {
				continue
			}
			if n--; n >= 0 {
				continue
			}
			for i := range r.Comments {
				r.Comments[i].ID, r.Comments[i].ReviewID = s.id(), r.ID
				ids = append(ids, r.Comments[i].ID)
			}
			break
		}
		return nil
	})
	return ids
}

// With gives a copy of files with changes; a changed file that is "" is deleted.
func With(files, changed map[string]string) map[string]string {
	all := maps.Clone(files)
	if all == nil {
		all = map[string]string{}
	}
	for path, content := range changed {
		if content == "" {
			delete(all, path)
		} else {
			all[path] = content
		}
	}
	return all
}

// read gives a copy of something of a pull request; the zero value when there is none.
func read[T any](s *Server, fullName string, number int, f func(*pull) T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var none T
	r := s.repository(fullName)
	if r == nil || r.pulls[number] == nil {
		return none
	}
	return f(r.pulls[number])
}

// Reviews gives the reviews of a pull request, pending ones included, oldest first.
func (s *Server) Reviews(fullName string, number int) []Review {
	return read(s, fullName, number, func(p *pull) []Review {
		var all []Review
		for _, r := range p.reviews {
			c := *r
			c.Comments = slices.Clone(r.Comments)
			all = append(all, c)
		}
		return all
	})
}

// ReviewComments gives the comments of all submitted reviews.
func (s *Server) ReviewComments(fullName string, number int) []ReviewComment {
	var all []ReviewComment
	for _, r := range s.Reviews(fullName, number) {
		if r.State != statePending {
			all = append(all, r.Comments...)
		}
	}
	return all
}

// IssueComments gives the conversation.
func (s *Server) IssueComments(fullName string, number int) []IssueComment {
	return read(s, fullName, number, func(p *pull) []IssueComment {
		var all []IssueComment
		for _, c := range p.comments {
			all = append(all, *c)
		}
		return all
	})
}

// CheckRuns gives the check runs of a repository, oldest first.
func (s *Server) CheckRuns(fullName string) []CheckRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []CheckRun
	if r := s.repository(fullName); r != nil {
		for _, c := range r.checks {
			run := *c
			run.Annotations = slices.Clone(c.Annotations)
			all = append(all, run)
		}
	}
	return all
}

// Diff gives the diff of a pull request as GitHub would, however large.
func (s *Server) Diff(fullName string, number int) string {
	return read(s, fullName, number, func(p *pull) string { return unified(p.changes(p.head)) })
}
