package render

import (
	"strings"
	"unicode/utf8"
)

// maxText bounds one text of a model, in bytes of markdown.
const maxText = 16 << 10

// Sanitize brings markdown of a model into the part of markdown that we allow: paragraphs, headings, lists, quotes,
// emphasis, code, and links into the source of the same repository on github.com.
//
// Everything else is shown instead of rendered, and nothing in it acts: images are left out, other links and bare
// addresses become code, HTML and entities are escaped, tables are plain text, mentions, references to issues and
// commands at the beginning of a line become code, hidden characters are stripped from prose and made visible in code,
// fences are balanced and never suggestions or diagrams. A text longer than 16 KiB is cut and says so.
//
// The output is written anew from what was understood; nothing that was not understood passes unescaped.
func Sanitize(markdown, repository string) string {
	return sanitize(markdown, repository, maxText)
}

// sanitize is Sanitize with a bound of its own on the output.
func sanitize(markdown, repository string, limit int) string {
	markdown = newlines(markdown)
	whole := sanitizeAll(cutAt(markdown, 4*limit), repository)
	if len(whole) <= limit && len(markdown) <= 4*limit {
		return whole
	}
	const notice = "\n\n*(The text was longer and is cut here.)*\n"
	// Escapes make text longer, by a factor that only trying tells.
	for size := limit - len(notice); size > 0; size = size * 3 / 4 {
		if part := sanitizeAll(cutAt(markdown, size), repository); len(part)+len(notice) <= limit {
			return strings.TrimRight(part, "\n") + notice
		}
	}
	return ""
}

// cutAt shortens a text to a number of bytes, at a line's end when one is near, else between characters.
func cutAt(s string, size int) string {
	if len(s) <= size {
		return s
	}
	s = s[:size]
	for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	if len(s) > 0 && s[len(s)-1] >= utf8.RuneSelf {
		s = s[:len(s)-1] // the first byte of a character that was cut
	}
	if i := strings.LastIndexByte(s, '\n'); i > len(s)*3/4 {
		s = s[:i]
	}
	return s
}

// sanitizeAll goes through fences and the text between them.
func sanitizeAll(markdown, repository string) string {
	var out strings.Builder
	var text []string
	flush := func() {
		writeText(&out, text, repository)
		text = text[:0]
	}
	lines := strings.Split(markdown, "\n")
	for i := 0; i < len(lines); i++ {
		open, ok := opening(lines[i])
		if !ok {
			text = append(text, lines[i])
			continue
		}
		flush()
		var code []string
		for i++; i < len(lines) && !open.closes(lines[i]); i++ {
			code = append(code, dedent(lines[i], open.indent))
		}
		out.WriteString(fence(strings.Join(code, "\n"), infoOf(open.info)))
	}
	flush()
	return out.String()
}

// opener is the first line of a fenced block.
type opener struct {
	mark   byte
	length int
	indent int
	info   string
}

// opening recognises a fence at any indentation: in a list it may stand deep, and it is written at the margin anyway.
func opening(line string) (opener, bool) {
	rest := strings.TrimLeft(line, " \t")
	o := opener{indent: len(line) - len(rest)}
	if rest == "" || rest[0] != '`' && rest[0] != '~' {
		return o, false
	}
	o.mark = rest[0]
	o.info = strings.TrimLeft(rest, rest[:1])
	o.length = len(rest) - len(o.info)
	return o, o.length >= 3 && (o.mark == '~' || !strings.Contains(o.info, "`"))
}

// closes says whether a line ends the block.
func (o opener) closes(line string) bool {
	line = strings.TrimSpace(line)
	return len(line) >= o.length && strings.Trim(line, string(o.mark)) == ""
}

// dedent takes up to n blanks or tabs off the beginning.
func dedent(line string, n int) string {
	i := 0
	for i < n && i < len(line) && (line[i] == ' ' || line[i] == '\t') {
		i++
	}
	return line[i:]
}

// writeText writes lines outside of fences, a paragraph at a time: nothing inline reaches over a blank line.
func writeText(out *strings.Builder, lines []string, repository string) {
	list := false
	var paragraph []string
	flush := func() {
		if len(paragraph) == 0 {
			return
		}
		w := &writer{repository: repository, start: true}
		w.write(parse(strings.Join(paragraph, "\n")), true)
		for _, line := range strings.Split(w.out.String(), "\n") {
			out.WriteString(noTable(line))
			out.WriteByte('\n')
		}
		paragraph = paragraph[:0]
	}
	blank := true
	for _, line := range lines {
		line = stripped(line)
		text := strings.TrimLeft(line, " ")
		if text == "" {
			flush()
			if !blank {
				out.WriteByte('\n')
			}
			blank = true
			continue
		}
		indent := len(line) - len(text)
		if listItem(text) {
			list = true
		} else if blank && indent == 0 {
			list = false
		}
		if !list && indent > 3 {
			indent = 0 // not code: what is meant as code has a fence
		}
		blank = false
		paragraph = append(paragraph, strings.Repeat(" ", min(indent, 12))+strings.TrimRight(text, " "))
	}
	flush()
}

// listItem says whether a line begins an item of a list.
func listItem(text string) bool {
	if len(text) > 1 && strings.IndexByte("-*+", text[0]) >= 0 && text[1] == ' ' {
		return true
	}
	rest := strings.TrimLeft(text, "0123456789")
	digits := len(text) - len(rest)
	return digits > 0 && digits < 10 && len(rest) > 1 && (rest[0] == '.' || rest[0] == ')') && rest[1] == ' '
}

// noTable keeps a line from being the second one of a table. In a table GitHub cuts cells at every "|", also inside
// code, and what was code before would be live text after.
func noTable(line string) string {
	rest := strings.TrimLeft(line, " >")
	if strings.Trim(rest, "|:- ") != "" || !strings.Contains(rest, "-") || !strings.ContainsAny(rest, "|:") {
		return line
	}
	return line[:len(line)-len(rest)] + `\` + rest
}
