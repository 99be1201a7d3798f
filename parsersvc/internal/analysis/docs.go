//go:build cgo

package analysis

import (
	"bytes"
	"strings"
)

// docs finds the comment above a definition.
type docs struct {
	comments []span
	text     *text
	// ending has, for a line, the comment that ends on it and begins its own line.
	ending map[int]int
}

func newDocs(comments []span, t *text) *docs {
	d := &docs{comments: comments, text: t, ending: make(map[int]int, len(comments))}
	for i, c := range comments {
		if c.end > c.start && t.startsLine(c.start) {
			d.ending[t.rangeOf(c).EndLine] = i
		}
	}
	return d
}

// maxDocComments bounds how far up a block of line comments is followed.
const maxDocComments = 100

// above gives the text of the comments that end on the line before, without their marks.
func (d *docs) above(line int) string {
	var first, last span
	for n := range maxDocComments {
		i, ok := d.ending[line-1]
		if !ok {
			break
		}
		first = d.comments[i]
		if n == 0 {
			last = first
		}
		line = d.text.line(first.start)
	}
	if last.end <= first.start {
		return ""
	}
	// Between two comments of a block stands nothing but white space.
	return cleanComment(d.text.content[first.start:min(last.end, first.start+4*maxDoc)])
}

// cleanComment takes the marks of comments away.
func cleanComment(b []byte) string {
	var out []string
	for line := range strings.Lines(strings.ToValidUTF8(string(b), "\uFFFD")) {
		line = strings.TrimSpace(line)
		line = strings.TrimSuffix(line, "*/")
		for _, mark := range []string{"/**", "/*", "///", "//!", "//", "#!", "#", "--", ";;", "*"} {
			if rest, ok := strings.CutPrefix(line, mark); ok {
				line = rest
				break
			}
		}
		out = append(out, strings.TrimSpace(line))
	}
	return cut(strings.TrimSpace(strings.Join(out, "\n")), maxDoc)
}

// cleanDocstring takes the quotes and the common indentation of a docstring away.
func cleanDocstring(b []byte) string {
	b = b[:min(len(b), 4*maxDoc)]
	b = bytes.TrimLeft(b, "rRuUbBfF")
	s := strings.Trim(strings.ToValidUTF8(string(b), "\uFFFD"), "\"'")
	var out []string
	for line := range strings.Lines(s) {
		out = append(out, strings.TrimSpace(line))
	}
	return cut(strings.TrimSpace(strings.Join(out, "\n")), maxDoc)
}
