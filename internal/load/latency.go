package load

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// Latency measures ours at a share of its own throughput, first undisturbed and then with a Postgres that stands still
// for a while in the middle.
type Latency struct {
	Connections int
	// Share is that of the throughput which is measured first; For is how long each part is, Stall how long Postgres
	// stands still.
	Share      float64
	For, Stall time.Duration
	// Watch looks meanwhile at what the slow ones may have waited for.
	Watch bool
}

// settling is how long answers may still be on their way that were committed before Postgres was stopped.
const settling = 25 * time.Millisecond

// slowAnswer is what the goal for the 99th percentile calls slow.
const slowAnswer = 10 * time.Millisecond

// Run measures and writes what it finds. The error says what was lost or acknowledged early.
func (l Latency) Run(ctx context.Context, b *Bench) error {
	g, err := b.StartGateway(ctx, Serving{Variant: Ours})
	if err != nil {
		return err
	}
	defer g.Stop()
	m, err := NewMaker("latency", secret)
	if err != nil {
		return err
	}
	plan := Plan{Addr: g.Addr, Connections: l.Connections, For: l.For}
	full, err := m.Drive(ctx, plan)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "as fast as it answers: %.0f/s\n", full.PerSecond())
	plan.Rate, plan.First = full.PerSecond()*l.Share, full.Next
	postgres, err := b.Postmaster()
	if err != nil {
		return err
	}
	calm, err := l.calm(ctx, b, m, plan, []Processes{g.Processes, postgres})
	if err != nil {
		return err
	}
	plan.First = calm.Next
	var stopped, resumed time.Time
	var held int
	var all sync.WaitGroup
	all.Go(func() {
		time.Sleep((l.For - l.Stall) / 2)
		ids := postgres.ids()
		for _, pid := range ids {
			if syscall.Kill(pid, syscall.SIGSTOP) == nil {
				held++
			}
		}
		stopped = time.Now()
		time.Sleep(l.Stall)
		resumed = time.Now()
		for _, pid := range ids {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	})
	stalled, err := m.Drive(ctx, plan)
	all.Wait()
	if err != nil {
		return err
	}
	early := 0
	for _, s := range stalled.Sent {
		if s.Acknowledged && s.Done.After(stopped.Add(settling)) && s.Done.Before(resumed) {
			early++
		}
	}
	stored, err := b.Rows(ctx, Ours, "latency")
	if err != nil {
		return err
	}
	acknowledged := full.Acknowledged() + calm.Acknowledged() + stalled.Acknowledged()
	fmt.Fprintf(b.out, "at %.0f/s with %d processes of Postgres stopped for %s: %d acknowledged of %d, median %.2f ms, most %.0f ms; %d acknowledged while it stood still; in all %d acknowledged, %d stored\n",
		plan.Rate, held, l.Stall, stalled.Acknowledged(), len(stalled.Sent), ms(stalled.Percentile(50)), ms(stalled.Percentile(100)),
		early, acknowledged, stored)
	switch {
	case held == 0:
		return fmt.Errorf("the stall did not land")
	case early > 0:
		return fmt.Errorf("%d deliveries were acknowledged while Postgres stood still", early)
	case stored < acknowledged:
		return fmt.Errorf("%d deliveries are lost", acknowledged-stored)
	}
	return nil
}

// calm measures without a disturbance.
func (l Latency) calm(ctx context.Context, b *Bench, m *Maker, plan Plan, processes []Processes) (got Outcome, err error) {
	var watch *Watch
	if l.Watch {
		if watch, err = b.Watch(ctx); err != nil {
			return Outcome{}, err
		}
	}
	took := []time.Duration{-processes[0].CPU(), -processes[1].CPU(), -ownCPU()}
	got, err = m.Drive(ctx, plan)
	for i, now := range []time.Duration{processes[0].CPU(), processes[1].CPU(), ownCPU()} {
		took[i] = (took[i] + now) / time.Duration(max(1, got.Acknowledged()))
	}
	if watch != nil {
		watch.Stop()
	}
	if err != nil {
		return Outcome{}, err
	}
	fmt.Fprintf(b.out, "at %.0f/s: %d acknowledged of %d, median %.2f ms, p99 %.2f ms, p99.9 %.2f ms, most %.2f ms; cpu µs: gateway %d, Postgres %d, sender %d\n",
		plan.Rate, got.Acknowledged(), len(got.Sent), ms(got.Percentile(50)), ms(got.Percentile(99)), ms(got.Percentile(99.9)),
		ms(got.Percentile(100)), took[0].Microseconds(), took[1].Microseconds(), took[2].Microseconds())
	if watch != nil {
		watch.Explain(b.out, got, slowAnswer)
	}
	return got, watch.failed()
}
