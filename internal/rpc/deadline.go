package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// serverBudget gives a handler less than the caller's time: what is kept back is for the way home, so that the caller
// hears which hop ran out of time instead of only noticing that its own time is over. The habit is Boulder's.
type serverBudget struct {
	hop string
	// without is what a unary call without a deadline gets; a stream without one is somebody watching.
	without time.Duration
}

// infrastructure says whether a method is gRPC's own: health and reflection have no work to refuse.
func infrastructure(method string) bool { return strings.HasPrefix(method, "/grpc.") }

// isHealth says whether a method asks for our health.
func isHealth(method string) bool { return strings.HasPrefix(method, "/grpc.health.v1.Health/") }

// start gives the handler's context, or a refusal.
func (b serverBudget) start(ctx context.Context, method string, stream bool) (context.Context, context.CancelFunc, error) {
	if infrastructure(method) {
		return ctx, func() {}, nil
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		if stream {
			return ctx, func() {}, nil
		}
		ctx, cancel := context.WithTimeout(ctx, b.without)
		return ctx, cancel, nil
	}
	left := time.Until(deadline)
	if left < returnMargin+minWork {
		return nil, nil, status.Errorf(codes.DeadlineExceeded, "%s: %s not begun: %s of the caller's time is left, and %s is kept for the answer",
			b.hop, method, left.Round(time.Millisecond), returnMargin)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(-returnMargin))
	return ctx, cancel, nil
}

// finish names the hop in the error of a handler that ran out of time.
func (b serverBudget) finish(ctx context.Context, method string, begun time.Time, err error) error {
	if err == nil || infrastructure(method) {
		return err
	}
	late := errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded
	cancelled := errors.Is(err, context.Canceled) && errors.Is(ctx.Err(), context.DeadlineExceeded)
	if !late && !cancelled {
		return err
	}
	return status.Errorf(codes.DeadlineExceeded, "%s: %s not done after %s: %s",
		b.hop, method, time.Since(begun).Round(time.Millisecond), messageOf(err))
}

// messageOf gives an error's text without gRPC's "rpc error: code = ..." in front.
func messageOf(err error) string {
	if s, ok := status.FromError(err); ok {
		return s.Message()
	}
	return err.Error()
}

func (b serverBudget) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	begun := time.Now()
	ctx, cancel, err := b.start(ctx, info.FullMethod, false)
	if err != nil {
		return nil, err
	}
	defer cancel()
	resp, err := handle(ctx, req)
	return resp, b.finish(ctx, info.FullMethod, begun, err)
}

func (b serverBudget) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	begun := time.Now()
	ctx, cancel, err := b.start(ss.Context(), info.FullMethod, true)
	if err != nil {
		return err
	}
	defer cancel()
	err = handle(srv, &streamWithContext{ServerStream: ss, ctx: ctx})
	return b.finish(ctx, info.FullMethod, begun, err)
}

// streamWithContext is a stream whose handler sees another context.
type streamWithContext struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *streamWithContext) Context() context.Context { return s.ctx }

// errNoDeadline refuses a call that could hang for ever, before it is sent: a mistake in our code.
func errNoDeadline(method string) error {
	return status.Errorf(codes.Internal, "call %s: the caller set no deadline", method)
}

// annotate adds which call to whom failed where the message alone would not say, keeping the code and the details.
func annotate(peer, method string, err error) error {
	s, ok := status.FromError(err)
	if !ok || (s.Code() != codes.DeadlineExceeded && s.Code() != codes.Unavailable) {
		return err
	}
	p := s.Proto()
	p.Message = fmt.Sprintf("call %s %s: %s", peer, method, s.Message())
	return status.FromProto(p).Err()
}
