package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// maxSlices is how many slices of time the engine gets for one review.
const maxSlices = 20

// result gives what may be said about the change: what an earlier attempt found, so that a retry posts the same, or else
// what the engine finds now.
func (a *attempt) result(ctx context.Context) (*review.Result, error) {
	if a.stored != nil {
		return a.stored, nil
	}
	options := a.config.Options()
	var err error
	if options.Guidelines, err = review.ReadGuidelines(ctx, a.config.Reviews.Guidelines, a.guideline); err != nil {
		return nil, err
	}
	book := &ledger{
		model: a.model, book: a.store, limits: a.cfg.Limits, log: a.log, asked: a.asked, fail: a.fail,
		installation: a.row.InstallationID, repository: a.row.RepositoryID, review: a.row.ID, fresh: a.row.Forced,
	}
	slice, cancel := context.WithDeadline(ctx, a.deadline.Add(-a.cfg.reserve()))
	defer cancel()
	found, err := a.runEngine(slice, book, *a.diff, options)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("review the change: %w", ctx.Err())
	case slice.Err() != nil && (err != nil || found.Partial):
		return nil, a.nextSlice(ctx)
	case err != nil:
		return nil, fmt.Errorf("review the change: %w", err)
	}
	if a.parserDown() && a.patient(parserRetryAfter) {
		return nil, &pause{after: jitter(parserRetryAfter), why: "parser"}
	}
	if wait := book.Pause(); wait > 0 && found.Partial && a.patient(wait) {
		return nil, &pause{after: jitter(wait), why: "model"}
	}
	if err := a.store.SaveResult(ctx, a.row.ID, a.pr.MergeBase, found); err != nil {
		return nil, err
	}
	a.row.Usage = found.Usage
	return found, a.fail(ctx, "result_saved")
}

// runEngine runs the pipeline on the change.
func (a *attempt) runEngine(ctx context.Context, model review.Model, d diff.Diff, options review.Options) (*review.Result, error) {
	parser := &watchedParser{Parser: a.parser}
	a.parserDown = parser.isDown
	engine, err := review.NewEngine(review.Deps{Parser: parser, Model: model, Secrets: a.secrets, Recall: a.retrieval.of(a.row), Log: a.log,
		Parallel: parallelQuestions})
	if err != nil {
		return nil, err
	}
	return engine.Run(ctx, review.Change{
		Repository: a.row.Repository, Number: a.row.Number, Title: a.pr.Title, Description: a.pr.Body, Author: a.pr.Author,
		Base: a.pr.MergeBase, Head: a.pr.Head, Diff: d,
	}, &boundedFiles{Files: a.gh.Files(a.row.Repository, a.pr.MergeBase, a.pr.Head), slots: a.reads}, options, a.progress)
}

// progress is told by the engine where it is. Its error ends the run: so a superseded review stops at a boundary.
func (a *attempt) progress(ctx context.Context, stage review.Stage, _, _ int) error {
	// Parts of a stage that run side by side tell of it too.
	a.mu.Lock()
	defer a.mu.Unlock()
	if stage == a.reached {
		return nil
	}
	a.reached = stage
	if err := a.enter(ctx, stage); err != nil {
		return err
	}
	// The engine goes on without a parser, with less to say. Before it pays for that, the tier gets time to come back.
	if a.parserDown() && a.patient(parserRetryAfter) {
		return &pause{after: jitter(parserRetryAfter), why: "parser"}
	}
	if stage == review.StageRetrieve {
		return a.fail(ctx, "analyzed")
	}
	return nil
}

// patient says whether the review may wait so long for a tier that has an outage.
func (a *attempt) patient(wait time.Duration) bool {
	return time.Since(a.row.StartedAt)+wait < a.cfg.Patience
}

// watchedParser notes when the parser tier does not answer.
type watchedParser struct {
	review.Parser
	down atomic.Bool
}

// Analyze implements review.Parser.
func (p *watchedParser) Analyze(ctx context.Context, sources []syntax.Source) ([]syntax.Analysis, error) {
	answers, err := p.Parser.Analyze(ctx, sources)
	if errors.Is(err, errParserTier) {
		p.down.Store(true)
	}
	return answers, err
}

func (p *watchedParser) isDown() bool { return p.down.Load() }

// asked is told by the ledger of every answer.
func (a *attempt) asked(ctx context.Context, answer review.ModelAnswer) error {
	outcome := string(answer.Outcome)
	if answer.Stored {
		outcome = "stored"
	}
	a.metrics.calls.WithLabelValues(outcome).Inc()
	if answer.Stored {
		return nil
	}
	return a.fail(ctx, "model_called")
}

// readGuidelines reads the files that most repositories keep their guidelines in, from the base branch, beside the
// configuration that may name others.
func (a *attempt) readGuidelines(ctx context.Context) error {
	names := review.GuidelineFiles()
	contents := make([][]byte, len(names))
	calls := make([]func(context.Context) error, len(names))
	for i, name := range names {
		calls[i] = func(ctx context.Context) (err error) {
			contents[i], err = a.readGuideline(ctx, name)
			return err
		}
	}
	if err := together(ctx, calls...); err != nil {
		return err
	}
	a.guidelines = map[string][]byte{}
	for i, name := range names {
		a.guidelines[name] = contents[i]
	}
	return nil
}

// guideline gives a file of guidelines, read already or now.
func (a *attempt) guideline(ctx context.Context, name string) ([]byte, error) {
	if content, ok := a.guidelines[name]; ok {
		return content, nil
	}
	return a.readGuideline(ctx, name)
}

func (a *attempt) readGuideline(ctx context.Context, name string) ([]byte, error) {
	content, err := a.gh.File(ctx, a.row.Repository, a.pr.BaseRef, name)
	switch kind := github.KindOf(err); {
	case kind == github.NotFound || kind == github.TooLarge:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return content, nil
}

// nextSlice hands the job back because its time is used up. What was answered is stored, so the next slice goes on.
func (a *attempt) nextSlice(ctx context.Context) error {
	var metadata struct {
		Slices int `json:"slices"`
	}
	// River's own metadata is JSON; a count that cannot be read starts anew.
	_ = json.Unmarshal(a.job.Metadata, &metadata)
	if metadata.Slices+1 >= maxSlices {
		return &ending{state: review.Failed, reason: reasonTooManySlice}
	}
	if err := river.MetadataSet(ctx, "slices", metadata.Slices+1); err != nil {
		return fmt.Errorf("count slices: %w", err)
	}
	return &pause{why: "slice"}
}
