package githubtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Delivery is one webhook request.
type Delivery struct {
	// GUID names it; one is made when it is empty. Sending the same one again is a redelivery.
	GUID string
	// Event is GitHub's name: "pull_request".
	Event string
	// Payload is the JSON value, or a []byte that is sent as it is.
	Payload any
}

// delivery is the record of one.
type delivery struct {
	id             int64
	guid, event    string
	action         string
	url            string
	body           []byte
	at             time.Time
	took           time.Duration
	status         int
	redelivery     bool
	installationID int64
	repositoryID   int64
}

// Sign gives the value of X-Hub-Signature-256.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Deliver posts a signed webhook as GitHub does, with its ten seconds of patience, and gives the answer's status. It is
// also in the App's list of deliveries.
func (s *Server) Deliver(ctx context.Context, url string, d Delivery) (status int, guid string, err error) {
	body, raw := d.Payload.([]byte)
	if !raw {
		if body, err = json.Marshal(d.Payload); err != nil {
			return 0, "", fmt.Errorf("deliver %s: %w", d.Event, err)
		}
	}
	if d.GUID == "" {
		d.GUID = guidOf()
	}
	rec := s.recordDelivery(&delivery{guid: d.GUID, event: d.Event, url: url, body: body, at: s.o.Now()})
	began := time.Now()
	status, err = s.post(ctx, rec)
	s.mu.Lock()
	rec.status, rec.took = status, time.Since(began)
	s.mu.Unlock()
	return status, d.GUID, err
}

func (s *Server) post(ctx context.Context, d *delivery) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(d.body))
	if err != nil {
		return 0, fmt.Errorf("deliver %s: %w", d.event, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "GitHub-Hookshot/0000000")
	req.Header.Set("X-GitHub-Delivery", d.guid)
	req.Header.Set("X-GitHub-Event", d.event)
	req.Header.Set("X-GitHub-Hook-ID", "1")
	req.Header.Set("X-GitHub-Hook-Installation-Target-ID", strconv.FormatInt(s.AppID, 10))
	req.Header.Set("X-GitHub-Hook-Installation-Target-Type", "integration")
	req.Header.Set("X-Hub-Signature-256", Sign(s.WebhookSecret, d.body))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("deliver %s: %w", d.event, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // only to keep the connection
	return resp.StatusCode, nil
}

func guidOf() string {
	h := randomHex(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}
