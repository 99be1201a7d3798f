// Package child is the inside of a parser child: a loop that answers one request after the other over stdin and stdout, behind
// walls that it puts up before it reads the first byte of anybody's code.
//
// It promises that what runs behind the walls can't open a file or a socket, start a program, touch another process, use
// more memory or processor time than it was given, or outlive the pipe it is fed by; where the system lacks a wall, the
// child's first frame says so. The parser's C code may do in there what it likes.
package child

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openrabbit/openrabbit/parsersvc/internal/wire"
)

// Marker is the first argument of a process that is a child.
const Marker = "parse-child"

// Handler does what a request asks for.
type Handler interface {
	// Handle gives the body of the answer, which is used until the next call. An error is the child's own fault, not the
	// file's.
	Handle(kind wire.Kind, limit time.Duration, message []byte) ([]byte, error)
}

// Limits are what a child may use.
type Limits struct {
	// Memory in bytes, of the heaps of Go and C together.
	Memory int64
}

// Args gives the arguments of a child's process, the program's name not among them.
func Args(marker string, l Limits) []string { return []string{marker, strconv.FormatInt(l.Memory, 10)} }

// parseArgs reads what Args gave, after the marker.
func parseArgs(args []string) (Limits, error) {
	if len(args) != 1 {
		return Limits{}, errors.New("a child has one argument")
	}
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil || n <= 0 {
		return Limits{}, fmt.Errorf("%q is no size", args[0])
	}
	return Limits{Memory: n}, nil
}

// Main is the whole life of a child: it puts up the walls, answers until its input ends, and gives the exit code. args
// are those after the marker.
func Main(args []string, h Handler) int {
	limits, err := parseArgs(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "parser child:", err)
		return 2
	}
	// One file at a time needs one processor. With two in name, Go's runtime finds one idle while C code runs and leaves
	// the other with it; with one it would look every 20 µs whether to take it away. What a file leaves behind is garbage whole,
	// and little of the heap is anything else: so it is collected by how much there is, and not each time that there is
	// half as much again.
	runtime.GOMAXPROCS(2)
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(limits.Memory / 4)
	out, err := claimStdout()
	if err != nil {
		fmt.Fprintln(os.Stderr, "parser child: claim stdout:", err)
		return 2
	}
	walls := putUpWalls(limits)
	if err := Serve(os.Stdin, out, h, Options{Walls: walls, Limits: limits}); err != nil {
		fmt.Fprintln(os.Stderr, "parser child:", err)
		return 1
	}
	return 0
}

// gcPercent lets the heap of a child grow to some 60 MB before it is collected.
const gcPercent = 600

// Options of Serve.
type Options struct {
	// Walls are told to the parent.
	Walls []string
	// Limits decide when a child that has grown ends; zero means never.
	Limits Limits
	// Token reads a token, or gives 0 when there is none. nil means from TokenPipe.
	Token func() byte
}

// TokenPipe is the descriptor that a child reads tokens from. It does not block.
const TokenPipe = 3

func readToken() byte {
	var b [1]byte
	for {
		n, err := syscall.Read(TokenPipe, b[:])
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil || n == 0:
			return 0
		default:
			return b[0]
		}
	}
}

// Serve answers requests until in ends, which is the good end.
func Serve(in io.Reader, out io.Writer, h Handler, o Options) error {
	if o.Token == nil {
		o.Token = readToken
	}
	w := wire.NewWriter(out, wire.MaxAnswer)
	if err := w.Write(wire.Hello, Greeting(o.Walls)); err != nil {
		return err
	}
	r := wire.NewReader(in, wire.MaxRequest)
	// inHand is a token whose request has not come yet: those before it were taken back.
	var inHand byte
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		req, err := wire.ParseRequest(f.Body)
		if err != nil {
			return err
		}
		if req.Token != 0 {
			if inHand == 0 {
				inHand = o.Token()
			}
			if inHand != req.Token {
				continue
			}
			inHand = 0
		}
		answer := respond(h, f.Kind, req)
		if answer.Kind == wire.Answer && o.Limits.Memory > 0 && peakMemory() > o.Limits.Memory/2 {
			answer.Kind = wire.Last
		}
		if err := w.Write(answer.Kind, answer.Body); err != nil {
			return err
		}
		if answer.Kind == wire.Last {
			return nil
		}
	}
}

// respond answers one request. A panic of ours is this request's failure only.
func respond(h Handler, kind wire.Kind, req wire.Request) (answer wire.Frame) {
	defer func() {
		if p := recover(); p != nil {
			answer = failed(fmt.Errorf("panic: %v", p))
		}
	}()
	limitProcessor(req.Limit)
	body, err := h.Handle(kind, req.Limit, req.Message)
	if err != nil {
		return failed(err)
	}
	if len(body) > wire.MaxAnswer {
		return failed(fmt.Errorf("the answer has %d bytes", len(body)))
	}
	return wire.Frame{Kind: wire.Answer, Body: body}
}

// failed is the answer that there is none. The reason is ours and short; it never holds the file's text.
func failed(err error) wire.Frame {
	reason := err.Error()
	return wire.Frame{Kind: wire.Failed, Body: []byte(strings.ToValidUTF8(reason[:min(len(reason), 300)], ""))}
}

// Greeting is the body of Hello.
func Greeting(walls []string) []byte {
	return fmt.Appendf(nil, "%d %s", wire.Version, strings.Join(walls, ","))
}

// ParseGreeting reads it.
func ParseGreeting(body []byte) (walls []string, err error) {
	version, rest, _ := strings.Cut(string(body[:min(len(body), 200)]), " ")
	if version != strconv.Itoa(wire.Version) {
		return nil, fmt.Errorf("child speaks version %q of the protocol, not %d", version, wire.Version)
	}
	if rest == "" {
		return nil, nil
	}
	return strings.Split(rest, ","), nil
}
