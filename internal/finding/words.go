package finding

import "strings"

// filler are words of a title that say nothing about the problem.
var filler = set(`a an and are as at be been before being but by can cannot could does during for from had has have here if
	in into is it its may might of on or possible possibly potential potentially should so some such than that the their
	them then there these this those to used uses using via was were when where whether which while will with would you your
	return returns value values code line lines function method variable call calls called through allows against`)

// kindOf gives the kind of problem that a word, stemmed, stands for: words of one kind count as the same.
var kindOf = kinds(map[string]string{
	"not":        "not no never missing lacks lacking lack without absent omitted omits forgets forgotten",
	"null":       "nil null none undefined nullable nullptr",
	"fault":      "dereference dereferenced dereferencing deref panic panics crash crashes segfault npe",
	"race":       "race races racy unsynchronized unsynchronised data-race thread-safety thread-safe",
	"deadlock":   "deadlock deadlocks deadlocked",
	"leak":       "leak leaks leaked leaking",
	"close":      "close closed closes closing",
	"bounds":     "off-by-one out-of-range out-of-bounds overrun overruns",
	"overflow":   "overflow overflows overflowing underflow",
	"injection":  "injection injections inject injected injectable unsanitized unsanitised unescaped",
	"secret":     "secret secrets credential credentials password passwords hardcoded hard-coded",
	"unchecked":  "unchecked ignored ignores swallowed swallows discarded discards dropped unhandled",
	"zero":       "zero division-by-zero divide-by-zero",
	"duplicate":  "duplicate duplicates duplicated twice",
	"unreached":  "unreachable dead dead-code",
	"unused":     "unused",
	"loop":       "infinite endless unbounded",
	"check":      "check checks checked checking guard guarded validate validates validated validation",
	"breaking":   "breaking incompatible backwards-incompatible",
	"comparison": "inverted reversed negated",
})

// set makes a set of the words of a text.
func set(text string) map[string]bool {
	words := map[string]bool{}
	for _, word := range strings.Fields(text) {
		words[word] = true
	}
	return words
}

// kinds turns lists of words into a table by stem.
func kinds(lists map[string]string) map[string]string {
	table := map[string]string{}
	for kind, words := range lists {
		for _, word := range strings.Fields(words) {
			table[stem(word)] = kind
		}
	}
	return table
}
