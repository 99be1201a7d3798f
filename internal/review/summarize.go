package review

import (
	"context"
	"fmt"
	"strings"

	"github.com/openrabbit/openrabbit/internal/prompt"
)

// Bounds of a summary's texts, in bytes.
const (
	maxSummary = 4000
	maxWhat    = 400
	maxRisk    = 600
)

// summary is the model's answer.
type summary struct {
	Summary string        `json:"summary"`
	Changes []FileSummary `json:"changes"`
	Risk    string        `json:"risk"`
}

// summarize asks what the change does. It gives nil and an outcome when no usable answer came.
func (r *run) summarize(ctx context.Context) (*summary, Outcome, error) {
	p, err := r.summaryPrompt()
	if err != nil {
		return nil, "", err
	}
	answer, err := r.ask(ctx, Fast, p, summaryTokens, 0)
	if err != nil {
		return nil, "", err
	}
	var s summary
	if !decode(&answer, &s) || strings.TrimSpace(s.Summary) == "" {
		if answer.Outcome == OutcomeOK {
			answer.Outcome = OutcomeEmpty
		}
		return nil, answer.Outcome, nil
	}
	if r.leaks.in(s.Summary, s.Risk) {
		return nil, OutcomeInvalid, nil
	}
	return &s, OutcomeOK, nil
}

// summaryPrompt shows all files, each cut to its share of the prompt: a summary needs breadth.
func (r *run) summaryPrompt() (prompt.Prompt, error) {
	in := prompt.SummaryInput{Change: r.about, Language: r.options.Language, Others: r.others(&bundle{pieces: r.onePiecePerFile()}, r.options.PromptTokens/8)}
	frame, err := r.prompts.Summary(in)
	if err != nil {
		return prompt.Prompt{}, fmt.Errorf("write summary prompt: %w", err)
	}
	room := r.options.PromptTokens - prompt.Tokens(frame.System+frame.User)
	for i, s := range r.subjects {
		share := room/(len(r.subjects)-i) - perFile
		file := prompt.File{Path: s.path, About: s.about()}
		used := perFile
		for j := range s.file.Hunks {
			part, need := s.shorten(s.bare(j), share-used)
			if len(part.Lines) == 0 {
				file.Parts = append(file.Parts, prompt.Part{Cut: part.Cut})
				used += perFile / 4
				break
			}
			file.Parts = append(file.Parts, part)
			used += need
		}
		room -= used
		in.Files = append(in.Files, file)
	}
	p, err := r.prompts.Summary(in)
	if err != nil {
		return prompt.Prompt{}, fmt.Errorf("write summary prompt: %w", err)
	}
	return p, nil
}

func (r *run) onePiecePerFile() []piece {
	pieces := make([]piece, len(r.subjects))
	for i, s := range r.subjects {
		pieces[i] = piece{subject: s}
	}
	return pieces
}

// bare gives a hunk as it is in the diff.
func (s *subject) bare(i int) prompt.Part {
	h := &s.file.Hunks[i]
	w := window{first: h.NewStart, last: h.NewStart + h.NewCount - 1}
	if h.NewCount == 0 {
		w = window{first: h.NewStart + 1, last: h.NewStart}
		if s.file.NewPath == "" {
			w = window{first: 1, last: 0}
		}
	}
	return s.part(w)
}

// shorten cuts a part to so many tokens.
func (s *subject) shorten(p prompt.Part, room int) (short prompt.Part, need int) {
	if need = tokens(p); need <= room {
		return p, need
	}
	low, high := 0, len(p.Lines)
	for low < high { // the most lines that fit
		mid := (low + high + 1) / 2
		try := prompt.Part{Scope: p.Scope, Lines: p.Lines[:mid], Cut: p.Cut + len(p.Lines) - mid}
		if tokens(try) <= room {
			low = mid
		} else {
			high = mid - 1
		}
	}
	short = prompt.Part{Scope: p.Scope, Lines: p.Lines[:low], Cut: p.Cut + len(p.Lines) - low}
	return short, tokens(short)
}

// take puts a summary into the result: only what is about files of the change, in their order, and of a sane length.
func (r *run) take(s *summary, outcome Outcome) {
	if s == nil {
		r.omit("", "no summary: "+because(outcome), false)
		return
	}
	r.result.Summary = clip(s.Summary, maxSummary)
	r.result.Risk = clip(s.Risk, maxRisk)
	what := map[string]string{}
	for _, c := range s.Changes {
		f := r.change.Diff.File(c.Path)
		if text := clip(c.What, maxWhat); f != nil && text != "" && what[f.Path()] == "" && !r.leaks.in(text) {
			what[f.Path()] = text
		}
	}
	for i := range r.change.Diff.Files {
		path := r.change.Diff.Files[i].Path()
		if what[path] != "" {
			r.result.Changes = append(r.result.Changes, FileSummary{Path: path, What: what[path]})
			delete(what, path)
		}
	}
}

// clip trims a text and cuts it at about n bytes, at the end of a word where there is one.
func clip(s string, n int) string {
	s = strings.TrimSpace(strings.ToValidUTF8(s, "\ufffd"))
	if len(s) <= n {
		return s
	}
	s = strings.ToValidUTF8(s[:n], "")
	if i := strings.LastIndexAny(s, " \n\t"); i > n*3/4 {
		s = s[:i]
	}
	return strings.TrimSpace(s) + "…"
}
