package gateway_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/gateway"
	reviewv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/review/v1"
)

func TestADeliveryBecomesAJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.deliver(pullRequest())
	w.expect(got, http.StatusAccepted, "accepted", "")
	var kind, args, queue string
	var job int64
	err := w.db.Pool().QueryRow(t.Context(), `SELECT j.kind, j.args::text, j.queue, j.id FROM river_job j
		JOIN reviews r ON r.job_id = j.id JOIN deliveries d ON d.job_id = j.id AND d.review_id = r.id
		WHERE r.id = $1 AND r.state = 'queued' AND d.decision = 'review' AND d.head = $2 AND d.number = 12`, got.Review, headA).
		Scan(&kind, &args, &queue, &job)
	if err != nil {
		t.Fatal(err)
	}
	if kind != "review_pull_request" || queue != "fast" || !strings.Contains(args, got.Review) || !strings.Contains(args, "acme/shop") {
		t.Errorf("job %s in %s: %s", kind, queue, args)
	}
	large := w.deliver(pullRequest(`"number":12`, `"number":13`, `"changed_files":3`, `"changed_files":300`))
	if n := w.count(`river_job WHERE queue = 'slow' AND args->>'review_id' = $1`, large.Review); n != 1 {
		t.Errorf("%d jobs of the large one in the slow queue", n)
	}
}

// TestWorkersAreWoken: River's workers are told of the jobs of deliveries and of those of people, in River's words.
func TestWorkersAreWoken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn, err := w.db.Pool().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), `LISTEN "public.river_insert"`); err != nil {
		t.Fatal(err)
	}
	told := func(want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if n, err := conn.Conn().WaitForNotification(ctx); err != nil || n.Payload != want {
			t.Fatalf("told %+v, %v, want %s", n, err, want)
		}
	}
	w.expect(w.deliver(pullRequest()), http.StatusAccepted, "accepted", "")
	told(`{"queue":"fast"}`)
	w.expect(w.deliver(pullRequest(`"number":12`, `"number":13`, `"changed_files":3`, `"changed_files":300`)), http.StatusAccepted, "accepted", "")
	told(`{"queue":"slow"}`)
	_, err = w.reviews().RequestReview(t.Context(), &reviewv1.RequestReviewRequest{Repository: "acme/shop", Number: 14, HeadSha: headA})
	if err != nil {
		t.Fatal(err)
	}
	told(`{"queue":"fast"}`)
}

func TestUnsignedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := pullRequest()
	good := sign(secret, body)
	bad := 0
	for name, line := range map[string]string{
		"missing":      "X-Hub-Signature-256",
		"empty":        "X-Hub-Signature-256: sha256=",
		"short":        "X-Hub-Signature-256: " + good[:40],
		"long":         "X-Hub-Signature-256: " + good + "00",
		"not hex":      "X-Hub-Signature-256: " + good[:70] + "g",
		"upper case":   "X-Hub-Signature-256: sha256=" + strings.ToUpper(good[7:]),
		"no prefix":    "X-Hub-Signature-256: " + good[7:],
		"sha1":         "X-Hub-Signature-256: sha1=" + good[7:47],
		"of another":   "X-Hub-Signature-256: " + sign("guess", body),
		"of no secret": "X-Hub-Signature-256: " + sign("", body),
		"of other":     "X-Hub-Signature-256: " + sign(secret, append(body, ' ')),
	} {
		got := w.deliver(body, line)
		w.expect(got, http.StatusUnauthorized, "refused", "bad_signature")
		if t.Failed() {
			t.Fatal(name)
		}
		bad++
	}
	onlySHA1 := w.request("pull_request", body, "X-Hub-Signature-256", "X-Hub-Signature: sha1=0123456789012345678901234567890123456789")
	w.expect(w.send(onlySHA1), http.StatusUnauthorized, "refused", "bad_signature")
	twice := w.request("pull_request", body)
	twice.Header.Add("X-Hub-Signature-256", good)
	w.expect(w.send(twice), http.StatusUnauthorized, "refused", "bad_signature")
	// Wrong in every way, but the signature counts first.
	w.expect(w.send(w.request("pull request", []byte("{"), "Content-Type: text/plain", "X-GitHub-Delivery", "X-Hub-Signature-256: "+good)),
		http.StatusUnauthorized, "refused", "bad_signature")
	if rows := w.count(`deliveries`) + w.count(`quarantine`) + w.count(`river_job`); rows != 0 {
		t.Errorf("%d rows from unsigned requests", rows)
	}
	if got := w.metric("openrabbit_gateway_signatures_total", "secret=none"); got != float64(bad+3) {
		t.Errorf("counted %v unsigned requests, want %d", got, bad+3)
	}
	w.expect(w.deliver(body), http.StatusAccepted, "accepted", "")
}

func TestBothSecretsWhileRotating(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 3 {
		body := pullRequest(`"number":12`, fmt.Sprintf(`"number":%d`, 20+i))
		w.expect(w.deliver(body, "X-Hub-Signature-256: "+sign(oldSecret, body)), http.StatusAccepted, "accepted", "")
	}
	w.expect(w.deliver(pullRequest()), http.StatusAccepted, "accepted", "")
	if old, now := w.metric("openrabbit_gateway_signatures_total", "secret=1"), w.metric("openrabbit_gateway_signatures_total", "secret=0"); old != 3 || now != 1 {
		t.Errorf("counted %v by the old secret and %v by the new, want 3 and 1", old, now)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := func(body []byte) []byte { return []byte("payload=" + url.QueryEscape(string(body))) }
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write(pullRequest())
	_ = zip.Close()
	const formType = "Content-Type: application/x-www-form-urlencoded"
	for i, c := range []struct {
		name           string
		event          string
		body           []byte
		headers        []string
		code           int
		status, reason string
		// row, quarantined and job say what must be there afterwards.
		row, quarantined, job bool
	}{
		{name: "ping", event: "ping", body: []byte(`{"zen":"x"}`), code: 200, status: "ping", row: true},
		{name: "unknown event", event: "levitation", body: []byte(`{"action":"up"}`), code: 202, status: "ignored", reason: "unknown_event", row: true},
		{name: "unknown action", body: pullRequest(`"opened"`, `"levitated"`), code: 202, status: "ignored", reason: "unknown_action", row: true},
		{name: "null installation", body: pullRequest(`{"id":7}`, `null`), code: 202, status: "ignored", reason: "no_installation", row: true},
		{name: "nothing in it", body: []byte(`{}`), code: 202, status: "ignored", reason: "unknown_action", row: true},
		{name: "missing fields", body: pullRequest(`"updated_at"`, `"u"`), code: 202, status: "ignored", reason: "missing_field", row: true},
		{name: "a bot's", body: pullRequest(`"type":"User"}`, `"type":"Bot"}`), code: 202, status: "ignored", reason: "bot_author", row: true},
		{name: "a comment", event: "issue_comment", body: pullRequest(`"opened"`, `"created"`), code: 202, status: "ignored", reason: "not_supported_yet", row: true},
		{name: "a form", body: form(pullRequest()), headers: []string{formType}, code: 202, status: "accepted", row: true, job: true},
		{name: "a form with more", body: append([]byte("a=b&"), form(pullRequest())...), headers: []string{formType + "; charset=UTF-8"}, code: 202, status: "accepted", row: true, job: true},
		{name: "a charset", body: pullRequest(), headers: []string{"Content-Type: application/json; charset=utf-8"}, code: 202, status: "accepted", row: true, job: true},
		{name: "another charset", body: pullRequest(), headers: []string{"Content-Type: application/json; charset=latin1"}, code: 415, status: "refused", reason: "unsupported_content_type"},
		{name: "another type", body: pullRequest(), headers: []string{"Content-Type: text/plain"}, code: 415, status: "refused", reason: "unsupported_content_type"},
		{name: "no type", body: pullRequest(), headers: []string{"Content-Type"}, code: 415, status: "refused", reason: "unsupported_content_type"},
		{name: "multipart", body: pullRequest(), headers: []string{"Content-Type: multipart/form-data; boundary=x"}, code: 415, status: "refused", reason: "unsupported_content_type"},
		{name: "gzip", body: packed.Bytes(), headers: []string{"Content-Encoding: gzip"}, code: 415, status: "refused", reason: "unsupported_content_type"},
		{name: "a form without it", body: []byte("a=b"), headers: []string{formType}, code: 400, status: "refused", reason: "malformed", quarantined: true},
		{name: "a form with two", body: []byte("payload={}&payload={}"), headers: []string{formType}, code: 400, status: "refused", reason: "malformed", quarantined: true},
		{name: "a form badly encoded", body: []byte("payload=%zz"), headers: []string{formType}, code: 400, status: "refused", reason: "malformed", quarantined: true},
		{name: "cut JSON", body: pullRequest()[:100], code: 400, status: "refused", reason: "malformed", quarantined: true},
		{name: "nothing", body: nil, code: 400, status: "refused", reason: "malformed", quarantined: true},
		{name: "a mark before", body: append([]byte("\xef\xbb\xbf"), pullRequest()...), code: 400, status: "refused", reason: "malformed", quarantined: true},
		{name: "deep", body: []byte(`{"a":` + strings.Repeat("[", 100_000)), code: 400, status: "refused", reason: "malformed", quarantined: true},
		{name: "a key twice", body: pullRequest(`"changed_files":3`, `"changed_files":3,"changed_files":4`), code: 400, status: "refused", reason: "malformed", quarantined: true},
		{name: "a huge number", body: pullRequest(`"id":70`, `"id":1e999`), code: 400, status: "refused", reason: "malformed", quarantined: true},
		{name: "a wrong type", body: pullRequest(`"opened"`, `{}`), code: 400, status: "refused", reason: "malformed", quarantined: true},
		{name: "NUL in a name", body: pullRequest(`acme/shop`, `acme/s\u0000p`), code: 400, status: "refused", reason: "malformed", quarantined: true},
		{name: "NUL in a branch", body: pullRequest(`"main"`, `"ma\u0000in"`), code: 202, status: "accepted", row: true, job: true},
		{name: "no event", body: pullRequest(), headers: []string{"X-GitHub-Event"}, code: 400, status: "refused", reason: "bad_headers"},
		{name: "no delivery", body: pullRequest(), headers: []string{"X-GitHub-Delivery"}, code: 400, status: "refused", reason: "bad_headers"},
		{name: "an odd delivery", body: pullRequest(), headers: []string{"X-GitHub-Delivery: ' OR 1=1"}, code: 400, status: "refused", reason: "bad_headers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.event == "" {
				c.event = "pull_request"
			}
			number := fmt.Sprintf("%d", 100+i) // a pull request for each
			c.body = bytes.ReplaceAll(c.body, []byte(`%3A12%2C`), []byte("%3A"+number+"%2C"))
			c.body = bytes.ReplaceAll(c.body, []byte(`"number":12,`), []byte(`"number":`+number+`,`))
			rows, bodies, jobs := w.count(`deliveries`), w.count(`quarantine`), w.count(`river_job`)
			r := w.request(c.event, c.body, c.headers...)
			w.t = t
			w.expect(w.send(r), c.code, c.status, c.reason)
			for what, delta := range map[string][2]int{
				"deliveries": {w.count(`deliveries`) - rows, btoi(c.row)},
				"quarantine": {w.count(`quarantine`) - bodies, btoi(c.quarantined)},
				"river_job":  {w.count(`river_job`) - jobs, btoi(c.job)},
			} {
				if delta[0] != delta[1] {
					t.Errorf("%d new rows in %s, want %d", delta[0], what, delta[1])
				}
			}
		})
	}
	w.t = t
	odd := []byte("{\"a\":\"\x00\xff\"}")
	w.deliver(odd, "X-GitHub-Delivery: odd")
	if n := w.count(`quarantine WHERE body = $1 AND problem LIKE 'malformed payload: %' AND event = 'pull_request' AND guid = 'odd'`, odd); n != 1 {
		t.Errorf("%d quarantined bodies are as they came", n)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestOtherMethodsAndPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		r := w.request("ping", []byte(`{}`))
		r.Method = method
		got := w.send(r)
		w.expect(got, http.StatusMethodNotAllowed, "refused", "method_not_allowed")
		if got.header.Get("Allow") != "POST" {
			t.Errorf("%s: Allow %q", method, got.header.Get("Allow"))
		}
	}
	for _, path := range []string{"/", "/webhooks/github/", "/webhooks", "/metrics", "/debug/pprof/"} {
		r := w.request("ping", []byte(`{}`))
		r.URL.Path = path
		if got := w.send(r); got.code != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.code)
		}
	}
}

func TestTheSameDeliveryManyTimesAtOnceIsOneJob(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string][]string{
		"one GUID":               {"X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958"},
		"a new GUID for each":    nil,
		"an App's and a hook's ": {"X-GitHub-Hook-Installation-Target-Type: repository"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var accepted, duplicates atomic.Int32
			var all sync.WaitGroup
			start := make(chan struct{})
			for range 100 {
				r := w.request("pull_request", pullRequest(), headers...)
				all.Go(func() {
					<-start
					got, err := w.try(r)
					switch {
					case err != nil:
						t.Error(err)
					case got.code == http.StatusAccepted && got.Status == "accepted":
						accepted.Add(1)
					case got.code == http.StatusOK && got.Status == "duplicate" && got.Review != "":
						duplicates.Add(1)
					default:
						t.Errorf("answer %+v", got)
					}
				})
			}
			close(start)
			all.Wait()
			if accepted.Load() != 1 || duplicates.Load() != 99 {
				t.Errorf("%d accepted and %d duplicates, want 1 and 99", accepted.Load(), duplicates.Load())
			}
			if jobs, reviews := w.count(`river_job`), w.count(`reviews`); jobs != 1 || reviews != 1 {
				t.Errorf("%d jobs of %d reviews", jobs, reviews)
			}
		})
	}
}

func TestDuplicatesAreAnsweredWithTheReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const guid = "X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958"
	first := w.deliver(pullRequest(), guid)
	again := w.deliver(pullRequest(), guid)
	w.expect(again, http.StatusOK, "duplicate", "same_delivery")
	replay := w.deliver(pullRequest())
	w.expect(replay, http.StatusOK, "duplicate", "same_meaning")
	if again.Review != first.Review || replay.Review != first.Review {
		t.Errorf("reviews %q, %q and %q", first.Review, again.Review, replay.Review)
	}
	reopened := w.deliver(event("reopened", 30, "", headA))
	w.expect(reopened, http.StatusAccepted, "ignored", "under_way")
	if reopened.Review != first.Review {
		t.Errorf("the same head has the reviews %q and %q", first.Review, reopened.Review)
	}
}

func TestOverload(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	w := newWorld(t, configured(func(c *gateway.Config) { c.MaxInFlight = 1 }), failing(func(name string) {
		if name == "inserted" && first.CompareAndSwap(false, true) {
			close(entered)
			<-leave
		}
	}))
	done := make(chan reply, 1)
	r := w.request("pull_request", pullRequest())
	go func() {
		got, err := w.try(r)
		if err != nil {
			t.Error(err)
		}
		done <- got
	}()
	<-entered
	got := w.deliver(pullRequest(`"number":12`, `"number":13`))
	w.expect(got, http.StatusServiceUnavailable, "unavailable", "overload")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if unsigned := w.deliver(pullRequest(), "X-Hub-Signature-256: "+sign("x", nil)); unsigned.code != http.StatusUnauthorized {
		t.Errorf("unsigned under load: %d", unsigned.code)
	}
	close(leave)
	w.expect(<-done, http.StatusAccepted, "accepted", "")
	w.expect(w.deliver(pullRequest(`"number":12`, `"number":13`)), http.StatusAccepted, "accepted", "")
}
