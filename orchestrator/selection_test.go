package orchestrator

import (
	"fmt"
	"slices"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// tenLines is a diff of one file with ten added lines.
func tenLines() *diff.Diff {
	h := diff.Hunk{NewStart: 1, NewCount: 10}
	for i := range 10 {
		h.Lines = append(h.Lines, diff.Line{Kind: diff.Added, New: i + 1, Text: fmt.Sprintf("line %d", i+1)})
	}
	return &diff.Diff{Files: []diff.File{{NewPath: "a.go", Status: diff.StatusAdded, Hunks: []diff.Hunk{h}}}}
}

func found(n, line int) finding.Finding {
	f := finding.Finding{
		Path: "a.go", Severity: finding.High, Category: finding.Bug, Title: fmt.Sprintf("Problem number %d", n), Confidence: 1,
		Fingerprint: finding.Fingerprint(fmt.Sprintf("v1:%032x", n)),
	}
	if line > 0 {
		f.Anchor = diff.Anchor{Path: "a.go", Side: diff.New, Start: line, End: line}
	}
	return f
}

func TestChoose(t *testing.T) {
	t.Parallel()
	commented := earlierFinding{StoredFinding: store.StoredFinding{Finding: found(1, 1), Shown: store.ShownComment}}
	inWalkthrough := earlierFinding{StoredFinding: store.StoredFinding{Finding: found(2, 2), Shown: store.ShownWalkthrough}}
	for name, tt := range map[string]struct {
		findings []finding.Finding
		limit    int
		earlier  []earlierFinding
		// comments are the numbers of the findings that get one, repeats of those that had one, beyond and unplaced of
		// those that stand in the walkthrough.
		comments, repeats, beyond, unplaced []int
	}{
		"all":           {findings: []finding.Finding{found(1, 1), found(2, 2)}, limit: 10, comments: []int{1, 2}},
		"cap":           {findings: []finding.Finding{found(1, 1), found(2, 2), found(3, 3)}, limit: 2, comments: []int{1, 2}, beyond: []int{3}},
		"no place":      {findings: []finding.Finding{found(1, 0), found(2, 2)}, limit: 10, comments: []int{2}, unplaced: []int{1}},
		"place is gone": {findings: []finding.Finding{found(1, 99), found(2, 2)}, limit: 10, comments: []int{2}, unplaced: []int{1}},
		"repeat": {
			findings: []finding.Finding{found(1, 1), found(2, 2)}, limit: 10, earlier: []earlierFinding{commented},
			comments: []int{2}, repeats: []int{1},
		},
		"repeats take no room": {
			findings: []finding.Finding{found(1, 1), found(2, 2), found(3, 3), found(4, 4)}, limit: 2,
			earlier: []earlierFinding{commented}, comments: []int{2, 3}, repeats: []int{1}, beyond: []int{4},
		},
		"what stood in the walkthrough may get a comment": {
			findings: []finding.Finding{found(2, 2)}, limit: 2, earlier: []earlierFinding{inWalkthrough}, comments: []int{2},
		},
		"no comments at all": {
			findings: []finding.Finding{found(1, 1), found(2, 0)}, limit: 0, unplaced: []int{1, 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &review.Result{Findings: tt.findings, MaxComments: tt.limit}
			s := choose(r, tenLines(), tt.earlier)
			var posted post.Result
			for i := range s.comments {
				posted.Posted = append(posted.Posted, i)
			}
			place := render.Place(&s.told, s.refused(posted))
			check := func(what string, got []finding.Finding, want []int) {
				t.Helper()
				var numbers []int
				for _, f := range got {
					var n int
					if _, err := fmt.Sscanf(f.Title, "Problem number %d", &n); err != nil {
						t.Fatal(err)
					}
					numbers = append(numbers, n)
				}
				if !slices.Equal(numbers, want) {
					t.Errorf("%s = %v, want %v", what, numbers, want)
				}
			}
			check("comments", s.comments, tt.comments)
			check("beyond", place.Beyond, tt.beyond)
			check("unplaced", place.Unplaced, tt.unplaced)
			if len(s.repeats) != len(tt.repeats) || len(s.told.Findings) != len(tt.findings) {
				t.Errorf("repeats = %v, told %d", s.repeats, len(s.told.Findings))
			}
			if len(r.Findings) != len(tt.findings) || r.MaxComments != tt.limit || len(r.Notes) != 0 {
				t.Error("the result itself was changed")
			}
			for _, f := range s.stored(posted, true) {
				want := store.ShownWalkthrough
				switch {
				case s.repeats[f.Finding.Fingerprint]:
					want = store.ShownNowhere
				case slices.ContainsFunc(s.comments, func(c finding.Finding) bool { return c.Fingerprint == f.Finding.Fingerprint }):
					want = store.ShownComment
				}
				if f.Shown != want {
					t.Errorf("%s is shown %s, want %s", f.Finding.Title, f.Shown, want)
				}
			}
		})
	}
}

// TestStoredBeforeTheWalkthrough: until the walkthrough is written, what stands only there counts as not shown.
func TestStoredBeforeTheWalkthrough(t *testing.T) {
	t.Parallel()
	s := choose(&review.Result{Findings: []finding.Finding{found(1, 1), found(2, 0), found(3, 3)}, MaxComments: 5}, tenLines(), nil)
	posted := post.Result{Posted: []int{0}, Refused: []int{1}}
	for walkthrough, want := range map[bool][]store.Shown{
		false: {store.ShownComment, store.ShownNowhere, store.ShownNowhere},
		true:  {store.ShownComment, store.ShownWalkthrough, store.ShownWalkthrough},
	} {
		var got []store.Shown
		for _, f := range s.stored(posted, walkthrough) {
			got = append(got, f.Shown)
		}
		if !slices.Equal(got, want) {
			t.Errorf("walkthrough %v: %v, want %v", walkthrough, got, want)
		}
	}
}

func TestWhereOnce(t *testing.T) {
	t.Parallel()
	const file = "a\n\tb\nc\na\nd\n"
	for quote, want := range map[string]int{"b": 2, "b\nc": 2, "a": 0, "e": 0, "d\n": 5, "a\nd": 4, "c\na\nd\n\n": 3} {
		if got := whereOnce("x", []byte(file), quote); got.Start != want {
			t.Errorf("%q at %s, want line %d", quote, got, want)
		}
	}
	if got := whereOnce("x", nil, "a"); !got.IsZero() {
		t.Errorf("in no file: %s", got)
	}
}
