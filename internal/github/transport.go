package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	publicAPI = "https://api.github.com/"
	// codeload serves the archives of github.com, to signed URLs and without a token.
	codeload = "codeload.github.com"

	maxJSON      = 8 << 20
	maxErrorBody = 64 << 10
	maxRedirects = 5
)

// parseAPIURL checks the base URL of the API; "" is github.com's. The result ends in a slash.
func parseAPIURL(s string) (*url.URL, error) {
	if s == "" {
		s = publicAPI
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("github api url: not a URL")
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "", u.Opaque != "":
		return nil, errors.New("github api url: need an absolute http or https URL")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("github api url: must have no user, query or fragment")
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	return u, nil
}

// sameHost compares scheme, name and port exactly.
func sameHost(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b) &&
		a.User == nil && b.User == nil
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

func isWrite(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// newBase makes the connection pool that all clients of an App share.
func newBase(timeout time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  timeout,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    64, // a review reads its files side by side
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
		ForceAttemptHTTP2:      true,
	}
}

// guard is the innermost of our transports. It lets requests out to the API's host only, caps bodies, and makes an
// *Error of every failure, an answer of 400 or more included. The last is more than http.RoundTripper allows, and done on
// purpose: go-github keeps and acts upon what it sees of limits, and we want one place that decides.
type guard struct {
	api  *url.URL
	next http.RoundTripper
	log  *slog.Logger
	now  func() time.Time
}

type limitKey struct{}

// withLimit sets the cap of the answer's body for the calls made with the context.
func withLimit(ctx context.Context, bytes int64) context.Context {
	return context.WithValue(ctx, limitKey{}, bytes)
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if !sameHost(req.URL, g.api) {
		if !g.archive(req) {
			closeBody(req)
			return nil, &Error{Kind: Unavailable, Message: "GitHub's answer points to another host: refused"}
		}
		bare := req.Clone(req.Context())
		bare.Header.Del("Authorization")
		bare.Header.Del("Cookie")
		req = bare
	}
	var reached atomic.Bool
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { reached.Store(true) },
	})
	began := g.now()
	resp, err := g.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		g.trace(req, 0, began, nil)
		return nil, noAnswer(req, reached.Load(), err)
	}
	g.trace(req, resp.StatusCode, began, resp.Header)
	if resp.StatusCode >= http.StatusBadRequest {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // half an error text is as good
		resp.Body.Close()
		return nil, fromAnswer(req, resp, body, g.now())
	}
	limit := int64(maxJSON)
	if n, ok := req.Context().Value(limitKey{}).(int64); ok {
		limit = n
	}
	resp.Body = &cappedBody{ReadCloser: resp.Body, left: limit}
	return resp, nil
}

// archive says whether a request goes where github.com keeps its archives.
func (g *guard) archive(req *http.Request) bool {
	return req.Method == http.MethodGet && sameHost(g.api, &url.URL{Scheme: "https", Host: "api.github.com"}) &&
		sameHost(req.URL, &url.URL{Scheme: "https", Host: codeload})
}

func (g *guard) trace(req *http.Request, status int, began time.Time, h http.Header) {
	g.log.DebugContext(req.Context(), "github call", "method", req.Method, "path", req.URL.Path, "status", status,
		"duration_ms", g.now().Sub(began).Milliseconds(), "rate_remaining", h.Get("X-RateLimit-Remaining"))
}

// noAnswer makes the error for a request without an answer. A request that never got a connection was not sent.
func noAnswer(req *http.Request, reached bool, err error) *Error {
	e := &Error{Kind: Unavailable}
	if isWrite(req.Method) && reached {
		e.Kind = Ambiguous
	}
	switch {
	case errors.Is(err, context.Canceled):
		e.Message, e.cause = "cancelled", context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		e.Message, e.cause = "no answer in time", context.DeadlineExceeded
	default:
		e.Message = "no answer: " + clean(err.Error(), req)
	}
	return e
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// cappedBody ends with a TooLarge error instead of giving more than left bytes.
type cappedBody struct {
	io.ReadCloser
	left int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, &Error{Kind: TooLarge, Message: "the answer is longer than the cap"}
	}
	// One byte beyond the cap tells a body of just that length from a longer one.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, &Error{Kind: TooLarge, Message: "the answer is longer than the cap"}
	}
	return n, err
}

// credentials gives the token for a request.
type credentials interface {
	// token gives a usable token.
	token(ctx context.Context) (string, error)
	// drop tells that GitHub refused a token; it reports whether another one can be had.
	drop(token string) bool
}

// authorized adds the token to each request. After a 401 it drops the token, and sends a read once more with a new one;
// a write is left to the caller, who knows whether it may be repeated.
type authorized struct {
	from credentials
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a *authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	for again := false; ; again = true {
		token, err := a.from.token(req.Context())
		if err != nil {
			closeBody(req)
			return nil, notSent(err)
		}
		signed := req.Clone(req.Context())
		signed.Header.Set("Authorization", "Bearer "+token)
		resp, err := a.next.RoundTrip(signed)
		if KindOf(err) != Unauthorized || !a.from.drop(token) || isWrite(req.Method) || again {
			return resp, err
		}
	}
}

// notSent turns a failure to get a token into one of the request that needed it, which was never sent.
func notSent(err error) error {
	e := (*Error)(nil)
	if !errors.As(err, &e) {
		return &Error{Kind: Unavailable, Message: "no token", noToken: true}
	}
	unsent := *e
	unsent.noToken = true
	if unsent.Kind == Ambiguous {
		unsent.Kind = Unavailable
	}
	unsent.Message = strings.TrimSuffix("no token: "+unsent.Message, ": ")
	unsent.Op = ""
	return &unsent
}

// redirect is the rule for redirects: a few, and never one that turns a write into a read. Where they lead is guard's
// to decide.
func redirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return &Error{Kind: Unavailable, Message: fmt.Sprintf("more than %d redirects", maxRedirects)}
	}
	if req.Method != via[0].Method {
		return http.ErrUseLastResponse
	}
	return nil
}
