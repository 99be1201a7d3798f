//go:build cgo

package grammar

// #cgo CFLAGS: -std=gnu11 -O2 -DNDEBUG
// #include "grammar.h"
import "C"

import (
	"fmt"
	"unsafe"

	sitter "github.com/smacker/go-tree-sitter"
)

// The layout of a language's tables is that of these versions of the format of generated grammars.
const (
	leastVersion = 13
	mostVersion  = 14
)

// symbol is a kind of node, as a grammar numbers it.
type symbol uint16

// Symbols that are none of a grammar's.
const (
	symbolError    symbol = 0xFFFF
	symbolAny      symbol = C.STEP_ANY
	symbolAnyNamed symbol = C.STEP_ANY_NAMED
)

// Language is a grammar with its names looked up.
type Language struct {
	ptr *C.TSLanguage
	// named and anonymous have the public symbols of nodes, fields the numbers of fields. Supertypes are not among them:
	// they are no nodes.
	named, anonymous map[string]symbol
	supertypes       map[string]struct{}
	fields           map[string]uint16
	names            []string
	fieldNames       []string
}

// NewLanguage reads the names of a grammar.
func NewLanguage(l *sitter.Language) (*Language, error) {
	// The binding's Language is a struct of one pointer, to the grammar's tables.
	ptr := *(**C.TSLanguage)(unsafe.Pointer(l))
	if ptr == nil || ptr.version < leastVersion || ptr.version > mostVersion {
		return nil, fmt.Errorf("the grammar's format is not one of the versions %d to %d", leastVersion, mostVersion)
	}
	out := &Language{
		ptr: ptr, named: make(map[string]symbol), anonymous: make(map[string]symbol), supertypes: make(map[string]struct{}),
		fields: make(map[string]uint16),
	}
	n := int(ptr.symbol_count + ptr.alias_count)
	names := unsafe.Slice(ptr.symbol_names, n)
	metadata := unsafe.Slice(ptr.symbol_metadata, n)
	public := unsafe.Slice(ptr.public_symbol_map, n)
	for i := range n {
		name := C.GoString(names[i])
		out.names = append(out.names, name)
		switch {
		case bool(metadata[i].supertype):
			out.supertypes[name] = struct{}{}
		case !bool(metadata[i].visible):
		case bool(metadata[i].named):
			put(out.named, name, symbol(public[i]))
		default:
			put(out.anonymous, name, symbol(public[i]))
		}
	}
	out.fieldNames = []string{""}
	// A grammar without fields has no table of them; one that has leaves the first entry out.
	for i := range int(ptr.field_count) {
		name := C.GoString(unsafe.Slice(ptr.field_names, int(ptr.field_count)+1)[i+1])
		out.fields[name] = uint16(i + 1)
		out.fieldNames = append(out.fieldNames, name)
	}
	return out, nil
}

// put keeps the first of each name, as the library's own lookup does.
func put(m map[string]symbol, name string, s symbol) {
	if _, ok := m[name]; !ok {
		m[name] = s
	}
}

// Name gives the name of a kind of node.
func (l *Language) Name(n Node) string {
	s := symbol(n.symbol)
	switch {
	case s == symbolError:
		return "ERROR"
	case int(s) < len(l.names):
		return l.names[s]
	default:
		return ""
	}
}

// Field gives the name of the field that a node is of its parent, or nothing.
func (l *Language) Field(n Node) string {
	if int(n.field) < len(l.fieldNames) {
		return l.fieldNames[n.field]
	}
	return ""
}
