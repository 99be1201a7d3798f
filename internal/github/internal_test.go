package github

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"
)

func TestRetryAfterRoundsTheResetUp(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	h.Set("X-RateLimit-Remaining", "0")
	h.Set("X-RateLimit-Reset", "1000")
	if d, guessed := retryAfter(h, time.Unix(990, 500_000_000)); guessed || d != 10500*time.Millisecond {
		t.Errorf("wait %s; a call at 999.9 would still be inside the limit", d)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "-1", "17", "3600", "3601", "99999999999999999999", "1e3", " 5 ", "soon", "Fri, 02 Jan 2026 03:04:05 GMT", "\x00"} {
		f.Add(s, "0", "1767323345", "Fri, 02 Jan 2026 03:04:05 GMT")
		f.Add(s, "5", s, s)
	}
	f.Fuzz(func(t *testing.T, after, remaining, reset, date string) {
		h := http.Header{}
		for k, v := range map[string]string{"Retry-After": after, "X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": reset, "Date": date} {
			if v != "" {
				h.Set(k, v)
			}
		}
		d, guessed := retryAfter(h, time.Unix(1_767_323_045, 0))
		if d < time.Second || d > time.Hour || guessed && d < time.Minute {
			t.Fatalf("wait %s", d)
		}
		if n, err := strconv.Atoi(strings.TrimSpace(after)); err == nil && n >= 1 && n <= 3600 && d != time.Duration(n)*time.Second {
			t.Fatalf("Retry-After %d became %s", n, d)
		}
	})
}

func FuzzRefusal(f *testing.F) {
	f.Add(422, `{"message":"Unprocessable Entity","errors":["Pull request review thread line must be part of the diff"]}`)
	f.Add(403, `{"message":"ghs_0123456789abcdef","documentation_url":"x#secondary-rate-limits"}`)
	f.Add(422, `{"errors":[{"field":"comments[99999].line"},1,null,[],{"message":"comments/3"}]}`)
	f.Add(500, "<html>")
	const canary = "canary0123456789abcdef"
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 400 || status > 599 {
			t.Skip()
		}
		for _, method := range []string{"GET", "POST"} {
			req := &http.Request{Method: method, Header: http.Header{"Authorization": {"Bearer " + canary}}}
			e := fromAnswer(req, &http.Response{StatusCode: status, Header: http.Header{}}, []byte(body+canary), time.Unix(0, 0))
			switch {
			case e.Kind == KindUnknown:
				t.Fatalf("%d has no kind", status)
			case strings.Contains(e.Error(), canary):
				t.Fatalf("the credential is in %q", e.Error())
			case !utf8.ValidString(e.Error()):
				t.Fatalf("%q is not UTF-8", e.Error())
			case e.Kind == Ambiguous && method == "GET":
				t.Fatal("a read is ambiguous")
			case e.Kind == RateLimited && e.RetryAfter < time.Second:
				t.Fatal("a limit without a wait")
			}
		}
	})
}

func TestCleanTakesCredentialsOut(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"ghs_0123456789abcdefghij", "ghp_0123456789abcdefghij", "github_pat_11ABCDEFG0123456789_abc", "eyJhbGciOi.eyJpc3MiOi.c2lnbmF0dXJl",
		"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nMIIE", "Bearer 0123456789abcdefghij",
	} {
		got := clean("before "+secret+" after", nil)
		body := strings.Fields(strings.TrimPrefix(secret, "Bearer "))
		if strings.Contains(got, secret) || strings.Contains(got, body[len(body)-1]) || !strings.HasPrefix(got, "before ") {
			t.Errorf("%q became %q", secret, got)
		}
	}
	if got := clean("Get \"https://u:pw@x/y?token=abc&access_token=def&a=1\"", nil); strings.Contains(got, "abc") || strings.Contains(got, "def") || strings.Contains(got, "pw") || !strings.Contains(got, "a=1") {
		t.Errorf("a URL became %q", got)
	}
	if got := clean(strings.Repeat("ü", 10_000), nil); len(got) > maxMessage+5 || !utf8.ValidString(got) {
		t.Errorf("%d bytes", len(got))
	}
	if got := clean("a\x00b\r\nc", nil); got != "a b  c" {
		t.Errorf("controls: %q", got)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abcdef", 5, "ab…"}, {"üüüü", 7, "üü…"}, {"üüüü", 6, "ü…"}, {"a\xffb", 20, "a\uFFFDb"}} {
		if got := cut(c.in, c.n); got != c.want || len(got) > c.n {
			t.Errorf("cut(%q, %d) = %q", c.in, c.n, got)
		}
	}
}

func TestSameHost(t *testing.T) {
	t.Parallel()
	api := &url.URL{Scheme: "https", Host: "api.github.com"}
	for u, want := range map[string]bool{
		"https://api.github.com/x": true, "https://API.github.com:443/": true, "http://api.github.com/": false, "https://api.github.com:444/": false,
		"https://api.github.com.evil/": false, "https://evil/?api.github.com": false, "https://api.github.com@evil/": false, "https://u@api.github.com/": false,
		"https://codeload.github.com/": false, "https://apı.github.com/": false, "https://api.github.com./": false,
	} {
		parsed, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		if got := sameHost(parsed, api); got != want {
			t.Errorf("%s: %v", u, got)
		}
	}
}

// answers is a transport that records what it is asked.
type answers struct{ asked []*http.Request }

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked = append(a.asked, r)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("x"))}, nil
}

func TestArchivesOfGitHubComeWithoutToken(t *testing.T) {
	t.Parallel()
	public, err := parseAPIURL("")
	if err != nil {
		t.Fatal(err)
	}
	own, err := parseAPIURL("https://github.example.com/api/v3")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		api          *url.URL
		method, to   string
		want, signed bool
	}{
		{public, "GET", "https://codeload.github.com/a/b/legacy.tar.gz/x?token=t", true, false},
		{public, "GET", "https://api.github.com/repos/a/b", true, true},
		{public, "POST", "https://codeload.github.com/a/b", false, false},
		{public, "GET", "http://codeload.github.com/a/b", false, false},
		{public, "GET", "https://codeload.github.com.evil/a/b", false, false},
		{own, "GET", "https://codeload.github.com/a/b", false, false},
		{own, "GET", "https://github.example.com/_codeload/a/b", true, true},
	} {
		next := &answers{}
		g := &guard{api: c.api, next: next, log: discard(), now: time.Now}
		req, err := http.NewRequestWithContext(context.Background(), c.method, c.to, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer secret")
		resp, err := g.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		if (err == nil) != c.want || len(next.asked) > 1 || (len(next.asked) == 1) != c.want {
			t.Errorf("%s %s: %v", c.method, c.to, err)
			continue
		}
		if c.want && (next.asked[0].Header.Get("Authorization") != "") != c.signed {
			t.Errorf("%s %s: signed is not %v", c.method, c.to, c.signed)
		}
	}
}

func TestCappedBody(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 9, 10, 11, 100} {
		for _, read := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader} {
			b := &cappedBody{ReadCloser: io.NopCloser(read(strings.NewReader(strings.Repeat("x", n)))), left: 10}
			got, err := io.ReadAll(b)
			if n <= 10 && (err != nil || len(got) != n) || n > 10 && (KindOf(err) != TooLarge || len(got) != 10) {
				t.Errorf("%d bytes: %d, %v", n, len(got), err)
			}
		}
	}
}

func TestStalledArchive(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, w := io.Pipe()
	defer w.Close()
	context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	s := newStall(r, 20*time.Millisecond, cancel)
	defer s.stop()
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) || !s.fired() {
		t.Errorf("%v, fired %v", err, s.fired())
	}
	if _, err := s.Read(make([]byte, 1)); err == nil {
		t.Error("it reads on")
	}
}

func FuzzEachFile(f *testing.F) {
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := ArchiveLimits{FileBytes: 1 << 10, Files: 10, UnpackedBytes: 1 << 16}.withDefaults()
		_, _ = eachFile(bytes.NewReader(data), limits, func(path string, content []byte) error {
			if _, ok := escapePath(path); !ok || int64(len(content)) > limits.FileBytes {
				t.Fatalf("%q, %d bytes", path, len(content))
			}
			return nil
		})
	})
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	e := &Error{Op: "create review", Kind: Invalid, Status: 422, Message: "Unprocessable Entity", Details: []string{"a", "b"}}
	if got := e.Error(); got != "create review: github: invalid (422): Unprocessable Entity: a; b" {
		t.Error(got)
	}
	if got := (&Error{Kind: RateLimited, RetryAfter: time.Minute}).Error(); got != "github: rate limited (retry after 1m0s)" {
		t.Error(got)
	}
	if Kind(200).String() == "" || KindOf(io.EOF) != KindUnknown {
		t.Error("kinds of strangers")
	}
}
