package githubtest

import (
	"net/url"
	"strings"
)

// route is one operation that the server answers.
type route struct {
	method   string
	template string
	segments []string
	handle   func(*Server, *request) answer
	// outside answers what is no operation of the API: the archive that the tarball route leads to.
	outside func(*Server, *request) answer
}

// String gives the route's name: "GET /repos/{owner}/{repo}".
func (r *route) String() string { return r.method + " " + r.template }

func on(pattern string, handle func(*Server, *request) answer) *route {
	method, template, _ := strings.Cut(pattern, " ")
	return &route{method: method, template: template, segments: strings.Split(template, "/")[1:], handle: handle}
}

// routes are all operations. Their templates are those of GitHub's description.
func routes() []*route {
	const (
		repo   = "/repos/{owner}/{repo}"
		pulls  = repo + "/pulls/{pull_number}"
		review = pulls + "/reviews/{review_id}"
	)
	archive := on("GET /_codeload/{owner}/{repo}/{ref}", nil)
	archive.outside = (*Server).sendArchive
	graph := on("POST /graphql", nil)
	graph.outside = (*Server).graphQL
	return []*route{
		archive,
		graph,
		on("GET /app", (*Server).getApp),
		on("GET /app/hook/deliveries", (*Server).listDeliveries),
		on("POST /app/hook/deliveries/{delivery_id}/attempts", (*Server).redeliver),
		on("GET /app/installations", (*Server).listInstallations),
		on("GET /app/installations/{installation_id}", (*Server).getInstallation),
		on("POST /app/installations/{installation_id}/access_tokens", (*Server).createToken),
		on("GET /installation/repositories", (*Server).listRepositories),
		on("GET /rate_limit", (*Server).getRateLimit),
		on("GET /user", (*Server).getUser),
		on("GET "+repo, (*Server).getRepository),
		on("GET "+repo+"/compare/{basehead}", (*Server).compare),
		on("GET "+repo+"/contents/{path}", (*Server).getContents),
		on("GET "+repo+"/git/trees/{tree_sha}", (*Server).getTree),
		on("GET "+repo+"/tarball/{ref}", (*Server).getTarball),
		on("GET "+repo+"/pulls", (*Server).listPulls),
		on("GET "+pulls, (*Server).getPull),
		on("GET "+pulls+"/files", (*Server).listFiles),
		on("GET "+pulls+"/comments", (*Server).listPullComments),
		on("GET "+pulls+"/reviews", (*Server).listReviews),
		on("POST "+pulls+"/reviews", (*Server).createReview),
		on("GET "+review, (*Server).getReview),
		on("PUT "+review, (*Server).updateReview),
		on("DELETE "+review, (*Server).deleteReview),
		on("GET "+review+"/comments", (*Server).listReviewComments),
		on("POST "+review+"/events", (*Server).submitReview),
		on("POST "+pulls+"/comments/{comment_id}/replies", (*Server).replyToComment),
		on("GET "+repo+"/pulls/comments/{comment_id}", (*Server).getPullComment),
		on("DELETE "+repo+"/pulls/comments/{comment_id}", (*Server).deletePullComment),
		on("GET "+repo+"/issues/{issue_number}/comments", (*Server).listIssueComments),
		on("POST "+repo+"/issues/{issue_number}/comments", (*Server).createIssueComment),
		on("GET "+repo+"/issues/comments/{comment_id}", (*Server).getIssueComment),
		on("PATCH "+repo+"/issues/comments/{comment_id}", (*Server).updateIssueComment),
		on("DELETE "+repo+"/issues/comments/{comment_id}", (*Server).deleteIssueComment),
		on("POST "+repo+"/check-runs", (*Server).createCheckRun),
		on("GET "+repo+"/check-runs/{check_run_id}", (*Server).getCheckRun),
		on("PATCH "+repo+"/check-runs/{check_run_id}", (*Server).updateCheckRun),
		on("GET "+repo+"/check-runs/{check_run_id}/annotations", (*Server).listAnnotations),
		on("GET "+repo+"/commits/{ref}/check-runs", (*Server).listCheckRuns),
	}
}

// findRoute gives the route of a path and the values of its names. Of several the one with most fixed segments wins.
func (s *Server) findRoute(method, path string) (*route, map[string]string) {
	segments := strings.Split(path, "/")[1:]
	var best *route
	var values map[string]string
	fixed := -1
	for _, r := range s.routes {
		if r.method != method {
			continue
		}
		if v, n, ok := r.match(segments); ok && n > fixed {
			best, values, fixed = r, v, n
		}
	}
	return best, values
}

// match compares segment by segment. The name {path} at the end takes all that is left.
func (r *route) match(segments []string) (values map[string]string, fixed int, ok bool) {
	values = map[string]string{}
	for i, s := range r.segments {
		if i >= len(segments) {
			return nil, 0, false
		}
		if s == "{path}" && i == len(r.segments)-1 {
			values["path"] = unescape(strings.Join(segments[i:], "/"))
			return values, fixed, true
		}
		if name, ok := strings.CutPrefix(s, "{"); ok {
			values[strings.TrimSuffix(name, "}")] = unescape(segments[i])
			continue
		}
		if s != segments[i] {
			return nil, 0, false
		}
		fixed++
	}
	return values, fixed, len(segments) == len(r.segments)
}

func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}
