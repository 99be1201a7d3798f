package pbconv

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// AnalysisLimits are what the lists of an answer may take in bytes of the message.
type AnalysisLimits struct{ Symbols, References, Imports, Chunks int }

// cutDetail is what is said of an answer whose lists were cut.
const cutDetail = "it holds more than is listed"

// AppendAnalysis appends the message AnalyzeFilesResponse to b without its id: the bytes that AnalysisToProto and
// proto.Marshal would give, in an order of their own, without a message in between. A file has tens of thousands of
// references. A list that exceeds its limit is cut, and the status says so.
func AppendAnalysis(b []byte, a *syntax.Analysis, limits AnalysisLimits) []byte {
	f := &a.Facts
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	// The facts' length is known at the end; a varint may have leading zeros.
	at := len(b)
	b = append(b, 0, 0, 0, 0, 0)
	b, symbols := appendList(b, 5, f.Symbols, limits.Symbols, appendSymbol)
	b, references := appendList(b, 6, f.References, limits.References, func(b []byte, r *syntax.Reference) []byte {
		return appendReference(b, r, symbols)
	})
	b, imports := appendList(b, 7, f.Imports, limits.Imports, appendImport)
	for i := range f.Errors {
		b = appendMessage(b, 8, &f.Errors[i], appendSyntaxError)
	}
	status, detail, chunks := f.Status, f.Detail, chunksWithin(a.Chunks, limits.Chunks)
	if status == syntax.StatusOK && (symbols < len(f.Symbols) || references < len(f.References) || imports < len(f.Imports) || chunks < len(a.Chunks)) {
		status, detail = syntax.StatusPartial, cutDetail
	}
	b = appendString(b, 1, f.Path)
	b = appendString(b, 2, f.Language)
	b = appendUint(b, 3, uint64(FileStatusToProto(status)))
	b = appendString(b, 4, detail)
	b = appendBool(b, 9, f.Generated)
	b = appendBool(b, 10, f.Vendored)
	b = appendUint(b, 11, uint64(clampUint32(f.Lines)))
	size := len(b) - at - 5
	for i := range 4 {
		b[at+i] = byte(size>>(7*i)) | 0x80
	}
	b[at+4] = byte(size >> 28)
	for i := range chunks {
		b = appendMessage(b, 3, &a.Chunks[i], appendChunk)
	}
	return b
}

// AppendIdentity appends what says whose answer a message is. In protobuf's words it is merged with what stands before
// it, and what stands last wins: whoever made the message has no say in it.
func AppendIdentity(b []byte, id uint64, path string) []byte {
	// An id and a path must be written even when they are empty, to win.
	b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), id)
	path = valid(path)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(1+protowire.SizeBytes(len(path))))
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	return protowire.AppendString(b, path)
}

// IdentityBytes is what AppendIdentity takes at most for a path of this length.
func IdentityBytes(path int) int { return 24 + 3*path }

// appendList appends the elements of a list as long as they fit into the limit, and says how many did.
func appendList[T any](b []byte, field protowire.Number, list []T, limit int, element func([]byte, *T) []byte) ([]byte, int) {
	from := len(b)
	for i := range list {
		before := len(b)
		if b = appendMessage(b, field, &list[i], element); len(b)-from > limit {
			return b[:before], i
		}
	}
	return b, len(list)
}

// chunksWithin gives how many chunks fit into a limit.
func chunksWithin(chunks []syntax.Chunk, limit int) int {
	var scratch []byte
	size := 0
	for i := range chunks {
		scratch = appendMessage(scratch[:0], 3, &chunks[i], appendChunk)
		if size += len(scratch); size > limit {
			return i
		}
	}
	return len(chunks)
}

// appendMessage appends a message inside another. Most are shorter than 128 bytes, so that much room is left for the
// length; a longer one is moved.
func appendMessage[T any](b []byte, field protowire.Number, m *T, body func([]byte, *T) []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	at := len(b)
	b = body(append(b, 0), m)
	size := len(b) - at - 1
	if size < 0x80 {
		b[at] = byte(size)
		return b
	}
	var length [10]byte
	n := protowire.AppendVarint(length[:0], uint64(size))
	return slices.Replace(b, at, at+1, n...)
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), valid(s))
}

func appendUint(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

func appendInt(b []byte, field protowire.Number, n int) []byte {
	return appendUint(b, field, uint64(int64(clampInt32(n))))
}

func appendBool(b []byte, field protowire.Number, v bool) []byte {
	if !v {
		return b
	}
	return appendUint(b, field, 1)
}

func appendRangeFields(b []byte, r *syntax.Range) []byte {
	b = appendUint(b, 1, uint64(clampUint32(r.StartLine)))
	b = appendUint(b, 2, uint64(clampUint32(r.EndLine)))
	b = appendUint(b, 3, uint64(clampUint32(r.StartByte)))
	return appendUint(b, 4, uint64(clampUint32(r.EndByte)))
}

func appendRange(b []byte, field protowire.Number, r *syntax.Range) []byte {
	// Four numbers of 32 bits never reach 128 bytes.
	b = protowire.AppendTag(b, field, protowire.BytesType)
	at := len(b)
	b = appendRangeFields(append(b, 0), r)
	b[at] = byte(len(b) - at - 1)
	return b
}

func appendSymbol(b []byte, s *syntax.Symbol) []byte {
	b = appendString(b, 1, s.Name)
	b = appendUint(b, 2, uint64(SymbolKindToProto(s.Kind)))
	b = appendRange(b, 3, &s.Range)
	b = appendRange(b, 4, &s.NameRange)
	b = appendString(b, 5, s.Container)
	b = appendString(b, 6, s.Signature)
	for _, p := range s.Parameters {
		b = protowire.AppendString(protowire.AppendTag(b, 7, protowire.BytesType), valid(p))
	}
	b = appendInt(b, 8, s.MinArguments)
	b = appendInt(b, 9, s.MaxArguments)
	b = appendBool(b, 10, s.Exported)
	b = appendString(b, 11, s.Doc)
	b = appendBool(b, 12, s.Test)
	return appendInt(b, 13, s.Parent)
}

// appendReference appends a use of a name. What lies in a definition that was cut lies in none that is told of.
func appendReference(b []byte, r *syntax.Reference, symbols int) []byte {
	enclosing := r.Enclosing
	if enclosing >= symbols {
		enclosing = -1
	}
	b = appendString(b, 1, r.Name)
	b = appendUint(b, 2, uint64(ReferenceKindToProto(r.Kind)))
	b = appendString(b, 3, r.Receiver)
	b = appendInt(b, 4, r.Arguments)
	b = appendRange(b, 5, &r.Range)
	return appendInt(b, 6, enclosing)
}

func appendImport(b []byte, i *syntax.Import) []byte {
	b = appendString(b, 1, i.Module)
	b = appendString(b, 2, i.Alias)
	for _, n := range i.Names {
		b = protowire.AppendString(protowire.AppendTag(b, 3, protowire.BytesType), valid(n))
	}
	return appendRange(b, 4, &i.Range)
}

func appendSyntaxError(b []byte, e *syntax.Error) []byte {
	return appendString(appendRange(b, 1, &e.Range), 2, e.Message)
}

func appendChunk(b []byte, c *syntax.Chunk) []byte {
	b = appendString(b, 1, c.ID)
	b = appendRange(b, 2, &c.Range)
	b = appendString(b, 3, c.Header)
	b = appendString(b, 4, c.Text)
	b = appendString(b, 5, c.Symbol)
	return appendUint(b, 6, uint64(clampUint32(c.Tokens)))
}
