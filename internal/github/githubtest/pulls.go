package githubtest

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"
)

func (s *Server) listPulls(r *request) answer {
	state := r.query.Get("state")
	if state == "" {
		state = "open"
	}
	var all []*pull
	for _, p := range r.repo.pulls {
		if state == "all" || p.state == state {
			all = append(all, p)
		}
	}
	at := func(p *pull) time.Time { return p.created }
	if r.query.Get("sort") == "updated" {
		at = func(p *pull) time.Time { return p.updated }
	}
	// GitHub sorts downwards when it is told no order, and upwards when it is told only the order.
	down := r.query.Get("direction") == "desc" || r.query.Get("direction") == "" && r.query.Get("sort") == ""
	sort.Slice(all, func(i, j int) bool {
		if before, after := at(all[i]), at(all[j]); !before.Equal(after) {
			return before.After(after) == down
		}
		return all[i].number > all[j].number == down
	})
	return listing(s, r, all, s.pullSimple)
}

func (s *Server) getPull(r *request) answer {
	if strings.Contains(r.Header.Get("Accept"), "diff") {
		return s.sendDiff(r.pull.changes(r.pull.head))
	}
	return ok(s.pullObject(r.pull))
}

// sendDiff gives a diff, or refuses one that is too large.
func (s *Server) sendDiff(all []*change) answer {
	if len(all) > s.o.DiffFiles {
		return tooLarge(fmt.Sprintf("maximum number of files (%d)", s.o.DiffFiles))
	}
	lines := 0
	for _, c := range all {
		lines += strings.Count(c.patch, "\n") + 1
	}
	text := unified(all)
	switch {
	case lines > s.o.DiffLines:
		return tooLarge(fmt.Sprintf("maximum number of lines (%d)", s.o.DiffLines))
	case len(text) > s.o.DiffBytes:
		return tooLarge(fmt.Sprintf("maximum size (%d bytes)", s.o.DiffBytes))
	}
	return plain("application/vnd.github.diff; charset=utf-8", []byte(text))
}

func tooLarge(what string) answer {
	return problem(http.StatusNotAcceptable, "Sorry, the diff exceeded the "+what+".",
		obj{"resource": "PullRequest", "field": "diff", "code": "too_large"})
}

func (s *Server) listFiles(r *request) answer {
	all := r.pull.changes(r.pull.head)
	all = all[:min(len(all), s.o.ListedFiles)]
	return listing(s, r, all, func(c *change) obj { return s.fileObject(r.repo, r.pull.head, c) })
}
