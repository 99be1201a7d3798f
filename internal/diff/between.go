package diff

import (
	"bytes"

	anchored "github.com/rogpeppe/go-internal/diff"
)

// binaryBytes is how much of a file git looks at for a NUL to tell whether it is text (buffer_is_binary in
// xdiff-interface.c).
const binaryBytes = 8000

// Fill gives a file that came without its lines the hunks between its two contents, with three lines of context. A side
// where the file does not exist has none. It may group the lines otherwise than the source would have: which lines are
// the same is a matter of taste where lines repeat. The error is a *FileError, and the file stays as it was.
func (f *File) Fill(before, after []byte) error {
	if IsBinary(before) || IsBinary(after) {
		f.Binary, f.Unseen, f.Hunks = true, false, nil
		return nil
	}
	text := anchored.Diff("a", before, "b", after)
	for range 3 { // "diff a b", "---" and "+++": the names are ours
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	filled, err := ParsePatch(f.OldPath, f.NewPath, f.Status, string(text))
	if err != nil {
		return err
	}
	f.Hunks, f.Unseen = filled.Hunks, false
	return nil
}

// IsBinary says whether git would take a file's content for binary.
func IsBinary(content []byte) bool {
	return bytes.IndexByte(content[:min(len(content), binaryBytes)], 0) >= 0
}
