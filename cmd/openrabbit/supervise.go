package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"syscall"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// child is a program that runs as a supervised child process: started again when it ends, ended with its parent.
type child struct {
	name string
	path string
	args []string
	// env is all that it gets: nothing of ours is inherited.
	env    []string
	output io.Writer
	log    *slog.Logger
	// conn is a connection to it, whose health says that it is ready.
	conn *grpc.ClientConn
}

// Pauses between restarts: doubled after each quick end, from the first after a run that lasted.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
	lasted     = 30 * time.Second
)

// Run keeps the child running until ctx ends; ready is called when it first says that it serves.
func (c *child) Run(ctx context.Context, ready func()) error {
	go func() {
		if c.waitServing(ctx) == nil {
			ready()
		}
	}()
	pause := firstPause
	for {
		start := time.Now()
		err := c.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(start) > lasted {
			pause = firstPause
		}
		c.log.Error("a child process ended; it is started again", "child", c.name, "error", err, "pause", pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

// once runs the child to its end. It ends when its standard input does, and that ends with this process, however this
// process ends; while we live we ask it with SIGTERM, and after a while with SIGKILL.
func (c *child) once(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = c.env, c.output, c.output
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start %s: %w", c.name, err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", c.name, err)
	}
	return cmd.Wait()
}

// waitServing waits until the child's health says SERVING. It asks often, and has the connection tried anew each time:
// left alone, that waits for a second after the first try, which comes before the child listens.
func (c *child) waitServing(ctx context.Context) error {
	client := healthpb.NewHealthClient(c.conn)
	for {
		call, cancel := context.WithTimeout(ctx, 5*time.Second)
		resp, err := client.Check(call, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(false))
		cancel()
		if err == nil && resp.GetStatus() == healthpb.HealthCheckResponse_SERVING {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
			c.conn.ResetConnectBackoff()
		}
	}
}
