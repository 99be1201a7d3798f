//go:build cgo

package analysis

import (
	"cmp"
	"slices"

	sitter "github.com/smacker/go-tree-sitter"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// Limits of the search for syntax errors.
const (
	// maxErrors is how many are told of a file.
	maxErrors = 100
	// maxErrorsCounted is how many are looked for.
	maxErrorsCounted = 2_000
	// maxErrorSteps bounds the search for missing tokens, and maxErrorDepth how deep it goes.
	maxErrorSteps = 200_000
	maxErrorDepth = 2_000
)

// fault is one syntax error.
type fault struct {
	span
	missing bool
	message string
}

// faults finds the syntax errors of a tree in the order of the text. A tree without any costs one call; otherwise the
// search goes down only into nodes that say that they hold one, and not into those that are one.
func faults(root *sitter.Node, content []byte) []fault {
	if !root.HasError() {
		return nil
	}
	var out []fault
	cursor := sitter.NewTreeCursor(root)
	defer cursor.Close()
	depth, down := 0, true
	for range maxErrorSteps {
		if down {
			node := cursor.CurrentNode()
			descend := false
			switch {
			case node.IsMissing():
				out = append(out, fault{span{node.StartByte(), node.EndByte()}, true, "missing " + quoted(node.Type())})
			case node.IsError():
				s := span{node.StartByte(), node.EndByte()}
				out = append(out, fault{s, false, "unexpected " + quoted(fold(s.text(content), 40))})
				// The root itself is an error when nothing of the file could be understood; what is below it says where.
				descend = depth == 0
			default:
				descend = node.HasError() && depth < maxErrorDepth
			}
			if len(out) >= maxErrorsCounted {
				break
			}
			if descend && cursor.GoToFirstChild() {
				depth++
				continue
			}
		}
		if cursor.GoToNextSibling() {
			down = true
			continue
		}
		if depth == 0 || !cursor.GoToParent() {
			break
		}
		depth--
		down = false
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
