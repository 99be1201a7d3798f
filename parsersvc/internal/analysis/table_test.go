//go:build cgo

package analysis

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-enry/go-enry/v2"

	"github.com/openrabbit/openrabbit/parsersvc/queries"
)

// A language is a row and its folders of queries: every row has its files, no folder is left over, every capture has a
// meaning, and no name or extension belongs to two.
func TestTableAndFolders(t *testing.T) {
	t.Parallel()
	used := make(map[string]bool)
	names, extensions := make(map[string]string), make(map[string]string)
	for _, l := range Languages() {
		c, err := l.compile()
		if err != nil {
			t.Errorf("%s: %v", l.Name, err)
			continue
		}
		if len(c.definitions.query.Predicates) == 0 {
			t.Errorf("%s has no patterns of definitions", l.Name)
		}
		for _, folder := range l.folders {
			used[folder] = true
			if _, err := fs.Stat(queries.Files, folder); err != nil {
				t.Errorf("%s: %v", l.Name, err)
			}
		}
		for _, n := range append([]string{l.Name}, l.aliases...) {
			if other, ok := names[n]; ok || n != strings.ToLower(n) {
				t.Errorf("the name %q of %s is %s's too, or not in lower case", n, l.Name, other)
			}
			names[n] = l.Name
		}
		for _, ext := range l.Extensions {
			if other, ok := extensions[ext]; ok || !strings.HasPrefix(ext, ".") || ext != strings.ToLower(ext) {
				t.Errorf("the extension %q of %s is %s's too, or not in lower case with a dot", ext, l.Name, other)
			}
			extensions[ext] = l.Name
		}
		if len(enry.GetLanguageExtensions(l.linguist)) == 0 {
			t.Errorf("%s: go-enry knows no language %q", l.Name, l.linguist)
		}
	}
	err := fs.WalkDir(queries.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		folder, file, inFolder := strings.Cut(path, "/")
		if inFolder && !d.IsDir() && !slices.Contains([]string{"definitions.scm", "references.scm", "indentation.scm"}, file) {
			t.Errorf("nobody reads %s", path)
		}
		if folder != "." && !used[folder] {
			t.Errorf("no language has the folder %s", folder)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Every capture is explained to whoever writes a query.
func TestVocabularyIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../queries/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range vocabulary() {
		// Names that share their beginning are listed by their ends.
		_, end, _ := strings.Cut(name, ".")
		if !strings.Contains(string(text), "@"+name+"`") && (end == "" || !strings.Contains(string(text), "`."+end+"`")) {
			t.Errorf("queries/README.md does not mention @%s", name)
		}
	}
	for _, l := range Languages() {
		for _, folder := range l.folders {
			if !strings.Contains(string(text), "`"+folder+"`") {
				t.Errorf("queries/README.md does not mention the folder %s", folder)
			}
		}
	}
}

// Every language has a fixture, so its golden file shows what is made of it.
func TestEveryLanguageHasAFixture(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for name, content := range fixtures(t) {
		seen[Detect(name, []byte(content))] = true
	}
	for _, l := range Languages() {
		if !seen[l.Name] {
			t.Errorf("no fixture in %s", l.Name)
		}
	}
}

// A caller may name a language as people do.
func TestNamesOfLanguages(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Go": "go", "golang": "go", "C++": "cpp", "c#": "csharp", "Shell": "bash", "JSX": "javascript", "TS": "typescript",
		"protobuf": "proto", "Cobol": "cobol",
	} {
		f, err := New().Facts(Source{Path: "x", Content: []byte("\n"), Language: name}, Want{}, 10*time.Second)
		if err != nil || f.Language != want {
			t.Errorf("%s is %s, not %s (%v)", name, f.Language, want, err)
		}
	}
}

// BenchmarkCompile tells what making a language ready takes, once in each child.
func BenchmarkCompile(b *testing.B) {
	for _, l := range Languages() {
		b.Run(l.Name, func(b *testing.B) {
			for b.Loop() {
				if _, err := l.compile(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDetect is what each file pays before it is parsed.
func BenchmarkDetect(b *testing.B) {
	content := []byte("package x\n")
	for _, name := range []string{"a.go", "a.h", "script"} {
		b.Run(fmt.Sprint(name), func(b *testing.B) {
			for b.Loop() {
				Detect(name, content)
			}
		})
	}
}
