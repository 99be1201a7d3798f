package finding

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// TestSuggestionsApply offers random replacements of random anchored lines, in whatever indentation a model gives them.
// What is offered replaces exactly those lines, as deep as they are and as the model meant it relative to each other;
// git applies the same as a patch and comes to the same file.
func TestSuggestionsApply(t *testing.T) {
	t.Parallel()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Log("git is not installed: no patch was applied by it")
	}
	dir := t.TempDir()
	offered, refused := 0, 0
	for seed := range 200 {
		h := &history{r: rand.New(rand.NewPCG(uint64(seed), 13))}
		before := h.file(15 + h.r.IntN(30))
		after := h.edit(h.edit(before, -1), -1)
		f := diff.File{OldPath: "x.go", NewPath: "x.go", Status: diff.StatusModified, Hunks: hunksOf(before, after, 3, false, false)}
		d := &diff.Diff{Files: []diff.File{f}}
		if len(f.Hunks) == 0 {
			continue
		}
		a, anchored := someLines(h.r, &d.Files[0])
		if anchored == nil || a.Side != diff.New {
			continue
		}
		depth := len(anchored[0]) - len(strings.TrimLeft(anchored[0], "\t"))
		// The replacement as it should be, and as the model gives it: at the margin or too deep, in tabs or blanks.
		want := []string{fmt.Sprintf("if ready%d {", seed), "\trun()", "\tif again {", "\t\trun()", "\t}", "}"}[:1+h.r.IntN(6)]
		given := slices.Clone(want)
		more := strings.Repeat("\t", h.r.IntN(3))
		unit := []string{"\t", "    ", "  "}[h.r.IntN(3)]
		for i := range want {
			want[i] = strings.Repeat("\t", depth) + want[i]
			given[i] = strings.ReplaceAll(more+given[i], "\t", unit)
		}
		text := Reindent(anchored, strings.Join(given, "\n"))
		if problem := SuggestionProblem(d, a, text); problem != "" {
			refused++
			continue
		}
		offered++
		// Blanks of one width can only be told from each other when something is indented in the lines replaced.
		if styleOf(anchored).unit == '\t' && (unit == "\t" || len(want) > 1) && text != strings.Join(want, "\n") {
			t.Fatalf("seed %d: %q for %q became %q, want %q", seed, given, anchored, text, want)
		}
		content := contentOf(after)
		lines := linesOf(content)
		applied := slices.Concat(lines[:a.Start-1], splitSuggestion(text), lines[a.End:])
		if git == "" {
			continue
		}
		patch := suggestionPatch(lines, a, splitSuggestion(text))
		if err := os.WriteFile(filepath.Join(dir, "x.go"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), git, "apply", "-")
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(patch)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("seed %d: git apply: %v\n%s\n%s", seed, err, out, patch)
		}
		got, err := os.ReadFile(filepath.Join(dir, "x.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(linesOf(got), applied) {
			t.Fatalf("seed %d: git made\n%s\nof\n%s", seed, got, patch)
		}
	}
	t.Logf("%d suggestions offered and applied, %d refused", offered, refused)
	if offered < 50 {
		t.Errorf("only %d were offered", offered)
	}
}

// suggestionPatch writes the replacement of a file's lines as a patch.
func suggestionPatch(lines []string, a diff.Anchor, replacement []string) string {
	from, to := max(1, a.Start-3), min(len(lines), a.End+3)
	h := diff.Hunk{OldStart: from, NewStart: from}
	for n := from; n <= to; n++ {
		switch {
		case n < a.Start || n > a.End:
			h.Lines = append(h.Lines, diff.Line{Kind: diff.Context, Text: lines[n-1]})
			h.NewCount++
		default:
			h.Lines = append(h.Lines, diff.Line{Kind: diff.Deleted, Text: lines[n-1]})
		}
		h.OldCount++
		if n == a.End {
			for _, line := range replacement {
				h.Lines = append(h.Lines, diff.Line{Kind: diff.Added, Text: line})
				h.NewCount++
			}
		}
	}
	return diff.Format(diff.Diff{Files: []diff.File{{OldPath: "x.go", NewPath: "x.go", Status: diff.StatusModified, Hunks: []diff.Hunk{h}}}})
}
