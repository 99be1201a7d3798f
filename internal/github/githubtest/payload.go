package githubtest

import (
	"fmt"
	"maps"
)

// common has what every payload of a repository's event has.
func (s *Server) common(r *repository, sender string) obj {
	return obj{
		"repository": s.repo(r), "sender": s.user(sender),
		"installation": obj{"id": r.installation, "node_id": node("MDIz", r.installation)},
	}
}

// PullRequestEvent makes the payload of a pull_request event: opened, synchronize, reopened, ready_for_review,
// converted_to_draft, closed, edited, labeled, …. more is added to it, as "before" and "after" for synchronize.
func (s *Server) PullRequestEvent(fullName string, number int, action string, more map[string]any) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(fullName)
	if r == nil || r.pulls[number] == nil {
		return nil, fmt.Errorf("payload of pull_request: no %s#%d", fullName, number)
	}
	p := r.pulls[number]
	o := s.common(r, p.author)
	o["action"], o["number"], o["pull_request"] = action, number, s.pullObject(p)
	if action == "synchronize" && len(p.heads) > 1 {
		o["before"], o["after"] = p.heads[len(p.heads)-2], p.head
	}
	maps.Copy(o, more)
	return o, nil
}

// PushEvent makes the payload of a push to the default branch, from one commit to another.
func (s *Server) PushEvent(fullName, before, after string) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(fullName)
	if r == nil || r.commits[after] == nil {
		return nil, fmt.Errorf("payload of push: no %s in %s", after, fullName)
	}
	o := s.common(r, r.owner)
	c := r.commits[after]
	head := obj{
		"id": c.sha, "tree_id": c.tree, "distinct": true, "message": c.message, "timestamp": stamp(c.at), "url": s.URL + "/" + fullName + "/commit/" + c.sha,
		"author": obj{"name": "Somebody", "email": "somebody@example.com"}, "committer": obj{"name": "Somebody", "email": "somebody@example.com"},
		"added": []string{}, "removed": []string{}, "modified": []string{},
	}
	for k, v := range (obj{
		"ref": "refs/heads/" + r.branch, "before": before, "after": after, "created": false, "deleted": false, "forced": false, "base_ref": nil,
		"compare": s.URL + "/" + fullName + "/compare/" + before + "..." + after, "commits": []obj{head}, "head_commit": head,
		"pusher": obj{"name": r.owner, "email": "somebody@example.com"},
	}) {
		o[k] = v
	}
	return o, nil
}

// IssueCommentEvent makes the payload of an issue_comment event for a comment of a pull request.
func (s *Server) IssueCommentEvent(fullName string, number int, commentID int64, action string) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(fullName)
	if r == nil || r.pulls[number] == nil {
		return nil, fmt.Errorf("payload of issue_comment: no %s#%d", fullName, number)
	}
	p := r.pulls[number]
	for _, c := range p.comments {
		if c.ID != commentID {
			continue
		}
		api, html, issue := s.pullURLs(p)
		o := s.common(r, c.Author)
		o["action"], o["comment"] = action, s.issueCommentObject(p, c)
		o["issue"] = obj{
			"id": p.id, "node_id": node("I", p.id), "number": number, "url": issue, "html_url": html, "title": p.title, "body": orNil(p.body),
			"state": p.state, "locked": p.locked, "user": s.user(p.author), "labels": []obj{}, "comments": len(p.comments), "draft": p.draft,
			"created_at": stamp(p.created), "updated_at": stamp(p.updated), "closed_at": stampOr(p.closed),
			"author_association": s.association(p.author, r),
			"pull_request":       obj{"url": api, "html_url": html, "diff_url": html + ".diff", "patch_url": html + ".patch", "merged_at": nil},
		}
		return o, nil
	}
	return nil, fmt.Errorf("payload of issue_comment: no comment %d", commentID)
}

// CheckRunEvent makes the payload of a check_run event; "rerequested" is the Re-run button.
func (s *Server) CheckRunEvent(fullName string, id int64, action, sender string) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repository(fullName); r != nil {
		for _, c := range r.checks {
			if c.ID != id {
				continue
			}
			o := s.common(r, sender)
			run := s.checkObject(r, c)
			var pulls []obj
			for _, p := range r.pulls {
				if p.head == c.Head {
					side := func(ref, sha string) obj {
						return obj{"ref": ref, "sha": sha, "repo": obj{"id": r.id, "name": r.name, "url": s.URL + "/repos/" + fullName}}
					}
					api, _, _ := s.pullURLs(p)
					pulls = append(pulls, obj{"id": p.id, "number": p.number, "url": api, "head": side(p.headRef, p.head), "base": side(p.baseRef, p.base)})
				}
			}
			run["pull_requests"] = pulls
			o["action"], o["check_run"] = action, run
			return o, nil
		}
	}
	return nil, fmt.Errorf("payload of check_run: no run %d in %s", id, fullName)
}

// InstallationEvent makes the payload of an installation event: created, deleted, suspend, unsuspend.
func (s *Server) InstallationEvent(id int64, action string) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.installations[id]
	if i == nil {
		return nil, fmt.Errorf("payload of installation: no installation %d", id)
	}
	repos := []obj{}
	for _, r := range s.repos {
		if r.installation == id {
			repos = append(repos, obj{"id": r.id, "node_id": node("R", r.id), "name": r.name, "full_name": r.fullName(), "private": false})
		}
	}
	return obj{"action": action, "installation": s.installationObject(i), "repositories": repos, "sender": s.user(i.account)}, nil
}

// PingEvent makes the payload of a ping.
func (s *Server) PingEvent() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return obj{
		"zen": "Look twice, post once.", "hook_id": 1,
		"hook": obj{"type": "App", "id": 1, "name": "web", "active": true, "events": []string{"pull_request"}, "app_id": s.AppID},
	}
}
