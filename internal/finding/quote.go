package finding

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// quotes gives the readings of a quote, the literal one first. Models wrap quotes in fences, and copy the markers of a
// diff or the line numbers of a listing along.
func quotes(quote string) [][]string {
	lines := trimBlank(strings.Split(quote, "\n"))
	readings := [][]string{lines}
	add := func(r []string) {
		if r = trimBlank(r); len(r) > 0 {
			readings = append(readings, r)
		}
	}
	bare := unfence(lines)
	if len(bare) != len(lines) {
		add(bare)
	}
	if len(bare) == 1 {
		if inner := strings.Trim(strings.TrimSpace(bare[0]), "`"); inner != strings.TrimSpace(bare[0]) {
			add([]string{inner})
		}
	}
	if whole, ok := uncut(bare); ok {
		add(whole)
		bare = whole
	}
	if plain, ok := unnumber(bare); ok {
		add(plain)
		bare = plain
	} else if plain, ok := unlist(bare); ok {
		bare = plain
	}
	if after, before, ok := unmark(bare); ok {
		add(after)
		add(before)
	}
	return readings
}

// trimBlank drops blank lines at both ends.
func trimBlank(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[0]) == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// unfence takes the lines out of a fenced code block.
func unfence(lines []string) []string {
	if n := len(lines); n > 2 {
		first, last := strings.TrimSpace(lines[0]), strings.TrimSpace(lines[n-1])
		for _, fence := range []string{"```", "~~~"} {
			if strings.HasPrefix(first, fence) && last == fence {
				return trimBlank(lines[1 : n-1])
			}
		}
	}
	return lines
}

// uncut takes off what our prompts put at the end of a line that is too long to be shown: "… (12 more bytes)".
func uncut(lines []string) ([]string, bool) {
	whole := make([]string, len(lines))
	cut := false
	for i, line := range lines {
		whole[i] = line
		if at := strings.LastIndex(line, "… ("); at > 0 && strings.HasSuffix(line, " more bytes)") {
			whole[i], cut = line[:at], true
		}
	}
	return whole, cut
}

// unnumber takes line numbers off ("  12 | code", "12: code"); all lines must have one.
func unnumber(lines []string) ([]string, bool) {
	plain := make([]string, len(lines))
	for i, line := range lines {
		marker := ""
		rest := line
		if rest != "" && strings.IndexByte("+-", rest[0]) >= 0 {
			marker, rest = rest[:1], rest[1:]
		}
		rest = strings.TrimLeft(rest, " ")
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 {
			return nil, false
		}
		rest = strings.TrimLeft(rest[digits:], " ")
		sep, size := utf8.DecodeRuneInString(rest)
		if !strings.ContainsRune("|:│\t", sep) || size == 0 {
			return nil, false
		}
		rest = rest[size:]
		if marker == "" {
			rest = strings.TrimPrefix(rest, " ")
		}
		plain[i] = marker + rest
	}
	return plain, true
}

// unlist takes the line numbers of our own prompts off ("12 +code", and "   -code" for a deleted line); what is left has
// the markers of a diff.
func unlist(lines []string) ([]string, bool) {
	plain := make([]string, len(lines))
	numbered := false
	for i, line := range lines {
		rest := strings.TrimLeft(line, " ")
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if rest == "" {
			continue
		}
		if digits == 0 {
			if rest[0] != '-' {
				return nil, false
			}
			plain[i] = rest
			continue
		}
		rest = rest[digits:]
		switch {
		case rest == "":
		case rest[0] != ' ' || len(rest) > 1 && strings.IndexByte("+- \t", rest[1]) < 0:
			return nil, false
		default:
			plain[i] = rest[1:]
		}
		numbered = true
	}
	return plain, numbered
}

// unmark takes the markers of a diff off; every line must have one, and one of them must be more than a blank. It
// gives the lines after the change and those before it.
func unmark(lines []string) (after, before []string, ok bool) {
	for _, line := range lines {
		if line == "" {
			after, before = append(after, ""), append(before, "")
			continue
		}
		switch rest := line[1:]; line[0] {
		case '+':
			after, ok = append(after, rest), true
		case '-':
			before, ok = append(before, rest), true
		case ' ', '\t':
			after, before = append(after, rest), append(before, rest)
		default:
			return nil, nil, false
		}
	}
	return after, before, ok
}

// elision says whether a line stands for code that the quote leaves out: "...", or a comment that begins so.
func elision(line string) bool {
	line = strings.TrimSpace(line)
	switch line {
	case "...", "…", "[...]", "[…]", "(...)", "...,", "⋮":
		return true
	}
	for _, opener := range []string{"//", "#", "--", "/*", "<!--", ";", "%", "{/*", "*", "'''", `"""`} {
		if rest, ok := strings.CutPrefix(line, opener); ok {
			rest = strings.TrimLeft(rest, " /#-*[(")
			if strings.HasPrefix(rest, "...") || strings.HasPrefix(rest, "…") {
				return true
			}
		}
	}
	return false
}

// segments cuts a quote at its elisions; with none there is one segment.
func segments(lines []string) [][]string {
	var parts [][]string
	from := 0
	for i := 0; i <= len(lines); i++ {
		if i < len(lines) && !elision(lines[i]) {
			continue
		}
		if part := trimBlank(lines[from:i]); len(part) > 0 {
			parts = append(parts, part)
		}
		from = i + 1
	}
	return parts
}

// squeeze leaves out white space and invisible format characters, which models mangle.
func squeeze(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= utf8.RuneSelf {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}

// weight counts letters and digits: how much a piece of code says.
func weight(s string) int {
	n := 0
	for _, r := range s {
		if wordRune(r) {
			n++
		}
	}
	return n
}

func wordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
