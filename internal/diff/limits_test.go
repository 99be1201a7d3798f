package diff

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// manyFiles writes a diff of n files with a few lines each.
func manyFiles(n, lines int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "diff --git a/f%d b/f%d\n--- a/f%d\n+++ b/f%d\n@@ -1,%d +1,%d @@\n", i, i, i, i, lines, lines)
		for j := range lines {
			fmt.Fprintf(&b, "-old %d\n", j)
		}
		for j := range lines {
			fmt.Fprintf(&b, "+new %d\n", j)
		}
	}
	return b.String()
}

func TestLimits(t *testing.T) {
	t.Parallel()
	patch := manyFiles(5, 3) // 30 lines
	tests := map[string]struct {
		limits Limits
		intact int
		broken int
		whole  bool
	}{
		"none":  {Limits{}, 5, 0, false},
		"exact": {Limits{Files: 5, Lines: 30, LineBytes: 20, Bytes: int64(len(patch))}, 5, 0, false},
		"files": {Limits{Files: 3}, 3, 0, true},
		"lines": {Limits{Lines: 14}, 2, 3, false},
		"bytes": {Limits{Bytes: int64(len(patch)) - 1}, 4, 0, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Parse(strings.NewReader(patch), test.limits)
			files, whole := SplitErrors(err)
			if len(d.Files) != test.intact || len(files) != test.broken || (whole != nil) != test.whole {
				t.Errorf("%d intact, %d broken, %v", len(d.Files), len(files), whole)
			}
			if err != nil && !errors.Is(err, ErrTooLarge) {
				t.Errorf("%v is not ErrTooLarge", err)
			}
			for _, f := range files {
				if !errors.Is(f, ErrTooLarge) || f.Path == "" {
					t.Errorf("%v is not ErrTooLarge", f)
				}
			}
		})
	}
}

func TestALongLineBreaksItsFileOnly(t *testing.T) {
	t.Parallel()
	for _, size := range []int{99, 100, 101, 70_000, 200_000} {
		long := strings.Repeat("x", size-1)
		patch := lines("diff --git a/x b/x", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "-a", "+"+long) + manyFiles(1, 1)
		d, err := Parse(strings.NewReader(patch), Limits{LineBytes: 100})
		files, whole := SplitErrors(err)
		if whole != nil {
			t.Fatal(whole)
		}
		if fits := size <= 100; fits != (len(files) == 0) || len(d.Files) != 2-len(files) {
			t.Errorf("a line of %d: %d intact, %v", size, len(d.Files), err)
		}
		if len(files) == 0 && d.Files[0].Hunks[0].Lines[1].Text != long {
			t.Errorf("a line of %d came out different", size)
		}
	}
}

// endless gives a line that never ends.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

// TestAnEndlessLineTakesNoMemory is not parallel: it counts what the process allocates.
func TestAnEndlessLineTakesNoMemory(t *testing.T) {
	head := "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	source := &endless{}
	_, err := Parse(io.MultiReader(strings.NewReader(head), source), Limits{LineBytes: 1000, Bytes: 64 << 20})
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if source.read > 65<<20 {
		t.Errorf("%d bytes were read", source.read)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

func TestParseGivesTheErrorOfItsReader(t *testing.T) {
	t.Parallel()
	patch := manyFiles(3, 2)
	lost := errors.New("the line went dead")
	d, err := Parse(io.MultiReader(strings.NewReader(patch[:len(patch)-30]), iotest.ErrReader(lost)), Limits{})
	if files, whole := SplitErrors(err); !errors.Is(whole, lost) || len(files) != 0 {
		t.Errorf("got %v", err)
	}
	if len(d.Files) != 2 {
		t.Errorf("%d files are intact, want the 2 that came whole", len(d.Files))
	}
}

func TestParseReadsInAnyPieces(t *testing.T) {
	t.Parallel()
	patch := manyFiles(3, 5)
	want := mustParse(t, patch)
	got, err := Parse(iotest.OneByteReader(strings.NewReader(patch)), Limits{})
	if err != nil || !equal(want, got) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestParseSaysThatThereIsNoDiff(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"<html>Unicorn!</html>", "--- a/x\n+++ b/x\n", "+a\n-b\n", "Binary files differ\nSubmodule x: y\n"} {
		if d, err := Parse(strings.NewReader(text), Limits{}); !errors.Is(err, ErrNoDiff) || len(d.Files) != 0 {
			t.Errorf("%q: got %+v, %v", text, d, err)
		}
	}
}

func TestParsePatch(t *testing.T) {
	t.Parallel()
	f, err := ParsePatch("", "x", StatusModified, "@@ -1,2 +1,2 @@ f\n a\n-b\n+c\n\\ No newline at end of file")
	if added, deleted := f.Counts(); err != nil || added != 1 || deleted != 1 || f.OldPath != "x" || !f.Hunks[0].Lines[2].NoEOL {
		t.Errorf("got %+v, %v", f, err)
	}
	f, err = ParsePatch("old", "new", StatusRenamed, "")
	if err != nil || f.OldPath != "old" || f.NewPath != "new" || len(f.Hunks) != 0 {
		t.Errorf("got %+v, %v", f, err)
	}
	f, err = ParsePatch("x", "x", StatusAdded, "@@ -0,0 +1 @@\n+a")
	if err != nil || f.OldPath != "" || f.NewPath != "x" {
		t.Errorf("got %+v, %v", f, err)
	}
	for _, patch := range []string{
		"what", "@@ -1 +1 @@\n-a", "@@ -1 +1 @@\n-a\n+b\n+c", "@@ -1 +1 @@\n-a\n+b\ndiff --git a/y b/y\nold mode 100644\nnew mode 100755\n",
		"@@ -1 +1 @@\n-a\n+b\nwhat",
	} {
		var fe *FileError
		if f, err := ParsePatch("x", "x", StatusModified, patch); !errors.As(err, &fe) || fe.Path != "x" {
			t.Errorf("%q: got %+v, %v", patch, f, err)
		}
	}
	for _, path := range []string{"", "../x", "/x", "a/../../x", "x\x00"} {
		if _, err := ParsePatch(path, path, StatusModified, "@@ -1 +1 @@\n-a\n+b"); err == nil {
			t.Errorf("the path %q was taken", path)
		}
	}
	if _, err := ParsePatch("", "x", StatusAdded, "@@ -1 +1 @@\n-a\n+b"); err == nil {
		t.Error("an added file with old lines was taken")
	}
}

func BenchmarkParse(b *testing.B) {
	for _, megabytes := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%dMB", megabytes), func(b *testing.B) {
			one := []byte(manyFiles(1, 1000))
			patch := []byte(manyFiles(megabytes*1_000_000/len(one), 1000))
			b.SetBytes(int64(len(patch)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(bytes.NewReader(patch), Limits{Lines: 1 << 30}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
