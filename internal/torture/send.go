//go:build unix

package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/openrabbit/openrabbit/internal/failpoint"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
)

const (
	// deliverPatience bounds how long one delivery is tried: the gateway is being killed, not gone.
	deliverPatience = time.Minute
	// extraShare is how many pull requests may follow for faults that wait for work, in proportion to the planned ones;
	// extraLeast is the least of them, extraFreeze what each freeze may take besides, as they come one after the other.
	extraShare, extraLeast, extraFreeze = 1, 40, 120
	tick                                = 100 * time.Millisecond
)

// send opens the pull requests and delivers their events. Then it goes on, within bounds, until every fault has landed:
// a fault needs work to land on.
func (r *runner) send(ctx context.Context) error {
	dice := rand.New(rand.NewPCG(r.plan.Seed, 1)) // to be repeated by seed
	for i := range r.plan.PullRequests {
		if err := r.pace(ctx, r.plan.Live); err != nil {
			return err
		}
		if err := r.one(ctx, i, dice); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(r.plan.Patience)
	most := max(extraLeast, extraShare*r.plan.PullRequests)
	for _, f := range r.plan.Faults {
		if f.Action == failpoint.Freeze {
			most += extraFreeze
		}
	}
	for extra := range most {
		// The reviews that are under way come by the points too, those that were rescued as well.
		r.rearm(r.mesh)
		// While one is frozen no other may freeze: what is sent meanwhile is lost on the faults that wait for that.
		for (r.frozen.Load() > 0 || r.live(ctx) >= r.plan.Orchestrators*r.plan.Workers) && r.waiting() > 0 && time.Now().Before(deadline) {
			if err := r.wait(ctx); err != nil {
				return err
			}
		}
		if r.waiting() == 0 || time.Now().After(deadline) {
			return nil
		}
		if err := r.one(ctx, r.plan.PullRequests+extra, dice); err != nil {
			return err
		}
	}
	return nil
}

// pace waits until no more reviews are under way than there may be.
func (r *runner) pace(ctx context.Context, most int) error {
	for deadline := time.Now().Add(r.plan.Patience); r.live(ctx) >= most; {
		if time.Now().After(deadline) {
			return r.stuck(ctx)
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) waiting() int {
	_, waiting := r.faults.count()
	return waiting
}

// wait is a pause in which progress is told and a mesh that cannot work is noticed.
func (r *runner) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(tick):
	}
	if now := time.Now(); r.plan.Progress != nil && now.Sub(r.told) >= 5*time.Second {
		r.told = now
		landed, waiting := r.faults.count()
		r.plan.Progress(Progress{Sent: len(r.numbers), Live: r.live(ctx), Landed: landed, Waiting: waiting, Frozen: int(r.frozen.Load())})
	}
	crashes := 0
	for _, e := range r.log.Events() {
		if e.Kind == Crashed {
			crashes++
		}
	}
	if crashes > maxCrashes {
		return fmt.Errorf("%d processes ended by themselves: the log says which", crashes)
	}
	return nil
}

// one opens a pull request and delivers its event. When the dice say so it pushes, half the time to this pull request at
// once, so that a review is replaced while it waits or runs, and else to an earlier one, which may have been reviewed.
func (r *runner) one(ctx context.Context, i int, dice *rand.Rand) error {
	spec := githubtest.PullRequestSpec{Title: fmt.Sprintf("Change %d", i), Head: files(i, 0)}
	number, head, err := r.github.OpenPullRequest(repository, spec)
	if err != nil {
		return fmt.Errorf("open a pull request: %w", err)
	}
	r.numbers, r.heads[number] = append(r.numbers, number), head
	if err := r.deliver(ctx, number, head, "opened", nil, dice); err != nil {
		return err
	}
	if dice.Float64() >= r.plan.Supersede {
		return nil
	}
	if dice.IntN(2) == 0 {
		i = dice.IntN(i + 1)
	}
	return r.push(ctx, i, dice)
}

// push gives the pull request of a change another head.
func (r *runner) push(ctx context.Context, change int, dice *rand.Rand) error {
	number := r.numbers[change]
	before := r.heads[number]
	r.pushes++
	head, err := r.github.Push(repository, number, files(change, r.pushes))
	if err != nil {
		return fmt.Errorf("push to #%d: %w", number, err)
	}
	r.log.Add(Event{Kind: Pushed, Number: number, Before: before, Head: head})
	r.heads[number] = head
	return r.deliver(ctx, number, head, "synchronize", map[string]any{"before": before, "after": head}, dice)
}

func files(change, push int) map[string]string {
	return map[string]string{"main.go": "package main\n", "work.go": source(change, push)}
}

func source(i, push int) string {
	return fmt.Sprintf("package main\n\n// change %d, push %d\nfunc div%d(a, b int) int {\n\treturn a / b\n}\n", i, push, i)
}

// deliver sends one event until it is acknowledged, as GitHub's redelivery would, and then again as the dice say: with
// its GUID, or as a replay under another.
func (r *runner) deliver(ctx context.Context, number int, head, action string, more map[string]any, dice *rand.Rand) error {
	payload, err := r.github.PullRequestEvent(repository, number, action, more)
	if err != nil {
		return fmt.Errorf("make an event of #%d: %w", number, err)
	}
	d := githubtest.Delivery{Event: "pull_request", Payload: payload}
	if d.GUID, err = r.untilTaken(ctx, d, number, head); err != nil {
		return err
	}
	if dice.Float64() < r.plan.Redeliver {
		if _, err = r.untilTaken(ctx, d, number, head); err != nil {
			return err
		}
	}
	if dice.Float64() < r.plan.Replay {
		d.GUID = ""
		_, err = r.untilTaken(ctx, d, number, head)
	}
	return err
}

func (r *runner) untilTaken(ctx context.Context, d githubtest.Delivery, number int, head string) (string, error) {
	for deadline := time.Now().Add(deliverPatience); ; {
		r.log.Add(Event{Kind: Sent, GUID: d.GUID, Number: number, Head: head})
		status, guid, err := r.github.Deliver(ctx, r.gateway, d)
		if guid != "" {
			d.GUID = guid
		}
		r.log.Add(Event{Kind: Answered, GUID: d.GUID, Number: number, Head: head, Status: status})
		if status/100 == 2 {
			return d.GUID, nil
		}
		if time.Now().After(deadline) {
			return "", errors.Join(fmt.Errorf("the gateway does not take #%d: status %d", number, status), err)
		}
		if err := r.wait(ctx); err != nil {
			return "", err
		}
	}
}
