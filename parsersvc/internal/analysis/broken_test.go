//go:build cgo

package analysis

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// TestBrokenFiles breaks files at one place each, and counts which of the definitions that the whole file has are still
// found: by the tree alone, and with the headers of lines. It does so with the fixtures, or with the folders of
// OPENRABBIT_BROKEN.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	files := make(map[string]map[string]string) // by language and path
	add := func(path, content string) {
		l := Detect(path, []byte(content))
		if files[l] == nil {
			files[l] = make(map[string]string)
		}
		files[l][path] = content
	}
	folders, times := os.Getenv("OPENRABBIT_BROKEN"), 12
	if folders == "" {
		times = 60
		for path, content := range fixtures(t) {
			add(path, content)
		}
	}
	for _, folder := range filepath.SplitList(folders) {
		readFolder(t, folder, add)
	}
	for language, all := range files {
		if l, ok := New().rows[language]; !ok || l.rules.headers == nil {
			continue
		}
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			tree, both := breakFiles(t, language, all, times)
			if tree.wanted == 0 {
				t.Skip("no file of it is whole")
			}
			t.Logf("%-10s by the tree alone: %s", language, tree)
			t.Logf("%-10s with headers:      %s", language, both)
			if both.hit < tree.hit {
				t.Errorf("%d fewer are found with headers", tree.hit-both.hit)
			}
			if wrong, was := both.given-both.hit, tree.given-tree.hit; float64(wrong-was) > .005*float64(both.given) {
				t.Errorf("%d of %d are wrong, without headers %d", wrong, both.given, was)
			}
		})
	}
}

func readFolder(t *testing.T, folder string, add func(path, content string)) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || DetectByPath(path) == "" {
			return err
		}
		content, err := os.ReadFile(path)
		if len(content) < 64<<10 {
			add(path, string(content))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// breakFiles breaks at most 300 files of a language so many times each.
func breakFiles(t *testing.T, language string, files map[string]string, times int) (tree, both score) {
	t.Helper()
	with, without := New(), New()
	row := without.rows[language]
	row.rules.headers = nil
	without.rows[language] = row
	outline := func(a *Analyzer, path string, content []byte) (map[string]int, bool) {
		f, err := a.Facts(Source{Path: path, Content: content, Language: language}, Want{NoReferences: true}, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		names := make(map[string]int)
		for _, s := range f.Symbols {
			if isCallable(s.Kind) || isType(s.Kind) && s.Kind != syntax.Type {
				names[fmt.Sprint(kindOf(string(s.Kind)), " ", s.Name, " ", s.NameRange.StartLine)]++
			}
		}
		return names, len(f.Errors) == 0
	}
	random := rand.New(rand.NewPCG(1, 2))
	paths := slices.Sorted(maps.Keys(files))
	random.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	for _, path := range paths[:min(len(paths), 300)] {
		content := []byte(files[path])
		want, ok := outline(with, path, content)
		if !ok || len(want) == 0 {
			continue
		}
		for range times {
			broken := breakAt(random, content)
			for a, s := range map[*Analyzer]*score{without: &tree, with: &both} {
				got, _ := outline(a, path, broken)
				for k, n := range want {
					s.wanted += n
					s.hit += min(n, got[k])
				}
				for _, n := range got {
					s.given += n
				}
			}
		}
	}
	return tree, both
}

// breakAt takes a character away that a grammar needs, or writes it twice.
func breakAt(random *rand.Rand, content []byte) []byte {
	var at []int
	for i, c := range content {
		if strings.IndexByte("()[]{}:,'\"=", c) >= 0 {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return content
	}
	i := at[random.IntN(len(at))]
	if random.IntN(3) == 0 {
		return slices.Insert(slices.Clone(content), i, content[i])
	}
	return slices.Delete(slices.Clone(content), i, i+1)
}
