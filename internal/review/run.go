package review

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/prompt"
)

// run is one review on its way. Its stages fill it one after the other; within a stage, parts that run side by side
// write to places of their own and are put together in their order.
type run struct {
	*Engine
	change   Change
	files    Files
	options  Options
	progress Progress

	// subjects are the files under review, in the order of the diff.
	subjects []*subject
	masker   masker
	about    prompt.Change
	bundles  []*bundle
	// excess is what is beyond the number of bundles that one review may take.
	excess   []*bundle
	related  related
	facts    []finding.Finding
	findings []finding.Finding
	result   *Result

	// slots bounds the questions that are open at once.
	slots chan struct{}

	mu     sync.Mutex // guards what parts that run side by side add up
	models map[string]bool
	asked  map[string]bool // the templates of the questions
	// failures are what the model tier said of questions that a better configuration or another time would answer.
	failures map[string]bool
}

// defaults of Options.
const (
	defaultMinConfidence = 0.5
	defaultMaxComments   = 10
	defaultMaxFiles      = 150
	defaultMaxLines      = 10_000
	defaultPromptTokens  = 16_000
	leastPromptTokens    = 3_500
)

func newRun(e *Engine, change Change, files Files, o Options, progress Progress) *run {
	if o.MinSeverity == finding.SeverityUnknown {
		o.MinSeverity = finding.Low
	}
	if o.MinConfidence == 0 {
		o.MinConfidence = defaultMinConfidence
	}
	o.MaxComments = max(cmp.Or(o.MaxComments, defaultMaxComments), 0)
	if o.Depth == "" {
		o.Depth = Standard
	}
	if o.MaxFiles <= 0 {
		o.MaxFiles = defaultMaxFiles
	}
	if o.MaxChangedLines <= 0 {
		o.MaxChangedLines = defaultMaxLines
	}
	if o.PromptTokens <= 0 {
		o.PromptTokens = defaultPromptTokens
	}
	o.PromptTokens = max(o.PromptTokens, leastPromptTokens)
	if progress == nil {
		progress = func(context.Context, Stage, int, int) error { return nil }
	}
	return &run{
		Engine: e, change: change, files: files, options: o, progress: progress,
		result: &Result{
			Changes: []FileSummary{}, Omissions: []finding.Omission{}, Notes: []string{}, Dropped: map[string]int{},
			FilesChanged: len(change.Diff.Files), MaxComments: o.MaxComments,
		},
		models: map[string]bool{}, asked: map[string]bool{}, failures: map[string]bool{}, slots: make(chan struct{}, e.parallel),
	}
}

// stage begins a stage, and stops the review at its boundary if it is not wanted any more.
func (r *run) stage(ctx context.Context, s Stage, done, total int) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stage %s: %w", s, err)
	}
	if err := r.progress(ctx, s, done, total); err != nil {
		return fmt.Errorf("stage %s: %w", s, err)
	}
	return nil
}

// omit adds what was not reviewed. What is left out by rule makes nothing partial.
func (r *run) omit(path, reason string, policy bool) {
	o := finding.Omission{Path: path, Reason: reason, Policy: policy}
	if !slices.Contains(r.result.Omissions, o) {
		r.result.Omissions = append(r.result.Omissions, o)
	}
}

// note adds a sentence for the reader, once.
func (r *run) note(sentence string) {
	if !slices.Contains(r.result.Notes, sentence) {
		r.result.Notes = append(r.result.Notes, sentence)
	}
}

// drop counts candidates that are cut.
func (r *run) drop(why string, n int) {
	if n > 0 {
		r.result.Dropped[why] += n
	}
}

// withoutModel says what a review is without one, and how to get more.
func (r *run) withoutModel(why string) {
	const none = ReasonNoModel
	r.omit("", none, false)
	if why = strings.TrimSuffix(strings.TrimSpace(why), "."); why == "" || strings.EqualFold(why, none) {
		why = none
	}
	r.note(fmt.Sprintf("%s: only what can be known without one was checked (syntax errors, broken calls, tests that were removed or switched off, credentials, conflict markers, hidden characters). "+
		"To have the change itself reviewed, set OPENAI_API_KEY, or OPENAI_BASE_URL for any OpenAI-compatible server, and OPENRABBIT_MODEL_MAIN.", capital(why)))
	for _, s := range r.subjects {
		r.result.Changes = append(r.result.Changes, FileSummary{Path: s.path, What: capital(s.happened()) + "."})
	}
	r.result.PartialReason = none
}

// finish puts the result together: thresholds for the facts, one order for all.
func (r *run) finish() *Result {
	kept := []finding.Finding{}
	for _, f := range append(slices.Clone(r.facts), r.findings...) {
		if !r.shown(&f) {
			r.drop("below_threshold", 1)
			continue
		}
		kept = append(kept, f)
	}
	finding.Assign(r.change.Repository, kept)
	finding.Rank(kept)
	res := r.result
	res.Findings = kept
	res.Flow = r.flow()
	res.Models = slices.Sorted(maps.Keys(r.models))
	res.Prompts = slices.Sorted(maps.Keys(r.asked))
	for _, why := range slices.Sorted(maps.Keys(r.failures)) {
		r.note(why)
	}
	r.conclude()
	return res
}

// conclude counts the files that were looked at and says whether something is missing.
func (r *run) conclude() {
	res := r.result
	missing := map[string]bool{}
	var open []finding.Omission
	for _, o := range res.Omissions {
		if !o.Policy {
			open = append(open, o)
			missing[o.Path] = true
		}
	}
	for _, s := range r.subjects {
		if !missing[s.path] || s.seen {
			res.FilesReviewed++
		}
	}
	if len(open) == 0 {
		return
	}
	res.Partial = true
	if res.PartialReason != "" {
		return
	}
	reasons := map[string]bool{}
	for _, o := range open {
		reasons[o.Reason] = true
	}
	switch {
	case len(open) == 1 && open[0].Path != "":
		res.PartialReason = fmt.Sprintf("%s: %s", open[0].Path, open[0].Reason)
	case len(reasons) == 1 && len(missing) == 1:
		res.PartialReason = open[0].Reason
	case len(reasons) == 1:
		res.PartialReason = fmt.Sprintf("%d files: %s", len(missing), open[0].Reason)
	default:
		res.PartialReason = fmt.Sprintf("%d things were left out: %s, and more", len(open), open[0].Reason)
	}
}

// shown says whether a finding passes the thresholds.
func (r *run) shown(f *finding.Finding) bool {
	return f.Severity >= r.options.MinSeverity && f.Confidence >= r.options.MinConfidence
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
