package githubtest

import (
	"net/http"
	"slices"
	"time"
)

type draftCheck struct {
	Name        string     `json:"name"`
	HeadSHA     string     `json:"head_sha"`
	ExternalID  *string    `json:"external_id"`
	DetailsURL  *string    `json:"details_url"`
	Status      string     `json:"status"`
	Conclusion  string     `json:"conclusion"`
	CompletedAt *time.Time `json:"completed_at"`
	Output      *struct {
		Title       string `json:"title"`
		Summary     string `json:"summary"`
		Text        string `json:"text"`
		Annotations []struct {
			Path      string `json:"path"`
			StartLine int    `json:"start_line"`
			EndLine   int    `json:"end_line"`
			Level     string `json:"annotation_level"`
			Title     string `json:"title"`
			Message   string `json:"message"`
		} `json:"annotations"`
	} `json:"output"`
}

// put writes what a request says into a check run.
func (s *Server) put(c *CheckRun, d draftCheck) {
	if d.Name != "" {
		c.Name = d.Name
	}
	if d.ExternalID != nil {
		c.ExternalID = *d.ExternalID
	}
	if d.DetailsURL != nil {
		c.DetailsURL = *d.DetailsURL
	}
	if d.Status != "" {
		c.Status = d.Status
		if d.Status != "completed" {
			c.Conclusion, c.Completed = "", time.Time{}
		}
	}
	if d.Conclusion != "" {
		c.Status, c.Conclusion, c.Completed = "completed", d.Conclusion, s.o.Now()
	}
	if o := d.Output; o != nil {
		c.Title, c.Summary, c.Text = o.Title, o.Summary, o.Text
		for _, a := range o.Annotations {
			c.Annotations = append(c.Annotations, Annotation{
				Path: a.Path, StartLine: a.StartLine, EndLine: a.EndLine, Level: a.Level, Title: a.Title, Message: a.Message,
			})
		}
	}
}

func (s *Server) createCheckRun(r *request) answer {
	d, bad := decode[draftCheck](r)
	if bad != nil {
		return *bad
	}
	if r.caller.installation == 0 {
		return problem(http.StatusForbidden, "You must authenticate via a GitHub App.")
	}
	if r.repo.commits[d.HeadSHA] == nil {
		return problem(http.StatusUnprocessableEntity, "No commit found for SHA: "+d.HeadSHA)
	}
	c := &CheckRun{ID: s.id(), Head: d.HeadSHA, Status: "queued", Started: s.o.Now()}
	s.put(c, d)
	r.repo.checks = append(r.repo.checks, c)
	repo := r.repo
	r.undo = append(r.undo, func() {
		repo.checks = slices.DeleteFunc(repo.checks, func(o *CheckRun) bool { return o == c })
	})
	return reply(http.StatusCreated, s.checkObject(r.repo, c))
}

func (s *Server) findCheckRun(r *request) *CheckRun {
	i := slices.IndexFunc(r.repo.checks, func(c *CheckRun) bool { return c.ID == r.number("check_run_id") })
	if i < 0 {
		return nil
	}
	return r.repo.checks[i]
}

func (s *Server) getCheckRun(r *request) answer {
	c := s.findCheckRun(r)
	if c == nil {
		return notFound()
	}
	return ok(s.checkObject(r.repo, c))
}

func (s *Server) updateCheckRun(r *request) answer {
	c := s.findCheckRun(r)
	if c == nil {
		return notFound()
	}
	d, bad := decode[draftCheck](r)
	if bad != nil {
		return *bad
	}
	if r.caller.installation == 0 {
		return problem(http.StatusForbidden, "You must authenticate via a GitHub App.")
	}
	s.put(c, d)
	return ok(s.checkObject(r.repo, c))
}

func (s *Server) listAnnotations(r *request) answer {
	c := s.findCheckRun(r)
	if c == nil {
		return notFound()
	}
	return listing(s, r, c.Annotations, func(a Annotation) obj {
		return obj{
			"path": a.Path, "blob_href": s.URL + "/" + r.repo.fullName() + "/blob/" + c.Head + "/" + a.Path, "start_line": a.StartLine,
			"end_line": a.EndLine, "start_column": nil, "end_column": nil, "annotation_level": a.Level, "title": orNil(a.Title),
			"message": a.Message, "raw_details": nil,
		}
	})
}

func (s *Server) listCheckRuns(r *request) answer {
	head := r.repo.resolve(r.params["ref"])
	if head == nil {
		return problem(http.StatusUnprocessableEntity, "No commit found for SHA: "+r.params["ref"])
	}
	var all []*CheckRun
	for _, c := range r.repo.checks {
		if c.Head == head.sha && (r.query.Get("check_name") == "" || r.query.Get("check_name") == c.Name) && s.visible(c.Started) {
			all = append(all, c)
		}
	}
	slices.Reverse(all)
	if r.query.Get("filter") != "all" {
		seen := map[string]bool{}
		all = slices.DeleteFunc(all, func(c *CheckRun) bool {
			again := seen[c.Name]
			seen[c.Name] = true
			return again
		})
	}
	page, h := paged(s, r, all)
	list := make([]obj, len(page))
	for i, c := range page {
		list[i] = s.checkObject(r.repo, c)
	}
	return withHeader(ok(obj{"total_count": len(all), "check_runs": list}), h)
}
