//go:build linux && cgo

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/parsersvc"
)

// serve is the service's process: it takes the number of children, the group of processes that it is to be in ("" is none),
// and optionally processors to be pinned to, and prints its address.
func serve(ctx context.Context, args []string) error {
	children, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := quota(args[1]).join(); err != nil {
		return err
	}
	var processors []int
	for _, a := range args[2:] {
		n, err := strconv.Atoi(a)
		if err != nil {
			return err
		}
		processors = append(processors, n)
	}
	if len(processors) > 0 {
		if err := pin(processors...); err != nil {
			return err
		}
	}
	service, err := parsersvc.New(parsersvc.OwnProcess(parsersvc.Config{
		Addr: "127.0.0.1:0", AdminAddr: parsersvc.AdminOff, Children: children,
	}), parsersvc.Deps{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), Registry: prometheus.NewRegistry()})
	if err != nil {
		return err
	}
	// Whoever started us holds the other end of our stdin; when that goes, so do we.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return service.Run(ctx, func() { fmt.Println(service.Addr()) })
}

// server is a service's process as its starter sees it.
type server struct {
	cmd  *exec.Cmd
	in   io.Closer
	addr string
}

// start starts a service with so many children, on these processors or those of this process.
func start(ctx context.Context, children int, processors ...int) (*server, error) {
	return startIn(ctx, "", children, processors...)
}

// startIn is start in a group of processes.
func startIn(ctx context.Context, group quota, children int, processors ...int) (*server, error) {
	args := []string{"serve", strconv.Itoa(children), string(group)}
	for _, p := range processors {
		args = append(args, strconv.Itoa(p))
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = in.Close()
		return nil, errors.Join(errors.New("the service did not start"), cmd.Wait())
	}
	sv := &server{cmd, in, strings.TrimSpace(line)}
	sv.settle(ctx)
	return sv, nil
}

// settle waits until the service and its children do nothing: the spare child starts when the first is ready.
func (s *server) settle(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	const enough, most = 5, 250
	for quiet, n, before := 0, 0, s.parts(); quiet < enough && n < most && ctx.Err() == nil; n++ {
		<-tick.C
		now := s.parts()
		if p := now.minus(before); p.Service+p.Children > 0.001 {
			quiet = 0
		} else {
			quiet++
		}
		before = now
	}
}

func (s *server) stop() {
	_ = s.in.Close()
	_ = s.cmd.Wait()
}

// dial gives a client of services.
func dial(ctx context.Context, addresses ...string) (*grpc.ClientConn, parserv1.ParserServiceClient, error) {
	conn, err := rpc.Dial(strings.Join(addresses, ","), rpc.ClientConfig{Name: "parsersvc", WaitForReady: true})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, parserv1.NewParserServiceClient(conn), nil
}

// pids are those of the service's process and its children.
func (s *server) pids() []int {
	pids := []int{s.cmd.Process.Pid}
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", s.cmd.Process.Pid))
	for _, t := range tasks {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", s.cmd.Process.Pid, t.Name()))
		for _, f := range strings.Fields(string(children)) {
			if n, err := strconv.Atoi(f); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// resident gives the memory in use by the service's process and its children, in bytes: what they share counts once for
// each.
func (s *server) resident() int64 {
	var sum int64
	for _, pid := range s.pids() {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if f := strings.Fields(string(b)); len(f) > 1 {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			sum += n * int64(os.Getpagesize())
		}
	}
	return sum
}
