//go:build linux && cgo

// Command bench measures the parser tier as it is deployed: a service process with children of its own, called over gRPC
// by another process, all pinned to the same processors; beside it, in the same run, what the bare parse of the same
// files in C takes. What is printed is the median of rounds.
//
//	bench speed [-tree DIR]... [-mib N] [-rounds N]       against the bare parse, on one core and on two; latency
//	bench tree -tree DIR [-limit 60s]                     one index of a whole tree on two cores, with the memory it took
//	bench replicas [-tree DIR]...                         one replica and two behind one client; kill -9 of one
//
// Without -tree the files are those of Go's and Python's own sources on this machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openrabbit/openrabbit/parsersvc"
)

// options are what the command line says.
type options struct {
	trees  trees
	mib    int
	rounds int
	limit  time.Duration
	quota  float64
	out    string
}

// trees is a flag that may be given again and again.
type trees []string

// String is part of flag.Value.
func (t *trees) String() string { return fmt.Sprint([]string(*t)) }

// Set is part of flag.Value.
func (t *trees) Set(s string) error {
	*t = append(*t, s)
	return nil
}

func main() {
	parsersvc.MaybeChild()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("what? speed, tree or replicas")
	}
	if args[0] == "serve" {
		return serve(ctx, args[1:])
	}
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.Var(&o.trees, "tree", "measure on the files below this directory; may be given again")
	flags.IntVar(&o.mib, "mib", 4, "how many mebibytes of a language are taken at most")
	flags.IntVar(&o.rounds, "rounds", 3, "how often each thing is measured")
	flags.DurationVar(&o.limit, "limit", time.Minute, "tree: what the index may take")
	flags.Float64Var(&o.quota, "quota", 0, "replicas: the part of its processor that each gets, as 0.8 (root and cgroups); 0 is all")
	flags.StringVar(&o.out, "out", "", "where an inner step writes what it measured")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "speed":
		return speed(ctx, o)
	case "bare", "through":
		return step(ctx, args[0], o)
	case "tree":
		return tree(ctx, o)
	case "replicas":
		return replicas(ctx, o)
	default:
		return fmt.Errorf("no such measurement: %s", args[0])
	}
}

// pin ties this process to processors and starts it anew there: threads that run already would stay where they are.
// What it starts is tied with it. It returns in the process that is pinned.
func pin(processors ...int) error {
	const done = "OPENRABBIT_BENCH_PINNED"
	if os.Getenv(done) != "" {
		return os.Unsetenv(done)
	}
	runtime.LockOSThread()
	var set unix.CPUSet
	for _, p := range processors {
		set.Set(p)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to %v: %w", processors, err)
	}
	return unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), done+"=1"))
}
