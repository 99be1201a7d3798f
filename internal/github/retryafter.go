package github

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Bounds of a wait. GitHub: obey Retry-After; else, with nothing remaining, wait until the reset; else at least a minute.
// Its longest limit resets within the hour, so more than that is a mistake.
const (
	minWait     = time.Second
	defaultWait = time.Minute
	maxWait     = time.Hour
)

// isLimit says whether an answer is a rate limit, primary or secondary, and not a permission that is missing.
func isLimit(resp *http.Response, r refusal) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		words := strings.ToLower(r.Message + " " + r.DocumentationURL)
		return resp.Header.Get("Retry-After") != "" || resp.Header.Get("X-RateLimit-Remaining") == "0" ||
			strings.Contains(words, "rate limit") || strings.Contains(words, "rate-limit") ||
			strings.Contains(words, "abuse")
	default:
		return false
	}
}

// resource names the limit that was met.
func resource(h http.Header) string {
	if h.Get("X-RateLimit-Remaining") != "0" {
		return "secondary"
	}
	if r := h.Get("X-RateLimit-Resource"); r != "" && len(r) <= 40 {
		return clean(r, nil)
	}
	return "core"
}

// retryAfter gives how long an answer asks to be left alone, between a second and an hour, or that it does not say and
// the usual minute is guessed. Times are compared with the answer's own Date, so that a wrong clock here does not shorten
// the wait.
func retryAfter(h http.Header, now time.Time) (wait time.Duration, guessed bool) {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if v := strings.TrimSpace(h.Get("Retry-After")); v != "" {
		if seconds, err := strconv.ParseInt(v, 10, 64); err == nil && seconds >= 0 {
			return bounded(time.Duration(min(seconds, int64(maxWait/time.Second))) * time.Second), false
		}
		if at, err := http.ParseTime(v); err == nil {
			return bounded(at.Sub(now)), false
		}
	}
	if h.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil && reset > 0 {
			// One second more: the reset is given in whole seconds.
			return bounded(time.Unix(reset, 0).Sub(now) + time.Second), false
		}
	}
	return defaultWait, true
}

func bounded(d time.Duration) time.Duration { return max(minWait, min(d, maxWait)) }
