package diff

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Limits bound what Parse takes. A zero field means its default.
type Limits struct {
	// Files is the largest number of files, broken ones included. Default 10,000.
	Files int
	// Lines is the largest number of hunk lines in all; files beyond it are named as broken. Default 2,000,000.
	Lines int
	// LineBytes is the longest line; a file with a longer one is broken. Default 1 MiB.
	LineBytes int
	// Bytes is the largest input. Default 256 MiB.
	Bytes int64
}

// withDefaults fills the zero fields.
func (l Limits) withDefaults() Limits {
	if l.Files <= 0 {
		l.Files = 10_000
	}
	if l.Lines <= 0 {
		l.Lines = 2_000_000
	}
	if l.LineBytes <= 0 {
		l.LineBytes = 1 << 20
	}
	if l.Bytes <= 0 {
		l.Bytes = 256 << 20
	}
	return l
}

// lineReader gives the input line by line in memory that is bounded by the longest line allowed.
type lineReader struct {
	src      *bufio.Reader
	max      int
	left     int64 // bytes that may still be read
	long     []byte
	line     []byte // the last line, without its newline; valid until the next read
	number   int    // its 1-based number
	cut      bool   // it was longer than max and is cut there
	unread   bool
	finished error
}

func newLineReader(r io.Reader, l Limits) *lineReader {
	return &lineReader{src: bufio.NewReaderSize(r, 64<<10), max: l.LineBytes, left: l.Bytes}
}

// next moves to the next line. It gives false at the end of the input, and then finished says why: nil at a proper end.
func (r *lineReader) next() bool {
	if r.unread {
		r.unread = false
		return true
	}
	if r.finished != nil {
		return false
	}
	r.long, r.line, r.cut = r.long[:0], nil, false
	read := 0
	for {
		part, err := r.src.ReadSlice('\n')
		read += len(part)
		if r.left -= int64(len(part)); r.left < 0 {
			r.finished = fmt.Errorf("read diff: more bytes than allowed: %w", ErrTooLarge)
			return false
		}
		switch {
		case err == nil:
			part = part[:len(part)-1]
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			r.finished = io.EOF
			if read == 0 {
				return false
			}
		default:
			r.finished = fmt.Errorf("read diff: %w", err)
			return false
		}
		if room := r.max - len(r.long); len(part) > room {
			part, r.cut = part[:room], true
		}
		if err == nil && len(r.long) == 0 {
			r.line = part // the usual case: no copy
			break
		}
		r.long = append(r.long, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			r.line = r.long
			break
		}
	}
	r.number++
	return true
}

// back makes next give the same line again.
func (r *lineReader) back() { r.unread = true }

// err is nil when the input ended where it should.
func (r *lineReader) err() error {
	if errors.Is(r.finished, io.EOF) {
		return nil
	}
	return r.finished
}
