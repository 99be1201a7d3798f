package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/secrets"
	"github.com/openrabbit/openrabbit/internal/syntax"
	"github.com/openrabbit/openrabbit/internal/telemetry"
	"github.com/openrabbit/openrabbit/llmsvc"
	"github.com/openrabbit/openrabbit/orchestrator"
)

// parserPatience is how long a review waits for its parser before it goes on without one.
const parserPatience = 15 * time.Second

// localEngine reviews one change without the services: the parser is a child process and the model tier is in this one,
// both on sockets that only this user can reach.
type localEngine struct {
	llm      llmsvc.Config
	stderr   io.Writer
	progress review.Progress

	mu sync.Mutex
	// trouble is what the first dependency to fail did, empty when none did.
	trouble string
}

// review runs the engine once.
func (e *localEngine) review(ctx context.Context, source local, options review.Options) (*review.Result, error) {
	var result *review.Result
	err := e.with(ctx, func(ctx context.Context, deps review.Deps) error {
		engine, err := review.NewEngine(deps)
		if err != nil {
			return err
		}
		result, err = engine.Run(ctx, source.change, source.files, options, e.progress)
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// with starts the parser and the model tier, and calls do with what an engine needs of them.
func (e *localEngine) with(ctx context.Context, do func(ctx context.Context, deps review.Deps) error) error {
	const level = "error"
	dir, err := os.MkdirTemp("", "openrabbit-")
	if err != nil {
		return fmt.Errorf("make a temporary directory: %w", err)
	}
	defer os.RemoveAll(dir)
	log := telemetry.NewLogger(e.stderr, "text", telemetry.ParseLevel(level))
	parser, err := newParserChild("unix://"+filepath.Join(dir, "parser.sock"),
		map[string]string{"OPENRABBIT_PARSER_ADMIN_ADDR": "off", "OPENRABBIT_LOG_LEVEL": level}, e.stderr, log)
	if err != nil {
		return err
	}
	defer parser.conn.Close()
	llm := e.llm
	// Certificates and addresses in the environment are the services'; nobody else can reach this socket.
	llm.Addr, llm.AdminAddr, llm.Mesh = "unix://"+filepath.Join(dir, "llm.sock"), llmsvc.AdminOff, rpc.Mesh{}
	tier, err := llmsvc.New(llm, llmsvc.Deps{Log: log, Registry: telemetry.NewRegistry("llmsvc")})
	if err != nil {
		return err
	}
	model, err := rpc.Dial(llm.Addr, rpc.ClientConfig{Name: "llmsvc", WaitForReady: true})
	if err != nil {
		return err
	}
	defer model.Close()
	scanner, err := secrets.New()
	if err != nil {
		return err
	}
	watched := &watchedParser{Parser: orchestrator.NewParserClient(parser.conn), engine: e}
	deps := review.Deps{Parser: watched, Model: watchedModel{orchestrator.NewModelClient(model), e}, Secrets: scanner, Log: log}
	ran := false
	var failed error
	services, done := context.WithCancel(ctx)
	defer done()
	err = lifecycle.Run(services, log,
		lifecycle.Service{Name: "parsersvc", Run: func(ctx context.Context, ready func()) error {
			defer time.AfterFunc(parserPatience, ready).Stop()
			return parser.Run(ctx, func() { watched.up.Store(true); ready() })
		}},
		lifecycle.Service{Name: "llmsvc", Run: tier.Run},
		lifecycle.Service{Name: "review", Run: func(ctx context.Context, ready func()) error {
			ready()
			failed = do(ctx, deps)
			ran = true
			// A server that is left by its clients has nobody to wait for when it stops.
			_, _ = parser.conn.Close(), model.Close()
			done()
			return nil
		}})
	if stopped := errors.Join(failed, ctx.Err()); stopped != nil {
		return stopped
	}
	if ran {
		return nil // how the services stopped doesn't matter any more
	}
	return err
}

// failure is a dependency's, when the review misses something because of it.
func (e *localEngine) failure(result *review.Result) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.trouble == "" || !result.Partial {
		return nil
	}
	return lifecycle.Dependency("openrabbit review", fmt.Errorf("only part was reviewed: %s", e.trouble))
}

func (e *localEngine) note(trouble string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.trouble == "" {
		e.trouble = trouble
	}
}

// watchedModel notes when the model does not do its part. That a change is too long for it is none of its failures.
type watchedModel struct {
	review.Model
	engine *localEngine
}

// Ask implements review.Model.
func (w watchedModel) Ask(ctx context.Context, q review.ModelRequest) (review.ModelAnswer, error) {
	answer, err := w.Model.Ask(ctx, q)
	switch {
	case err != nil:
		w.engine.note("the model tier: " + err.Error())
	case answer.Outcome == review.OutcomeOK, answer.Outcome == review.OutcomeTruncated, answer.Outcome == review.OutcomeTooLong:
	case answer.Detail != "":
		w.engine.note(answer.Detail)
	default:
		w.engine.note(fmt.Sprintf("the model's answer was %s", answer.Outcome))
	}
	return answer, err
}

// watchedParser notes when the parser does not answer, and is not waited for when it never came up.
type watchedParser struct {
	review.Parser
	up     atomic.Bool
	engine *localEngine
}

var errNoParser = errors.New("the parser did not start")

// Analyze implements review.Parser.
func (w *watchedParser) Analyze(ctx context.Context, sources []syntax.Source) ([]syntax.Analysis, error) {
	if !w.up.Load() {
		w.engine.note(errNoParser.Error())
		return nil, errNoParser
	}
	answers, err := w.Parser.Analyze(ctx, sources)
	if err != nil {
		w.engine.note("the parser did not answer: " + err.Error())
	}
	return answers, err
}

// CheckSuggestion implements review.Parser.
func (w *watchedParser) CheckSuggestion(ctx context.Context, source syntax.Source, start, end int, replacement string) (syntax.Verdict, string, error) {
	if !w.up.Load() {
		return syntax.VerdictUnknown, replacement, errNoParser
	}
	return w.Parser.CheckSuggestion(ctx, source, start, end, replacement)
}
