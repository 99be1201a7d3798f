package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/repoconfig"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/rpc"
	"github.com/openrabbit/openrabbit/internal/secrets"
	"github.com/openrabbit/openrabbit/internal/telemetry"
	"github.com/openrabbit/openrabbit/llmsvc"
	"github.com/openrabbit/openrabbit/orchestrator"
)

// reviewFlags are what `openrabbit review` was asked for.
type reviewFlags struct {
	base, commits, diff, url string
	format, failOn           string
	post, quiet              bool
}

func parseReviewFlags(args []string) (reviewFlags, error) {
	var f reviewFlags
	flags := newFlags("review", "Reviews a change without the services and prints it. usage: openrabbit review [flags] [PULL-REQUEST-URL]\n"+
		"Without a URL and without --range or --diff: the change from where HEAD left --base to the working tree.\n"+
		"The model is that of OPENAI_API_KEY or OPENAI_BASE_URL; without one, what can be known without a model is printed.\n"+
		"A pull request is read with GITHUB_TOKEN, and nothing is posted there unless --post is given.")
	flags.StringVar(&f.base, "base", "main", "the branch that the change will go into")
	flags.StringVar(&f.commits, "range", "", "a..b: from commit a to commit b; a...b: from where they parted to b")
	flags.StringVar(&f.diff, "diff", "", "a file with a unified diff, or - for standard input")
	flags.StringVar(&f.format, "format", "text", "text, markdown, json or sarif")
	flags.StringVar(&f.failOn, "fail-on", "", "exit with 1 when there is a finding of this severity or worse: info, low, medium, high or critical")
	flags.BoolVar(&f.post, "post", false, "post the review on the pull request")
	flags.BoolVar(&f.quiet, "quiet", false, "print no progress")
	words, err := parse(flags, args, 1)
	if err != nil {
		return f, err
	}
	if len(words) == 1 {
		f.url = words[0]
	}
	sources := 0
	for _, given := range []bool{f.commits != "", f.diff != "", f.url != "", isSet(flags, "base")} {
		if given {
			sources++
		}
	}
	switch {
	case sources > 1:
		return f, usageError{"openrabbit review: give one of --base, --range, --diff and a pull request's URL"}
	case f.post && f.url == "":
		return f, usageError{"openrabbit review: --post needs a pull request's URL"}
	}
	switch f.format {
	case "text", "markdown", "json", "sarif":
	default:
		return f, usageError{fmt.Sprintf("openrabbit review: --format %q: want text, markdown, json or sarif", f.format)}
	}
	if f.failOn != "" {
		if _, err := finding.ParseSeverity(f.failOn); err != nil {
			return f, usageError{"openrabbit review: --fail-on: " + err.Error()}
		}
	}
	return f, nil
}

func isSet(flags *flag.FlagSet, name string) bool {
	set := false
	flags.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

func runReview(ctx context.Context, args []string) error {
	f, err := parseReviewFlags(args)
	if err != nil {
		return err
	}
	env := config.FromOS()
	remote, source, err := f.source(ctx, env)
	if err != nil {
		return err
	}
	if len(source.change.Diff.Files) == 0 {
		fmt.Fprintln(os.Stderr, "nothing has changed")
		return nil
	}
	repo, problems := repoconfig.Default(), []repoconfig.Problem(nil)
	if source.config != nil {
		repo, problems = repoconfig.Parse(source.config)
	}
	for _, p := range problems {
		fmt.Fprintf(os.Stderr, "%s:%d: %s\n", configName, p.Line, p.Message)
	}
	result, err := f.review(ctx, env, source, repo.Options())
	if err != nil {
		return err
	}
	meta := render.Meta{Repository: source.change.Repository, Number: source.change.Number, Head: source.change.Head, State: result.State()}
	for _, p := range problems {
		meta.ConfigProblems = append(meta.ConfigProblems, render.ConfigProblem{Line: p.Line, Message: p.Message, Fatal: p.Fatal})
	}
	if err := f.write(os.Stdout, source, result, meta); err != nil {
		return err
	}
	if f.post {
		if err := remote.post(ctx, result, meta); err != nil {
			return lifecycle.Dependency("GitHub", err)
		}
	}
	return f.verdict(result)
}

// source finds the change that was asked for. remote is nil for one on this machine.
func (f reviewFlags) source(ctx context.Context, env *config.Env) (*remotePullRequest, local, error) {
	switch {
	case f.url != "":
		remote, err := openPullRequest(ctx, env, f.url)
		if err != nil {
			return nil, local{}, err
		}
		return remote, remote.local, nil
	case f.diff != "":
		source, err := fromDiff(f.diff, os.Stdin)
		return nil, source, wrong(err)
	case f.commits != "":
		source, err := fromRange(ctx, ".", f.commits)
		return nil, source, wrong(err)
	default:
		source, err := fromBase(ctx, ".", f.base)
		return nil, source, wrong(err)
	}
}

// wrong makes an error of what the user named one of usage.
func wrong(err error) error {
	if err == nil {
		return nil
	}
	return usageError{"openrabbit review: " + err.Error()}
}

// review runs the engine with a parser as a child process and the model tier in this one, both on sockets that only this
// user can reach.
func (f reviewFlags) review(ctx context.Context, env *config.Env, source local, options review.Options) (*review.Result, error) {
	llm := llmsvc.ConfigFromEnv(env)
	level := "error"
	if err := env.Err(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "openrabbit-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := telemetry.NewLogger(os.Stderr, "text", telemetry.ParseLevel(level))

	parserAddr := "unix://" + filepath.Join(dir, "parser.sock")
	child, err := newParserChild(parserAddr, map[string]string{"OPENRABBIT_PARSER_ADMIN_ADDR": "off", "OPENRABBIT_LOG_LEVEL": level}, os.Stderr, log)
	if err != nil {
		return nil, err
	}
	defer child.conn.Close()
	llm.Addr, llm.AdminAddr = "unix://"+filepath.Join(dir, "llm.sock"), "off"
	tier, err := llmsvc.New(llm, llmsvc.Deps{Log: log, Registry: telemetry.NewRegistry("llmsvc")})
	if err != nil {
		return nil, err
	}
	modelConn, err := rpc.Dial(llm.Addr, rpc.ClientConfig{Name: "llmsvc", WaitForReady: true})
	if err != nil {
		return nil, err
	}
	defer modelConn.Close()
	scanner, err := secrets.New()
	if err != nil {
		return nil, err
	}
	engine, err := review.NewEngine(review.Deps{Parser: orchestrator.NewParserClient(child.conn),
		Model: orchestrator.NewModelClient(modelConn), Secrets: scanner, Log: log})
	if err != nil {
		return nil, err
	}
	var result *review.Result
	err = lifecycle.Run(ctx, log,
		lifecycle.Service{Name: "parsersvc", Run: child.Run},
		lifecycle.Service{Name: "llmsvc", Run: tier.Run},
		lifecycle.Service{Name: "review", Run: func(ctx context.Context, ready func()) (err error) {
			ready()
			result, err = engine.Run(ctx, source.change, source.files, options, f.progress(os.Stderr))
			cancel()
			return err
		}})
	if result != nil {
		return result, nil
	}
	return nil, err
}

// progress tells each stage on standard error as it begins.
func (f reviewFlags) progress(w io.Writer) review.Progress {
	last, begun := review.Stage(""), time.Now()
	return func(_ context.Context, stage review.Stage, _, total int) error {
		if f.quiet || stage == last {
			return nil
		}
		last = stage
		fmt.Fprintf(w, "%6.1fs %s (%d)\n", time.Since(begun).Seconds(), stage, total)
		return nil
	}
}

func (f reviewFlags) write(w io.Writer, source local, result *review.Result, meta render.Meta) error {
	switch f.format {
	case "json":
		return writeJSON(w, result)
	case "sarif":
		return writeSARIF(w, result)
	case "markdown":
		// On a terminal nothing stands beside lines: all findings are told in the one text.
		all := *result
		for i := range result.Findings {
			meta.Refused = append(meta.Refused, result.Findings[i].Fingerprint)
		}
		_, err := io.WriteString(w, render.Walkthrough{Meta: meta, Result: &all}.Render())
		return err
	default:
		_, err := io.WriteString(w, render.Terminal(&source.change.Diff, result, render.TerminalOptions{Color: colors(w)}))
		return err
	}
}

// colors says whether w is a terminal that shows them.
func colors(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// errFailOn ends the command with 1.
var errFailOn = errors.New("findings at or above --fail-on")

// verdict is the exit: findings at or above --fail-on, a model that failed, or nothing.
func (f reviewFlags) verdict(result *review.Result) error {
	if f.failOn != "" {
		least, err := finding.ParseSeverity(f.failOn)
		if err != nil {
			return err
		}
		n := 0
		for i := range result.Findings {
			if result.Findings[i].Severity >= least {
				n++
			}
		}
		if n > 0 {
			return fmt.Errorf("%d %w %s", n, errFailOn, least)
		}
	}
	if result.Partial && result.PartialReason != review.ReasonNoModel {
		return lifecycle.Dependency("review", fmt.Errorf("only part was reviewed: %s", result.PartialReason))
	}
	return nil
}
