package finding

import (
	"slices"
	"strings"
)

// maxDepth is the deepest indentation of code that somebody wrote, in tabs or blanks.
const maxDepth = 200

// Reindent brings a suggestion into the indentation of the lines that it replaces: out of a fence if the model wrapped
// it in one, with tabs or blanks as the lines have them, and shifted as a whole so that its first line is as deep as
// theirs. Its lines keep their depth relative to each other. It has no newline at its end. A suggestion that is
// indented already comes back the same, and so does one whose only change is the indentation.
func Reindent(anchored []string, suggestion string) string {
	lines := splitSuggestion(suggestion)
	if bare := unfence(trimBlank(lines)); len(bare) < len(trimBlank(lines)) && !fenced(anchored) {
		lines = bare
	}
	given := strings.Join(lines, "\n")
	from, to := styleOf(lines), styleOf(anchored)
	if to.unit == 0 {
		to = from
	}
	if to.unit == 0 || len(lines) == 0 {
		return given
	}
	lines = slices.Clone(lines)
	for i, line := range lines {
		if lines[i] = to.convert(line, from); strings.TrimSpace(line) == "" {
			lines[i] = ""
		}
	}
	first, model := textAt(lines), textAt(anchored)
	if first < 0 || model < 0 {
		return given
	}
	want, has := to.depth(anchored[model]), to.depth(lines[first])
	if want > maxDepth || len(suggestion) > maxSuggestionBytes {
		return given // nobody will be offered this
	}
	if has == 0 && deeper(lines[first+1:], to, want) && !opens(lines[first], lines[first+1:], to, want) {
		lines[first] = to.shift(lines[first], want) // only the first line lost its indentation, as when text is trimmed
	} else {
		for i := range lines {
			lines[i] = to.shift(lines[i], want-has)
		}
	}
	if equalLines(anchored, lines) {
		return given
	}
	return strings.Join(lines, "\n")
}

// fenced says whether lines are a fenced block themselves, so that a fence around a suggestion is meant.
func fenced(lines []string) bool {
	lines = trimBlank(lines)
	return len(unfence(lines)) < len(lines)
}

// textAt gives the index of the first line that is not blank, or -1.
func textAt(lines []string) int {
	return slices.IndexFunc(lines, func(line string) bool { return strings.TrimSpace(line) != "" })
}

// deeper says whether there are lines with text, and all of them are at least as deep as they must be.
func deeper(lines []string, s style, depth int) bool {
	any := false
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if any = true; s.depth(line) < depth {
			return false
		}
	}
	return any && depth > 0
}

// opens says whether a line at the margin begins a block whose next line is no deeper than the block itself would be at
// the wanted depth: then all of it was written at the margin, and the first line did not lose its indentation.
func opens(line string, rest []string, s style, want int) bool {
	line = strings.TrimRight(line, " \t")
	next := textAt(rest)
	if next < 0 || line == "" || strings.IndexByte("{([:", line[len(line)-1]) < 0 && !strings.HasSuffix(line, "=>") {
		return false
	}
	step := 1
	if s.unit == ' ' {
		step = s.step
	}
	return s.depth(rest[next]) < want+step
}

// style is how lines are indented.
type style struct {
	unit byte // a tab or a blank, 0 when no line is indented
	step int  // how many blanks make one step
}

// styleOf reads the style of lines.
func styleOf(lines []string) style {
	blanks := 0
	for _, line := range lines {
		text := strings.TrimLeft(line, " \t")
		n := len(line) - len(text)
		switch {
		case text == "" || text == "\r" || n == 0:
		case line[0] == '\t':
			return style{'\t', 4}
		default:
			blanks = divisor(blanks, n)
		}
	}
	switch {
	case blanks == 0:
		return style{0, 4}
	case blanks%4 == 0:
		return style{' ', 4}
	case blanks%2 == 0:
		return style{' ', 2}
	case blanks%3 == 0:
		return style{' ', 3}
	}
	return style{' ', 4}
}

func divisor(a, b int) int {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// depth counts the units that a line begins with.
func (s style) depth(line string) int {
	n := 0
	for n < len(line) && line[n] == s.unit {
		n++
	}
	return n
}

// shift makes a line deeper or less deep by a number of units. Blank lines stay empty.
func (s style) shift(line string, by int) string {
	switch {
	case line == "" || by == 0:
		return line
	case by > 0:
		return strings.Repeat(string(s.unit), by) + line
	}
	return line[min(-by, s.depth(line)):]
}

// convert writes the indentation of a line in this style. Blanks that are no whole number of steps are alignment and
// stay.
func (s style) convert(line string, from style) string {
	n := from.depth(line)
	switch {
	case from.unit == s.unit || n == 0 || from.unit == 0:
		return line
	case s.unit == '\t' && n%from.step != 0:
		return line
	case s.unit == '\t':
		return strings.Repeat("\t", n/from.step) + line[n:]
	}
	return strings.Repeat(" ", n*s.step) + line[n:]
}
