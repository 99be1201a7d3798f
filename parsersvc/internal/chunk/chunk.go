// Package chunk cuts a file into scope-sized pieces that can be embedded. It is pure: text and symbols in, chunks out.
//
// It promises that every line with something on it is in exactly one chunk, that a chunk is whole lines in the order of
// the text, and that no chunk is larger than its limit unless it is a single line that is. A definition that fits is a
// chunk of its own; one that doesn't is cut at the definitions inside it, and what remains too large at blank lines and
// where the indentation is least. Small neighbours that belong to nobody are put together.
package chunk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// Sizes of a chunk, in tokens.
const (
	// DefaultTokens is the limit when none is given.
	DefaultTokens = 400
	// MinTokens and MaxTokens bound a limit that is given.
	MinTokens = 128
	MaxTokens = 8_000
)

// Tokens estimates how many tokens a text has. Code in ASCII has about 3.6 bytes a token, other scripts fewer.
func Tokens(s string) int {
	ascii := 0
	for i := range len(s) {
		if s[i] < 0x80 {
			ascii++
		}
	}
	return (ascii*10 + (len(s)-ascii)*18 + 35) / 36
}

// Cut gives the chunks of a file. Symbols may be nil: then the file is cut into windows of lines. A limit of 0 means
// DefaultTokens.
func Cut(path string, content []byte, symbols []syntax.Symbol, limit int) []syntax.Chunk {
	switch {
	case limit <= 0:
		limit = DefaultTokens
	default:
		limit = min(max(limit, MinTokens), MaxTokens)
	}
	c := &cutter{path: path, lines: splitLines(content), symbols: symbols, limit: limit, headerLimit: limit / 2}
	c.pathHeader = tailTokens(path, c.headerLimit/2)
	c.measure()
	c.region(0, len(c.lines), -1, c.scopes())
	c.name()
	return c.chunks
}

// cutter cuts one file. Lines are 0-based and half-open in it.
type cutter struct {
	path string
	// pathHeader is the path as a header has it.
	pathHeader string
	lines      []line
	symbols    []syntax.Symbol
	// headerLimit bounds what the header may take of the limit.
	limit, headerLimit int
	// tokens[i] is the number of tokens of the lines before i.
	tokens []int
	chunks []syntax.Chunk
	// containers are those of the chunks' definitions.
	containers []string
}

// line is one line of the text, with its end.
type line struct {
	start, end int
	text       string
	blank      bool
	indent     int
}

func splitLines(content []byte) []line {
	var out []line
	at := 0
	for text := range strings.Lines(string(content)) {
		trimmed := strings.TrimSpace(text)
		indent := len(text) - len(strings.TrimLeft(text, " \t"))
		out = append(out, line{at, at + len(text), text, trimmed == "", indent})
		at += len(text)
	}
	return out
}

func (c *cutter) measure() {
	c.tokens = make([]int, len(c.lines)+1)
	for i, l := range c.lines {
		c.tokens[i+1] = c.tokens[i] + Tokens(l.text)
	}
}

// size gives the tokens of lines; a sum of estimates is a little more than the estimate of the sum.
func (c *cutter) size(from, to int) int { return c.tokens[to] - c.tokens[from] }

// scope is a definition that may be a chunk, with the comment lines right above it.
type scope struct {
	symbol   int
	from, to int
	inner    []scope
}

// scopes gives the tree of definitions that a reader thinks of as places. A line belongs to one of them only: what
// begins on a line where another ends has the rest.
func (c *cutter) scopes() []scope {
	type open struct {
		scope *scope
		list  *[]scope
	}
	var top []scope
	var stack []open
	for i, s := range c.symbols {
		if !isPlace(s.Kind) {
			continue
		}
		from, to := max(s.Range.StartLine-1, 0), min(s.Range.EndLine, len(c.lines))
		for len(stack) > 0 && stack[len(stack)-1].scope.to <= from {
			stack = stack[:len(stack)-1]
		}
		list := &top
		floor, ceiling := 0, len(c.lines)
		if n := len(stack); n > 0 {
			// The first line of a scope is its own, not that of what is inside it.
			list, floor, ceiling = &stack[n-1].scope.inner, stack[n-1].scope.from+1, stack[n-1].scope.to
		}
		if n := len(*list); n > 0 {
			floor = max(floor, (*list)[n-1].to)
		}
		from, to = max(from, floor), min(to, ceiling)
		if from >= to || len(stack) >= maxDepth {
			continue
		}
		for from > floor && c.isLead(from-1) {
			from--
		}
		*list = append(*list, scope{symbol: i, from: from, to: to})
		stack = append(stack, open{&(*list)[len(*list)-1], list})
	}
	return top
}

// maxDepth bounds how deep definitions are followed.
const maxDepth = 32

// isLead says whether a line is a comment that leads what follows it.
func (c *cutter) isLead(i int) bool {
	text := strings.TrimSpace(c.lines[i].text)
	for _, mark := range []string{"//", "#", "/*", "*", "--", ";;", "@", "<!--"} {
		if strings.HasPrefix(text, mark) {
			return true
		}
	}
	return false
}

// isPlace says whether a definition of this kind is worth a chunk.
func isPlace(k syntax.Kind) bool {
	switch k {
	case syntax.Function, syntax.Method, syntax.Class, syntax.Struct, syntax.Interface, syntax.Enum, syntax.Type,
		syntax.Module:
		return true
	default:
		return false
	}
}

// region cuts lines that belong to a definition, or to nobody when owner is -1.
func (c *cutter) region(from, to, owner int, inner []scope) {
	budget := c.limit - c.headerTokens(owner)
	if owner >= 0 && c.size(from, to) <= budget {
		c.emit(from, to, owner)
		return
	}
	if len(inner) == 0 {
		c.windows(from, to, owner)
		return
	}
	// What lies between definitions is collected, small definitions with it, until it is enough for a chunk.
	pending, small := from, c.limit/8
	for _, s := range inner {
		if c.size(s.from, s.to) <= small && c.size(pending, s.to) <= budget {
			continue
		}
		c.windows(pending, s.from, owner)
		c.region(s.from, s.to, s.symbol, s.inner)
		pending = s.to
	}
	c.tail(pending, to, owner)
}

// tail gives the lines after the last inner definition: a closing bracket alone goes to the chunk before.
func (c *cutter) tail(from, to, owner int) {
	for to > from && c.lines[to-1].blank {
		to--
	}
	if from >= to {
		return
	}
	if n := len(c.chunks); n > 0 && to-from <= 2 && !hasWords(c.join(from, to)) {
		last := &c.chunks[n-1]
		if last.Tokens+c.size(last.Range.EndLine, to) <= c.limit {
			last.Range.EndLine, last.Range.EndByte = to, c.lines[to-1].end
			c.fill(last)
			return
		}
	}
	c.windows(from, to, owner)
}

func hasWords(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r > 0x7F
	})
}

// windows cuts lines into chunks within the limit, at the best places.
func (c *cutter) windows(from, to, owner int) {
	budget := c.limit - c.headerTokens(owner)
	for {
		for from < to && c.lines[from].blank {
			from++
		}
		for to > from && c.lines[to-1].blank {
			to--
		}
		if from >= to {
			return
		}
		if c.size(from, to) <= budget {
			c.emit(from, to, owner)
			return
		}
		end := c.split(from, to, budget)
		c.emit(from, end, owner)
		from = end
	}
}

// split gives the end of the first window: among the ends within the budget and past its half, the one with the least
// indentation after a blank line, or else the one with the least indentation; the latest of equals.
func (c *cutter) split(from, to, budget int) int {
	end := from + 1
	best, bestScore := end, -1<<30
	for ; end < to && c.size(from, end) <= budget; end++ {
		next := c.lines[end]
		if next.blank {
			continue
		}
		score := -next.indent
		if c.lines[end-1].blank {
			score += 1000
		}
		if closes(next.text) {
			score -= 500
		}
		if c.size(from, end) < budget/2 {
			score -= 5000
		}
		if score >= bestScore {
			best, bestScore = end, score
		}
	}
	return best
}

// closes says whether a line only ends what stands before it.
func closes(text string) bool {
	text = strings.TrimSpace(text)
	return text != "" && strings.IndexByte(")]}", text[0]) >= 0
}

func (c *cutter) join(from, to int) string {
	var b strings.Builder
	for _, l := range c.lines[from:to] {
		b.WriteString(l.text)
	}
	return strings.TrimRight(b.String(), "\r\n")
}

// header gives what a reader must know to understand a chunk, within its share of the limit.
func (c *cutter) header(owner int) string {
	if owner < 0 {
		return c.pathHeader
	}
	s := c.symbols[owner]
	lines := []string{c.pathHeader}
	if s.Container != "" {
		lines = append(lines, cutTokens(s.Container, c.headerLimit/8))
	}
	signature := s.Signature
	if signature == "" {
		signature = s.Name
	}
	lines = append(lines, cutTokens(signature, c.headerLimit/4))
	return strings.Join(lines, "\n")
}

func (c *cutter) headerTokens(owner int) int { return Tokens(c.header(owner)) }

// tailTokens gives the end of a path, which says more than its beginning, in at most limit tokens.
func tailTokens(path string, limit int) string {
	path = path[max(0, len(path)-4*limit):]
	for Tokens(path) > limit || path != "" && !utf8.RuneStart(path[0]) {
		path = path[1:]
	}
	return path
}

// cutTokens shortens a text to at most limit tokens.
func cutTokens(s string, limit int) string {
	if len(s) > 4*limit {
		s = strings.ToValidUTF8(s[:4*limit], "")
	}
	for Tokens(s) > limit {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// emit adds a chunk, without the blank lines around it.
func (c *cutter) emit(from, to, owner int) {
	for from < to && c.lines[from].blank {
		from++
	}
	for to > from && c.lines[to-1].blank {
		to--
	}
	if from >= to {
		return
	}
	chunk := syntax.Chunk{
		Range: syntax.Range{
			StartLine: from + 1, EndLine: to,
			StartByte: c.lines[from].start, EndByte: c.lines[to-1].end,
		},
		Header: c.header(owner),
	}
	container := ""
	if owner >= 0 {
		chunk.Symbol, container = c.symbols[owner].Name, c.symbols[owner].Container
	}
	c.fill(&chunk)
	c.chunks = append(c.chunks, chunk)
	c.containers = append(c.containers, container)
}

// fill gives a chunk the text of its lines.
func (c *cutter) fill(chunk *syntax.Chunk) {
	chunk.Text = c.join(chunk.Range.StartLine-1, chunk.Range.EndLine)
	chunk.Tokens = Tokens(chunk.Header) + Tokens(chunk.Text)
}

// name gives every chunk its id. The same text may stand twice under one name; the second is told apart by a number.
func (c *cutter) name() {
	seen := make(map[string]int)
	for i := range c.chunks {
		chunk := &c.chunks[i]
		sum := sha256.Sum256([]byte(strings.Join([]string{c.path, c.containers[i], chunk.Symbol, chunk.Text}, "\x00")))
		chunk.ID = hex.EncodeToString(sum[:16])
		seen[chunk.ID]++
		if n := seen[chunk.ID]; n > 1 {
			chunk.ID = fmt.Sprintf("%s-%d", chunk.ID, n)
		}
	}
}
