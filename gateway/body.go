package gateway

import (
	"bytes"
	"errors"
	"hash"
	"io"
	"sync"
)

const (
	// segment is a piece of body memory; most deliveries fit into one.
	segment = 64 << 10
	// opening is what a request may have in memory without taking a segment, so that thousands of slow senders take none.
	opening = 4 << 10
)

// errNoRoom says that the bodies in memory are at their limit.
var errNoRoom = errors.New("no room for the body")

// bodies is the memory for bodies that nobody has verified yet. It is bounded; what does not fit is refused at once,
// since to wait while holding a part would let strangers hold all parts.
type bodies struct {
	room     chan struct{} // one value for each segment in use
	segments sync.Pool
	openings sync.Pool
}

func newBodies(memory int64) *bodies {
	return &bodies{
		room:     make(chan struct{}, max(1, memory/segment)),
		segments: sync.Pool{New: func() any { b := make([]byte, segment); return &b }},
		openings: sync.Pool{New: func() any { b := make([]byte, opening); return &b }},
	}
}

// body is what was read: in the opening alone, or in segments alone.
type body struct {
	from  *bodies
	first *[]byte
	parts []*[]byte
	size  int
}

// read reads to the end. The body must be released, after an error too.
func (b *bodies) read(r io.Reader) (*body, error) {
	got := &body{from: b, first: b.openings.Get().(*[]byte)}
	n, ended, err := fill(r, *got.first)
	got.size = n
	for err == nil && !ended {
		if err = got.grow(); err != nil {
			break
		}
		last := *got.parts[len(got.parts)-1]
		if len(got.parts) == 1 {
			copy(last, (*got.first)[:got.size])
		}
		n, ended, err = fill(r, last[got.size-(len(got.parts)-1)*segment:])
		got.size += n
	}
	return got, err
}

// fill reads until the buffer is full or the reader ends. io.ReadFull would not tell the end from a sender that left.
func fill(r io.Reader, buffer []byte) (n int, ended bool, err error) {
	for n < len(buffer) {
		read, err := r.Read(buffer[n:])
		n += read
		if errors.Is(err, io.EOF) {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

func (b *body) grow() error {
	select {
	case b.from.room <- struct{}{}:
		b.parts = append(b.parts, b.from.segments.Get().(*[]byte))
		return nil
	default:
		return errNoRoom
	}
}

// release gives the memory back; what bytes gave must not be used any more.
func (b *body) release() {
	b.from.openings.Put(b.first)
	for _, part := range b.parts {
		b.from.segments.Put(part)
		<-b.from.room
	}
	b.parts, b.first = nil, nil
}

// pieces gives the body in order.
func (b *body) pieces() [][]byte {
	if len(b.parts) == 0 {
		return [][]byte{(*b.first)[:b.size]}
	}
	all := make([][]byte, 0, len(b.parts))
	left := b.size
	for _, part := range b.parts {
		n := min(left, segment)
		all = append(all, (*part)[:n])
		left -= n
	}
	return all
}

func (b *body) hash(h hash.Hash) {
	for _, piece := range b.pieces() {
		_, _ = h.Write(piece) // a hash gives no error
	}
}

// bytes gives the body in one piece. Only a large one is copied, so ask after it was verified.
func (b *body) bytes() []byte {
	pieces := b.pieces()
	if len(pieces) == 1 {
		return pieces[0]
	}
	return bytes.Join(pieces, nil)
}
