package diff

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Format prints a diff as git would, without hashes and similarities. What Parse gives comes back from
// Parse(Format(d)) the same. Unseen is not printed: a diff has no word for it.
func Format(d Diff) string {
	var b strings.Builder
	for i := range d.Files {
		_ = d.Files[i].Write(&b) // a Builder takes everything
	}
	return b.String()
}

// Write prints one file of a diff as Format does.
func (f *File) Write(w io.Writer) error {
	var b strings.Builder
	f.header(&b)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write diff of %s: %w", f.Path(), err)
	}
	for i := range f.Hunks {
		b.Reset()
		f.Hunks[i].write(&b)
		if _, err := io.WriteString(w, b.String()); err != nil {
			return fmt.Errorf("write diff of %s: %w", f.Path(), err)
		}
	}
	return nil
}

// header prints all that stands before the hunks.
func (f *File) header(b *strings.Builder) {
	from, to := f.OldPath, f.NewPath
	if from == "" {
		from = to
	}
	if to == "" {
		to = from
	}
	put := func(parts ...string) {
		for _, part := range parts {
			b.WriteString(part)
		}
		b.WriteByte('\n')
	}
	put("diff --git ", quote("a/"+from), " ", quote("b/"+to))
	empty := len(f.Hunks) == 0 && !f.Binary
	switch {
	case f.Status == StatusAdded:
		if mode := orDefault(f.NewMode, empty); mode != "" {
			put("new file mode ", mode)
		}
	case f.Status == StatusDeleted:
		if mode := orDefault(f.OldMode, empty); mode != "" {
			put("deleted file mode ", mode)
		}
	case f.OldMode != f.NewMode:
		if f.OldMode != "" {
			put("old mode ", f.OldMode)
		}
		if f.NewMode != "" {
			put("new mode ", f.NewMode)
		}
	}
	switch {
	case f.Status == StatusCopied:
		put("copy from ", quote(from))
		put("copy to ", quote(to))
	case f.Status == StatusRenamed || from != to:
		put("rename from ", quote(from))
		put("rename to ", quote(to))
	}
	if f.OldMode == f.NewMode && f.OldMode != "" {
		put("index 0000000..0000000 ", f.OldMode)
	}
	from, to = quote("a/"+from), quote("b/"+to)
	if f.Status == StatusAdded {
		from = devNull
	}
	if f.Status == StatusDeleted {
		to = devNull
	}
	if f.Binary {
		put("Binary files ", from, " and ", to, " differ")
	} else if len(f.Hunks) > 0 {
		put("--- ", from, tab(from))
		put("+++ ", to, tab(to))
	}
}

// orDefault gives an empty file of no known mode one, since its header has nothing else that says what happened.
func orDefault(mode string, empty bool) string {
	if mode == "" && empty {
		return "100644"
	}
	return mode
}

// tab is what git puts after a name with a blank in it.
func tab(name string) string {
	if strings.Contains(name, " ") && name[0] != '"' {
		return "\t"
	}
	return ""
}

// write prints the hunk with its header.
func (h *Hunk) write(b *strings.Builder) {
	b.WriteString(h.Header())
	b.WriteByte('\n')
	for _, l := range h.Lines {
		switch l.Kind {
		case Added:
			b.WriteByte('+')
		case Deleted:
			b.WriteByte('-')
		case Context:
			b.WriteByte(' ')
		}
		b.WriteString(l.Text)
		b.WriteByte('\n')
		if l.NoEOL {
			b.WriteString("\\ No newline at end of file\n")
		}
	}
}

// Header prints the hunk's header, as "@@ -1,2 +3,4 @@ section".
func (h *Hunk) Header() string {
	var b strings.Builder
	b.WriteString("@@ -")
	numbersOf(&b, h.OldStart, h.OldCount)
	b.WriteString(" +")
	numbersOf(&b, h.NewStart, h.NewCount)
	b.WriteString(" @@")
	if h.Section != "" {
		b.WriteByte(' ')
		b.WriteString(h.Section)
	}
	return b.String()
}

func numbersOf(b *strings.Builder, start, count int) {
	b.WriteString(strconv.Itoa(start))
	if count != 1 {
		b.WriteByte(',')
		b.WriteString(strconv.Itoa(count))
	}
}
