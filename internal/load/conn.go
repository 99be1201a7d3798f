package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// conn is one connection that is kept, as GitHub keeps its own. It speaks just enough HTTP to send a delivery and read
// the answer: net/http's client would cost the sender more than the gateway spends on the delivery.
type conn struct {
	addr string
	tcp  net.Conn
	in   *bufio.Reader
}

// send sends a delivery and gives the status and the body of the answer. After an error the next send connects anew.
func (c *conn) send(ctx context.Context, d Delivery, patience time.Duration) (status int, body []byte, err error) {
	if c.tcp == nil {
		var dialer net.Dialer
		if c.tcp, err = dialer.DialContext(ctx, "tcp", c.addr); err != nil {
			c.tcp = nil
			return 0, nil, fmt.Errorf("connect: %w", err)
		}
		c.in = bufio.NewReaderSize(c.tcp, 4<<10)
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := c.tcp.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, nil, fmt.Errorf("set deadline: %w", err)
	}
	pieces := net.Buffers{d.header, d.same, d.end}
	if _, err := pieces.WriteTo(c.tcp); err != nil {
		return 0, nil, fmt.Errorf("send: %w", err)
	}
	status, body, stays, err := readAnswer(c.in)
	if err != nil {
		return 0, nil, fmt.Errorf("read answer: %w", err)
	}
	if !stays {
		c.close()
	}
	return status, body, nil
}

func (c *conn) close() {
	if c.tcp != nil {
		_ = c.tcp.Close()
		c.tcp = nil
	}
}

var (
	lengthHeader     = []byte("content-length:")
	connectionHeader = []byte("connection:")
)

// readAnswer reads a status line, headers and a body of known length.
func readAnswer(in *bufio.Reader) (status int, body []byte, stays bool, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, nil, false, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, nil, false, errors.New("the status line is not HTTP/1.1's")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, false, errors.New("the status is no number")
	}
	length := -1
	stays = true
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0, nil, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		switch {
		case len(line) > len(lengthHeader) && bytes.EqualFold(line[:len(lengthHeader)], lengthHeader):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(lengthHeader):]))); err != nil {
				return 0, nil, false, errors.New("the length is no number")
			}
		case len(line) > len(connectionHeader) && bytes.EqualFold(line[:len(connectionHeader)], connectionHeader):
			stays = !bytes.Contains(bytes.ToLower(line), []byte("close"))
		}
	}
	if length < 0 && !stays { // an answer of the server itself, before the request was one
		return status, nil, false, nil
	}
	if length < 0 || length > 1<<20 {
		return 0, nil, false, errors.New("the answer has no usable length")
	}
	body = make([]byte, length)
	_, err = io.ReadFull(in, body)
	return status, body, stays, err
}
