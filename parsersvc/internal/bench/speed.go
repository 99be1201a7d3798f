//go:build linux && cgo

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
)

// measured is what one step measured, by language.
type measured struct {
	Seconds map[string]float64
	// Processor has what all processes together took of a processor's time, by language: on a machine that others use too,
	// it is what says how fast one core is.
	Processor map[string]float64
	// Whole is all of them in one stream, as an index sends them.
	Whole whole
	// Latency has the milliseconds of single calls for files of ordinary size.
	Latency []float64
}

// ordinaryLines is what a file of ordinary size has at most.
const ordinaryLines = 1500

// speed measures the whole way against the bare parse. Each step is a process of its own, pinned.
func speed(ctx context.Context, o options) error {
	c, err := corpus(o)
	if err != nil {
		return err
	}
	bare, one, two := make(map[string][]float64), make(map[string][]float64), make(map[string][]float64)
	spent := make(map[string][]float64)
	var onOne, onTwo []whole
	var latency []float64
	for range o.rounds {
		for _, s := range []struct {
			name string
			into map[string][]float64
			args []string
		}{{"bare", bare, []string{"0"}}, {"through", one, []string{"0"}}, {"through", two, []string{"0", "1"}}} {
			m, err := runStep(ctx, s.name, o, s.args)
			if err != nil {
				return err
			}
			for l, sec := range m.Seconds {
				s.into[l] = append(s.into[l], sec)
			}
			switch {
			case s.name == "bare":
			case len(s.args) == 1:
				for l, p := range m.Processor {
					spent[l] = append(spent[l], p)
				}
				latency = append(latency, m.Latency...)
				onOne = append(onOne, m.Whole)
			default:
				onTwo = append(onTwo, m.Whole)
			}
		}
	}
	fmt.Printf("%-12s %6s %8s %10s %10s %7s %10s %7s %12s\n", "language", "files", "MB", "bare MB/s", "1 core", "ratio", "2 cores", "times", "ratio by CPU")
	var size, bareSum, oneSum, twoSum, spentSum float64
	for _, l := range languagesOf(c) {
		mb := float64(bytesOf(c[l])) / 1e6
		b, s, d := median(bare[l]), median(one[l]), median(two[l])
		p := median(spent[l])
		fmt.Printf("%-12s %6d %8.2f %10.2f %10.2f %7.2f %10.2f %7.2f %12.2f\n", l, len(c[l]), mb, mb/b, mb/s, b/s, mb/d, s/d, b/p)
		size, bareSum, oneSum, twoSum, spentSum = size+mb, bareSum+b, oneSum+s, twoSum+d, spentSum+p
	}
	fmt.Printf("%-12s %6d %8.2f %10.2f %10.2f %7.2f %10.2f %7.2f %12.2f\n", "all", len(all(c)), size, size/bareSum, size/oneSum,
		bareSum/oneSum, size/twoSum, oneSum/twoSum, bareSum/spentSum)
	w, v := middle(onOne), middle(onTwo)
	fmt.Printf("%-12s %6d %8.2f %10.2f %10.2f %7.2f %10.2f %7.2f %12.2f\n", "one stream", len(all(c)), size, size/bareSum, size/w.Seconds,
		bareSum/w.Seconds, size/v.Seconds, w.Seconds/v.Seconds, bareSum/w.Taken.sum())
	for i, w := range []whole{w, v} {
		fmt.Printf("one stream, %d cores, processor time of a file: %s; idle %.1f %%\n",
			i+1, w.Taken.of(len(all(c))), 100*(1-w.Taken.sum()/w.Seconds/float64(i+1)))
	}
	slices.Sort(latency)
	if n := len(latency); n > 0 {
		fmt.Printf("one file of less than %d lines, one call after another, one core: p50 %.2f ms, p95 %.2f ms, p99 %.2f ms (%d calls)\n",
			ordinaryLines, latency[n/2], latency[n*95/100], latency[n*99/100], n)
	}
	return nil
}

// whole is one stream of the files of all languages: how long it took, and of that processor time of whom.
type whole struct {
	Seconds float64
	Taken   parts
}

// middle gives the one that took the median of the time.
func middle(w []whole) whole {
	slices.SortFunc(w, func(a, b whole) int { return cmp.Compare(a.Seconds, b.Seconds) })
	return w[len(w)/2]
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// runStep runs a step as a process on processors.
func runStep(ctx context.Context, name string, o options, processors []string) (measured, error) {
	args := []string{name, "-mib", strconv.Itoa(o.mib), "-out", strings.Join(processors, ",")}
	for _, t := range o.trees {
		args = append(args, "-tree", t)
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return measured{}, fmt.Errorf("%s: %w", name, err)
	}
	var m measured
	if err := json.Unmarshal(out, &m); err != nil {
		return measured{}, err
	}
	return m, nil
}

// step is the process of one step.
func step(ctx context.Context, name string, o options) error {
	var processors []int
	for _, p := range strings.Split(o.out, ",") {
		n, err := strconv.Atoi(p)
		if err != nil {
			return err
		}
		processors = append(processors, n)
	}
	if err := pin(processors...); err != nil {
		return err
	}
	c, err := corpus(o)
	if err != nil {
		return err
	}
	m := measured{Seconds: make(map[string]float64), Processor: make(map[string]float64)}
	if name == "bare" {
		for _, l := range languagesOf(c) {
			took, err := bareParse(l, c[l])
			if err != nil {
				return err
			}
			m.Seconds[l] = took.Seconds()
		}
		return json.NewEncoder(os.Stdout).Encode(m)
	}
	// The client takes a tenth of a processor: more than one of Go's would only have its goroutines wake each other across
	// the machine's, as in the service (parsersvc.OwnProcess).
	runtime.GOMAXPROCS(1)
	s, err := start(ctx, len(processors))
	if err != nil {
		return err
	}
	defer s.stop()
	conn, client, err := dial(ctx, s.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, l := range languagesOf(c) {
		// What is compiled once a child is not what is measured.
		if _, err := analyze(ctx, client, c[l][:min(len(c[l]), 8)]); err != nil {
			return err
		}
		before := s.parts()
		took, err := analyze(ctx, client, c[l])
		if err != nil {
			return err
		}
		m.Seconds[l], m.Processor[l] = took.Seconds(), s.parts().minus(before).sum()
	}
	before := s.parts()
	took, err := analyze(ctx, client, all(c))
	if err != nil {
		return err
	}
	m.Whole = whole{took.Seconds(), s.parts().minus(before)}
	if len(processors) == 1 {
		if m.Latency, err = latencies(ctx, client, all(c)); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(m)
}

// latencies calls Outline for files of ordinary size, one after the other.
func latencies(ctx context.Context, client parserv1.ParserServiceClient, files []file) ([]float64, error) {
	const most = 1000
	var out []float64
	for i := 0; i < len(files) && len(out) < most; i += max(1, len(files)/most) {
		f := files[i]
		if strings.Count(string(f.content), "\n") >= ordinaryLines {
			continue
		}
		call, cancel := context.WithTimeout(ctx, 10*time.Second)
		begun := time.Now()
		_, err := client.Outline(call, &parserv1.OutlineRequest{File: &parserv1.File{Path: f.path, Content: f.content}})
		cancel()
		if err != nil {
			return nil, err
		}
		out = append(out, float64(time.Since(begun).Microseconds())/1e3)
	}
	return out, nil
}
