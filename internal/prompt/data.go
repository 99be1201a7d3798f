package prompt

import (
	"fmt"
	"strings"
	"text/template"
)

// Bounds of single texts, so that none pushes out what matters.
const (
	maxTitle       = 300
	maxDescription = 4000
	maxLine        = 600
)

// functions are what the templates may call. Only data puts text from outside into a prompt.
func functions(boundary string) template.FuncMap {
	return template.FuncMap{
		"boundary": func() string { return boundary },
		"data":     func(kind, text string) string { return block(boundary, kind, text) },
		"about":    about,
		"file":     file,
		"snippets": snippets,
		"lines":    func(lines []string) string { return strings.Join(lines, "\n") },
	}
}

// block puts a text between two lines that it cannot forge.
func block(boundary, kind, text string) string {
	return fmt.Sprintf("<<%s %s>>\n%s\n<<end %s>>", boundary, kind, strings.TrimRight(Visible(strings.ReplaceAll(text, "\r\n", "\n")), "\n"), boundary)
}

// about tells of the pull request.
func about(c Change) string {
	var b strings.Builder
	if c.Repository != "" {
		fmt.Fprintf(&b, "repository: %s\n", oneLine(c.Repository))
	}
	if c.Number != 0 {
		fmt.Fprintf(&b, "number: %d\n", c.Number)
	}
	fmt.Fprintf(&b, "title: %s\n", cut(oneLine(c.Title), maxTitle))
	if d := strings.TrimSpace(c.Description); d != "" {
		fmt.Fprintf(&b, "description:\n%s\n", cut(d, maxDescription))
	}
	return b.String()
}

// file shows a file's parts as a diff with the numbers of the new side.
func file(f File) string {
	var b strings.Builder
	fmt.Fprintf(&b, "path: %s\n", oneLine(f.Path))
	if f.About != "" {
		fmt.Fprintf(&b, "change: %s\n", oneLine(f.About))
	}
	for _, p := range f.Parts {
		b.WriteString(Show(p))
	}
	return b.String()
}

// Show writes one part as it stands in a prompt.
func Show(p Part) string {
	var b strings.Builder
	b.WriteString("@@")
	if p.Scope != "" {
		b.WriteString(" in " + cut(oneLine(p.Scope), maxTitle))
	}
	b.WriteByte('\n')
	width := 1
	for _, l := range p.Lines {
		width = max(width, len(fmt.Sprint(l.Number)))
	}
	for _, l := range p.Lines {
		number := ""
		if l.Number > 0 {
			number = fmt.Sprint(l.Number)
		}
		fmt.Fprintf(&b, "%*s %c%s\n", width, number, l.Marker, cut(strings.TrimSuffix(l.Text, "\r"), maxLine))
	}
	if p.Cut > 0 {
		fmt.Fprintf(&b, "… %d more lines, not shown\n", p.Cut)
	}
	return b.String()
}

// snippets shows code from elsewhere, an empty line after each. The path is told once for pieces of one file in a row.
func snippets(list []Snippet) string {
	var b strings.Builder
	last := ""
	for i, s := range list {
		if i > 0 {
			b.WriteByte('\n')
		}
		if s.Path != last || i == 0 {
			b.WriteString(oneLine(s.Path))
		}
		last = s.Path
		fmt.Fprintf(&b, ":%d (%s)\n", s.Line, oneLine(s.Why))
		for _, line := range strings.Split(strings.TrimRight(s.Text, "\n"), "\n") {
			b.WriteString(cut(strings.TrimSuffix(line, "\r"), maxLine) + "\n")
		}
	}
	return b.String()
}

// oneLine keeps a value on the line it is told on.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '\n', '\r', '\u0085', '\u2028', '\u2029', '\v', '\f':
			return ' '
		}
		return r
	}, s)
}

// cut shortens a text to about n bytes, at a rune, and says so.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	at := n
	for at > 0 && s[at]&0xC0 == 0x80 {
		at--
	}
	return fmt.Sprintf("%s… (%d more bytes)", s[:at], len(s)-at)
}
