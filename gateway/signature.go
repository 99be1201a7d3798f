package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
	"sync"

	"github.com/openrabbit/openrabbit/internal/config"
)

const (
	signatureHeader = "X-Hub-Signature-256"
	signaturePrefix = "sha256="
)

// verifier knows the webhook's secrets. It keeps keyed hashes to use again, one pool a secret.
type verifier struct{ hashes []*sync.Pool }

func newVerifier(secrets []config.Secret) verifier {
	var v verifier
	for _, secret := range secrets {
		v.hashes = append(v.hashes, &sync.Pool{New: func() any { return hmac.New(sha256.New, []byte(secret.Reveal())) }})
	}
	return v
}

// claimed gives the signature that a request claims, in hexadecimal, when it has the form that GitHub gives it: one
// header, lower case. The older header with SHA-1 is not looked at.
func claimed(h http.Header) (string, bool) {
	values := h.Values(signatureHeader)
	if len(values) != 1 {
		return "", false
	}
	digits, ok := strings.CutPrefix(values[0], signaturePrefix)
	if !ok || len(digits) != 2*sha256.Size || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", false
	}
	return digits, true
}

// verify gives the index of the secret that signed the body, or -1. Every secret is tried, and each comparison takes the
// same time, so the time tells nothing about either.
func (v verifier) verify(signature string, b *body) int {
	signed := -1
	var sum [sha256.Size]byte
	var want [2 * sha256.Size]byte
	for i, pool := range v.hashes {
		mac := pool.Get().(hash.Hash)
		mac.Reset()
		b.hash(mac)
		hex.Encode(want[:], mac.Sum(sum[:0]))
		pool.Put(mac)
		if subtle.ConstantTimeCompare([]byte(signature), want[:]) == 1 && signed < 0 {
			signed = i
		}
	}
	return signed
}
