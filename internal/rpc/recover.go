package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// errInternal is all that a caller hears of a panic: its value may hold a stranger's source code.
func errInternal() error { return status.Error(codes.Internal, "internal error") }

func recoverUnary(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (resp any, err error) {
		defer func() {
			if value := recover(); value != nil {
				logPanic(ctx, log, info.FullMethod, value)
				resp, err = nil, errInternal()
			}
		}()
		return handle(ctx, req)
	}
}

func recoverStream(log *slog.Logger) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
		defer func() {
			if value := recover(); value != nil {
				logPanic(ss.Context(), log, info.FullMethod, value)
				err = errInternal()
			}
		}()
		return handle(srv, ss)
	}
}

// logPanic logs where it happened, and what, when Go itself says so: any other value is only named by its type.
func logPanic(ctx context.Context, log *slog.Logger, method string, value any) {
	what := fmt.Sprintf("a value of type %T", value)
	if err, ok := value.(runtime.Error); ok {
		what = err.Error()
	}
	log.ErrorContext(ctx, "rpc handler panicked", telemetry.KeyMethod, method, "panic", what, "stack", string(debug.Stack()))
}
