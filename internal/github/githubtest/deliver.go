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
	"slices"
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
	rec := &delivery{guid: d.GUID, event: d.Event, url: url, body: body, at: s.o.Now()}
	var about struct {
		Action                   string
		Installation, Repository struct{ ID int64 }
	}
	if json.Unmarshal(body, &about) == nil {
		rec.action, rec.installationID, rec.repositoryID = about.Action, about.Installation.ID, about.Repository.ID
	}
	s.mu.Lock()
	rec.id = s.id()
	rec.redelivery = slices.ContainsFunc(s.deliveries, func(o *delivery) bool { return o.guid == d.GUID })
	s.deliveries = append(s.deliveries, rec)
	s.mu.Unlock()
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

func (s *Server) deliveryObject(d *delivery) obj {
	status := "OK"
	if d.status < 200 || d.status > 299 {
		status = "failed"
	}
	o := obj{
		"id": d.id, "guid": d.guid, "delivered_at": stamp(d.at), "redelivery": d.redelivery, "duration": d.took.Seconds(), "status": status,
		"status_code": d.status, "event": d.event, "action": orNil(d.action), "installation_id": nil, "repository_id": nil,
	}
	if d.installationID != 0 {
		o["installation_id"] = d.installationID
	}
	if d.repositoryID != 0 {
		o["repository_id"] = d.repositoryID
	}
	return o
}

// listDeliveries gives the newest first, cut by a cursor and not by page numbers.
func (s *Server) listDeliveries(r *request) answer {
	size := 30
	if n, err := strconv.Atoi(r.query.Get("per_page")); err == nil && n > 0 {
		size = min(n, 100)
	}
	all := slices.Clone(s.deliveries)
	slices.Reverse(all)
	if c := r.query.Get("cursor"); c != "" {
		at := slices.IndexFunc(all, func(d *delivery) bool { return strconv.FormatInt(d.id, 10) == c })
		if at < 0 {
			return problem(http.StatusUnprocessableEntity, "Invalid cursor")
		}
		all = all[at:]
	}
	page := all[:min(len(all), size)]
	list := make([]obj, len(page))
	for i, d := range page {
		list[i] = s.deliveryObject(d)
	}
	a := reply(http.StatusOK, list)
	if len(all) > size {
		a.header.Set("Link", fmt.Sprintf(`<%s/app/hook/deliveries?per_page=%d&cursor=%d>; rel="next"`, s.URL, size, all[size].id))
	}
	return a
}

func (s *Server) redeliver(r *request) answer {
	at := slices.IndexFunc(s.deliveries, func(d *delivery) bool { return d.id == r.number("delivery_id") })
	if at < 0 {
		return notFound()
	}
	d := s.deliveries[at]
	s.pending.Add(1)
	go func() {
		defer s.pending.Done()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			select {
			case <-s.closed:
				cancel()
			case <-ctx.Done():
			}
		}()
		if _, _, err := s.Deliver(ctx, d.url, Delivery{GUID: d.guid, Event: d.event, Payload: d.body}); err != nil {
			s.o.Log.Warn("redelivery failed", "delivery", d.guid, "error", err)
		}
	}()
	return reply(http.StatusAccepted, obj{})
}
