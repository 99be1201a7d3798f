// Command run sends deliveries to a gateway and says what came of them. Its first argument is what to do:
//
//	send     send to a gateway that runs already, at a rate or as fast as it answers, and count its rows
//	compare  ours, the same server without storing, a transaction for each delivery, and pgbench, in one run
//	serve    the gateway that compare starts; not for use by hand
package main

import (
	"context"
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
		return fmt.Errorf("say what to do: send, compare")
	}
	self := []string{"/proc/self/exe", "serve"}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	switch os.Args[1] {
	case "serve":
		return load.ServeFromEnv(ctx, os.Stdout)
	case "compare":
		return compare(ctx, self, flags)
	}
	return fmt.Errorf("%s is not among send, compare", os.Args[1])
}

func compare(ctx context.Context, self []string, flags *flag.FlagSet) error {
	c := load.Comparison{}
	flags.IntVar(&c.Connections, "connections", 64, "senders")
	flags.IntVar(&c.Rounds, "rounds", 3, "turns of each variant")
	flags.DurationVar(&c.For, "for", 5*time.Second, "how long a turn is measured")
	flags.DurationVar(&c.Warm, "warm", 2*time.Second, "how long it runs before that")
	flags.IntVar(&c.InsertConnections, "insert-connections", 32, "connections to Postgres of the variant with a transaction for each")
	variants := flags.String("variants", "limit,ours,insert_tx", "which, in the order of their turns")
	_ = flags.Parse(os.Args[2:])
	for v := range strings.SplitSeq(*variants, ",") {
		c.Variants = append(c.Variants, load.Variant(v))
	}
	b, err := load.NewBench(ctx, self, os.Stdout)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
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
	return nil
}
