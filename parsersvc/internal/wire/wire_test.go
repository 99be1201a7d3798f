package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

func TestFramesSurviveThePipe(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var want []Frame
		var pipe bytes.Buffer
		for range rapid.IntRange(0, 5).Draw(t, "frames") {
			f := Frame{Kind(rapid.Byte().Draw(t, "kind")), bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, rapid.IntRange(0, 200_000).Draw(t, "size"))}
			if err := NewWriter(&pipe, MaxAnswer).Write(f.Kind, f.Body[:len(f.Body)/2], f.Body[len(f.Body)/2:]); err != nil {
				t.Fatal(err)
			}
			want = append(want, f)
		}
		r := NewReader(iotest.HalfReader(&pipe), MaxAnswer)
		for _, w := range want {
			got, err := r.Read()
			if err != nil || got.Kind != w.Kind || !bytes.Equal(got.Body, w.Body) {
				t.Fatalf("got kind %d, %d bytes, %v; want kind %d, %d bytes", got.Kind, len(got.Body), err, w.Kind, len(w.Body))
			}
		}
		if _, err := r.Read(); !errors.Is(err, io.EOF) {
			t.Fatalf("end: %v", err)
		}
	})
}

func TestSizesAreNotTakenOnTrust(t *testing.T) {
	t.Parallel()
	for _, length := range []uint32{0, 102, 1 << 31, 1<<32 - 1} {
		b := binary.BigEndian.AppendUint32(nil, length)
		_, err := NewReader(bytes.NewReader(append(b, 4, 1, 2, 3)), 100).Read()
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("length %d: %v", length, err)
		}
	}
	if err := NewWriter(io.Discard, 100).Write(Answer, make([]byte, 101)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("write: %v", err)
	}
	// A frame that ends early has never been given more room than what most answers take.
	b := binary.BigEndian.AppendUint32(nil, MaxAnswer)
	short := &meter{r: bytes.NewReader(append(b, make([]byte, 100)...))}
	if _, err := NewReader(short, MaxAnswer).Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short frame: %v", err)
	}
	if short.room > 257<<10 {
		t.Errorf("room for %d bytes after 105", short.room)
	}
}

// meter remembers the most that was asked of a reader at once.
type meter struct {
	r    io.Reader
	room int
}

func (m *meter) Read(p []byte) (int, error) {
	m.room = max(m.room, len(p))
	return m.r.Read(p)
}

func TestRequest(t *testing.T) {
	t.Parallel()
	through := func(r Request) (Request, error) {
		var pipe bytes.Buffer
		if err := NewWriter(&pipe, MaxRequest).WriteRequest(Analyze, r); err != nil {
			t.Fatal(err)
		}
		f, err := NewReader(&pipe, MaxRequest).Read()
		if err != nil || f.Kind != Analyze {
			t.Fatal(f.Kind, err)
		}
		return ParseRequest(f.Body)
	}
	r, err := through(Request{Limit: 1500 * time.Millisecond, Token: 255, Message: []byte("x")})
	if err != nil || r.Limit != 1500*time.Millisecond || r.Token != 255 || string(r.Message) != "x" {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := ParseRequest([]byte{1, 2, 3, 4}); err == nil {
		t.Error("a short request is taken")
	}
	if r, err := through(Request{Limit: -1}); err != nil || r.Limit != time.Millisecond || r.Token != 0 || len(r.Message) != 0 {
		t.Errorf("no time: %+v %v", r, err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 4, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b), 1000)
		for {
			frame, err := r.Read()
			if err != nil {
				return
			}
			if len(frame.Body) > 1000 {
				t.Fatalf("%d bytes", len(frame.Body))
			}
		}
	})
}
