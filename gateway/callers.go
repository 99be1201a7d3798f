package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/openrabbit/openrabbit/internal/config"
)

// callers decides who may call ReviewService. With TLS the server has let in only clients on its list.
type callers struct {
	token config.Secret
	tls   bool
}

// authorize gives the error for a caller who may not. Without a token and TLS only this machine can call at all.
func (c callers) authorize(ctx context.Context) error {
	if c.tls || c.token.IsZero() {
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get("authorization")
	if len(values) != 1 {
		return status.Error(codes.Unauthenticated, `send "authorization: Bearer …" with the token of OPENRABBIT_API_TOKEN`)
	}
	scheme, given, _ := strings.Cut(values[0], " ")
	got, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(c.token.Reveal()))
	if !strings.EqualFold(scheme, "bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return status.Error(codes.Unauthenticated, "the token is not the one of OPENRABBIT_API_TOKEN")
	}
	return nil
}
