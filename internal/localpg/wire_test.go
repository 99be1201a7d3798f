//go:build unix

package localpg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

func message(kind byte, body string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)), body...)
}

func TestUntilReady(t *testing.T) {
	t.Parallel()
	ok := message('R', "\x00\x00\x00\x00")
	tests := map[string]struct {
		answer []byte
		code   string
		good   bool
	}{
		"ready":      {bytes.Join([][]byte{ok, message('S', "a\x00b\x00"), message('Z', "I")}, nil), "", true},
		"starting":   {message('E', "SFATAL\x00C57P03\x00Mthe database system is starting up\x00\x00"), codeStarting, false},
		"password":   {message('R', "\x00\x00\x00\x0a"), "", false},
		"short":      {ok[:3], "", false},
		"huge":       {[]byte{'S', 0xff, 0xff, 0xff, 0xff}, "", false},
		"too small":  {[]byte{'S', 0, 0, 0, 3}, "", false},
		"bare error": {message('E', "\x00"), "", false},
		"cut error":  {message('E', "C57P"), "57P", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := untilReady(bytes.NewReader(test.answer))
			if (err == nil) != test.good {
				t.Fatalf("gave %v", err)
			}
			var refused *serverError
			if errors.As(err, &refused) && refused.code != test.code {
				t.Errorf("code %q, want %q", refused.code, test.code)
			}
		})
	}
}

func FuzzUntilReady(f *testing.F) {
	f.Add(message('Z', "I"))
	f.Add(message('E', "SFATAL\x00C57P03\x00Mnot yet\x00\x00"))
	f.Add(append(message('R', "\x00\x00\x00\x00"), message('E', "C\x00")...))
	f.Fuzz(func(t *testing.T, answer []byte) {
		// Bytes of the other side never make it panic, and only a Z message is a yes.
		if err := untilReady(bytes.NewReader(answer)); err == nil && !bytes.ContainsRune(answer, 'Z') {
			t.Error("ready without the server saying so")
		}
	})
}
