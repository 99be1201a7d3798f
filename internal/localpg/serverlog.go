//go:build unix

package localpg

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
)

const (
	// maxLogBytes is after what a start puts the log aside, keeping one.
	maxLogBytes = 8 << 20
	// maxTailBytes bounds what of the log is read for an error.
	maxTailBytes = 64 << 10
)

// serverLog is the file that the server logs to: a pipe would end with us.
type serverLog struct {
	file *os.File
	// from is where the log of this attempt to start begins.
	from int64
}

func openLog(path string) (*serverLog, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogBytes {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	return &serverLog{file: file}, nil
}

// mark begins a new attempt.
func (l *serverLog) mark() {
	if info, err := l.file.Stat(); err == nil {
		l.from = info.Size()
	}
}

// written gives the end of what was logged since the mark.
func (l *serverLog) written() []byte {
	from := l.from
	if info, err := l.file.Stat(); err == nil {
		from = max(from, info.Size()-maxTailBytes)
	}
	content := make([]byte, maxTailBytes)
	n, err := l.file.ReadAt(content, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return content[:n]
}

func (l *serverLog) says(text string) bool { return bytes.Contains(l.written(), []byte(text)) }

// tail gives the last lines in one, for an error.
func (l *serverLog) tail() string {
	lines := strings.Split(strings.TrimSpace(string(l.written())), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}
