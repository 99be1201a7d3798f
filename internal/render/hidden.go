package render

import (
	"fmt"
	"strings"
	"unicode"
)

// hidden says whether a character is one that a reader does not see, or that changes the order of those he sees:
// controls, format characters (zero-width, bidirectional, the tags block), variation selectors, and letters without a
// shape. Newline and tab are not hidden.
func hidden(r rune) bool {
	switch {
	case r >= ' ' && r < 0x7F || r == '\n' || r == '\t':
		return false
	case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r):
		return true
	case unicode.Is(unicode.Variation_Selector, r):
		return true
	case r == '\u034F' || r == '\u115F' || r == '\u1160' || r == '\u17B4' || r == '\u17B5' || r == '\u2028' || r == '\u2029' ||
		r == '\u2800' || r == '\u3164' || r == '\uFFA0' || r >= 0xE0000 && r <= 0xE0FFF:
		return true
	}
	return false
}

// newlines makes the three kinds of line end one, and invalid UTF-8 visible.
func newlines(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if !strings.ContainsRune(s, '\r') {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// oneLine makes a text one line of about limit bytes at most, without hidden characters, and says when it was longer.
func oneLine(s string, limit int) string {
	whole := len(s) <= 4*limit
	s = strings.Join(strings.Fields(stripped(newlines(cutAt(s, 4*limit)))), " ")
	if whole && len(s) <= limit {
		return s
	}
	return strings.TrimRight(cutAt(s, limit), " ") + "…"
}

// stripped leaves the hidden characters of prose out. The joiners that some scripts are spelled with stay between
// letters of such a script. No letter carries more than a few marks.
func stripped(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	var last rune
	marks := 0
	for _, r := range s {
		switch {
		case r > ' ' && r < 0x7F:
			marks = 0
		case r == '\u200C' || r == '\u200D':
			if last <= 0x02FF || !unicode.IsLetter(last) && !unicode.IsMark(last) {
				continue
			}
		case hidden(r):
			continue
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
			if marks++; marks > 4 {
				continue
			}
		case r == '\t' || unicode.Is(unicode.Zs, r):
			r, marks = ' ', 0
		default:
			marks = 0
		}
		b.WriteRune(r)
		last = r
	}
	return b.String()
}

// shown writes the hidden characters of code so that they are seen, as [U+202E]: code is not changed in silence.
func shown(s string) string {
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			fmt.Fprintf(&b, "[U+%04X]", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
