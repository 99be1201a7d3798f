package diff

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Parse reads a unified diff as git prints it, or a plain one of "---" and "+++" headers. Text around the files (mail
// headers, commit messages) is passed over.
//
// It reads r once, in time linear in the input and memory bounded by it and by l. The Diff holds every intact file in
// the order of the input, also when there is an error: the error joins one *FileError for each broken file, and what
// went wrong with the input as a whole (SplitErrors takes it apart). Input with text and no diff is ErrNoDiff.
//
// A file is broken when its hunks do not have the lines that their headers promise, when they overlap, when its paths
// contradict each other or leave the repository, when it stands twice, when it is a combined diff, or when it goes
// beyond a limit.
func Parse(r io.Reader, l Limits) (Diff, error) {
	l = l.withDefaults()
	p := &parser{r: newLineReader(r, l), limits: l, seen: map[string]bool{}}
	p.run()
	if err := p.r.err(); err != nil {
		p.errs = append(p.errs, err)
	} else if p.text && len(p.diff.Files) == 0 && len(p.errs) == 0 {
		p.errs = append(p.errs, ErrNoDiff)
	}
	return p.diff, errors.Join(p.errs...)
}

// parser is the state of one Parse.
type parser struct {
	r      *lineReader
	limits Limits
	diff   Diff
	errs   []error
	seen   map[string]bool // new paths and, with a NUL before them, deleted ones
	hunks  hunkParser
	lines  int  // hunk lines so far
	count  int  // files so far, broken ones included
	text   bool // a line that is not blank was seen
	// plainEnd is the line at which a plain file ended because the next one seemed to begin.
	plainEnd int
}

// run reads what stands between files and starts each of them.
func (p *parser) run() {
	for p.r.next() {
		line := p.r.line
		p.text = p.text || len(bytes.TrimSpace(line)) > 0
		switch {
		case startsFile(line), has(line, "--- "), has(line, "Binary files "), has(line, "Submodule "):
			if !p.file(line) {
				return
			}
		}
	}
}

// startsFile says whether a line can only be the beginning of a file in git's format.
func startsFile(line []byte) bool {
	return has(line, "diff --git ") || has(line, "diff --cc ") || has(line, "diff --combined ")
}

func has(line []byte, prefix string) bool {
	return len(line) >= len(prefix) && string(line[:len(prefix)]) == prefix
}

// file reads the file that begins at line. It gives false when nothing more is to be read.
func (p *parser) file(line []byte) bool {
	f := &pending{line: p.r.number, git: startsFile(line)}
	text := strings.TrimSuffix(string(line), "\r")
	var problem string
	switch {
	case p.r.cut:
		f.tooLarge = true
		problem = fmt.Sprintf("the header is longer than %d bytes", p.limits.LineBytes)
	case has(line, "diff --git "):
		f.names = text[len("diff --git "):]
		problem = p.gitHeader(f)
	case f.git:
		_, name, _ := strings.Cut(text[len("diff --c"):], " ")
		f.NewPath = headerName(name)
		problem = "it is a combined diff of a merge, which has more than two sides"
	case has(line, "--- "):
		ok := false
		if f.minus, f.plus, ok = p.plainHeader(); !ok {
			p.takeBack(f.line)
			return true
		}
		f.headed = true
		problem = p.hunksOf(f)
	case has(line, "Binary files "):
		if !f.binaryNames(text) {
			return true
		}
		f.Binary = true
	default:
		if !f.submodule(text) {
			return true
		}
	}
	if p.count++; p.count > p.limits.Files {
		p.errs = append(p.errs, fmt.Errorf("parse diff: more than %d files: %w", p.limits.Files, ErrTooLarge))
		return false
	}
	if p.r.finished != nil && p.r.err() != nil {
		return false // the file is cut off by a failed read
	}
	if resolved := f.resolve(); problem == "" {
		problem = resolved
	}
	if problem == "" {
		problem = p.twice(&f.File)
	}
	if problem != "" {
		p.broken(f, problem)
		return true
	}
	p.diff.Files = append(p.diff.Files, f.File)
	return true
}

// twice says what is wrong when a file of this path was there already, as in a series of commits.
func (p *parser) twice(f *File) string {
	key := f.NewPath
	if key == "" {
		key = "\x00" + f.OldPath
	}
	if p.seen[key] {
		return "the file stands in the diff twice"
	}
	p.seen[key] = true
	return ""
}

// broken records a file's problem and goes on to where the next file can begin.
func (p *parser) broken(f *pending, problem string) {
	e := &FileError{Path: f.bestPath(), Line: p.r.number, Problem: problem}
	if f.tooLarge {
		e.cause = ErrTooLarge
	}
	p.errs = append(p.errs, e)
	if !f.git {
		return
	}
	for ok := p.r.line != nil; ok; ok = p.r.next() {
		if p.r.number > f.line && startsFile(p.r.line) {
			p.r.back()
			return
		}
	}
}

// gitHeader reads the lines from "diff --git" to the first hunk, and the hunks.
func (p *parser) gitHeader(f *pending) (problem string) {
	for p.r.next() {
		if p.r.cut {
			f.tooLarge = true
			return fmt.Sprintf("a line of the header is longer than %d bytes", p.limits.LineBytes)
		}
		switch line := p.r.line; {
		case has(line, "@@@"):
			return "it is a combined diff of a merge, which has more than two sides"
		case has(line, "@@ "):
			if !f.headed {
				return "the hunks come before the names"
			}
			return p.hunksOf(f)
		case f.headed:
			return "the names are followed by no hunk"
		case has(line, "--- "):
			minus := string(line[len("--- "):])
			if !p.r.next() || !has(p.r.line, "+++ ") || p.r.cut {
				return "the line of the old name is not followed by one of the new name"
			}
			f.minus, f.plus, f.headed = headerName(minus), headerName(string(p.r.line[len("+++ "):])), true
		case startsFile(line):
			p.r.back()
			return ""
		default:
			if more, problem := f.extended(strings.TrimSuffix(string(line), "\r")); problem != "" {
				return problem
			} else if !more {
				p.r.back()
				return ""
			}
		}
	}
	if f.headed {
		return "the names are followed by no hunk"
	}
	return ""
}

// plainHeader reads "--- old", "+++ new" and the beginning of a hunk; all three must be there.
func (p *parser) plainHeader() (minus, plus string, ok bool) {
	minus = headerName(string(p.r.line[len("--- "):]))
	if p.r.cut || !p.r.next() {
		return "", "", false
	}
	if p.r.cut || !has(p.r.line, "+++ ") {
		p.r.back()
		return "", "", false
	}
	plus = headerName(string(p.r.line[len("+++ "):]))
	if !p.r.next() {
		return "", "", false
	}
	if !has(p.r.line, "@@ -") {
		p.r.back()
		return "", "", false
	}
	return minus, plus, true
}

// takeBack finds the plain file before line broken after all: what looked like the next header were lines too many.
func (p *parser) takeBack(line int) {
	if p.plainEnd != line || len(p.diff.Files) == 0 {
		return
	}
	last := len(p.diff.Files) - 1
	p.errs = append(p.errs, &FileError{Path: p.diff.Files[last].Path(), Line: line, Problem: tooManyLines})
	p.diff.Files = p.diff.Files[:last]
}

// hunksOf reads all hunks of a file; the reader stands at the first one's header.
func (p *parser) hunksOf(f *pending) (problem string) {
	for {
		var prev *Hunk
		if n := len(f.Hunks); n > 0 {
			prev = &f.Hunks[n-1]
		}
		if problem := p.hunks.begin(string(p.r.line), prev); problem != "" {
			return problem
		}
		for !p.hunks.full() {
			if !p.r.next() {
				return p.hunks.promised()
			}
			if problem := p.hunkLine(f); problem != "" {
				return problem
			}
		}
		if p.r.next() {
			if has(p.r.line, `\`) {
				if problem := p.hunks.noEOL(); problem != "" {
					return problem
				}
			} else {
				p.r.back()
			}
		}
		f.Hunks = append(f.Hunks, p.hunks.hunk())
		if more, problem := p.afterHunk(f); problem != "" || !more {
			return problem
		}
	}
}

// hunkLine takes the reader's line into the hunk.
func (p *parser) hunkLine(f *pending) (problem string) {
	if p.r.cut {
		f.tooLarge = true
		return fmt.Sprintf("a line is longer than %d bytes", p.limits.LineBytes)
	}
	if startsFile(p.r.line) || has(p.r.line, "@@ ") {
		return p.hunks.promised()
	}
	if p.lines++; p.lines > p.limits.Lines {
		f.tooLarge = true
		return fmt.Sprintf("the diff has more than %d lines", p.limits.Lines)
	}
	return p.hunks.add(p.r.line)
}

const tooManyLines = "the hunk has more lines than its header says"

// afterHunk looks at what follows a complete hunk: another hunk (more), the end of the file, or lines too many.
func (p *parser) afterHunk(f *pending) (more bool, problem string) {
	blank := false
	for p.r.next() {
		line := bytes.TrimSuffix(p.r.line, []byte("\r"))
		switch {
		case len(line) == 0:
			blank = true
		case has(line, "@@@"):
			return false, "it is a combined diff of a merge, which has more than two sides"
		case has(line, "@@ "):
			if blank {
				return false, tooManyLines
			}
			return true, ""
		case string(line) == "-- ": // the signature of a mail
			return false, ""
		case !f.git && has(line, "--- "):
			// The next plain file, if two more lines of a header follow; else file takes this one back.
			p.plainEnd = p.r.number
			p.r.back()
			return false, ""
		case line[0] == ' ' || line[0] == '+' || line[0] == '-' || line[0] == '\\':
			return false, tooManyLines
		default:
			p.r.back()
			return false, ""
		}
	}
	return false, ""
}
