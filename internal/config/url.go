package config

import (
	"net/url"
	"strings"
)

// URL reads the address of an HTTP service: http or https, with a host, without a user, a password or a fragment. Its
// value is not repeated in a complaint, as it may hold a password. It is given as it was written.
func (e *Env) URL(name, def string) string {
	text, ok := e.lookup(name)
	if !ok {
		return def
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		e.Complain(name, "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		e.Complain(name, "is not a URL that starts with http:// or https://")
	case u.Hostname() == "":
		e.Complain(name, "is a URL without a host")
	case u.User != nil:
		e.Complain(name, "must not hold a user or a password")
	case u.Fragment != "" || strings.Contains(text, "#"):
		e.Complain(name, "must not hold a fragment (#)")
	default:
		return text
	}
	return def
}
