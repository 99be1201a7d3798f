package intake

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrMalformed says that a payload cannot be one of GitHub's. Errors of this package wrap it and never quote the payload.
var ErrMalformed = errors.New("malformed payload")

// Bounds far above GitHub's payloads, which nest 15 deep and have 110 keys in their largest object.
const (
	maxDepth     = 64
	maxKeys      = 2000
	maxNumber    = 40
	maxText      = 1024
	fewKeys      = 160
	openKeys     = 192 // what GitHub's have open at a time
	maxElements  = 1 << 20
	errTruncated = "it ends too early"
)

// scanner reads JSON in one pass. Whoever calls object or array takes each value by exactly one other method; all
// methods leave the values of other types they accept (null) at their zero value.
type scanner struct {
	data  []byte
	pos   int
	depth int
	// keys are those of the objects that are open, the innermost last.
	keys [][]byte
}

func (s *scanner) fail(problem string) error {
	return fmt.Errorf("%w: %s, at byte %d", ErrMalformed, problem, s.pos)
}

// peek skips white space and gives the next byte, 0 at the end (which is no token of JSON either).
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		if c := s.data[s.pos]; c > ' ' { // as GitHub writes it, without white space
			return c
		}
	}
	return s.peekOn()
}

func (s *scanner) peekOn() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// end insists that nothing follows.
func (s *scanner) end() error {
	if s.peek(); s.pos < len(s.data) {
		return s.fail("something follows the value")
	}
	return nil
}

// object reads an object or null, and calls each at the value of every key; nil skips them. A key that comes twice is an
// error.
func (s *scanner) object(each func(key []byte) error) error {
	switch s.peek() {
	case 'n':
		return s.word("null")
	case '{':
	default:
		return s.fail("want an object")
	}
	if err := s.enter(); err != nil {
		return err
	}
	mine := len(s.keys)
	defer func() { s.keys = s.keys[:mine]; s.depth-- }()
	var seen filter
	var many map[string]struct{}
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for n := 0; ; n++ {
		if n == maxKeys {
			return s.fail("an object has too many keys")
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		if maybe := seen.add(key); maybe || many != nil || len(s.keys)-mine >= fewKeys {
			if many, err = s.once(key, mine, many); err != nil {
				return err
			}
		} else {
			s.keys = append(s.keys, key)
		}
		if s.peek() != ':' {
			return s.fail("want a colon")
		}
		s.pos++
		if each == nil {
			err = s.skip()
		} else {
			err = each(key)
		}
		if err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		default:
			return s.fail("want a comma or the end of the object")
		}
	}
}

// filter tells most keys of an object apart without a look at the others.
type filter [8]uint64

// add notes a key and says whether it may have been noted before. It is never wrong when it says no.
func (f *filter) add(key []byte) (maybe bool) {
	h := uint64(len(key))
	switch n := len(key); {
	case n >= 8:
		h ^= binary.LittleEndian.Uint64(key) ^ binary.LittleEndian.Uint64(key[n-8:])*0x9e3779b97f4a7c15
	default:
		for _, c := range key {
			h = h<<8 ^ uint64(c) ^ h>>56
		}
	}
	h *= 0x9e3779b97f4a7c15
	bit, word := uint64(1)<<(h>>58), h>>55&7
	maybe = f[word]&bit != 0
	f[word] |= bit
	return maybe
}

// once notes a key of the innermost object and refuses one that it has. Looking through few keys is cheaper than a map.
func (s *scanner) once(key []byte, mine int, many map[string]struct{}) (map[string]struct{}, error) {
	known := s.keys[mine:]
	if len(known) < fewKeys {
		for _, k := range known {
			if bytes.Equal(k, key) {
				return nil, s.fail("a key comes twice")
			}
		}
		s.keys = append(s.keys, key)
		return nil, nil
	}
	if many == nil {
		many = make(map[string]struct{}, 2*fewKeys)
		for _, k := range known {
			many[string(k)] = struct{}{}
		}
	}
	if _, twice := many[string(key)]; twice {
		return nil, s.fail("a key comes twice")
	}
	many[string(key)] = struct{}{}
	return many, nil
}

// array reads an array or null, and calls each at every element; nil skips them.
func (s *scanner) array(each func() error) error {
	switch s.peek() {
	case 'n':
		return s.word("null")
	case '[':
	default:
		return s.fail("want an array")
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for n := 0; ; n++ {
		if n == maxElements {
			return s.fail("an array is too long")
		}
		var err error
		if each == nil {
			err = s.skip()
		} else {
			err = each()
		}
		if err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return s.fail("want a comma or the end of the array")
		}
	}
}

func (s *scanner) enter() error {
	if s.depth++; s.depth > maxDepth {
		return s.fail("it nests too deep")
	}
	s.pos++
	return nil
}

// skip reads any value.
func (s *scanner) skip() error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(nil)
	case c == '[':
		return s.array(nil)
	case c == '"':
		_, _, err := s.quoted()
		return err
	case c == '-' || c >= '0' && c <= '9':
		_, err := s.number()
		return err
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	default:
		return s.fail("want a value")
	}
}

// str reads a string or null.
func (s *scanner) str(into *string) error {
	if s.peek() == 'n' {
		return s.word("null")
	}
	v, err := s.text()
	if err != nil {
		return err
	}
	if len(v) > maxText {
		return s.fail("a text is too long")
	}
	*into = string(v)
	return nil
}

// whole reads a whole number that fits, or null.
func (s *scanner) whole(into *int64) error {
	if s.peek() == 'n' {
		return s.word("null")
	}
	digits, err := s.number()
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return s.fail("a number is not whole or too large")
	}
	*into = n
	return nil
}

// stamp reads a string, a number or null as the text that it is: GitHub gives some times in either form.
func (s *scanner) stamp(into *string) error {
	if c := s.peek(); c == '"' || c == 'n' {
		return s.str(into)
	}
	digits, err := s.number()
	*into = string(digits)
	return err
}

// set reads any value and says whether it is there and not null.
func (s *scanner) set(into *bool) error {
	*into = s.peek() != 'n'
	return s.skip()
}

func (s *scanner) word(w string) error {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(w)) {
		return s.fail("want a value")
	}
	s.pos += len(w)
	return nil
}

func (s *scanner) number() ([]byte, error) {
	s.peek()
	start := s.pos
	digits := func() bool {
		from := s.pos
		for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
			s.pos++
		}
		return s.pos > from
	}
	next := func(any string) bool {
		if s.pos < len(s.data) && bytes.IndexByte([]byte(any), s.data[s.pos]) >= 0 {
			s.pos++
			return true
		}
		return false
	}
	next("-")
	ok := next("0") || digits()
	if ok && next(".") {
		ok = digits()
	}
	if ok && next("eE") {
		next("+-")
		ok = digits()
	}
	switch {
	case !ok:
		return nil, s.fail("want a number")
	case s.pos-start > maxNumber:
		return nil, s.fail("a number is too long")
	}
	return s.data[start:s.pos], nil
}

// quoted reads a string and gives what stands between the quotes, and whether there are escapes in it.
func (s *scanner) quoted() (raw []byte, escaped bool, err error) {
	if s.peek() != '"' {
		return nil, false, s.fail("want a string")
	}
	s.pos++
	for start := s.pos; s.pos < len(s.data); s.pos++ {
		s.plain()
		if s.pos == len(s.data) {
			break
		}
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return s.data[start : s.pos-1], escaped, nil
		case c < ' ':
			return nil, false, s.fail("a control character stands in a string")
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		}
	}
	return nil, false, s.fail(errTruncated)
}

// plain goes on over bytes that mean nothing in a string, eight at a time: it stops, at the latest, at a quote, a
// backslash or a control character.
func (s *scanner) plain() {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for s.pos+8 <= len(s.data) {
		w := binary.LittleEndian.Uint64(s.data[s.pos:])
		quote, slash := w^ones*'"', w^ones*'\\'
		// A byte below n sets its highest bit in (w-n)&^w; the borrow of such a byte may set more to the left of it,
		// never to the right, and the first is what counts.
		if special := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & high; special != 0 {
			s.pos += bits.TrailingZeros64(special) / 8
			return
		}
		s.pos += 8
	}
}

// escape leaves pos at the last byte of the escape.
func (s *scanner) escape() error {
	s.pos++
	if s.pos >= len(s.data) {
		return s.fail(errTruncated)
	}
	switch s.data[s.pos] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		if _, ok := hex4(s.data[s.pos+1:]); ok {
			s.pos += 4
			return nil
		}
	}
	return s.fail("an escape is wrong")
}

// text reads a string and resolves its escapes.
func (s *scanner) text() ([]byte, error) {
	raw, escaped, err := s.quoted()
	if err != nil || !escaped {
		return raw, err
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if bytes.HasPrefix(raw[i+1:], []byte(`\u`)) {
					low, _ = hex4(raw[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, raw[i])
		}
	}
	return out, nil
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
