package render

import (
	"slices"
	"strings"
)

// markerStart begins every hidden marker of ours. Text of others never holds it, not even inside code, where GitHub
// would show it: whoever looks for a marker looks at the source.
const markerStart = "<!-- openrabbit:"

// unmarked takes our markers out of a text.
func unmarked(s string) string {
	if !strings.Contains(s, "<!--") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "<!--")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		if s = s[i:]; len(s) >= len(markerStart) && strings.EqualFold(s[:len(markerStart)], markerStart) {
			b.WriteString("<!- -")
		} else {
			b.WriteString("<!--")
		}
		s = s[len("<!--"):]
	}
}

// longestRun gives the length of the longest run of a byte.
func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := 0; i < len(s); i++ {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// maxTicks is the longest run of backticks inside a code span that we write; a longer one is shortened. GitHub's parser
// gives up at 80, and what was meant as code would be live text.
const maxTicks = 20

// codeSpan writes text as inline code on one line; blank text gives a blank. What it holds is then neither a mention, a
// reference nor a link: GitHub looks for those outside of code only.
func codeSpan(s string) string {
	s = shown(unmarked(strings.ReplaceAll(strings.ReplaceAll(s, "\n", " "), "\t", " ")))
	if strings.TrimSpace(s) == "" {
		return " "
	}
	run := longestRun(s, '`')
	if run > maxTicks {
		for long := strings.Repeat("`", maxTicks+1); strings.Contains(s, long); {
			s = strings.ReplaceAll(s, long, long[1:])
		}
		run = maxTicks
	}
	ticks := strings.Repeat("`", run+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.HasPrefix(s, " ") && strings.HasSuffix(s, " ") {
		s = " " + s + " "
	}
	return ticks + s + ticks
}

// fence writes a block of code with a fence longer than any inside. A line of it that begins like a command to a bot
// does not stand at the beginning of a line of the source: the whole block is then indented by one, which its reader
// does not see.
func fence(code, info string) string {
	code = shown(unmarked(code))
	mark := byte('`')
	run := longestRun(code, mark)
	if run > 100 {
		// A run longer than GitHub's parser counts could close any fence.
		if mark, run = '~', longestRun(code, '~'); run > 100 {
			code, mark, run = strings.ReplaceAll(code, "```", "` ` `"), '`', 3
		}
	}
	fence := strings.Repeat(string(mark), max(3, run+1))
	lines := strings.Split(fence+info+"\n"+code+"\n"+fence, "\n")
	if code == "" {
		lines = []string{fence + info, fence}
	}
	if slices.ContainsFunc(strings.Split(code, "\n"), commandOfCode) {
		for i := range lines {
			lines[i] = " " + lines[i]
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// commandOfCode says whether a line of code reads like a command to a bot: "/approve", or "@bot merge". Comments,
// patterns, paths and annotations do not.
func commandOfCode(line string) bool {
	first, rest, more := strings.Cut(line, " ")
	if len(first) < 2 {
		return false
	}
	switch first[0] {
	case '/':
		after := strings.TrimLeft(strings.ToLower(first[1:]), "abcdefghijklmnopqrstuvwxyz0123456789_-")
		return len(after) < len(first)-1 && (after == "" || strings.IndexByte("/.*", after[0]) < 0)
	case '@':
		return more && strings.TrimSpace(rest) != "" && !strings.ContainsAny(first, "(.")
	}
	return false
}

// infoOf keeps the language of a fence. What GitHub renders instead of showing (diagrams, maps, formulas) and
// suggestions, which are ours alone to make, are plain code.
func infoOf(info string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(info), " ")
	if len(word) > 20 || strings.Trim(strings.ToLower(word), "abcdefghijklmnopqrstuvwxyz0123456789+-_.#") != "" {
		return ""
	}
	switch strings.ToLower(word) {
	case "suggestion", "mermaid", "math", "geojson", "topojson", "stl":
		return ""
	}
	return word
}
