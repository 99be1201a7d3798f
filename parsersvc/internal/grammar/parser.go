//go:build cgo

package grammar

// #include <stdlib.h>
// #include "grammar.h"
import "C"

import (
	"errors"
	"fmt"
	"iter"
	"runtime"
	"time"
	"unsafe"
)

// ErrLimit says that a parse ran into its time limit and stopped by itself.
var ErrLimit = errors.New("parse ran into its time limit")

// keepBytes is how much each buffer of a parser keeps for the next file; what a larger one took is given back.
const keepBytes = 8 << 20

// MaxMatches bounds what is taken from one query over one file: a file of a mebibyte can hold half a million names.
const MaxMatches = 300_000

// Node is one node of a tree.
type Node C.or_node

// Start and End give the node's range in bytes.
func (n *Node) Start() uint32 { return uint32(n.start) }

// End gives the byte after the node.
func (n *Node) End() uint32 { return uint32(n.end) }

// Next gives the index of the first node that is not in this one and stands after it.
func (n *Node) Next() int { return int(n.next) }

// Missing says whether the parser put it in where it was not, IsError whether it is text that fits nowhere, HasError
// whether there is such a thing in it.
func (n *Node) Missing() bool { return n.flags&C.NODE_MISSING != 0 }

// IsError is described at Missing.
func (n *Node) IsError() bool { return n.flags&C.NODE_ERROR != 0 }

// HasError is described at Missing.
func (n *Node) HasError() bool { return n.flags&C.NODE_HAS_ERROR != 0 }

// Capture is one node that a pattern found.
type Capture struct {
	// ID is the index of its name in Query.Captures, Children how many named children it has if that was to be counted.
	id, children uint16
	// Start and End are its range in bytes.
	Start, End uint32
}

// ID gives the index of the capture's name in Query.Captures.
func (c Capture) ID() int { return int(c.id) }

// Children gives how many named children the node has, comments not among them, if that was to be counted.
func (c Capture) Children() int { return int(c.children) }

// Matches is what one query found, in the order in which the patterns begin in the text.
type Matches struct {
	words []uint32
	count int
	// Whole says that nothing was left out.
	Whole bool
}

// Len gives how many matches there are.
func (m Matches) Len() int { return m.count }

// All gives the matches: the number of the pattern, and its captures, which must not be kept.
func (m Matches) All() iter.Seq2[int, []Capture] {
	return func(yield func(int, []Capture) bool) {
		for words := m.words; len(words) > 0; {
			head := words[0]
			n := int(head & 0xFFFF)
			captures := unsafe.Slice((*Capture)(unsafe.Pointer(unsafe.SliceData(words[1:]))), n)
			if n == 0 {
				captures = nil
			}
			if !yield(int(head>>16), captures) {
				return
			}
			words = words[1+3*n:]
		}
	}
}

// Tree is the result of one parse. It is valid until the parser's next.
type Tree struct {
	// Nodes in the order of the text, a parent before its children; the root is the first.
	Nodes []Node
	// Found has what each query found.
	Found [C.MAX_QUERIES]Matches
}

// Parser parses one text at a time. It keeps its buffers.
type Parser struct{ work *C.or_work }

// NewParser gives a parser.
func NewParser() *Parser {
	p := &Parser{work: (*C.or_work)(C.calloc(1, C.sizeof_or_work))}
	runtime.AddCleanup(p, func(w *C.or_work) { C.or_free(w) }, p.work)
	return p
}

// Parse parses text and runs the queries, at most two; a nil one finds nothing. The error is ErrLimit, or a fault of
// ours or of the machine.
func (p *Parser) Parse(l *Language, text []byte, limit time.Duration, queries ...*Query) (Tree, error) {
	if len(queries) > C.MAX_QUERIES {
		return Tree{}, errors.New("too many queries")
	}
	var c [C.MAX_QUERIES]*C.or_query
	for i, q := range queries {
		if q != nil {
			c[i] = q.c
		}
	}
	micros := C.uint64_t(max(limit.Microseconds(), 1))
	C.or_trim(p.work, keepBytes)
	status := C.or_run(p.work, l.ptr, (*C.char)(unsafe.Pointer(unsafe.SliceData(text))), C.uint32_t(len(text)), micros, MaxMatches, c[0], c[1])
	runtime.KeepAlive(queries)
	switch status {
	case C.RUN_OK:
	case C.RUN_TIMEOUT:
		return Tree{}, ErrLimit
	case C.RUN_MEMORY:
		return Tree{}, errors.New("no memory for the nodes of a tree")
	default:
		return Tree{}, fmt.Errorf("the grammar does not fit the library (status %d)", int(status))
	}
	t := Tree{Nodes: unsafe.Slice((*Node)(p.work.nodes), int(p.work.node_count))}
	for i := range t.Found {
		f := &p.work.found[i]
		t.Found[i] = Matches{unsafe.Slice((*uint32)(f.words), int(f.length)), int(f.matches), bool(f.whole)}
	}
	return t, nil
}
