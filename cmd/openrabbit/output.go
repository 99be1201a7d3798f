package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/review"
)

// The JSON that `openrabbit review --format json` prints. It is a contract with the outside.
type jsonReview struct {
	State     review.State   `json:"state"`
	Summary   string         `json:"summary"`
	Findings  []jsonFinding  `json:"findings"`
	Omissions []jsonOmission `json:"omissions"`
	Usage     review.Usage   `json:"usage"`
}

// jsonOmission is something that was not reviewed; without a path it is about the whole change.
type jsonOmission struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// jsonFinding is a finding. One without a place in the diff is not anchored: it has no lines (0) and no suggestion.
type jsonFinding struct {
	Path        string              `json:"path"`
	Side        string              `json:"side"`
	StartLine   int                 `json:"start_line"`
	EndLine     int                 `json:"end_line"`
	Severity    finding.Severity    `json:"severity"`
	Category    finding.Category    `json:"category"`
	Title       string              `json:"title"`
	Body        string              `json:"body"`
	Suggestion  *string             `json:"suggestion"`
	Confidence  float64             `json:"confidence"`
	Fingerprint finding.Fingerprint `json:"fingerprint"`
	Anchored    bool                `json:"anchored"`
}

func writeJSON(w io.Writer, r *review.Result) error {
	out := jsonReview{State: r.State(), Summary: r.Summary, Findings: []jsonFinding{}, Omissions: []jsonOmission{}, Usage: r.Usage}
	for _, o := range r.Omissions {
		out.Omissions = append(out.Omissions, jsonOmission{o.Path, o.Reason})
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		side := f.Anchor.Side
		if !f.Anchored() {
			side = diff.New
		}
		j := jsonFinding{Path: f.Path, Side: side.String(), StartLine: f.Anchor.Start, EndLine: f.Anchor.End,
			Severity: f.Severity, Category: f.Category, Title: f.Title, Body: f.Body, Confidence: f.Confidence,
			Fingerprint: f.Fingerprint, Anchored: f.Anchored()}
		if f.HasSuggestion && f.Anchored() {
			j.Suggestion = &f.Suggestion
		}
		out.Findings = append(out.Findings, j)
	}
	return encode(w, out)
}

func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// The part of SARIF 2.1.0 that code scanners and editors read.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID              string            `json:"ruleId"`
		Level               string            `json:"level"`
		Message             sarifText         `json:"message"`
		Locations           []sarifLocation   `json:"locations,omitempty"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		PhysicalLocation sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
		EndLine   int `json:"endLine"`
	}
)

// sarifLevel maps severity to SARIF's three levels.
func sarifLevel(s finding.Severity) string {
	switch {
	case s >= finding.High:
		return "error"
	case s == finding.Medium:
		return "warning"
	default:
		return "note"
	}
}

// sarifURI gives a path as the relative reference that SARIF wants.
func sarifURI(path string) string { return (&url.URL{Path: path}).String() }

func writeSARIF(w io.Writer, r *review.Result) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "OpenRabbit", InformationURI: "https://github.com/openrabbit/openrabbit", Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{sarifHow(r)}, Results: []sarifResult{}}
	seen := map[string]bool{}
	for i := range r.Findings {
		f := &r.Findings[i]
		rule := cmp.Or(f.Rule, string(f.Category), "finding")
		if !seen[rule] {
			seen[rule] = true
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{rule})
		}
		result := sarifResult{RuleID: rule, Level: sarifLevel(f.Severity), Message: sarifText{strings.TrimSpace(f.Title + "\n\n" + f.Body)},
			PartialFingerprints: map[string]string{"openrabbit/v1": string(f.Fingerprint)}}
		if f.Path != "" {
			place := sarifPhysical{ArtifactLocation: sarifArtifact{sarifURI(f.Path)}}
			// SARIF speaks of the file as it is now: a finding on a deleted line has no region in it.
			if f.Anchored() && f.Anchor.Side == diff.New {
				place.Region = &sarifRegion{f.Anchor.Start, f.Anchor.End}
			}
			result.Locations = []sarifLocation{{place}}
		}
		run.Results = append(run.Results, result)
	}
	return encode(w, sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// sarifHow tells how the review went: notes, and what was not reviewed.
func sarifHow(r *review.Result) sarifInvocation {
	how := sarifInvocation{ExecutionSuccessful: !r.Partial || r.PartialReason == review.ReasonNoModel}
	for _, note := range r.Notes {
		how.Notifications = append(how.Notifications, sarifNotification{"warning", sarifText{note}})
	}
	for _, o := range r.Omissions {
		text := "Not reviewed: " + o.Reason
		if o.Path != "" {
			text = "Not reviewed: " + o.Path + ": " + o.Reason
		}
		how.Notifications = append(how.Notifications, sarifNotification{"note", sarifText{text}})
	}
	return how
}

// writeMarkdown writes what a pull request would show: the walkthrough, then each comment below the lines it stands on.
func writeMarkdown(w io.Writer, d *diff.Diff, r *review.Result, meta render.Meta) error {
	all := *r
	all.MaxComments = max(len(r.Findings), 1) // no pull request to be overwhelmed
	var b strings.Builder
	b.WriteString(render.Walkthrough{Meta: meta, Result: &all}.Render())
	for _, f := range render.Place(&all, nil).Comments {
		body, _ := render.Comment(f, render.Options{Repository: meta.Repository})
		lines := fmt.Sprint(f.Anchor.Start)
		if f.Anchor.End != f.Anchor.Start {
			lines += fmt.Sprintf("-%d", f.Anchor.End)
		}
		if f.Anchor.Side == diff.Old {
			lines += " (deleted)"
		}
		fmt.Fprintf(&b, "\n---\n\n#### %s, line %s\n\n%s\n%s", codeSpan(f.Path), lines, codeBlock(d.Text(f.Anchor)), body)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// codeSpan shows a path, whatever it is made of, as code within a line.
func codeSpan(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return r == '`' || !unicode.IsPrint(r) }) {
		path = strings.ReplaceAll(strconv.Quote(path), "`", `\x60`)
	}
	return "`" + path + "`"
}

// codeBlock shows lines of code within a fence that is longer than any in them.
func codeBlock(lines []string) string {
	fence, text := "```", strings.Join(lines, "\n")
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "\n" + strings.ReplaceAll(text, "\r", "") + "\n" + fence + "\n"
}
