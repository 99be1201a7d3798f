package github_test

import (
	"slices"
	"testing"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
)

func TestRepositoryIsListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"pkg/deep/new.go": "package deep\n"})
	pr := w.pull(t, number)
	lister := w.client.Files(repo, pr.MergeBase, head)
	paths, err := lister.Paths(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	if want := []string{"README.md", "main.go", "pkg/deep/new.go"}; !slices.Equal(paths, want) {
		t.Errorf("got %v, want %v", paths, want)
	}
	if lister.Affordable() <= 0 {
		t.Error("its reads are not bounded")
	}
	gone := w.client.Files(repo, pr.MergeBase, "0123456789012345678901234567890123456789")
	if paths, err := gone.Paths(t.Context()); err != nil || paths != nil {
		t.Errorf("of a commit that is gone: %v, %v", paths, err)
	}
}
