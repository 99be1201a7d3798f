package pbconv

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// errMalformed is a message that is none.
var errMalformed = errors.New("malformed message")

// ReadAnalysis reads the message AnalyzeFilesResponse: what proto.Unmarshal and AnalysisFromProto would give, without a
// message in between. Texts share one copy of the message's bytes.
func ReadAnalysis(b []byte) (id uint64, a syntax.Analysis, err error) {
	r := analysisReader{text: string(b)}
	fields := cursor{b: b}
	for fields.next() {
		switch fields.number {
		case 1:
			id = fields.varint
		case 2:
			r.facts(&a.Facts, fields.sub())
		case 3:
			a.Chunks = append(a.Chunks, r.chunk(fields.sub()))
		}
	}
	if fields.bad || r.bad {
		return 0, syntax.Analysis{}, fmt.Errorf("read analysis: %w", errMalformed)
	}
	// An index of a symbol that does not exist becomes -1, and a parent stands before its children: nobody need check.
	f := &a.Facts
	for i := range f.Symbols {
		if p := f.Symbols[i].Parent; p < 0 || p >= i {
			f.Symbols[i].Parent = -1
		}
	}
	for i := range f.References {
		if e := f.References[i].Enclosing; e < 0 || e >= len(f.Symbols) {
			f.References[i].Enclosing = -1
		}
	}
	return id, a, nil
}

// cursor goes through the fields of a message. After next, varint or body has the field's value.
type cursor struct {
	b []byte
	// at is where b begins in the whole message.
	at     int
	number int
	varint uint64
	body   []byte
	bodyAt int
	bad    bool
}

// next gives the next field that is a number or has a length; others are passed over.
func (c *cursor) next() bool {
	for len(c.b) > 0 && !c.bad {
		number, kind, n := protowire.ConsumeTag(c.b)
		if n < 0 {
			break
		}
		c.skip(n)
		c.number, c.varint, c.body = int(number), 0, nil
		switch kind {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(c.b)
			if n < 0 {
				c.bad = true
				return false
			}
			c.varint = v
			c.skip(n)
			return true
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(c.b)
			if n < 0 {
				c.bad = true
				return false
			}
			c.body, c.bodyAt = v, c.at+n-len(v)
			c.skip(n)
			return true
		default:
			n := protowire.ConsumeFieldValue(number, kind, c.b)
			if n < 0 {
				c.bad = true
				return false
			}
			c.skip(n)
		}
	}
	c.bad = c.bad || len(c.b) > 0
	return false
}

func (c *cursor) skip(n int) { c.b, c.at = c.b[n:], c.at+n }

// sub gives a cursor over the field that is a message.
func (c *cursor) sub() cursor { return cursor{b: c.body, at: c.bodyAt} }

// analysisReader reads the messages in an analysis.
type analysisReader struct {
	// text is the whole message, of which all texts are parts.
	text string
	bad  bool
}

func (r *analysisReader) string(c *cursor) string {
	s := r.text[c.bodyAt : c.bodyAt+len(c.body)]
	if !utf8.ValidString(s) {
		r.bad = true
	}
	return s
}

func (r *analysisReader) facts(f *syntax.Facts, c cursor) {
	var symbols, references int
	for count := c; count.next(); {
		switch count.number {
		case 5:
			symbols++
		case 6:
			references++
		}
	}
	f.Symbols, f.References = slices.Grow(f.Symbols, symbols), slices.Grow(f.References, references)
	for c.next() {
		switch c.number {
		case 1:
			f.Path = r.string(&c)
		case 2:
			f.Language = r.string(&c)
		case 3:
			f.Status = FileStatusFromProto(parserv1.FileStatus(int32(c.varint)))
		case 4:
			f.Detail = r.string(&c)
		case 5:
			f.Symbols = append(f.Symbols, r.symbol(c.sub()))
		case 6:
			f.References = append(f.References, r.reference(c.sub()))
		case 7:
			f.Imports = append(f.Imports, r.importOf(c.sub()))
		case 8:
			f.Errors = append(f.Errors, r.syntaxError(c.sub()))
		case 9:
			f.Generated = c.varint != 0
		case 10:
			f.Vendored = c.varint != 0
		case 11:
			f.Lines = int(uint32(c.varint))
		}
	}
	r.bad = r.bad || c.bad
}

func (r *analysisReader) rangeOf(c cursor) syntax.Range {
	var out syntax.Range
	for c.next() {
		n := int(uint32(c.varint))
		switch c.number {
		case 1:
			out.StartLine = n
		case 2:
			out.EndLine = n
		case 3:
			out.StartByte = n
		case 4:
			out.EndByte = n
		}
	}
	r.bad = r.bad || c.bad
	return out
}

func (r *analysisReader) symbol(c cursor) syntax.Symbol {
	var s syntax.Symbol
	for c.next() {
		switch c.number {
		case 1:
			s.Name = r.string(&c)
		case 2:
			s.Kind = SymbolKindFromProto(parserv1.SymbolKind(int32(c.varint)))
		case 3:
			s.Range = r.rangeOf(c.sub())
		case 4:
			s.NameRange = r.rangeOf(c.sub())
		case 5:
			s.Container = r.string(&c)
		case 6:
			s.Signature = r.string(&c)
		case 7:
			s.Parameters = append(s.Parameters, r.string(&c))
		case 8:
			s.MinArguments = int(int32(c.varint))
		case 9:
			s.MaxArguments = int(int32(c.varint))
		case 10:
			s.Exported = c.varint != 0
		case 11:
			s.Doc = r.string(&c)
		case 12:
			s.Test = c.varint != 0
		case 13:
			s.Parent = int(int32(c.varint))
		}
	}
	r.bad = r.bad || c.bad
	return s
}

func (r *analysisReader) reference(c cursor) syntax.Reference {
	var out syntax.Reference
	for c.next() {
		switch c.number {
		case 1:
			out.Name = r.string(&c)
		case 2:
			out.Kind = ReferenceKindFromProto(parserv1.ReferenceKind(int32(c.varint)))
		case 3:
			out.Receiver = r.string(&c)
		case 4:
			out.Arguments = int(int32(c.varint))
		case 5:
			out.Range = r.rangeOf(c.sub())
		case 6:
			out.Enclosing = int(int32(c.varint))
		}
	}
	r.bad = r.bad || c.bad
	return out
}

func (r *analysisReader) importOf(c cursor) syntax.Import {
	var out syntax.Import
	for c.next() {
		switch c.number {
		case 1:
			out.Module = r.string(&c)
		case 2:
			out.Alias = r.string(&c)
		case 3:
			out.Names = append(out.Names, r.string(&c))
		case 4:
			out.Range = r.rangeOf(c.sub())
		}
	}
	r.bad = r.bad || c.bad
	return out
}

func (r *analysisReader) syntaxError(c cursor) syntax.Error {
	var out syntax.Error
	for c.next() {
		switch c.number {
		case 1:
			out.Range = r.rangeOf(c.sub())
		case 2:
			out.Message = r.string(&c)
		}
	}
	r.bad = r.bad || c.bad
	return out
}

func (r *analysisReader) chunk(c cursor) syntax.Chunk {
	var out syntax.Chunk
	for c.next() {
		switch c.number {
		case 1:
			out.ID = r.string(&c)
		case 2:
			out.Range = r.rangeOf(c.sub())
		case 3:
			out.Header = r.string(&c)
		case 4:
			out.Text = r.string(&c)
		case 5:
			out.Symbol = r.string(&c)
		case 6:
			out.Tokens = int(uint32(c.varint))
		}
	}
	r.bad = r.bad || c.bad
	return out
}
