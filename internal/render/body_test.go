package render

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update to see how.\ngot:\n%s", path, got)
	}
}

const shopPatch = `diff --git a/shop.go b/shop.go
--- a/shop.go
+++ b/shop.go
@@ -10,7 +10,9 @@ func Total(items []Item) int {
 	sum := 0
 	for _, item := range items {
-		sum += item.Price
+		if item.Count > 0 {
+			sum += item.Price / item.Count
+		}
 	}
 	return sum
 }
 
`

// someFindings are one of each kind: with a suggestion, without lines, beyond a cap of one.
func someFindings() []finding.Finding {
	fs := []finding.Finding{
		{
			Path: "shop.go", Anchor: diff.Anchor{Path: "shop.go", Side: diff.New, Start: 13, End: 13}, Severity: finding.High, Category: finding.Bug,
			Title: "The price is divided by `item.Count` instead of multiplied", Quote: "\t\t\tsum += item.Price / item.Count",
			Body:       "For two items of 10 the total becomes 5, not 20, because `item.Price / item.Count` divides.\n\n```go\nTotal([]Item{{Price: 10, Count: 2}}) // 5\n```",
			Suggestion: "\t\t\tsum += item.Price * item.Count", HasSuggestion: true, Confidence: 0.9, Scope: "Total",
		},
		{
			Path: "api/cart.go", Severity: finding.Medium, Category: finding.API, Title: "A caller still expects the old total", Confidence: 0.7,
			Body: "`Cart.Checkout` in api/cart.go adds the tax itself. Ask @octocat, see #12.", Quote: "total := shop.Total(items)",
		},
		{
			Path: "shop.go", Anchor: diff.Anchor{Path: "shop.go", Side: diff.Old, Start: 12, End: 12}, Severity: finding.Low, Category: finding.Test,
			Title: "No test fails when this line goes", Body: "Nothing covers it.", Confidence: 0.6, Quote: "\t\tsum += item.Price",
		},
	}
	finding.Assign("acme/shop", fs)
	return fs
}

func someWalkthrough() Walkthrough {
	return Walkthrough{
		Meta: Meta{
			Repository: "acme/shop", Number: 7, Head: "0123456789abcdef0123456789abcdef01234567", State: review.Partial,
			ReviewMarker:   Marker([]byte("secret"), someID),
			ConfigProblems: []ConfigProblem{{Line: 3, Message: "unknown key `reveiws`: did you mean `reviews`?"}, {Message: "the file is larger than 64 KiB", Fatal: true}},
		},
		Result: &review.Result{
			Summary: "Totals now take the **count** of an item into account.\n\n- `Total` divides", Risk: "Totals that customers see change.",
			Changes:   []review.FileSummary{{Path: "shop.go", What: "Takes `Count` into account | @octocat"}, {Path: "web/cart|old.ts", What: "Shows it."}},
			Findings:  someFindings(),
			Omissions: []finding.Omission{{Path: "package-lock.json", Reason: "lock file", Policy: true}, {Path: "go.sum", Reason: "lock file", Policy: true}, {Path: "big.go", Reason: "too large"}},
			Notes:     []string{"The model `gpt-x` was not available for 1 of 4 parts."}, Dropped: map[string]int{"refuted": 2, "below_threshold": 1, "repeat": 0},
			FilesReviewed: 2, FilesChanged: 5, Partial: true, PartialReason: "1 of 4 parts was not read", MaxComments: 1,
			Usage: review.Usage{InputTokens: 12345, OutputTokens: 678, CostMicros: 12300, Calls: 4}, Models: []string{"gpt-x"},
		},
	}
}

func TestComment(t *testing.T) {
	t.Parallel()
	fs := someFindings()
	body, fallbacks := Comment(fs[0], Options{Repository: "acme/shop"})
	golden(t, "comment.md", body)
	if len(fallbacks) != 2 {
		t.Fatalf("%d fallbacks", len(fallbacks))
	}
	golden(t, "comment-code.md", fallbacks[0])
	golden(t, "comment-text.md", fallbacks[1])
	for _, b := range append(fallbacks, body) {
		if p, ok := ParseFindingMarker(b); !ok || p != fs[0].Fingerprint {
			t.Errorf("%q has no marker", b)
		}
	}
	for _, b := range fallbacks {
		if strings.Contains(b, "```suggestion") {
			t.Errorf("a fallback has a suggestion: %s", b)
		}
	}
	body, fallbacks = Comment(fs[1], Options{Repository: "acme/shop"})
	golden(t, "comment-plain.md", body)
	if len(fallbacks) != 0 {
		t.Errorf("a comment without a suggestion has fallbacks")
	}
}

func TestSuggestionsAreWrittenWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		suggestion string
		offered    bool
		block      string
	}{
		"a line":                  {"x", true, "```suggestion\nx\n```\n"},
		"a newline at the end":    {"x\n", true, "```suggestion\nx\n```\n"},
		"delete":                  {"", true, "```suggestion\n```\n"},
		"an empty line":           {"\n\n", true, "```suggestion\n\n\n```\n"},
		"a fence inside":          {"```\nx\n```", true, "````suggestion\n```\nx\n```\n````\n"},
		"a long fence inside":     {"`````", true, "``````suggestion\n`````\n``````\n"},
		"a suggestion inside":     {"```suggestion\nrm\n```", true, "````suggestion\n```suggestion\nrm\n```\n````\n"},
		"mentions":                {"x @octocat #1 <b>", true, "```suggestion\nx @octocat #1 <b>\n```\n"},
		"CRLF":                    {"x\r\ny\r\n", true, "```suggestion\nx\ny\n```\n"},
		"hidden":                  {"x\u202ey", false, "```\nx[U+202E]y\n```\n"},
		"a marker":                {"<!-- openrabbit:finding=x -->", false, ""},
		"a command":               {"/approve", false, " ```\n /approve\n ```\n"},
		"a command to a bot":      {"x\n@dependabot merge", false, ""},
		"comments":                {"// x\n/* y */\n/a/b/", true, "```suggestion\n// x\n/* y */\n/a/b/\n```\n"},
		"annotations":             {"@Test\n@app.route(\"/x\", methods = 1)\ndef x():", true, ""},
		"a fence beyond counting": {strings.Repeat("`", 300), false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := someFindings()[0]
			f.Suggestion = test.suggestion
			body, fallbacks := Comment(f, Options{Repository: "acme/shop"})
			if offered := strings.Contains(body, "`suggestion\n"); offered != test.offered || !strings.Contains(body, "\n\n"+test.block) && test.block != "" {
				t.Errorf("got %s", body)
			}
			if want := 2; test.offered && len(fallbacks) != want || !test.offered && len(fallbacks) != 1 {
				t.Errorf("%d fallbacks", len(fallbacks))
			}
			if strings.Count(body, markerStart) != 1 {
				t.Errorf("another marker: %s", body)
			}
		})
	}
	f := someFindings()[0]
	f.Anchor = diff.Anchor{}
	if body, fallbacks := Comment(f, Options{}); strings.Contains(body, "suggestion\n") || fallbacks != nil {
		t.Error("a finding without lines has a suggestion")
	}
	f = someFindings()[0]
	f.Suggestion = strings.Repeat("x", MaxBody)
	if body, _ := Comment(f, Options{}); len(body) > MaxBody || strings.Contains(body, "xxx") {
		t.Error("a suggestion that is too long was written")
	}
}

func TestWalkthrough(t *testing.T) {
	t.Parallel()
	w := someWalkthrough()
	body := w.Render()
	golden(t, "walkthrough.md", body)
	if id, ok := ParseMarker([]byte("secret"), body); !ok || id != someID {
		t.Error("the review's marker is not the last line")
	}
	if !IsWalkthrough(body) || IsWalkthrough("x\n"+body) || IsWalkthrough("") {
		t.Error("the walkthrough is not known by its first line")
	}
	golden(t, "check.md", CheckRun(w).Title+"\n"+string(CheckRun(w).Conclusion)+"\n\n"+CheckRun(w).Summary)

	w.Refused = []finding.Fingerprint{w.Result.Findings[0].Fingerprint}
	place := Place(w.Result, w.Refused)
	if len(place.Comments) != 0 || len(place.Unplaced) != 2 || len(place.Beyond) != 1 {
		t.Errorf("got %+v", place)
	}
	if !strings.Contains(w.Render(), "instead of multiplied") {
		t.Error("a refused comment is lost")
	}

	none := Walkthrough{Meta: Meta{Repository: "acme/shop", Head: w.Head, State: review.Clean}, Result: &review.Result{
		Notes: []string{"No model is configured: only facts from the syntax tree were checked."}, FilesReviewed: 1, FilesChanged: 1,
	}}
	golden(t, "walkthrough-clean.md", none.Render())
}

func TestEachStateIsToldApart(t *testing.T) {
	t.Parallel()
	findings := &review.Result{Findings: someFindings()}
	tests := []struct {
		state      review.State
		result     *review.Result
		failOn     finding.Severity
		conclusion Conclusion
	}{
		{review.Queued, nil, 0, ""},
		{review.Running, nil, 0, ""},
		{review.Clean, &review.Result{}, 0, Success},
		{review.Clean, &review.Result{}, finding.Info, Success},
		{review.Findings, findings, 0, Neutral},
		{review.Findings, findings, finding.Critical, Neutral},
		{review.Findings, findings, finding.High, Failure},
		{review.Findings, findings, finding.Low, Failure},
		{review.Partial, &review.Result{Partial: true}, finding.Low, Neutral},
		{review.Partial, findings, finding.High, Failure},
		{review.Skipped, nil, 0, Skipped},
		{review.Superseded, nil, 0, Cancelled},
		{review.Cancelled, nil, 0, Cancelled},
		{review.Failed, nil, 0, Failure},
		{"", nil, 0, ""},
	}
	lines := map[string]review.State{}
	for _, test := range tests {
		w := Walkthrough{Meta: Meta{Repository: "acme/shop", Head: strings.Repeat("0a", 20), State: test.state, FailOn: test.failOn, Reason: "the <b>reason</b> of @octocat"}, Result: test.result}
		c := CheckRun(w)
		if c.Conclusion != test.conclusion || c.Title == "" || c.Summary == "" || strings.ContainsAny(c.Title, "<@\n") {
			t.Errorf("%s: got %+v, want %q", test.state, c, test.conclusion)
		}
		line, _, _ := strings.Cut(strings.TrimPrefix(w.Render(), walkthroughMarker+"\n## 🐇 OpenRabbit\n\n"), "\n")
		if other, ok := lines[line]; ok && other != test.state && test.state != "" && test.state != review.Running {
			t.Errorf("%s and %s read the same: %s", test.state, other, line)
		}
		lines[line] = test.state
	}
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	d, err := diff.Parse(strings.NewReader(shopPatch), diff.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	r := someWalkthrough().Result
	golden(t, "terminal.txt", Terminal(&d, r, TerminalOptions{Width: 80}))
	golden(t, "terminal-color.txt", Terminal(&d, r, TerminalOptions{Width: 80, Color: true}))
	golden(t, "terminal-clean.txt", Terminal(&d, &review.Result{FilesReviewed: 1, FilesChanged: 1}, TerminalOptions{}))
	if !strings.Contains(Terminal(nil, r, TerminalOptions{}), "shop.go:13") {
		t.Error("without a diff the place is lost")
	}
}

func TestNothingInATerminalControlsIt(t *testing.T) {
	t.Parallel()
	for _, text := range append(nasty, "\x1b]0;title\a", "\x1b[2J", "\u009b2J", "a\rb", "\b\b\b") {
		f := someFindings()[0]
		f.Path, f.Title, f.Body, f.Suggestion, f.Category = text, text, text+"\n```\n"+text+"\n```\n"+text, text, finding.Category(text)
		r := &review.Result{
			Findings: []finding.Finding{f}, Summary: text, Notes: []string{text}, Omissions: []finding.Omission{{Path: text, Reason: text}},
			Partial: true, PartialReason: text, Dropped: map[string]int{text: 1}, Models: []string{text}, Usage: review.Usage{Calls: 1},
		}
		d := &diff.Diff{Files: []diff.File{{OldPath: "shop.go", NewPath: "shop.go", Hunks: []diff.Hunk{{OldStart: 12, NewStart: 13, NewCount: 1, Lines: []diff.Line{{Kind: diff.Added, New: 13, Text: text}}}}}}}
		for _, c := range Terminal(d, r, TerminalOptions{}) {
			if c != '\u200C' && hidden(c) {
				t.Fatalf("%q brings %U onto the terminal", text, c)
			}
		}
	}
}

// ours are the lines of HTML that we write ourselves.
func withoutOurs(markdown string) string {
	for _, ours := range []string{"<details>\n", "</details>\n", "<summary>", "</summary>", "<sub>", "</sub>", walkthroughMarker} {
		markdown = strings.ReplaceAll(markdown, ours, "")
	}
	return markdown
}

func TestWholeBodiesAreHarmlessAndFit(t *testing.T) {
	t.Parallel()
	marker := Marker([]byte("secret"), someID)
	for i, text := range nasty {
		other := nasty[(i*7+3)%len(nasty)]
		for _, times := range []int{1, 400} {
			if times > 1 && i%5 != 0 {
				continue
			}
			many := strings.Repeat(text+" ", times)
			f := someFindings()[0]
			f.Path, f.Title, f.Body, f.Quote, f.Category = text, many, many, many, finding.Category("bug")
			unplaced := f
			unplaced.Anchor = diff.Anchor{}
			w := Walkthrough{
				Meta:   Meta{Repository: "acme/shop", Head: text, State: review.Partial, Reason: many, ReviewMarker: marker},
				Result: &review.Result{Summary: many, Risk: other, PartialReason: text, MaxComments: 1, Usage: review.Usage{Calls: 1, CostMicros: 1}},
			}
			for range times {
				w.ConfigProblems = append(w.ConfigProblems, ConfigProblem{Line: 1, Message: other})
				w.Result.Notes = append(w.Result.Notes, many[:min(len(many), 5000)])
				w.Result.Changes = append(w.Result.Changes, review.FileSummary{Path: text, What: other})
				w.Result.Omissions = append(w.Result.Omissions, finding.Omission{Path: other, Reason: text})
				w.Result.Findings = append(w.Result.Findings, unplaced, f, f)
				if len(w.Result.Findings) > 300 {
					break
				}
			}
			w.Result.Models, w.Result.Dropped = []string{text}, map[string]int{other: 1}
			body, check := w.Render(), CheckRun(w)
			comment, _ := Comment(f, Options{Repository: "acme/shop"})
			if len(body) > MaxBody || len(check.Summary) > maxCheckSummary || len(check.Title) > 200 || len(comment) > MaxBody {
				t.Fatalf("%q %d times: %d, %d, %d bytes", text, times, len(body), len(check.Summary), len(comment))
			}
			if _, ok := ParseMarker([]byte("secret"), body); !ok {
				t.Fatalf("%q %d times pushes the marker out", text, times)
			}
			harmless(t, withoutOurs(strings.TrimSuffix(strings.TrimSpace(body), marker)))
			harmless(t, withoutOurs(check.Summary))
			p := FindingMarker(f.Fingerprint)
			if i := strings.LastIndex(comment, "\n```suggestion\n"); i >= 0 {
				harmless(t, comment[:i+1])
			} else {
				harmless(t, strings.TrimSuffix(strings.TrimSpace(comment), p))
			}
			if !strings.HasSuffix(strings.TrimSpace(comment), p) {
				t.Fatalf("%q pushes the finding's marker out", text)
			}
		}
	}
}
