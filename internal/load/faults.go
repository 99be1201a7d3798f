package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Faults sends deliveries while the gateway is killed at each of its crash points, again and again, and Postgres too.
// Each delivery is sent until it is acknowledged, as a redelivery would be.
type Faults struct {
	Deliveries, Connections int
	// Redeliver is the share that is sent again under its GUID, Replay under another, from 0 to 1.
	Redeliver, Replay float64
	// Kills is how often each crash point has its turn, PostgresKills how often Postgres is killed.
	Kills, PostgresKills int
	Seed                 uint64
}

// points are the gateway's crash points, with how many times one is passed before the kill.
var points = []struct {
	name string
	skip int
}{{"read", 150}, {"verified", 150}, {"tx_open", 20}, {"inserted", 20}, {"committed", 20}, {"before_write", 150}}

// Run carries it out and writes what came of it. The error says what was lost, doubled, or did not land.
func (f Faults) Run(ctx context.Context, b *Bench) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("find a port: %w", err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	m, err := NewMaker("faults", secret)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	var breaking sync.WaitGroup
	landed := map[string]int{}
	var postgresLanded int
	var sent atomic.Int64
	breaking.Go(func() { f.killGateways(running, b, addr, landed) })
	breaking.Go(func() { postgresLanded = f.killPostgres(running, b, &sent) })
	acknowledged, answers := f.send(running, m, addr, &sent)
	// Faults that had no work to land on get some more.
	stop()
	breaking.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return f.check(ctx, b, acknowledged, answers, landed, postgresLanded)
}

// killGateways keeps a gateway running, each time with another fault, and without any when all have landed.
func (f Faults) killGateways(ctx context.Context, b *Bench, addr string, landed map[string]int) {
	for turn := 0; ctx.Err() == nil; {
		s := Serving{Variant: Ours, Addr: addr}
		armed := turn < f.Kills*len(points)
		point := points[turn%len(points)]
		if armed {
			s.Failpoint = fmt.Sprintf("%s:kill:1:%d", point.name, point.skip)
		}
		g, err := b.StartGateway(ctx, s)
		if err != nil { // Postgres is down, or the port not free yet
			time.Sleep(50 * time.Millisecond)
			continue
		}
		select {
		case <-g.ended:
		case <-ctx.Done():
			g.Stop()
			return
		}
		status, ok := g.cmd.ProcessState.Sys().(syscall.WaitStatus)
		if armed && g.landed && ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			landed[point.name]++
			turn++
		}
	}
}

// killPostgres kills Postgres when a share of the deliveries has been sent, and starts it again.
func (f Faults) killPostgres(ctx context.Context, b *Bench, sent *atomic.Int64) (landed int) {
	for k := range f.PostgresKills {
		at := int64((k + 1) * f.Deliveries / (f.PostgresKills + 1))
		for sent.Load() < at {
			select {
			case <-ctx.Done():
				return landed
			case <-time.After(5 * time.Millisecond):
			}
		}
		postgres, err := b.Postmaster()
		if err != nil {
			continue
		}
		children := postgres.ids()
		if err := syscall.Kill(postgres.root, syscall.SIGKILL); err != nil {
			continue
		}
		for _, pid := range children[1:] { // those whose end it would have seen to
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		landed++
		for b.StartPostgres(ctx) != nil && ctx.Err() == nil {
			time.Sleep(100 * time.Millisecond)
		}
	}
	return landed
}

// send sends everything and gives the GUIDs that were acknowledged, and how many answers there were by status.
func (f Faults) send(ctx context.Context, m *Maker, addr string, sent *atomic.Int64) (acknowledged map[string]bool, answers map[int]int) {
	acknowledged, answers = map[string]bool{}, map[int]int{}
	var mu sync.Mutex
	var next atomic.Int64
	var all sync.WaitGroup
	for worker := range f.Connections {
		all.Go(func() {
			dice := rand.New(rand.NewPCG(f.Seed, uint64(worker))) // to be repeated by seed
			c := &conn{addr: addr}
			defer c.close()
			untilTaken := func(n int, under string) {
				d, err := m.Make(n, under)
				if err != nil {
					return
				}
				for ctx.Err() == nil {
					status, _, err := c.send(ctx, d, patience)
					mu.Lock()
					answers[status]++
					if err == nil && status/100 == 2 {
						acknowledged[d.GUID] = true
					}
					mu.Unlock()
					if err == nil && status/100 == 2 {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}
			for ctx.Err() == nil {
				n := int(next.Add(1) - 1)
				if n >= f.Deliveries {
					return
				}
				untilTaken(n, "")
				if dice.Float64() < f.Redeliver {
					untilTaken(n, "")
				}
				if dice.Float64() < f.Replay {
					untilTaken(n, m.GUID(n)+"-replay")
				}
				sent.Add(1)
			}
		})
	}
	all.Wait()
	return acknowledged, answers
}

func (f Faults) check(ctx context.Context, b *Bench, acknowledged map[string]bool, answers map[int]int, landed map[string]int, postgresLanded int) error {
	db, err := b.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.Pool().Query(ctx, `SELECT guid, review_id IS NOT NULL FROM deliveries`)
	if err != nil {
		return fmt.Errorf("read deliveries: %w", err)
	}
	stored := map[string]bool{}
	for rows.Next() {
		var guid string
		var reviewed bool
		if err := rows.Scan(&guid, &reviewed); err != nil {
			return fmt.Errorf("read deliveries: %w", err)
		}
		stored[guid] = reviewed
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read deliveries: %w", err)
	}
	lost := 0
	for guid := range acknowledged {
		if !stored[guid] {
			lost++
		}
	}
	var reviews, jobs, revisions, orphans int
	err = db.Pool().QueryRow(ctx, `SELECT (SELECT count(*) FROM reviews), (SELECT count(*) FROM river_job),
		(SELECT count(DISTINCT (args->>'number', args->>'head')) FROM river_job),
		(SELECT count(*) FROM reviews r LEFT JOIN river_job j ON j.id = r.job_id WHERE j.id IS NULL)`).Scan(&reviews, &jobs, &revisions, &orphans)
	if err != nil {
		return fmt.Errorf("count jobs: %w", err)
	}
	kills := 0
	var problems []error
	for _, p := range points {
		kills += landed[p.name]
		if landed[p.name] < f.Kills {
			problems = append(problems, fmt.Errorf("%d of %d kills at %s landed", landed[p.name], f.Kills, p.name))
		}
	}
	fmt.Fprintf(b.out, "%d GUIDs acknowledged, answers %v; %d kills of the gateway landed %v, %d of Postgres; %d acknowledged lost; %d revisions, %d reviews, %d jobs, %d reviews without a job\n",
		len(acknowledged), answers, kills, landed, postgresLanded, lost, f.Deliveries, reviews, jobs, orphans)
	if postgresLanded < f.PostgresKills {
		problems = append(problems, fmt.Errorf("%d of %d kills of Postgres landed", postgresLanded, f.PostgresKills))
	}
	if lost > 0 || reviews != f.Deliveries || jobs != f.Deliveries || revisions != f.Deliveries || orphans > 0 {
		problems = append(problems, errors.New("deliveries were lost or doubled"))
	}
	return errors.Join(problems...)
}
