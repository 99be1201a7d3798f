package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The shapes of GitHub's answers. Each has all that the description requires of it.

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// stampOr gives null for a time that is not set.
func stampOr(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func node(kind string, id any) string {
	return kind + "_" + base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprint(id)))
}

func link(href string) obj { return obj{"href": href} }

// urls adds a URL for each word: "followers" becomes "followers_url": base + "/followers".
func urls(o obj, base, words string) {
	for _, w := range strings.Fields(words) {
		o[w+"_url"] = base + "/" + strings.ReplaceAll(w, "_", "/")
	}
}

func (s *Server) user(login string) obj {
	id, kind := s.userID(login), "User"
	if strings.HasSuffix(login, "[bot]") {
		kind = "Bot"
	}
	at := s.URL + "/users/" + login
	o := obj{
		"login": login, "id": id, "node_id": node("U", id), "avatar_url": s.URL + "/avatars/" + login, "gravatar_id": "",
		"url": at, "html_url": s.URL + "/" + login, "type": kind, "site_admin": false,
	}
	urls(o, at, "followers following gists starred subscriptions organizations repos events received_events")
	return o
}

func (s *Server) repo(r *repository) obj {
	full := r.fullName()
	at := s.URL + "/repos/" + full
	o := obj{
		"id": r.id, "node_id": node("R", r.id), "name": r.name, "full_name": full, "private": false, "owner": s.user(r.owner),
		"html_url": s.URL + "/" + full, "description": nil, "fork": false, "url": at, "homepage": nil, "language": nil,
		"forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0, "watchers_count": 0, "size": 1,
		"default_branch": r.branch, "open_issues": len(r.pulls), "open_issues_count": len(r.pulls), "has_issues": true,
		"has_projects": false, "has_wiki": false, "has_pages": false, "has_discussions": false, "has_downloads": true, "archived": false,
		"disabled": false, "visibility": "public", "pushed_at": stamp(epoch), "created_at": stamp(epoch), "updated_at": stamp(epoch),
		"clone_url": s.URL + "/" + full + ".git", "git_url": "git://localhost/" + full + ".git", "ssh_url": "git@localhost:" + full + ".git",
		"svn_url": s.URL + "/" + full, "mirror_url": nil, "license": nil, "network_count": 0, "subscribers_count": 0,
		"topics": []string{}, "is_template": false, "web_commit_signoff_required": false,
	}
	urls(o, at, "archive assignees blobs branches collaborators comments commits compare contents contributors deployments "+
		"downloads events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels languages "+
		"merges milestones notifications pulls releases stargazers statuses subscribers subscription tags teams trees")
	return o
}

func (s *Server) commitObject(r *repository, c *commit) obj {
	at := s.URL + "/repos/" + r.fullName()
	who := obj{"name": "Somebody", "email": "somebody@example.com", "date": stamp(c.at)}
	parents := make([]obj, len(c.parents))
	for i, p := range c.parents {
		parents[i] = obj{"sha": p, "url": at + "/commits/" + p, "html_url": s.URL + "/" + r.fullName() + "/commit/" + p}
	}
	return obj{
		"sha": c.sha, "node_id": node("C", c.sha), "url": at + "/commits/" + c.sha, "html_url": s.URL + "/" + r.fullName() + "/commit/" + c.sha,
		"comments_url": at + "/commits/" + c.sha + "/comments", "author": nil, "committer": nil, "parents": parents,
		"commit": obj{
			"url": at + "/git/commits/" + c.sha, "author": who, "committer": who, "message": c.message, "comment_count": 0,
			"tree": obj{"sha": c.tree, "url": at + "/git/trees/" + c.tree},
		},
	}
}

func (s *Server) fileObject(r *repository, head string, c *change) obj {
	at := s.URL + "/repos/" + r.fullName()
	o := obj{
		"sha": c.newSHA, "filename": c.path(), "status": c.status, "additions": c.additions, "deletions": c.deletions,
		"changes": c.additions + c.deletions, "blob_url": s.URL + "/" + r.fullName() + "/blob/" + head + "/" + c.path(),
		"raw_url":      s.URL + "/" + r.fullName() + "/raw/" + head + "/" + c.path(),
		"contents_url": at + "/contents/" + c.path() + "?ref=" + head,
	}
	if c.newSHA == "" {
		o["sha"] = c.oldSHA
	}
	if c.status == "renamed" {
		o["previous_filename"] = c.oldPath
	}
	if c.patch != "" && len(c.patch) <= s.o.PatchBytes {
		o["patch"] = c.patch
	}
	return o
}

func (s *Server) pullURLs(p *pull) (api, html, issue string) {
	at := s.URL + "/repos/" + p.repo.fullName()
	return fmt.Sprintf("%s/pulls/%d", at, p.number), fmt.Sprintf("%s/%s/pull/%d", s.URL, p.repo.fullName(), p.number),
		fmt.Sprintf("%s/issues/%d", at, p.number)
}

func (s *Server) association(login string, r *repository) string {
	if strings.EqualFold(login, r.owner) {
		return "OWNER"
	}
	return "NONE"
}

// pullSimple is a pull request as lists have it.
func (s *Server) pullSimple(p *pull) obj {
	api, html, issue := s.pullURLs(p)
	at := s.URL + "/repos/" + p.repo.fullName()
	labels := make([]obj, len(p.labels))
	for i, l := range p.labels {
		labels[i] = obj{
			"id": s.userID("label:" + l), "node_id": node("LA", l), "url": at + "/labels/" + l, "name": l, "description": "",
			"color": "ededed", "default": false,
		}
	}
	head := obj{"label": p.author + ":" + p.headRef, "ref": p.headRef, "sha": p.head, "user": s.user(p.repo.owner), "repo": s.repo(p.repo)}
	if p.fork {
		fork := s.repo(&repository{id: p.id, owner: p.author, name: p.repo.name, branch: p.repo.branch})
		fork["fork"] = true
		head["repo"], head["user"] = fork, s.user(p.author)
	}
	o := obj{
		"id": p.id, "node_id": node("PR", p.id), "number": p.number, "url": api, "html_url": html, "diff_url": html + ".diff",
		"patch_url": html + ".patch", "issue_url": issue, "comments_url": issue + "/comments", "commits_url": api + "/commits",
		"review_comments_url": api + "/comments", "review_comment_url": at + "/pulls/comments{/number}",
		"statuses_url": at + "/statuses/" + p.head, "state": p.state, "locked": p.locked, "title": p.title, "body": orNil(p.body),
		"user": s.user(p.author), "labels": labels, "draft": p.draft, "created_at": stamp(p.created), "updated_at": stamp(p.updated),
		"closed_at": stampOr(p.closed), "merged_at": nil, "merge_commit_sha": nil, "assignee": nil, "assignees": []obj{},
		"requested_reviewers": []obj{}, "requested_teams": []obj{}, "milestone": nil, "auto_merge": nil,
		"author_association": s.association(p.author, p.repo), "head": head,
		"base": obj{"label": p.repo.owner + ":" + p.baseRef, "ref": p.baseRef, "sha": p.base, "user": s.user(p.repo.owner), "repo": s.repo(p.repo)},
		"_links": obj{
			"self": link(api), "html": link(html), "issue": link(issue), "comments": link(issue + "/comments"), "commits": link(api + "/commits"),
			"review_comments": link(api + "/comments"), "review_comment": link(at + "/pulls/comments{/number}"), "statuses": link(at + "/statuses/" + p.head),
		},
	}
	if p.merged {
		o["merged_at"], o["merge_commit_sha"] = stamp(p.closed), p.head
	}
	return o
}

// pullObject is a pull request with its counts.
func (s *Server) pullObject(p *pull) obj {
	o := s.pullSimple(p)
	additions, deletions, comments := 0, 0, 0
	all := p.changes(p.head)
	for _, c := range all {
		additions, deletions = additions+c.additions, deletions+c.deletions
	}
	for _, r := range p.reviews {
		if r.State != statePending {
			comments += len(r.Comments)
		}
	}
	for k, v := range (obj{
		"additions": additions, "deletions": deletions, "changed_files": len(all), "comments": len(p.comments), "review_comments": comments,
		"commits": len(p.repo.between(p.base, p.head)), "mergeable": true, "rebaseable": true, "mergeable_state": "clean", "merged": p.merged, "merged_by": nil,
		"maintainer_can_modify": false,
	}) {
		o[k] = v
	}
	return o
}

func (s *Server) reviewObject(p *pull, r *Review) obj {
	api, html, _ := s.pullURLs(p)
	here := fmt.Sprintf("%s#pullrequestreview-%d", html, r.ID)
	o := obj{
		"id": r.ID, "node_id": node("PRR", r.ID), "user": s.user(r.Author), "body": r.Body, "state": r.State, "html_url": here,
		"pull_request_url": api, "author_association": s.association(r.Author, p.repo), "commit_id": r.CommitID,
		"_links": obj{"html": link(here), "pull_request": link(api)},
	}
	if r.State != statePending {
		o["submitted_at"] = stamp(r.Submitted)
	}
	return o
}

func (s *Server) reviewCommentObject(p *pull, c *ReviewComment) obj {
	api, html, _ := s.pullURLs(p)
	self := fmt.Sprintf("%s/repos/%s/pulls/comments/%d", s.URL, p.repo.fullName(), c.ID)
	here := fmt.Sprintf("%s#discussion_r%d", html, c.ID)
	o := obj{
		"id": c.ID, "node_id": node("PRRC", c.ID), "url": self, "html_url": here, "pull_request_url": api, "pull_request_review_id": c.ReviewID,
		"diff_hunk": c.Hunk, "path": c.Path, "position": 1, "original_position": 1, "commit_id": c.CommitID, "original_commit_id": c.CommitID,
		"user": s.user(c.Author), "body": c.Body, "created_at": stamp(c.Created), "updated_at": stamp(c.Created),
		"author_association": s.association(c.Author, p.repo), "line": c.Line, "original_line": c.Line, "side": c.Side,
		"start_line": nil, "original_start_line": nil, "start_side": nil, "subject_type": "line",
		"_links": obj{"self": link(self), "html": link(here), "pull_request": link(api)},
	}
	if c.InReplyTo != 0 {
		o["in_reply_to_id"] = c.InReplyTo
	}
	if c.StartLine != 0 {
		o["start_line"], o["original_start_line"], o["start_side"] = c.StartLine, c.StartLine, c.Side
	}
	return o
}

func (s *Server) issueCommentObject(p *pull, c *IssueComment) obj {
	_, html, issue := s.pullURLs(p)
	return obj{
		"id": c.ID, "node_id": node("IC", c.ID), "url": fmt.Sprintf("%s/repos/%s/issues/comments/%d", s.URL, p.repo.fullName(), c.ID),
		"html_url": fmt.Sprintf("%s#issuecomment-%d", html, c.ID), "issue_url": issue, "user": s.user(c.Author), "body": c.Body,
		"created_at": stamp(c.Created), "updated_at": stamp(c.Updated), "author_association": s.association(c.Author, p.repo),
	}
}

func (s *Server) checkObject(r *repository, c *CheckRun) obj {
	at := fmt.Sprintf("%s/repos/%s/check-runs/%d", s.URL, r.fullName(), c.ID)
	html := fmt.Sprintf("%s/%s/runs/%d", s.URL, r.fullName(), c.ID)
	details := c.DetailsURL
	if details == "" {
		details = html
	}
	return obj{
		"id": c.ID, "node_id": node("CR", c.ID), "head_sha": c.Head, "name": c.Name, "url": at, "html_url": html, "details_url": details,
		"external_id": c.ExternalID, "status": c.Status, "conclusion": orNil(c.Conclusion), "started_at": stampOr(c.Started),
		"completed_at": stampOr(c.Completed), "check_suite": obj{"id": s.userID("suite:" + c.Head)}, "app": s.appObject(), "pull_requests": []obj{},
		"output": obj{
			"title": orNil(c.Title), "summary": orNil(c.Summary), "text": orNil(c.Text), "annotations_count": len(c.Annotations),
			"annotations_url": at + "/annotations",
		},
	}
}

func (s *Server) appObject() obj {
	return obj{
		"id": s.AppID, "slug": s.Slug, "node_id": node("A", s.AppID), "owner": s.user("openrabbit-owner"), "name": s.Slug,
		"description": nil, "external_url": s.URL, "html_url": s.URL + "/apps/" + s.Slug, "created_at": stamp(epoch), "updated_at": stamp(epoch),
		"permissions": permissions(), "events": []string{"pull_request", "push", "issue_comment"}, "installations_count": len(s.installations),
	}
}

func permissions() obj {
	return obj{"checks": "write", "contents": "read", "issues": "write", "metadata": "read", "pull_requests": "write"}
}

func (s *Server) installationObject(i *installation) obj {
	at := fmt.Sprintf("%s/app/installations/%d", s.URL, i.id)
	o := obj{
		"id": i.id, "account": s.user(i.account), "access_tokens_url": at + "/access_tokens", "repositories_url": s.URL + "/installation/repositories",
		"html_url": fmt.Sprintf("%s/settings/installations/%d", s.URL, i.id), "app_id": s.AppID, "app_slug": s.Slug, "target_id": s.userID(i.account),
		"target_type": "Organization", "repository_selection": "selected", "permissions": i.permissions(), "events": []string{"pull_request"},
		"single_file_name": nil, "created_at": stamp(epoch), "updated_at": stamp(epoch), "suspended_at": nil, "suspended_by": nil,
	}
	if i.suspended {
		o["suspended_at"], o["suspended_by"] = stamp(epoch), s.user(i.account)
	}
	return o
}

// ok answers 200 with an object.
func ok(o obj) answer { return reply(http.StatusOK, o) }
