package githubtest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// follow makes a request for a repository by its number one by its name, and answers one for a name that was with where
// the repository is now: a read with 301, and a write with 307, as it must stay one.
func (s *Server) follow(r *http.Request) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.SplitN(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/", 4)
	switch {
	case len(parts) >= 2 && parts[0] == "repositories":
		id, err := strconv.ParseInt(parts[1], 10, 64)
		for _, repo := range s.repos {
			if err == nil && repo.id == id {
				rest := strings.Join(parts[2:], "/")
				r.URL.Path, r.URL.RawPath = "/repos/"+repo.fullName()+"/"+unescape(rest), "/repos/"+repo.fullName()+"/"+rest
				return nil
			}
		}
		a := notFound()
		return &a
	case len(parts) >= 3 && parts[0] == "repos":
		repo := s.renamed[strings.ToLower(parts[1]+"/"+parts[2])]
		if repo == nil || s.repository(parts[1]+"/"+parts[2]) != nil {
			return nil
		}
		to := fmt.Sprintf("%s/repositories/%d", s.URL, repo.id)
		if len(parts) == 4 {
			to += "/" + parts[3]
		}
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		status := http.StatusMovedPermanently
		if r.Method != http.MethodGet {
			status = http.StatusTemporaryRedirect
		}
		a := reply(status, obj{"message": "Moved Permanently", "url": to, "documentation_url": docs})
		a.header.Set("Location", to)
		return &a
	}
	return nil
}
