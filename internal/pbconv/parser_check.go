package pbconv

import (
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// shape says of each field of a message, by its number, what it is; the zero value is a field that must not be there.
type shape []fieldShape

type fieldShape struct {
	kind  fieldKind
	inner shape
}

type fieldKind uint8

const (
	absent fieldKind = iota
	number
	text
	message
)

// analysisShape is that of what AppendAnalysis writes. TestShape compares it with the contract.
func analysisShape() shape {
	n, t := fieldShape{kind: number}, fieldShape{kind: text}
	of := func(fields ...fieldShape) fieldShape {
		return fieldShape{message, append(shape{{}}, fields...)}
	}
	lines := of(n, n, n, n)
	symbol := of(t, n, lines, lines, t, t, t, n, n, n, t, n, n)
	reference := of(t, n, t, n, lines, n)
	imports := of(t, t, t, lines)
	fault := of(lines, t)
	facts := of(t, t, n, t, symbol, reference, imports, fault, n, n, n)
	chunk := of(t, lines, t, t, t, n)
	return shape{{}, n, facts, chunk}
}

var errForged = errors.New("the answer is not of the shape that was agreed")

// Checker checks answers that are passed on unread. It is made once.
type Checker struct{ analysis shape }

// NewChecker gives a checker.
func NewChecker() *Checker { return &Checker{analysisShape()} }

// Answer is what the checker reads of an answer on its way.
type Answer struct {
	Language string
	Status   syntax.Status
}

// Check says whether bytes are the message AnalyzeFilesResponse with every field of its kind and every text valid, so
// that whoever gets it can read it. What the facts say is the maker's word.
func (c *Checker) Check(b []byte) (Answer, error) {
	if !fits(b, c.analysis) {
		return Answer{}, errForged
	}
	var out Answer
	for fields := (cursor{b: b}); fields.next(); {
		if fields.number != 2 {
			continue
		}
		for facts := fields.sub(); facts.next(); {
			switch facts.number {
			case 2:
				out.Language = string(facts.body)
			case 3:
				out.Status = FileStatusFromProto(parserv1.FileStatus(int32(facts.varint)))
			}
		}
	}
	if out.Status == "" {
		return Answer{}, errForged
	}
	return out, nil
}

// fits says whether bytes are a message of a shape.
func fits(b []byte, s shape) bool {
	for len(b) > 0 {
		// All numbers of fields are less than 16, so that a tag is one byte.
		tag := b[0]
		if tag>>3 >= byte(len(s)) || tag >= 0x80 {
			return false
		}
		field := &s[tag>>3]
		b = b[1:]
		switch protowire.Type(tag & 7) {
		case protowire.VarintType:
			if field.kind != number {
				return false
			}
			n := 0
			for n < len(b) && n < 10 && b[n] >= 0x80 {
				n++
			}
			if n == len(b) || n == 10 || n == 9 && b[n] > 1 {
				return false
			}
			b = b[n+1:]
		case protowire.BytesType:
			size, n := protowire.ConsumeVarint(b)
			if n < 0 || size > uint64(len(b)-n) {
				return false
			}
			body := b[n : n+int(size)]
			b = b[n+int(size):]
			switch field.kind {
			case text:
				if !utf8.Valid(body) {
					return false
				}
			case message:
				if !fits(body, field.inner) {
					return false
				}
			default:
				return false
			}
		default:
			return false
		}
	}
	return true
}
