package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
)

// diary notes what happened, in order.
type diary struct {
	mu      sync.Mutex
	entries []string
}

func (d *diary) note(entry string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, entry)
}

func (d *diary) check(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.entries, want) {
		t.Errorf("what happened:\n%s\nwant:\n%s", strings.Join(d.entries, "\n"), strings.Join(want, "\n"))
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// service takes a second to start and two to stop.
func (d *diary) service(name string) Service {
	return Service{Name: name, Run: func(ctx context.Context, ready func()) error {
		d.note("start " + name)
		time.Sleep(time.Second)
		d.note("ready " + name)
		ready()
		ready() // Saying it twice is fine.
		<-ctx.Done()
		time.Sleep(2 * time.Second)
		d.note("stop " + name)
		return ctx.Err()
	}}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := Run(ctx, quiet(), d.service("a"), d.service("b"), d.service("c")); err != nil {
			t.Error(err)
		}
		d.check(t, "start a", "ready a", "start b", "ready b", "start c", "ready c", "stop c", "stop b", "stop a")
	})
}

func TestEndWhileStarting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		if err := Run(ctx, quiet(), d.service("a"), d.service("b"), d.service("c")); err != nil {
			t.Error(err)
		}
		d.check(t, "start a", "ready a", "start b", "ready b", "stop b", "stop a")
	})
}

func TestEndedBeforeTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Run(ctx, quiet(), d.service("a")); err != nil {
			t.Error(err)
		}
		d.check(t)
	})
}

func TestFailures(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	tests := map[string]struct {
		run  func(ctx context.Context, ready func()) error
		want string
	}{
		"before ready": {func(context.Context, func()) error { return boom }, "run broken: boom"},
		"after ready": {func(_ context.Context, ready func()) error {
			ready()
			time.Sleep(time.Second)
			return boom
		}, "run broken: boom"},
		"by itself": {func(_ context.Context, ready func()) error {
			ready()
			return nil
		}, "run broken: it ended by itself"},
		"by itself before ready":      {func(context.Context, func()) error { return nil }, "run broken: it ended by itself"},
		"a cancelled call of its own": {func(context.Context, func()) error { return context.Canceled }, "run broken: context canceled"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var d diary
				err := Run(t.Context(), quiet(), d.service("a"), Service{Name: "broken", Run: test.run})
				if err == nil || err.Error() != test.want {
					t.Errorf("gave %v, want %s", err, test.want)
				}
				d.check(t, "start a", "ready a", "stop a")
			})
		})
	}
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		release := make(chan struct{})
		stuck := Service{Name: "stuck", StopTimeout: 3 * time.Second, Run: func(_ context.Context, ready func()) error {
			ready()
			<-release
			return nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun := time.Now()
		err := Run(ctx, quiet(), d.service("a"), stuck)
		if err == nil || err.Error() != "stop stuck: it did not end within 3s" {
			t.Errorf("gave %v", err)
		}
		if took := time.Since(begun); took != time.Minute+3*time.Second+2*time.Second {
			t.Errorf("took %s", took)
		}
		d.check(t, "start a", "ready a", "stop a")
		close(release)
	})
}

func TestErrorsOfStoppingAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failing := func(name string) Service {
			return Service{Name: name, Run: func(ctx context.Context, ready func()) error {
				ready()
				<-ctx.Done()
				return fmt.Errorf("%s lost data", name)
			}}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := Run(ctx, quiet(), failing("a"), failing("b"))
		if err == nil || err.Error() != "stop b: b lost data\nstop a: a lost data" {
			t.Errorf("gave %v", err)
		}
	})
}

func TestNoServices(t *testing.T) {
	t.Parallel()
	if err := Run(t.Context(), quiet()); err != nil {
		t.Error(err)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"done", t.Context(), nil, ExitDone},
		{"a signal", cancelled, fmt.Errorf("run: %w", context.Canceled), ExitDone},
		{"a failure during the stop", cancelled, errors.New("boom"), ExitFailed},
		{"cancelled without a signal", t.Context(), context.Canceled, ExitFailed},
		{"failed", t.Context(), errors.New("boom"), ExitFailed},
		{"configuration", t.Context(), fmt.Errorf("read: %w", &config.Error{Problems: []string{"A: is required"}}), ExitConfig},
		{"dependency", t.Context(), fmt.Errorf("run: %w", Dependency("postgres", errors.New("refused"))), ExitDependency},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if got := finish(test.ctx, &out, test.err); got != test.want {
				t.Errorf("code %d, want %d", got, test.want)
			}
			if (out.Len() > 0) != (test.want != ExitDone) {
				t.Errorf("printed %q", out.String())
			}
		})
	}
	if Dependency("postgres", nil) != nil {
		t.Error("no error became one")
	}
	var out bytes.Buffer
	finish(t.Context(), &out, errors.New("ask: ghs_"+strings.Repeat("A1", 20)))
	if got := out.String(); got != "ask: [redacted]\n" {
		t.Errorf("printed %q", got)
	}
}

// modeVariable makes this test binary a program with Main.
const modeVariable = "OPENRABBIT_TEST_LIFECYCLE"

func TestMain(m *testing.M) {
	switch os.Getenv(modeVariable) {
	case "":
		os.Exit(m.Run())
	case "polite":
		os.Exit(Main(func(ctx context.Context) error {
			fmt.Println("up")
			<-ctx.Done()
			return ctx.Err()
		}))
	case "stubborn":
		os.Exit(Main(func(ctx context.Context) error {
			fmt.Println("up")
			<-ctx.Done()
			fmt.Println("still up")
			select {}
		}))
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	program := func(t *testing.T, mode string) (*exec.Cmd, func() string) {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), modeVariable+"="+mode)
		output, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, func() string {
			buffer := make([]byte, 64)
			n, err := output.Read(buffer)
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(string(buffer[:n]))
		}
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd, line := program(t, "polite")
			line()
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("ended with %v", err)
			}
		})
	}
	t.Run("the second one ends it", func(t *testing.T) {
		t.Parallel()
		cmd, line := program(t, "stubborn")
		line()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if got := line(); got != "still up" {
			t.Fatalf("says %q", got)
		}
		// The first signal is unhooked a moment after the context has ended, so the second may come too early once.
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = cmd.Process.Signal(syscall.SIGTERM)
			case err := <-ended:
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
					t.Errorf("ended with %v", err)
				}
				return
			}
		}
	})
}
