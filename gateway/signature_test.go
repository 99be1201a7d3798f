package gateway

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"testing"
	"testing/iotest"

	"github.com/openrabbit/openrabbit/internal/config"
)

// Whatever the header and the bytes are: only the exact signature of the exact bytes is good, and what is read for
// hashing is what is handed on.
func FuzzSignature(f *testing.F) {
	const key = "key"
	sum := func(body []byte) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		return "sha256=" + hex.EncodeToString(mac.Sum(nil))
	}
	for _, body := range [][]byte{nil, []byte("{}"), bytes.Repeat([]byte("x"), opening), bytes.Repeat([]byte("y"), segment+1)} {
		f.Add(sum(body), body)
		f.Add("sha1=00", body)
	}
	v := newVerifier([]config.Secret{config.NewSecret("other"), config.NewSecret(key)})
	memory := newBodies(4 << 20)
	f.Fuzz(func(t *testing.T, header string, sent []byte) {
		read, err := memory.read(iotest.OneByteReader(bytes.NewReader(sent)))
		if err != nil {
			t.Fatal(err)
		}
		defer read.release()
		if !bytes.Equal(read.bytes(), sent) {
			t.Fatalf("read %d bytes of %d", len(read.bytes()), len(sent))
		}
		claim, ok := claimed(http.Header{signatureHeader: {header}})
		good := ok && v.verify(claim, read) == 1
		if want := header == sum(sent); good != want {
			t.Fatalf("header %q: %v, want %v", header, good, want)
		}
		// The decoder of forms takes any bytes, too.
		payload, err := formPayload(append([]byte("payload="+url.QueryEscape(string(sent))+"&x="), bytes.ReplaceAll(sent, []byte("&"), nil)...))
		if err != nil || !bytes.Equal(payload, sent) {
			t.Fatalf("the form's payload: %q, %v", payload, err)
		}
		_, _ = formPayload(sent)
	})
}

func TestBodiesOfEverySize(t *testing.T) {
	t.Parallel()
	memory := newBodies(3 * segment)
	for _, size := range []int{0, 1, opening - 1, opening, opening + 1, segment - 1, segment, segment + 1, 2*segment - 1} {
		sent := bytes.Repeat([]byte("ab\ncdefg"), size/8+1)[:size]
		for range 20 { // pieces are used again
			read, err := memory.read(bytes.NewReader(sent))
			if err != nil || !bytes.Equal(read.bytes(), sent) {
				t.Fatalf("%d bytes: read %d, %v", size, len(read.bytes()), err)
			}
			read.release()
		}
	}
	full, err := memory.read(io.LimitReader(neverEnding{}, 100*segment))
	if err != errNoRoom { //nolint:errorlint // This very error.
		t.Errorf("more than there is room for: %v", err)
	}
	full.release()
	if held := len(memory.room); held != 0 {
		t.Errorf("%d segments were not given back", held)
	}
	broken, err := memory.read(io.MultiReader(bytes.NewReader(make([]byte, opening+5)), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if err == nil {
		t.Error("a body that was cut is taken for whole")
	}
	broken.release()
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }
