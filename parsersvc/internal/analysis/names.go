//go:build cgo

package analysis

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// plainName gives a definition's name as a reader means it: a name that is written as a string without its quotes, a
// symbol of Ruby's without its colon, and escapes read, which JavaScript and Java allow in identifiers too.
func plainName(name string) string {
	if len(name) > 1 && name[0] == ':' {
		name = name[1:]
	}
	if n := len(name); n >= 2 && name[0] == name[n-1] && strings.IndexByte("\"'`", name[0]) >= 0 {
		name = name[1 : n-1]
	}
	if strings.IndexByte(name, '\\') < 0 {
		return name
	}
	var out strings.Builder
	for name != "" {
		i := strings.IndexByte(name, '\\')
		if i < 0 || i+1 == len(name) {
			out.WriteString(name)
			break
		}
		out.WriteString(name[:i])
		r, size := escape(name[i+1:])
		switch {
		case utf16.IsSurrogate(r):
			// Half a pair has no encoding; each of the three bytes that it would have is replaced.
			out.WriteString("\uFFFD\uFFFD\uFFFD")
		case r >= 0:
			out.WriteRune(r)
		}
		name = name[i+1+size:]
	}
	return out.String()
}

// escape reads what follows a backslash: the character it stands for (-1 for none) and how many bytes it takes.
func escape(s string) (rune, int) {
	switch s[0] {
	case 'n':
		return '\n', 1
	case 't':
		return '\t', 1
	case 'r':
		return '\r', 1
	case '\n':
		return -1, 1
	case 'x':
		if r, n := hex(s[1:], 2); n > 0 {
			return r, 1 + n
		}
	case 'u':
		if rest, ok := strings.CutPrefix(s, "u{"); ok {
			digits, _, closed := strings.Cut(rest, "}")
			if r, err := strconv.ParseUint(digits, 16, 32); closed && err == nil && r <= utf8.MaxRune {
				return rune(r), len("u{}") + len(digits)
			}
			return 'u', 1
		}
		r, n := hex(s[1:], 4)
		if n == 0 {
			return 'u', 1
		}
		if low, ok := strings.CutPrefix(s[1+n:], `\u`); ok && utf16.IsSurrogate(r) {
			if second, m := hex(low, 4); m > 0 {
				if pair := utf16.DecodeRune(r, second); pair != utf8.RuneError {
					return pair, 1 + n + 2 + m
				}
			}
		}
		return r, 1 + n
	}
	r, size := utf8.DecodeRuneInString(s)
	return r, size
}

// hex reads n hexadecimal digits.
func hex(s string, n int) (rune, int) {
	if len(s) < n {
		return 0, 0
	}
	r, err := strconv.ParseUint(s[:n], 16, 32)
	if err != nil {
		return 0, 0
	}
	return rune(r), n
}
