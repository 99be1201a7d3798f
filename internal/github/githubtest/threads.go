package githubtest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
)

// findComment finds a comment of a submitted review, and the review.
func (s *Server) findComment(r *repository, id int64) (*pull, *Review, *ReviewComment) {
	for _, p := range r.pulls {
		for _, review := range p.reviews {
			for i := range review.Comments {
				if review.State != statePending && review.Comments[i].ID == id {
					return p, review, &review.Comments[i]
				}
			}
		}
	}
	return nil, nil, nil
}

func (s *Server) getPullComment(r *request) answer {
	p, _, c := s.findComment(r.repo, r.number("comment_id"))
	if c == nil {
		return notFound()
	}
	return ok(s.reviewCommentObject(p, c))
}

func (s *Server) deletePullComment(r *request) answer {
	_, review, c := s.findComment(r.repo, r.number("comment_id"))
	switch {
	case c == nil:
		return notFound()
	case c.Author != s.author(r.caller):
		return problem(http.StatusForbidden, "Resource not accessible by integration")
	}
	id := c.ID
	review.Comments = slices.DeleteFunc(review.Comments, func(c ReviewComment) bool { return c.ID == id })
	return answer{status: http.StatusNoContent, header: http.Header{}}
}

// reply answers a comment. As on GitHub the reply is a review of its own, without a body.
func (s *Server) replyToComment(r *request) answer {
	d, bad := newComment(r)
	if bad != nil {
		return *bad
	}
	p, _, c := s.findComment(r.repo, r.number("comment_id"))
	if c == nil || p != r.pull {
		return notFound()
	}
	if c.InReplyTo != 0 {
		return unprocessable("in_reply_to is itself a reply")
	}
	made := s.reply(p, c, s.author(r.caller), d.Body)
	r.undo = append(r.undo, func() {
		p.reviews = slices.DeleteFunc(p.reviews, func(o *Review) bool { return o.ID == made.ReviewID })
	})
	return reply(http.StatusCreated, s.reviewCommentObject(p, made))
}

func (s *Server) reply(p *pull, to *ReviewComment, author, body string) *ReviewComment {
	c := *to
	review := &Review{ID: s.id(), Author: author, State: stateCommented, CommitID: to.CommitID, Created: s.o.Now(), Submitted: s.o.Now()}
	c.ID, c.ReviewID, c.InReplyTo, c.Author, c.Body, c.Created = s.id(), review.ID, to.ID, author, body, s.o.Now()
	review.Comments = []ReviewComment{c}
	p.reviews = append(p.reviews, review)
	p.updated = s.o.Now()
	return &review.Comments[0]
}

// ReplyTo lets a person answer a comment of a review, and gives the reply's id.
func (s *Server) ReplyTo(fullName string, number int, comment int64, author, body string) (id int64, err error) {
	err = s.edit(fullName, number, func(p *pull) error {
		found, _, c := s.findComment(p.repo, comment)
		if c == nil || found != p {
			return fmt.Errorf("no comment %d", comment)
		}
		id = s.reply(p, c, author, body).ID
		return nil
	})
	return id, err
}

// Resolved says whether the thread that a comment began is resolved, and by whom.
func (s *Server) Resolved(fullName string, number int, comment int64) string {
	return read(s, fullName, number, func(p *pull) string { return p.resolved[comment] })
}

// Resolve resolves the thread that a comment began, as a person.
func (s *Server) Resolve(fullName string, number int, comment int64, author string) error {
	return s.edit(fullName, number, func(p *pull) error { p.resolve(comment, author); return nil })
}

func (p *pull) resolve(comment int64, author string) {
	if p.resolved == nil {
		p.resolved = map[int64]string{}
	}
	p.resolved[comment] = author
}

// operationName finds the kind and the name of a GraphQL document.
var operationName = regexp.MustCompile(`^\s*(query|mutation)\s+(\w+)`)

type graphQL struct {
	Query     string `json:"query"`
	Variables struct {
		Owner, Name, After, ID string
		Number                 int
	} `json:"variables"`
}

// graphQL answers the two documents that we send. It is no operation of the REST API, so nothing describes it.
func (s *Server) graphQL(r *request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, refused := s.authenticate(r)
	if r.caller = c; refused != nil {
		return *refused
	}
	if refused := s.restrained(c); refused != nil {
		return *refused
	}
	d, bad := decode[graphQL](r)
	if bad != nil {
		return *bad
	}
	switch name := operationName.FindStringSubmatch(d.Query); {
	case name == nil:
		return graphQLError("", "", "A query attribute must be specified and must be a string.")
	case name[2] == "ReviewThreads":
		return s.reviewThreads(c, d)
	case name[2] == "ResolveThread":
		return s.resolveThread(c, d)
	default:
		s.violation("graphql: nothing here answers %s %s", name[1], name[2])
		return graphQLError("", "undefinedField", "Nothing here answers that.")
	}
}

// graphQLError is an answer of 200 that is none.
func graphQLError(field, kind, message string) answer {
	e := obj{"message": message}
	if kind != "" {
		e["type"] = kind
	}
	o := obj{"errors": []obj{e}}
	if field != "" {
		o["data"], e["path"] = obj{field: nil}, []string{field}
	}
	return ok(o)
}

func (s *Server) reviewThreads(c *caller, d graphQL) answer {
	repo := s.repository(d.Variables.Owner + "/" + d.Variables.Name)
	if repo == nil || !c.sees(repo) || repo.pulls[d.Variables.Number] == nil {
		return graphQLError("repository", "NOT_FOUND", "Could not resolve to a Repository with the name '"+d.Variables.Owner+"/"+d.Variables.Name+"'.")
	}
	p := repo.pulls[d.Variables.Number]
	nodes := []obj{}
	for _, review := range p.reviews {
		for _, comment := range review.Comments {
			if review.State != statePending && comment.InReplyTo == 0 {
				nodes = append(nodes, obj{
					"id": node("PRRT", comment.ID), "isResolved": p.resolved[comment.ID] != "",
					"comments": obj{"nodes": []obj{{"databaseId": comment.ID}}},
				})
			}
		}
	}
	const size = 100
	from := 0
	_, _ = fmt.Sscan(d.Variables.After, &from) // our own cursor, or none
	from = min(from, len(nodes))
	to := min(len(nodes), from+size)
	return ok(obj{"data": obj{"repository": obj{"pullRequest": obj{"reviewThreads": obj{
		"nodes": nodes[from:to], "pageInfo": obj{"hasNextPage": to < len(nodes), "endCursor": fmt.Sprint(to)},
	}}}}})
}

func (s *Server) resolveThread(c *caller, d graphQL) answer {
	const field = "resolveReviewThread"
	for _, repo := range s.repos {
		for _, p := range repo.pulls {
			for _, comment := range p.threads() {
				if node("PRRT", comment) != d.Variables.ID || !c.sees(repo) {
					continue
				}
				if i := s.installations[c.installation]; i != nil && i.permissions()["contents"] != "write" {
					return graphQLError(field, "FORBIDDEN", "Resource not accessible by integration")
				}
				p.resolve(comment, s.author(c))
				return ok(obj{"data": obj{field: obj{"thread": obj{"id": d.Variables.ID, "isResolved": true}}}})
			}
		}
	}
	return graphQLError(field, "NOT_FOUND", "Could not resolve to a node with the global id of '"+d.Variables.ID+"'.")
}

// threads gives the comments that began a thread.
func (p *pull) threads() []int64 {
	var all []int64
	for _, review := range p.reviews {
		for _, c := range review.Comments {
			if review.State != statePending && c.InReplyTo == 0 {
				all = append(all, c.ID)
			}
		}
	}
	return all
}
