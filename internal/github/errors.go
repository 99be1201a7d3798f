package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v62/github"
)

// Kind says what an error means for the caller. Kinds are few and only added to.
type Kind uint8

// The kinds. The zero value means "not said".
const (
	KindUnknown Kind = iota
	// NotFound is 404 and 410: it is not there, or not for us.
	NotFound
	// Unauthorized is 401, after one fresh token where that was safe.
	Unauthorized
	// Forbidden is a 403 that no waiting mends: suspended, locked, archived, a permission that we were not given.
	Forbidden
	// RateLimited is a primary or a secondary limit. RetryAfter says how long to leave GitHub alone.
	RateLimited
	// Invalid is 422 and every other refusal of the request itself.
	Invalid
	// Ambiguous is a write that may or may not have been carried out.
	Ambiguous
	// Unavailable is a read that failed in a way that a retry may mend, or a write that surely was not sent.
	Unavailable
	// TooLarge is an answer beyond our cap or beyond what GitHub gives (406).
	TooLarge
)

// String gives the kind as a word for logs.
func (k Kind) String() string {
	names := [...]string{"unknown", "not found", "unauthorized", "forbidden", "rate limited", "invalid", "ambiguous",
		"unavailable", "too large"}
	if int(k) < len(names) {
		return names[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// Error is what every call of this package fails with. It never holds a credential.
type Error struct {
	// Op is what was being done: "create review".
	Op   string
	Kind Kind
	// Status is the HTTP status, 0 when there was no answer.
	Status int
	// Message is GitHub's, or ours when there was no answer.
	Message string
	// Details are the messages of a refusal, one for each of GitHub's "errors".
	Details []string
	// Comments are the 0-based indices of the review comments that a refusal names. GitHub seldom names them.
	Comments []int
	// RetryAfter is how long to wait, at most an hour; 0 when nothing is known of it.
	RetryAfter time.Duration
	// Guessed is set when GitHub did not say how long: RetryAfter is then the least that it asks for.
	Guessed bool
	// Resource is the limit that was met: "core", "secondary", ResourceOwn, ….
	Resource string

	// gone is set for refusals that mean that the commit is no longer there.
	gone bool
	// noToken is set when the request was not sent for want of a token.
	noToken bool
	// cause is the context's error, the only one that callers may look for.
	cause error
}

// Error gives the operation, the kind and GitHub's words.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString("github: " + e.Kind.String())
	if e.Status != 0 {
		fmt.Fprintf(&b, " (%d)", e.Status)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if len(e.Details) > 0 {
		b.WriteString(": " + strings.Join(e.Details, "; "))
	}
	if e.Kind == RateLimited {
		fmt.Fprintf(&b, " (retry after %s)", e.RetryAfter)
	}
	return b.String()
}

// Unwrap gives the context's error when that ended the call, else nil.
func (e *Error) Unwrap() error { return e.cause }

// Ambiguous says that the write may have been carried out: look before writing again.
func (e *Error) Ambiguous() bool { return e.Kind == Ambiguous }

// Refused says that GitHub read the request and refused its content (422): the same request will be refused again.
func (e *Error) Refused() bool { return e.Status == http.StatusUnprocessableEntity && !e.gone }

// Gone says that the thing is not there any more, or not for us: deleted, force-pushed away, locked, suspended.
func (e *Error) Gone() bool {
	return e.Kind == NotFound || e.Kind == Forbidden || e.Status == http.StatusGone || e.gone
}

// NoToken says that the request was not sent because no token was given for it: it is about the installation as a whole.
func (e *Error) NoToken() bool { return e.noToken }

// RetryAfterHint gives how long to leave GitHub alone, if it is known.
func (e *Error) RetryAfterHint() (time.Duration, bool) { return e.RetryAfter, e.RetryAfter > 0 }

// RefusedComments gives the 0-based indices of the comments that a refusal names, if it names any.
func (e *Error) RefusedComments() []int { return e.Comments }

// ResourceOwn is the limit that we keep ourselves: the request was not sent.
const ResourceOwn = "own"

// KindOf gives the kind of an error of this package, KindUnknown for any other.
func KindOf(err error) Kind {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Kind
	}
	return KindUnknown
}

// maxMessage bounds what is kept of GitHub's words.
const maxMessage = 500

// refusal is the body of an error answer.
type refusal struct {
	Message          string            `json:"message"`
	Errors           []json.RawMessage `json:"errors"`
	DocumentationURL string            `json:"documentation_url"`
}

// fromAnswer makes the error for an answer of status 400 or more.
func fromAnswer(req *http.Request, resp *http.Response, body []byte, now time.Time) *Error {
	e := &Error{Status: resp.StatusCode, Message: http.StatusText(resp.StatusCode)}
	var r refusal
	if err := json.Unmarshal(body, &r); err == nil && r.Message != "" {
		e.Message = clean(r.Message, req)
	}
	fields := []string{r.Message}
	for _, raw := range r.Errors {
		message, field := detail(raw)
		if message != "" {
			e.Details = append(e.Details, clean(message, req))
		}
		fields = append(fields, message, field)
	}
	write := isWrite(req.Method)
	switch status := resp.StatusCode; {
	case isLimit(resp, r):
		e.Kind = RateLimited
		e.RetryAfter, e.Guessed = retryAfter(resp.Header, now)
		e.Resource = resource(resp.Header)
	case status == http.StatusNotFound, status == http.StatusGone:
		e.Kind = NotFound
	case status == http.StatusUnauthorized:
		e.Kind = Unauthorized
	case status == http.StatusForbidden, status == http.StatusUnavailableForLegalReasons:
		e.Kind = Forbidden
	case status == http.StatusNotAcceptable, status == http.StatusRequestEntityTooLarge:
		e.Kind = TooLarge
	case status >= 500 && write, status == http.StatusRequestTimeout && write:
		e.Kind = Ambiguous
	case status >= 500, status == http.StatusRequestTimeout:
		e.Kind = Unavailable
	default:
		e.Kind = Invalid
		e.Comments = namedComments(fields)
		e.gone = status == http.StatusUnprocessableEntity && slices.ContainsFunc(fields, commitGone)
	}
	if e.Kind == Unavailable && resp.Header.Get("Retry-After") != "" {
		e.RetryAfter, e.Guessed = retryAfter(resp.Header, now)
	}
	return e
}

// detail reads one of GitHub's "errors": a plain string, or an object with a message, a field and a code.
func detail(raw json.RawMessage) (message, field string) {
	if err := json.Unmarshal(raw, &message); err == nil {
		return message, ""
	}
	var o struct{ Resource, Field, Code, Message string }
	if err := json.Unmarshal(raw, &o); err != nil {
		return "", ""
	}
	if o.Message != "" {
		return o.Message, o.Field
	}
	return strings.TrimSpace(strings.Join([]string{o.Resource, o.Field, o.Code}, " ")), o.Field
}

// commitGone recognises the refusals for a commit that a force-push took away.
func commitGone(s string) bool {
	s = strings.ToLower(s)
	return s == "commit_id" || strings.HasPrefix(s, "no commit found") ||
		strings.Contains(s, "commit_id is not part of the pull request")
}

var commentIndex = regexp.MustCompile(`comments(?:[/.]items)?[\[/.](\d{1,4})\b`)

// namedComments finds the indices in words like "comments[3].line" and "comments/3/body".
func namedComments(words []string) []int {
	var all []int
	for _, w := range words {
		for _, m := range commentIndex.FindAllStringSubmatch(w, -1) {
			if n, err := strconv.Atoi(m[1]); err == nil && !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	slices.Sort(all)
	return all
}

var (
	credential = regexp.MustCompile(`gh[a-z]_[A-Za-z0-9_]{10,}|github_pat_\w+|eyJ[\w-]{5,}\.[\w-]+\.[\w-]*|` +
		`(?s:-----BEGIN.*?(?:-----END[^-]*-----|$))|(?i:bearer|token)\s+[A-Za-z0-9_.~+/=-]{16,}`)
	urlCredential = regexp.MustCompile(`([?&][\w-]*(?:token|secret|signature|key)[\w-]*=)[^&\s"]+|://[^/\s"@]+@`)
)

// clean makes foreign words fit for a log: no credential of the request or of a known form, no controls, not too long.
func clean(s string, req *http.Request) string {
	if req != nil {
		if _, own, ok := strings.Cut(req.Header.Get("Authorization"), " "); ok && own != "" {
			s = strings.ReplaceAll(s, own, "[redacted]")
		}
	}
	s = credential.ReplaceAllString(s, "[redacted]")
	s = urlCredential.ReplaceAllString(s, "${1}[redacted]")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return strings.TrimSpace(s)
}

// wrap gives every error of a call its operation and makes an *Error of what is not one yet: a context's end, an answer
// that cannot be decoded, go-github's refusal to call while a limit lasts.
func wrap(op string, write bool, err error) error {
	if err == nil {
		return nil
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		if e.Op != "" {
			return e
		}
		named := *e
		named.Op = op
		if write && named.Kind == TooLarge && named.Status == 0 {
			named.Kind = Ambiguous // it was carried out, and we cannot read what came of it
		}
		return &named
	}
	e := &Error{Op: op, Kind: Unavailable}
	if write {
		e.Kind = Ambiguous
	}
	var limited *gh.RateLimitError
	var answer *gh.ErrorResponse
	var accepted *gh.AcceptedError
	switch {
	case errors.As(err, &limited):
		e.Kind, e.Resource, e.Message = RateLimited, "core", "the limit met earlier still lasts"
		e.RetryAfter = bounded(time.Until(limited.Rate.Reset.Time))
	case errors.As(err, &accepted):
		e.Kind, e.Status, e.Message = Unavailable, http.StatusAccepted, "not ready yet"
	case errors.As(err, &answer) && answer.Response != nil:
		// Only redirects that were not followed come here; they were not carried out.
		e.Kind, e.Status, e.Message = Unavailable, answer.Response.StatusCode, "redirect not followed"
	case errors.Is(err, context.Canceled):
		e.Message, e.cause = "cancelled", context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		e.Message, e.cause = "no answer in time", context.DeadlineExceeded
	default:
		e.Message = "the answer cannot be read: " + clean(err.Error(), nil)
	}
	return e
}
