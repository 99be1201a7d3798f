//go:build cgo

package grammar

// #include <stdlib.h>
// #include "grammar.h"
import "C"

import (
	"errors"
	"runtime"
	"unsafe"
)

// maxCaptures is how many captures one node of a pattern may have.
const maxCaptures = C.STEP_MAX_CAPTURES

// maxPatterns is how many patterns a query may have: callers have 12 bits for its number.
const maxPatterns = 1 << 12

// Query is a query made ready for one language.
type Query struct {
	// Captures are the names of the captures, without the @.
	Captures []string
	// Predicates are those of each pattern. They are the caller's to hold.
	Predicates [][]Predicate

	c *C.or_query
	// memory is what c points to.
	memory []unsafe.Pointer
}

// NewQuery reads a query. counted says of a capture's name whether its node's named children are to be counted.
func NewQuery(l *Language, text string, counted func(capture string) bool) (*Query, error) {
	r := reader{language: l, text: text}
	patterns, err := r.query()
	if err != nil {
		return nil, err
	}
	if len(patterns) > maxPatterns {
		return nil, errors.New("too many patterns")
	}
	q := &Query{Captures: r.captures}
	a := assembler{symbols: int(l.ptr.symbol_count + l.ptr.alias_count)}
	a.roots = make([][]C.or_root, a.symbols)
	for i, p := range patterns {
		q.Predicates = append(q.Predicates, p.predicates)
		if err := a.pattern(uint16(i), p.steps); err != nil {
			return nil, err
		}
	}
	flags := make([]C.uint8_t, len(r.captures))
	for i, name := range r.captures {
		if counted(name) {
			flags[i] = 1
		}
	}
	q.finish(&a, flags)
	runtime.AddCleanup(q, func(memory []unsafe.Pointer) {
		for _, p := range memory {
			C.free(p)
		}
	}, q.memory)
	return q, nil
}

// assembler writes patterns down as C has them.
type assembler struct {
	symbols int
	steps   []C.or_step
	lists   []C.uint32_t
	roots   [][]C.or_root // by symbol
	any     []C.or_root
}

// pattern adds a pattern at each node that it may begin with.
func (a *assembler) pattern(number uint16, steps []*step) error {
	first := steps[0]
	if first.quantifier != quantifierOne {
		return errors.New("a pattern begins with something that need not be there")
	}
	heads := [][]*step{steps}
	if first.choices != nil {
		heads = nil
		for _, c := range first.choices {
			heads = append(heads, append(append([]*step(nil), c...), steps[1:]...))
		}
	}
	for _, h := range heads {
		if h[0].choices != nil {
			if err := a.pattern(number, h); err != nil {
				return err
			}
			continue
		}
		index, _ := a.list(h)
		root := C.or_root{step: C.int32_t(index), pattern: C.uint16_t(number)}
		if hasOptions(h) {
			root.optional = 1
		}
		switch s := h[0].symbol; {
		case s == symbolAny, s == symbolAnyNamed, s == symbolError:
			a.any = append(a.any, root)
		default:
			a.roots[s] = append(a.roots[s], root)
		}
	}
	return nil
}

// hasOptions says whether two matches of a pattern at one node may differ by what one of them leaves out.
func hasOptions(steps []*step) bool {
	for _, s := range steps {
		if s.quantifier != quantifierOne || s.choices != nil || hasOptions(s.children) {
			return true
		}
	}
	return false
}

// list adds steps that follow each other, and gives the index of the first and whether any of them is captured.
func (a *assembler) list(steps []*step) (first int, captured bool) {
	first = -1
	for i := len(steps) - 1; i >= 0; i-- {
		s := steps[i]
		out := C.or_step{
			child: -1, next: C.int32_t(first), symbol: C.uint16_t(s.symbol), field: C.uint16_t(s.field),
			quantifier: C.uint8_t(s.quantifier), capture_count: C.uint8_t(len(s.captures)),
		}
		for j, c := range s.captures {
			out.captures[j] = C.uint16_t(c)
		}
		own := len(s.captures) > 0
		if s.choices != nil {
			out.flags |= C.STEP_CHOICE
			var heads []C.uint32_t
			for _, c := range s.choices {
				head, below := a.list(c)
				own = own || below
				heads = append(heads, C.uint32_t(head))
			}
			out.list, out.list_length = C.uint32_t(len(a.lists)), C.uint32_t(len(heads))
			a.lists = append(a.lists, heads...)
		} else {
			head, below := a.list(s.children)
			own = own || below
			out.child = C.int32_t(head)
			out.list, out.list_length = C.uint32_t(len(a.lists)), C.uint32_t(len(s.without))
			for _, f := range s.without {
				a.lists = append(a.lists, C.uint32_t(f))
			}
		}
		if s.immediate {
			out.flags |= C.STEP_IMMEDIATE
		}
		if s.last {
			out.flags |= C.STEP_LAST
		}
		if s.missing {
			out.flags |= C.STEP_MISSING
		}
		if own {
			out.flags |= C.STEP_CAPTURES
		}
		captured = captured || own
		first = len(a.steps)
		a.steps = append(a.steps, out)
	}
	return first, captured
}

// finish copies what was assembled to C's memory.
func (q *Query) finish(a *assembler, counted []C.uint8_t) {
	var roots []C.or_root
	bySymbol := make([]C.uint32_t, a.symbols+1)
	for i, list := range a.roots {
		bySymbol[i] = C.uint32_t(len(roots))
		roots = append(roots, list...)
	}
	bySymbol[a.symbols] = C.uint32_t(len(roots))
	q.c = &allocate(q, make([]C.or_query, 1))[0]
	q.c.steps = unsafe.SliceData(allocate(q, a.steps))
	q.c.lists = unsafe.SliceData(allocate(q, a.lists))
	q.c.roots = unsafe.SliceData(allocate(q, roots))
	q.c.by_symbol = unsafe.SliceData(allocate(q, bySymbol))
	q.c.symbol_count = C.uint32_t(a.symbols)
	q.c.any, q.c.any_count = unsafe.SliceData(allocate(q, a.any)), C.uint32_t(len(a.any))
	q.c.counted = unsafe.SliceData(allocate(q, counted))
}

// allocate copies a slice into C's memory, which the query owns.
func allocate[T any](q *Query, from []T) []T {
	size := max(1, len(from)) * int(unsafe.Sizeof(*new(T)))
	// C.malloc never gives nil: it ends the process.
	p := C.malloc(C.size_t(size))
	q.memory = append(q.memory, p)
	to := unsafe.Slice((*T)(p), len(from))
	copy(to, from)
	return to
}
