//go:build linux && cgo

package main

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/parsersvc/internal/analysis"
)

// file is one file to measure with.
type file struct {
	path    string
	content []byte
}

const (
	mostBytes = 1 << 20
	mostLine  = 20_000
)

// corpus reads the files of the languages that have a grammar, by language, at most mib mebibytes of each; 0 is all.
// Left out is what the service does not parse either: what is empty, larger than it takes, or has a line that is.
func corpus(o options) (map[string][]file, error) {
	roots := o.trees
	if len(roots) == 0 {
		roots = trees{filepath.Join(runtime.GOROOT(), "src"), "/usr/lib/python3"} //nolint:staticcheck // the sources of the running toolchain are wanted
		more, _ := filepath.Glob("/usr/lib/python3.*")
		roots = append(roots, more...)
	}
	known := make(map[string]bool)
	for _, l := range analysis.Languages() {
		known[l.Name] = true
	}
	out := make(map[string][]file)
	size := make(map[string]int)
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil && path == root:
				return fs.SkipAll
			case err != nil:
				return err
			case e.IsDir() && e.Name() == ".git":
				return fs.SkipDir
			case !e.Type().IsRegular():
				return nil
			}
			language := analysis.DetectByPath(path)
			if !known[language] || o.mib > 0 && size[language] >= o.mib<<20 {
				return nil
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if len(content) == 0 || len(content) > mostBytes || longLine(content) || bytes.IndexByte(content, 0) >= 0 {
				return nil
			}
			out[language] = append(out[language], file{strings.TrimPrefix(path, root+"/"), content})
			size[language] += len(content)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there are no files to measure with")
	}
	return out, nil
}

func longLine(content []byte) bool {
	for line := range bytes.Lines(content) {
		if len(line) > mostLine {
			return true
		}
	}
	return false
}

func languagesOf(c map[string][]file) []string { return slices.Sorted(maps.Keys(c)) }

func bytesOf(files []file) int {
	n := 0
	for _, f := range files {
		n += len(f.content)
	}
	return n
}

func all(c map[string][]file) []file {
	var out []file
	for _, l := range languagesOf(c) {
		out = append(out, c[l]...)
	}
	return out
}
