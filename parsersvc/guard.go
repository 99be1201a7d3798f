package parsersvc

import (
	"bytes"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// Limits of a file, from what was measured of the grammars: a mebibyte of brackets takes half a gigabyte, a hundred
// kilobytes of NUL bytes half a minute, and one line of many megabytes is no source.
const (
	maxFileBytes = 1 << 20
	binaryBytes  = 8 << 10
	maxLineBytes = 20_000
)

// guard says of a file whether it may be parsed; if not, its status and one sentence.
func guard(content []byte) (syntax.Status, string) {
	switch {
	case len(content) > maxFileBytes:
		return syntax.StatusTooLarge, "it is larger than 1 MiB"
	case bytes.IndexByte(content[:min(len(content), binaryBytes)], 0) >= 0:
		return syntax.StatusBinary, "it has a NUL byte near its beginning"
	case longestLine(content) > maxLineBytes:
		return syntax.StatusTooLarge, "it has a line of more than 20,000 bytes"
	default:
		return syntax.StatusOK, ""
	}
}

// longestLine gives the length of the longest line in bytes, without its end.
func longestLine(content []byte) int {
	longest := 0
	for len(content) > 0 {
		i := bytes.IndexByte(content, '\n')
		if i < 0 {
			return max(longest, len(content))
		}
		longest = max(longest, i)
		content = content[i+1:]
	}
	return longest
}
