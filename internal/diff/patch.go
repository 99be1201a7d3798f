package diff

import (
	"fmt"
	"strings"
)

// ParsePatch reads the hunks of one file without a header, as GitHub gives them in a file's patch field. An empty
// patch gives a file without hunks; whether that is Unseen or an empty file, the caller knows. The error is a
// *FileError.
func ParsePatch(oldPath, newPath string, status Status, patch string) (File, error) {
	f := &pending{File: File{OldPath: oldPath, NewPath: newPath, Status: status}}
	if f.OldPath == "" && status != StatusAdded {
		f.OldPath = newPath
	}
	if f.NewPath == "" && status != StatusDeleted {
		f.NewPath = oldPath
	}
	switch status {
	case StatusAdded:
		f.OldPath = ""
	case StatusDeleted:
		f.NewPath = ""
	case StatusUnknown, StatusModified, StatusRenamed, StatusCopied:
	}
	fail := func(line int, problem string) (File, error) {
		e := &FileError{Path: f.Path(), Line: line, Problem: problem}
		if f.tooLarge {
			e.cause = ErrTooLarge
		}
		return File{}, e
	}
	for _, name := range []string{f.OldPath, f.NewPath} {
		if problem := problemWith(name); name != "" && problem != "" {
			return fail(0, problem)
		}
	}
	if f.Path() == "" {
		return fail(0, problemWith(""))
	}
	if patch == "" {
		return f.File, nil
	}
	l := Limits{}.withDefaults()
	p := &parser{r: newLineReader(strings.NewReader(patch), l), limits: l}
	problem := "the patch does not begin with a hunk"
	if p.r.next() && has(p.r.line, "@@ -") {
		f.git = true // the patch has one file: a header inside it is a line too many
		problem = p.hunksOf(f)
	}
	if problem == "" && p.r.next() {
		problem = "text follows the hunks"
	}
	if err := p.r.err(); err != nil {
		problem, f.tooLarge = fmt.Sprintf("the patch is larger than %d bytes", l.Bytes), true
	}
	for _, h := range f.Hunks {
		if status == StatusAdded && h.OldCount > 0 || status == StatusDeleted && h.NewCount > 0 {
			problem = "the file has lines on the side where it does not exist"
		}
	}
	if problem != "" {
		return fail(p.r.number, problem)
	}
	return f.File, nil
}
