package review

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/prompt"
)

// candidate is what a finder reported, with where it came from.
type candidate struct {
	finding.Candidate
	bundle *bundle
	// pass is the look that reported it, from 0.
	pass int
	// invalid is set for an entry that has not the form of a finding.
	invalid bool
}

// report is what came of one bundle: all of it was reviewed, or was missed, or after a split each half was.
type report struct {
	candidates []candidate
	reviewed   []*bundle
	missed     []miss
	// passes is how many looks of a deep review were answered in whole; notes are for the reader.
	passes int
	notes  []string
}

// add puts another report after this one.
func (p *report) add(o report) {
	p.candidates = append(p.candidates, o.candidates...)
	p.reviewed = append(p.reviewed, o.reviewed...)
	p.missed = append(p.missed, o.missed...)
	p.notes = append(p.notes, o.notes...)
}

// review asks for the summary and the defects side by side, and for a verdict on each candidate as soon as it is known.
// The summary may take until the end: nothing waits for it.
func (r *run) review(ctx context.Context) error {
	if err := r.stage(ctx, StageReview, 0, len(r.bundles)); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		told    *summary
		outcome Outcome
		failed  error
	)
	summarized := make(chan struct{})
	go func() {
		defer close(summarized)
		failed = guarded(func() (err error) {
			told, outcome, err = r.summarize(ctx)
			return err
		})
		if failed != nil {
			cancel()
		}
	}()
	err := r.findAndVerify(ctx)
	if err != nil {
		cancel()
	}
	<-summarized
	// Whichever failed first has stopped the other, which then only says that it was stopped.
	if failed != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = failed
	}
	if err != nil {
		return err
	}
	r.take(told, outcome)
	return nil
}

// findAndVerify looks at all bundles side by side. What one look reports is verified at once, without waiting for the
// others; what two of them say alike is merged in the end.
func (r *run) findAndVerify(ctx context.Context) error {
	n := len(r.bundles)
	parts := make([]part, n)
	pace := &pace{run: r, finders: n}
	err := inParallel(ctx, n, n, func(ctx context.Context, i int) error {
		found, err := r.look(ctx, i, r.bundles[i])
		if err != nil {
			return err
		}
		claims, dropped := r.screen(found.candidates, max(maxVerified/n, leastVerified))
		parts[i] = part{report: found, claims: claims, dropped: dropped}
		if err := pace.found(ctx, len(claims)); err != nil {
			return err
		}
		parts[i].verdicts, err = r.verify(ctx, claims, pace)
		return err
	})
	if err != nil {
		return err
	}
	if n == 0 {
		if err := r.stage(ctx, StageVerify, 0, 0); err != nil {
			return err
		}
	}
	r.settle(parts)
	return nil
}

// part is what came of one bundle.
type part struct {
	report   report
	claims   []claim
	dropped  map[string]int
	verdicts []outcome
}

// settle puts the parts together, in the order of the bundles.
func (r *run) settle(parts []part) {
	var all report
	for _, p := range parts {
		all.add(p.report)
		for why, n := range p.dropped {
			r.drop(why, n)
		}
	}
	for _, b := range r.excess {
		all.missed = append(all.missed, miss{b, "the change is too large for one review"})
	}
	r.missed(all.missed, all.reviewed)
	for _, why := range all.notes {
		r.note(why)
	}
	for _, p := range parts {
		for i, o := range p.verdicts {
			r.conclusion(p.claims[i], o)
		}
	}
	merged := 0
	r.findings, merged = finding.Dedupe(r.findings)
	r.drop(dropRepeat, merged)
}

// find asks once for the defects of one bundle. An answer that was too much is asked for once more in halves.
func (r *run) find(ctx context.Context, number int, b *bundle, pass int, maySplit bool) (report, error) {
	p, err := r.finderPrompt(number, b)
	if err != nil {
		return report{}, err
	}
	tier := Main
	if r.options.Depth == Quick {
		tier = Fast
	}
	answer, err := r.ask(ctx, tier, p, finderTokens, pass)
	if err != nil {
		return report{}, err
	}
	var got findings
	if decode(&answer, &got) {
		return report{candidates: got.candidates(b, pass), reviewed: []*bundle{b}}, nil
	}
	halves := b.halves()
	if !maySplit || halves == nil || (answer.Outcome != OutcomeTruncated && answer.Outcome != OutcomeTooLong) {
		return report{missed: []miss{{b, because(answer.Outcome)}}}, nil
	}
	parts := make([]report, len(halves))
	err = inParallel(ctx, len(halves), len(halves), func(ctx context.Context, i int) error {
		var err error
		parts[i], err = r.find(ctx, number, halves[i], pass, false)
		return err
	})
	if err != nil {
		return report{}, err
	}
	var all report
	for _, part := range parts {
		all.add(part)
	}
	return all, nil
}

// finderPrompt writes the question. When the whole is longer than a prompt may be, surroundings go first.
func (r *run) finderPrompt(number int, b *bundle) (prompt.Prompt, error) {
	room := r.room()
	instructions, _ := r.instructions(b, room.guidance/2)
	in := prompt.FinderInput{
		Change: r.about, Language: r.options.Language,
		Guidelines:   cutTokens(r.options.Guidelines, room.guidance/2),
		Instructions: instructions,
		Part:         number + 1, Parts: len(r.bundles),
		Files: b.files(), Others: r.others(b, room.others), Surroundings: b.surroundings,
		Known: r.known(b), MaxFindings: maxFindings,
	}
	for {
		p, err := r.prompts.Finder(in)
		if err != nil {
			return prompt.Prompt{}, fmt.Errorf("write finder prompt: %w", err)
		}
		n := len(in.Surroundings)
		switch {
		case prompt.Tokens(p.System+p.User) <= r.options.PromptTokens:
			return p, nil
		case n > 0:
			in.Surroundings = in.Surroundings[:n-1]
		case len(in.Others) > 0:
			in.Others = nil
		default:
			return p, nil
		}
	}
}

// cutTokens cuts a text to so many tokens.
func cutTokens(s string, n int) string { return clip(s, n*7/2) }

// known lists the facts about the files of a bundle, so that a finder need not repeat them.
func (r *run) known(b *bundle) []string {
	var list []string
	for _, f := range r.facts {
		for _, file := range b.files() {
			if file.Path == f.Path && len(list) < maxOthers {
				at := f.Path
				if f.Anchored() {
					at = fmt.Sprintf("%s:%d", f.Path, f.Anchor.Start)
				}
				list = append(list, fmt.Sprintf("%s: %s", at, f.Title))
			}
		}
	}
	return list
}

// findings is a finder's answer. Some models leave the object around the list away.
type findings struct {
	Findings []json.RawMessage `json:"findings"`
}

// UnmarshalJSON reads {"findings": […]} or […].
func (f *findings) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, &f.Findings)
	}
	type plain findings
	return json.Unmarshal(text, (*plain)(f))
}

// entry is one finding of an answer. Numbers may be of any form: they are hints.
type entry struct {
	Path       string  `json:"path"`
	Quote      string  `json:"quote"`
	StartLine  float64 `json:"start_line"`
	EndLine    float64 `json:"end_line"`
	Severity   string  `json:"severity"`
	Category   string  `json:"category"`
	Title      string  `json:"title"`
	Body       string  `json:"body"`
	Suggestion *string `json:"suggestion"`
	Confidence float64 `json:"confidence"`
}

// candidates reads the entries, in their order. One that cannot be read is counted, not lost.
func (f findings) candidates(b *bundle, pass int) []candidate {
	list := make([]candidate, 0, len(f.Findings))
	for _, text := range f.Findings {
		var e entry
		if err := json.Unmarshal(text, &e); err != nil {
			list = append(list, candidate{bundle: b, pass: pass, invalid: true})
			continue
		}
		c := candidate{bundle: b, pass: pass, Candidate: finding.Candidate{
			Path: e.Path, Quote: prompt.Restore(e.Quote), StartLine: whole(e.StartLine), EndLine: whole(e.EndLine),
			Severity: e.Severity, Category: e.Category, Title: e.Title, Body: e.Body, Confidence: e.Confidence,
		}}
		if e.Suggestion != nil {
			c.Suggestion = prompt.Restore(*e.Suggestion)
		}
		list = append(list, c)
	}
	return list
}

// whole makes a line number of a number; 0 for what cannot be one.
func whole(f float64) int {
	if !(f >= 1 && f <= math.MaxInt32) {
		return 0
	}
	return int(f)
}
