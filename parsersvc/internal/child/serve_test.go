package child

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/parsersvc/internal/wire"
)

// echo answers with what it was asked.
type echo struct{}

func (echo) Handle(_ wire.Kind, _ time.Duration, message []byte) ([]byte, error) { return message, nil }

// A request that has a token is answered when its token is there, and left out when it was taken back. A token that comes
// before its request stays in hand.
func TestTokens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// requests are the tokens of what is asked, pipe those that are there when the child looks.
		requests []byte
		pipe     string
		want     string
	}{
		{"none has one", []byte{0, 0, 0}, "", "0 1 2"},
		{"all are there", []byte{0, 1, 2}, "\x01\x02", "0 1 2"},
		{"taken back", []byte{0, 1, 0, 2}, "\x00\x02", "0 2 3"},
		{"the next is there already", []byte{0, 1, 0, 2, 0}, "\x02", "0 2 3 4"},
		{"all taken back", []byte{1, 2, 0}, "", "2"},
	} {
		var in, out bytes.Buffer
		w := wire.NewWriter(&in, wire.MaxRequest)
		for i, token := range c.requests {
			if err := w.WriteRequest(wire.Analyze, wire.Request{Limit: time.Minute, Token: token, Message: []byte{'0' + byte(i)}}); err != nil {
				t.Fatal(err)
			}
		}
		tokens := []byte(c.pipe)
		read := func() byte {
			if len(tokens) == 0 {
				return 0
			}
			token := tokens[0]
			tokens = tokens[1:]
			return token
		}
		if err := Serve(&in, &out, echo{}, Options{Token: read}); err != nil {
			t.Fatal(err)
		}
		var got []string
		frames := wire.NewReader(&out, wire.MaxAnswer)
		for f, err := frames.Read(); err == nil; f, err = frames.Read() {
			if f.Kind == wire.Answer {
				got = append(got, string(f.Body))
			}
		}
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: answers to %v, want %s", c.name, got, c.want)
		}
	}
}
