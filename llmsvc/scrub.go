package llmsvc

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode"

	"github.com/openrabbit/openrabbit/internal/telemetry"
)

const (
	hidden = "[…]"
	// echoLength is how long a run of a request's text must be to count as an echo of it.
	echoLength = 12
	// quotedEcho is how long something between quotes must be.
	quotedEcho = 4
)

var quoted = regexp.MustCompile("['\"`][^'\"`]+['\"`]")

// scrub makes a server's words fit to be shown: without the key, without anything that looks like a credential,
// without what they repeat of the request, on one line and short.
func scrub(text string, sent []string, key string) string {
	text = strings.ToValidUTF8(text, "")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	// Bounded before the costly comparison; the key goes first, so that a cut cannot leave half of it.
	if key != "" {
		text = strings.ReplaceAll(text, key, hidden)
	}
	text = clip(telemetry.Redact(text), 2*maxDetail)
	return clip(withoutPartOf(withoutEchoes(text, sent), key), maxDetail)
}

// withoutEchoes hides what a text repeats of a request, as it was, escaped for JSON, or with its white space made one.
func withoutEchoes(text string, sent []string) string {
	echo := make([]bool, len(text))
	for _, request := range sent {
		forms := []string{request, strings.Join(strings.Fields(request), " ")}
		if escaped, err := json.Marshal(request); err == nil {
			forms = append(forms, string(escaped))
		}
		for _, form := range forms {
			markEchoes(echo, text, form)
		}
	}
	var out strings.Builder
	for i := range len(text) {
		switch {
		case !echo[i]:
			out.WriteByte(text[i])
		case i == 0 || !echo[i-1]:
			out.WriteString(hidden)
		}
	}
	return strings.ToValidUTF8(out.String(), "")
}

// markEchoes marks the bytes of a text that stand in the request: between quotes, or as part of a longer run.
func markEchoes(echo []bool, text, request string) {
	mark := func(from, to int) {
		for i := from; i < to; i++ {
			echo[i] = true
		}
	}
	for _, span := range quoted.FindAllStringIndex(text, -1) {
		if inner := text[span[0]+1 : span[1]-1]; len(inner) >= quotedEcho && strings.Contains(request, inner) {
			mark(span[0]+1, span[1]-1)
		}
	}
	for i := 0; i+echoLength <= len(text); i++ {
		if strings.Contains(request, text[i:i+echoLength]) {
			mark(i, i+echoLength)
		}
	}
}

// withoutPartOf hides pieces of the key: servers like to show its ends ("sk-ab…yz").
func withoutPartOf(text, key string) string {
	const piece = 6
	if len(key) < 2*piece {
		return text
	}
	for _, part := range []string{key[:piece], key[len(key)-piece:]} {
		text = strings.ReplaceAll(text, part, hidden)
	}
	return text
}
