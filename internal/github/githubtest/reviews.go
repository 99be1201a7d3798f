package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// The states of a review, in GitHub's words.
const (
	statePending   = "PENDING"
	stateCommented = "COMMENTED"
)

// maxBodyRunes is GitHub's limit for the body of a review or comment.
const maxBodyRunes = 65_536

// events gives the state that an event leads to.
func events(event string) (state string, ok bool) {
	switch event {
	case "COMMENT":
		return stateCommented, true
	case "APPROVE":
		return "APPROVED", true
	case "REQUEST_CHANGES":
		return "CHANGES_REQUESTED", true
	}
	return "", false
}

type draftComment struct {
	Path      string `json:"path"`
	Body      string `json:"body"`
	Line      int    `json:"line"`
	Side      string `json:"side"`
	StartLine int    `json:"start_line"`
	StartSide string `json:"start_side"`
	Position  int    `json:"position"`
}

type draftReview struct {
	CommitID string         `json:"commit_id"`
	Body     string         `json:"body"`
	Event    string         `json:"event"`
	Comments []draftComment `json:"comments"`
}

// mayWrite refuses writes to a conversation that is locked.
func mayWrite(p *pull) *answer {
	if p.locked {
		a := problem(http.StatusForbidden, "Unable to create comment because issue is locked.")
		return &a
	}
	return nil
}

func (s *Server) createReview(r *request) answer {
	d, bad := decode[draftReview](r)
	if bad != nil {
		return *bad
	}
	if refused := mayWrite(r.pull); refused != nil {
		return *refused
	}
	p, author := r.pull, s.author(r.caller)
	if d.CommitID == "" {
		d.CommitID = p.head
	}
	state := statePending
	if d.Event != "" {
		state, _ = events(d.Event)
	}
	switch {
	case !slices.Contains(p.heads, d.CommitID) || p.repo.commits[d.CommitID] == nil:
		return problem(http.StatusUnprocessableEntity, "Unprocessable Entity", "commit_id is not part of the pull request")
	case len([]rune(d.Body)) > maxBodyRunes:
		return unprocessable(fmt.Sprintf("Body is too long (maximum is %d characters)", maxBodyRunes))
	case d.Event != "" && d.Event != "APPROVE" && d.Body == "" && len(d.Comments) == 0:
		return unprocessable("Body can't be blank")
	case slices.ContainsFunc(p.reviews, func(r *Review) bool { return r.State == statePending && r.Author == author }):
		return unprocessable("User can only have one pending review per pull request")
	}
	review := &Review{ID: s.id(), Author: author, Body: d.Body, State: state, CommitID: d.CommitID, Created: s.o.Now()}
	for _, c := range d.Comments {
		made, problem := p.comment(d.CommitID, c)
		if problem != "" {
			if s.leave != LeaveNothing && d.Body != "" {
				review.Comments = nil
				if s.leave == LeaveSubmitted {
					review.State, review.Submitted = stateCommented, review.Created
				}
				p.reviews = append(p.reviews, review)
			}
			return unprocessable(problem)
		}
		made.ID, made.ReviewID, made.Author, made.Created = s.id(), review.ID, author, review.Created
		review.Comments = append(review.Comments, made)
	}
	if state != statePending {
		review.Submitted = review.Created
	}
	p.reviews = append(p.reviews, review)
	p.updated = s.o.Now()
	r.undo = append(r.undo, func() {
		p.reviews = slices.DeleteFunc(p.reviews, func(o *Review) bool { return o == review })
	})
	return ok(s.reviewObject(p, review))
}

// comment checks the place of a comment. A refusal is one sentence, put together the way GitHub does it.
func (p *pull) comment(commit string, d draftComment) (ReviewComment, string) {
	c := ReviewComment{Path: d.Path, Side: d.Side, Line: d.Line, StartLine: d.StartLine, CommitID: commit, Body: d.Body}
	if c.Side == "" {
		c.Side = "RIGHT"
	}
	startSide := d.StartSide
	if startSide == "" {
		startSide = c.Side
	}
	var wrong []string
	switch {
	case strings.TrimSpace(d.Body) == "":
		wrong = append(wrong, "Body can't be blank")
	case len([]rune(d.Body)) > maxBodyRunes:
		wrong = append(wrong, fmt.Sprintf("Body is too long (maximum is %d characters)", maxBodyRunes))
	case d.Position != 0 || d.Line == 0:
		wrong = append(wrong, "Pull request review thread position is invalid") // the old way, which we never go
	case c.Side != "LEFT" && c.Side != "RIGHT":
		wrong = append(wrong, "Pull request review thread side is invalid")
	}
	at := slices.IndexFunc(p.changes(commit), func(f *change) bool { return f.path() == d.Path })
	if at < 0 {
		wrong = append(wrong, "Pull request review thread path is invalid", "Pull request review thread diff hunk can't be blank")
		return c, sentence(wrong)
	}
	file := p.changes(commit)[at]
	hunk := file.hunkAt(c.Side, d.Line)
	if hunk < 0 {
		wrong = append(wrong, "Pull request review thread line must be part of the diff")
	}
	if d.StartLine != 0 {
		switch {
		case startSide == c.Side && d.StartLine >= d.Line:
			wrong = append(wrong, "Pull request review thread start line must precede the end line.")
		case file.hunkAt(startSide, d.StartLine) < 0 || file.hunkAt(startSide, d.StartLine) != hunk:
			wrong = append(wrong, "Pull request review thread start line must be part of the same hunk as the line.")
		}
	}
	if hunk < 0 {
		wrong = append(wrong, "Pull request review thread diff hunk can't be blank")
	} else {
		c.Hunk = file.hunk(hunk)
	}
	return c, sentence(wrong)
}

// hunk gives the text of a hunk.
func (c *change) hunk(n int) string {
	var out []string
	at := -1
	for _, line := range strings.Split(c.patch, "\n") {
		if strings.HasPrefix(line, "@@ ") {
			at++
		}
		if at == n {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// sentence joins complaints as GitHub's own framework does: "a, b, and c".
func sentence(parts []string) string {
	switch n := len(parts); n {
	case 0:
		return ""
	case 1:
		return parts[0]
	case 2:
		return parts[0] + " and " + parts[1]
	default:
		return strings.Join(parts[:n-1], ", ") + ", and " + parts[n-1]
	}
}

// shown says whether a review is there for a caller: a pending one is for its author only.
func (s *Server) shown(r *request, review *Review) bool {
	return review.State != statePending || review.Author == s.author(r.caller)
}

func (s *Server) listReviews(r *request) answer {
	var all []*Review
	for _, review := range r.pull.reviews {
		if s.shown(r, review) && s.visible(review.Created) {
			all = append(all, review)
		}
	}
	return listing(s, r, all, func(review *Review) obj { return s.reviewObject(r.pull, review) })
}

func (s *Server) findReview(r *request) *Review {
	for _, review := range r.pull.reviews {
		if review.ID == r.number("review_id") && s.shown(r, review) {
			return review
		}
	}
	return nil
}

func (s *Server) getReview(r *request) answer {
	review := s.findReview(r)
	if review == nil {
		return notFound()
	}
	return ok(s.reviewObject(r.pull, review))
}

func (s *Server) updateReview(r *request) answer {
	review := s.findReview(r)
	if review == nil {
		return notFound()
	}
	d, bad := decode[draftReview](r)
	if bad != nil {
		return *bad
	}
	if review.Author != s.author(r.caller) {
		return problem(http.StatusForbidden, "Must be the author of the review")
	}
	review.Body = d.Body
	return ok(s.reviewObject(r.pull, review))
}

func (s *Server) deleteReview(r *request) answer {
	review := s.findReview(r)
	switch {
	case review == nil:
		return notFound()
	case review.State != statePending:
		return unprocessable("Can not delete a non-pending pull request review")
	}
	r.pull.reviews = slices.DeleteFunc(r.pull.reviews, func(other *Review) bool { return other == review })
	return ok(s.reviewObject(r.pull, review))
}

func (s *Server) submitReview(r *request) answer {
	review := s.findReview(r)
	if review == nil {
		return notFound()
	}
	d, bad := decode[draftReview](r)
	if bad != nil {
		return *bad
	}
	if refused := mayWrite(r.pull); refused != nil {
		return *refused
	}
	state, known := events(d.Event)
	if d.Body != "" {
		review.Body = d.Body
	}
	switch {
	case !known:
		return unprocessable("Event is invalid")
	case review.State != statePending:
		return unprocessable("Can not submit a review that is not pending")
	case review.Body == "" && len(review.Comments) == 0:
		return unprocessable("Body can't be blank")
	}
	review.State, review.Submitted = state, s.o.Now()
	r.pull.updated = s.o.Now()
	r.undo = append(r.undo, func() { review.State = statePending })
	return ok(s.reviewObject(r.pull, review))
}

func (s *Server) listReviewComments(r *request) answer {
	review := s.findReview(r)
	if review == nil {
		return notFound()
	}
	return listing(s, r, review.Comments, func(c ReviewComment) obj { return s.reviewCommentObject(r.pull, &c) })
}

func (s *Server) listPullComments(r *request) answer {
	var all []ReviewComment
	for _, review := range r.pull.reviews {
		if review.State != statePending && s.visible(review.Created) {
			all = append(all, review.Comments...)
		}
	}
	return listing(s, r, all, func(c ReviewComment) obj { return s.reviewCommentObject(r.pull, &c) })
}
