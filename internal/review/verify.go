package review

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/prompt"
)

// verdict is a verifier's answer.
type verdict struct {
	Verdict  string  `json:"verdict"`
	Severity *string `json:"severity"`
	Quote    string  `json:"quote"`
	Reason   string  `json:"reason"`
}

// outcome is what came of one claim.
type outcome struct {
	kept *finding.Finding
	why  string
	not  Outcome // set when no verdict came
}

// verify asks for a verdict on each claim, side by side. Suggestions are checked meanwhile.
func (r *run) verify(ctx context.Context, claims []claim, pace *pace) ([]outcome, error) {
	outcomes := make([]outcome, len(claims))
	if len(claims) == 0 {
		return outcomes, nil
	}
	err := inParallel(ctx, len(claims), len(claims), func(ctx context.Context, i int) error {
		o := &outcomes[i]
		f, why, not, err := r.judge(ctx, claims[i])
		if err != nil {
			return err
		}
		o.why, o.not = why, not
		if why == "" {
			if f, err = r.fix(ctx, claims[i].subject, f); err != nil {
				return err
			}
			o.kept = &f
		}
		return pace.judged(ctx)
	})
	return outcomes, err
}

// conclusion keeps what stands and counts the rest.
func (r *run) conclusion(c claim, o outcome) {
	if o.kept != nil {
		r.findings = append(r.findings, *o.kept)
		return
	}
	r.drop(o.why, 1)
	if o.not != "" {
		c.subject.seen = true
		r.omit(c.Path, "a possible finding could not be verified: "+because(o.not), false)
	}
}

// judge asks for the verdict on one claim. It gives the finding as it stands, or why it is cut.
func (r *run) judge(ctx context.Context, c claim) (f finding.Finding, why string, not Outcome, err error) {
	p, evidence, err := r.verifierPrompt(c)
	if err != nil {
		return f, "", "", err
	}
	answer, err := r.ask(ctx, Main, p, verdictTokens, 0)
	if err != nil {
		return f, "", "", err
	}
	var v verdict
	if !decode(&answer, &v) {
		return f, dropVerdict, answer.Outcome, nil
	}
	f = c.Finding
	said := finding.SeverityUnknown
	if v.Severity != nil {
		said, _ = finding.ParseSeverity(*v.Severity) // what is no severity says nothing
	}
	switch strings.ToLower(strings.TrimSpace(v.Verdict)) {
	case "drop":
		return f, dropRefuted, "", nil
	case "keep":
		f.Severity = lesser(f.Severity, said)
	case "lower":
		if said == finding.SeverityUnknown || said >= f.Severity {
			said = max(f.Severity-1, finding.Info)
		}
		f.Severity = said
	default:
		return f, dropVerdict, OutcomeInvalid, nil
	}
	switch {
	case !evidence.proves(v.Quote):
		return f, dropUnproven, "", nil
	case !r.shown(&f):
		return f, dropThreshold, "", nil
	}
	return f, "", "", nil
}

// verifierPrompt shows a claim with the whole definition it is about, the rest of its file, the files it names and
// what surrounds them, as far as half a prompt holds.
func (r *run) verifierPrompt(c claim) (prompt.Prompt, *evidence, error) {
	text, err := claimText(c)
	if err != nil {
		return prompt.Prompt{}, nil, err
	}
	in := prompt.VerifierInput{Change: r.about, Language: r.options.Language, Claim: text}
	frame, err := r.prompts.Verifier(in)
	if err != nil {
		return prompt.Prompt{}, nil, fmt.Errorf("write verifier prompt: %w", err)
	}
	room := max(r.options.PromptTokens*3/5-prompt.Tokens(frame.System+frame.User), 800)
	pieces := r.evidencePieces(c, &room)
	in.Files = filesOf(pieces)
	shown := &evidence{}
	for _, p := range pieces {
		for _, l := range p.part.Lines {
			shown.add(l.Text)
		}
	}
	if c.bundle != nil {
		for _, s := range c.bundle.surroundings {
			if need := prompt.Tokens(s.Path+s.Why+s.Text) + perFile/2; need <= room {
				room -= need
				in.Surroundings = append(in.Surroundings, s)
				shown.add(strings.Split(s.Text, "\n")...)
			}
		}
	}
	p, err := r.prompts.Verifier(in)
	if err != nil {
		return prompt.Prompt{}, nil, fmt.Errorf("write verifier prompt: %w", err)
	}
	return p, shown, nil
}

// claimText shows a finding as JSON, without how sure its finder was.
func claimText(c claim) (string, error) {
	shown := struct {
		Path       string `json:"path"`
		Line       int    `json:"line,omitempty"`
		Severity   string `json:"severity"`
		Category   string `json:"category"`
		Title      string `json:"title"`
		Body       string `json:"body"`
		Suggestion string `json:"suggestion,omitempty"`
		Quote      string `json:"quote"`
	}{c.Path, 0, c.Severity.String(), string(c.Category), c.Title, c.Body, c.Suggestion, c.Quote}
	if c.Anchor.Side == diff.New {
		shown.Line = c.Anchor.Start
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(shown); err != nil {
		return "", fmt.Errorf("write claim: %w", err)
	}
	return b.String(), nil
}
