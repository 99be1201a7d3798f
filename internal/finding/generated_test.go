package finding

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// hunksOf makes the diff of two generated versions by the ids of their lines: what has the same id and text is context.
// The last line of a side may lack its newline.
func hunksOf(before, after []idLine, around int, openBefore, openAfter bool) []diff.Hunk {
	type step struct {
		kind diff.LineKind
		text string
	}
	var steps []step
	inBefore := map[int]int{}
	for i, l := range before {
		inBefore[l.id] = i
	}
	i := 0
	for j, l := range after {
		at, ok := inBefore[l.id]
		last := (j == len(after)-1 || ok && at == len(before)-1) && (openBefore || openAfter)
		if !ok || at < i || before[at].text != l.text || last {
			steps = append(steps, step{diff.Added, l.text})
			continue
		}
		for ; i < at; i++ {
			steps = append(steps, step{diff.Deleted, before[i].text})
		}
		steps = append(steps, step{diff.Context, l.text})
		i++
	}
	for ; i < len(before); i++ {
		steps = append(steps, step{diff.Deleted, before[i].text})
	}
	var hunks []diff.Hunk
	old, updated, quiet := 0, 0, 1<<30
	var held []diff.Line
	for k, s := range steps {
		line := diff.Line{Kind: s.kind, Text: s.text}
		if s.kind != diff.Added {
			old++
			line.Old = old
		}
		if s.kind != diff.Deleted {
			updated++
			line.New = updated
		}
		line.NoEOL = openBefore && line.Old == len(before) || openAfter && line.New == len(after)
		near := slices.ContainsFunc(steps[k:min(len(steps), k+around+1)], func(s step) bool { return s.kind != diff.Context })
		if s.kind != diff.Context {
			quiet = 0
		} else {
			quiet++
		}
		if near || quiet <= around {
			held = append(held, line)
			continue
		}
		if hunks = closed(hunks, held); held != nil {
			held = nil
		}
	}
	return closed(hunks, held)
}

// closed appends a hunk of lines.
func closed(hunks []diff.Hunk, lines []diff.Line) []diff.Hunk {
	if len(lines) == 0 {
		return hunks
	}
	h := diff.Hunk{Lines: lines}
	for _, l := range lines {
		if l.Old > 0 {
			if h.OldCount++; h.OldStart == 0 {
				h.OldStart = l.Old
			}
		}
		if l.New > 0 {
			if h.NewCount++; h.NewStart == 0 {
				h.NewStart = l.New
			}
		}
	}
	return append(hunks, h)
}

// TestOracleReplayOfGeneratedChanges does what TestOracleReplay does on generated changes, which have what people's
// comments lack: deleted lines, renamed and copied files, files without a last newline, blocks that stand several times.
func TestOracleReplayOfGeneratedChanges(t *testing.T) {
	t.Parallel()
	type count struct{ tried, exact, unplaced, chosen int }
	counts := map[string]*count{}
	r := rand.New(rand.NewPCG(5, 6))
	for seed := range rounds(t, 300) {
		h := &history{r: rand.New(rand.NewPCG(uint64(seed), 12))}
		before := h.file(20 + h.r.IntN(60))
		after := before
		for range 2 + h.r.IntN(6) {
			after = h.edit(after, -1)
		}
		f := diff.File{OldPath: "dir/x.go", NewPath: "dir/x.go", Status: diff.StatusModified}
		switch h.r.IntN(4) {
		case 0:
			f.OldPath, f.Status = "dir/old.go", diff.StatusRenamed
		case 1:
			f.OldPath, f.Status = "dir/model.go", diff.StatusCopied
		}
		f.Hunks = hunksOf(before, after, 3, h.r.IntN(4) == 0, h.r.IntN(4) == 0)
		// It goes through text, so that the parser has its word on it.
		d := parse(t, diff.Format(diff.Diff{Files: []diff.File{f, {OldPath: "y.go", NewPath: "y.go", Status: diff.StatusModified, Hunks: randomDiff(r).Files[0].Hunks}}}))
		if len(f.Hunks) == 0 {
			continue
		}
		for range 4 {
			want, lines := someLines(r, &d.Files[0])
			if lines == nil {
				continue
			}
			for _, w := range ways {
				quote, ok := w.quote(r, lines)
				if !ok || w.name == "middle left out" { // with nothing said of it, what is left is often other code of these files
					continue
				}
				for _, guess := range guesses {
					shift := guess.shifts[r.IntN(len(guess.shifts))]
					c := Candidate{Path: f.OldPath, Quote: quote}
					if guess.given {
						c.StartLine, c.EndLine = max(1, want.Start+shift), max(1, want.End+shift)
					}
					n := counts[want.Side.String()+" "+guess.name]
					if n == nil {
						n = &count{}
						counts[want.Side.String()+" "+guess.name] = n
					}
					n.tried++
					alone := occurrences(&d.Files[0], strings.Join(lines, "\n")) == 1
					a, why := Locate(d, c)
					check(t, d, a, why)
					switch {
					case a == want:
						n.exact++
					case a.IsZero() && w.kind == whole && alone && weight(quote) >= minExact && w.name != "as a diff":
						t.Fatalf("%s, hints %s by %d: %q of %s was not found: %s\n%s", w.name, guess.name, shift, quote, want, why, diff.Format(*d))
					case a.IsZero():
						n.unplaced++
					case w.kind != whole && squeeze(strings.Join(d.Text(a), "\n")) == squeeze(quote):
						n.chosen++ // what is left of the quote is other code, word for word
					case w.name == "random white space" && strings.Join(d.Text(a), "\n") == quote:
						n.chosen++ // and so it is with the white space that it got
					case a.Start == c.StartLine && (a.End == c.EndLine || c.EndLine <= c.StartLine) && !(alone && w.kind == whole):
						n.chosen++ // the hint is exactly on another copy
					case sameEnds(d, a, want, w.kind == lossy) && a.Side == diff.New && want.Side == diff.Old:
						n.chosen++ // deleted code that was added elsewhere, and is found there
					default:
						t.Fatalf("%s, hints %s by %d: %q of %s was found at %s\n%s", w.name, guess.name, shift, quote, want, a, diff.Format(*d))
					}
				}
			}
		}
	}
	for what, n := range counts {
		t.Logf("%-22s %6d tried: %6d exact, %5d without a place, %4d at an equal copy that the hint is exactly on or that is the newer, 0 false", what, n.tried, n.exact, n.unplaced, n.chosen)
	}
}

// sameEnds says whether two anchors hold the same code, white space aside; with only its ends quoted, the same ends.
func sameEnds(d *diff.Diff, a, b diff.Anchor, ends bool) bool {
	one, two := d.Text(a), d.Text(b)
	if ends {
		return squeeze(one[0]) == squeeze(two[0]) && squeeze(one[len(one)-1]) == squeeze(two[len(two)-1])
	}
	return squeeze(strings.Join(one, "\n")) == squeeze(strings.Join(two, "\n"))
}
