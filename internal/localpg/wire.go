//go:build unix

package localpg

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// This file speaks as much of Postgres's protocol (version 3.0) as it takes to ask whether the server is ready and to
// make the database. A driver would be another owner of pgx, for two messages.

const (
	protocolVersion = 3 << 16
	// maxMessage bounds a reply; an error has a few hundred bytes.
	maxMessage = 1 << 20

	codeDuplicateDatabase = "42P04"
	codeNoSuchDatabase    = "3D000"
	codeStarting          = "57P03"
)

// serverError is an answer of the server itself.
type serverError struct{ code, message string }

func (e *serverError) Error() string { return fmt.Sprintf("%s (SQLSTATE %s)", e.message, e.code) }

func (e *serverError) starting() bool { return e.code == codeStarting }

// ensureDatabase returns nil when the database can be opened, and makes it when it is not there.
func ensureDatabase(ctx context.Context, socket string) error {
	err := query(ctx, socket, database, "")
	var refused *serverError
	if !errors.As(err, &refused) || refused.code != codeNoSuchDatabase {
		return err
	}
	err = query(ctx, socket, "postgres", "CREATE DATABASE "+database)
	if errors.As(err, &refused) && refused.code == codeDuplicateDatabase {
		return nil
	}
	return err
}

// query opens a database and runs one statement, if there is one.
func query(ctx context.Context, socket, db, sql string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(startTimeout)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	startup := binary.BigEndian.AppendUint32(nil, protocolVersion)
	for _, text := range []string{"user", role, "database", db, ""} {
		startup = append(append(startup, text...), 0)
	}
	if err := send(conn, 0, startup); err != nil {
		return err
	}
	if err := untilReady(conn); err != nil {
		return err
	}
	if sql != "" {
		if err := send(conn, 'Q', append([]byte(sql), 0)); err != nil {
			return err
		}
		if err := untilReady(conn); err != nil {
			return err
		}
	}
	return send(conn, 'X', nil)
}

// send writes a message; the first one of a connection has no kind.
func send(w io.Writer, kind byte, body []byte) error {
	var message []byte
	if kind != 0 {
		message = append(message, kind)
	}
	message = binary.BigEndian.AppendUint32(message, uint32(len(body)+4))
	_, err := w.Write(append(message, body...))
	return err
}

// untilReady reads up to ReadyForQuery, or to an error.
func untilReady(r io.Reader) error {
	var header [5]byte
	for {
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return err
		}
		size := binary.BigEndian.Uint32(header[1:])
		if size < 4 || size > maxMessage {
			return fmt.Errorf("a message of %d bytes", size)
		}
		body := make([]byte, size-4)
		if _, err := io.ReadFull(r, body); err != nil {
			return err
		}
		switch header[0] {
		case 'Z':
			return nil
		case 'E':
			return parseError(body)
		case 'R':
			if len(body) < 4 || binary.BigEndian.Uint32(body) != 0 {
				return &serverError{message: "the server asks for a password"}
			}
		}
	}
}

// parseError reads the fields of an ErrorResponse: a letter, a text, a NUL, until a NUL.
func parseError(body []byte) error {
	e := &serverError{message: "an error without a text"}
	for len(body) > 1 {
		kind := body[0]
		text := body[1:]
		end := 0
		for end < len(text) && text[end] != 0 {
			end++
		}
		switch kind {
		case 'C':
			e.code = string(text[:end])
		case 'M':
			e.message = string(text[:end])
		}
		body = text[min(end+1, len(text)):]
	}
	return e
}
