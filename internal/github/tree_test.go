package github_test

import (
	"slices"
	"testing"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/review"
)

func TestRepositoryIsListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, githubtest.Options{})
	number, head := w.open(t, map[string]string{"pkg/deep/new.go": "package deep\n"})
	pr := w.pull(t, number)
	files := w.client.Repository(repo, pr.MergeBase, head)
	lister, ok := files.(review.Tree)
	if !ok {
		t.Fatal("it cannot be listed")
	}
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
	gone, _ := w.client.Repository(repo, pr.MergeBase, "0123456789012345678901234567890123456789").(review.Tree)
	if paths, err := gone.Paths(t.Context()); err != nil || paths != nil {
		t.Errorf("of a commit that is gone: %v, %v", paths, err)
	}
}
