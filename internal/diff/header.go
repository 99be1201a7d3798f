package diff

import (
	"path"
	"strings"
)

// submoduleMode is the mode that git gives a submodule's commit.
const submoduleMode = "160000"

// pending is a file whose header is being read.
type pending struct {
	File
	line int  // where it began
	git  bool // it began with "diff --git"
	// names is what follows "diff --git ".
	names string
	// minus and plus are the names of the --- and +++ lines, with their prefixes; headed says that they are there.
	minus, plus string
	headed      bool
	// from and to are the names of the rename or copy lines, which have no prefixes.
	from, to         string
	added, deleted   bool
	renamed, copied  bool
	nullOld, nullNew bool // "Binary files /dev/null and …"
	tooLarge         bool
}

// extended takes a line between "diff --git" and the hunks. It gives false when the line is none of the header.
func (f *pending) extended(line string) (more bool, problem string) {
	fields := []struct {
		prefix string
		take   func(rest string) string
	}{
		{"index ", f.index},
		{"old mode ", func(s string) string { return f.mode(&f.OldMode, s) }},
		{"new mode ", func(s string) string { return f.mode(&f.NewMode, s) }},
		{"new file mode ", func(s string) string { f.added = true; return f.mode(&f.NewMode, s) }},
		{"deleted file mode ", func(s string) string { f.deleted = true; return f.mode(&f.OldMode, s) }},
		{"similarity index ", nothing},
		{"dissimilarity index ", nothing},
		{"rename from ", func(s string) string { f.renamed, f.from = true, headerName(s); return "" }},
		{"rename to ", func(s string) string { f.renamed, f.to = true, headerName(s); return "" }},
		{"rename old ", func(s string) string { f.renamed, f.from = true, headerName(s); return "" }},
		{"rename new ", func(s string) string { f.renamed, f.to = true, headerName(s); return "" }},
		{"copy from ", func(s string) string { f.copied, f.from = true, headerName(s); return "" }},
		{"copy to ", func(s string) string { f.copied, f.to = true, headerName(s); return "" }},
		{"Binary files ", f.binary},
	}
	for _, field := range fields {
		if rest, ok := strings.CutPrefix(line, field.prefix); ok {
			return true, field.take(rest)
		}
	}
	switch {
	case line == "GIT binary patch":
		// What follows holds no blanks, so nothing in it looks like the beginning of a file.
		f.Binary = true
	case line == "", line == "-- ":
	case strings.ContainsRune(` +-\`, rune(line[0])):
		return false, "the lines have no hunk header"
	}
	return false, ""
}

func nothing(string) string { return "" }

// index takes "<hash>..<hash> <mode>"; the mode stands there when it did not change.
func (f *pending) index(rest string) string {
	_, mode, ok := strings.Cut(rest, " ")
	if !ok {
		return ""
	}
	f.NewMode = mode
	return f.mode(&f.OldMode, mode)
}

// mode takes an octal mode.
func (f *pending) mode(to *string, mode string) string {
	if mode == "" || len(mode) > 6 || strings.Trim(mode, "01234567") != "" {
		return "a mode is malformed"
	}
	*to = mode
	return ""
}

// binary takes "Binary files a/x and b/x differ" under a git header, whose names are known already.
func (f *pending) binary(rest string) string {
	f.Binary = true
	f.nullOld = strings.HasPrefix(rest, devNull+" and ")
	f.nullNew = strings.HasSuffix(rest, " and "+devNull+" differ")
	return ""
}

// binaryNames takes the same line where no git header stands before it.
func (f *pending) binaryNames(line string) bool {
	rest, ok := strings.CutSuffix(strings.TrimPrefix(line, "Binary files "), " differ")
	if !ok {
		return false
	}
	f.minus, f.plus, f.headed = "", "", true
	if name, ok := strings.CutPrefix(rest, devNull+" and "); ok {
		f.minus, f.plus = devNull, headerName(name)
		return true
	}
	if name, ok := strings.CutSuffix(rest, " and "+devNull); ok {
		f.minus, f.plus = headerName(name), devNull
		return true
	}
	f.minus, f.plus, ok = splitPair(rest, " and ")
	return ok
}

// submodule takes "Submodule path 1234567..89abcde:", which git prints for --submodule=log.
func (f *pending) submodule(line string) bool {
	rest := strings.TrimSuffix(strings.TrimPrefix(line, "Submodule "), ":")
	f.added = strings.HasSuffix(rest, " (new submodule)")
	f.deleted = strings.HasSuffix(rest, " (submodule deleted)")
	if i := strings.LastIndex(rest, " ("); i >= 0 && strings.HasSuffix(rest, ")") {
		rest = rest[:i]
	}
	i := strings.LastIndexByte(rest, ' ')
	if i <= 0 {
		return false
	}
	before, after, ok := strings.Cut(rest[i+1:], "..")
	after = strings.TrimPrefix(after, ".")
	if !ok || !hexadecimal(before) || !hexadecimal(after) {
		return false
	}
	f.Submodule = true
	f.minus, f.plus, f.headed = rest[:i], rest[:i], true
	f.OldMode, f.NewMode = submoduleMode, submoduleMode
	return true
}

func hexadecimal(s string) bool {
	return len(s) >= 7 && strings.Trim(s, "0123456789abcdef") == ""
}

// resolve settles paths and status from all that the header says.
func (f *pending) resolve() (problem string) {
	f.added = f.added || f.minus == devNull || f.nullOld
	f.deleted = f.deleted || f.plus == devNull || f.nullNew
	if problem := f.paths(); problem != "" {
		return problem
	}
	f.Submodule = f.Submodule || f.OldMode == submoduleMode || f.NewMode == submoduleMode
	f.Status = StatusModified
	switch {
	case f.added && f.deleted:
		return "the file is both added and deleted"
	case f.added:
		f.Status, f.OldPath, f.OldMode = StatusAdded, "", ""
	case f.deleted:
		f.Status, f.NewPath, f.NewMode = StatusDeleted, "", ""
	case f.copied:
		f.Status = StatusCopied
	case f.OldPath != f.NewPath:
		f.Status = StatusRenamed
	}
	for _, h := range f.Hunks {
		if f.added && h.OldCount > 0 || f.deleted && h.NewCount > 0 {
			return "the file has lines on the side where it does not exist"
		}
	}
	return ""
}

// paths settles OldPath and NewPath, for now both also of an added or deleted file.
func (f *pending) paths() (problem string) {
	if f.NewPath == "" { // a combined diff has its name already
		if f.git {
			problem = f.gitPaths()
		} else {
			problem = f.plainPaths()
		}
	}
	if problem == "" {
		problem = problemWith(f.NewPath)
	}
	if problem == "" && f.OldPath != f.NewPath {
		problem = problemWith(f.OldPath)
	}
	return problem
}

// gitPaths settles the paths of a file that began with "diff --git": by the rename lines, else by that line, else by
// the --- and +++ lines.
func (f *pending) gitPaths() (problem string) {
	const disagree = "the names in the header disagree"
	if f.renamed || f.copied {
		f.OldPath, f.NewPath = f.from, f.to
		if f.from == "" || f.to == "" {
			return "a rename or copy lacks one of its names"
		}
		if f.added || f.deleted || f.headed && !(ends(f.minus, f.from) && ends(f.plus, f.to)) {
			return disagree
		}
		return ""
	}
	first, second, ok := splitPair(f.names, " ")
	if f.headed {
		if ok && (f.minus != devNull && f.minus != first || f.plus != devNull && f.plus != second) {
			// More than one blank: the names of the other lines say where to split.
			ok = false
		}
		if !ok {
			if first, second, ok = splitBy(f.names, f.minus, f.plus); !ok {
				return disagree
			}
		}
	}
	if !ok {
		return "the header does not tell its two names apart"
	}
	if name, ok := sameName(first, second); ok {
		f.OldPath, f.NewPath = name, name
	} else if knownPrefix(first) && knownPrefix(second) {
		f.OldPath, f.NewPath = first[2:], second[2:] // two files compared by git diff --no-index
	} else if name, ok := commonName(first, second); ok {
		f.OldPath, f.NewPath = name, name
	} else {
		return "the header does not tell its prefixes from its names"
	}
	if (f.added || f.deleted) && f.OldPath != f.NewPath {
		return disagree
	}
	return ""
}

// ends says whether a name of a --- or +++ line is the path with some prefix.
func ends(name, path string) bool {
	rest, ok := strings.CutSuffix(name, path)
	return ok && (rest == "" || strings.HasSuffix(rest, "/"))
}

// splitBy takes the names of "diff --git" apart with the help of the --- and +++ names.
func splitBy(names, minus, plus string) (first, second string, ok bool) {
	switch {
	case minus != devNull && plus != devNull:
		return minus, plus, names == minus+" "+plus
	case minus != devNull:
		second, ok = strings.CutPrefix(names, minus+" ")
		return minus, second, ok
	case plus != devNull:
		first, ok = strings.CutSuffix(names, " "+plus)
		return first, plus, ok
	}
	return "", "", false
}

// knownPrefix says whether a name begins with one of the prefixes that git itself uses.
func knownPrefix(name string) bool {
	return len(name) > 2 && name[1] == '/' && strings.IndexByte("abciow12", name[0]) >= 0
}

// plainPaths settles the paths of a file that has only "---" and "+++" lines.
func (f *pending) plainPaths() (problem string) {
	minus, plus := f.minus, f.plus
	switch {
	case minus == devNull && plus == devNull:
		return "the file is both added and deleted"
	case minus == devNull:
		minus = strings.TrimPrefix(plus, "b/")
		plus = minus
	case plus == devNull:
		plus = strings.TrimPrefix(minus, "a/")
		minus = plus
	default:
		if name, ok := sameName(minus, plus); ok {
			minus, plus = name, name
		} else if strings.HasPrefix(minus, "a/") && strings.HasPrefix(plus, "b/") {
			minus, plus = minus[2:], plus[2:]
		}
	}
	f.OldPath, f.NewPath = relative(minus), relative(plus)
	return ""
}

// relative brings a path that a person gave to diff into the form of a path inside a repository, as far as it goes.
func relative(name string) string {
	if name == "" {
		return ""
	}
	return path.Clean(strings.TrimLeft(name, "/"))
}

// bestPath is the path to name a broken file by.
func (f *pending) bestPath() string {
	if p := f.Path(); p != "" {
		return p
	}
	for _, name := range []string{f.to, f.from, f.plus, f.minus, f.names} {
		if name != "" && name != devNull {
			return name
		}
	}
	return ""
}
