//go:build linux && cgo

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/pbconv"
)

const (
	// perReplica is how many unary calls are under way at once for each replica. One with one child has three places:
	// what finds none is refused, and tried at the other.
	perReplica = 2
	// streamsPerReplica is how many streams are: what finds no place in one waits for it there, as the files of reviews do.
	streamsPerReplica = 6
	// streamFiles is how many files a stream has, as many as a review of some size, and loadFiles how many all have.
	streamFiles, loadFiles = 20, 6000
)

// replicas measures one replica and two behind one client's round robin, each with one child and pinned to a processor
// of its own; then one of two is killed in the middle of a thousand calls. The calls are made by this process, which has
// both processors: what it takes of them is said. With a quota a replica gets a part of its processor only, so that the
// caller's own part is not taken from two replicas and from one not.
func replicas(ctx context.Context, o options) error {
	if err := pin(0, 1); err != nil {
		return err
	}
	o.mib = min(o.mib, 2)
	c, err := corpus(o)
	if err != nil {
		return err
	}
	files := ordinaryFiles(all(c))
	var ratios []float64
	for range o.rounds {
		one, err := through(ctx, files, 1, o.quota)
		if err != nil {
			return err
		}
		two, err := through(ctx, files, 2, o.quota)
		if err != nil {
			return err
		}
		ratios = append(ratios, two.rate/one.rate)
		fmt.Printf("one replica %.0f files/s (the caller took %.2f cores, %.2f were idle); two %.0f files/s (%.2f cores, %.2f idle), %s; %.2f times\n",
			one.rate, one.own, one.idle, two.rate, two.own, two.idle, two.shares(), two.rate/one.rate)
	}
	fmt.Printf("median: %.2f times\n", median(ratios))
	return killOne(ctx, files)
}

// ordinaryFiles leaves out what is longer than most.
func ordinaryFiles(files []file) []file {
	var out []file
	for _, f := range files {
		if strings.Count(string(f.content), "\n") < ordinaryLines {
			out = append(out, f)
		}
	}
	return out
}

// made is what came of many calls.
type made struct {
	rate, own float64
	// idle is how many of the replicas' processors nobody used.
	idle   float64
	mu     sync.Mutex
	by     map[string]int
	failed atomic.Int64
}

func (l *made) shares() string {
	var out []string
	total := 0
	for _, n := range l.by {
		total += n
	}
	for _, n := range l.by {
		out = append(out, fmt.Sprintf("%.0f %%", 100*float64(n)/float64(total)))
	}
	return strings.Join(out, " and ") + " of them"
}

// through has files analysed by so many replicas for a while. Part is what each may take of its processor, 0 for all.
func through(ctx context.Context, files []file, n int, part float64) (*made, error) {
	var addresses []string
	var servers []*server
	for i := range n {
		var group quota
		if part > 0 {
			var err error
			if group, err = newQuota(strconv.Itoa(i), part); err != nil {
				return nil, err
			}
			defer group.remove()
		}
		s, err := startIn(ctx, group, 1, i)
		if err != nil {
			return nil, err
		}
		defer s.stop()
		addresses = append(addresses, s.addr)
		servers = append(servers, s)
	}
	conn, client, err := dial(ctx, addresses...)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	requests, err := written(files)
	if err != nil {
		return nil, err
	}
	streams(ctx, client, requests, 300, n*streamsPerReplica)
	spent := func() (sum float64) {
		for _, s := range servers {
			p := s.parts()
			sum += p.Service + p.Children
		}
		return sum
	}
	own, theirs, begun := cpu(), spent(), time.Now()
	l := streams(ctx, client, requests, loadFiles, n*streamsPerReplica)
	took := time.Since(begun).Seconds()
	l.rate, l.own = loadFiles/took, (cpu()-own)/took
	// A replica has a processor, or its part of one; of two whole ones, the caller has its part.
	whole := part
	if whole == 0 {
		whole = 1
	}
	l.idle = whole*float64(n) - (spent()-theirs)/took
	if n > 1 && part == 0 {
		l.idle -= l.own
	}
	if f := l.failed.Load(); f > 0 {
		return nil, fmt.Errorf("%d streams failed", f)
	}
	return l, nil
}

// streams sends n files in streams of several callers.
func streams(ctx context.Context, client parserv1.ParserServiceClient, requests [][]byte, n, callers int) *made {
	l, checker := &made{by: make(map[string]int)}, pbconv.NewChecker()
	var next atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for {
				first := int(next.Add(streamFiles)) - streamFiles
				if first >= n {
					return
				}
				some := make([][]byte, min(streamFiles, n-first))
				for i := range some {
					some[i] = requests[(first+i)%len(requests)]
				}
				var p peer.Peer
				if err := load(ctx, client, some, checker, grpc.Peer(&p)); err != nil {
					fmt.Println("failed:", err)
					l.failed.Add(1)
					continue
				}
				l.took(&p, len(some))
			}
		})
	}
	all.Wait()
	return l
}

// took counts what a replica did.
func (l *made) took(p *peer.Peer, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, ok := p.Addr.(*net.TCPAddr); ok {
		l.by[a.String()] += n
	}
}

// calls makes so many calls from several callers. half is called once when half of them are made.
func calls(ctx context.Context, client parserv1.ParserServiceClient, files []file, n, callers int, half func()) *made {
	l := &made{by: make(map[string]int)}
	var next atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if i == n/2 && half != nil {
					half()
				}
				f := files[i%len(files)]
				call, cancel := context.WithTimeout(ctx, 10*time.Second)
				var p peer.Peer
				_, err := client.Outline(call, &parserv1.OutlineRequest{File: &parserv1.File{Path: f.path, Content: f.content}}, grpc.Peer(&p))
				cancel()
				if err != nil {
					fmt.Println("failed:", err)
					l.failed.Add(1)
					continue
				}
				l.took(&p, 1)
			}
		})
	}
	all.Wait()
	return l
}

// cpu gives the processor time that this process has taken, in seconds.
func cpu() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// killOne kills one of two replicas with SIGKILL in the middle of a thousand calls. None may fail.
func killOne(ctx context.Context, files []file) error {
	one, err := start(ctx, 1, 0)
	if err != nil {
		return err
	}
	defer one.stop()
	two, err := start(ctx, 1, 1)
	if err != nil {
		return err
	}
	defer two.stop()
	conn, client, err := dial(ctx, one.addr, two.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	calls(ctx, client, files, 100, perReplica, nil)
	begun := time.Now()
	l := calls(ctx, client, files, 1000, perReplica, func() { _ = two.cmd.Process.Kill() })
	fmt.Printf("kill -9 of one of two in the middle of 1000 calls: %d failed, %s, %.1f s\n", l.failed.Load(), l.shares(), time.Since(begun).Seconds())
	if l.failed.Load() > 0 {
		return errors.New("calls failed")
	}
	if len(l.by) < 2 {
		return errors.New("the killed one had no calls before")
	}
	return nil
}
