package review

import (
	"context"
	"fmt"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/facts"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// subject is one file under review.
type subject struct {
	file  *diff.File
	path  string
	index int // in the diff
	// old and new are the contents, nil when there is none or it is not known.
	old, new []byte
	// before and after are the parser's facts, nil when there are none.
	before, after *syntax.Facts
	// lines are the new content's, as they may be shown: without credentials. nil when the content is not known.
	lines []string
	// gaps is set when lines far from the change are empty in lines, because they were not searched for credentials.
	gaps bool
	// deleted are the deleted lines as they may be shown, by the number of the new line they stand before.
	deleted map[int][]string
	// oldLines are the old lines of the diff as they may be shown, by their number.
	oldLines map[int]string
	// added says which new lines the change adds; hunkLines are the shown new lines of the diff.
	added     map[int]bool
	hunkLines map[int]string
	secrets   []facts.Secret
	// seen is set for a file that was reviewed although something about it was left out.
	seen bool
}

// load chooses the files and reads both their ends.
func (r *run) load(ctx context.Context) error {
	r.choose()
	if err := r.stage(ctx, StageLoad, 0, len(r.subjects)); err != nil {
		return err
	}
	if r.files == nil {
		return nil
	}
	// Both ends of all files side by side: each read is somebody else's latency.
	err := inParallel(ctx, 2*len(r.subjects), readsAtOnce, func(ctx context.Context, i int) error {
		s := r.subjects[i/2]
		var err error
		switch {
		case i%2 == 0 && s.file.Status != diff.StatusAdded && s.file.OldPath != "":
			if s.old, err = r.files.Read(ctx, diff.Old, s.file.OldPath); err != nil {
				return fmt.Errorf("read %s before the change: %w", s.file.OldPath, err)
			}
		case i%2 == 1 && s.file.NewPath != "":
			if s.new, err = r.files.Read(ctx, diff.New, s.file.NewPath); err != nil {
				return fmt.Errorf("read %s after the change: %w", s.file.NewPath, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range r.subjects {
		if !s.agrees(diff.Old, s.old) || !s.agrees(diff.New, s.new) {
			s.old, s.new = nil, nil
			r.note(fmt.Sprintf("The content of %s is not the one its diff was made of, so only the diff was read.", s.path))
		}
	}
	return nil
}

// agrees says whether a content is the one the hunks were made of. A content that is not known agrees.
func (s *subject) agrees(side diff.Side, content []byte) bool {
	if content == nil {
		return true
	}
	lines := splitLines(string(content))
	for i := range s.file.Hunks {
		for _, l := range s.file.Hunks[i].Side(side) {
			if n := l.Number(side); n > len(lines) || lines[n-1] != l.Text {
				return false
			}
		}
	}
	return true
}

// splitLines gives the lines without their newlines.
func splitLines(content string) []string {
	if content == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(content, "\n"), "\n")
}

// analyze asks the parser about both ends of each file, and leaves out what a machine wrote.
func (r *run) analyze(ctx context.Context) error {
	if err := r.stage(ctx, StageAnalyze, 0, len(r.subjects)); err != nil {
		return err
	}
	var sources []syntax.Source
	var take []func(*syntax.Facts)
	for _, s := range r.subjects {
		if len(s.new) > 0 {
			sources = append(sources, syntax.Source{Path: s.file.NewPath, Content: s.new})
			take = append(take, func(f *syntax.Facts) { s.after = f })
		}
		if len(s.old) > 0 {
			sources = append(sources, syntax.Source{Path: s.file.OldPath, Content: s.old})
			take = append(take, func(f *syntax.Facts) { s.before = f })
		}
	}
	if len(sources) > 0 {
		answers, err := r.parser.Analyze(ctx, sources)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("analyze files: %w", ctx.Err())
		case err != nil || len(answers) != len(sources):
			r.log.WarnContext(ctx, "parser did not answer", "error", err, "files", len(sources))
			r.omit("", "the parser did not answer: no syntax errors were looked for, and functions may be shown in part", false)
		default:
			for i := range answers {
				take[i](&answers[i].Facts)
			}
		}
	}
	kept := r.subjects[:0]
	for _, s := range r.subjects {
		if reason := s.machineMade(); reason != "" {
			r.omit(s.path, reason, true)
			continue
		}
		r.unparsed(s)
		kept = append(kept, s)
	}
	r.subjects = kept
	return nil
}

// unparsed tells of a file whose analysis failed, as opposed to one in a language without a grammar.
func (r *run) unparsed(s *subject) {
	if s.after == nil {
		return
	}
	switch s.after.Status {
	case syntax.StatusTimeout, syntax.StatusCrashed, syntax.StatusQuarantined:
		s.seen = true
		r.omit(s.path, fmt.Sprintf("not parsed (%s): reviewed as plain text, without a check of its syntax", s.after.Status), false)
	case syntax.StatusTooLarge:
		r.note(fmt.Sprintf("%s is too large to be parsed and was reviewed as plain text.", s.path))
	case syntax.StatusOK, syntax.StatusUnsupported, syntax.StatusBinary, syntax.StatusPartial:
	}
}

// about says in a phrase what happened to the file and in which language it is written.
func (s *subject) about() string {
	if s.after == nil || s.after.Language == "" {
		return s.happened()
	}
	return s.after.Language + ", " + s.happened()
}

// happened says in a phrase what happened to the file.
func (s *subject) happened() string {
	added, deleted := s.file.Counts()
	var b strings.Builder
	switch s.file.Status {
	case diff.StatusAdded:
		b.WriteString("added")
	case diff.StatusDeleted:
		b.WriteString("deleted")
	case diff.StatusRenamed:
		fmt.Fprintf(&b, "renamed from %s", s.file.OldPath)
	case diff.StatusCopied:
		fmt.Fprintf(&b, "copied from %s", s.file.OldPath)
	case diff.StatusModified, diff.StatusUnknown:
		b.WriteString("modified")
	}
	fmt.Fprintf(&b, ", %s added, %s deleted", count(added, "line"), count(deleted, "line"))
	return b.String()
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// enclosing gives the definition around a line of a side, or nil.
func (s *subject) enclosing(side diff.Side, line int) *syntax.Symbol {
	f := s.after
	if side == diff.Old {
		f = s.before
	}
	if f == nil {
		return nil
	}
	return f.Enclosing(line)
}
