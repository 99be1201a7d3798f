package load

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The names of the fields that GitHub's payloads of pull_request have; most hold an address each.
const (
	userURLs = `followers_url following_url gists_url starred_url subscriptions_url organizations_url repos_url events_url
		received_events_url`
	repositoryURLs = `forks_url keys_url collaborators_url teams_url hooks_url issue_events_url events_url assignees_url
		branches_url tags_url blobs_url git_tags_url git_refs_url trees_url statuses_url languages_url stargazers_url
		contributors_url subscribers_url subscription_url commits_url git_commits_url comments_url issue_comment_url
		contents_url compare_url merges_url archive_url downloads_url issues_url pulls_url milestones_url notifications_url
		labels_url releases_url deployments_url`
	repositoryFlags = `fork has_issues has_projects has_downloads has_wiki has_pages archived disabled allow_squash_merge
		allow_merge_commit allow_rebase_merge delete_branch_on_merge is_template web_commit_signoff_required`
	repositoryCounts = `size stargazers_count watchers_count forks_count open_issues_count forks open_issues watchers`
	pullURLs         = `diff_url patch_url issue_url commits_url review_comments_url review_comment_url comments_url`
	pullNulls        = `closed_at merged_at merge_commit_sha assignee milestone auto_merge active_lock_reason mergeable merged_by`
	pullLists        = `assignees requested_reviewers requested_teams labels`
)

const api = "https://api.github.com"

// object is JSON whose fields stand in the order in which they were added.
type object struct{ b strings.Builder }

func (o *object) add(name string, value any) {
	encoded, ok := value.(*object)
	if ok {
		o.raw(name, encoded.String())
		return
	}
	text, err := json.Marshal(value)
	if err != nil { // only strings, numbers and booleans come here
		panic(err)
	}
	o.raw(name, string(text))
}

func (o *object) raw(name, text string) {
	if o.b.Len() > 0 {
		o.b.WriteByte(',')
	}
	fmt.Fprintf(&o.b, "%q:%s", name, text)
}

// String gives the object's text.
func (o *object) String() string { return "{" + o.b.String() + "}" }

func (o *object) each(names string, value func(name string) any) {
	for _, name := range strings.Fields(names) {
		o.add(name, value(name))
	}
}

func user(login string, id int) *object {
	o := &object{}
	o.add("login", login)
	o.add("id", id)
	o.add("node_id", "MDQ6VXNlcjIxMDMxMDY3")
	o.add("avatar_url", fmt.Sprintf("https://avatars1.githubusercontent.com/u/%d?v=4", id))
	o.add("gravatar_id", "")
	o.add("url", api+"/users/"+login)
	o.add("html_url", "https://github.com/"+login)
	o.each(userURLs, func(name string) any {
		return api + "/users/" + login + "/" + strings.TrimSuffix(name, "_url") + "{/other}"
	})
	o.add("type", "User")
	o.add("user_view_type", "public")
	o.add("site_admin", false)
	return o
}

func repository(owner, name string, id int) *object {
	o := &object{}
	full := owner + "/" + name
	o.add("id", id)
	o.add("node_id", "MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=")
	o.add("name", name)
	o.add("full_name", full)
	o.add("private", false)
	o.add("owner", user(owner, 21031067))
	o.add("html_url", "https://github.com/"+full)
	o.add("description", "A shop that sells what is in its inventory")
	o.add("url", api+"/repos/"+full)
	o.each(repositoryURLs, func(name string) any {
		return api + "/repos/" + full + "/" + strings.TrimSuffix(name, "_url") + "{/sha}"
	})
	for _, at := range []string{"created_at", "updated_at", "pushed_at"} {
		o.add(at, "2026-11-01T12:00:00Z")
	}
	for _, url := range []string{"git_url", "ssh_url", "clone_url", "svn_url"} {
		o.add(url, "https://github.com/"+full+".git")
	}
	o.raw("homepage", "null")
	o.each(repositoryCounts, func(string) any { return 2 })
	o.add("language", "Go")
	o.each(repositoryFlags, func(string) any { return true })
	o.raw("license", "null")
	o.raw("topics", "[]")
	o.add("visibility", "public")
	o.add("default_branch", "main")
	return o
}

// The repository and the installation that deliveries are about.
const (
	repositoryID   = 186853002
	installationID = 957387
	repositoryName = "acme/warehouse"
)

// payload gives a delivery of pull_request with the fields of GitHub's, about 24.5 kB, in two parts: of two deliveries
// only the second differs, so that signing one costs the sender little. Fields of JSON have no order, and what is
// read has to be looked for all the same.
func payload() (same string) {
	whole := &object{}
	whole.add("action", "opened")
	whole.add("repository", repository("acme", "warehouse", repositoryID))
	whole.add("organization", user("acme", 38302899))
	whole.add("sender", user("octocat", 583231))
	whole.raw("installation", fmt.Sprintf(`{"id":%d,"node_id":"MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9uOTU3Mzg3"}`, installationID))

	pull := &object{}
	pull.add("url", api+"/repos/acme/warehouse/pulls/2")
	pull.add("id", 279147437)
	pull.add("node_id", "MDExOlB1bGxSZXF1ZXN0Mjc5MTQ3NDM3")
	pull.add("html_url", "https://github.com/acme/warehouse/pull/2")
	pull.each(pullURLs, func(name string) any { return api + "/repos/acme/warehouse/pulls/2/" + name })
	pull.add("state", "open")
	pull.add("locked", false)
	pull.add("title", "Reserve stock for a whole order at once")
	pull.add("user", user("octocat", 583231))
	pull.add("body", strings.Repeat("An order was filled line by line, so two orders could each take half of the last pieces.\r\n\r\n", 24))
	pull.add("created_at", "2026-11-01T12:00:00Z")
	pull.each(pullNulls, func(string) any { return nil })
	for _, name := range strings.Fields(pullLists) {
		pull.raw(name, "[]")
	}
	pull.add("draft", false)
	branch := &object{}
	branch.add("label", "acme:main")
	branch.add("ref", "main")
	branch.add("sha", "f95f852bd8fca8fcc58a9a2d6c842781e32a215e")
	branch.add("user", user("acme", 21031067))
	branch.add("repo", repository("acme", "warehouse", repositoryID))
	pull.add("base", branch)
	links := &object{}
	for _, name := range []string{"self", "html", "issue", "comments", "review_comments", "review_comment", "commits", "statuses"} {
		links.raw(name, fmt.Sprintf(`{"href":%q}`, api+"/repos/acme/warehouse/pulls/2/"+name))
	}
	pull.add("_links", links)
	pull.add("author_association", "CONTRIBUTOR")
	pull.each("merged rebaseable maintainer_can_modify", func(string) any { return false })
	pull.add("mergeable_state", "unknown")
	pull.each("comments review_comments commits additions deletions changed_files", func(string) any { return 3 })
	pull.add("updated_at", "2026-11-01T12:00:00Z")
	head := &object{}
	head.add("label", "octocat:reserve")
	head.add("ref", "reserve")
	head.add("user", user("octocat", 583231))
	head.add("repo", repository("octocat", "warehouse", 186853007))

	open := func(o *object) string { return strings.TrimSuffix(o.String(), "}") }
	return open(whole) + `,"pull_request":` + open(pull) + `,"head":` + open(head)
}

// rest ends the payload for one revision of one pull request.
func rest(number int, head string) string {
	return fmt.Sprintf(`,"sha":%q},"number":%d},"number":%[2]d}`, head, number)
}
