//go:build cgo

package analysis

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// TestGoAgainstItsOwnParser compares definitions, arities and containers of real Go code with what go/parser says. The
// code is Go's own, which is there wherever the test can be compiled.
func TestGoAgainstItsOwnParser(t *testing.T) {
	t.Parallel()
	root := filepath.Join(runtime.GOROOT(), "src") //nolint:staticcheck // the sources of the running toolchain are wanted
	for _, dir := range []string{"net/http", "go/types", "encoding/json", "slices", "reflect", "sync"} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			files, _ := filepath.Glob(filepath.Join(root, dir, "*.go"))
			if len(files) == 0 {
				t.Skip("Go's sources are not here")
			}
			analyzer := New()
			for _, file := range files {
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				compareWithGoParser(t, analyzer, file, content)
			}
		})
	}
}

func compareWithGoParser(t *testing.T, analyzer *Analyzer, file string, content []byte) {
	t.Helper()
	facts, err := analyzer.Facts(Source{Path: file, Content: content}, Want{}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if len(facts.Errors) > 0 {
		t.Errorf("%s: %v", file, facts.Errors[0])
		return
	}
	got := make(map[string]bool)
	for _, s := range facts.Symbols {
		switch s.Kind {
		case syntax.Function, syntax.Method:
			if s.Parent < 0 {
				got[fmt.Sprintf("%d %s %s %d..%d to %d", s.NameRange.StartLine, s.Kind, s.QualifiedName(), s.MinArguments, s.MaxArguments, s.Range.EndLine)] = true
			}
		case syntax.Struct, syntax.Interface, syntax.Type:
			if s.Parent < 0 {
				got[fmt.Sprintf("%d type %s", s.NameRange.StartLine, s.Name)] = true
			}
		case syntax.Constant, syntax.Variable:
			got[fmt.Sprintf("%d %s %s", s.NameRange.StartLine, s.Kind, s.Name)] = true
		default:
		}
	}
	want := goDefinitions(t, file, content)
	for w := range want {
		if !got[w] {
			t.Errorf("%s: missing %s", file, w)
		}
	}
	for g := range got {
		if !want[g] {
			t.Errorf("%s: not there: %s", file, g)
		}
	}
}

func goDefinitions(t *testing.T, file string, content []byte) map[string]bool {
	t.Helper()
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, content, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	line := func(p token.Pos) int { return fset.PositionFor(p, false).Line }
	out := make(map[string]bool)
	for _, decl := range tree.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == "_" {
				continue
			}
			kind, name := "function", d.Name.Name
			if d.Recv != nil {
				kind, name = "method", receiverType(d.Recv.List[0].Type)+"."+name
			}
			least, most := goArity(d.Type.Params)
			out[fmt.Sprintf("%d %s %s %d..%d to %d", line(d.Name.Pos()), kind, name, least, most, line(d.End()-1))] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.Name != "_" {
						out[fmt.Sprintf("%d type %s", line(s.Name.Pos()), s.Name.Name)] = true
					}
				case *ast.ValueSpec:
					kind := map[token.Token]string{token.CONST: "constant", token.VAR: "variable"}[d.Tok]
					for _, n := range s.Names {
						if n.Name != "_" {
							out[fmt.Sprintf("%d %s %s", line(n.Pos()), kind, n.Name)] = true
						}
					}
				}
			}
		}
	}
	return out
}

func goArity(params *ast.FieldList) (least, most int) {
	for _, p := range params.List {
		n := max(1, len(p.Names))
		if _, variadic := p.Type.(*ast.Ellipsis); variadic {
			return least, -1
		}
		least, most = least+n, most+n
	}
	return least, most
}

func receiverType(e ast.Expr) string {
	switch t := e.(type) {
	case *ast.StarExpr:
		return receiverType(t.X)
	case *ast.IndexExpr:
		return receiverType(t.X)
	case *ast.IndexListExpr:
		return receiverType(t.X)
	case *ast.ParenExpr:
		return receiverType(t.X)
	case *ast.Ident:
		return t.Name
	default:
		return strings.TrimSpace(fmt.Sprint(e))
	}
}
