package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

type draftBody struct {
	Body string `json:"body"`
}

// checkBody refuses a body that GitHub refuses.
func checkBody(body string) *answer {
	var a answer
	switch {
	case strings.TrimSpace(body) == "":
		a = problem(http.StatusUnprocessableEntity, "Validation Failed", obj{"resource": "IssueComment", "code": "missing_field", "field": "body"})
	case len([]rune(body)) > maxBodyRunes:
		a = problem(http.StatusUnprocessableEntity, "Validation Failed", obj{
			"resource": "IssueComment", "code": "custom", "field": "body", "message": fmt.Sprintf("body is too long (maximum is %d characters)", maxBodyRunes),
		})
	default:
		return nil
	}
	return &a
}

func (s *Server) listIssueComments(r *request) answer {
	var all []*IssueComment
	for _, c := range r.pull.comments {
		if s.visible(c.Created) {
			all = append(all, c)
		}
	}
	return listing(s, r, all, func(c *IssueComment) obj { return s.issueCommentObject(r.pull, c) })
}

// newComment reads what somebody wants to write into a conversation.
func newComment(r *request) (draftBody, *answer) {
	d, bad := decode[draftBody](r)
	if bad == nil {
		bad = checkBody(d.Body)
	}
	if bad == nil {
		bad = mayWrite(r.pull)
	}
	return d, bad
}

func (s *Server) createIssueComment(r *request) answer {
	d, bad := newComment(r)
	if bad != nil {
		return *bad
	}
	c := &IssueComment{ID: s.id(), Author: s.author(r.caller), Body: d.Body, Created: s.o.Now(), Updated: s.o.Now()}
	p := r.pull
	p.comments = append(p.comments, c)
	r.undo = append(r.undo, func() {
		p.comments = slices.DeleteFunc(p.comments, func(o *IssueComment) bool { return o == c })
	})
	a := reply(http.StatusCreated, s.issueCommentObject(r.pull, c))
	a.header.Set("Location", fmt.Sprintf("%s/repos/%s/issues/comments/%d", s.URL, r.repo.fullName(), c.ID))
	return a
}

func (s *Server) findIssueComment(r *request) (*pull, *IssueComment) {
	for _, p := range r.repo.pulls {
		for _, c := range p.comments {
			if c.ID == r.number("comment_id") {
				return p, c
			}
		}
	}
	return nil, nil
}

func (s *Server) getIssueComment(r *request) answer {
	p, c := s.findIssueComment(r)
	if c == nil {
		return notFound()
	}
	return ok(s.issueCommentObject(p, c))
}

func (s *Server) updateIssueComment(r *request) answer {
	p, c := s.findIssueComment(r)
	if c == nil {
		return notFound()
	}
	d, bad := decode[draftBody](r)
	if bad == nil {
		bad = checkBody(d.Body)
	}
	if bad != nil {
		return *bad
	}
	if c.Author != s.author(r.caller) {
		return problem(http.StatusForbidden, "Resource not accessible by integration")
	}
	c.Body, c.Updated = d.Body, s.o.Now()
	c.Edits++
	return ok(s.issueCommentObject(p, c))
}

func (s *Server) deleteIssueComment(r *request) answer {
	p, c := s.findIssueComment(r)
	if c == nil {
		return notFound()
	}
	p.comments = slices.DeleteFunc(p.comments, func(other *IssueComment) bool { return other == c })
	return answer{status: http.StatusNoContent, header: http.Header{}}
}
