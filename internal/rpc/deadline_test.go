package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestServerKeepsTimeForTheAnswer(t *testing.T) {
	t.Parallel()
	left := make(chan time.Duration, 1)
	conn := inMemory(t, ServerConfig{}, &echo{say: func(ctx context.Context, in string) (string, error) {
		deadline, ok := ctx.Deadline()
		if !ok {
			return "", errors.New("no deadline")
		}
		left <- time.Until(deadline)
		if in == "slow" {
			<-ctx.Done()
			return "", fmt.Errorf("ask the model: %w", ctx.Err())
		}
		return in, nil
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := sayWith(ctx, conn, "x"); err != nil {
		t.Fatal(err)
	}
	if got := <-left; got > 10*time.Second-returnMargin || got < 5*time.Second {
		t.Errorf("of 10 s the handler has %s", got)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	_, err := sayWith(ctx, conn, "slow")
	<-left
	// The words are the server's: they came before our own deadline.
	for _, want := range []string{"echosvc: /openrabbit.test.Echo/Say not done after", "ask the model"} {
		if status.Code(err) != codes.DeadlineExceeded || !strings.Contains(err.Error(), want) {
			t.Errorf("gave %v, want %q", err, want)
		}
	}
	if ctx.Err() != nil {
		t.Log("the answer came after the deadline: the machine is busy")
	}
}

func TestHopelessCallIsRefused(t *testing.T) {
	t.Parallel()
	budget := serverBudget{hop: "parsersvc", without: time.Minute}
	called := false
	handle := func(context.Context, any) (any, error) {
		called = true
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), returnMargin)
	defer cancel()
	_, err := budget.unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: sayMethod}, handle)
	if called || status.Code(err) != codes.DeadlineExceeded || !strings.HasPrefix(status.Convert(err).Message(), "parsersvc: "+sayMethod+" not begun: ") ||
		!strings.Contains(err.Error(), "50ms is kept for the answer") {
		t.Errorf("called: %v, gave %v", called, err)
	}
	// Health is asked with short deadlines, and costs nothing.
	if _, err := budget.unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: "/grpc.health.v1.Health/Check"}, handle); err != nil || !called {
		t.Errorf("health: called: %v, gave %v", called, err)
	}
}

func TestCallWithoutADeadline(t *testing.T) {
	t.Parallel()
	budget := serverBudget{hop: "gateway", without: time.Minute}
	_, err := budget.unary(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: sayMethod}, func(ctx context.Context, _ any) (any, error) {
		deadline, ok := ctx.Deadline()
		if left := time.Until(deadline); !ok || left > time.Minute || left < 50*time.Second {
			t.Errorf("a person's call has %s, %v", left, ok)
		}
		return nil, nil
	})
	if err != nil {
		t.Error(err)
	}
	conn := inMemory(t, ServerConfig{}, &echo{say: func(context.Context, string) (string, error) {
		t.Error("a call of ours without a deadline was sent")
		return "", nil
	}})
	if _, err := sayWith(t.Context(), conn, "x"); status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "the caller set no deadline") {
		t.Errorf("gave %v", err)
	}
	if _, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, chatMethod); status.Code(err) != codes.Internal {
		t.Errorf("a stream gave %v", err)
	}
}

// TestDeadlineNamesEachHop has a gateway that asks an orchestrator that asks a parser which is slow.
func TestDeadlineNamesEachHop(t *testing.T) {
	t.Parallel()
	parser := inMemory(t, ServerConfig{Name: "parsersvc"}, &echo{say: func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}})
	middle := inMemory(t, ServerConfig{Name: "orchestrator"}, &echo{say: sayThrough(parser)})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := sayWith(ctx, middle, "x")
	text := status.Convert(err).Message()
	inner, outer := strings.Index(text, "parsersvc: "), strings.Index(text, "orchestrator: ")
	if status.Code(err) != codes.DeadlineExceeded || outer < 0 || inner < outer {
		t.Errorf("gave %v", err)
	}
}

func sayThrough(next *grpc.ClientConn) func(context.Context, string) (string, error) {
	return func(ctx context.Context, in string) (string, error) { return sayWith(ctx, next, in) }
}

func TestOtherErrorsAreLeftAlone(t *testing.T) {
	t.Parallel()
	budget := serverBudget{hop: "parsersvc"}
	for _, err := range []error{nil, errors.New("plain"), status.Error(codes.NotFound, "no such file"), context.Canceled} {
		if got := budget.finish(t.Context(), sayMethod, time.Now(), err); !errors.Is(got, err) || (got == nil) != (err == nil) {
			t.Errorf("%v became %v", err, got)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if got := budget.finish(ctx, sayMethod, time.Now(), context.Canceled); status.Code(got) != codes.DeadlineExceeded {
		t.Errorf("a cancellation by our own deadline became %v", got)
	}
	detailed := status.New(codes.Unavailable, "full")
	withDetails, err := detailed.WithDetails(&message{Value: "detail"})
	if err != nil {
		t.Fatal(err)
	}
	if got := status.Convert(annotate("parsersvc", sayMethod, withDetails.Err())); len(got.Details()) != 1 || got.Message() != "call parsersvc "+sayMethod+": full" {
		t.Errorf("annotated: %v %v", got, got.Details())
	}
}
