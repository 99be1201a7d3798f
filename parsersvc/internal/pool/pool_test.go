package pool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"

	"github.com/openrabbit/openrabbit/parsersvc/internal/child"
	"github.com/openrabbit/openrabbit/parsersvc/internal/wire"
)

// The test binary is its own child. These markers mean something in it only.
const (
	markerGood = "pool-test-child"
	markerMute = "pool-test-mute"
	markerRude = "pool-test-rude"
	markerDead = "pool-test-dead"
	// markerGrown is a good child that has grown too much after each request.
	markerGrown = "pool-test-grown"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case markerGood, markerGrown:
			o := child.Options{Walls: []string{"none"}}
			if os.Args[1] == markerGrown {
				o.Limits.Memory = 1
			}
			if err := child.Serve(os.Stdin, os.Stdout, puppet{}, o); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		case markerMute:
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		case markerRude:
			fmt.Println("hello, world")
			os.Exit(0)
		case markerDead:
			os.Exit(3)
		}
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// puppet does what the message says.
type puppet struct{}

func (p puppet) Handle(kind wire.Kind, limit time.Duration, message []byte) ([]byte, error) {
	order, rest, _ := strings.Cut(string(message), " ")
	switch order {
	case "nap-then":
		<-time.After(200 * time.Millisecond)
		return p.Handle(kind, limit, []byte(rest))
	case "echo":
		return []byte(rest), nil
	case "limit":
		return []byte(limit.String()), nil
	case "pid":
		return strconv.AppendInt(nil, int64(os.Getpid()), 10), nil
	case "environment":
		return []byte(strings.Join(os.Environ(), " ")), nil
	case "big":
		return make([]byte, wire.MaxAnswer), nil
	case "too-big":
		return make([]byte, wire.MaxAnswer+1), nil
	case "hang":
		for { //nolint:staticcheck // a hang that no signal of the runtime wakes
		}
	case "nap":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return nil, err
		}
		<-time.After(d)
		return []byte("rested"), nil
	case "segfault":
		bad := uintptr(0xdead0000)
		*(*int)(*(*unsafe.Pointer)(unsafe.Pointer(&bad))) = 1
	case "exit":
		os.Exit(7)
	case "kill":
		return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "panic":
		panic("on order")
	case "fail":
		return nil, errors.New(rest)
	case "lie":
		// A length that nobody should believe, then silence.
		_, _ = os.Stdout.Write(append(binary.BigEndian.AppendUint32(nil, 1<<32-1), byte(wire.Answer)))
		<-time.After(time.Minute)
	case "babble":
		_, _ = os.Stdout.Write(append(binary.BigEndian.AppendUint32(nil, 1), 99))
		<-time.After(time.Minute)
	case "half":
		_, _ = os.Stdout.Write(append(binary.BigEndian.AppendUint32(nil, 1000), byte(wire.Answer), 'x'))
		<-time.After(time.Minute)
	}
	return nil, fmt.Errorf("no such order %q", order)
}

// watcher is an Observer that remembers.
type watcher struct {
	mu      sync.Mutex
	ended   map[Reason]int
	serving chan bool
}

func newWatcher() *watcher { return &watcher{ended: map[Reason]int{}, serving: make(chan bool, 100)} }

func (w *watcher) ChildEnded(r Reason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended[r]++
}

func (w *watcher) Serving(s bool) { w.serving <- s }

func (w *watcher) count(r Reason) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended[r]
}

// all gives what count does, of every reason.
func (w *watcher) all() map[Reason]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.ended)
}

// startPool runs a pool of puppets until the test ends.
func startPool(t *testing.T, cfg Config, marker string) (*Pool, *watcher) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Command = []string{self, marker}
	w := newWatcher()
	p, err := New(cfg, slog.New(slog.DiscardHandler), w)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if n := p.Alive(); n != 0 {
			t.Errorf("%d children outlive the pool", n)
		}
	})
	return p, w
}

func order(ctx context.Context, p *Pool, limit time.Duration, what string) (string, error) {
	b, err := p.Do(ctx, Request{Kind: wire.Analyze, Limit: limit, Message: []byte(what)})
	return string(b), err
}

// waitBusy waits until a child has a request.
func waitBusy(t *testing.T, p *Pool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); p.Busy() == 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Error("no child gets busy")
			return
		}
	}
}

func mustOrder(t *testing.T, p *Pool, what string) string {
	t.Helper()
	answer, err := order(t.Context(), p, 10*time.Second, what)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return answer
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	p, w := startPool(t, Config{Children: 2}, markerGood)
	if got := mustOrder(t, p, "echo hi"); got != "hi" {
		t.Errorf("echo gives %q", got)
	}
	if got := mustOrder(t, p, "limit"); got != "10s" {
		t.Errorf("limit is %q", got)
	}
	if got := mustOrder(t, p, "environment"); got != "" {
		t.Errorf("a child inherits %q", got)
	}
	if n := len(mustOrder(t, p, "big")); n != wire.MaxAnswer {
		t.Errorf("big answer has %d bytes", n)
	}
	if !<-w.serving {
		t.Error("the first news is that nothing serves")
	}
}

func TestMisbehaviourCostsOneRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		order  string
		reason Reason
		detail string
	}{
		{"hang", TimedOut, "no answer within 300ms"},
		{"half", TimedOut, "no answer within 300ms"},
		{"segfault", Crashed, "exit status 2 (segmentation fault)"},
		{"exit", Crashed, "exit status 7"},
		{"kill", Crashed, "signal: killed"},
		{"lie", Crashed, "signal: killed"},
		{"babble", Crashed, "it answered with a frame of kind 99"},
	} {
		t.Run(c.order, func(t *testing.T) {
			t.Parallel()
			p, w := startPool(t, Config{Children: 1}, markerGood)
			before := mustOrder(t, p, "pid")
			start := time.Now()
			_, err := order(t.Context(), p, 300*time.Millisecond, c.order)
			var killed *Killed
			if !errors.As(err, &killed) || killed.Reason != c.reason || killed.Detail != c.detail {
				t.Fatalf("got %v, want %s: %s", err, c.reason, c.detail)
			}
			if took := time.Since(start); took > 300*time.Millisecond+2*time.Second {
				t.Errorf("took %s", took)
			}
			if after := mustOrder(t, p, "pid"); after == before {
				t.Error("the same child goes on")
			}
			if w.count(c.reason) != 1 {
				t.Errorf("ended: %v", w.all())
			}
		})
	}
}

func TestFailureKeepsTheChild(t *testing.T) {
	t.Parallel()
	p, _ := startPool(t, Config{Children: 1}, markerGood)
	before := mustOrder(t, p, "pid")
	for order1, want := range map[string]string{"fail because": "because", "panic": "panic: on order", "too-big": "the answer has 8323073 bytes"} {
		_, err := order(t.Context(), p, time.Second, order1)
		var failed *Failed
		if !errors.As(err, &failed) || failed.Detail != want {
			t.Errorf("%s: %v, want %q", order1, err, want)
		}
	}
	if after := mustOrder(t, p, "pid"); after != before {
		t.Error("the child was replaced")
	}
}

func TestRecycled(t *testing.T) {
	t.Parallel()
	p, w := startPool(t, Config{Children: 1, RequestsPerChild: 3}, markerGood)
	pids := map[string]int{}
	for range 7 {
		pids[mustOrder(t, p, "pid")]++
	}
	if len(pids) != 3 || w.count(Recycled) != 2 {
		t.Errorf("seven requests over %v, %d recycled", pids, w.count(Recycled))
	}
}

// A child killed from outside in the middle of many requests loses its own only.
func TestKilledFromOutside(t *testing.T) {
	t.Parallel()
	p, _ := startPool(t, Config{Children: 2}, markerGood)
	victim, err := strconv.Atoi(mustOrder(t, p, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make(chan error, 20)
	for i := range 20 {
		wg.Go(func() {
			_, err := order(t.Context(), p, 10*time.Second, "nap 20ms")
			if i == 0 {
				_ = syscall.Kill(victim, syscall.SIGKILL)
			}
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	lost := 0
	for err := range errs {
		var killed *Killed
		switch {
		case err == nil:
		case errors.As(err, &killed) && killed.Reason == Crashed:
			lost++
		default:
			t.Errorf("another request failed: %v", err)
		}
	}
	if lost > 1 {
		t.Errorf("%d requests lost to one kill", lost)
	}
}

func TestCallersDeadlineIsTheChilds(t *testing.T) {
	t.Parallel()
	p, w := startPool(t, Config{Children: 1}, markerGood)
	mustOrder(t, p, "echo")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := order(ctx, p, time.Minute, "hang")
	// A machine that is very busy may be too late with the better answer.
	var killed *Killed
	if errors.As(err, &killed) && (killed.Reason != TimedOut || killed.Limit > 200*time.Millisecond) ||
		killed == nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	mustOrder(t, p, "echo")
	if w.count(TimedOut) != 1 {
		t.Errorf("ended: %v", w.all())
	}
}

func TestCancelledCallerCostsNoChild(t *testing.T) {
	t.Parallel()
	p, w := startPool(t, Config{Children: 1}, markerGood)
	before := mustOrder(t, p, "pid")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		waitBusy(t, p)
	}()
	if _, err := order(ctx, p, 10*time.Second, "nap 100ms"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if after := mustOrder(t, p, "pid"); after != before || w.count(TimedOut)+w.count(Crashed) > 0 {
		t.Error("the child was replaced")
	}
	// A caller who has gone before its turn is not served at all.
	if _, err := order(ctx, p, time.Second, "echo"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestChildrenThatDoNotStart(t *testing.T) {
	t.Parallel()
	for marker, timeout := range map[string]time.Duration{markerMute: 50 * time.Millisecond, markerRude: 5 * time.Second, markerDead: 5 * time.Second} {
		t.Run(marker, func(t *testing.T) {
			t.Parallel()
			p, w := startPool(t, Config{Children: 1, StartTimeout: timeout}, marker)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if _, err := order(ctx, p, time.Second, "echo"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			select {
			case s := <-w.serving:
				t.Errorf("serving is said to be %t", s)
			default:
			}
		})
	}
}

func TestStopEndsEverything(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Config{Command: []string{self, markerGood}, Children: 2}, slog.New(slog.DiscardHandler), newWatcher())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	pid, err := strconv.Atoi(mustOrder(t, p, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	hung := make(chan error, 1)
	go func() {
		_, err := order(t.Context(), p, time.Minute, "hang")
		hung <- err
	}()
	waitBusy(t, p)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := <-hung; !errors.Is(err, ErrStopped) {
		t.Errorf("the request under way: %v", err)
	}
	if _, err := order(t.Context(), p, time.Second, "echo"); !errors.Is(err, ErrStopped) {
		t.Errorf("a request after the stop: %v", err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("child %d lives: %v", pid, err)
	}
}

func TestTooLargeIsNotSent(t *testing.T) {
	t.Parallel()
	p, _ := startPool(t, Config{Children: 1}, markerGood)
	if _, err := p.Do(t.Context(), Request{Limit: time.Second, Message: make([]byte, wire.MaxRequest)}); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}
