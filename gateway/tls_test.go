package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/openrabbit/openrabbit/gateway"
	"github.com/openrabbit/openrabbit/internal/config"
	reviewv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/review/v1"
	"github.com/openrabbit/openrabbit/internal/rpc"
)

// authority signs the certificates of a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign writes NAME.pem and NAME.key and gives both.
func (a *authority) sign(name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(a.dir, name+file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return signed, key
}

// files makes the certificate of a service.
func (a *authority) files(name string) rpc.TLSFiles {
	a.t.Helper()
	a.sign(name, &x509.Certificate{DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	return rpc.TLSFiles{CertFile: filepath.Join(a.dir, name+".pem"), KeyFile: filepath.Join(a.dir, name+".key"), CAFile: filepath.Join(a.dir, "ca.pem")}
}

// TestCallersNeedACertificate: with mutual TLS a listed certificate is enough, and nothing else is.
func TestCallersNeedACertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server := ca.files("gateway")
	w := newWorld(t, configured(func(c *gateway.Config) {
		c.Mesh.TLS, c.Clients, c.APIToken = server, []string{"script"}, config.NewSecret("token")
	}))
	call := func(creds credentials.TransportCredentials, token bool) error {
		t.Helper()
		conn, err := grpc.NewClient(w.gateway.GRPCAddr(), grpc.WithTransportCredentials(creds))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx := t.Context()
		if token {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer token")
		}
		_, err = reviewv1.NewReviewServiceClient(conn).ListReviews(ctx, &reviewv1.ListReviewsRequest{})
		return err
	}
	with := func(files rpc.TLSFiles) credentials.TransportCredentials {
		t.Helper()
		roots := x509.NewCertPool()
		roots.AddCert(ca.cert)
		c := &tls.Config{RootCAs: roots, ServerName: "gateway", MinVersion: tls.VersionTLS13}
		if files.CertFile != "" {
			pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
			if err != nil {
				t.Fatal(err)
			}
			c.Certificates = []tls.Certificate{pair}
		}
		return credentials.NewTLS(c)
	}
	if err := call(with(ca.files("script")), false); err != nil {
		t.Errorf("a client on the list: %v", err)
	}
	expectCode(t, "a client that is not on the list", call(with(ca.files("stranger")), true), codes.PermissionDenied)
	expectCode(t, "a client of another authority", call(with(newAuthority(t).files("script")), true), codes.Unavailable)
	expectCode(t, "a client without a certificate", call(with(rpc.TLSFiles{}), true), codes.Unavailable)
	_, err := w.reviews().ListReviews(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer token"), &reviewv1.ListReviewsRequest{})
	expectCode(t, "a client in the clear", err, codes.Unavailable)
}
