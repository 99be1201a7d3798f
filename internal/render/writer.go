package render

import (
	"strings"
	"unicode"
)

// writer writes a paragraph's tokens as markdown that means what they mean and nothing else.
type writer struct {
	out        strings.Builder
	repository string
	// start is set at the beginning of a line of its own; a title inside a line has none.
	start bool
	// flat writes one line, in which no emphasis is markup; cell writes it for a cell of a table.
	flat, cell bool
}

// write writes tokens; links only where they may be.
func (w *writer) write(p *paragraph, links bool) { w.tokens(p, 0, len(p.tokens), links) }

func (w *writer) tokens(p *paragraph, from, to int, links bool) {
	var word []token
	flush := func() {
		w.word(word, links)
		word = word[:0]
	}
	for i := from; i < to; i++ {
		t := p.tokens[i]
		switch {
		case t.code != "":
			flush()
			w.code(t.code)
			continue
		case t.char == '\n' || unicode.IsSpace(t.char):
			flush()
			w.blank(t.char)
			continue
		}
		at := i
		image := t.char == '!' && !t.literal && i+1 < to && p.tokens[i+1].char == '['
		if image {
			at++
		}
		if closing, ok := p.closing[at]; ok && closing < to && (links || image) {
			if destination, next, ok := p.link(at, closing); ok && next <= to {
				flush()
				w.link(p, at+1, closing, destination, image)
				i = next - 1
				continue
			}
		}
		word = append(word, t)
	}
	flush()
}

// link writes a link to the repository's source; of any other the text, and where it would have led.
func (w *writer) link(p *paragraph, from, to int, destination string, image bool) {
	switch {
	case image:
		w.put(`\[image left out: `)
		w.tokens(p, from, to, false)
		w.put(`\]`)
	case w.allowed(destination):
		w.put("[")
		if from == to {
			w.code(destination)
		}
		w.tokens(p, from, to, false)
		w.put("](" + destination + ")")
	default:
		// The text must not run together with what stands around it: "@" before it would make it a mention.
		bracket := strings.TrimSpace(destination) == "" || !w.apart()
		if bracket {
			w.put(`\[`)
		}
		w.tokens(p, from, to, false)
		if bracket {
			w.put(`\]`)
		}
		w.put(" (")
		w.code(cutAt(destination, 200))
		w.put(")")
	}
}

// apart says whether what is written next stands apart from what was written.
func (w *writer) apart() bool {
	s := w.out.String()
	return s == "" || strings.IndexByte(" \n(", s[len(s)-1]) >= 0
}

// allowed says whether an address is one of source code in the same repository: a file, a folder or a commit. It must
// be spelled plainly, since dots, escapes and backslashes lead elsewhere in a browser.
func (w *writer) allowed(address string) bool {
	const host = "https://github.com/"
	base := host + w.repository + "/"
	if !plainRepository(w.repository) || len(address) <= len(base) || len(address) > 500 || !strings.EqualFold(address[:len(base)], base) {
		return false
	}
	rest, lines, _ := strings.Cut(address[len(base):], "#")
	kind, path, ok := strings.Cut(rest, "/")
	if !ok || kind != "blob" && kind != "tree" && kind != "commit" || strings.Contains(rest, "//") || strings.Contains(path, "..") {
		return false
	}
	return path != "" && strings.Trim(strings.ToLower(path), "abcdefghijklmnopqrstuvwxyz0123456789_./-") == "" &&
		strings.Trim(lines, "L0123456789-") == ""
}

// plainRepository says whether a name is "owner/name" of GitHub's characters.
func plainRepository(name string) bool {
	owner, repo, ok := strings.Cut(name, "/")
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789_.-"
	return ok && owner != "" && repo != "" && !strings.Contains(name, "..") &&
		strings.Trim(strings.ToLower(owner), letters) == "" && strings.Trim(strings.ToLower(repo), letters) == ""
}

// put writes markup of ours.
func (w *writer) put(s string) {
	w.out.WriteString(s)
	w.start = false
}

// blank writes white space.
func (w *writer) blank(r rune) {
	if r == '\n' && !w.flat {
		w.out.WriteByte('\n')
		w.start = true
		return
	}
	w.out.WriteByte(' ')
}

// code writes a code span, apart from one just before it, so that their backticks do not run together.
func (w *writer) code(s string) {
	if w.cell {
		s = strings.ReplaceAll(s, "|", "¦")
	}
	if strings.HasSuffix(w.out.String(), "`") {
		w.out.WriteByte(' ')
	}
	w.put(codeSpan(s))
}

// word writes what stands between two blanks. If any of it would act on GitHub, all of it becomes code. That is the
// one way that holds everywhere: GitHub looks for mentions and references in the finished text, where a backslash or an
// entity is no longer seen, and a character of no width would be the kind of thing that we strip.
func (w *writer) word(word []token, links bool) {
	if len(word) == 0 {
		return
	}
	var b strings.Builder
	for _, t := range word {
		b.WriteRune(t.char)
	}
	text := b.String()
	if !acts(text) && !(w.start && command(text)) {
		w.escaped(word)
		return
	}
	core := strings.TrimLeft(text, `*_~([{"'>`)
	from := len(text) - len(core)
	core = strings.TrimRight(core, `*_~)]}"'.,;:!?>`)
	w.escaped(word[:from]) // what is trimmed is ASCII: one token each
	if links && !w.flat && w.allowed(core) {
		w.put("[")
		w.code(core)
		w.put("](" + core + ")")
	} else {
		w.code(core)
	}
	w.escaped(word[len(word)-(len(text)-from-len(core)):])
}

// acts says whether GitHub would make something of a word: a mention, a reference to an issue, a link.
func acts(word string) bool {
	if i := strings.IndexByte(word, '@'); i >= 0 && i+1 < len(word) {
		return true
	}
	for i := 0; i+1 < len(word); i++ {
		if word[i] == '#' && digit(word[i+1]) {
			return true
		}
	}
	lower := strings.ToLower(word)
	for _, s := range []string{"://", "www.", "mailto:", "xmpp:"} {
		if strings.Contains(lower, s) {
			return true
		}
	}
	i := strings.Index(lower, "gh-")
	return i >= 0 && i+3 < len(lower) && digit(lower[i+3])
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// command says whether a word at the beginning of a line is one that bots listen to.
func command(word string) bool {
	return len(word) > 1 && word[0] == '/' && word[1] > ' '
}

// escaped writes a word that does not act.
func (w *writer) escaped(word []token) {
	for i, t := range word {
		literal := t.literal
		switch t.char {
		case '*', '_':
			literal = literal || w.flat
		case '~':
			literal = literal || w.flat || i+2 < len(word) && word[i+1].char == '~' && word[i+2].char == '~' ||
				i > 0 && i+1 < len(word) && word[i-1].char == '~' && word[i+1].char == '~' ||
				i > 1 && word[i-1].char == '~' && word[i-2].char == '~'
		case '>':
			literal = literal || !w.start
		}
		w.char(t.char, literal)
		if t.char != '>' {
			w.start = false
		}
	}
}

// char writes one character; a literal one is no markup.
func (w *writer) char(r rune, literal bool) {
	switch {
	case r == '<':
		w.out.WriteString("&lt;")
	case r == '>' && literal:
		w.out.WriteString("&gt;")
	case r == '&':
		w.out.WriteString("&amp;")
	case r == '$':
		w.out.WriteString("&#36;") // no formula
	case r == '|' && w.cell:
		w.out.WriteString("¦")
	case r == '[' || r == ']' || r == '`' || r == '\\' || literal && punctuation(r):
		w.out.WriteByte('\\')
		w.out.WriteRune(r)
	default:
		w.out.WriteRune(r)
	}
}

// line writes a text of a model on one line of ours, such as a title or a cell: nothing in it is markup but code.
func line(text, repository string, limit int, cell bool) string {
	text = oneLine(text, limit)
	w := &writer{repository: repository, flat: true, cell: cell}
	w.write(parse(text), false)
	return w.out.String()
}

// codeLine writes a name, such as a path, as code on one line.
func codeLine(name string, cell bool) string {
	w := &writer{flat: true, cell: cell}
	w.code(cutAt(newlines(name), 300))
	return w.out.String()
}
