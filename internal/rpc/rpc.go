// Package rpc is how our services call each other over gRPC: one server and one client, set up the same everywhere.
//
// A server promises that it starts NOT_SERVING and says otherwise only when told; that off loopback it speaks mutual
// TLS with a list of the clients it lets in (or plaintext when that is said out loud), with certificates that may be
// replaced while it runs; that a handler has a deadline a little before the caller's, so that the answer names the hop
// that was slow; that a call which cannot finish is refused at once; that a panic is one failed call; and that stopping
// is bounded. A client promises that every call has a deadline, that calls go round all backends that say they serve,
// and that UNAVAILABLE, and nothing else, is tried again, up to four times in all, as declared in its service config.
package rpc

import (
	"errors"
	"net"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
)

const (
	// DefaultMaxMessageBytes is what a message may have in either direction. gRPC's own limits differ between the ends.
	DefaultMaxMessageBytes = 8 << 20

	// returnMargin is kept back of a caller's deadline, so that our answer is there before the caller gives up.
	returnMargin = 50 * time.Millisecond
	// minWork is the least time that a handler is started with.
	minWork = 10 * time.Millisecond

	defaultTimeout       = 2 * time.Minute
	defaultDrain         = 10 * time.Second
	defaultConnectionAge = 5 * time.Minute
	// defaultConnectionGrace is longer than any call of ours: what still runs after it is cut.
	defaultConnectionGrace = 3 * time.Minute

	// watchMargin is what watchers of health have to hear NOT_SERVING before their streams end.
	watchMargin = 100 * time.Millisecond

	handshakeTimeout = 10 * time.Second
	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 10 * time.Second
	keepaliveMinTime = 15 * time.Second
	maxStreams       = 1000
	// windowBytes is what a stream, and connWindowBytes what a connection, may have sent and not been read. gRPC begins
	// with 64 KiB, which one answer of the parser exceeds: its sender would wait for the reader in the middle of it.
	windowBytes       = 1 << 20
	connWindowBytes   = 4 << 20
	maxHeaderListSize = 64 << 10
)

// TLSFiles name the files of one side of mutual TLS, in PEM: our certificate, its key, and the authorities that sign
// the other side. All are set or none. They are read again when they change.
type TLSFiles struct{ CertFile, KeyFile, CAFile string }

// IsZero says whether none is set.
func (f TLSFiles) IsZero() bool { return f == TLSFiles{} }

func (f TLSFiles) validate() error {
	if !f.IsZero() && (f.CertFile == "" || f.KeyFile == "" || f.CAFile == "") {
		return errors.New("TLS needs a certificate, its key and an authority: only some of them are set")
	}
	return nil
}

// Mesh is what a process's servers and clients have in common.
type Mesh struct {
	TLS TLSFiles
	// Plaintext allows going without TLS off loopback, for a network that is private by other means.
	Plaintext bool
}

// MeshFromEnv reads OPENRABBIT_MESH_CERT_FILE, OPENRABBIT_MESH_KEY_FILE, OPENRABBIT_MESH_CA_FILE and
// OPENRABBIT_MESH_PLAINTEXT.
func MeshFromEnv(env *config.Env) Mesh {
	m := Mesh{
		TLS: TLSFiles{
			CertFile: env.String("OPENRABBIT_MESH_CERT_FILE", ""),
			KeyFile:  env.String("OPENRABBIT_MESH_KEY_FILE", ""),
			CAFile:   env.String("OPENRABBIT_MESH_CA_FILE", ""),
		},
		Plaintext: env.Bool("OPENRABBIT_MESH_PLAINTEXT", false),
	}
	if err := m.TLS.validate(); err != nil {
		env.Complain("OPENRABBIT_MESH_CERT_FILE", "%v", err)
	}
	if m.Plaintext && !m.TLS.IsZero() {
		env.Complain("OPENRABBIT_MESH_PLAINTEXT", "is set, and certificates too: choose one")
	}
	return m
}

// local says whether an address stays on this machine.
func local(network, address string) bool {
	if network == "unix" || network == "bufconn" {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	host, _, _ = strings.Cut(host, "%")
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// unixPath gives the path of unix:///path and unix:path.
func unixPath(address string) (string, bool) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return "", false
	}
	if rest, found := strings.CutPrefix(path, "//"); found {
		path = rest
	}
	return path, true
}
