package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/queue"
)

const (
	listRoute = "GET /app/hook/deliveries"
	askRoute  = "POST /app/hook/deliveries/{delivery_id}/attempts"
)

// hookPost is a receiver of deliveries that writes down their GUIDs, and a history of what GitHub sent to it.
type hookPost struct {
	*hall
	t    *testing.T
	url  string
	down atomic.Bool
	o    *Orchestrator
	// sent counts deliveries, to name them.
	sent int
}

func newHookPost(t *testing.T, change ...func(*Config)) *hookPost {
	t.Helper()
	p := &hookPost{hall: newHall(t), t: t}
	for _, c := range change {
		c(&p.cfg)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if p.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		p.took(r.Header.Get("X-GitHub-Delivery"))
		w.WriteHeader(http.StatusAccepted)
	}))
	p.url = server.URL
	t.Cleanup(server.Close)
	t.Cleanup(p.github.Close) // before the receiver: it may still be sending
	p.o = p.orchestrator()
	return p
}

func (p *hookPost) orchestrator() *Orchestrator {
	p.t.Helper()
	p.deps.Registry = newRegistry()
	o, err := New(p.cfg, p.deps)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(o.Close)
	return o
}

// took writes a delivery down as the gateway does.
func (p *hookPost) took(guid string) {
	if _, err := p.db.Pool().Exec(context.Background(), `INSERT INTO deliveries (guid, event, decision) VALUES ($1, 'push', 'ignore')
		ON CONFLICT DO NOTHING`, guid); err != nil {
		p.t.Error(err)
	}
}

// history adds a delivery that GitHub tried to bring at some time ago.
func (p *hookPost) history(ago time.Duration, status int) (guid string) {
	p.t.Helper()
	p.sent++
	guid = fmt.Sprintf("guid-%d", p.sent)
	p.again(guid, ago, status)
	return guid
}

func (p *hookPost) again(guid string, ago time.Duration, status int) {
	p.t.Helper()
	d := githubtest.Delivery{GUID: guid, Event: "push", Payload: []byte(`{"action":"x"}`)}
	if _, err := p.github.AddDelivery(p.url, d, time.Now().Add(-ago), status); err != nil {
		p.t.Fatal(err)
	}
}

// work makes one attempt at the job, and gives the snooze that it ended with, negative without one.
func (p *hookPost) work() (snooze time.Duration, err error) { return p.workWith(p.o) }

func (p *hookPost) workWith(o *Orchestrator) (snooze time.Duration, err error) {
	w := &redeliverWorker{Orchestrator: o, hooks: o.app}
	err = w.Work(p.t.Context(), &river.Job[queue.RedeliverArgs]{JobRow: &rivertype.JobRow{Attempt: 1, MaxAttempts: queue.UpkeepMaxAttempts}})
	if later := (*river.JobSnoozeError)(nil); errors.As(err, &later) {
		return later.Duration, nil
	}
	return -1, err
}

// done makes attempts until nothing is left to do now.
func (p *hookPost) done() {
	p.t.Helper()
	for range 100 {
		snooze, err := p.work()
		if err != nil {
			p.t.Fatal(err)
		}
		if snooze < 0 {
			return
		}
	}
	p.t.Fatal("it never comes to an end")
}

// asked checks that exactly these deliveries were asked for, each once.
func (p *hookPost) asked(want ...string) {
	p.t.Helper()
	got := p.github.RedeliveryRequests()
	for _, guid := range want {
		if got[guid] != 1 {
			p.t.Errorf("%s was asked for %d times, want once", guid, got[guid])
		}
		delete(got, guid)
	}
	if len(got) > 0 {
		p.t.Errorf("asked for as well: %v", got)
	}
	if v := p.github.Violations(); len(v) > 0 {
		p.t.Errorf("GitHub would not understand: %s", strings.Join(v, "\n"))
	}
}

func (p *hookPost) count(table string) (n int) {
	p.t.Helper()
	if err := p.db.Pool().QueryRow(p.t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		p.t.Fatal(err)
	}
	return n
}

// arrived waits until deliveries that were asked for have come.
func (p *hookPost) arrived(guids ...string) {
	p.t.Helper()
	for _, guid := range guids {
		(&world{hall: p.hall, t: p.t}).eventually(guid+" comes", func() bool { return p.count(`deliveries WHERE guid = '`+guid+`'`) == 1 })
	}
}

func TestWhatOurTableLacksIsAskedForOnce(t *testing.T) {
	t.Parallel()
	p := newHookPost(t)
	p.history(80*time.Hour, 503) // GitHub keeps three days
	var want []string
	for i := range 350 {
		ago := 71*time.Hour - time.Duration(i)*12*time.Minute
		switch {
		case i%10 == 3:
			want = append(want, p.history(ago, 503))
		case i%50 == 7: // GitHub says that it was taken, and it is not here
			want = append(want, p.history(ago, 202))
		case i%50 == 8: // GitHub gave up waiting, and it is here
			p.took(p.history(ago, 0))
		default:
			p.took(p.history(ago, 202))
		}
	}
	twice := p.history(90*time.Minute, 503) // sent, and sent again by hand
	p.again(twice, 80*time.Minute, 503)
	malformed := p.history(70*time.Minute, 400)
	if err := p.store.Quarantine(t.Context(), malformed, "push", "no JSON", []byte("x")); err != nil {
		t.Fatal(err)
	}
	young := p.history(5*time.Second, 0)
	want = append(want, twice)
	p.done()
	p.asked(want...)
	p.arrived(want...)

	pages := p.github.Count(listRoute)
	if pages != 4 {
		t.Errorf("%d pages were read of 355 deliveries", pages)
	}
	p.done() // the next job
	p.asked(want...)
	if n := p.github.Count(listRoute) - pages; n != 2 {
		t.Errorf("%d pages were read once more, want what is new: the redeliveries, and one page behind them", n)
	}
	// All have come but the one that may be on its way.
	if n := p.count(`missed_deliveries`); n != 1 || p.count(`missed_deliveries WHERE requests = 0 AND guid = '`+young+`'`) != 1 {
		t.Errorf("%d deliveries are held to be missing, want %s alone", n, young)
	}
	if _, err := p.db.Pool().Exec(t.Context(), `UPDATE missed_deliveries SET due_at = due_at - interval '1 minute'`); err != nil {
		t.Fatal(err)
	}
	p.done()
	p.asked(append(want, young)...)
}

func TestAScanGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	p := newHookPost(t)
	var want []string
	for i := range 450 {
		want = append(want, p.history(60*time.Hour-time.Duration(i)*time.Minute, 503))
	}
	fault := p.github.Inject(githubtest.Fault{Route: listRoute, After: 2, Times: 1, Status: 500})
	if _, err := p.work(); err == nil || fault.Landed() != 1 {
		t.Fatalf("the attempt ended with %v, the fault landed %d times", err, fault.Landed())
	}
	// What had been read was asked for all the same.
	if n := len(p.github.RedeliveryRequests()); n != 200 {
		t.Errorf("%d were asked for after two pages, want 200", n)
	}
	p.done()
	p.asked(want...)
	if n := p.github.Count(listRoute); n != 5+1 {
		t.Errorf("%d pages were read, want five and the one that failed", n)
	}
	var cursors []string
	for _, q := range p.github.Requests() {
		if q.Route == listRoute {
			cursors = append(cursors, q.Query)
		}
	}
	if cursors[2] != cursors[3] {
		t.Errorf("after the failure at %q it went on at %q", cursors[2], cursors[3])
	}
}

func TestItWaitsAsLongAsGitHubSays(t *testing.T) {
	t.Parallel()
	for _, route := range []string{listRoute, askRoute} {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			p := newHookPost(t)
			want := []string{p.history(3*time.Hour, 503), p.history(2*time.Hour, 503), p.history(time.Hour, 503)}
			fault := p.github.Inject(githubtest.Fault{Route: route, Times: 1, Status: 403, RetryAfter: "97", Body: `{"message":"secondary rate limit"}`})
			if snooze, err := p.work(); snooze != 97*time.Second || err != nil || fault.Landed() != 1 {
				t.Errorf("snooze %s, %v; want 97 s", snooze, err)
			}
			if n := p.count(`missed_deliveries WHERE requests > 0`); n != 0 {
				t.Errorf("%d requests are counted that were not made", n)
			}
			p.done()
			p.asked(want...)
		})
	}
}

func TestADeathCostsNoDeliveryAndAsksForNoneTwice(t *testing.T) {
	t.Parallel()
	for name, asksAgain := range map[string]int{"deliveries_page": 0, "delivery_claimed": 1, "delivery_asked": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newHookPost(t)
			var want []string
			for i := range 250 {
				want = append(want, p.history(60*time.Hour-time.Duration(i)*time.Minute, 503))
			}
			passed := 0
			p.failpoints[""] = func(_ context.Context, at string) error {
				if at == name {
					passed++
				}
				if at == name && passed == 2 {
					return errors.New("killed")
				}
				return nil
			}
			if _, err := p.work(); err == nil {
				t.Fatal("the attempt did not end at the failpoint")
			}
			p.done()
			// What was claimed and perhaps asked for is left alone until its pause is over.
			if n := p.count(`missed_deliveries WHERE guid NOT IN (SELECT guid FROM deliveries)`); n > asksAgain {
				(&world{hall: p.hall, t: t}).eventually("the others come", func() bool {
					return p.count(`missed_deliveries WHERE guid NOT IN (SELECT guid FROM deliveries)`) <= asksAgain
				})
			}
			if n := len(p.github.RedeliveryRequests()); n != len(want)-asksAgain {
				t.Errorf("%d were asked for, want %d", n, len(want)-asksAgain)
			}
			if _, err := p.db.Pool().Exec(t.Context(), `UPDATE missed_deliveries SET due_at = due_at - interval '10 minutes'`); err != nil {
				t.Fatal(err)
			}
			p.done()
			p.asked(want...)
		})
	}
}

func TestThePagesAreStrange(t *testing.T) {
	t.Parallel()
	p := newHookPost(t)
	var want []string
	for i := range 620 {
		guid := p.history(60*time.Hour-time.Duration(i)*time.Minute, 503)
		if i%4 == 0 {
			p.took(guid)
		} else {
			want = append(want, guid)
		}
	}
	var late []string
	p.github.SetDeliveryPages(githubtest.DeliveryPages{EmptyEvery: 3, Repeat: 7, RefuseCursors: 1, Between: func(page int) {
		if page < 6 { // new ones come while older ones are read
			late = append(late, p.history(2*time.Minute, 503))
		}
	}})
	p.done()
	p.done()
	p.asked(append(want, late...)...)
}

// TestManyDeliveries reads a long list, of which one in a hundred is missing. OPENRABBIT_DELIVERIES says how long:
// 35,000 are what a busy App gets in three days.
func TestManyDeliveries(t *testing.T) {
	t.Parallel()
	many := 1500
	if text := os.Getenv("OPENRABBIT_DELIVERIES"); text != "" {
		var err error
		if many, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	p := newHookPost(t)
	var want []string
	for i := range many {
		guid := p.history(71*time.Hour-time.Duration(i)*70*time.Hour/time.Duration(many), 200)
		if i%100 == 50 {
			want = append(want, guid)
		}
	}
	if _, err := p.db.Pool().Exec(t.Context(), `INSERT INTO deliveries (guid, event, decision)
		SELECT 'guid-' || i, 'push', 'ignore' FROM generate_series(1, $1::int) i WHERE (i - 1) % 100 <> 50`, many); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p.done()
	t.Logf("%d deliveries on %d pages in %s, %d asked for", many, p.github.Count(listRoute), time.Since(began).Round(time.Millisecond), len(want))
	p.asked(want...)
	again := p.github.Count(listRoute)
	p.done()
	if n := p.github.Count(listRoute) - again; n > 2+len(want)/100 {
		t.Errorf("the next run reads %d pages", n)
	}
}

func TestTwoWorkersAskForEachOnce(t *testing.T) {
	t.Parallel()
	p := newHookPost(t)
	var want []string
	for i := range 300 {
		want = append(want, p.history(60*time.Hour-time.Duration(i)*time.Minute, 503))
	}
	other := p.orchestrator() // one that was thought dead
	var both sync.WaitGroup
	for _, o := range []*Orchestrator{p.o, other} {
		both.Go(func() {
			for range 20 {
				if snooze, err := p.workWith(o); err != nil {
					t.Error(err)
				} else if snooze < 0 {
					return
				}
			}
		})
	}
	both.Wait()
	p.done()
	p.asked(want...)
}

func TestAskingHasAnEnd(t *testing.T) {
	t.Parallel()
	p := newHookPost(t, func(c *Config) { c.Missed.AskAgain = time.Microsecond })
	p.down.Store(true)
	guid := p.history(2*time.Hour, 503)
	for range maxRequests + 5 {
		p.done()
		if _, err := p.db.Pool().Exec(t.Context(), `UPDATE missed_deliveries SET due_at = now() - interval '1 second' WHERE due_at IS NOT NULL`); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.github.RedeliveryRequests(); len(got) != 1 || got[guid] != maxRequests {
		t.Errorf("asked for %v, want %d times", got, maxRequests)
	}
	// Nothing is forgotten in silence.
	if _, err := p.db.Pool().Exec(t.Context(), `UPDATE missed_deliveries SET sent_at = now() - interval '4 days'`); err != nil {
		t.Fatal(err)
	}
	p.done()
	if !strings.Contains(p.log.String(), "delivery lost") || !strings.Contains(p.log.String(), guid) {
		t.Error("the log does not say that the delivery is lost")
	}
}

func TestAGitHubThatKnowsNoCursorIsNotAskedForEver(t *testing.T) {
	t.Parallel()
	p := newHookPost(t)
	for i := range 250 {
		p.history(60*time.Hour-time.Duration(i)*time.Minute, 503)
	}
	p.github.SetDeliveryPages(githubtest.DeliveryPages{RefuseCursors: 1000})
	if _, err := p.work(); err == nil {
		t.Error("no error: nobody would hear of it")
	}
	if n := p.github.Count(listRoute); n != 4 {
		t.Errorf("%d calls in one attempt, want the first page and the refused one, twice", n)
	}
	if n := len(p.github.RedeliveryRequests()); n != 100 {
		t.Errorf("%d of the first page were asked for, want 100", n)
	}
}

func TestAGitHubThatDoesNotTell(t *testing.T) {
	t.Parallel()
	p := newHookPost(t)
	p.github.Inject(githubtest.Fault{Route: listRoute, Status: 404})
	_, err := p.work()
	if cancel := (*river.JobCancelError)(nil); !errors.As(err, &cancel) {
		t.Errorf("the job ends with %v, want it cancelled", err)
	}
}

// TestTheLeaderBeginsTheJobs runs a whole orchestrator: its leader inserts the periodic jobs, and their workers are there.
func TestTheLeaderBeginsTheJobs(t *testing.T) {
	t.Parallel()
	p := newHookPost(t)
	p.cfg.Missed.Every, p.cfg.Missed.SweepEvery = time.Hour, time.Hour
	want := []string{p.history(2*time.Hour, 0), p.history(time.Hour, 503)}
	p.deps.Registry = newRegistry()
	p.start(t)
	p.arrived(want...)
	(&world{hall: p.hall, t: t}).eventually("both jobs end well", func() bool {
		return p.count(`river_job WHERE kind IN ('redeliver_missed', 'sync_installation') AND queue = 'upkeep' AND state = 'completed'`) == 2
	})
	p.asked(want...)
}

func TestEveryKindHasAWorker(t *testing.T) {
	t.Parallel()
	o := newHookPost(t).o
	workers := river.NewWorkers()
	if err := errors.Join(river.AddWorkerSafely(workers, &reviewWorker{Orchestrator: o}), o.addIndexWorker(workers), o.addUpkeepWorkers(workers)); err != nil {
		t.Fatal(err)
	}
	for kind, again := range map[string]error{
		queue.KindReview:    river.AddWorkerSafely(workers, &reviewWorker{}),
		queue.KindIndex:     river.AddWorkerSafely(workers, &indexWorker{}),
		queue.KindRedeliver: river.AddWorkerSafely(workers, &redeliverWorker{}),
		queue.KindSync:      river.AddWorkerSafely(workers, &syncWorker{}),
	} {
		if again == nil {
			t.Errorf("%s had no worker: a leader discards its jobs", kind)
		}
	}
	o.cfg.Missed.Every, o.cfg.Missed.SweepEvery = time.Minute, time.Hour
	if n := len(o.periodicJobs()); n != 2 {
		t.Errorf("%d periodic jobs", n)
	}
	o.cfg.Missed = Missed{Every: -1, SweepEvery: -1}
	if n := len(o.periodicJobs()); n != 0 {
		t.Errorf("%d periodic jobs though they are off", n)
	}
}
