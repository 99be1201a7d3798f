package diff

import (
	"path"
	"strings"
)

// devNull is what a diff calls the side on which a file does not exist.
const devNull = "/dev/null"

// unquote reads a C-style quoted path at the start of s ("a/\303\244" in double quotes) and gives what follows it.
func unquote(s string) (name, rest string, ok bool) {
	if len(s) < 2 || s[0] != '"' {
		return "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			i++
			if i == len(s) {
				return "", "", false
			}
			if e := strings.IndexByte(escapeLetters, s[i]); e >= 0 {
				b.WriteByte(escapeBytes[e])
				continue
			}
			if i+2 >= len(s) || s[i] > '3' || !octal(s[i]) || !octal(s[i+1]) || !octal(s[i+2]) {
				return "", "", false
			}
			b.WriteByte((s[i]-'0')<<6 | (s[i+1]-'0')<<3 | (s[i+2] - '0'))
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// The escapes of git's quoting, letter for byte.
const (
	escapeLetters = `abtnvfr"\`
	escapeBytes   = "\a\b\t\n\v\f\r\"\\"
)

func octal(c byte) bool { return '0' <= c && c <= '7' }

// quote writes a path as git does by default: quoted when it has control characters, quotes, backslashes or bytes
// beyond ASCII.
func quote(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch e := strings.IndexByte(escapeBytes, c); {
		case e >= 0:
			b.WriteByte('\\')
			b.WriteByte(escapeLetters[e])
		case c < 0x20 || c >= 0x7f:
			b.Write([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// headerName reads the name on a ---, +++, rename or copy line: quoted, or up to a tab.
func headerName(s string) string {
	s = strings.TrimSuffix(s, "\r")
	if name, _, ok := unquote(s); ok {
		return name
	}
	name, _, _ := strings.Cut(s, "\t")
	return name
}

// splitPair takes two names of the same file apart, as they stand in "diff --git a/x b/x" or "Binary files a/x and b/x
// differ". Unquoted names may hold sep themselves; the names of one file have the same length, so the middle decides.
func splitPair(s, sep string) (first, second string, ok bool) {
	if strings.HasPrefix(s, `"`) {
		name, rest, ok := unquote(s)
		if rest, found := strings.CutPrefix(rest, sep); ok && found {
			if second, tail, ok := unquote(rest); ok {
				return name, second, tail == ""
			}
			return name, rest, true
		}
		return "", "", false
	}
	if strings.HasSuffix(s, `"`) {
		if i := strings.Index(s, sep+`"`); i >= 0 {
			if name, tail, ok := unquote(s[i+len(sep):]); ok && tail == "" {
				return s[:i], name, true
			}
		}
	}
	if mid := (len(s) - len(sep)) / 2; mid > 0 && s[mid:mid+len(sep)] == sep {
		first, second = s[:mid], s[mid+len(sep):]
		if _, ok := sameName(first, second); ok {
			return first, second, true
		}
	}
	if strings.Count(s, sep) == 1 {
		first, second, _ = strings.Cut(s, sep)
		return first, second, true
	}
	// Prefixes of different lengths move the middle: the one place where both sides name the same file is it.
	for at := 0; len(s) <= maxPair; at++ {
		i := strings.Index(s[at:], sep)
		if i < 0 {
			break
		}
		at += i
		if _, same := sameName(s[:at], s[at+len(sep):]); same {
			if ok {
				return "", "", false
			}
			first, second, ok = s[:at], s[at+len(sep):], true
		}
	}
	return first, second, ok
}

// maxPair is the length of two of the longest paths; a search through more would take too long.
const maxPair = 10_000

// sameName strips the prefixes of two names of one file: none when they are equal ("--no-prefix"), else a first
// component that differs ("a/", "b/", "i/", "w/", or any other).
func sameName(first, second string) (name string, ok bool) {
	if first == second {
		return first, first != ""
	}
	_, one, ok1 := strings.Cut(first, "/")
	_, two, ok2 := strings.Cut(second, "/")
	return one, ok1 && ok2 && one == two && one != ""
}

// commonName gives the longest name both end in, from a slash on: what is left when prefixes of any length go.
func commonName(first, second string) (name string, ok bool) {
	i, j := len(first), len(second)
	for i > 0 && j > 0 && first[i-1] == second[j-1] {
		i, j = i-1, j-1
		if first[i] == '/' {
			name = first[i+1:]
		}
	}
	if i == 0 && j == 0 {
		name = first
	}
	return name, name != ""
}

// problemWith says why a path cannot be one inside a repository, or "".
func problemWith(name string) string {
	switch {
	case name == "":
		return "the path is empty"
	case strings.IndexByte(name, 0) >= 0:
		return "the path holds a NUL byte"
	case path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || path.Clean(name) != name || name == ".":
		return "the path leaves the repository or is not in its shortest form"
	}
	return ""
}
