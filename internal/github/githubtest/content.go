package githubtest

import (
	"net/http"
	"strings"
	"time"
)

// made is something that an installation created.
type made struct {
	at    time.Time
	units int
}

// Content is the most that an installation ever created within a window.
type Content struct {
	// Minute and Hour count requests, MinuteUnits and HourUnits each comment of a review besides.
	Minute, Hour           int
	MinuteUnits, HourUnits int
}

// creates says how much a request creates: nothing, or one and the comments that it carries.
func creates(r *request) int {
	switch {
	case r.Method != http.MethodPost, r.route.template == "/graphql", strings.HasPrefix(r.route.template, "/app/"):
		return 0
	case strings.HasSuffix(r.route.template, "/reviews"):
		d, _ := decode[draftReview](r)
		return 1 + len(d.Comments)
	}
	return 1
}

// tooMuch says whether a request would put more into a window than the content limits allow.
func (s *Server) tooMuch(c *caller, units int) bool {
	if units == 0 || c.installation == 0 {
		return false
	}
	now, minute, hour := s.o.Now(), 0, 0
	for _, m := range s.made[c.installation] {
		if now.Sub(m.at) < time.Hour {
			hour += m.units
		}
		if now.Sub(m.at) < time.Minute {
			minute += m.units
		}
	}
	return s.o.ContentMinute > 0 && minute+units > s.o.ContentMinute || s.o.ContentHour > 0 && hour+units > s.o.ContentHour
}

// created counts what a request created.
func (s *Server) created(r *request, a answer) {
	if n := creates(r); n > 0 && a.status < http.StatusBadRequest && r.caller.installation != 0 {
		s.made[r.caller.installation] = append(s.made[r.caller.installation], made{s.o.Now(), n})
	}
}

// ContentSeen gives the most that an installation created within any minute and any hour so far.
func (s *Server) ContentSeen(installation int64) Content {
	s.mu.Lock()
	defer s.mu.Unlock()
	var c Content
	all := s.made[installation]
	for _, window := range []struct {
		length          time.Duration
		requests, units *int
	}{{time.Minute, &c.Minute, &c.MinuteUnits}, {time.Hour, &c.Hour, &c.HourUnits}} {
		from, units := 0, 0
		for to, m := range all {
			for units += m.units; m.at.Sub(all[from].at) >= window.length; from++ {
				units -= all[from].units
			}
			*window.requests, *window.units = max(*window.requests, to-from+1), max(*window.units, units)
		}
	}
	return c
}

// Restraint is a limit that an installation has met, with a window in which it is to keep away.
type Restraint struct {
	s         *Server
	fault     Fault
	length    time.Duration
	until     time.Time
	trespass  int
	announced bool
}

// Restrain refuses every request of an installation, with the status, headers and body of the fault, from the next one
// on and for so long after it.
func (s *Server) Restrain(installation int64, d time.Duration, f Fault) *Restraint {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Restraint{s: s, fault: f, length: d}
	s.restraints[installation] = append(s.restraints[installation], r)
	return r
}

// Landed says whether the installation was refused.
func (r *Restraint) Landed() bool {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.announced
}

// Trespasses counts the requests that came within the window, after the refusal that announced it.
func (r *Restraint) Trespasses() int {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.trespass
}

// restrained gives the refusal of a limit that is in force for the caller.
func (s *Server) restrained(c *caller) *answer {
	now := s.o.Now()
	for _, r := range s.restraints[c.installation] {
		switch {
		case c.installation == 0, r.announced && !now.Before(r.until):
			continue
		case r.announced:
			r.trespass++
		default:
			r.announced, r.until = true, now.Add(r.length)
		}
		a := r.fault.answer()
		return &a
	}
	return nil
}
