package githubtest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kept is how long GitHub lists a delivery, and sends it again on request.
const kept = 3 * 24 * time.Hour

// DeliveryPages says how the App's list of deliveries is strange, within what a reader has to bear.
type DeliveryPages struct {
	// EmptyEvery makes every so-manieth page empty, with a further one behind it.
	EmptyEvery int
	// Repeat is how many of a page's last entries the next one begins with.
	Repeat int
	// Between is called before each page is made, with its number from 1, and may deliver or forget something.
	Between func(page int)
	// RefuseCursors answers 422 to so many requests with a cursor: what it pointed at is gone.
	RefuseCursors int
}

// SetDeliveryPages makes the list of deliveries strange.
func (s *Server) SetDeliveryPages(p DeliveryPages) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strange, s.listed = p, 0
}

// AddDelivery puts an attempt into the App's list that was made at a time and ended with a status, 0 for none, without
// making it. Attempts must be added in the order of their times.
func (s *Server) AddDelivery(url string, d Delivery, at time.Time, status int) (guid string, err error) {
	body, raw := d.Payload.([]byte)
	if !raw {
		if body, err = json.Marshal(d.Payload); err != nil {
			return "", fmt.Errorf("add delivery: %w", err)
		}
	}
	d.GUID = cmp.Or(d.GUID, guidOf())
	s.recordDelivery(&delivery{guid: d.GUID, event: d.Event, url: url, body: body, at: at, status: status})
	return d.GUID, nil
}

// recordDelivery puts an attempt into the list.
func (s *Server) recordDelivery(rec *delivery) *delivery {
	var about struct {
		Action                   string
		Installation, Repository struct{ ID int64 }
	}
	if json.Unmarshal(rec.body, &about) == nil {
		rec.action, rec.installationID, rec.repositoryID = about.Action, about.Installation.ID, about.Repository.ID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rec.id = s.id()
	rec.redelivery = s.sent[rec.guid]
	s.sent[rec.guid] = true
	s.deliveries = append(s.deliveries, rec)
	return rec
}

// Attempts counts, by GUID, how often a delivery was sent: the first time, and again on request.
func (s *Server) Attempts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]int{}
	for _, d := range s.deliveries {
		all[d.guid]++
	}
	return all
}

func (s *Server) deliveryObject(d *delivery) obj {
	// GitHub shows a receiver that cannot be reached as a bad gateway.
	status, code := "OK", d.status
	switch {
	case code == 0:
		status, code = "failed to connect to host", http.StatusBadGateway
	case code < 200 || code > 299:
		status = "Invalid HTTP Response: " + strconv.Itoa(code)
	}
	o := obj{
		"id": d.id, "guid": d.guid, "delivered_at": stamp(d.at), "redelivery": d.redelivery, "duration": d.took.Seconds(), "status": status,
		"status_code": code, "event": d.event, "action": orNil(d.action), "installation_id": nil, "repository_id": nil,
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
	s.listed++
	page := s.listed
	if s.strange.Between != nil {
		s.mu.Unlock()
		s.strange.Between(page)
		s.mu.Lock()
	}
	// The page is what all has from low to high, and the next one ends at next.
	all := s.deliveries
	oldest, _ := slices.BinarySearchFunc(all, s.o.Now().Add(-kept), func(d *delivery, t time.Time) int { return d.at.Compare(t) })
	all = all[oldest:]
	high := len(all)
	if c := r.query.Get("cursor"); c != "" {
		at := slices.IndexFunc(all, func(d *delivery) bool {
			return strconv.FormatInt(d.id, 10) == strings.Trim(strings.TrimPrefix(c, "v1_"), "_")
		})
		if s.strange.RefuseCursors > 0 {
			s.strange.RefuseCursors--
			at = -1
		}
		if at < 0 {
			return problem(http.StatusUnprocessableEntity, "Invalid cursor")
		}
		high = at + 1
	}
	low := max(0, high-size)
	next, mark := low, ""
	switch {
	case s.strange.EmptyEvery > 0 && page%s.strange.EmptyEvery == 0:
		low, next, mark = high, high, "_" // another cursor for the same place
	case low > 0:
		next = min(low+s.strange.Repeat, high-1)
	}
	list := make([]obj, 0, size)
	for i := high - 1; i >= low; i-- {
		list = append(list, s.deliveryObject(all[i]))
	}
	a := reply(http.StatusOK, list)
	if next > 0 {
		// A cursor is nothing to look into, nor to count with.
		a.header.Set("Link", fmt.Sprintf(`<%s/app/hook/deliveries?per_page=%d&cursor=v1_%d%s>; rel="next"`, s.URL, size, all[next-1].id, mark))
	}
	return a
}

func (s *Server) redeliver(r *request) answer {
	at := slices.IndexFunc(s.deliveries, func(d *delivery) bool { return d.id == r.number("delivery_id") })
	if at < 0 || s.deliveries[at].at.Before(s.o.Now().Add(-kept)) {
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

// RedeliveryRequests counts, by GUID, how often a redelivery was asked for and granted.
func (s *Server) RedeliveryRequests() map[string]int {
	asked := map[string]int{}
	for _, q := range s.Requests() {
		if !q.Applied || q.Route != "POST /app/hook/deliveries/{delivery_id}/attempts" {
			continue
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(q.Path, "/app/hook/deliveries/"), "/")
		asked[id]++
	}
	byGUID := map[string]int{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.deliveries {
		byGUID[d.guid] += asked[strconv.FormatInt(d.id, 10)]
	}
	for guid, n := range byGUID {
		if n == 0 {
			delete(byGUID, guid)
		}
	}
	return byGUID
}
