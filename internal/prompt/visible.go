package prompt

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible writes characters that a reader does not see as ⟦U+202E⟧: text in them is read by a model and by nobody
// else. Bytes that are no UTF-8 become U+FFFD. Tabs and newlines stay.
func Visible(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 64)
	var last rune
	for _, r := range s {
		if Hidden(r) || (joins(r) && !joinable(last)) {
			fmt.Fprintf(&b, "⟦U+%04X⟧", r)
		} else {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// mark is what Visible writes for a character.
var mark = regexp.MustCompile(`⟦U\+([0-9A-F]{4,6})⟧`)

// Restore gives back the characters of a text that Visible wrote, so that code a model quotes is found again.
func Restore(s string) string {
	if !strings.Contains(s, "⟦U+") {
		return s
	}
	return mark.ReplaceAllStringFunc(s, func(m string) string {
		n, err := strconv.ParseInt(mark.FindStringSubmatch(m)[1], 16, 32)
		if err != nil || !utf8.ValidRune(rune(n)) {
			return m
		}
		return string(rune(n))
	})
}

// Hidden says whether a character takes no room or turns the order of what is shown: controls, format characters,
// bidirectional marks, tags, fillers.
func Hidden(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case joins(r):
		return false // decided by what stands before
	case r == '\u115F' || r == '\u1160' || r == '\u3164' || r == '\uFFA0' || r == '\u034F' || r == '\u2800':
		return true // letters by their class, blank to the eye
	case r == '\u2028' || r == '\u2029':
		return true
	case r >= 0xE0000 && r <= 0xE0FFF:
		return true // tags and the supplementary variation selectors
	}
	return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r)
}

// joins says whether a character is part of the one before: joiners of emoji and of scripts, variation selectors.
func joins(r rune) bool {
	return r == '\u200C' || r == '\u200D' || (r >= 0xFE00 && r <= 0xFE0F)
}

// joinable says whether something may be joined to r: letters of scripts beyond Latin, and symbols.
func joinable(r rune) bool {
	return r > 0x02FF && !joins(r) && !Hidden(r) || r == '\uFE0F' || (r < 0x80 && strings.ContainsRune("#*0123456789", r)) || r == '©' || r == '®'
}

func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || (c < ' ' && c != '\n' && c != '\t') || c == 0x7F {
			return false
		}
	}
	return true
}
