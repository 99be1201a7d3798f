package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/repoconfig"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/llmsvc"
)

// reviewFlags are what `openrabbit review` was asked for.
type reviewFlags struct {
	base, commits, diff, url string
	format, failOn, depth    string
	post, quiet              bool
}

func parseReviewFlags(args []string) (reviewFlags, error) {
	var f reviewFlags
	flags := newFlags("review", "Reviews a change without the services and prints it. usage: openrabbit review [flags] [PULL-REQUEST-URL]\n"+
		"Without a URL and without --range or --diff: the change from where HEAD left --base to the working tree, with what is\n"+
		"not committed and without files that git does not track.\n"+
		"The model is that of OPENAI_API_KEY or OPENAI_BASE_URL; without one, what can be known without a model is printed.\n"+
		"A pull request is read with GITHUB_TOKEN, and nothing is posted there unless --post is given.")
	flags.StringVar(&f.base, "base", "", "the branch that the change will go into (default main, or else master)")
	flags.StringVar(&f.commits, "range", "", "a..b: from commit a to commit b; a...b: from where they parted to b")
	flags.StringVar(&f.diff, "diff", "", "a file with a unified diff, or - for standard input")
	flags.StringVar(&f.format, "format", "text", "text, markdown, json or sarif")
	flags.StringVar(&f.failOn, "fail-on", "", "exit with 1 when there is a finding of this severity or worse: info, low, medium, high or critical")
	flags.StringVar(&f.depth, "depth", "", "quick, standard or deep (default: what .openrabbit.yaml says, or standard)")
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
	if f.depth != "" && !slices.Contains(review.Depths(), review.Depth(f.depth)) {
		return f, usageError{fmt.Sprintf("openrabbit review: --depth %q: want quick, standard or deep", f.depth)}
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

func runReview(ctx context.Context, p process, args []string) error {
	f, err := parseReviewFlags(args)
	if err != nil {
		return err
	}
	err = f.run(ctx, p)
	if err != nil && ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

func (f reviewFlags) run(ctx context.Context, p process) error {
	env := config.FromMap(p.env)
	llm := llmsvc.ConfigFromEnv(env)
	remote, source, err := f.source(ctx, p, env)
	if err != nil {
		return err
	}
	if err := env.Err(); err != nil {
		return err
	}
	repo, problems := repoconfig.Default(), []repoconfig.Problem(nil)
	if source.config != nil {
		repo, problems = repoconfig.Parse(source.config)
	}
	for _, problem := range problems {
		fmt.Fprintf(p.stderr, "%s:%d: %s\n", configName, problem.Line, problem.Message)
	}
	options := repo.Options()
	options.Guidelines, err = review.ReadGuidelines(ctx, repo.Reviews.Guidelines, func(ctx context.Context, name string) ([]byte, error) {
		return source.files.Read(ctx, diff.Old, name)
	})
	if err != nil {
		return err
	}
	if f.depth != "" {
		options.Depth = review.Depth(f.depth)
	}
	e := localEngine{llm: llm, stderr: p.stderr, progress: f.progress(p.stderr)}
	result := &review.Result{}
	if len(source.change.Diff.Files) == 0 {
		fmt.Fprintln(p.stderr, "nothing has changed")
	} else if result, err = e.review(ctx, source, options); err != nil {
		return err
	}
	addOmissions(result, source.omissions)
	meta := render.Meta{Repository: source.change.Repository, Number: source.change.Number, Head: source.change.Head, State: result.State()}
	for _, problem := range problems {
		meta.ConfigProblems = append(meta.ConfigProblems, render.ConfigProblem{Line: problem.Line, Message: problem.Message, Fatal: problem.Fatal})
	}
	if err := f.write(p, source, result, meta); err != nil {
		return fmt.Errorf("print the review: %w", err)
	}
	failed := e.failure(result)
	switch {
	case !f.post:
	case failed != nil:
		fmt.Fprintln(p.stderr, "nothing was posted, because only part was reviewed")
	default:
		if err := remote.post(ctx, p.stderr, result, meta); err != nil {
			return lifecycle.Dependency("GitHub", err)
		}
	}
	verdict := f.verdict(result)
	if verdict == nil {
		return failed
	}
	if failed != nil {
		fmt.Fprintln(p.stderr, failed)
	}
	return verdict
}

// addOmissions tells of what was left out before the engine saw the change.
func addOmissions(result *review.Result, omissions []finding.Omission) {
	for _, o := range omissions {
		if !o.Policy && !result.Partial {
			result.Partial, result.PartialReason = true, o.Path+": "+o.Reason
		}
		result.Omissions = append(result.Omissions, o)
	}
}

// source finds the change that was asked for. The pull request is nil for one on this machine.
func (f reviewFlags) source(ctx context.Context, p process, env *config.Env) (*remotePullRequest, local, error) {
	if f.url != "" {
		remote, err := openPullRequest(ctx, env, f.url)
		if err != nil {
			return nil, local{}, err
		}
		return remote, remote.local, nil
	}
	var source local
	var err error
	switch {
	case f.diff != "":
		source, err = fromDiff(ctx, f.diff, p.stdin)
	case f.commits != "":
		source, err = fromRange(ctx, p.dir, f.commits)
	default:
		source, err = fromBase(ctx, p.dir, f.base)
	}
	if err != nil {
		return nil, local{}, usageError{"openrabbit review: " + err.Error()}
	}
	return nil, source, nil
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

// write prints the review. What a format has no place for is told on standard error.
func (f reviewFlags) write(p process, source local, result *review.Result, meta render.Meta) error {
	switch f.format {
	case "json":
		for _, note := range result.Notes {
			fmt.Fprintln(p.stderr, note)
		}
		return writeJSON(p.stdout, result)
	case "sarif":
		return writeSARIF(p.stdout, result)
	case "markdown":
		return writeMarkdown(p.stdout, &source.change.Diff, result, meta)
	default:
		_, err := io.WriteString(p.stdout, render.Terminal(&source.change.Diff, result, render.TerminalOptions{Color: colors(p)}))
		return err
	}
}

// colors says whether standard output is a terminal that shows them.
func colors(p process) bool {
	file, ok := p.stdout.(*os.File)
	if !ok || p.env["NO_COLOR"] != "" || p.env["TERM"] == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// errFailOn ends the command with 1.
var errFailOn = errors.New("--fail-on")

// verdict is an error when there are findings at or above --fail-on.
func (f reviewFlags) verdict(result *review.Result) error {
	if f.failOn == "" {
		return nil
	}
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
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%w %s: %d of %d findings reach it", errFailOn, least, n, len(result.Findings))
}
