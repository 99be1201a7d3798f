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
	for _, r := range facts.References {
		if r.Kind == syntax.Call {
			got[fmt.Sprintf("%d call %s/%d", r.Range.StartLine, r.Name, r.Arguments)] = true
		}
	}
	want := goDefinitions(t, file, content)
	for w, must := range want {
		if must && !got[w] {
			t.Errorf("%s: missing %s", file, w)
		}
	}
	for g := range got {
		if _, there := want[g]; !there {
			t.Errorf("%s: not there: %s", file, g)
		}
	}
}

// goDefinitions gives what must be found in a file (true) and what may (false): a call of a name that a function has
// made for itself is none of a definition.
func goDefinitions(t *testing.T, file string, content []byte) map[string]bool {
	t.Helper()
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, content, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	line := func(p token.Pos) int { return fset.PositionFor(p, false).Line }
	out := make(map[string]bool)
	ast.Inspect(tree, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if name := calledName(call.Fun); name != nil {
				key := fmt.Sprintf("%d call %s/%d", line(name.Pos()), name.Name, goArguments(call))
				_, must := call.Fun.(*ast.SelectorExpr)
				out[key] = out[key] || must
				// f[int](x) reads as a conversion, of which the number of arguments is not told.
				if _, instance := call.Fun.(*ast.IndexExpr); instance {
					out[fmt.Sprintf("%d call %s/-1", line(name.Pos()), name.Name)] = false
				}
			}
		}
		return true
	})
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

// calledName gives the name that a call calls, or nil.
func calledName(fun ast.Expr) *ast.Ident {
	switch f := fun.(type) {
	case *ast.Ident:
		return f
	case *ast.SelectorExpr:
		return f.Sel
	case *ast.ParenExpr:
		if name, ok := f.X.(*ast.Ident); ok {
			return name
		}
	case *ast.IndexListExpr:
		return calledName(f.X)
	case *ast.IndexExpr:
		return calledName(f.X)
	}
	return nil
}

// goArguments gives how many arguments a call gives, -1 when that can't be seen.
func goArguments(call *ast.CallExpr) int {
	if call.Ellipsis.IsValid() {
		return -1
	}
	if len(call.Args) == 1 {
		if inner, ok := call.Args[0].(*ast.CallExpr); ok {
			// A conversion gives one value.
			if !isTypeLiteral(inner.Fun) {
				return -1
			}
		}
	}
	return len(call.Args)
}

func isTypeLiteral(e ast.Expr) bool {
	switch x := ast.Unparen(e).(type) {
	case *ast.ArrayType, *ast.MapType, *ast.ChanType, *ast.FuncType, *ast.InterfaceType, *ast.StructType:
		return true
	case *ast.StarExpr:
		return isTypeLiteral(x.X)
	default:
		return false
	}
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
