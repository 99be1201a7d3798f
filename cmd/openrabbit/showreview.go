package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/cmd/openrabbit/demo"
	reviewv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/review/v1"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
)

// hidden is what GitHub does not show of a comment.
var hidden = regexp.MustCompile(`(?s)<!--.*?-->\n?`)

// print shows what a person would see on the pull request, as it stands at the stand-in for GitHub, and where to look on.
func (d *demonstration) print(final *reviewv1.Review, took time.Duration) {
	d.say("the review ended as %s after %s", strings.ToLower(strings.TrimPrefix(final.GetState().String(), "STATE_")), took.Round(time.Millisecond))
	rule := strings.Repeat("─", 100)
	for _, c := range d.github.IssueComments(demo.Repository, d.number) {
		fmt.Fprintf(d.out, "\n%s\n%s commented\n\n%s\n", rule, c.Author, visible(c.Body))
	}
	posted := 0
	for _, r := range d.github.Reviews(demo.Repository, d.number) {
		posted++
		fmt.Fprintf(d.out, "\n%s\n%s reviewed %.7s\n", rule, r.Author, r.CommitID)
		if text := visible(r.Body); text != "" {
			fmt.Fprintf(d.out, "\n%s\n", text)
		}
		for _, c := range r.Comments {
			fmt.Fprintf(d.out, "\n%s\n\n%s\n\n%s\n", place(c), excerpt(c), visible(c.Body))
		}
	}
	fmt.Fprintf(d.out, "\n%s\n", rule)
	for _, c := range d.github.CheckRuns(demo.Repository) {
		fmt.Fprintf(d.out, "check run %q: %s (%s)\n", c.Name, c.Conclusion, c.Title)
	}
	u := final.GetUsage()
	fmt.Fprintf(d.out, "%d model calls, %d tokens sent, %d answered\n\n", u.GetCalls(), u.GetInputTokens(), u.GetOutputTokens())
	if posted > 0 {
		d.say("review posted: %s#%d, %d findings", demo.Repository, d.number, len(final.GetFindings()))
	}
	d.say("the job in River UI: http://%s/jobs/%d%s", d.mesh.uiAddr, final.GetJobId(), d.keptNote())
	d.say("gRPC: gateway %s, parsersvc %s, llmsvc %s", d.mesh.env["OPENRABBIT_GATEWAY_GRPC_ADDR"], d.mesh.env["OPENRABBIT_PARSER_ADDR"],
		d.mesh.env["OPENRABBIT_LLM_ADDR"])
}

func (d *demonstration) keptNote() string {
	if d.keep {
		return ""
	}
	return " (with --keep)"
}

func visible(body string) string { return strings.TrimSpace(hidden.ReplaceAllString(body, "")) }

func place(c githubtest.ReviewComment) string {
	if c.StartLine > 0 && c.StartLine != c.Line {
		return fmt.Sprintf("▸ %s:%d-%d", c.Path, c.StartLine, c.Line)
	}
	return fmt.Sprintf("▸ %s:%d", c.Path, c.Line)
}

// excerpt gives the commented lines, and three before a single one, as GitHub shows them above a comment.
func excerpt(c githubtest.ReviewComment) string {
	first := c.StartLine
	if first == 0 {
		first = c.Line - 3
	}
	var out []string
	lines := strings.Split(strings.TrimSuffix(c.Hunk, "\n"), "\n")
	number, deleted := 0, 0
	if _, err := fmt.Sscanf(lines[0], "@@ -%d", &deleted); err != nil {
		return c.Hunk
	}
	if i := strings.Index(lines[0], "+"); i >= 0 {
		_, _ = fmt.Sscanf(lines[0][i:], "+%d", &number) // a header without a number leaves 0, and nothing is shown
	}
	for _, line := range lines[1:] {
		here := number
		if c.Side == "LEFT" {
			here = deleted
		}
		if here >= first && here <= c.Line && !(strings.HasPrefix(line, "-") && c.Side != "LEFT") {
			out = append(out, fmt.Sprintf("  %4d %s", here, line))
		}
		if !strings.HasPrefix(line, "-") {
			number++
		}
		if !strings.HasPrefix(line, "+") {
			deleted++
		}
	}
	return strings.Join(out, "\n")
}
