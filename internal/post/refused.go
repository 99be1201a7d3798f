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

// refusedIn reads refusedMarker's list; what isn't one is nothing. The last one counts, since it stands below all text.
func refusedIn(body string) []int {
	_, list, ok := cutLast(body, refusedOpen)
	if !ok {
		return nil
	}
	list, _, ok = strings.Cut(list, refusedClose)
	if !ok {
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

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
