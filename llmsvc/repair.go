package llmsvc

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

const (
	// maxProse bounds the text in which JSON is looked for: longer ones are JSON as they are or nothing. maxScanned
	// bounds the bytes read for that, as each bracket may be the first; maxFound what is taken from there.
	maxProse   = 1 << 20
	maxScanned = 16 << 20
	maxFound   = 8
)

// candidates gives the JSON values that an answer may mean, best first: the text itself if it is JSON; else what
// stands in it between other words or in code fences, with commas before a closing bracket taken out and raw control
// characters in strings escaped. It invents nothing: no closing bracket, no quote, no value.
func candidates(text string) [][]byte {
	text = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "\ufeff"))
	if whole, ok := mend([]byte(text)); ok {
		return [][]byte{whole}
	}
	if len(text) > maxProse {
		return nil
	}
	return embedded([]byte(withoutThoughts(text)))
}

// withoutThoughts takes away the thinking that some servers leave in front of an answer.
func withoutThoughts(text string) string {
	for _, tag := range []string{"think", "thinking", "reasoning"} {
		if !strings.HasPrefix(text, "<"+tag+">") {
			continue
		}
		if _, after, found := strings.Cut(text, "</"+tag+">"); found {
			return after
		}
	}
	return text
}

// embedded finds the outermost JSON objects and arrays in a text.
func embedded(text []byte) [][]byte {
	var found [][]byte
	for at, scanned := 0, 0; at < len(text) && scanned < maxScanned && len(found) < maxFound; {
		next := bytes.IndexAny(text[at:], "{[")
		if next < 0 {
			break
		}
		at += next
		end, read := closing(text[at:])
		scanned += read
		if end > 0 {
			if value, ok := mend(text[at : at+end]); ok {
				found = append(found, value)
				at += end
				continue
			}
		}
		at++
	}
	return found
}

// closing gives the length of the bracketed text that data begins with, 0 when its bracket is never closed, and how
// much was read to know. Brackets in strings don't count.
func closing(data []byte) (length, read int) {
	var open []byte
	inString := false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString:
			switch c {
			case '\\':
				i++
			case '"':
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{':
			open = append(open, '}')
		case c == '[':
			open = append(open, ']')
		case c == '}' || c == ']':
			if open[len(open)-1] != c {
				return 0, i + 1
			}
			open = open[:len(open)-1]
			if len(open) == 0 {
				return i + 1, i + 1
			}
		}
	}
	return 0, len(data)
}

// mend gives the text as valid JSON, if so little is wrong with it that its meaning is certain.
func mend(text []byte) ([]byte, bool) {
	if json.Valid(text) {
		return text, true
	}
	if !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	out := make([]byte, 0, len(text)+16)
	inString := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case inString && c == '\\' && i+1 < len(text):
			out = append(out, c, text[i+1])
			i++
			continue
		case inString && c < 0x20:
			out = appendEscaped(out, c)
			continue
		case c == '"':
			inString = !inString
		case !inString && c == ',' && closesNext(text[i+1:]):
			continue
		}
		out = append(out, c)
	}
	if !json.Valid(out) {
		return nil, false
	}
	return out, true
}

// closesNext says whether the next thing in the text is a closing bracket.
func closesNext(text []byte) bool {
	rest := bytes.TrimLeft(text, " \t\r\n")
	return len(rest) > 0 && (rest[0] == '}' || rest[0] == ']')
}

func appendEscaped(out []byte, c byte) []byte {
	switch c {
	case '\n':
		return append(out, '\\', 'n')
	case '\r':
		return append(out, '\\', 'r')
	case '\t':
		return append(out, '\\', 't')
	}
	const hex = "0123456789abcdef"
	return append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
