//go:build cgo

package analysis

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds the facts of the fixtures. Each golden file was read against its source when it was written.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/facts/*.fixture")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		// The ending keeps other tools away from files that are wrong on purpose.
		name := strings.TrimSuffix(filepath.Base(file), ".fixture")
		golden := strings.TrimSuffix(file, ".fixture") + ".golden"
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			facts, err := New().Facts(Source{Path: name, Content: content}, Want{}, 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			got := render(facts)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("facts of %s differ from the golden file (-update writes it anew):\n%s", file, firstDifference(got, string(want)))
			}
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			expected := "(end)"
			if i < len(w) {
				expected = w[i]
			}
			return fmt.Sprintf("line %d\n got  %s\n want %s", i+1, g[i], expected)
		}
	}
	return fmt.Sprintf("line %d\n got  (end)\n want %s", len(g)+1, w[len(g)])
}

// render puts facts in lines that a person can check against the source.
func render(f syntax.Facts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s %s, %d lines, generated %t, vendored %t %s\n", f.Path, f.Language, f.Status, f.Lines, f.Generated, f.Vendored, f.Detail)
	name := func(i int) string {
		if i < 0 {
			return "-"
		}
		return fmt.Sprintf("%d:%s", i, f.Symbols[i].Name)
	}
	for _, i := range f.Imports {
		fmt.Fprintf(&b, "import %d-%d %q alias %q names %q\n", i.Range.StartLine, i.Range.EndLine, i.Module, i.Alias, i.Names)
	}
	for i, s := range f.Symbols {
		fmt.Fprintf(&b, "symbol %d %d-%d %s %s", i, s.Range.StartLine, s.Range.EndLine, s.Kind, s.QualifiedName())
		if s.Parameters != nil || s.MinArguments >= 0 {
			fmt.Fprintf(&b, "(%s) %d..%d", strings.Join(s.Parameters, ", "), s.MinArguments, s.MaxArguments)
		}
		if s.Exported {
			b.WriteString(" exported")
		}
		if s.Test {
			b.WriteString(" test")
		}
		fmt.Fprintf(&b, " in %s\n    %s\n", name(s.Parent), s.Signature)
		if s.Doc != "" {
			fmt.Fprintf(&b, "    doc %q\n", s.Doc)
		}
	}
	for _, r := range f.References {
		receiver := r.Receiver
		if receiver != "" {
			receiver += " . "
		}
		fmt.Fprintf(&b, "%s %d %s%s", r.Kind, r.Range.StartLine, receiver, r.Name)
		if r.Kind == syntax.Call {
			fmt.Fprintf(&b, " /%d", r.Arguments)
		}
		fmt.Fprintf(&b, " in %s\n", name(r.Enclosing))
	}
	for _, e := range f.Errors {
		fmt.Fprintf(&b, "error %d-%d %s\n", e.Range.StartLine, e.Range.EndLine, e.Message)
	}
	return b.String()
}
