package llmsvc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxChatBody and maxEmbedBody bound a server's answer, decompressed.
	maxChatBody  = 8 << 20
	maxEmbedBody = 16 << 20
	maxHeader    = 64 << 10
	// maxRetryAfter bounds what a server may say of when to come back.
	maxRetryAfter = 5 * time.Minute
)

var (
	errRedirected = errors.New("the model server answered with a redirect")
	errOversize   = errors.New("the model server's answer is too large")
)

// exchange is what was seen of one HTTP request: the client library gives neither headers nor the bodies of errors.
type exchange struct {
	// limit bounds the body.
	limit int64
	// status is 0 until headers arrived.
	status     int
	retryAfter time.Duration
	body       []byte
}

type exchangeKey struct{}

// withExchange lets doer note the next request of ctx in x.
func withExchange(ctx context.Context, x *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// exchangeOf gives the exchange of a request's context.
func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{limit: maxChatBody}
}

// doer sends the client library's requests. It follows no redirect, bounds what is read, reads the whole answer at
// once, so that a cut body is an error of the connection and not of the JSON, and notes the exchange.
type doer struct {
	http *http.Client
}

func newDoer(transport http.RoundTripper) *doer {
	return &doer{http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// newTransport gives the transport for one model server.
func newTransport(concurrency int) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConns:           concurrency,
		MaxIdleConnsPerHost:    concurrency,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// Do sends a request.
func (d *doer) Do(req *http.Request) (*http.Response, error) {
	res, err := d.http.Do(req)
	if err != nil {
		return nil, err
	}
	x := exchangeOf(req.Context())
	x.status = res.StatusCode
	x.retryAfter = retryAfter(res.Header, time.Now())
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		return nil, errRedirected
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, x.limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(body)) > x.limit {
		return nil, errOversize
	}
	x.body = body
	answered := *res
	answered.Body = io.NopCloser(bytes.NewReader(body))
	return &answered, nil
}

// retryAfter reads when to come back: OpenAI's retry-after-ms, else Retry-After in seconds or as a date. What is
// absent, in the past or no such thing is 0, and what is absurd is maxRetryAfter.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(strings.TrimSpace(h.Get("Retry-After-Ms")), 64); err == nil {
		return clampWait(ms / 1000)
	}
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return clampWait(seconds)
	}
	if at, err := http.ParseTime(text); err == nil {
		return clampWait(at.Sub(now).Seconds())
	}
	return 0
}

func clampWait(seconds float64) time.Duration {
	switch {
	case !(seconds > 0): // NaN too
		return 0
	case seconds >= maxRetryAfter.Seconds():
		return maxRetryAfter
	default:
		return time.Duration(seconds * float64(time.Second))
	}
}
