package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/riverqueue/river"

	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/store"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

const (
	// scanOverlap is how far a scan looks back beyond the beginning of the one before: a sending may be listed late, and
	// clocks differ.
	scanOverlap = 10 * time.Minute
	// maxScanPages ends a list that never does. GitHub's own would be of a million deliveries.
	maxScanPages = 10_000
	// longestPause is the most between two requests for one delivery, and so what an outage of the receiver may last
	// longer than it did. With pauses doubled from ten minutes up to it, maxRequests take the three days that GitHub keeps
	// a delivery.
	longestPause = 2 * time.Hour
	maxRequests  = 40
)

// hooks is GitHub's list of what it sent to the App. github.App implements it.
type hooks interface {
	ID() int64
	Sendings(ctx context.Context, cursor string) ([]github.Sending, string, error)
	Redeliver(ctx context.Context, sendingID int64) error
}

// redeliverWorker works jobs of the kind redeliver_missed. It reads the list of what GitHub sent, writes down which of
// it is not in our table, and asks GitHub to send that again. All it knows is in Postgres: a worker that is killed, or
// waits for a limit to end, goes on where it was.
type redeliverWorker struct {
	river.WorkerDefaults[queue.RedeliverArgs]
	*Orchestrator
	hooks hooks
}

// redeliverPass is one attempt.
type redeliverPass struct {
	*redeliverWorker
	// until is when the attempt makes room and goes on later.
	until                time.Time
	read, missing, asked int
}

// Work implements river.Worker.
func (w *redeliverWorker) Work(ctx context.Context, _ *river.Job[queue.RedeliverArgs]) error {
	p := &redeliverPass{redeliverWorker: w, until: time.Now().Add(w.cfg.JobTimeout - w.cfg.reserve())}
	more, err := p.run(ctx)
	if p.missing > 0 || p.asked > 0 {
		w.log.InfoContext(ctx, "looked for missed deliveries", "pages", p.read, "missing", p.missing, "asked_for", p.asked, "goes_on", more)
	}
	switch wait, limited := retryAfter(err); {
	case limited:
		w.log.WarnContext(ctx, "search for missed deliveries waits for github", "wait", wait, telemetry.KeyError, err)
		return river.JobSnooze(wait)
	case errors.Is(err, store.ErrScanMoved):
		return nil
	case github.KindOf(err) == github.NotFound:
		// An emulator, or an Enterprise Server from before this part of the API.
		return river.JobCancel(fmt.Errorf("this GitHub does not tell what it sent: %w", err))
	case err != nil:
		return err
	case more:
		return river.JobSnooze(0)
	}
	return nil
}

// run says whether there is more to do. A list that cannot be read keeps nobody from asking for what is known already.
func (p *redeliverPass) run(ctx context.Context) (more bool, err error) {
	if err := p.settle(ctx); err != nil {
		return false, err
	}
	more, err = p.scan(ctx)
	if ctx.Err() != nil || github.KindOf(err) == github.RateLimited {
		return false, err
	}
	moreToAsk, askErr := p.ask(ctx)
	if askErr != nil {
		return false, askErr
	}
	return more || moreToAsk, err
}

// settle forgets what has come, and tells of what never will.
func (p *redeliverPass) settle(ctx context.Context) error {
	done, err := p.store.SettleMissed(ctx, p.hooks.ID(), github.SendingsKept)
	if err != nil {
		return err
	}
	p.metrics.missed.WithLabelValues("restored").Add(float64(done.Restored))
	p.metrics.missed.WithLabelValues("lost").Add(float64(len(done.Lost)))
	for _, guid := range done.Lost {
		p.log.ErrorContext(ctx, "delivery lost: GitHub keeps it no longer, and it never came", telemetry.KeyDelivery, guid)
	}
	return nil
}

// scan reads the list from where the last attempt was, and says whether it has to go on.
func (p *redeliverPass) scan(ctx context.Context) (more bool, err error) {
	scan, err := p.store.BeginScan(ctx, p.hooks.ID(), github.SendingsKept, scanOverlap)
	if err != nil {
		return false, err
	}
	for again := false; time.Now().Before(p.until); {
		page, next, err := p.hooks.Sendings(ctx, scan.Cursor)
		if !again && (scan.Cursor != "" && refusedCursor(err) || scan.Pages >= maxScanPages) {
			again = true // once in an attempt: the next one comes after a pause
			p.log.WarnContext(ctx, "list of deliveries is read from its beginning again", "pages", scan.Pages, telemetry.KeyError, err)
			if scan, err = p.store.RestartScan(ctx, scan); err != nil {
				return false, err
			}
			continue
		}
		if err != nil {
			return false, err
		}
		p.read++
		sent := make([]store.Sending, len(page))
		older := 0
		for i, s := range page {
			sent[i] = store.Sending(s)
			if s.At.Before(scan.BackTo) {
				older++
			}
		}
		var missing int
		if scan, missing, err = p.store.NotePage(ctx, scan, sent, next, p.cfg.Missed.Young); err != nil {
			return false, err
		}
		p.missing += missing
		if err := p.fail(ctx, "deliveries_page"); err != nil {
			return false, err
		}
		// The last page, or one where all is older: an empty one in the middle is neither.
		if next == "" || len(page) > 0 && older == len(page) {
			return false, p.store.FinishScan(ctx, scan)
		}
	}
	return true, nil
}

// refusedCursor says that GitHub does not know the cursor any more: what it pointed at was deleted.
func refusedCursor(err error) bool {
	var e *github.Error
	return errors.As(err, &e) && e.Kind == github.Invalid &&
		(e.Status == http.StatusUnprocessableEntity || e.Status == http.StatusBadRequest)
}

// ask asks for what is due, one request after the other, and says whether some was left for later.
func (p *redeliverPass) ask(ctx context.Context) (more bool, err error) {
	asking := store.Asking{Most: maxRequests, Again: p.cfg.Missed.AskAgain, Longest: longestPause}
	for time.Now().Before(p.until) {
		m, ok, err := p.store.ClaimMissed(ctx, p.hooks.ID(), asking)
		if err != nil || !ok {
			return false, err
		}
		if err := p.fail(ctx, "delivery_claimed"); err != nil {
			return false, err
		}
		err = p.hooks.Redeliver(ctx, m.SendingID)
		switch kind := github.KindOf(err); {
		case err == nil:
			p.asked++
			p.metrics.missed.WithLabelValues("asked").Inc()
			p.log.InfoContext(ctx, "delivery asked for", telemetry.KeyDelivery, m.GUID, "request", m.Requests)
		case kind == github.NotFound, kind == github.Invalid, kind == github.Ambiguous:
			// Refused, or perhaps carried out: either way it stays counted, and may be asked for after its pause.
			p.metrics.missed.WithLabelValues("refused").Inc()
			p.log.WarnContext(ctx, "delivery could not be asked for", telemetry.KeyDelivery, m.GUID, "request", m.Requests, telemetry.KeyError, err)
		default:
			// It was not carried out.
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
			defer cancel()
			return false, errors.Join(err, p.store.ReleaseMissed(undo, m))
		}
		if err := p.fail(ctx, "delivery_asked"); err != nil {
			return false, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(p.cfg.Missed.Pace):
		}
	}
	return true, nil
}
