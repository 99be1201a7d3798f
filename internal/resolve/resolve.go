// Package resolve follows imports to the files of a repository, by the rules of each language and the repository's own
// manifests, without running anything.
//
// It promises to be deterministic and to prefer silence: an import that leads outside the repository, or to places
// between which nothing decides, leads nowhere. What it knows of the repository is a list of paths; without one it gives
// the paths worth trying.
package resolve

import (
	"path"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/syntax"
)

// maxPackage is how many files of one directory an import may lead to.
const maxPackage = 40

// Tree is what is known of a repository's files. The zero value knows nothing. Fill it before use; it is then safe for
// concurrent reading.
type Tree struct {
	files map[string]bool
	// bases has the paths by their last element, dirs by their directory.
	bases, dirs map[string][]string
	// modules are Go's, packages npm's: by name, the directory.
	modules, packages map[string]string
}

// New makes the tree of a list of paths. No paths make a tree that only guesses.
func New(paths []string) *Tree {
	t := &Tree{
		files: make(map[string]bool, len(paths)), bases: map[string][]string{}, dirs: map[string][]string{},
		modules: map[string]string{}, packages: map[string]string{},
	}
	for _, p := range paths {
		if p != "" && !t.files[p] {
			t.files[p] = true
			t.bases[path.Base(p)] = append(t.bases[path.Base(p)], p)
			t.dirs[path.Dir(p)] = append(t.dirs[path.Dir(p)], p)
		}
	}
	return t
}

// Known says whether the tree has a list of paths.
func (t *Tree) Known() bool { return t != nil && len(t.files) > 0 }

// Has says whether a file is in the list.
func (t *Tree) Has(p string) bool { return t != nil && t.files[p] }

// Import gives the files that an import of a file leads to, the most likely first. Of a tree that has a list, all of
// them are there; else they are worth trying, and the first that is there is the one.
func (t *Tree) Import(from, language string, imp syntax.Import) []string {
	if t == nil {
		t = &Tree{}
	}
	switch language {
	case "go":
		return t.goPackage(from, imp.Module)
	case "python":
		return t.python(from, imp)
	case "javascript", "typescript", "tsx":
		return t.script(from, imp.Module)
	case "java":
		return t.java(from, imp)
	}
	return nil
}

// Siblings gives the files that share a namespace with a file without importing it: Go's and Java's packages.
func (t *Tree) Siblings(from, language string) []string {
	extension := map[string]string{"go": ".go", "java": ".java"}[language]
	if t == nil || extension == "" {
		return nil
	}
	var list []string
	for _, p := range t.dirs[path.Dir(from)] {
		if p != from && path.Ext(p) == extension {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return list
}

// Neighbour gives the file of a Java class of the same package.
func (t *Tree) Neighbour(from, language, class string) string {
	if language != "java" || class == "" {
		return ""
	}
	if p := path.Join(path.Dir(from), class+".java"); p != from && (!t.Known() || t.files[p]) {
		return p
	}
	return ""
}

// existing keeps the paths that are in the list; all of them when there is no list.
func (t *Tree) existing(paths []string) []string {
	if !t.Known() {
		return paths
	}
	return slices.DeleteFunc(paths, func(p string) bool { return !t.files[p] })
}

// ending gives the file of the list whose path ends in whole elements as wanted, and shares the most with from. Two that
// share as much are none.
func (t *Tree) ending(from, want string) string {
	if t.files[want] {
		return want
	}
	best, share, equal := "", -1, false
	for _, p := range t.bases[path.Base(want)] {
		if !strings.HasSuffix(p, "/"+want) {
			continue
		}
		switch n := common(from, p); {
		case n > share:
			best, share, equal = p, n, false
		case n == share:
			equal = true
		}
	}
	if equal {
		return ""
	}
	return best
}

// common counts the leading elements that two paths share.
func common(a, b string) int {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	n := 0
	for n < len(x) && n < len(y) && x[n] == y[n] {
		n++
	}
	return n
}
