package review

import (
	"context"
	"fmt"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/facts"
	"github.com/openrabbit/openrabbit/internal/prompt"
)

const (
	// secretMark stands for a credential in everything a model sees.
	secretMark = "⟦secret⟧"
	// maxScan is the largest content that is searched for credentials as a whole, in bytes. Of a larger one, the lines
	// around the change are, and only these may be shown.
	maxScan = 128 << 10
	// scanAround is how many lines around a hunk are searched in a large file.
	scanAround = 400
	// leastValue is the shortest credential that is also masked where no rule finds it.
	leastValue = 12
	// genericRule is the scanner's rule that guesses from names.
	genericRule = "generic-api-key"
)

// masker takes credentials out of texts.
type masker struct {
	scanner SecretScanner
	// known replaces credentials that were found elsewhere in the change; nil without any.
	known *strings.Replacer
}

// mask finds the credentials of all files and prepares the lines that may be shown.
func (r *run) mask(ctx context.Context) error {
	r.masker = masker{scanner: r.secrets}
	type found struct {
		text    string
		secrets []Secret
	}
	// Searching is the engine's only work for the processor worth sharing.
	news, olds := make([]found, len(r.subjects)), make([][]found, len(r.subjects))
	err := inParallel(ctx, len(r.subjects), 4, func(_ context.Context, i int) error {
		s := r.subjects[i]
		news[i].text = s.newText()
		news[i].secrets = r.secrets.Scan(news[i].text)
		for h := range s.file.Hunks {
			text := joined(s.file.Hunks[h].Side(diff.Old))
			olds[i] = append(olds[i], found{text: text, secrets: r.secrets.Scan(text)})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("search for credentials: %w", err)
	}
	var values []string
	for i := range r.subjects {
		for _, f := range append([]found{news[i]}, olds[i]...) {
			for _, s := range f.secrets {
				if v := valueOf(f.text, s); v != "" {
					values = append(values, v, secretMark)
				}
			}
		}
	}
	if len(values) > 0 {
		r.masker.known = strings.NewReplacer(values...)
	}
	for i, s := range r.subjects {
		masked := splitLines(r.masker.apply(news[i].text, news[i].secrets))
		s.setNew(masked)
		for h, f := range olds[i] {
			s.setDeleted(&s.file.Hunks[h], splitLines(r.masker.apply(f.text, f.secrets)))
		}
		s.secrets = s.placed(news[i].secrets, masked)
	}
	r.about = prompt.Change{
		Repository: r.change.Repository, Number: r.change.Number,
		Title: r.masker.text(r.change.Title), Description: r.masker.text(r.change.Description),
	}
	r.options.Guidelines = r.masker.text(r.options.Guidelines)
	return nil
}

// newText is the text of the new side that is searched: the content, or the hunks and what is around them when it is
// not known or too large. Its lines are the file's from the first on; those that are not searched are empty.
func (s *subject) newText() string {
	if s.new != nil && len(s.new) <= maxScan {
		return string(s.new)
	}
	var lines []string
	put := func(n int, text string) {
		for len(lines) < n {
			lines = append(lines, "")
		}
		lines[n-1] = text
	}
	content := splitLines(string(s.new))
	for i := range s.file.Hunks {
		h := &s.file.Hunks[i]
		for n := max(1, h.NewStart-scanAround); n < h.NewStart+h.NewCount+scanAround && n <= len(content); n++ {
			put(n, content[n-1])
		}
		for _, l := range h.Side(diff.New) {
			put(l.New, l.Text)
		}
	}
	return strings.Join(append(lines, ""), "\n")
}

func joined(lines []diff.Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Text)
		b.WriteByte('\n')
	}
	return b.String()
}

// setNew keeps the lines of the new side that may be shown.
func (s *subject) setNew(masked []string) {
	if s.new != nil {
		s.lines, s.gaps = masked, len(s.new) > maxScan
	}
	s.added, s.hunkLines = map[int]bool{}, map[int]string{}
	for i := range s.file.Hunks {
		for _, l := range s.file.Hunks[i].Lines {
			if l.New == 0 {
				continue
			}
			s.added[l.New] = l.Kind == diff.Added
			if l.New <= len(masked) {
				s.hunkLines[l.New] = masked[l.New-1]
			}
		}
	}
}

// setDeleted keeps the deleted lines of a hunk that may be shown. masked are the lines of the hunk's old side.
func (s *subject) setDeleted(h *diff.Hunk, masked []string) {
	if s.deleted == nil {
		s.deleted, s.oldLines = map[int][]string{}, map[int]string{}
	}
	next := max(h.NewStart, 1)
	if h.NewCount == 0 && s.file.NewPath != "" {
		next = h.NewStart + 1 // the header names the line before
	}
	i := 0
	for _, l := range h.Lines {
		if l.New > 0 {
			next = l.New + 1
		}
		if l.Old == 0 {
			continue
		}
		if i < len(masked) {
			s.oldLines[l.Old] = masked[i]
			if l.Kind == diff.Deleted {
				s.deleted[next] = append(s.deleted[next], masked[i])
			}
		}
		i++
	}
}

// placed gives the credentials by lines of the new file, as facts are made of them.
func (s *subject) placed(found []Secret, masked []string) []facts.Secret {
	var list []facts.Secret
	for _, f := range found {
		line := ""
		if f.Line >= 1 && f.Line <= len(masked) {
			line = masked[f.Line-1]
		}
		list = append(list, facts.Secret{Line: f.Line, Rule: f.Rule, Description: f.Description, Generic: f.Rule == genericRule, Masked: line})
	}
	return list
}

// text masks a text of its own.
func (m *masker) text(s string) string {
	if strings.TrimSpace(s) == "" {
		return s
	}
	return m.apply(s, m.scanner.Scan(s))
}

// apply replaces what was found in a text, and what is known from elsewhere. The number of lines stays.
func (m *masker) apply(text string, found []Secret) string {
	var b strings.Builder
	last := 0
	for _, s := range found {
		from, to := span(text, s)
		if from < last || to > len(text) || from >= to {
			continue
		}
		b.WriteString(text[last:from])
		b.WriteString(secretMark)
		for range strings.Count(text[from:to], "\n") {
			b.WriteString("\n" + secretMark)
		}
		last = to
	}
	b.WriteString(text[last:])
	if m.known != nil {
		return m.known.Replace(b.String())
	}
	return b.String()
}

// span gives the bytes of a credential: its own, or those of its lines when only these are known.
func span(text string, s Secret) (from, to int) {
	if s.End > s.Start {
		return s.Start, s.End
	}
	line := 1
	for line < s.Line {
		i := strings.IndexByte(text[from:], '\n')
		if i < 0 {
			return len(text), len(text)
		}
		from += i + 1
		line++
	}
	to = from
	for {
		i := strings.IndexByte(text[to:], '\n')
		if i < 0 {
			return from, len(text)
		}
		to += i
		if line >= s.EndLine {
			return from, to
		}
		to++
		line++
	}
}

// valueOf gives a credential that is to be masked wherever it stands; "" for one that only its variable's name made
// suspicious, or that is not on one line.
func valueOf(text string, s Secret) string {
	if s.Rule == genericRule || s.Start < 0 || s.End > len(text) || s.End-s.Start < leastValue {
		return ""
	}
	if v := text[s.Start:s.End]; !strings.Contains(v, "\n") {
		return v
	}
	return ""
}
