package github

import (
	"context"
	"strings"
	"unicode/utf8"

	gh "github.com/google/go-github/v62/github"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/review"
)

// CheckName is the name of our check runs.
const CheckName = "OpenRabbit"

// GitHub's limits for a check run.
const (
	maxCheckText       = 65_535
	maxCheckTitle      = 255
	maxAnnotationText  = 64 << 10
	maxAnnotationTitle = 255
	annotationsPerCall = 50
)

// Conclusion is how a check run ended.
type Conclusion string

// The conclusions that we use.
const (
	Success   Conclusion = "success"
	Neutral   Conclusion = "neutral"
	Failure   Conclusion = "failure"
	Cancelled Conclusion = "cancelled"
	Skipped   Conclusion = "skipped"
)

// Level is how loud an annotation is.
type Level string

// The levels.
const (
	LevelNotice  Level = "notice"
	LevelWarning Level = "warning"
	LevelFailure Level = "failure"
)

// Annotation is a remark of a check run at lines of the head's files. It does not depend on the diff.
type Annotation struct {
	// Anchor must be on the new side: GitHub shows annotations on the head only.
	Anchor         diff.Anchor
	Level          Level
	Title, Message string
}

// CheckRun is a check run of ours.
type CheckRun struct {
	ID         int64
	Head       string
	ReviewID   review.ID
	Completed  bool
	Conclusion Conclusion
}

// CheckOutput is what a check run shows. What is longer than GitHub takes is cut.
type CheckOutput struct {
	// Conclusion completes the run; empty while it is in progress.
	Conclusion Conclusion
	// Title and Summary are shown together; without a title the output stays as it is.
	Title, Summary string
	// DetailsURL is where "Details" leads, empty for GitHub's own page.
	DetailsURL string
	// Annotations are added to those that the run has. Those on the old side are left out.
	Annotations []Annotation
}

// CreateCheckRun starts a check run for a review, in progress.
func (c *Client) CreateCheckRun(ctx context.Context, repo, head string, id review.ID, title, summary string) (int64, error) {
	const op = "create check run"
	owner, name, err := split(op, repo)
	if err != nil {
		return 0, err
	}
	options := gh.CreateCheckRunOptions{
		Name: CheckName, HeadSHA: head, ExternalID: gh.String(string(id)), Status: gh.String("in_progress"),
		Output: output(CheckOutput{Title: title, Summary: summary}, nil),
	}
	run, _, err := call(ctx, c, op, true, func(ctx context.Context) (*gh.CheckRun, *gh.Response, error) {
		return c.gh.Checks.CreateCheckRun(ctx, owner, name, options)
	})
	if err != nil {
		return 0, err
	}
	if run.GetID() == 0 {
		return 0, &Error{Op: op, Kind: Ambiguous, Message: "the answer has no id"}
	}
	return run.GetID(), nil
}

// UpdateCheckRun shows an output. The conclusion goes with the first of its calls, so that the state is right even if a
// later one fails; there is one call for each 50 annotations. All but the annotations may be repeated freely.
func (c *Client) UpdateCheckRun(ctx context.Context, repo string, id int64, o CheckOutput) error {
	const op = "update check run"
	owner, name, err := split(op, repo)
	if err != nil {
		return err
	}
	left := annotations(o.Annotations)
	for first := true; first || len(left) > 0; first = false {
		n := min(len(left), annotationsPerCall)
		options := gh.UpdateCheckRunOptions{Name: CheckName, Output: output(o, left[:n])}
		if first {
			options.Status = gh.String("in_progress")
			if o.Conclusion != "" {
				options.Status, options.Conclusion = gh.String("completed"), gh.String(string(o.Conclusion))
			}
			if o.DetailsURL != "" {
				options.DetailsURL = &o.DetailsURL
			}
		}
		left = left[n:]
		if _, _, err := call(ctx, c, op, true, func(ctx context.Context) (*gh.CheckRun, *gh.Response, error) {
			return c.gh.Checks.UpdateCheckRun(ctx, owner, name, id, options)
		}); err != nil {
			return err
		}
	}
	return nil
}

// FindCheckRun finds the check run of a review on a head: how a retry finds what an ambiguous creation left.
func (c *Client) FindCheckRun(ctx context.Context, repo, head string, id review.ID) (CheckRun, bool, error) {
	const op = "find check run"
	owner, name, err := split(op, repo)
	if err != nil {
		return CheckRun{}, false, err
	}
	var found CheckRun
	err = pages(ctx, c, op, func(ctx context.Context, o gh.ListOptions) ([]*gh.CheckRun, *gh.Response, error) {
		options := &gh.ListCheckRunsOptions{CheckName: gh.String(CheckName), Filter: gh.String("all"), ListOptions: o}
		if c.appID != 0 {
			options.AppID = &c.appID
		}
		listed, resp, err := c.gh.Checks.ListCheckRunsForRef(ctx, owner, name, head, options)
		if err != nil {
			return nil, resp, err
		}
		return listed.CheckRuns, resp, nil
	}, func(r *gh.CheckRun) error {
		if r.GetExternalID() != string(id) || r.GetName() != CheckName {
			return nil
		}
		found = CheckRun{
			ID: r.GetID(), Head: r.GetHeadSHA(), ReviewID: id,
			Completed: r.GetStatus() == "completed", Conclusion: Conclusion(r.GetConclusion()),
		}
		return errFound
	})
	if found.ID != 0 {
		return found, true, nil
	}
	return CheckRun{}, false, err
}

func output(o CheckOutput, added []*gh.CheckRunAnnotation) *gh.CheckRunOutput {
	if o.Title == "" {
		if len(added) == 0 {
			return nil
		}
		o.Title = CheckName // GitHub wants a title and a summary with annotations
	}
	return &gh.CheckRunOutput{
		Title: gh.String(cut(o.Title, maxCheckTitle)), Summary: gh.String(cut(o.Summary, maxCheckText)), Annotations: added,
	}
}

func annotations(all []Annotation) []*gh.CheckRunAnnotation {
	var out []*gh.CheckRunAnnotation
	for _, a := range all {
		if a.Anchor.Side != diff.New || a.Anchor.Path == "" || a.Anchor.Start < 1 || a.Anchor.End < a.Anchor.Start {
			continue
		}
		level := a.Level
		if level == "" {
			level = LevelNotice
		}
		g := &gh.CheckRunAnnotation{
			Path: gh.String(a.Anchor.Path), StartLine: gh.Int(a.Anchor.Start), EndLine: gh.Int(a.Anchor.End),
			AnnotationLevel: gh.String(string(level)), Message: gh.String(cut(a.Message, maxAnnotationText)),
		}
		if a.Title != "" {
			g.Title = gh.String(cut(a.Title, maxAnnotationTitle))
		}
		out = append(out, g)
	}
	return out
}

// cut shortens text to a number of bytes, at a rune, with an ellipsis.
func cut(s string, bytes int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= bytes {
		return s
	}
	const ellipsis = "…"
	end := bytes - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}
