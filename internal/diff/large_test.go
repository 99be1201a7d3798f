package diff

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// repeated reads a text made of units, each with its number, up to a size, so that a large input takes no memory itself.
type repeated struct {
	unit func(i int) string
	left int
	i    int
	rest string
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.left <= 0 {
			return 0, io.EOF
		}
		r.rest = r.unit(r.i)
		r.i, r.left = r.i+1, r.left-len(r.rest)
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// shapes are large inputs of which one part grows.
var shapes = []struct {
	name   string
	limits Limits
	unit   func(i int) string
}{
	{"files of 1,000 lines", Limits{}, func(i int) string {
		return fmt.Sprintf("diff --git a/f%d b/f%d\n--- a/f%d\n+++ b/f%d\n@@ -0,0 +1,1000 @@\n", i, i, i, i) + strings.Repeat("+\tsome := code(of, usual, length)\n", 1000)
	}},
	{"one file of hunks", Limits{}, func(i int) string {
		head := ""
		if i == 0 {
			head = "diff --git a/f b/f\n--- a/f\n+++ b/f\n"
		}
		return head + fmt.Sprintf("@@ -%d,2 +%d,2 @@ func x() {\n context\n-old\n+new\n", i*9+1, i*9+1)
	}},
	// The worst for memory: a line of two bytes is one of 56 in memory. Here the limit is that of every day.
	{"one hunk of empty lines", Limits{Lines: 2_000_000}, func(i int) string {
		if i == 0 {
			return "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -0,0 +1,2000000000 @@\n"
		}
		return strings.Repeat("+\n", 1000)
	}},
	{"renamed files", Limits{}, func(i int) string {
		return fmt.Sprintf("diff --git a/old name %d b/new name %d\nsimilarity index 100%%\nrename from old name %d\nrename to new name %d\n", i, i, i, i)
	}},
	{"broken files", Limits{}, func(i int) string {
		return fmt.Sprintf("diff --git a/f%d b/f%d\n--- a/f%d\n+++ b/f%d\n@@ -1,9 +1,9 @@\n-a\n", i, i, i, i)
	}},
	{"one line, cut", Limits{LineBytes: 1 << 20}, func(i int) string {
		if i == 0 {
			return "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+"
		}
		return strings.Repeat("x", 4096)
	}},
	{"one line, kept", Limits{}, func(i int) string {
		if i == 0 {
			return "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+"
		}
		return strings.Repeat("x", 4096)
	}},
	{"one name", Limits{}, func(i int) string {
		if i == 0 {
			return "diff --git a/f "
		}
		return strings.Repeat(" b/f", 1000)
	}},
	{"names of many words", Limits{}, func(i int) string {
		return fmt.Sprintf("diff --git a/%d%s b/other\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", i, strings.Repeat(" b/x", 2000))
	}},
	{"text and no diff", Limits{}, func(int) string { return "--- a/x\n+++ b/x\nBinary files x\nSubmodule y\n@@ -1 +1 @@\n" }},
}

// TestLargeDiffsTakeTimeAndMemoryInLine is not parallel: it measures. What a tenth takes is compared with the whole.
func TestLargeDiffsTakeTimeAndMemoryInLine(t *testing.T) {
	if os.Getenv("OPENRABBIT_LARGE") == "" {
		t.Skip("OPENRABBIT_LARGE is not set: no 100 MB diffs were parsed")
	}
	const small, large = 10_000_000, 100_000_000
	for _, shape := range shapes {
		limits := shape.limits
		limits.Files, limits.Bytes = math.MaxInt, math.MaxInt64
		if limits.Lines == 0 {
			limits.Lines = math.MaxInt
		}
		if limits.LineBytes == 0 {
			limits.LineBytes = math.MaxInt32
		}
		measure := func(size int) (perByte, kept, allocated float64) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			d, err := Parse(&repeated{unit: shape.unit, left: size}, limits)
			took := time.Since(start)
			runtime.GC()
			runtime.ReadMemStats(&after)
			runtime.KeepAlive(d)
			runtime.KeepAlive(err)
			return float64(took.Nanoseconds()) / float64(size), (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / float64(size),
				float64(after.TotalAlloc-before.TotalAlloc) / float64(size)
		}
		smallTime, _, _ := measure(small)
		again, _, _ := measure(small)
		largeTime, kept, allocated := measure(large)
		ratio := largeTime / min(smallTime, again)
		t.Logf("%-24s 10 MB %5.1f ns a byte, 100 MB %5.1f, ratio %.2f; kept %5.2f bytes for each, allocated %6.2f", shape.name, min(smallTime, again), largeTime, ratio, kept, allocated)
		if ratio > 4 { // ten, if time grew with the square
			t.Errorf("%s: a byte of 100 MB takes %.1f times what one of 10 MB takes", shape.name, ratio)
		}
		if kept > 40 {
			t.Errorf("%s: %.1f bytes are kept for one of the input", shape.name, kept)
		}
	}
}
