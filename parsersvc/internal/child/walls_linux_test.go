package child

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openrabbit/openrabbit/parsersvc/internal/wire"
)

const markerPrisoner = "child-test-prisoner"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == markerPrisoner {
		os.Exit(Main(os.Args[2:], prisoner{}))
	}
	os.Exit(m.Run())
}

// prisoner tries to get out, as the message says.
type prisoner struct{}

func (prisoner) Handle(_ wire.Kind, _ time.Duration, message []byte) ([]byte, error) {
	try, rest, _ := strings.Cut(string(message), " ")
	switch try {
	case "read":
		_, err := os.ReadFile(rest)
		return nil, err
	case "write":
		return nil, os.WriteFile(rest, []byte("x"), 0o600)
	case "connect":
		conn, err := net.DialTimeout("tcp", rest, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return nil, err
	case "unix":
		_, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		return nil, err
	case "run":
		return nil, exec.Command(rest).Run()
	case "fork":
		pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno == 0 && pid == 0 {
			unix.Exit(0)
		}
		return nil, errnoError(errno)
	case "signal":
		return nil, syscall.Kill(os.Getppid(), syscall.SIGURG)
	case "thread-signal":
		return nil, unix.Tgkill(os.Getppid(), os.Getppid(), unix.SIGURG)
	case "limits":
		return nil, unix.Prlimit(os.Getppid(), unix.RLIMIT_NOFILE, nil, &unix.Rlimit{})
	case "raise":
		return nil, unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: 1 << 40, Max: 1 << 40})
	case "trace":
		return nil, unix.PtraceAttach(os.Getppid())
	case "environment":
		if env := os.Environ(); len(env) > 0 {
			return nil, fmt.Errorf("there are %d variables", len(env))
		}
		return nil, nil
	case "directory":
		_, err := os.ReadDir("/")
		return nil, err
	case "memory":
		var keep [][]byte
		for range 1024 {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = 1
			}
			keep = append(keep, b)
		}
		return nil, fmt.Errorf("got %d MiB", len(keep))
	case "spin":
		for { //nolint:staticcheck // spends processor time
		}
	case "print":
		fmt.Println("this is not a frame")
		return []byte("printed"), nil
	case "threads":
		// Threads, timers and garbage collection work behind the walls.
		done := make(chan int)
		for range 50 {
			go func() {
				<-time.After(time.Millisecond)
				done <- len(make([]byte, 1<<20))
			}()
		}
		total := 0
		for range 50 {
			total += <-done
		}
		return fmt.Append(nil, total), nil
	}
	return nil, fmt.Errorf("no such try %q", try)
}

func errnoError(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// prison is a prisoner's process.
type prison struct {
	in     *os.File
	frames *wire.Reader
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	walls  []string
}

func openPrison(t *testing.T) *prison {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, Args(markerPrisoner, Limits{Memory: memoryFactor * 256 << 20})...)
	cmd.Env = []string{}
	p := &prison{cmd: cmd, stderr: &bytes.Buffer{}}
	cmd.Stderr = p.stderr
	childIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout = childIn, childOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = childIn.Close(), childOut.Close()
	p.in, p.frames = in, wire.NewReader(out, wire.MaxAnswer)
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		_ = out.Close()
	})
	hello, err := p.frames.Read()
	if err != nil {
		t.Fatalf("no greeting: %v\n%s", err, p.stderr)
	}
	if p.walls, err = ParseGreeting(hello.Body); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *prison) try(t *testing.T, what string, limit time.Duration) (wire.Frame, error) {
	t.Helper()
	err := wire.NewWriter(p.in, wire.MaxRequest).WriteRequest(wire.Analyze, wire.Request{Limit: limit, Message: []byte(what)})
	if err != nil {
		t.Fatal(err)
	}
	return p.frames.Read()
}

func TestNothingGetsOut(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p := openPrison(t)
	for _, wall := range []string{"memory", "files", "core", "cpu", "syscalls"} {
		if !slices.Contains(p.walls, wall) {
			if wall == "syscalls" {
				t.Skip("this system has no filter of system calls")
			}
			t.Errorf("no wall %q among %q", wall, p.walls)
		}
	}
	file := t.TempDir() + "/file"
	for _, try := range []string{
		"read /etc/passwd", "read /proc/self/environ", "write " + file, "connect " + listener.Addr().String(), "unix",
		"run /bin/true", "fork", "signal", "thread-signal", "limits", "raise", "trace", "directory",
	} {
		f, err := p.try(t, try, time.Minute)
		if err != nil {
			t.Fatalf("%s: %v\n%s", try, err, p.stderr)
		}
		if f.Kind != wire.Failed || !strings.Contains(string(f.Body), "not permitted") {
			t.Errorf("%s: frame of kind %d: %s", try, f.Kind, f.Body)
		}
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
	for try, want := range map[string]string{"environment": "", "print": "printed", "threads": fmt.Sprint(50 << 20)} {
		f, err := p.try(t, try, time.Minute)
		if err != nil || (f.Kind != wire.Answer && f.Kind != wire.Last) || string(f.Body) != want {
			t.Fatalf("%s: frame of kind %d, %q, %v\n%s", try, f.Kind, f.Body, err, p.stderr)
		}
		if f.Kind == wire.Last {
			p = openPrison(t)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	if memoryFactor > 1 {
		t.Skip("with the race detector a child needs more than this test takes")
	}
	p := openPrison(t)
	if f, err := p.try(t, "memory", time.Minute); err == nil {
		t.Fatalf("it lives: frame of kind %d: %s", f.Kind, f.Body)
	}
	_ = p.cmd.Wait()
	if !strings.Contains(p.stderr.String(), "out of memory") {
		t.Errorf("it died of something else: %.300s", p.stderr)
	}
}

func TestProcessorTimeIsBounded(t *testing.T) {
	t.Parallel()
	p := openPrison(t)
	if f, err := p.try(t, "spin", time.Millisecond); err == nil {
		t.Fatalf("it lives: frame of kind %d: %s", f.Kind, f.Body)
	}
	_ = p.cmd.Wait()
	if used := p.cmd.ProcessState.UserTime(); used > 20*time.Second {
		t.Errorf("it used %s", used)
	}
}
