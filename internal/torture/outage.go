//go:build unix

package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/openrabbit/openrabbit/internal/failpoint"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/pg"
)

// outageLasts is how long nobody listens, by GitHub's clock.
const outageLasts = 2 * time.Hour

// Outage is a run in which nobody takes what GitHub sends for a while. Then everything comes back, and the leader of the
// orchestrators is killed while it looks for what was missed.
type Outage struct {
	// Deliveries fail; PullRequests are what they are about.
	Deliveries, PullRequests int
	// Kills is how often an orchestrator is killed: while it reads GitHub's list, between counting a request and making
	// it, and after it, in turn.
	Kills int
	// Errors are pages of the list that GitHub answers with 500.
	Errors int
	Plan
}

// OutageVerdict is what came of it.
type OutageVerdict struct {
	Verdict
	// Failed deliveries, and those of them that were taken in the end.
	Failed, Restored int
	// Missing were not; Twice were asked for more than once.
	Missing, Twice []string
	// Took is the time from the moment when everything came back to that when the last delivery was taken.
	Took time.Duration
	// Pages of GitHub's list were read, Asked is how many redeliveries GitHub was asked for.
	Pages, Asked int
}

// OK says whether everything is as it should be.
func (v OutageVerdict) OK() bool {
	return v.Verdict.OK() && v.Failed > 0 && v.Restored == v.Failed && len(v.Missing)+len(v.Twice) == 0
}

// String tells it to a person.
func (v OutageVerdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d deliveries failed; %d restored %s after the outage, %d missing, %d asked for twice; %d pages read, %d redeliveries asked for\n",
		v.Failed, v.Restored, v.Took.Round(100*time.Millisecond), len(v.Missing), len(v.Twice), v.Pages, v.Asked)
	for _, guid := range v.Missing {
		fmt.Fprintf(&b, "  missing: %s\n", guid)
	}
	for _, guid := range v.Twice {
		fmt.Fprintf(&b, "  asked for twice: %s\n", guid)
	}
	return b.String() + v.Verdict.String()
}

// missedDelivery is one that failed.
type missedDelivery struct {
	guid   string
	number int
	head   string
}

// RunOutage carries out an outage with the binaries in bin and the database db, which must be migrated.
func RunOutage(ctx context.Context, o Outage, bin string, db *pg.DB, databaseURL string, log *Log, output io.Writer) (OutageVerdict, error) {
	for i := range o.Kills {
		kill := []Fault{{Point: "deliveries_page", Pass: 5}, {Point: "delivery_claimed", Pass: 300}, {Point: "delivery_asked", Pass: 300}}[i%3]
		kill.Service, kill.Action = "orchestrator", failpoint.Kill
		o.Faults = append(o.Faults, kill)
	}
	o.OrchestratorEnv = append(o.OrchestratorEnv, "OPENRABBIT_REDELIVER_EVERY=2s", "OPENRABBIT_REDELIVER_YOUNG=1s",
		"OPENRABBIT_REDELIVER_AGAIN=20s", "OPENRABBIT_REDELIVER_PACE=2ms")
	r := newRunner(o.Plan, db, log, output)
	if err := r.standIns(); err != nil {
		return OutageVerdict{}, err
	}
	defer r.github.Close()
	defer r.model.Close()
	var err error
	if r.mesh, err = r.processes(bin, databaseURL); err != nil {
		return OutageVerdict{}, err
	}
	missed, err := r.fall(ctx, o)
	if err != nil {
		return OutageVerdict{}, err
	}
	if o.Errors > 0 {
		r.injured = append(r.injured, injury{name: "github/list/500", armed: r.github.Inject(githubtest.Fault{
			Route: "GET /app/hook/deliveries", After: 8, Times: o.Errors, Status: 500})})
	}
	v := OutageVerdict{Failed: len(missed)}
	running, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	for _, p := range r.mesh {
		all.Go(func() { p.run(running) })
	}
	back := time.Now()
	err = r.restored(ctx, missed)
	v.Took = time.Since(back)
	if err == nil {
		err = r.drain(ctx)
	}
	stop()
	all.Wait()
	r.injuries()
	err = errors.Join(err, r.tally(context.WithoutCancel(ctx), &v, missed))
	v.Verdict = Check(log.Events(), r.shown())
	return v, err
}

// fall opens the pull requests and pushes to them while nobody listens.
func (r *runner) fall(ctx context.Context, o Outage) (missed []missedDelivery, err error) {
	dice := rand.New(rand.NewPCG(o.Seed, 3)) // to be repeated by seed
	defer r.behind.Store(0)
	for i := range o.Deliveries {
		r.behind.Store(int64(outageLasts) - int64(outageLasts)*int64(i)/int64(o.Deliveries))
		var number int
		var head, action string
		var more map[string]any
		if i < o.PullRequests {
			spec := githubtest.PullRequestSpec{Title: fmt.Sprintf("Change %d", i), Head: files(i, 0)}
			if number, head, err = r.github.OpenPullRequest(repository, spec); err != nil {
				return nil, fmt.Errorf("open a pull request: %w", err)
			}
			r.numbers, action = append(r.numbers, number), "opened"
		} else {
			change := dice.IntN(o.PullRequests)
			number, action = r.numbers[change], "synchronize"
			if head, err = r.github.Push(repository, number, files(change, i)); err != nil {
				return nil, fmt.Errorf("push to #%d: %w", number, err)
			}
			more = map[string]any{"before": r.heads[number], "after": head}
			r.log.Add(Event{Kind: Pushed, Number: number, Before: r.heads[number], Head: head})
		}
		r.heads[number] = head
		payload, err := r.github.PullRequestEvent(repository, number, action, more)
		if err != nil {
			return nil, fmt.Errorf("make an event of #%d: %w", number, err)
		}
		status, guid, err := r.github.Deliver(ctx, r.gateway, githubtest.Delivery{Event: "pull_request", Payload: payload})
		if err == nil {
			return nil, fmt.Errorf("a delivery was answered with %d though nobody should be there", status)
		}
		r.log.Add(Event{Kind: Sent, GUID: guid, Number: number, Head: head})
		missed = append(missed, missedDelivery{guid, number, head})
	}
	return missed, nil
}

// restored waits until all deliveries have been taken.
func (r *runner) restored(ctx context.Context, missed []missedDelivery) error {
	for deadline := time.Now().Add(r.plan.Patience); r.count(ctx, `SELECT count(*) FROM deliveries`) < len(missed); {
		if time.Now().After(deadline) {
			return errors.New("not all deliveries came back in time")
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tally counts what became of the deliveries, in our table and in GitHub's.
func (r *runner) tally(ctx context.Context, v *OutageVerdict, missed []missedDelivery) error {
	rows, err := r.db.Pool().Query(ctx, `SELECT guid FROM deliveries`)
	if err != nil {
		return fmt.Errorf("read deliveries: %w", err)
	}
	guids, err := collect(rows)
	if err != nil {
		return fmt.Errorf("read deliveries: %w", err)
	}
	taken := map[string]bool{}
	for _, guid := range guids {
		taken[guid] = true
	}
	asked := r.github.RedeliveryRequests()
	for _, m := range missed {
		if taken[m.guid] {
			v.Restored++
			r.log.Add(Event{Kind: Answered, GUID: m.guid, Number: m.number, Head: m.head, Status: 202})
		} else {
			v.Missing = append(v.Missing, m.guid)
		}
		v.Asked += asked[m.guid]
		if asked[m.guid] > 1 {
			v.Twice = append(v.Twice, m.guid)
		}
	}
	v.Pages = r.github.Count("GET /app/hook/deliveries")
	if problems := r.github.Violations(); len(problems) > 0 {
		return fmt.Errorf("requests that GitHub would not understand: %s", strings.Join(problems, "; "))
	}
	return nil
}
