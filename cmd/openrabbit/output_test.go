package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/review"
)

const outputPath = "a dir/ü&`.go"

// sample is a change and a review of it with a finding of every kind: with a suggestion, deleting lines, on deleted
// lines, without a place, about the whole change.
func sample(t *testing.T) (diff.Diff, *review.Result) {
	t.Helper()
	text := "--- \"a/a dir/\\303\\274&`.go\"\n+++ \"b/a dir/\\303\\274&`.go\"\n@@ -1,3 +1,3 @@\n package x\n-old()\n+new() // ```\n same()\n"
	d, err := diff.Parse(strings.NewReader(text), diff.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	at := func(side diff.Side, start, end int) diff.Anchor {
		return diff.Anchor{Path: outputPath, Side: side, Start: start, End: end}
	}
	r := &review.Result{Summary: "Changes <old> & new.", Notes: []string{"A note."}, FilesReviewed: 1, FilesChanged: 2, MaxComments: 1,
		Omissions: []finding.Omission{{Path: "go.sum", Reason: "lock file", Policy: true}, {Reason: "no summary"}},
		Partial:   true, PartialReason: "no summary", Usage: review.Usage{InputTokens: 1, OutputTokens: 2, CostMicros: 3, Calls: 4},
		Findings: []finding.Finding{
			{Anchor: at(diff.New, 2, 3), Path: outputPath, Severity: finding.Critical, Category: finding.Bug, Title: "First", Body: "Body & <b>.",
				Suggestion: "better()\n", HasSuggestion: true, Confidence: 0.9, Fingerprint: "v1:1"},
			{Anchor: at(diff.New, 2, 2), Path: outputPath, Severity: finding.Medium, Category: finding.Bug, Title: "Second", HasSuggestion: true, Confidence: 1, Fingerprint: "v1:2"},
			{Anchor: at(diff.Old, 2, 2), Path: outputPath, Severity: finding.Low, Category: finding.API, Title: "Third", Confidence: 0.5, Fingerprint: "v1:3"},
			{Path: "other.go", Severity: finding.Info, Category: finding.Security, Rule: "secret", Title: "Fourth", Suggestion: "x", HasSuggestion: true, Fingerprint: "v1:4"},
			{Severity: finding.High, Category: finding.Test, Title: "Fifth", Fingerprint: "v1:5"},
		}}
	return d, r
}

// keys gives the keys of an object, sorted.
func keys(t *testing.T, v any) []string {
	t.Helper()
	object, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%v is no object", v)
	}
	var out []string
	for key := range object {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

// TestJSON is the contract with the outside, word for word.
func TestJSON(t *testing.T) {
	t.Parallel()
	_, r := sample(t)
	var b strings.Builder
	if err := writeJSON(&b, r); err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(b.String()), &out); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, out); !slices.Equal(got, []string{"findings", "omissions", "state", "summary", "usage"}) {
		t.Errorf("the keys are %q", got)
	}
	if out["state"] != "partial" || out["summary"] != "Changes <old> & new." {
		t.Errorf("state %v, summary %v", out["state"], out["summary"])
	}
	if got := keys(t, out["usage"]); !slices.Equal(got, []string{"calls", "cost_micros", "input_tokens", "output_tokens"}) {
		t.Errorf("the keys of usage are %q", got)
	}
	omissions := out["omissions"].([]any)
	for _, o := range omissions {
		if got := keys(t, o); !slices.Equal(got, []string{"path", "reason"}) {
			t.Errorf("the keys of an omission are %q", got)
		}
	}
	want := []map[string]any{
		{"path": outputPath, "side": "new", "start_line": 2.0, "end_line": 3.0, "severity": "critical", "category": "bug", "title": "First",
			"body": "Body & <b>.", "suggestion": "better()\n", "confidence": 0.9, "fingerprint": "v1:1", "anchored": true},
		{"side": "new", "start_line": 2.0, "end_line": 2.0, "suggestion": "", "anchored": true},
		{"side": "old", "start_line": 2.0, "severity": "low", "category": "api", "suggestion": nil, "anchored": true},
		{"path": "other.go", "side": "new", "start_line": 0.0, "end_line": 0.0, "suggestion": nil, "anchored": false},
		{"path": "", "side": "new", "severity": "high", "anchored": false},
	}
	all := []string{"anchored", "body", "category", "confidence", "end_line", "fingerprint", "path", "severity", "side", "start_line", "suggestion", "title"}
	for i, f := range out["findings"].([]any) {
		if got := keys(t, f); !slices.Equal(got, all) {
			t.Errorf("the keys of finding %d are %q", i, got)
		}
		for key, value := range want[i] {
			if got := f.(map[string]any)[key]; got != value {
				t.Errorf("finding %d: %s is %v, want %v", i, key, got, value)
			}
		}
	}
}

func TestJSONOfNothing(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := writeJSON(&b, &review.Result{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"state": "clean"`, `"findings": []`, `"omissions": []`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %s:\n%s", want, b.String())
		}
	}
}

// TestSARIF holds the output against what SARIF 2.1.0 requires of the parts that are used.
func TestSARIF(t *testing.T) {
	t.Parallel()
	_, full := sample(t)
	for name, r := range map[string]*review.Result{"full": full, "empty": {}, "no model": {Partial: true, PartialReason: review.ReasonNoModel}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := writeSARIF(&b, r); err != nil {
				t.Fatal(err)
			}
			var log sarifLog
			decoder := json.NewDecoder(strings.NewReader(b.String()))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&log); err != nil {
				t.Fatal(err)
			}
			if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif-2.1.0") || len(log.Runs) != 1 || strings.Contains(b.String(), ": null") {
				t.Fatalf("not a log of SARIF 2.1.0:\n%s", b.String())
			}
			run := log.Runs[0]
			if len(run.Results) != len(r.Findings) || run.Tool.Driver.Name == "" {
				t.Errorf("%d results, want %d", len(run.Results), len(r.Findings))
			}
			if got, want := run.Invocations[0].ExecutionSuccessful, r != full; got != want {
				t.Errorf("successful is %v", got)
			}
			rules := map[string]int{}
			for _, rule := range run.Tool.Driver.Rules {
				rules[rule.ID]++
			}
			for _, result := range run.Results {
				if rules[result.RuleID] != 1 {
					t.Errorf("the rule %q stands %d times among the rules", result.RuleID, rules[result.RuleID])
				}
				if !slices.Contains([]string{"error", "warning", "note"}, result.Level) || result.Message.Text == "" {
					t.Errorf("result %+v", result)
				}
				for _, place := range result.Locations {
					u, err := url.Parse(place.PhysicalLocation.ArtifactLocation.URI)
					if err != nil || u.IsAbs() || (u.Path != outputPath && u.Path != "other.go") {
						t.Errorf("the place is %q, %v", place.PhysicalLocation.ArtifactLocation.URI, err)
					}
					if region := place.PhysicalLocation.Region; region != nil && (region.StartLine < 1 || region.EndLine < region.StartLine) {
						t.Errorf("the region is %+v", region)
					}
				}
			}
			if r != full {
				return
			}
			regions := 0
			for _, result := range run.Results {
				for _, place := range result.Locations {
					if place.PhysicalLocation.Region != nil {
						regions++
					}
				}
			}
			if regions != 2 || len(run.Results[4].Locations) != 0 {
				t.Errorf("%d regions; only lines of the new file have one, and the whole change no place", regions)
			}
		})
	}
}

func TestSARIFLevels(t *testing.T) {
	t.Parallel()
	for severity, want := range map[finding.Severity]string{finding.Critical: "error", finding.High: "error", finding.Medium: "warning",
		finding.Low: "note", finding.Info: "note"} {
		if got := sarifLevel(severity); got != want {
			t.Errorf("%s is %s, want %s", severity, got, want)
		}
	}
	if got := sarifURI("c:/x y.go"); got != "./c:/x%20y.go" {
		t.Errorf("a path with a colon is %q", got)
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	d, r := sample(t)
	var b strings.Builder
	if err := writeMarkdown(&b, &d, r, render.Meta{Repository: "shop", State: r.State()}); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, title := range []string{"First", "Second", "Third", "Fourth", "Fifth"} {
		if strings.Count(out, title) != 1 {
			t.Errorf("%s is told %d times", title, strings.Count(out, title))
		}
	}
	for _, want := range []string{"line 2-3", "line 2 (deleted)", "````\nnew() // ```\nsame()\n````", "better()", "A note.", "go.sum", `\x60.go`} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}
