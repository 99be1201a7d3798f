//go:build cgo

package analysis

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// TestDefinitionsAgainstData measures definitions against a folder of expected ones (OPENRABBIT_DATA/symbols). It is a
// measurement, run where the data is; the floors keep what was reached.
func TestDefinitionsAgainstData(t *testing.T) {
	t.Parallel()
	data := os.Getenv("OPENRABBIT_DATA")
	if data == "" {
		t.Skip("OPENRABBIT_DATA is not set: nothing to measure definitions against")
	}
	for language, floor := range map[string]float64{
		"go": .910, "python": .944, "javascript": .908, "typescript": .884, "java": .754,
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			f1, precision, recall := measure(t, data, language)
			t.Logf("%s: F1 %.3f, precision %.3f, recall %.3f", language, f1, precision, recall)
			if f1 < floor {
				t.Errorf("F1 %.3f is below %.3f", f1, floor)
			}
		})
	}
}

// sameKind takes a function and a method for the same: the data calls some of Go's methods functions.
func sameKind(a, b string) bool {
	callable := func(k string) bool { return k == "function" || k == "method" }
	return a == b || callable(a) && callable(b)
}

type expectedFile struct {
	Path    string
	Symbols []struct {
		Name, Kind string
		Lines      []int
	}
}

func measure(t *testing.T, data, language string) (f1, precision, recall float64) {
	t.Helper()
	var set struct{ Files []expectedFile }
	b, err := os.ReadFile(filepath.Join(data, "symbols", language+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &set); err != nil {
		t.Fatal(err)
	}
	analyzer := New()
	kinds := make(map[syntax.Kind]bool)
	for _, f := range set.Files {
		for _, s := range f.Symbols {
			kinds[syntax.Kind(s.Kind)] = true
		}
	}
	var hit, given, wanted int
	for _, f := range set.Files {
		content, err := os.ReadFile(filepath.Join(data, "symbols", f.Path))
		if err != nil {
			t.Fatal(err)
		}
		facts, err := analyzer.Facts(Source{Path: f.Path, Content: content, Language: language}, Want{NoReferences: true}, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		used := make(map[int]bool)
		for _, s := range f.Symbols {
			for _, line := range s.Lines {
				wanted++
				i := slices.IndexFunc(facts.Symbols, func(g syntax.Symbol) bool {
					return g.Name == s.Name && sameKind(string(g.Kind), s.Kind) && g.NameRange.StartLine == line
				})
				if i >= 0 && !used[i] {
					used[i] = true
					hit++
				} else if os.Getenv("OPENRABBIT_DATA_VERBOSE") != "" {
					t.Logf("%s: missing %s %s at %d", f.Path, s.Kind, s.Name, line)
				}
			}
		}
		for i, s := range facts.Symbols {
			if !kinds[s.Kind] {
				continue
			}
			given++
			if !used[i] && os.Getenv("OPENRABBIT_DATA_VERBOSE") != "" {
				t.Logf("%s: extra %s %s at %d", f.Path, s.Kind, s.Name, s.NameRange.StartLine)
			}
		}
	}
	precision, recall = float64(hit)/float64(given), float64(hit)/float64(wanted)
	return 2 * precision * recall / (precision + recall), precision, recall
}
