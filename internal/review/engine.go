package review

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/openrabbit/openrabbit/internal/prompt"
)

// Deps are what an Engine asks for what it does not know.
type Deps struct {
	// Parser is required.
	Parser Parser
	// Secrets is required: without it credentials would reach the model.
	Secrets SecretScanner
	// Model may be nil, which is the same as one that is not configured.
	Model Model
	// Recall may be nil: then nothing but the change is looked at.
	Recall Recall
	// Log may be nil.
	Log *slog.Logger
	// Parallel bounds the questions to a model that one review has open at once. 0 means 64, more than most changes have:
	// what an endpoint bears is the model tier's to know.
	Parallel int
}

// Engine reviews changes. It is safe for concurrent use and keeps nothing between two reviews.
type Engine struct {
	parser   Parser
	secrets  SecretScanner
	model    Model
	recall   Recall
	log      *slog.Logger
	parallel int
	prompts  *prompt.Set
	leaks    leaks
}

// NewEngine checks what it is given.
func NewEngine(d Deps) (*Engine, error) {
	if d.Parser == nil || d.Secrets == nil {
		return nil, errors.New("make review engine: Parser and Secrets are required")
	}
	prompts, err := prompt.Load()
	if err != nil {
		return nil, fmt.Errorf("make review engine: %w", err)
	}
	known, err := newLeaks(prompts)
	if err != nil {
		return nil, fmt.Errorf("make review engine: %w", err)
	}
	e := &Engine{
		leaks:  known,
		parser: d.Parser, secrets: d.Secrets, model: d.Model, recall: d.Recall,
		log: d.Log, parallel: d.Parallel, prompts: prompts,
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.parallel <= 0 {
		e.parallel = 64
	}
	return e, nil
}

// Run reviews a change. An error means that nothing may be said now: ctx ended, progress ended the review, or a retry
// of the whole review may mend it (a file could not be read, Model.Ask failed). What a model did wrong, a parser that
// does not answer and an index that is not there are no errors; the Result says so.
//
// For the same change, options and answers it gives the same result, and it puts the same questions in the same words,
// so that a retry finds the answers that were stored.
func (e *Engine) Run(ctx context.Context, change Change, files Files, options Options, progress Progress) (*Result, error) {
	r := newRun(e, change, files, options, progress)
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	if err := r.analyze(ctx); err != nil {
		return nil, err
	}
	if err := r.mask(ctx); err != nil {
		return nil, err
	}
	if err := r.relate(ctx); err != nil {
		return nil, err
	}
	if err := r.findFacts(ctx); err != nil {
		return nil, err
	}
	if len(r.subjects) == 0 {
		return r.finish(), nil
	}
	ok, why := e.available(ctx)
	if !ok {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("ask whether a model is configured: %w", err)
		}
		r.withoutModel(why)
		return r.finish(), nil
	}
	r.bundle()
	if err := r.retrieve(ctx); err != nil {
		return nil, err
	}
	if err := r.review(ctx); err != nil {
		return nil, err
	}
	return r.finish(), nil
}

func (e *Engine) available(ctx context.Context) (ok bool, why string) {
	if e.model == nil {
		return false, ReasonNoModel
	}
	return e.model.Available(ctx)
}
