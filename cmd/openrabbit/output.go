package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
)

// The JSON that `openrabbit review --format json` prints. It is a contract with the outside: fields are only added.
type jsonReview struct {
	State     review.State       `json:"state"`
	Summary   string             `json:"summary"`
	Findings  []jsonFinding      `json:"findings"`
	Omissions []finding.Omission `json:"omissions"`
	Notes     []string           `json:"notes"`
	Usage     review.Usage       `json:"usage"`
}

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
	out := jsonReview{State: r.State(), Summary: r.Summary, Findings: []jsonFinding{}, Omissions: r.Omissions, Notes: r.Notes, Usage: r.Usage}
	if out.Omissions == nil {
		out.Omissions = []finding.Omission{}
	}
	if out.Notes == nil {
		out.Notes = []string{}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		j := jsonFinding{Path: f.Path, Side: f.Anchor.Side.String(), StartLine: f.Anchor.Start, EndLine: f.Anchor.End,
			Severity: f.Severity, Category: f.Category, Title: f.Title, Body: f.Body, Confidence: f.Confidence,
			Fingerprint: f.Fingerprint, Anchored: f.Anchored()}
		if f.HasSuggestion {
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
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
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
		Locations           []sarifLocation   `json:"locations"`
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

func writeSARIF(w io.Writer, r *review.Result) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "OpenRabbit", InformationURI: "https://github.com/openrabbit/openrabbit"}}, Results: []sarifResult{}}
	seen := map[string]bool{}
	for i := range r.Findings {
		f := &r.Findings[i]
		rule := f.Rule
		if rule == "" {
			rule = string(f.Category)
		}
		if !seen[rule] {
			seen[rule] = true
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{rule})
		}
		place := sarifPhysical{ArtifactLocation: sarifArtifact{f.Path}}
		// SARIF speaks of the file as it is now: a finding on a deleted line has no region in it.
		if f.Anchored() && f.Anchor.Side.String() == "new" {
			place.Region = &sarifRegion{f.Anchor.Start, f.Anchor.End}
		}
		run.Results = append(run.Results, sarifResult{RuleID: rule, Level: sarifLevel(f.Severity),
			Message:             sarifText{fmt.Sprintf("%s\n\n%s", f.Title, f.Body)},
			Locations:           []sarifLocation{{place}},
			PartialFingerprints: map[string]string{"openrabbit/v1": string(f.Fingerprint)}})
	}
	return encode(w, sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}
