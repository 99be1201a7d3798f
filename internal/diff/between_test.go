package diff

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestFillProperty: the lines that Fill gives are those of both contents, every line that is the same in both at its place
// outside the hunks too, and no hunk is more than it needs.
func TestFillProperty(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 4000 {
		old := content(r)
		before := bytesOf(old, r.IntN(2) == 0)
		after := bytesOf(edit(r, old), r.IntN(2) == 0)
		f := File{OldPath: "x", NewPath: "x", Status: StatusModified, Unseen: true}
		switch {
		case before == nil:
			f.OldPath, f.Status = "", StatusAdded
		case after == nil:
			f.NewPath, f.Status = "", StatusDeleted
		}
		if err := f.Fill(before, after); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if f.Unseen {
			t.Fatalf("%d: still unseen", i)
		}
		if err := Verify(&f, before, after); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if err := outside(&f, before, after); err != nil {
			t.Fatalf("%d: %v\n%q\n%q", i, err, before, after)
		}
	}
}

// outside checks that what stands in no hunk is the same in both contents.
func outside(f *File, before, after []byte) error {
	a, b := splitLines(before), splitLines(after)
	i, j := 0, 0
	same := func(oldEnd, newEnd int) error {
		if oldEnd-i != newEnd-j {
			return fmt.Errorf("%d and %d lines between hunks", oldEnd-i, newEnd-j)
		}
		for ; i < oldEnd; i, j = i+1, j+1 {
			if string(a[i]) != string(b[j]) {
				return fmt.Errorf("line %d of the old side is not line %d of the new one", i+1, j+1)
			}
		}
		return nil
	}
	for _, h := range f.Hunks {
		oldStart, newStart := h.OldStart-1, h.NewStart-1
		if h.OldCount == 0 { // a side without lines is numbered by the line before it
			oldStart++
		}
		if h.NewCount == 0 {
			newStart++
		}
		if err := same(oldStart, newStart); err != nil {
			return err
		}
		i, j = oldStart+h.OldCount, newStart+h.NewCount
	}
	return same(len(a), len(b))
}

func TestFillBinaryAndRefused(t *testing.T) {
	t.Parallel()
	f := File{OldPath: "x", NewPath: "x", Status: StatusModified, Unseen: true}
	if err := f.Fill([]byte("a\n"), []byte("a\x00b")); err != nil || !f.Binary || f.Unseen || f.Hunks != nil {
		t.Errorf("%+v, %v", f, err)
	}
	// A file that was added has no old side; what says otherwise is not believed.
	f = File{NewPath: "x", Status: StatusAdded, Unseen: true}
	if err := f.Fill([]byte("a\n"), []byte("b\n")); err == nil || !f.Unseen {
		t.Errorf("%+v, %v", f, err)
	}
	f = File{OldPath: "x", NewPath: "x", Status: StatusModified, Unseen: true}
	if err := f.Fill([]byte("a\n"), []byte("a\n")); err != nil || f.Unseen || len(f.Hunks) != 0 {
		t.Errorf("without a change: %+v, %v", f, err)
	}
}
