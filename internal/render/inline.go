package render

import (
	"html"
	"sort"
	"strings"
	"unicode/utf8"
)

// token is one thing in a paragraph: a character, or a code span.
type token struct {
	start, end int // in the source
	char       rune
	// literal is set for a character that was escaped: it is not markup.
	literal bool
	// code is the content of a code span; then there is no char.
	code string
}

// paragraph is a tokenised text with its brackets paired.
type paragraph struct {
	source string
	tokens []token
	// closing gives for the index of a "[" that of its "]".
	closing map[int]int
}

// parse tokenises a paragraph: backslash escapes, entities, code spans, characters. Brackets are paired outside code.
func parse(source string) *paragraph {
	p := &paragraph{source: source, closing: map[int]int{}}
	runs := tickRuns(source)
	for i := 0; i < len(source); {
		switch c := source[i]; {
		case c == '\\' && i+1 < len(source):
			next := source[i+1]
			switch {
			case next == '\n': // a hard break
				p.add(i, i+2, '\n', false)
				i += 2
			case punctuation(rune(next)):
				p.add(i, i+2, rune(next), true)
				i += 2
			default:
				p.add(i, i+1, '\\', true)
				i++
			}
		case c == '`':
			n := len(source[i:]) - len(strings.TrimLeft(source[i:], "`"))
			if end, ok := runs.after(i+n, n); ok {
				p.tokens = append(p.tokens, token{start: i, end: end + n, code: spanContent(source[i+n : end])})
				i = end + n
				continue
			}
			for range n {
				p.add(i, i+1, '`', true)
				i++
			}
		case c == '&':
			text, size := entity(source[i:])
			for _, r := range stripped(text) {
				p.add(i, i+size, r, true)
			}
			i += size
		default:
			r, size := utf8.DecodeRuneInString(source[i:])
			p.add(i, i+size, r, false)
			i += size
		}
	}
	var open []int
	for i, t := range p.tokens {
		switch {
		case t.literal || t.code != "":
		case t.char == '[':
			open = append(open, i)
		case t.char == ']' && len(open) > 0:
			p.closing[open[len(open)-1]] = i
			open = open[:len(open)-1]
		}
	}
	return p
}

func (p *paragraph) add(start, end int, r rune, literal bool) {
	p.tokens = append(p.tokens, token{start: start, end: end, char: r, literal: literal})
}

// punctuation is what a backslash escapes in markdown.
func punctuation(r rune) bool {
	return r > ' ' && r < 0x7F && !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
}

// runsOf holds the positions of the runs of backticks by their length.
type runsOf map[int][]int

func tickRuns(s string) runsOf {
	runs := runsOf{}
	for i := 0; i < len(s); {
		if s[i] != '`' {
			i++
			continue
		}
		from := i
		for i < len(s) && s[i] == '`' {
			i++
		}
		runs[i-from] = append(runs[i-from], from)
	}
	return runs
}

// after finds the first run of a length at or after a position.
func (r runsOf) after(position, length int) (int, bool) {
	at := r[length]
	i := sort.SearchInts(at, position)
	if i == len(at) {
		return 0, false
	}
	return at[i], true
}

// spanContent is what a code span shows.
func spanContent(s string) string {
	s = strings.ReplaceAll(s, "\n", " ")
	if strings.TrimSpace(s) != "" && strings.HasPrefix(s, " ") && strings.HasSuffix(s, " ") {
		s = s[1 : len(s)-1]
	}
	if s == "" {
		s = " "
	}
	return s
}

// entity reads an entity at the beginning of s, so that it cannot spell what would be escaped as a character.
func entity(s string) (text string, size int) {
	if end := strings.IndexByte(s[:min(len(s), 40)], ';'); end > 0 {
		if text := html.UnescapeString(s[:end+1]); text != s[:end+1] && !strings.HasSuffix(text, ";") {
			return strings.ReplaceAll(newlines(text), "\n", " "), end + 1
		}
	}
	return "&", 1
}

// link reads the destination of a link whose brackets are the tokens at two indices. It gives the index of the first
// token after the link.
func (p *paragraph) link(opening, closing int) (destination string, next int, ok bool) {
	if closing+1 >= len(p.tokens) || p.tokens[closing+1].char != '(' || p.tokens[closing+1].literal {
		return "", 0, false
	}
	if strings.Contains(p.source[p.tokens[opening].start:p.tokens[closing].end], "\n") {
		return "", 0, false // the lines may turn out to be of different blocks, such as the items of a list
	}
	// A longer one is none, so that no text takes time beyond its length.
	s := p.source[:min(len(p.source), p.tokens[closing].end+4000)]
	i := skipBlank(s, p.tokens[closing+1].end)
	from := i
	if i < len(s) && s[i] == '<' {
		end := strings.IndexAny(s[i:], ">\n")
		if end < 0 || s[i+end] == '\n' {
			return "", 0, false
		}
		destination, i = s[i+1:i+end], i+end+1
	} else {
		for depth := 0; i < len(s) && s[i] > ' '; i++ {
			if s[i] == '\\' && i+1 < len(s) && s[i+1] > ' ' {
				i++
			} else if s[i] == '(' {
				depth++
			} else if s[i] == ')' {
				if depth--; depth < 0 {
					break
				}
			}
		}
		destination = s[from:i]
	}
	if i = skipBlank(s, i); i < len(s) && strings.IndexByte(`"'(`, s[i]) >= 0 {
		quote := s[i]
		if quote == '(' {
			quote = ')'
		}
		end := strings.IndexByte(s[i+1:], quote)
		if end < 0 {
			return "", 0, false
		}
		i = skipBlank(s, i+1+end+1)
	}
	if i >= len(s) || s[i] != ')' {
		return "", 0, false
	}
	next = sort.Search(len(p.tokens), func(k int) bool { return p.tokens[k].start > i })
	if last := p.tokens[next-1]; last.end != i+1 {
		return "", 0, false // the parenthesis is inside a code span
	}
	return destination, next, true
}

func skipBlank(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n') {
		i++
	}
	return i
}
