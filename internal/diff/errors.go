package diff

import (
	"errors"
	"fmt"
)

// ErrTooLarge is in the error of everything that was refused because of Limits.
var ErrTooLarge = errors.New("beyond a limit")

// ErrNoDiff says that the input has text and no diff in it.
var ErrNoDiff = errors.New("no diff in the input")

// FileError says what is wrong with one file of a diff. The other files are intact.
type FileError struct {
	// Path is the file's best known path, empty when the header could not be read.
	Path string
	// Line is the 1-based line of the input at which the problem was seen.
	Line int
	// Problem is a phrase for a reader.
	Problem string

	cause error
}

// Error names the file, the line and the problem.
func (e *FileError) Error() string {
	path := e.Path
	if path == "" {
		path = "a file"
	}
	return fmt.Sprintf("parse diff of %s at line %d: %s", path, e.Line, e.Problem)
}

// Unwrap gives ErrTooLarge when a limit was the problem.
func (e *FileError) Unwrap() error { return e.cause }

// SplitErrors takes the error of Parse apart: one FileError for each broken file, and what concerns the input as a
// whole (a failed read, a limit, no diff at all), which is nil when only files are broken.
func SplitErrors(err error) (files []*FileError, whole error) {
	var rest []error
	var walk func(error)
	walk = func(err error) {
		if err == nil {
			return
		}
		if fe := (*FileError)(nil); errors.As(err, &fe) {
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				for _, e := range joined.Unwrap() {
					walk(e)
				}
				return
			}
			files = append(files, fe)
			return
		}
		rest = append(rest, err)
	}
	walk(err)
	return files, errors.Join(rest...)
}
