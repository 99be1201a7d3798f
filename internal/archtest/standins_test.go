package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStandInsAreChecked: every test takes its stand-in for GitHub from the fixture, which fails the test when a request
// was not as GitHub's description says. The stand-in's own tests may make one.
func TestStandInsAreChecked(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	fixtures := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			if err == nil {
				return filepath.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "standins_test.go" {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		own := filepath.Join("internal", "github", "githubtest") + string(filepath.Separator)
		if strings.Contains(string(source), "githubtest.New(") && !strings.Contains(path, own) {
			t.Errorf("%s makes a stand-in for GitHub that nobody asks for violations: use fixture.New", path)
		}
		fixtures += strings.Count(string(source), "fixture.New(")
		return nil
	})
	if err != nil || fixtures == 0 {
		t.Fatalf("%d stand-ins found, %v", fixtures, err)
	}
}
