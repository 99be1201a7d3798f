package github

import (
	"context"
	"errors"
	"time"

	gh "github.com/google/go-github/v62/github"
)

// Sending is one attempt of GitHub's to bring a delivery to the App's webhook.
type Sending struct {
	// ID is the attempt's, GUID the delivery's: all attempts at one delivery share it.
	ID   int64
	GUID string
	// At is when it was sent.
	At time.Time
}

// SendingsKept is how long GitHub remembers what it sent, and sends it again on request.
const SendingsKept = 3 * 24 * time.Hour

// Sendings reads one page of the list of what was sent to the App's webhook, newest first. An empty cursor is the first
// page; an empty next means that there is no further one. A page may be empty though another follows.
func (a *App) Sendings(ctx context.Context, cursor string) (page []Sending, next string, err error) {
	const op = "list deliveries"
	found, resp, err := call(ctx, a.self(), op, false, func(ctx context.Context) ([]*gh.HookDelivery, *gh.Response, error) {
		return a.asApp.Apps.ListHookDeliveries(ctx, &gh.ListCursorOptions{PerPage: perPage, Cursor: cursor})
	})
	if err != nil {
		return nil, "", err
	}
	for _, d := range found {
		if d.GetID() == 0 || d.GetGUID() == "" || d.DeliveredAt == nil {
			return nil, "", &Error{Op: op, Kind: Unavailable, Message: "the answer has a delivery without id, GUID or time"}
		}
		page = append(page, Sending{ID: d.GetID(), GUID: d.GetGUID(), At: d.GetDeliveredAt().Time})
	}
	if resp.Cursor == cursor && cursor != "" {
		return nil, "", &Error{Op: op, Kind: Unavailable, Message: "the next page is this one"}
	}
	return page, resp.Cursor, nil
}

// Redeliver asks GitHub to send a delivery again, by the id of one of its sendings.
func (a *App) Redeliver(ctx context.Context, sendingID int64) error {
	_, _, err := call(ctx, a.self(), "redeliver", true, func(ctx context.Context) (none struct{}, resp *gh.Response, err error) {
		_, resp, err = a.asApp.Apps.RedeliverHookDelivery(ctx, sendingID)
		// 202 is what success looks like here.
		if accepted := (*gh.AcceptedError)(nil); errors.As(err, &accepted) {
			err = nil
		}
		return none, resp, err
	})
	return err
}

// ID gives the App's number.
func (a *App) ID() int64 { return a.id }

// self is the App in the form that call wants.
func (a *App) self() *Client { return &Client{gh: a.asApp, appID: a.id, timeout: a.timeout} }
