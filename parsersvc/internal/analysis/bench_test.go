//go:build cgo

package analysis

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// BenchmarkFacts analyses Go's net/http, and the steps of that one by one; bytes a second of source.
func BenchmarkFacts(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join(runtime.GOROOT(), "src/net/http/*.go")) //nolint:staticcheck // the sources of the running toolchain are wanted
	if len(files) == 0 {
		b.Skip("Go's sources are not here")
	}
	var texts [][]byte
	size := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			b.Fatal(err)
		}
		texts = append(texts, text)
		size += len(text)
	}
	analyzer := New()
	lang, err := analyzer.language("go")
	if err != nil {
		b.Fatal(err)
	}
	for _, part := range []struct {
		name     string
		programs []*program
	}{
		{"nodes", nil}, {"definitions", []*program{lang.definitions}}, {"both", []*program{lang.definitions, lang.references}},
	} {
		b.Run(part.name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				for _, text := range texts {
					if _, err := analyzer.parse(lang, text, time.Minute, part.programs...); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
	b.Run("all", func(b *testing.B) {
		b.SetBytes(int64(size))
		b.ReportAllocs()
		for b.Loop() {
			for i, text := range texts {
				facts, err := analyzer.Facts(Source{Path: files[i], Content: text}, Want{}, time.Minute)
				if err != nil {
					b.Fatal(err)
				}
				analyzer.Recycle(&facts)
			}
		}
	})
}
