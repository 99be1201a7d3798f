//go:build cgo

package analysis

import (
	"cmp"
	"slices"

	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/parsersvc/internal/grammar"
)

const (
	// maxErrors is how many are told of a file.
	maxErrors = 100
	// maxErrorsCounted is how many are looked for.
	maxErrorsCounted = 2_000
)

// fault is one syntax error.
type fault struct {
	span
	missing bool
	message string
}

// faults finds the syntax errors of a tree in the order of the text: the search goes down only into nodes that say that
// they hold one, and not into those that are one.
func faults(language *grammar.Language, nodes []grammar.Node, content []byte) []fault {
	var out []fault
	for i := 0; i < len(nodes) && len(out) < maxErrorsCounted; {
		n := &nodes[i]
		s := span{n.Start(), n.End()}
		// The root itself is an error when nothing of the file could be understood; what is below it says where.
		descend := i == 0 && n.HasError()
		switch {
		case n.Missing():
			out = append(out, fault{s, true, "missing " + quoted(language.Name(*n))})
		case n.IsError():
			out = append(out, fault{s, false, "unexpected " + quoted(fold(s.text(content), 40))})
		default:
			descend = n.HasError()
		}
		if descend {
			i++
		} else {
			i = n.Next()
		}
	}
	slices.SortStableFunc(out, func(a, b fault) int { return cmp.Compare(a.start, b.start) })
	return out
}

func quoted(s string) string {
	if s == "" {
		return "text"
	}
	return "`" + s + "`"
}

// errorsOf puts faults in the domain's words, at most maxErrors of them.
func errorsOf(faults []fault, t *text) []syntax.Error {
	var out []syntax.Error
	for _, f := range faults[:min(len(faults), maxErrors)] {
		out = append(out, syntax.Error{Range: t.rangeOf(f.span), Message: f.message})
	}
	return out
}
