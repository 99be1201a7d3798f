package githubtest

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
)

func (s *Server) getApp(*request) answer { return ok(s.appObject()) }

func (s *Server) listInstallations(r *request) answer {
	all := make([]*installation, 0, len(s.installations))
	for _, i := range s.installations {
		all = append(all, i)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].id < all[j].id })
	return listing(s, r, all, s.installationObject)
}

func (s *Server) getInstallation(r *request) answer {
	i := s.installations[r.number("installation_id")]
	if i == nil {
		return notFound()
	}
	return ok(s.installationObject(i))
}

func (s *Server) createToken(r *request) answer {
	i := s.installations[r.number("installation_id")]
	switch {
	case i == nil:
		return notFound()
	case i.suspended:
		return problem(http.StatusForbidden, "This installation has been suspended")
	}
	token := "ghs_" + randomHex(18)
	expires := s.o.Now().Add(s.o.TokenLifetime)
	s.tokens[token] = &caller{installation: i.id, expires: expires}
	return reply(http.StatusCreated, obj{
		"token": token, "expires_at": stamp(expires), "permissions": i.permissions(), "repository_selection": "selected",
	})
}

func (s *Server) listRepositories(r *request) answer {
	var all []*repository
	for _, repo := range s.repos {
		if r.caller.installation == repo.installation {
			all = append(all, repo)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].id < all[j].id })
	page, h := paged(s, r, all)
	list := make([]obj, len(page))
	for i, repo := range page {
		list[i] = s.repo(repo)
	}
	return withHeader(ok(obj{"total_count": len(all), "repositories": list}), h)
}

func (s *Server) getRateLimit(r *request) answer {
	h, _ := s.limit(r.caller)
	number := func(name string) int {
		var n int
		_, _ = fmt.Sscan(h.Get(name), &n) // our own number
		return n
	}
	rate := obj{
		"limit": number("X-RateLimit-Limit"), "remaining": number("X-RateLimit-Remaining"), "used": number("X-RateLimit-Used"),
		"reset": number("X-RateLimit-Reset"),
	}
	return ok(obj{"rate": rate, "resources": obj{"core": rate, "search": rate}})
}

func (s *Server) getUser(r *request) answer {
	if r.caller.login == "" {
		return problem(http.StatusForbidden, "Resource not accessible by integration")
	}
	o := s.user(r.caller.login)
	for k, v := range (obj{
		"name": nil, "company": nil, "blog": nil, "location": nil, "email": nil, "hireable": nil, "bio": nil, "public_repos": 0,
		"public_gists": 0, "followers": 0, "following": 0, "created_at": stamp(epoch), "updated_at": stamp(epoch),
	}) {
		o[k] = v
	}
	o["user_view_type"] = "public"
	return ok(o)
}

func (s *Server) getRepository(r *request) answer { return ok(s.repo(r.repo)) }

func (s *Server) repository(fullName string) *repository { return s.repos[strings.ToLower(fullName)] }
