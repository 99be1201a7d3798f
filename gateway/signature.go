package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/openrabbit/openrabbit/internal/config"
)

const (
	signatureHeader = "X-Hub-Signature-256"
	signaturePrefix = "sha256="
)

// verifier knows the webhook's secrets.
type verifier struct{ secrets []config.Secret }

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
	for i, secret := range v.secrets {
		mac := hmac.New(sha256.New, []byte(secret.Reveal()))
		b.hash(mac)
		want := hex.EncodeToString(mac.Sum(nil))
		if subtle.ConstantTimeCompare([]byte(signature), []byte(want)) == 1 && signed < 0 {
			signed = i
		}
	}
	return signed
}
