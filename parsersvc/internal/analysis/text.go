//go:build cgo

package analysis

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// text is a file's content with its lines. It ends with a newline, also where the file doesn't: some grammars miss it
// there. Ranges are the file's.
type text struct {
	content []byte
	// size is the file's.
	size int
	// starts are the offsets of the lines, and last the line that was asked for last: what is asked for next is near.
	starts []uint32
	last   int
	// all is the content again, of which names are parts, and valid whether it is UTF-8.
	all   string
	valid bool
}

func newText(content []byte) *text {
	size := len(content)
	if size > 0 && content[size-1] != '\n' {
		content = append(content[:size:size], '\n')
	}
	t := &text{
		content: content, size: size, starts: make([]uint32, 1, 1+bytes.Count(content, []byte{'\n'})),
		all: unsafe.String(unsafe.SliceData(content), len(content)), valid: utf8.Valid(content),
	}
	for at := 0; ; {
		i := bytes.IndexByte(content[at:], '\n')
		if i < 0 {
			return t
		}
		at += i + 1
		t.starts = append(t.starts, uint32(at))
	}
}

// CountLines gives the number of lines of a text: a last one without an end counts, an empty one after the end doesn't.
func CountLines(content []byte) int {
	n := bytes.Count(content, []byte{'\n'})
	if len(content) > 0 && content[len(content)-1] != '\n' {
		n++
	}
	return n
}

// line gives the 1-based line of an offset. What lies after the last byte, as a missing token may, is on its line.
func (t *text) line(at uint32) int {
	if n := uint32(len(t.content)); at >= n && n > 0 {
		at = n - 1
	}
	for range 2 {
		if t.starts[t.last] <= at && (t.last+1 == len(t.starts) || at < t.starts[t.last+1]) {
			return t.last + 1
		}
		if t.last+1 == len(t.starts) || at < t.starts[t.last] {
			break
		}
		t.last++
	}
	i, found := slices.BinarySearch(t.starts, at)
	if !found {
		i--
	}
	t.last = i
	return i + 1
}

// name gives a name, cut at its limit. It is a part of the content where that is UTF-8.
func (t *text) name(s span) string { return cut(t.string(s), maxName) }

// string gives a part of the content, in UTF-8.
func (t *text) string(s span) string {
	if t.valid {
		return t.all[s.start:s.end]
	}
	return strings.ToValidUTF8(s.string(t.content), "\uFFFD")
}

// folded is fold of a part of the content, which is most often a word that needs none.
func (t *text) folded(s span, limit int) string {
	if t.valid && int(s.end-s.start) <= limit && isWord(t.all[s.start:s.end]) {
		return t.all[s.start:s.end]
	}
	return fold(s.text(t.content), limit)
}

// isWord says whether a text is ASCII without white space.
func isWord(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (t *text) rangeOf(s span) syntax.Range {
	last := s.end
	if last > s.start {
		last--
	}
	return syntax.Range{
		StartLine: t.line(s.start), EndLine: t.line(last),
		StartByte: min(int(s.start), t.size), EndByte: min(int(s.end), t.size),
	}
}

// startsLine says whether nothing but white space stands before an offset on its line.
func (t *text) startsLine(at uint32) bool {
	start := t.starts[t.line(at)-1]
	return len(bytes.TrimSpace(t.content[start:at])) == 0
}

// follows says whether an offset stands right after a byte.
func (t *text) follows(at uint32, b byte) bool { return at > 0 && t.content[at-1] == b }

// maxSignature bounds a signature, in bytes.
const maxSignature = 512

// fold puts text on one line, white space folded, cut at a limit in bytes.
func fold(b []byte, limit int) string {
	// White space in excess of the limit is as good as none: what is cut is cut anyway.
	b = b[:min(len(b), 4*limit)]
	if isFolded(b) {
		return cut(string(b), limit)
	}
	s := strings.Join(strings.Fields(strings.ToValidUTF8(string(b), "\uFFFD")), " ")
	return cut(s, limit)
}

// isFolded says whether a text is ASCII with single blanks between its words and none around them.
func isFolded(b []byte) bool {
	blank := true
	for _, c := range b {
		if c < ' ' || c >= utf8.RuneSelf || c == ' ' && blank {
			return false
		}
		blank = c == ' '
	}
	return !blank || len(b) == 0
}

// cut shortens text to at most limit bytes, not inside a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xC0 == 0x80 {
		limit--
	}
	return s[:limit]
}
