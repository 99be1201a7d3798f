package githubtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// obj is a JSON object.
type obj = map[string]any

// request is one request as a handler sees it. Handlers run one at a time, under the server's lock.
type request struct {
	*http.Request
	route  *route
	params map[string]string
	query  url.Values
	body   []byte
	caller *caller
	// repo and pull are set for the routes that name them.
	repo *repository
	pull *pull
	// undo takes back what the handler did, for an answer that is a lie.
	undo []func()
}

// answer is what a handler gives.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// reply answers with a JSON value.
func reply(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		return problem(http.StatusInternalServerError, "cannot encode: "+err.Error())
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json; charset=utf-8")
	return answer{status: status, header: h, body: body}
}

// plain answers with other media.
func plain(media string, body []byte) answer {
	h := http.Header{}
	h.Set("Content-Type", media)
	return answer{status: http.StatusOK, header: h, body: body}
}

const docs = "https://docs.github.com/rest"

// problem answers with an error in GitHub's form.
func problem(status int, message string, errs ...any) answer {
	body := obj{"message": message, "documentation_url": docs, "status": strconv.Itoa(status)}
	if len(errs) > 0 {
		body["errors"] = errs
	}
	return reply(status, body)
}

func notFound() answer { return problem(http.StatusNotFound, "Not Found") }

// unprocessable is a refusal with plain sentences, as the review routes give it.
func unprocessable(sentences ...string) answer {
	errs := make([]any, len(sentences))
	for i, s := range sentences {
		errs[i] = s
	}
	return problem(http.StatusUnprocessableEntity, "Unprocessable Entity", errs...)
}

// decode reads the JSON body of a request.
func decode[T any](r *request) (T, *answer) {
	var v T
	if len(r.body) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(r.body, &v); err != nil {
		a := problem(http.StatusBadRequest, "Problems parsing JSON")
		return v, &a
	}
	return v, nil
}

// number reads a path parameter that is a number; 0 when it is not one.
func (r *request) number(name string) int64 {
	n, err := strconv.ParseInt(r.params[name], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// listing answers with one page of a list.
func listing[T any](s *Server, r *request, items []T, object func(T) obj) answer {
	page, h := paged(s, r, items)
	out := make([]obj, len(page))
	for i, item := range page {
		out[i] = object(item)
	}
	a := reply(http.StatusOK, out)
	for k, v := range h {
		a.header[k] = v
	}
	return a
}

// maxBody bounds a request.
const maxBody = 16 << 20

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	body, err := io.ReadAll(io.LimitReader(hr.Body, maxBody))
	if err != nil {
		return // the client is gone
	}
	s.Ripen()
	moved := s.follow(hr)
	r := &request{Request: hr, query: hr.URL.Query(), body: body}
	r.route, r.params = s.findRoute(hr.Method, hr.URL.EscapedPath())
	entry := s.record(r)
	s.o.Log.Debug("github stand-in request", "method", hr.Method, "path", hr.URL.Path)

	f := s.faults.draw(entry.Route)
	if moved != nil {
		s.send(w, entry, *moved)
		return
	}
	if f == nil {
		s.send(w, entry, s.apply(r, entry))
		return
	}
	s.misbehave(w, r, entry, f)
}

func (s *Server) record(r *request) *Request {
	entry := &Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Accept: r.Header.Get("Accept"), Body: string(r.body), At: s.o.Now(),
	}
	if r.route != nil {
		entry.Route = r.route.String()
	}
	s.logMu.Lock()
	defer s.logMu.Unlock()
	s.requests = append(s.requests, entry)
	return entry
}

// note changes an entry of the log.
func (s *Server) note(entry *Request, f func(*Request)) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	f(entry)
}

// apply carries a request out.
func (s *Server) apply(r *request, entry *Request) answer {
	if r.route == nil {
		s.violation("%s %s: nothing here answers that", r.Method, r.URL.Path)
		return notFound()
	}
	if r.route.handle == nil {
		return r.route.outside(s, r)
	}
	a := s.serve(r)
	s.note(entry, func(e *Request) { e.Applied, e.Caller = a.status < http.StatusBadRequest, r.caller.String() })
	if err := s.described.checkAnswer(r, a); err != nil {
		s.violation("answer to %s: %v", entry.Route, err)
	}
	return a
}

// serve finds out who calls, checks the request and hands it to its handler.
func (s *Server) serve(r *request) answer {
	invalid := s.described.checkRequest(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	c, refused := s.authenticate(r)
	r.caller = c
	if refused == nil {
		refused = s.restrained(c)
	}
	if refused != nil {
		return *refused
	}
	limits, exhausted := s.limit(c)
	if exhausted {
		return withHeader(problem(http.StatusForbidden, "API rate limit exceeded for "+c.String()+"."), limits)
	}
	if invalid != nil {
		s.violation("request %s: %v", r.route, invalid)
		return withHeader(problem(http.StatusUnprocessableEntity, "Invalid request.\n\n"+invalid.Error()), limits)
	}
	if r.params["owner"] != "" {
		if r.repo = s.repository(r.params["owner"] + "/" + r.params["repo"]); r.repo == nil || !c.sees(r.repo) {
			return withHeader(notFound(), limits)
		}
	}
	number := r.params["pull_number"] + r.params["issue_number"]
	if n, err := strconv.Atoi(number); number != "" {
		if r.pull = r.repo.pulls[n]; err != nil || r.pull == nil {
			return withHeader(notFound(), limits)
		}
	}
	if s.tooMuch(c, creates(r)) {
		return withHeader(problem(http.StatusForbidden, "You have exceeded a secondary rate limit and have been temporarily blocked from content creation."), limits)
	}
	a := r.route.handle(s, r)
	s.created(r, a)
	return withHeader(a, limits)
}

func withHeader(a answer, more http.Header) answer {
	for k, v := range more {
		a.header[k] = v
	}
	return a
}

func (s *Server) send(w http.ResponseWriter, entry *Request, a answer) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.Header().Set("X-GitHub-Media-Type", "github.v3; format=json")
	s.note(entry, func(e *Request) { e.Status = a.status })
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that is gone has its reasons
}
