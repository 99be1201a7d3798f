//go:build cgo

package analysis

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
		"go": .99, "python": .98, "javascript": .97, "typescript": .985, "java": .97, "ruby": .98, "rust": .99, "php": .89,
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			m := measure(t, data, language, setAside(t))
			all := m.halves[0].plus(m.halves[1])
			t.Logf("%-10s name, kind and line: %s", language, all)
			t.Logf("%-10s name and line:       %s", language, m.byPlace)
			t.Logf("%-10s set aside:           %s", language, m.judged)
			t.Logf("%-10s half 0:              %s", language, m.halves[0])
			t.Logf("%-10s half 1:              %s", language, m.halves[1])
			if all.f1() < floor {
				t.Errorf("F1 %.3f is below %.3f", all.f1(), floor)
			}
		})
	}
}

// kindOf puts the data's kinds and ours into one: it calls some methods functions, and we call a trait an interface and
// a macro a function.
func kindOf(k string) string {
	switch k {
	case "function", "method", "macro":
		return "callable"
	case "trait":
		return "interface"
	default:
		return k
	}
}

type expectedFile struct {
	Unit    string
	Path    string
	Symbols []struct {
		Name, Kind string
		Lines      []int
	}
}

// score counts definitions: those wanted, those given, and those that are both.
type score struct{ hit, given, wanted int }

func (s score) f1() float64 { return 2 * float64(s.hit) / float64(s.given+s.wanted) }

func (s score) String() string {
	return fmt.Sprintf("F1 %.3f, precision %.3f, recall %.3f (%d of %d, %d given)",
		s.f1(), float64(s.hit)/float64(s.given), float64(s.hit)/float64(s.wanted), s.hit, s.wanted, s.given)
}

// place is a line of a unit of the data.
type place struct {
	unit string
	line int
}

// setAside gives the places where the data was judged wrong, as docs/exactness.md lists them.
func setAside(t *testing.T) map[place]bool {
	t.Helper()
	text, err := os.ReadFile("../../../docs/exactness.md")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[place]bool)
	for _, m := range regexp.MustCompile("(?m)^- `([^`]+)` .*, lines? ([0-9, ]+):").FindAllStringSubmatch(string(text), -1) {
		for _, n := range strings.Split(m[2], ",") {
			line, err := strconv.Atoi(strings.TrimSpace(n))
			if err != nil {
				t.Fatal(err)
			}
			out[place{m[1], line}] = true
		}
	}
	if len(out) == 0 {
		t.Fatal("docs/exactness.md lists nothing")
	}
	return out
}

// measured is what a language's files gave: by name, kind and line in each half of them, by name and line, and by name,
// kind and line without the places that are set aside.
type measured struct {
	halves          [2]score
	byPlace, judged score
}

// halfOf parts the files by a hash of their paths: rules can be made by the looks of one half, and measured with the other.
func halfOf(f expectedFile) int {
	sum := sha256.Sum256([]byte(f.Path))
	return int(sum[0] & 1)
}

// measure compares the definitions of a language's files with the data.
func measure(t *testing.T, data, language string, aside map[place]bool) measured {
	t.Helper()
	var set struct{ Files []expectedFile }
	b, err := os.ReadFile(filepath.Join(data, "symbols", language+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &set); err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]bool)
	for _, f := range set.Files {
		for _, s := range f.Symbols {
			kinds[kindOf(s.Kind)] = true
		}
	}
	var out measured
	analyzer := New()
	for _, f := range set.Files {
		content, err := os.ReadFile(filepath.Join(data, "symbols", f.Path))
		if err != nil {
			t.Fatal(err)
		}
		facts, err := analyzer.Facts(Source{Path: f.Path, Content: content, Language: language}, Want{NoReferences: true}, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		given := slices.DeleteFunc(facts.Symbols, func(s syntax.Symbol) bool { return !kinds[kindOf(string(s.Kind))] })
		half := &out.halves[halfOf(f)]
		*half = half.plus(compare(t, f, given, true))
		out.byPlace = out.byPlace.plus(compare(t, f, given, false))
		out.judged = out.judged.plus(compare(t, f.without(aside), slices.DeleteFunc(given, func(s syntax.Symbol) bool {
			return aside[place{f.Unit, s.NameRange.StartLine}]
		}), true))
	}
	return out
}

// without gives the expected definitions that are not set aside.
func (f expectedFile) without(aside map[place]bool) expectedFile {
	f.Symbols = slices.Clone(f.Symbols)
	for i := range f.Symbols {
		f.Symbols[i].Lines = slices.DeleteFunc(slices.Clone(f.Symbols[i].Lines), func(line int) bool { return aside[place{f.Unit, line}] })
	}
	return f
}

func (s score) plus(o score) score {
	return score{s.hit + o.hit, s.given + o.given, s.wanted + o.wanted}
}

// compare counts what of a file's definitions was found; with OPENRABBIT_DATA_VERBOSE it says what was not.
func compare(t *testing.T, f expectedFile, given []syntax.Symbol, kinds bool) score {
	t.Helper()
	verbose := os.Getenv("OPENRABBIT_DATA_VERBOSE") != "" && kinds
	s := score{given: len(given)}
	used := make(map[int]bool)
	for _, w := range f.Symbols {
		for _, line := range w.Lines {
			s.wanted++
			i := slices.IndexFunc(given, func(g syntax.Symbol) bool {
				return g.Name == w.Name && (!kinds || kindOf(string(g.Kind)) == kindOf(w.Kind)) && g.NameRange.StartLine == line
			})
			if i >= 0 && !used[i] {
				used[i] = true
				s.hit++
			} else if verbose {
				t.Logf("%s: missing %s %s at %d", f.Path, w.Kind, w.Name, line)
			}
		}
	}
	for i, g := range given {
		if !used[i] && verbose {
			t.Logf("%s: extra %s %s at %d", f.Path, g.Kind, g.Name, g.NameRange.StartLine)
		}
	}
	return s
}
