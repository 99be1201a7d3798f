// Package syntax holds the facts about source text that the parser tier finds, in the words of the domain, and pure
// questions about them.
//
// Lines are 1-based and inclusive, bytes 0-based and half-open, as in the parser's contract.
package syntax

// Range of source text.
type Range struct {
	StartLine, EndLine int
	StartByte, EndByte int
}

// Contains says whether a line lies in the range.
func (r Range) Contains(line int) bool { return r.StartLine <= line && line <= r.EndLine }

// Overlaps says whether the lines start to end share a line with the range.
func (r Range) Overlaps(start, end int) bool { return r.StartLine <= end && start <= r.EndLine }

// Status says how far the analysis of a file came. The zero value means "not said".
type Status string

// The statuses.
const (
	StatusOK          Status = "ok"
	StatusUnsupported Status = "unsupported"
	StatusTooLarge    Status = "too_large"
	StatusBinary      Status = "binary"
	StatusTimeout     Status = "timeout"
	StatusCrashed     Status = "crashed"
	StatusQuarantined Status = "quarantined"
	StatusPartial     Status = "partial"
)

// Kind is what a definition defines.
type Kind string

// The kinds.
const (
	Function  Kind = "function"
	Method    Kind = "method"
	Class     Kind = "class"
	Struct    Kind = "struct"
	Interface Kind = "interface"
	Enum      Kind = "enum"
	Type      Kind = "type"
	Constant  Kind = "constant"
	Variable  Kind = "variable"
	Field     Kind = "field"
	Module    Kind = "module"
)

// Symbol is one definition.
type Symbol struct {
	Name      string
	Kind      Kind
	Range     Range
	NameRange Range
	// Container is the enclosing types or the receiver's type, outermost first, joined by a dot.
	Container string
	// Signature is the text up to the body, white space folded.
	Signature  string
	Parameters []string
	// MinArguments and MaxArguments bound the arguments of a call; -1 means unbounded or not known.
	MinArguments, MaxArguments int
	Exported                   bool
	Doc                        string
	Test                       bool
	// Parent is the index of the enclosing definition in Facts.Symbols, or -1.
	Parent int
}

// QualifiedName is the name with its container.
func (s Symbol) QualifiedName() string {
	if s.Container == "" {
		return s.Name
	}
	return s.Container + "." + s.Name
}

// ReferenceKind is how a name is used.
type ReferenceKind string

// The kinds of use.
const (
	Call    ReferenceKind = "call"
	TypeUse ReferenceKind = "type"
	Inherit ReferenceKind = "inherit"
	Read    ReferenceKind = "read"
)

// Reference is one use of a name.
type Reference struct {
	Name string
	Kind ReferenceKind
	// Receiver is the text before the name's dot, empty without one.
	Receiver string
	// Arguments is the number a call gives; -1 when it spreads a list or is no call.
	Arguments int
	Range     Range
	// Enclosing is the index of the enclosing definition in Facts.Symbols, or -1.
	Enclosing int
}

// Import is one import of a module, or of names from it.
type Import struct {
	Module, Alias string
	Names         []string
	Range         Range
}

// Error is a place the grammar could not make sense of.
type Error struct {
	Range   Range
	Message string
}

// Facts is all that is known of one file.
type Facts struct {
	Path     string
	Language string
	Status   Status
	// Detail is one sentence on a status that is not StatusOK.
	Detail              string
	Symbols             []Symbol
	References          []Reference
	Imports             []Import
	Errors              []Error
	Generated, Vendored bool
	Lines               int
}

// Enclosing gives the innermost function, method or type that encloses a line, or nil.
func (f *Facts) Enclosing(line int) *Symbol {
	var best *Symbol
	for i := range f.Symbols {
		s := &f.Symbols[i]
		if !s.Range.Contains(line) || !s.scope() {
			continue
		}
		if best == nil || s.Range.EndByte-s.Range.StartByte <= best.Range.EndByte-best.Range.StartByte {
			best = s
		}
	}
	return best
}

// scope says whether the definition is one that a reader thinks of as a place.
func (s *Symbol) scope() bool {
	switch s.Kind {
	case Function, Method, Class, Struct, Interface, Enum, Type:
		return true
	case Constant, Variable, Field, Module:
		return false
	default:
		return false
	}
}

// Chunk is a piece of a file that is embedded.
type Chunk struct {
	ID     string
	Range  Range
	Header string
	Text   string
	Symbol string
	Tokens int
}

// Source is a file to analyse.
type Source struct {
	Path    string
	Content []byte
	// Chunk asks for its chunks too, of at most ChunkTokens tokens (0 means the parser's default).
	Chunk       bool
	ChunkTokens int
}

// Analysis is the answer to one Source.
type Analysis struct {
	Facts  Facts
	Chunks []Chunk
}

// Verdict says what a replacement does to a file.
type Verdict string

// The verdicts.
const (
	VerdictOK         Verdict = "ok"
	VerdictBreaks     Verdict = "breaks"
	VerdictReindented Verdict = "reindented"
	VerdictNoChange   Verdict = "no_change"
	VerdictUnknown    Verdict = "unknown"
)
