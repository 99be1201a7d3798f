// Command run sends deliveries to a gateway and says what came of them. Its first argument is what to do:
//
//	send     send to a gateway that runs already, at a rate or as fast as it answers, and count its rows
//	compare  ours, the same server without storing, a transaction for each delivery, and pgbench, in one run
//	latency  ours at a share of its throughput, and with a Postgres that stands still for a while
//	faults   kill -9 of the gateway at its crash points and of Postgres, while deliveries come
//	bad      malformed and forged requests
//	serve    the gateway that these start; not for use by hand
//
// All but send start a Postgres of their own, with fsync.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/openrabbit/openrabbit/internal/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if len(os.Args) < 2 {
		return errors.New("say what to do: send, compare, latency, faults or bad")
	}
	self := []string{"/proc/self/exe", "serve"}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	switch os.Args[1] {
	case "serve":
		return load.ServeFromEnv(ctx, os.Stdout)
	case "send":
		return send(ctx, flags)
	case "compare":
		return compare(ctx, self, flags)
	case "latency":
		l := load.Latency{}
		flags.IntVar(&l.Connections, "connections", 64, "senders")
		flags.Float64Var(&l.Share, "share", 1.0/3, "share of the throughput")
		flags.DurationVar(&l.For, "for", 8*time.Second, "how long each part is")
		flags.DurationVar(&l.Stall, "stall", 2*time.Second, "how long Postgres stands still")
		flags.BoolVar(&l.Watch, "watch", false, "say what stood still while answers were slow")
		return bench(ctx, self, flags, func(b *load.Bench) error { return l.Run(ctx, b) })
	case "faults":
		f := load.Faults{}
		flags.IntVar(&f.Deliveries, "deliveries", 20_000, "revisions, each sent until it is acknowledged")
		flags.IntVar(&f.Connections, "connections", 16, "senders")
		flags.Float64Var(&f.Redeliver, "redeliver", 0.2, "share that is sent again")
		flags.Float64Var(&f.Replay, "replay", 0.1, "share that is sent again under another GUID")
		flags.IntVar(&f.Kills, "kills", 5, "kills at each of the gateway's crash points")
		flags.IntVar(&f.PostgresKills, "postgres-kills", 5, "kills of Postgres")
		flags.Uint64Var(&f.Seed, "seed", 1, "what chooses redeliveries and replays")
		return bench(ctx, self, flags, func(b *load.Bench) error { return f.Run(ctx, b) })
	case "bad":
		bad := load.Bad{Growth: 64 << 20}
		flags.IntVar(&bad.Requests, "requests", 100_000, "how many")
		flags.IntVar(&bad.Connections, "connections", 16, "senders")
		flags.Uint64Var(&bad.Seed, "seed", 1, "what they are made from")
		return bench(ctx, self, flags, func(b *load.Bench) error { return bad.Run(ctx, b) })
	}
	return fmt.Errorf("%s is not among send, compare, latency, faults, bad", os.Args[1])
}

// bench parses the flags and runs what needs a Postgres of its own.
func bench(ctx context.Context, self []string, flags *flag.FlagSet, what func(*load.Bench) error) error {
	var settings []string
	flags.Func("set", "a setting of Postgres, name=value; may be repeated", func(s string) error {
		settings = append(settings, s)
		return nil
	})
	_ = flags.Parse(os.Args[2:]) // it exits on an error
	b, err := load.NewBench(ctx, self, settings, os.Stdout)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	return what(b)
}

// send sends to a gateway that somebody else runs.
func send(ctx context.Context, flags *flag.FlagSet) error {
	plan := load.Plan{}
	flags.StringVar(&plan.Addr, "addr", "127.0.0.1:8080", "where the gateway receives webhooks")
	flags.IntVar(&plan.Connections, "connections", 64, "senders")
	flags.Float64Var(&plan.Rate, "rate", 0, "deliveries a second; 0 means as many as are answered")
	flags.DurationVar(&plan.For, "for", 10*time.Second, "how long")
	run := flags.String("run", fmt.Sprintf("load%d", time.Now().Unix()), "a word that tells this run's deliveries from another's")
	_ = flags.Parse(os.Args[2:]) // it exits on an error
	m, err := load.NewMaker(*run, os.Getenv("GITHUB_WEBHOOK_SECRET"))
	if err != nil {
		return err
	}
	got, err := m.Drive(ctx, plan)
	if err != nil {
		return err
	}
	fmt.Printf("%d bytes each: %d acknowledged of %d, %.0f/s, median %s, p99 %s, most %s\n", m.Size(), got.Acknowledged(), len(got.Sent),
		got.PerSecond(), got.Percentile(50), got.Percentile(99), got.Percentile(100))
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		fmt.Println("DATABASE_URL is not set: the rows were not counted")
		return nil
	}
	stored, err := load.Stored(ctx, url, *run)
	if err != nil {
		return err
	}
	fmt.Printf("%d stored with their job\n", stored)
	if stored < got.Acknowledged() {
		return fmt.Errorf("%d acknowledged deliveries are not stored", got.Acknowledged()-stored)
	}
	return nil
}

func compare(ctx context.Context, self []string, flags *flag.FlagSet) error {
	c := load.Comparison{}
	flags.IntVar(&c.Connections, "connections", 64, "senders")
	flags.IntVar(&c.Rounds, "rounds", 3, "turns of each variant")
	flags.DurationVar(&c.For, "for", 5*time.Second, "how long a turn is measured")
	flags.DurationVar(&c.Warm, "warm", 2*time.Second, "how long it runs before that")
	flags.IntVar(&c.InsertConnections, "insert-connections", 32, "connections to Postgres of the variant with a transaction for each")
	variants := flags.String("variants", "limit,ours,insert_tx", "which, in the order of their turns")
	return bench(ctx, self, flags, func(b *load.Bench) error {
		for v := range strings.SplitSeq(*variants, ",") {
			c.Variants = append(c.Variants, load.Variant(v))
		}
		mid, p99, err := b.Fsync(300)
		if err != nil {
			return err
		}
		fmt.Printf("fdatasync of 8 KiB: median %s, p99 %s\n", mid.Round(time.Microsecond), p99.Round(time.Microsecond))
		turns, err := b.Compare(ctx, c)
		if err != nil {
			return err
		}
		b.Table(turns, c.Variants)
		if len(c.Variants) == 1 { // nothing is set beside it
			return nil
		}
		for _, n := range []int{1, 16, 64, 256} {
			clients := 16
			if n > 1 {
				clients = 2 // one works while the other commits
			}
			perSecond, cpu, ok, err := b.Pgbench(ctx, n, clients, c.For)
			switch {
			case err != nil:
				return err
			case !ok:
				fmt.Println("pgbench is not installed")
				return nil
			}
			fmt.Printf("pgbench, the rows of %3d deliveries in a transaction, %2d clients: %6.0f/s, Postgres CPU %d µs\n", n, clients, perSecond, cpu.Microseconds())
		}
		return nil
	})
}
