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
	for _, request := range sent {
		text = withoutEchoes(text, request)
		if escaped, err := json.Marshal(request); err == nil && len(escaped) != len(request)+2 {
			text = withoutEchoes(text, string(escaped))
		}
		text = withoutEchoes(text, strings.Join(strings.Fields(request), " "))
	}
	return clip(withoutPartOf(text, key), maxDetail)
}

// withoutEchoes hides what a text repeats of a request.
func withoutEchoes(text, request string) string {
	text = quoted.ReplaceAllStringFunc(text, func(q string) string {
		if inner := q[1 : len(q)-1]; len(inner) >= quotedEcho && strings.Contains(request, inner) {
			return q[:1] + hidden + q[len(q)-1:]
		}
		return q
	})
	var out strings.Builder
	for i := 0; i < len(text); {
		n := echoAt(text[i:], request)
		if n == 0 {
			out.WriteByte(text[i])
			i++
			continue
		}
		out.WriteString(hidden)
		i += n
	}
	return strings.ToValidUTF8(out.String(), "")
}

// echoAt gives how many bytes at the text's beginning stand in the request, 0 when too few to mean anything.
func echoAt(text, request string) int {
	if len(text) < echoLength || !strings.Contains(request, text[:echoLength]) {
		return 0
	}
	n := echoLength
	for n < len(text) && strings.Contains(request, text[:n+1]) {
		n++
	}
	return n
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
