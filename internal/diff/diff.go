// Package diff holds the parsed form of a unified diff, in which every line knows its number on both sides.
//
// It promises that what it accepts is consistent: the counts of a hunk header are the counts of its lines, line
// numbers grow by one, and an Anchor that Valid accepts is one that GitHub accepts for a review comment. A file that
// cannot be parsed is an error that names it and leaves the other files intact.
package diff

import "fmt"

// Side is one side of a diff. GitHub calls them LEFT and RIGHT; those words stay inside internal/github.
type Side uint8

// The sides. The zero value means "not said".
const (
	SideUnknown Side = iota
	Old
	New
)

// String gives the word of the outside contract: "old", "new" or "".
func (s Side) String() string {
	switch s {
	case Old:
		return "old"
	case New:
		return "new"
	default:
		return ""
	}
}

// LineKind says on which sides a line stands.
type LineKind uint8

// The kinds of line.
const (
	Context LineKind = iota + 1
	Added
	Deleted
)

// Line is one line of a hunk.
type Line struct {
	Kind LineKind
	// Old and New are its 1-based numbers; 0 on the side where it does not stand.
	Old, New int
	// Text is the line without its marker and without its newline. A carriage return before the newline is kept.
	Text string
	// NoEOL is set when the line ends the file without a newline on the side where it stands.
	NoEOL bool
}

// Number gives the line's number on a side, 0 when it does not stand there.
func (l Line) Number(s Side) int {
	switch s {
	case Old:
		return l.Old
	case New:
		return l.New
	default:
		return 0
	}
}

// Hunk is a run of lines with its header.
type Hunk struct {
	OldStart, OldCount int
	NewStart, NewCount int
	// Section is the text after the second @@.
	Section string
	Lines   []Line
}

// Status is what happened to a file as a whole.
type Status uint8

// The statuses. The zero value means "not said".
const (
	StatusUnknown Status = iota
	StatusModified
	StatusAdded
	StatusDeleted
	StatusRenamed
	StatusCopied
)

// File is the change of one file.
type File struct {
	// OldPath is empty for an added file, NewPath for a deleted one.
	OldPath, NewPath string
	Status           Status
	// OldMode and NewMode are git's modes ("100644"), empty when the diff does not say.
	OldMode, NewMode string
	// Binary files and submodules have no hunks that mean anything.
	Binary, Submodule bool
	// Unseen is set when the diff should have had lines here but the source did not deliver them.
	Unseen bool
	Hunks  []Hunk
}

// Path is the path a reader knows the file by: the new one, or the old one of a deleted file.
func (f *File) Path() string {
	if f.NewPath != "" {
		return f.NewPath
	}
	return f.OldPath
}

// Counts gives the number of added and of deleted lines.
func (f *File) Counts() (added, deleted int) {
	for _, h := range f.Hunks {
		for _, l := range h.Lines {
			switch l.Kind {
			case Added:
				added++
			case Deleted:
				deleted++
			case Context:
			}
		}
	}
	return added, deleted
}

// Diff is a whole change, in the order of its source.
type Diff struct {
	Files []File
}

// File finds a file by its path on either side. A new path wins over an old one.
func (d *Diff) File(path string) *File {
	if path == "" {
		return nil
	}
	for i := range d.Files {
		if d.Files[i].NewPath == path {
			return &d.Files[i]
		}
	}
	for i := range d.Files {
		if d.Files[i].OldPath == path {
			return &d.Files[i]
		}
	}
	return nil
}

// Anchor is a place for a comment: lines Start to End (1-based, inclusive) of one side of one hunk.
// The zero value means "no place".
type Anchor struct {
	Path       string
	Side       Side
	Start, End int
}

// IsZero says that there is no place.
func (a Anchor) IsZero() bool { return a == Anchor{} }

// String prints the anchor for errors and logs, as "path:12-14 (new)".
func (a Anchor) String() string {
	if a.IsZero() {
		return "no anchor"
	}
	return fmt.Sprintf("%s:%d-%d (%s)", a.Path, a.Start, a.End, a.Side)
}

// Valid reports why GitHub would refuse a comment at a, or nil: the file is in the diff, and both ends stand in the
// same hunk on a's side, start before end.
func (d *Diff) Valid(a Anchor) error {
	f := d.File(a.Path)
	switch {
	case f == nil || f.Path() != a.Path:
		return fmt.Errorf("anchor %s: the file is not in the diff", a)
	case a.Side != Old && a.Side != New:
		return fmt.Errorf("anchor %s: no side", a)
	case a.Start < 1 || a.End < a.Start:
		return fmt.Errorf("anchor %s: the start is not before the end", a)
	case f.HunkOf(a) < 0:
		return fmt.Errorf("anchor %s: not inside one hunk", a)
	}
	return nil
}

// HunkOf gives the index of the hunk that holds both ends of a, or -1.
func (f *File) HunkOf(a Anchor) int {
	for i, h := range f.Hunks {
		start, count := h.NewStart, h.NewCount
		if a.Side == Old {
			start, count = h.OldStart, h.OldCount
		}
		if a.Start >= start && a.End < start+count {
			return i
		}
	}
	return -1
}
