package review_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

var (
	before = tree{
		"stock.go": "package shop\n\nfunc Reserve(a string) error {\n\treturn nil\n}\n\nfunc Left(a string) int {\n\treturn pieces[a]\n}\n",
		"cart.go":  "package shop\n\nfunc Checkout() {\n\tprepare()\n\n\tReserve(\"x\")\n}\n",
	}
	after = tree{
		"stock.go": "package shop\n\nfunc Reserve(a string, n int) error {\n\tlock()\n\tif n > Left(a) {\n\t\treturn errShort\n\t}\n\tunlock()\n\treturn nil\n}\n\nfunc Left(a string) int {\n\treturn pieces[a]\n}\n",
		"cart.go":  before["cart.go"] + "\nfunc Empty() {\n\tclear()\n}\n",
	}
)

const held = "\t\treturn errShort"

func TestClean(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	m := script(always(report()), always(keep))
	res := run(t, review.Deps{Model: m}, c, f, review.Options{})
	if res.State() != review.Clean || res.Summary != "It reserves." || res.Risk != "Stock." || res.FilesReviewed != 2 || res.FilesChanged != 2 {
		t.Errorf("got %+v", res)
	}
	if want := []review.FileSummary{{Path: "stock.go", What: "Reserves all."}}; !reflect.DeepEqual(res.Changes, want) {
		t.Errorf("changes %+v", res.Changes)
	}
	if len(m.of("summary")) != 1 || len(m.of("findings")) != 1 || len(m.of("verdict")) != 0 {
		t.Errorf("asked %d times", len(m.asked))
	}
	if m.of("summary")[0].Tier != review.Fast || m.of("findings")[0].Tier != review.Main {
		t.Error("wrong tiers")
	}
	if want := (review.Usage{InputTokens: 20, OutputTokens: 10, CostMicros: 6, Calls: 2}); res.Usage != want || len(res.Models) != 1 {
		t.Errorf("usage %+v, models %v", res.Usage, res.Models)
	}
	if res.MaxComments != 10 {
		t.Errorf("cap %d", res.MaxComments)
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	m := script(always(report(
		map[string]any{"quote": held, "title": "The lock stays held", "start_line": 6, "suggestion": "\t\tunlock()\n\t\treturn errShort"},
		map[string]any{"path": "cart.go", "quote": "\tclear()", "title": "It clears all", "severity": "medium"},
		map[string]any{"path": "cart.go", "quote": "\tReserve(\"x\")", "title": "A caller was not changed", "severity": "low"},
	)), always(keep))
	res := run(t, review.Deps{Model: m}, c, f, review.Options{})
	want := "high stock.go:6-6 (new) The lock stays held\nmedium cart.go:10-10 (new) It clears all\nlow cart.go:6-6 (new) A caller was not changed"
	if got := at(res); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	first := res.Findings[0]
	if !first.HasSuggestion || first.Scope != "Reserve" || !first.Fingerprint.Valid() || first.Source != finding.FromModel || first.Quote != held {
		t.Errorf("got %+v", first)
	}
	if res.State() != review.Findings || len(res.Dropped) != 0 {
		t.Errorf("state %s, dropped %v", res.State(), res.Dropped)
	}
}

// Each way a candidate can fall has a name, and none is lost without being counted.
func TestDropped(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	for _, tt := range []struct {
		name    string
		entry   map[string]any
		verdict string
		why     string // empty: it stays
	}{
		{name: "kept", entry: map[string]any{"quote": held}},
		{name: "no title", entry: map[string]any{"quote": held, "title": "  "}, why: "invalid"},
		{name: "no body", entry: map[string]any{"quote": held, "body": ""}, why: "invalid"},
		{name: "wrong types", entry: map[string]any{"quote": 7}, why: "invalid"},
		{name: "no quote", entry: map[string]any{}, why: "quote_not_found"},
		{name: "invented code", entry: map[string]any{"quote": "\tsession.Open(user)"}, why: "quote_not_found"},
		{name: "invented file", entry: map[string]any{"quote": held, "path": "auth.go"}, why: "unknown_file"},
		{name: "too mild", entry: map[string]any{"quote": held, "severity": "info"}, why: "below_threshold"},
		{name: "not sure", entry: map[string]any{"quote": held, "confidence": 0.2}, why: "below_threshold"},
		{name: "sure out of a hundred", entry: map[string]any{"quote": held, "confidence": 90}},
		{name: "refuted", entry: map[string]any{"quote": held}, verdict: `{"verdict":"drop","severity":null,"quote":"","reason":"no"}`, why: "refuted"},
		{name: "proof that was not shown", entry: map[string]any{"quote": held}, verdict: `{"verdict":"keep","severity":null,"quote":"if true { panic() }","reason":"no"}`, why: "unproven"},
		{name: "proof", entry: map[string]any{"quote": held}, verdict: `{"verdict":"keep","severity":"high","quote":"if n > Left(a) {","reason":"no"}`},
		{name: "proof copied with its number", entry: map[string]any{"quote": held}, verdict: `{"verdict":"keep","severity":"high","quote":" 5 +\tif n > Left(a) {\n 6 +\t\treturn errShort","reason":"no"}`},
		{name: "proof of a bracket", entry: map[string]any{"quote": held}, verdict: `{"verdict":"keep","severity":"high","quote":"%","reason":"no"}`, why: "unproven"},
		{name: "lowered below the threshold", entry: map[string]any{"quote": held}, verdict: `{"verdict":"lower","severity":"info","quote":"","reason":"no"}`, why: "below_threshold"},
		{name: "no such verdict", entry: map[string]any{"quote": held}, verdict: `{"verdict":"maybe","severity":null,"quote":"","reason":""}`, why: "no_verdict"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			verdict := tt.verdict
			if verdict == "" {
				verdict = keep
			}
			res := run(t, review.Deps{Model: script(always(report(tt.entry)), always(verdict))}, c, f, review.Options{})
			switch {
			case tt.why == "" && (len(res.Findings) != 1 || len(res.Dropped) != 0):
				t.Errorf("findings %s, dropped %v", at(res), res.Dropped)
			case tt.why != "" && (len(res.Findings) != 0 || res.Dropped[tt.why] != 1 || len(res.Dropped) != 1):
				t.Errorf("findings %s, dropped %v, want %s", at(res), res.Dropped, tt.why)
			}
		})
	}
}

func TestLower(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	for verdict, want := range map[string]finding.Severity{
		`{"verdict":"lower","severity":"low","quote":"","reason":""}`:      finding.Low,
		`{"verdict":"lower","severity":null,"quote":"","reason":""}`:       finding.Medium,
		`{"verdict":"lower","severity":"critical","quote":"","reason":""}`: finding.Medium,
		`{"verdict":"keep","severity":"low","quote":"","reason":""}`:       finding.Low,
		`{"verdict":"keep","severity":"critical","quote":"","reason":""}`:  finding.High,
	} {
		res := run(t, review.Deps{Model: script(always(report(map[string]any{"quote": held})), always(verdict))}, c, f, review.Options{})
		if len(res.Findings) != 1 || res.Findings[0].Severity != want {
			t.Errorf("%s gives %s", verdict, at(res))
		}
	}
}

// A model that fails makes the review partial, by name, and never clean.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	for _, o := range []review.Outcome{review.OutcomeTruncated, review.OutcomeRefused, review.OutcomeEmpty, review.OutcomeInvalid, review.OutcomeTooLong,
		review.OutcomeRateLimited, review.OutcomeUnavailable, review.OutcomeBudget, "made up"} {
		for _, schema := range []string{"summary", "findings", "verdict"} {
			t.Run(fmt.Sprint(schema, " ", o), func(t *testing.T) {
				t.Parallel()
				m := script(always(report(map[string]any{"quote": held})), always(keep))
				fine := m.answer
				m.answer = func(q review.ModelRequest) (review.ModelAnswer, error) {
					if q.SchemaName == schema {
						return outcome(o)
					}
					return fine(q)
				}
				res := run(t, review.Deps{Model: m}, c, f, review.Options{})
				if res.State() != review.Partial || res.PartialReason == "" || len(res.Omissions) == 0 {
					t.Fatalf("got %+v", res)
				}
				switch schema {
				case "findings":
					if res.FilesReviewed != 0 || res.Omissions[0].Path == "" {
						t.Errorf("%d files reviewed, omissions %+v", res.FilesReviewed, res.Omissions)
					}
					asked := 1
					if o == review.OutcomeTruncated || o == review.OutcomeTooLong {
						asked = 3 // once more in two halves
					}
					if n := len(m.of("findings")); n != asked {
						t.Errorf("asked %d times, want %d", n, asked)
					}
				case "verdict":
					if res.Dropped["no_verdict"] != 1 || len(res.Findings) != 0 || res.FilesReviewed != 2 {
						t.Errorf("dropped %v, findings %s", res.Dropped, at(res))
					}
				case "summary":
					if len(res.Findings) != 1 || res.Summary != "" {
						t.Errorf("findings %s", at(res))
					}
				}
			})
		}
	}
}

func TestAnswersThatAreNoJSON(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	for _, content := range []string{"", "null", "I looked at it and it is fine.", `{"findings": 7}`, `{"findings": []} {"findings": []}`, `{"findings": [`, "\x00\xff"} {
		res := run(t, review.Deps{Model: script(always(content), always(content))}, c, f, review.Options{})
		if content != "null" && res.State() != review.Partial {
			t.Errorf("%q makes it %s", content, res.State())
		}
	}
	res := run(t, review.Deps{Model: script(func(q review.ModelRequest) string {
		s := report(map[string]any{"quote": held})
		return strings.TrimSuffix(strings.TrimPrefix(s, `{"findings":`), "}")
	}, always(keep))}, c, f, review.Options{})
	if len(res.Findings) != 1 {
		t.Errorf("a bare list gives %s", at(res))
	}
}

// Truncated answers are asked for again in halves, and what comes of the halves counts.
func TestSplit(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	m := script(nil, always(keep))
	fine := m.answer
	m.answer = func(q review.ModelRequest) (review.ModelAnswer, error) {
		if q.SchemaName != "findings" {
			return fine(q)
		}
		user := q.Messages[1].Content
		switch both := strings.Contains(user, "path: stock.go") && strings.Contains(user, "path: cart.go"); {
		case both:
			return outcome(review.OutcomeTruncated)
		case strings.Contains(user, "path: stock.go"):
			return said(report(map[string]any{"quote": held}))
		}
		return said(report())
	}
	res := run(t, review.Deps{Model: m}, c, f, review.Options{})
	if res.Partial || len(res.Findings) != 1 || len(m.of("findings")) != 3 {
		t.Errorf("got %+v after %d questions", res, len(m.of("findings")))
	}
}

func TestWithoutModel(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, tree{"stock.go": strings.Replace(after["stock.go"], "lock()", "lock(\"SECRET_abcdefghijkl\") SYNTAX", 1), "cart.go": before["cart.go"]})
	for name, d := range map[string]review.Deps{"nil": {}, "off": {Model: &fakeModel{off: "No model is configured."}}, "key": {Model: &fakeModel{off: "the model server refuses the key"}}} {
		res := run(t, d, c, f, review.Options{})
		if res.State() != review.Partial || res.PartialReason != "no model is configured" || res.FilesReviewed != 1 {
			t.Errorf("%s: got %+v", name, res)
		}
		if got := at(res); got != "high stock.go:4-4 (new) A credential is committed (fake-token)\nhigh stock.go:4-4 (new) The change breaks the syntax of this file" {
			t.Errorf("%s: got %s", name, got)
		}
		if len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "OPENAI_API_KEY") || name == "key" && !strings.HasPrefix(res.Notes[0], "The model server refuses the key: ") {
			t.Errorf("%s: notes %q", name, res.Notes)
		}
		if len(res.Changes) != 1 || strings.Contains(fmt.Sprintf("%+v", res), "SECRET_abc") {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

// What only needs rules is left out without making anything partial, and what should have been reviewed is not.
func TestNothingToReview(t *testing.T) {
	t.Parallel()
	c, f := between(t, tree{"go.sum": "a\n"}, tree{"go.sum": "b\n", "vendor/x/x.go": "package x\n"})
	m := script(nil, nil)
	res := run(t, review.Deps{Model: m}, c, f, review.Options{})
	if res.State() != review.Clean || len(m.asked) != 0 || len(res.Omissions) != 2 || res.FilesReviewed != 0 {
		t.Errorf("got %+v", res)
	}
}

// A review that is not wanted any more stops at the next boundary, with the error it was stopped with.
func TestProgressEndsTheReview(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	superseded := errors.New("superseded")
	for _, stage := range []review.Stage{review.StageLoad, review.StageAnalyze, review.StageRetrieve, review.StageReview, review.StageVerify} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			var told []review.Stage
			m := script(always(report(map[string]any{"quote": held})), always(keep))
			res, err := engine(t, review.Deps{Model: m}).Run(t.Context(), c, f, review.Options{}, func(_ context.Context, s review.Stage, done, total int) error {
				if done < 0 || done > total {
					t.Errorf("%s: %d of %d", s, done, total)
				}
				told = append(told, s)
				if s == stage {
					return superseded
				}
				return nil
			})
			if !errors.Is(err, superseded) || res != nil {
				t.Errorf("got %v, %v", res, err)
			}
			if told[len(told)-1] != stage {
				t.Errorf("told %v", told)
			}
		})
	}
}

// An error of the model, as opposed to an outcome, ends the review: a retry may mend it.
func TestModelError(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	broken := errors.New("ledger is down")
	for _, schema := range []string{"summary", "findings", "verdict"} {
		m := script(always(report(map[string]any{"quote": held})), always(keep))
		fine := m.answer
		m.answer = func(q review.ModelRequest) (review.ModelAnswer, error) {
			if q.SchemaName == schema {
				return review.ModelAnswer{}, broken
			}
			return fine(q)
		}
		if res, err := engine(t, review.Deps{Model: m}).Run(t.Context(), c, f, review.Options{}, nil); !errors.Is(err, broken) || res != nil {
			t.Errorf("%s: got %v, %v", schema, res, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	ctx, cancel := context.WithCancel(t.Context())
	m := script(always(report(map[string]any{"quote": held})), always(keep))
	fine := m.answer
	m.answer = func(q review.ModelRequest) (review.ModelAnswer, error) {
		if q.SchemaName == "verdict" {
			cancel()
			return review.ModelAnswer{}, context.Cause(ctx)
		}
		return fine(q)
	}
	if res, err := engine(t, review.Deps{Model: m}).Run(ctx, c, f, review.Options{}, nil); !errors.Is(err, context.Canceled) || res != nil {
		t.Errorf("got %v, %v", res, err)
	}
}

func TestFilesError(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	f.err = errors.New("502")
	if _, err := engine(t, review.Deps{}).Run(t.Context(), c, f, review.Options{}, nil); !errors.Is(err, f.err) || !strings.Contains(err.Error(), "cart.go") {
		t.Errorf("got %v", err)
	}
}

// Without the repository, and without a parser, the diff is reviewed all the same.
func TestBareDiff(t *testing.T) {
	t.Parallel()
	c, _ := between(t, before, after)
	m := script(always(report(map[string]any{"quote": held, "suggestion": "\t\treturn nil"})), always(keep))
	res := run(t, review.Deps{Model: m}, c, nil, review.Options{})
	if res.State() != review.Findings || len(res.Findings) != 1 || !res.Findings[0].Anchored() || res.Findings[0].HasSuggestion || !strings.Contains(res.Findings[0].Body, "```\n\t\treturn nil\n```") {
		t.Errorf("got %+v", res)
	}
}

func TestParserDown(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	m := script(always(report(map[string]any{"quote": held})), always(keep))
	res := run(t, review.Deps{Model: m, Parser: &fakeParser{err: errors.New("unavailable")}}, c, f, review.Options{})
	if res.State() != review.Partial || len(res.Findings) != 1 || res.FilesReviewed != 2 {
		t.Errorf("got %+v", res)
	}
	res = run(t, review.Deps{Model: m, Parser: &fakeParser{status: map[string]syntax.Status{"stock.go": syntax.StatusTimeout}}}, c, f, review.Options{})
	if res.State() != review.Partial || res.FilesReviewed != 2 || res.Omissions[0].Path != "stock.go" {
		t.Errorf("got %+v", res)
	}
}

func TestContentOfAnotherRevision(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	f.new = tree{"stock.go": "package other\n", "cart.go": after["cart.go"]}
	m := script(always(report(map[string]any{"quote": held})), always(keep))
	res := run(t, review.Deps{Model: m}, c, f, review.Options{})
	if len(res.Findings) != 1 || len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "stock.go") {
		t.Errorf("got %+v", res)
	}
}

func TestSuggestions(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	for suggestion, want := range map[string]string{
		"\t\tunlock()\n\t\treturn errShort": "\t\tunlock()\n\t\treturn errShort",
		"\t\treindent()":                    "\tmended()",
		"\t\tbreaks(":                       "",
		"\t\tunknown()":                     "",
		"\t\tnochange()":                    "",
		held:                                "",
		"\t\tuse(⟦secret⟧)":                 "",
		"":                                  "",
	} {
		m := script(always(report(map[string]any{"quote": held, "suggestion": suggestion})), always(keep))
		res := run(t, review.Deps{Model: m}, c, f, review.Options{})
		got := res.Findings[0]
		if got.Suggestion != want || got.HasSuggestion != (want != "") {
			t.Errorf("%q gives %q", suggestion, got.Suggestion)
		}
		shown := strings.Contains(got.Body, "```")
		if wantShown := strings.Contains(suggestion, "breaks") || strings.Contains(suggestion, "unknown"); shown != wantShown {
			t.Errorf("%q: body %q", suggestion, got.Body)
		}
	}
}

func TestOutsideTheDiffIsKept(t *testing.T) {
	t.Parallel()
	old := tree{"stock.go": "package shop\n\nfunc Audit() {\n\trecordEverything()\n}\n\n" + strings.Repeat("// filler\n", 30) + before["stock.go"]}
	c, f := between(t, old, tree{"stock.go": strings.Replace(old["stock.go"], "return pieces[a]", "return 0", 1)})
	m := script(always(report(map[string]any{"quote": "\trecordEverything()", "title": "Audit counts what is not there"})), always(keep))
	res := run(t, review.Deps{Model: m}, c, f, review.Options{})
	if len(res.Findings) != 1 || res.Findings[0].Anchored() || res.Findings[0].Path != "stock.go" {
		t.Fatalf("got %s, dropped %v", at(res), res.Dropped)
	}
	if p := m.of("verdict")[0].Messages[1].Content; !strings.Contains(p, "4  \trecordEverything()") {
		t.Errorf("the verifier does not see the code:\n%s", p)
	}
}

func TestDedupeAndFacts(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, tree{"stock.go": strings.Replace(after["stock.go"], "lock()", "lock() SYNTAX", 1), "cart.go": after["cart.go"]})
	m := script(always(report(
		map[string]any{"quote": "\tlock() SYNTAX", "title": "The change breaks the syntax of this file"},
		map[string]any{"quote": held, "title": "The lock stays held"},
		map[string]any{"quote": held, "title": "The lock stays held"},
		map[string]any{"quote": held, "title": "The error names no article", "category": "maintainability"},
	)), always(keep))
	res := run(t, review.Deps{Model: m}, c, f, review.Options{})
	if len(res.Findings) != 3 || res.Dropped["repeat"] != 2 {
		t.Errorf("got %s, dropped %v", at(res), res.Dropped)
	}
	if p := m.of("findings")[0].Messages[1].Content; !strings.Contains(p, "Already reported:") || !strings.Contains(p, "stock.go:4: The change breaks the syntax of this file") {
		t.Errorf("the finder does not know of the fact:\n%s", p)
	}
}

// A review never waits for an index: what goes wrong is a note, and the review is what it would have been.
func TestRecall(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	for name, tt := range map[string]struct {
		recall *fakeRecall
		note   string
		shown  string
	}{
		"found":  {recall: &fakeRecall{found: []review.Snippet{{Path: "old/stock.go", StartLine: 9, Text: "func ReserveOld(SECRET_inindex1234)"}}}, shown: "old/stock.go:9 (similar code)\nfunc ReserveOld(⟦secret⟧)"},
		"none":   {recall: &fakeRecall{why: "the repository is not indexed yet"}, note: "not indexed yet"},
		"failed": {recall: &fakeRecall{err: errors.New("x")}, note: "the search failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := script(always(report()), always(keep))
			res := run(t, review.Deps{Model: m, Recall: tt.recall}, c, f, review.Options{})
			if res.State() != review.Clean || (tt.note == "") != (len(res.Notes) == 0) || tt.note != "" && !strings.Contains(res.Notes[0], tt.note) {
				t.Errorf("state %s, notes %q", res.State(), res.Notes)
			}
			if p := m.of("findings")[0].Messages[1].Content; !strings.Contains(p, tt.shown) {
				t.Errorf("prompt lacks %q:\n%s", tt.shown, p)
			}
			if len(tt.recall.queries) != 1 || len(tt.recall.queries[0]) == 0 || !strings.Contains(tt.recall.queries[0][0], "if n > Left(a) {") {
				t.Errorf("queries %q", tt.recall.queries)
			}
		})
	}
}

func TestRecallIsBoundedInTime(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	synctest.Test(t, func(t *testing.T) {
		m := script(always(report()), always(keep))
		res := run(t, review.Deps{Model: m, Recall: &fakeRecall{hang: true}}, c, f, review.Options{})
		if res.State() != review.Clean || len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "too long") {
			t.Errorf("state %s, notes %q", res.State(), res.Notes)
		}
	})
}

// The model chain is two questions deep, and what can be asked side by side is.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	c, f := between(t, before, after)
	m := script(always(report(
		map[string]any{"quote": held, "title": "One thing"}, map[string]any{"quote": "\tunlock()", "title": "Another matter"}, map[string]any{"path": "cart.go", "quote": "\tclear()", "title": "Third of all"},
	)), always(keep))
	fine := m.answer
	arrived, release := make(chan string), make(chan struct{})
	m.answer = func(q review.ModelRequest) (review.ModelAnswer, error) {
		arrived <- q.SchemaName
		<-release
		return fine(q)
	}
	done := make(chan *review.Result)
	go func() { done <- run(t, review.Deps{Model: m}, c, f, review.Options{}) }()
	for _, wave := range [][]string{{"findings", "summary"}, {"verdict", "verdict", "verdict"}} {
		for range wave {
			<-arrived // all of a wave are open before the first is answered
		}
		for range wave {
			release <- struct{}{}
		}
	}
	if res := <-done; len(res.Findings) != 3 {
		t.Errorf("got %s", at(res))
	}
}

func TestNewEngine(t *testing.T) {
	t.Parallel()
	for _, d := range []review.Deps{{}, {Parser: &fakeParser{}}, {Secrets: fakeSecrets{}}} {
		if _, err := review.NewEngine(d); err == nil {
			t.Errorf("%+v was taken", d)
		}
	}
}

func TestRenamedAndDeletedFiles(t *testing.T) {
	t.Parallel()
	c := parseChange(t, `diff --git a/old.go b/new.go
similarity index 90%
rename from old.go
rename to new.go
--- a/old.go
+++ b/new.go
@@ -1,3 +1,3 @@
 package shop
-func Left() int { return 1 }
+func Left() int { return 2 }
 // end
diff --git a/gone.go b/gone.go
deleted file mode 100644
--- a/gone.go
+++ /dev/null
@@ -1,2 +0,0 @@
-package shop
-func Check() { verify() }
`)
	f := &fakeFiles{old: tree{"old.go": "package shop\nfunc Left() int { return 1 }\n// end\n", "gone.go": "package shop\nfunc Check() { verify() }\n"}, new: tree{"new.go": "package shop\nfunc Left() int { return 2 }\n// end\n"}}
	m := script(always(report(
		map[string]any{"path": "old.go", "quote": "func Left() int { return 2 }", "title": "It is two now"},
		map[string]any{"path": "gone.go", "quote": "func Check() { verify() }", "title": "Nobody checks any more", "suggestion": "x"},
	)), always(`{"verdict":"keep","severity":null,"quote":"func Check() { verify() }","reason":""}`))
	m2 := m.answer
	m.answer = func(q review.ModelRequest) (review.ModelAnswer, error) {
		if q.SchemaName == "verdict" && strings.Contains(q.Messages[1].Content, "It is two now") {
			return said(keep)
		}
		return m2(q)
	}
	res := run(t, review.Deps{Model: m}, c, f, review.Options{})
	if got := at(res); got != "high gone.go:2-2 (old) Nobody checks any more\nhigh new.go:2-2 (new) It is two now" {
		t.Errorf("got %s, dropped %v", got, res.Dropped)
	}
	if a := res.Findings[0]; a.Anchor.Side != diff.Old || a.HasSuggestion {
		t.Errorf("got %+v", a)
	}
}
