package llmsvc

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// failureKind is what may be done about a failed request.
type failureKind uint8

const (
	// callerLeft: the caller's context ended.
	callerLeft failureKind = iota + 1
	// transient: the server failed, hung, or broke off; asking again may help.
	transient
	// rateLimited: asking again after a while helps.
	rateLimited
	// breakerIsOpen: not asked at all.
	breakerIsOpen
	// setup: the key, the model's name, the address or the account must be mended by a person.
	setup
	// tooLong: the request exceeds the model's window.
	tooLong
	// policy: a content filter refused the request.
	policy
	// badRequest: the server refused the form of the request; leaving something out may help.
	badRequest
	// oversize: the answer was larger than we read.
	oversize
)

// failure is one failed request.
type failure struct {
	kind failureKind
	// status is the HTTP status, 0 when none arrived.
	status     int
	retryAfter time.Duration
	// held: nothing was sent, because the server had asked somebody else to wait.
	held bool
	// said is what the server answered. It may hold anything, request and key included: only detail prints it, scrubbed.
	said serverError
	// what says in our own words what happened.
	what string
	// begun is set when the server may have worked, and billed, without an answer that arrived.
	begun bool
	// cause is the context's error, with callerLeft.
	cause error
}

// serverError is what servers say of an error, whatever their form.
type serverError struct {
	message, code, kind, param string
}

// maxErrorBody is how much of an error's body is looked at.
const maxErrorBody = 8 << 10

// classify says what became of a request that failed with err, or was answered with an error. callerErr is the error
// of the caller's own context, attemptErr that of the request's.
func classify(x *exchange, err, callerErr, attemptErr error) *failure {
	f := &failure{status: x.status, retryAfter: x.retryAfter}
	var vectors badVectors
	switch {
	case callerErr != nil:
		f.kind, f.cause, f.begun = callerLeft, callerErr, true
		return f
	case errors.Is(err, errRedirected):
		f.kind = setup
		f.what = "the model server answers with a redirect, which is not followed: check OPENAI_BASE_URL"
		return f
	case errors.As(err, &vectors):
		f.kind, f.what = setup, vectors.Error()
		return f
	case errors.Is(err, errOversize):
		f.kind, f.what, f.begun = oversize, "the model server's answer is too large", true
		return f
	case x.status == 0 || x.body == nil:
		f.kind = transient
		f.what, f.begun = broke(x, err, attemptErr)
		return f
	}
	f.said = parseError(x.body)
	status := x.status
	if status < http.StatusBadRequest {
		status = statusInBody(x.body)
		f.status = status
	}
	f.byStatus(status)
	return f
}

// broke says how a connection failed, and whether the server had begun to work.
func broke(x *exchange, err, attemptErr error) (what string, begun bool) {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case attemptErr != nil:
		return "the model server did not answer in time", true
	case x.status != 0:
		return "the connection broke in the middle of the model server's answer", true
	case errors.As(err, &dns):
		return "the model server's name cannot be resolved", false
	case errors.As(err, &certificate), errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the model server's TLS certificate or handshake is not acceptable", false
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the model server refuses connections", false
	default:
		return "the connection to the model server broke", true
	}
}

// byStatus fills in what a status and the words with it mean. 0 is a good status with a body that makes no sense.
func (f *failure) byStatus(status int) {
	text := f.said.text()
	switch {
	case status == 0:
		f.kind, f.what, f.begun = transient, "the model server's answer is not what a model server answers", true
	case isTooLong(status, f.said, text):
		f.kind, f.what = tooLong, "the request is longer than the model's window"
	case isPolicy(f.said, text):
		f.kind, f.what = policy, "a content filter refused the request"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		f.kind, f.what = setup, "the model server refused the key (OPENAI_API_KEY)"
	case status == http.StatusPaymentRequired || f.said.code == "insufficient_quota" || f.said.kind == "insufficient_quota":
		f.kind, f.what = setup, "the model server says that the account has no quota or credit left"
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		f.kind, f.what = setup, "the model server does not know the model, or OPENAI_BASE_URL is not the base of an OpenAI-compatible API"
	case status == http.StatusTooManyRequests:
		f.kind, f.what = rateLimited, "the model server limits the rate"
	case status == http.StatusNotImplemented:
		f.kind, f.what = badRequest, "the model server cannot do that (status 501)"
	case status >= http.StatusInternalServerError || status == http.StatusRequestTimeout ||
		status == http.StatusConflict || status == http.StatusTooEarly:
		f.kind, f.what = transient, fmt.Sprintf("the model server failed with status %d", status)
	default:
		f.kind, f.what = badRequest, fmt.Sprintf("the model server refused the request with status %d", status)
	}
}

// isTooLong knows the words of OpenAI, vLLM, llama.cpp, LM Studio, Anthropic's and Google's compatible endpoints.
func isTooLong(status int, e serverError, text string) bool {
	if status == http.StatusRequestEntityTooLarge {
		return !strings.Contains(text, "batch")
	}
	if e.code == "context_length_exceeded" || e.kind == "exceed_context_size_error" {
		return true
	}
	// llama.cpp once said it with status 500.
	if status != http.StatusBadRequest && status != http.StatusUnprocessableEntity && status != http.StatusInternalServerError {
		return false
	}
	return containsAny(text, "context length", "context_length", "context window", "context size", "maximum input length",
		"prompt is too long", "input is too long", "too large to process", "input token count", "reduce the length", "longer than the maximum number of tokens")
}

func isPolicy(e serverError, text string) bool {
	switch e.code {
	case "content_filter", "content_policy_violation", "invalid_prompt", "data_inspection_failed":
		return true
	}
	return containsAny(text, "content management policy", "usage policy", "usage policies", "content_policy", "responsibleaipolicy")
}

// text is all the words of the error in lower case, for looking things up.
func (e serverError) text() string {
	return strings.ToLower(strings.Join([]string{e.message, e.code, e.kind, e.param}, "\n"))
}

func containsAny(text string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// parseError reads an error's body: OpenAI's {"error":{…}}, {"error":"text"}, the same in a list (Google), the fields
// without a wrapper (vLLM), FastAPI's {"detail":…}, or plain text. HTML says nothing.
func parseError(body []byte) serverError {
	body = bytes.TrimSpace(body[:min(len(body), maxErrorBody)])
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0]
	}
	var outer struct {
		Error  json.RawMessage `json:"error"`
		Detail json.RawMessage `json:"detail"`
		errorFields
	}
	if err := json.Unmarshal(body, &outer); err != nil {
		if bytes.HasPrefix(body, []byte("<")) || bytes.HasPrefix(body, []byte("{")) {
			return serverError{}
		}
		return serverError{message: strings.ToValidUTF8(string(body), "")}
	}
	for _, inner := range []json.RawMessage{outer.Error, outer.Detail} {
		if len(inner) == 0 || string(inner) == "null" {
			continue
		}
		var text string
		if json.Unmarshal(inner, &text) == nil {
			return serverError{message: text}
		}
		if message, ok := validation(inner); ok {
			return serverError{message: message}
		}
		var fields errorFields
		if json.Unmarshal(inner, &fields) == nil {
			return fields.plain()
		}
		return serverError{message: string(inner)}
	}
	return outer.plain()
}

// validation reads FastAPI's list of complaints: their places and words, not the input they repeat.
func validation(detail []byte) (string, bool) {
	var items []struct {
		Loc     []any  `json:"loc"`
		Message string `json:"msg"`
	}
	if json.Unmarshal(detail, &items) != nil || len(items) == 0 {
		return "", false
	}
	var parts []string
	for _, item := range items {
		var place []string
		for _, step := range item.Loc {
			place = append(place, plain(step))
		}
		parts = append(parts, strings.Join(place, ".")+": "+item.Message)
	}
	return strings.Join(parts, "; "), true
}

// errorFields are the fields of an error, of any type.
type errorFields struct {
	Message any `json:"message"`
	Code    any `json:"code"`
	Type    any `json:"type"`
	Param   any `json:"param"`
}

func (f errorFields) plain() serverError {
	return serverError{message: plain(f.Message), code: plain(f.Code), kind: plain(f.Type), param: plain(f.Param)}
}

func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(b)
	}
}

// statusInBody gives the status of an error that came with a good HTTP status, 0 when the body is no error.
func statusInBody(body []byte) int {
	if len(body) > maxErrorBody {
		return 0
	}
	var outer struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &outer) != nil || len(outer.Error) == 0 || string(outer.Error) == "null" {
		return 0
	}
	if code, err := strconv.Atoi(parseError(body).code); err == nil && code >= 400 && code < 600 {
		return code
	}
	return http.StatusBadGateway
}

// verdict is what the failure says of the server's health.
func (f *failure) verdict() verdict {
	switch f.kind {
	case transient, oversize:
		return broken
	case callerLeft, rateLimited, breakerIsOpen:
		return neutral
	default:
		return alive
	}
}

// ended says whether the caller's context ended by its deadline and not by leaving.
func (f *failure) ended() bool { return errors.Is(f.cause, context.DeadlineExceeded) }

// maxDetail bounds what of a server's words is passed on.
const maxDetail = 300

// detail is one sentence on the failure. sent is the text of the request and key its key: neither is repeated.
func (f *failure) detail(sent []string, key string) string {
	what := f.what
	if f.kind == badRequest || f.kind == setup || f.kind == transient {
		if said := scrub(f.said.message, sent, key); said != "" {
			what += ": " + said
		}
	}
	return what
}
