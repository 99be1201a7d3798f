package work

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/parsersvc/internal/analysis"
	"github.com/openrabbit/openrabbit/parsersvc/internal/chunk"
)

func chunksOf(t *testing.T, path string, content []byte, limit int) []syntax.Chunk {
	t.Helper()
	facts, err := analysis.New().Facts(analysis.Source{Path: path, Content: content}, analysis.Want{}, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return chunk.Cut(path, content, facts.Symbols, limit)
}

// In every language every line with something on it is in one chunk, no chunk is larger than its limit, and blank lines
// above change no id.
func TestChunksOfEveryLanguage(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/facts/*.fixture")
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".fixture")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, limit := range []int{chunk.MinTokens, chunk.DefaultTokens} {
				chunks := chunksOf(t, name, content, limit)
				covered := make(map[int]int)
				ids := make(map[string]bool)
				for _, c := range chunks {
					if c.Tokens > limit && c.Range.EndLine > c.Range.StartLine || c.Tokens < chunk.Tokens(c.Text) {
						t.Errorf("lines %d-%d have %d tokens", c.Range.StartLine, c.Range.EndLine, c.Tokens)
					}
					if !strings.HasPrefix(c.Header, name) || c.Symbol != "" && !strings.Contains(c.Header, "\n") {
						t.Errorf("lines %d-%d of %s have the header %q", c.Range.StartLine, c.Range.EndLine, c.Symbol, c.Header)
					}
					for l := c.Range.StartLine; l <= c.Range.EndLine; l++ {
						covered[l]++
					}
					ids[c.ID] = true
				}
				for i, l := range strings.Split(string(content), "\n") {
					if strings.TrimSpace(l) != "" && covered[i+1] != 1 {
						t.Errorf("line %d is in %d chunks", i+1, covered[i+1])
					}
				}
				for _, c := range chunksOf(t, name, append([]byte("\n\n\n"), content...), limit) {
					if !ids[c.ID] {
						t.Errorf("lines %d-%d have another id below blank lines", c.Range.StartLine, c.Range.EndLine)
					}
				}
			}
		})
	}
}

// Long functions are split where a statement begins, unless the statement is itself too long. Go's own parser knows where
// statements are.
func TestLongFunctionsAreSplitAtStatements(t *testing.T) {
	t.Parallel()
	const limit = 200
	src := filepath.Join(runtime.GOROOT(), "src") //nolint:staticcheck // the sources of the running toolchain are wanted
	files, _ := filepath.Glob(src + "/net/http/*.go")
	if len(files) == 0 {
		t.Skip("Go's sources are not here")
	}
	splits, inside := 0, []string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(content), "\n")
		spans, bodies := statements(t, file, content)
		for _, c := range chunksOf(t, file, content, limit) {
			at := c.Range.StartLine
			if !slices.ContainsFunc(bodies, func(b [2]int) bool { return b[0] < at && at <= b[1] }) {
				continue
			}
			splits++
			// The innermost statement that goes on over the split.
			cut := [2]int{}
			for _, s := range spans {
				if s[0] <= at && at <= s[1] && s[0] >= cut[0] {
					cut = s
				}
			}
			if cut[0] < at && chunk.Tokens(strings.Join(lines[cut[0]-1:cut[1]], "")) < limit/2 {
				inside = append(inside, fmt.Sprintf("%s:%d", filepath.Base(file), at))
			}
		}
	}
	t.Logf("%d of %d splits inside functions are where a statement begins, or in one that is too long for a chunk", splits-len(inside), splits)
	if splits < 100 || len(inside)*100 > splits {
		t.Errorf("%d of %d splits are inside a statement: %v", len(inside), splits, inside)
	}
}

// statements gives the lines of the statements and of the comments, and those of the functions' bodies.
func statements(t *testing.T, file string, content []byte) (spans, bodies [][2]int) {
	t.Helper()
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, content, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(n ast.Node) [2]int {
		return [2]int{fset.PositionFor(n.Pos(), false).Line, fset.PositionFor(n.End()-1, false).Line}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Body != nil {
				bodies = append(bodies, lines(n.Body))
			}
		case ast.Stmt:
			spans = append(spans, lines(n))
		}
		return true
	})
	for _, group := range tree.Comments {
		for _, c := range group.List {
			spans = append(spans, lines(c))
		}
	}
	return spans, bodies
}
