// Package wire is the protocol between parsersvc and its children: frames over a pipe, answers in the order of the
// requests. A request may be sent before the one in front of it is answered. Such a request has a token, a byte that is
// put into a second pipe of which both sides hold the end that is read: whoever reads the token has the request. The
// child reads it when it begins, the parent when it takes the request back; a child that finds none leaves the request
// out and answers nothing.
//
// A frame is a length of four bytes (big-endian, of what follows), one byte that says what it is, and a body. It
// promises that a length is compared with a limit before anything is allocated for it, and that memory grows with the
// bytes that really arrive: what a child says is not taken on trust.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Kind says what a frame is.
type Kind byte

// The kinds of frames. A child says Hello once, then answers every request with Answer, Last or Failed.
const (
	// Hello is a child's first frame; the body is its protocol version and what walls it has.
	Hello Kind = 1
	// Analyze and Check are requests; the body is a limit of time, a token and a message of the parser's contract.
	Analyze Kind = 2
	Check   Kind = 3
	// Answer is the answer; the body is a message of the parser's contract. Last is one too, and the child ends after
	// it because it has grown.
	Answer Kind = 4
	Last   Kind = 5
	// Failed is an answer without a message: the child could not do it, the body says why. It is our fault, not the
	// file's.
	Failed Kind = 6
)

// Version is that of this protocol. Parent and child are the same binary, so it only guards against mixing them up.
const Version = 2

// Limits on the body of a frame, in bytes.
const (
	// MaxRequest holds a file of a mebibyte, a replacement and what is around them.
	MaxRequest = 4 << 20
	// MaxAnswer is what fits into one message of the contract, with room for the envelope.
	MaxAnswer = 8<<20 - 64<<10
)

// Frame is one frame.
type Frame struct {
	Kind Kind
	Body []byte
}

// ErrTooLarge is a frame that says that it is larger than the limit.
var ErrTooLarge = errors.New("frame is larger than its limit")

const (
	// head is the length and the kind.
	head = 5
	// buffer is what a reader and a writer have each.
	buffer = 64 << 10
)

// Writer writes frames.
type Writer struct {
	w     *bufio.Writer
	limit int
}

// NewWriter gives a writer of frames with bodies up to limit bytes.
func NewWriter(w io.Writer, limit int) *Writer { return &Writer{bufio.NewWriterSize(w, buffer), limit} }

// Write sends a frame whose body is these parts one after the other.
func (w *Writer) Write(kind Kind, parts ...[]byte) error {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if size > w.limit {
		return fmt.Errorf("write frame of %d bytes: %w", size, ErrTooLarge)
	}
	var h [head]byte
	binary.BigEndian.PutUint32(h[:], uint32(1+size))
	h[4] = byte(kind)
	// An error of the writer stays, and Flush tells it.
	_, _ = w.w.Write(h[:])
	for _, p := range parts {
		_, _ = w.w.Write(p)
	}
	if err := w.w.Flush(); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// Reader reads frames.
type Reader struct {
	r     *bufio.Reader
	limit int
}

// NewReader gives a reader of frames with bodies up to limit bytes.
func NewReader(r io.Reader, limit int) *Reader { return &Reader{bufio.NewReaderSize(r, buffer), limit} }

// Read gives the next frame, or io.EOF when the other side has ended between two.
func (r *Reader) Read() (Frame, error) {
	var h [head]byte
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return Frame{}, io.EOF
		}
		return Frame{}, fmt.Errorf("read frame: %w", err)
	}
	length := binary.BigEndian.Uint32(h[:4])
	if length == 0 || uint64(length) > uint64(r.limit)+1 {
		return Frame{}, fmt.Errorf("read frame of %d bytes: %w", length, ErrTooLarge)
	}
	body, err := readGrowing(r.r, int(length)-1)
	if err != nil {
		return Frame{}, fmt.Errorf("read frame: %w", err)
	}
	return Frame{Kind(h[4]), body}, nil
}

// room is left behind a body for what its reader adds to it.
const room = 512

// readGrowing reads n bytes, allocating little more than twice what has arrived.
func readGrowing(r io.Reader, n int) ([]byte, error) {
	const step = 256 << 10
	body := make([]byte, 0, min(n, step)+room)
	for len(body) < n {
		if len(body) == cap(body) {
			grown := make([]byte, len(body), min(n, 2*cap(body))+room)
			copy(grown, body)
			body = grown
		}
		m, err := r.Read(body[len(body):min(n, cap(body))])
		body = body[:len(body)+m]
		if err != nil && len(body) < n {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return body, nil
}

// Request is the body of a request.
type Request struct {
	// Limit is how long the child may take, in whole milliseconds, of which it has one at least.
	Limit time.Duration
	// Token is what the child must read before it begins; 0 is none.
	Token byte
	// Message is one of the parser's contract.
	Message []byte
}

// requestHead is the limit and the token.
const requestHead = 5

// WriteRequest sends a request.
func (w *Writer) WriteRequest(kind Kind, r Request) error {
	var b [requestHead]byte
	binary.BigEndian.PutUint32(b[:], uint32(min(max(r.Limit.Milliseconds(), 1), 1<<31)))
	b[requestHead-1] = r.Token
	return w.Write(kind, b[:], r.Message)
}

// ParseRequest takes the body of a request apart.
func ParseRequest(body []byte) (Request, error) {
	if len(body) < requestHead {
		return Request{}, errors.New("request has no limit of time")
	}
	return Request{
		Limit: time.Duration(binary.BigEndian.Uint32(body)) * time.Millisecond, Token: body[requestHead-1], Message: body[requestHead:],
	}, nil
}
