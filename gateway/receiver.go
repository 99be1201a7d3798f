package gateway

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/intake"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

const webhookPath = "/webhooks/github"

// Status is the first word of an answer.
type Status string

// The statuses. The first four are 2xx.
const (
	StatusAccepted    Status = "accepted"
	StatusIgnored     Status = "ignored"
	StatusDuplicate   Status = "duplicate"
	StatusPing        Status = "ping"
	StatusRefused     Status = "refused"
	StatusUnavailable Status = "unavailable"
)

// retryAfter is what a sender is told when there is no room. GitHub does not retry by itself; others do.
const retryAfter = "2"

// Reasons of refusals.
const (
	reasonMethod      = "method_not_allowed"
	reasonSignature   = "bad_signature"
	reasonTooLarge    = "too_large"
	reasonTooSlow     = "too_slow"
	reasonIncomplete  = "incomplete"
	reasonHeaders     = "bad_headers"
	reasonContentType = "unsupported_content_type"
	reasonMalformed   = "malformed"
	reasonOverload    = "overload"
	reasonDatabase    = "database"
)

// answer is what a delivery is answered with. json gives the body.
type answer struct {
	Status Status
	Reason string
	Review review.ID

	code int
	// hangUp closes the connection: what the client still sends would be read otherwise.
	hangUp bool
}

func refuse(code int, reason string) answer {
	return answer{Status: StatusRefused, Reason: reason, code: code}
}

func unavailable(reason string) answer {
	return answer{Status: StatusUnavailable, Reason: reason, code: http.StatusServiceUnavailable}
}

// receiver answers POST /webhooks/github.
type receiver struct {
	verifier
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	inbox   Inbox
	// quarantine keeps a body that could not be decoded.
	quarantine func(ctx context.Context, guid, event, problem string, body []byte) error
	bodies     *bodies
	inFlight   chan struct{}
	failpoint  func(name string)
}

// ServeHTTP answers one request. The server has set the deadline for reading it.
func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	a := rc.receive(w, r)
	rc.metrics.answered(a, time.Since(begun))
	rc.failpoint("before_write")
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	if a.hangUp {
		header.Set("Connection", "close")
	}
	switch a.code {
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", retryAfter)
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	}
	w.WriteHeader(a.code)
	// When the client has gone it delivers again, and finds the row.
	_, _ = w.Write(a.json())
}

// json is the body: words of ours and the id of a review, which need no escapes.
func (a answer) json() []byte {
	return fmt.Appendf(make([]byte, 0, 128), `{"status":"%s","reason":"%s","review":"%s"}`+"\n", a.Status, a.Reason, a.Review)
}

func (rc *receiver) receive(w http.ResponseWriter, r *http.Request) answer {
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, reasonMethod).andHangUp()
	}
	signature, ok := claimed(r.Header)
	if !ok {
		rc.metrics.unsigned()
		return refuse(http.StatusUnauthorized, reasonSignature).andHangUp()
	}
	if r.ContentLength > rc.cfg.MaxBody {
		return refuse(http.StatusRequestEntityTooLarge, reasonTooLarge).andHangUp()
	}
	content, err := rc.bodies.read(http.MaxBytesReader(w, r.Body, rc.cfg.MaxBody))
	defer content.release()
	if err != nil {
		return unread(err).andHangUp()
	}
	// The body is here: from now on the deadline would only end the request.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	rc.failpoint("read")

	secret := rc.verify(signature, content)
	if secret < 0 {
		rc.metrics.unsigned()
		return refuse(http.StatusUnauthorized, reasonSignature)
	}
	rc.metrics.signed(secret)
	rc.failpoint("verified")

	select {
	case rc.inFlight <- struct{}{}:
		defer func() { <-rc.inFlight }()
	default:
		return unavailable(reasonOverload)
	}
	return rc.verified(r, content)
}

func (a answer) andHangUp() answer {
	a.hangUp = true
	return a
}

// unread answers a body that did not come whole.
func unread(err error) answer {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return refuse(http.StatusRequestEntityTooLarge, reasonTooLarge)
	case errors.Is(err, errNoRoom):
		return unavailable(reasonOverload)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, reasonTooSlow)
	default:
		return refuse(http.StatusBadRequest, reasonIncomplete)
	}
}

// verified answers a delivery whose signature is good.
func (rc *receiver) verified(r *http.Request, content *body) answer {
	guid, event := r.Header.Get("X-GitHub-Delivery"), r.Header.Get("X-GitHub-Event")
	if !isWord(guid, 100) || !isWord(event, 64) {
		return refuse(http.StatusBadRequest, reasonHeaders)
	}
	form, ok := mediaType(r.Header)
	if !ok {
		return refuse(http.StatusUnsupportedMediaType, reasonContentType)
	}
	raw := content.bytes()
	payload, err := raw, error(nil)
	if form {
		payload, err = formPayload(raw)
	}
	var decision intake.Decision
	if err == nil {
		decision, err = intake.Decide(event, payload, rc.cfg.Self)
	}
	// GitHub may have hung up; what was delivered is kept all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), rc.cfg.StoreTimeout)
	defer cancel()
	if err != nil {
		return rc.malformed(ctx, guid, event, err, raw)
	}
	outcome, err := rc.inbox.Accept(ctx, Delivery{GUID: guid, Event: event, Decision: decision})
	if err != nil {
		rc.log.ErrorContext(ctx, "delivery not stored", telemetry.KeyDelivery, guid, "event", event, telemetry.KeyError, err)
		return unavailable(reasonDatabase)
	}
	rc.metrics.delivery(event, outcome)
	rc.logDelivery(ctx, guid, event, decision, outcome)
	return outcome.answer()
}

// malformed keeps a body that a sender who knows the secret sent, for people to look at.
func (rc *receiver) malformed(ctx context.Context, guid, event string, problem error, raw []byte) answer {
	log := rc.log.With(telemetry.KeyDelivery, guid, "event", event)
	log.WarnContext(ctx, "delivery malformed", telemetry.KeyError, problem)
	if err := rc.quarantine(ctx, guid, event, problem.Error(), raw); err != nil {
		log.ErrorContext(ctx, "malformed delivery not stored", telemetry.KeyError, err)
		return unavailable(reasonDatabase)
	}
	return refuse(http.StatusBadRequest, reasonMalformed)
}

// logDelivery is for who looks for one delivery; the row has all of it, and the metrics have the counts.
func (rc *receiver) logDelivery(ctx context.Context, guid, event string, d intake.Decision, o Outcome) {
	if !rc.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	rc.log.DebugContext(ctx, "delivery answered", telemetry.KeyDelivery, guid, "event", event, "action", d.Action,
		"status", string(o.Status), "reason", o.Reason,
		telemetry.KeyInstallation, int64(d.InstallationID), telemetry.KeyRepository, d.Repository.Name,
		telemetry.KeyPullRequest, d.Number, telemetry.KeyHead, d.Head, telemetry.KeyReview, string(o.ReviewID))
}

func (o Outcome) answer() answer {
	a := answer{Status: o.Status, Reason: o.Reason, Review: o.ReviewID, code: http.StatusAccepted}
	if o.Status == StatusDuplicate || o.Status == StatusPing {
		a.code = http.StatusOK
	}
	return a
}

// isWord accepts what GitHub's headers hold: a GUID, the name of an event.
func isWord(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// mediaType says whether the body is a form; ok is false when it is neither that nor JSON, or is compressed.
func mediaType(h http.Header) (form, ok bool) {
	kind, params, err := h.Get("Content-Type"), map[string]string(nil), error(nil)
	if kind != "application/json" { // as GitHub sends it
		kind, params, err = mime.ParseMediaType(kind)
	}
	if err != nil {
		return false, false
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return false, false
	}
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return false, false
	}
	form = kind == "application/x-www-form-urlencoded"
	return form, form || kind == "application/json"
}

// formPayload gives the field "payload" of a form, which must be there once.
func formPayload(raw []byte) ([]byte, error) {
	var payload []byte
	found := false
	for pair := range bytes.SplitSeq(raw, []byte{'&'}) {
		value, ok := bytes.CutPrefix(pair, []byte("payload"))
		if !ok || len(value) > 0 && value[0] != '=' {
			continue
		}
		if found {
			return nil, fmt.Errorf("%w: the form has two payloads", intake.ErrMalformed)
		}
		payload, found = bytes.TrimPrefix(value, []byte{'='}), true
	}
	if !found {
		return nil, fmt.Errorf("%w: the form has no payload", intake.ErrMalformed)
	}
	out := make([]byte, 0, len(payload))
	for i := 0; i < len(payload); i++ {
		switch c := payload[i]; c {
		case '+':
			out = append(out, ' ')
		case '%':
			var one [1]byte
			if i+2 >= len(payload) {
				return nil, fmt.Errorf("%w: the form is not encoded as one", intake.ErrMalformed)
			}
			if _, err := hex.Decode(one[:], payload[i+1:i+3]); err != nil {
				return nil, fmt.Errorf("%w: the form is not encoded as one", intake.ErrMalformed)
			}
			out = append(out, one[0])
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out, nil
}
