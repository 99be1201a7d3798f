package llmtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// deliver answers a call with a body, as the rule (or no rule) wants it delivered.
func (s *Server) deliver(w http.ResponseWriter, r *http.Request, c *Call, rule *Rule, answer any) {
	if rule == nil {
		rule = &Rule{}
	}
	if !s.pause(r, *rule) {
		abandon(w)
		return
	}
	status := rule.Status
	if status == 0 {
		status = http.StatusOK
	}
	if rule.RetryAfter != "" {
		w.Header().Set("Retry-After", string(rule.RetryAfter))
	}
	if rule.Location != "" {
		w.Header().Set("Location", rule.Location)
	}
	body, err := encode(answer)
	switch {
	case rule.Body != "":
		body = []byte(rule.Body)
	case status >= http.StatusMultipleChoices:
		body = errorBody(status, rule.Error)
	case err != nil:
		s.refuse(w, c, http.StatusInternalServerError, Error{Message: "llmtest: " + err.Error(), Type: "server_error"})
		return
	}
	if rule.CutAfterBytes != nil {
		s.cut(w, c, status, body, *rule.CutAfterBytes)
		return
	}
	s.amend(func() { c.Status = status })
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// A client that has left is its own affair.
	_, _ = w.Write(body)
}

// pause waits as long as the rule wants; false when there is nobody left to answer.
func (s *Server) pause(r *http.Request, rule Rule) bool {
	var delay <-chan time.Time
	switch {
	case rule.Hang:
	case rule.DelayMS > 0:
		timer := time.NewTimer(time.Duration(rule.DelayMS) * time.Millisecond)
		defer timer.Stop()
		delay = timer.C
	default:
		return true
	}
	select {
	case <-delay:
		return true
	case <-r.Context().Done():
		return false
	case <-s.closing.Done():
		return false
	}
}

// abandon closes the connection: a handler that just returns has answered, with an empty body.
func abandon(w http.ResponseWriter) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

// cut promises the whole body, gives its beginning and closes the connection.
func (s *Server) cut(w http.ResponseWriter, c *Call, status int, body []byte, after int) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		s.refuse(w, c, http.StatusInternalServerError, Error{Message: "llmtest: this connection cannot be cut", Type: "server_error"})
		return
	}
	conn, buffered, err := hijacker.Hijack()
	if err != nil {
		s.amend(func() { c.Problem = "cut: " + err.Error() })
		return
	}
	defer func() { _ = conn.Close() }()
	if after == 0 {
		return
	}
	s.amend(func() { c.Status = status })
	_, _ = fmt.Fprintf(buffered, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		status, http.StatusText(status), len(body))
	_, _ = buffered.Write(body[:min(after, len(body)-1)])
	_ = buffered.Flush()
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return b.Bytes(), nil
}

func writeError(w http.ResponseWriter, status int, e Error) {
	body := errorBody(status, &e)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func errorBody(status int, e *Error) []byte {
	if e == nil {
		e = &Error{Message: http.StatusText(status), Type: "server_error"}
		switch {
		case status == http.StatusTooManyRequests:
			e.Type, e.Code = "requests", "rate_limit_exceeded"
		case status < http.StatusInternalServerError:
			e.Type = "invalid_request_error"
		}
	}
	// OpenAI sends null for what is not said.
	orNull := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	body, err := encode(map[string]any{"error": map[string]any{
		"message": e.Message, "type": orNull(e.Type), "param": orNull(e.Param), "code": orNull(e.Code),
	}})
	if err != nil {
		return []byte(`{"error":{"message":"llmtest: the error could not be encoded"}}`)
	}
	return body
}
