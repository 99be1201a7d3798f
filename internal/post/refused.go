package post

import (
	"slices"
	"strconv"
	"strings"
)

// The body of a review says which comments it does not carry, so that an attempt after a crash knows what an earlier
// one found out, from the effect itself.
const (
	refusedOpen  = "<!-- openrabbit:refused="
	refusedClose = " -->"
)

// refusedMarker is the hidden list of comments that a review does not carry.
func refusedMarker(indexes []int) string {
	words := make([]string, len(indexes))
	for i, n := range indexes {
		words[i] = strconv.Itoa(n)
	}
	return refusedOpen + strings.Join(words, ",") + refusedClose
}

// refusedIn reads refusedMarker's list above the marker; what isn't one is nothing.
func (p *publication) refusedIn(body string) []int {
	above, ok := strings.CutSuffix(strings.TrimSpace(body), p.draft.Marker)
	if !ok {
		return nil
	}
	above = strings.TrimSpace(above)
	return parseRefused(above[strings.LastIndexByte(above, '\n')+1:])
}

// parseRefused reads a line that refusedMarker wrote.
func parseRefused(line string) []int {
	list, ok := strings.CutPrefix(line, refusedOpen)
	if !ok {
		return nil
	}
	if list, ok = strings.CutSuffix(list, refusedClose); !ok {
		return nil
	}
	var out []int
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 || slices.Contains(out, n) {
			return nil
		}
		out = append(out, n)
	}
	return out
}
