package load

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Maker makes signed deliveries, each of another pull request, under another GUID, with another head. Making one costs
// a few microseconds: the text and the hash of what all have in common are kept. It may be used from several goroutines
// when each has numbers of its own.
type Maker struct {
	// run tells the deliveries of one run from another's.
	run    string
	secret []byte
	same   []byte
	// hashed is the state of the hash after the common part.
	hashed []byte
}

// NewMaker makes deliveries for a gateway with this secret; run is a word of lower case letters and digits.
func NewMaker(run, secret string) (*Maker, error) {
	m := &Maker{run: run, secret: []byte(secret), same: []byte(payload())}
	key := make([]byte, sha256.BlockSize)
	if len(m.secret) > len(key) {
		sum := sha256.Sum256(m.secret)
		copy(key, sum[:])
	} else {
		copy(key, m.secret)
	}
	inner := sha256.New()
	for i := range key {
		key[i] ^= 0x36
	}
	_, _ = inner.Write(key)
	_, _ = inner.Write(m.same)
	state, err := inner.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("keep the hash: %w", err)
	}
	m.hashed = state
	got, err := m.sign([]byte("x"))
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, m.secret)
	_, _ = mac.Write(append(append([]byte(nil), m.same...), 'x'))
	if want := hex.EncodeToString(mac.Sum(nil)); got != want {
		return nil, fmt.Errorf("the signature is %s, want %s", got, want)
	}
	return m, nil
}

// sign gives the HMAC of the common part and the rest.
func (m *Maker) sign(rest []byte) (string, error) {
	inner := sha256.New()
	if err := inner.(encoding.BinaryUnmarshaler).UnmarshalBinary(m.hashed); err != nil {
		return "", fmt.Errorf("go on with the hash: %w", err)
	}
	_, _ = inner.Write(rest)
	outer := sha256.New()
	key := make([]byte, sha256.BlockSize)
	if len(m.secret) > len(key) {
		sum := sha256.Sum256(m.secret)
		copy(key, sum[:])
	} else {
		copy(key, m.secret)
	}
	for i := range key {
		key[i] ^= 0x5c
	}
	_, _ = outer.Write(key)
	_, _ = outer.Write(inner.Sum(nil))
	return hex.EncodeToString(outer.Sum(nil)), nil
}

// Delivery is one request, in pieces that are sent one after the other.
type Delivery struct {
	GUID              string
	header, same, end []byte
}

// GUID names the nth delivery of the run.
func (m *Maker) GUID(n int) string { return m.run + "-" + strconv.Itoa(n) }

// Size is the size of a body, in bytes.
func (m *Maker) Size() int { return len(m.same) + len(rest(firstNumber, headOf(0))) }

// firstNumber makes all numbers of the same length.
const firstNumber = 1_000_000

func headOf(n int) string { return fmt.Sprintf("%040x", uint64(n)*0x9e3779b97f4a7c15) }

// Make gives the nth delivery of the run; under is another GUID than its own, for a replay, or empty.
func (m *Maker) Make(n int, under string) (Delivery, error) {
	end := []byte(rest(firstNumber+n, headOf(n)))
	signature, err := m.sign(end)
	if err != nil {
		return Delivery{}, err
	}
	if under == "" {
		under = m.GUID(n)
	}
	header := fmt.Appendf(nil, "POST /webhooks/github HTTP/1.1\r\nHost: gateway\r\nUser-Agent: GitHub-Hookshot/load\r\n"+
		"Accept: */*\r\nContent-Type: application/json\r\nX-GitHub-Delivery: %s\r\nX-GitHub-Event: pull_request\r\n"+
		"X-GitHub-Hook-ID: 1\r\nX-GitHub-Hook-Installation-Target-ID: 1\r\nX-GitHub-Hook-Installation-Target-Type: integration\r\n"+
		"X-Hub-Signature-256: sha256=%s\r\nContent-Length: %d\r\n\r\n", under, signature, len(m.same)+len(end))
	return Delivery{GUID: under, header: header, same: m.same, end: end}, nil
}
