package githubtest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

// caller is who sends a request.
type caller struct {
	app          bool
	installation int64
	login        string
	expires      time.Time // zero: never
}

// String names the caller for the log.
func (c *caller) String() string {
	switch {
	case c == nil:
		return ""
	case c.app:
		return "app"
	case c.installation != 0:
		return "installation:" + strconv.FormatInt(c.installation, 10)
	default:
		return "user:" + c.login
	}
}

// sees says whether a repository exists for the caller.
func (c *caller) sees(r *repository) bool {
	return c.installation == 0 || c.installation == r.installation
}

// authenticate finds out who calls, and refuses whom the route is not for.
func (s *Server) authenticate(r *request) (*caller, *answer) {
	refuse := func(status int, message string) (*caller, *answer) {
		a := problem(status, message)
		return nil, &a
	}
	kind, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if credential == "" || !strings.EqualFold(kind, "bearer") && !strings.EqualFold(kind, "token") {
		return refuse(http.StatusUnauthorized, "Requires authentication")
	}
	forApp := r.route.template == "/app" || strings.HasPrefix(r.route.template, "/app/")
	if forApp {
		if err := s.verify(credential); err != nil {
			return refuse(http.StatusUnauthorized, "A JSON web token could not be decoded: "+err.Error())
		}
		return &caller{app: true}, nil
	}
	c := s.tokens[credential]
	if c == nil || !c.expires.IsZero() && !s.o.Now().Before(c.expires) {
		return refuse(http.StatusUnauthorized, "Bad credentials")
	}
	if i := s.installations[c.installation]; c.installation != 0 && i == nil {
		return refuse(http.StatusUnauthorized, "Bad credentials")
	} else if i != nil && i.suspended {
		return refuse(http.StatusForbidden, "This installation has been suspended")
	}
	return c, nil
}

// verify checks an App's JWT: its signature, who issued it, and that it lives at most ten minutes.
func (s *Server) verify(token string) error {
	var claims jwt.RegisteredClaims
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation()).
		ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return &s.key.PublicKey, nil })
	if err != nil {
		return err
	}
	now := s.o.Now()
	switch {
	case claims.Issuer != strconv.FormatInt(s.AppID, 10):
		return fmt.Errorf("'Issuer' claim ('iss') must be %d", s.AppID)
	case claims.IssuedAt == nil || claims.IssuedAt.After(now.Add(time.Second)):
		return fmt.Errorf("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	case claims.ExpiresAt == nil || !claims.ExpiresAt.After(now):
		return fmt.Errorf("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case claims.ExpiresAt.After(now.Add(10 * time.Minute)):
		return fmt.Errorf("'Expiration time' claim ('exp') is too far in the future")
	}
	return nil
}

// limit counts the request and gives the headers that say what is left.
func (s *Server) limit(c *caller) (http.Header, bool) {
	now := s.o.Now()
	hour := now.Truncate(time.Hour)
	key := c.String() + hour.Format(time.RFC3339)
	exhausted := s.used[key] >= s.o.RateLimit
	if !exhausted {
		s.used[key]++
	}
	h := http.Header{}
	h.Set("X-RateLimit-Limit", strconv.Itoa(s.o.RateLimit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(s.o.RateLimit-s.used[key]))
	h.Set("X-RateLimit-Used", strconv.Itoa(s.used[key]))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(hour.Add(time.Hour).Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
	return h, exhausted
}

// AddUserToken makes a token of a person, who sees all repositories.
func (s *Server) AddUserToken(login string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := "ghp_" + randomHex(18)
	s.tokens[token] = &caller{login: login}
	s.userID(login)
	return token
}

// RevokeTokens ends every installation token given so far.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, c := range s.tokens {
		if c.installation != 0 {
			delete(s.tokens, token)
		}
	}
}

// Suspend suspends an installation, or takes it back.
func (s *Server) Suspend(id int64, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.installations[id]; i != nil {
		i.suspended = on
	}
}

// Grant gives the App another permission of an installation: Grant(7, "contents", "write").
func (s *Server) Grant(id int64, permission, level string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.installations[id]; i != nil {
		if i.granted == nil {
			i.granted = map[string]string{}
		}
		i.granted[permission] = level
	}
}

// Uninstall removes an installation; its repositories stay, for nobody.
func (s *Server) Uninstall(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.installations, id)
}

// author gives the login that the caller writes under.
func (s *Server) author(c *caller) string {
	if c.login != "" {
		return c.login
	}
	return s.Slug + "[bot]"
}
