package rpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// certificates are one side's, read again when a file of them changes. Files that are being replaced may not fit
// together for a moment: then the last good ones stay.
type certificates struct {
	files TLSFiles
	log   *slog.Logger

	mu       sync.Mutex
	stamps   [3]stamp
	cert     *tls.Certificate
	roots    *x509.CertPool
	complain bool
}

// stamp is what a file's change shows in.
type stamp struct {
	modified time.Time
	size     int64
}

func newCertificates(files TLSFiles, log *slog.Logger) (*certificates, error) {
	c := &certificates{files: files, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// current gives the certificate and the authorities to use in a handshake now.
func (c *certificates) current() (*tls.Certificate, *x509.CertPool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(); err != nil && c.complain {
		c.log.Error("new certificates cannot be used, the old ones stay", telemetry.KeyError, err.Error())
		c.complain = false
	}
	return c.cert, c.roots
}

// load reads the files if one has changed.
func (c *certificates) load() error {
	var stamps [3]stamp
	for i, path := range []string{c.files.CertFile, c.files.KeyFile, c.files.CAFile} {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("read certificates: %w", err)
		}
		stamps[i] = stamp{modified: info.ModTime(), size: info.Size()}
	}
	if stamps == c.stamps {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		return fmt.Errorf("read certificate %s: %w", c.files.CertFile, bareKeyError(err))
	}
	pem, err := os.ReadFile(c.files.CAFile)
	if err != nil {
		return fmt.Errorf("read authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("read authority %s: it holds no certificate", c.files.CAFile)
	}
	c.cert, c.roots, c.stamps, c.complain = &cert, roots, stamps, true
	return nil
}

// bareKeyError keeps what is wrong with a key pair; crypto/tls never puts key material into an error.
func bareKeyError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ErrNotExist
	}
	return err
}

func (c *certificates) serverConfig() *tls.Config {
	cert, roots := c.current()
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*cert},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
	}
}

func (c *certificates) clientConfig() *tls.Config {
	cert, roots := c.current()
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*cert}, RootCAs: roots}
}

// serverCredentials make each handshake with the certificates of that moment, and log what was refused.
type serverCredentials struct {
	files *certificates
	log   *slog.Logger
}

var _ credentials.TransportCredentials = (*serverCredentials)(nil)

// ServerHandshake greets one client.
func (c *serverCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secure, info, err := credentials.NewTLS(c.files.serverConfig()).ServerHandshake(conn)
	if err != nil {
		c.log.Warn("rpc connection refused", telemetry.KeyPeer, conn.RemoteAddr().String(), "reason", refusal(err))
	}
	return secure, info, err
}

// refusal says in words why a handshake failed.
func refusal(err error) string {
	var record tls.RecordHeaderError
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	switch text := err.Error(); {
	case errors.As(err, &record):
		return "the client does not speak TLS"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the client's certificate is expired or not valid yet"
	case errors.As(err, &authority):
		return "the client's certificate is signed by an authority that we don't know"
	case strings.Contains(text, "didn't provide a certificate"):
		return "the client has no certificate"
	default:
		return text
	}
}

// ClientHandshake is not for servers.
func (c *serverCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("server credentials are used by a client")
}

// Info describes the protocol.
func (c *serverCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone gives the same credentials: they share what is read from the files.
func (c *serverCredentials) Clone() credentials.TransportCredentials { return c }

// OverrideServerName is not for servers.
func (c *serverCredentials) OverrideServerName(string) error { return nil }

// clientCredentials make each handshake with the certificates of that moment.
type clientCredentials struct{ files *certificates }

var _ credentials.TransportCredentials = (*clientCredentials)(nil)

// ClientHandshake greets a server, in whose certificate authority is expected.
func (c *clientCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(c.files.clientConfig()).ClientHandshake(ctx, authority, conn)
}

// ServerHandshake is not for clients.
func (c *clientCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("client credentials are used by a server")
}

// Info describes the protocol.
func (c *clientCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone gives the same credentials.
func (c *clientCredentials) Clone() credentials.TransportCredentials { return c }

// OverrideServerName is refused: the name is Dial's.
func (c *clientCredentials) OverrideServerName(string) error {
	return errors.New("the server's name is set by the configuration")
}

// guestList lets in the clients whose certificate carries one of the names. The handshake has proven the certificate.
type guestList struct {
	service string
	names   []string
}

func (g guestList) check(ctx context.Context, method string) error {
	if isHealth(method) {
		// Whoever we signed may ask whether we serve: else a client only hears that nobody does, and not why.
		return nil
	}
	var leaf *x509.Certificate
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(info.State.VerifiedChains) > 0 && len(info.State.PeerCertificates) > 0 {
			leaf = info.State.PeerCertificates[0]
		}
	}
	if leaf == nil {
		return status.Errorf(codes.Unauthenticated, "%s: %s needs a client certificate", g.service, method)
	}
	has := slices.Clone(leaf.DNSNames)
	for _, uri := range leaf.URIs {
		has = append(has, uri.String())
	}
	for _, name := range has {
		if slices.ContainsFunc(g.names, func(guest string) bool { return strings.EqualFold(guest, name) }) {
			return nil
		}
	}
	return status.Errorf(codes.PermissionDenied, "%s: the client named %q is not on the list of those who may call it", g.service, has)
}

func (g guestList) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := g.check(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return handle(ctx, req)
}

func (g guestList) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := g.check(ss.Context(), info.FullMethod); err != nil {
		return err
	}
	return handle(srv, ss)
}
