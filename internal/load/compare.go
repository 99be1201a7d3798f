package load

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/openrabbit/openrabbit/internal/pg"
)

// Comparison says how variants are set beside each other.
type Comparison struct {
	// Connections are the senders', Rounds how often each variant has its turn, For how long a turn is measured, Warm how
	// long it runs before that.
	Connections, Rounds int
	For, Warm           time.Duration
	// InsertConnections are InsertTx's to Postgres.
	InsertConnections int
	Variants          []Variant
}

// Turn is what one turn of a variant gave. CPU times are for each delivery that was acknowledged.
type Turn struct {
	PerSecond                          float64
	Median, P99                        time.Duration
	GatewayCPU, PostgresCPU, SenderCPU time.Duration
	Acknowledged, Rows                 int
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Compare gives each variant its turns, one after the other, and the medians of what they gave.
func (b *Bench) Compare(ctx context.Context, c Comparison) (map[Variant]Turn, error) {
	turns := map[Variant][]Turn{}
	for round := range c.Rounds {
		for _, v := range c.Variants {
			turn, err := b.turn(ctx, c, v, fmt.Sprintf("r%d", round))
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", v, round+1, err)
			}
			fmt.Fprintf(b.out, "round %d %-9s %7.0f/s  median %6.2f ms  p99 %6.2f ms  cpu µs: gateway %4d, Postgres %4d, sender %4d  acknowledged %d, rows %d\n",
				round+1, v, turn.PerSecond, ms(turn.Median), ms(turn.P99), turn.GatewayCPU.Microseconds(),
				turn.PostgresCPU.Microseconds(), turn.SenderCPU.Microseconds(), turn.Acknowledged, turn.Rows)
			turns[v] = append(turns[v], turn)
		}
	}
	out := map[Variant]Turn{}
	for v, all := range turns {
		out[v] = medians(all)
	}
	return out, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func medians(all []Turn) Turn {
	return Turn{
		PerSecond: median(all, func(t Turn) float64 { return t.PerSecond }),
		Median:    median(all, func(t Turn) time.Duration { return t.Median }), P99: median(all, func(t Turn) time.Duration { return t.P99 }),
		GatewayCPU: median(all, func(t Turn) time.Duration { return t.GatewayCPU }), PostgresCPU: median(all, func(t Turn) time.Duration { return t.PostgresCPU }),
		SenderCPU: median(all, func(t Turn) time.Duration { return t.SenderCPU }), Acknowledged: median(all, func(t Turn) int { return t.Acknowledged }),
		Rows: median(all, func(t Turn) int { return t.Rows }),
	}
}

func median[T float64 | time.Duration | int](all []Turn, of func(Turn) T) T {
	values := make([]T, len(all))
	for i, t := range all {
		values[i] = of(t)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func (b *Bench) turn(ctx context.Context, c Comparison, v Variant, run string) (Turn, error) {
	if err := b.Empty(ctx); err != nil {
		return Turn{}, err
	}
	s := Serving{Variant: v}
	if v == InsertTx {
		s.Connections = c.InsertConnections
	}
	g, err := b.StartGateway(ctx, s)
	if err != nil {
		return Turn{}, err
	}
	defer g.Stop()
	postgres, err := b.Postmaster()
	if err != nil {
		return Turn{}, err
	}
	m, err := NewMaker(run, secret)
	if err != nil {
		return Turn{}, err
	}
	plan := Plan{Addr: g.Addr, Connections: c.Connections, For: c.Warm}
	warm, err := m.Drive(ctx, plan)
	if err != nil {
		return Turn{}, err
	}
	before := [3]time.Duration{g.CPU(), postgres.CPU(), ownCPU()}
	plan.For, plan.First = c.For, warm.Next
	got, err := m.Drive(ctx, plan)
	if err != nil {
		return Turn{}, err
	}
	after := [3]time.Duration{g.CPU(), postgres.CPU(), ownCPU()}
	n := got.Acknowledged()
	if n == 0 {
		return Turn{}, fmt.Errorf("none of %d deliveries was acknowledged; the first answer was %d", len(got.Sent), got.Sent[0].Answer)
	}
	t := Turn{
		PerSecond: got.PerSecond(), Median: got.Percentile(50), P99: got.Percentile(99), Acknowledged: warm.Acknowledged() + n,
		GatewayCPU: (after[0] - before[0]) / time.Duration(n), PostgresCPU: (after[1] - before[1]) / time.Duration(n),
		SenderCPU: (after[2] - before[2]) / time.Duration(n),
	}
	if v == Limit {
		return t, nil
	}
	if t.Rows, err = b.Rows(ctx, v, run); err != nil {
		return t, err
	}
	if t.Rows < t.Acknowledged {
		return t, fmt.Errorf("%d deliveries were acknowledged and %d are stored with their job", t.Acknowledged, t.Rows)
	}
	return t, nil
}

// Rows counts the deliveries of a run that are stored and have exactly one job: ours name it, InsertTx's are named by it.
func (b *Bench) Rows(ctx context.Context, v Variant, run string) (int, error) {
	return rows(ctx, b.url, v, run)
}

// Stored counts the deliveries of a run that a gateway of ours has stored in this database with exactly one job.
func Stored(ctx context.Context, url, run string) (int, error) { return rows(ctx, url, Ours, run) }

func rows(ctx context.Context, url string, v Variant, run string) (n int, err error) {
	db, err := pg.Open(ctx, url, "openrabbit-load-check", 1)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	on := `j.id = d.job_id AND j.args->>'review_id' = d.review_id::text`
	if v == InsertTx {
		on = `j.args->>'review_id' = d.guid`
	}
	var jobs int
	err = db.Pool().QueryRow(ctx, `SELECT count(*), count(DISTINCT d.guid) FROM deliveries d JOIN river_job j ON `+on+`
		WHERE d.guid LIKE $1 || '-%'`, run).Scan(&jobs, &n)
	if err != nil {
		return 0, fmt.Errorf("count rows: %w", err)
	}
	if jobs != n {
		return n, fmt.Errorf("%d deliveries have %d jobs", n, jobs)
	}
	return n, nil
}

// Fsync measures how long it takes to write a page of 8 KiB and bring it to the disk, where Postgres keeps its data.
func (b *Bench) Fsync(n int) (mid, p99 time.Duration, err error) {
	file, err := os.Create(filepath.Join(b.dir, "fsync"))
	if err != nil {
		return 0, 0, fmt.Errorf("measure fsync: %w", err)
	}
	defer file.Close()
	page := make([]byte, 8<<10)
	took := make([]time.Duration, n)
	for i := range took {
		begun := time.Now()
		if _, err := file.WriteAt(page, 0); err != nil {
			return 0, 0, fmt.Errorf("measure fsync: %w", err)
		}
		if err := flush(file); err != nil {
			return 0, 0, fmt.Errorf("measure fsync: %w", err)
		}
		took[i] = time.Since(begun)
	}
	slices.Sort(took)
	return took[n/2], took[n*99/100], nil
}

// Table writes medians for a reader.
func (b *Bench) Table(turns map[Variant]Turn, order []Variant) {
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "variant\tper second\tmedian\tp99\tgateway CPU\tPostgres CPU\tsender CPU\tto the limit\tto InsertTx")
	for _, v := range order {
		t, ok := turns[v]
		if !ok {
			continue
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.2f ms\t%.2f ms\t%d µs\t%d µs\t%d µs\t%.2f\t%.2f\n", v, t.PerSecond, ms(t.Median), ms(t.P99),
			t.GatewayCPU.Microseconds(), t.PostgresCPU.Microseconds(), t.SenderCPU.Microseconds(),
			t.PerSecond/turns[Limit].PerSecond, t.PerSecond/turns[InsertTx].PerSecond)
	}
	_ = w.Flush()
}
