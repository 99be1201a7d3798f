package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/eval"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/llmsvc"
)

// evalFlags are what `openrabbit eval` was asked for.
type evalFlags struct {
	dir, checkouts, surroundings string
	record, replay, write        string
	model, repository, format    string
	only                         string
	depth                        string
	tokens                       string
	verbose                      bool
}

func parseEvalFlags(args []string) (evalFlags, error) {
	var f evalFlags
	flags := newFlags("eval", "Reviews a folder of pull requests and measures the reviews against what people said. usage: openrabbit eval [flags] DIR\n"+
		"DIR/ID/pr.diff is a diff, DIR/ID/pr.json has title, base, head and `golden` comments (comment or note; path, side, from_line,\n"+
		"to_line where they have a place). With a key set, a model judges which findings say what a golden comment says; without one,\n"+
		"findings count by where they stand, and golden comments without a place are left out.")
	flags.StringVar(&f.checkouts, "checkouts", "", "a folder with a git repository for each ID, whose tags or commits base and head are the two sides")
	flags.StringVar(&f.surroundings, "surroundings", "", "a folder with ID.json: definitions that a pull request uses; the share of them in the prompts is told")
	flags.StringVar(&f.model, "model", "live", "live, none, silent (finds nothing: for measuring prompts), or oracle (says the golden comments and as many invented ones)")
	flags.StringVar(&f.record, "record", "", "a folder in which the model's answers are kept")
	flags.StringVar(&f.replay, "replay", "", "a folder from which answers are taken; a question that is not there has no answer")
	flags.StringVar(&f.write, "write", "", "a folder in which each review is written as ID.md")
	flags.StringVar(&f.repository, "repository", "search", "what the engine may know of the rest of a checkout: none, list (names of files) or search (names in files)")
	flags.StringVar(&f.only, "only", "", "IDs, with commas")
	flags.StringVar(&f.depth, "depth", "", "quick, standard or deep")
	flags.StringVar(&f.tokens, "prompt-tokens", "", "tokens of a prompt; several with commas are measured one after the other")
	flags.StringVar(&f.format, "format", "text", "text, markdown or json")
	flags.BoolVar(&f.verbose, "v", false, "list findings, and definitions that no prompt shows")
	words, err := parse(flags, args, 1)
	if err != nil {
		return f, err
	}
	if len(words) != 1 {
		return f, usageError{"openrabbit eval: give the folder of pull requests"}
	}
	f.dir = words[0]
	for _, choice := range []struct{ name, value, from string }{
		{"model", f.model, "live none silent oracle"}, {"repository", f.repository, "none list search"}, {"format", f.format, "text markdown json"},
	} {
		if !slices.Contains(strings.Fields(choice.from), choice.value) {
			return f, usageError{fmt.Sprintf("openrabbit eval: --%s %q: want one of %s", choice.name, choice.value, choice.from)}
		}
	}
	if f.depth != "" && !slices.Contains(review.Depths(), review.Depth(f.depth)) {
		return f, usageError{fmt.Sprintf("openrabbit eval: --depth %q: want quick, standard or deep", f.depth)}
	}
	if f.record != "" && f.replay != "" {
		return f, usageError{"openrabbit eval: --record and --replay exclude each other"}
	}
	return f, nil
}

// budgets reads --prompt-tokens.
func (f evalFlags) budgets() ([]int, error) {
	if f.tokens == "" {
		return []int{0}, nil
	}
	var list []int
	for _, word := range strings.Split(f.tokens, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 1000 {
			return nil, usageError{fmt.Sprintf("openrabbit eval: --prompt-tokens %q: want numbers of at least 1000", f.tokens)}
		}
		list = append(list, n)
	}
	return list, nil
}

// evalCase is one pull request to review.
type evalCase struct {
	id          string
	pull        eval.Pull
	source      local
	definitions []eval.Definition
}

// evalRow is what came of one pull request.
type evalRow struct {
	ID           string         `json:"id"`
	Files        int            `json:"files"`
	Findings     int            `json:"findings"`
	Comments     int            `json:"comments"`
	Golden       int            `json:"golden"`
	Hit          int            `json:"hit"`
	Judged       string         `json:"judged"`
	Prompts      int            `json:"finder_prompts"`
	PromptTokens int            `json:"prompt_tokens"`
	Largest      int            `json:"largest_prompt"`
	Definitions  int            `json:"definitions"`
	Included     int            `json:"included"`
	Usage        review.Usage   `json:"usage"`
	Seconds      float64        `json:"seconds"`
	Omissions    int            `json:"omissions"`
	Partial      string         `json:"partial,omitempty"`
	Dropped      map[string]int `json:"dropped,omitempty"`
	Real         int            `json:"oracle_real,omitempty"`
	Kept         int            `json:"oracle_kept,omitempty"`
	Invented     int            `json:"oracle_invented,omitempty"`
	Slipped      int            `json:"oracle_slipped,omitempty"`
}

func runEval(ctx context.Context, p process, args []string) error {
	f, err := parseEvalFlags(args)
	if err != nil {
		return err
	}
	budgets, err := f.budgets()
	if err != nil {
		return err
	}
	env := config.FromMap(p.env)
	llm := llmsvc.ConfigFromEnv(env)
	if err := env.Err(); err != nil {
		return err
	}
	cases, err := f.cases(ctx)
	if err != nil {
		return usageError{"openrabbit eval: " + err.Error()}
	}
	if len(cases) == 0 {
		return usageError{fmt.Sprintf("openrabbit eval: no pull requests in %s (DIR/ID/pr.diff and pr.json)", f.dir)}
	}
	e := localEngine{llm: llm, stderr: p.stderr}
	return e.with(ctx, func(ctx context.Context, deps review.Deps) error {
		for _, budget := range budgets {
			rows, err := f.round(ctx, p, deps, cases, budget)
			if err != nil {
				return err
			}
			if err := f.print(p.stdout, budget, rows); err != nil {
				return fmt.Errorf("print the evaluation: %w", err)
			}
		}
		return nil
	})
}

// cases reads the folder.
func (f evalFlags) cases(ctx context.Context) ([]evalCase, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	var only []string
	if f.only != "" {
		only = strings.Split(f.only, ",")
	}
	var list []evalCase
	for _, entry := range entries {
		id := entry.Name()
		if !entry.IsDir() || only != nil && !slices.Contains(only, id) {
			continue
		}
		c, err := f.load(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		list = append(list, c)
	}
	return list, nil
}

func (f evalFlags) load(ctx context.Context, id string) (evalCase, error) {
	c := evalCase{id: id}
	text, err := os.ReadFile(filepath.Join(f.dir, id, "pr.json"))
	if err != nil {
		return c, err
	}
	if c.pull, err = eval.ParsePull(text); err != nil {
		return c, err
	}
	patch, err := os.Open(filepath.Join(f.dir, id, "pr.diff"))
	if err != nil {
		return c, err
	}
	defer patch.Close()
	d, err := diff.Parse(patch, diff.Limits{})
	if err != nil {
		return c, err
	}
	c.source = local{files: noFiles{}, change: review.Change{Repository: "eval/" + id, Title: c.pull.Title, Base: c.pull.Base, Head: c.pull.Head, Diff: d}}
	if f.surroundings != "" {
		text, err := os.ReadFile(filepath.Join(f.surroundings, id+".json"))
		if err == nil {
			c.definitions, err = eval.ParseSurroundings(text)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // not every pull request has one
			return c, err
		}
	}
	if f.checkouts == "" {
		return c, nil
	}
	files := gitFiles{root: filepath.Join(f.checkouts, id)}
	if files.base, err = anyCommit(ctx, files.root, "base", c.pull.Base); err != nil {
		return c, err
	}
	if files.head, err = anyCommit(ctx, files.root, "head", c.pull.Head); err != nil {
		return c, err
	}
	switch f.repository {
	case "none":
		c.source.files = onlyRead{files}
	case "list":
		c.source.files = onlyList{onlyRead{files}, files}
	default:
		c.source.files = files
	}
	return c, nil
}

// anyCommit gives the first of some names that is a commit.
func anyCommit(ctx context.Context, root string, names ...string) (sha string, err error) {
	for _, name := range names {
		if sha, err = commit(ctx, root, name); err == nil {
			return sha, nil
		}
	}
	return "", err
}

// onlyRead hides what a checkout knows besides the files that are asked for.
type onlyRead struct{ review.Files }

// onlyList hides that a checkout can be searched.
type onlyList struct {
	review.Files
	review.Tree
}

// round reviews all pull requests once.
func (f evalFlags) round(ctx context.Context, p process, deps review.Deps, cases []evalCase, budget int) ([]evalRow, error) {
	var rows []evalRow
	for _, c := range cases {
		asked := &evalModel{inner: deps.Model, record: f.record, replay: f.replay}
		var oracle *oracleModel
		switch f.model {
		case "none":
			asked.off = "eval --model none"
		case "silent":
			asked.inner = silentModel{}
		case "oracle":
			oracle = newOracle(&c)
			asked.inner = oracle
		}
		deps := deps
		deps.Model = asked
		engine, err := review.NewEngine(deps)
		if err != nil {
			return nil, err
		}
		options := review.Options{PromptTokens: budget, Depth: review.Depth(f.depth)}
		begun := time.Now()
		result, err := engine.Run(ctx, c.source.change, c.source.files, options, nil)
		if err != nil {
			return nil, fmt.Errorf("review %s: %w", c.id, err)
		}
		row := evalRow{ID: c.id, Files: result.FilesReviewed, Findings: len(result.Findings), Usage: result.Usage, Dropped: result.Dropped,
			Seconds: time.Since(begun).Seconds(), Omissions: len(result.Omissions), Partial: result.PartialReason, Definitions: len(c.definitions)}
		for i := range result.Findings {
			if result.Findings[i].Anchored() && row.Comments < result.MaxComments {
				row.Comments++
			}
		}
		prompts := asked.prompts(&row)
		row.Included = eval.Included(c.definitions, prompts)
		if err := f.score(ctx, deps.Model, &row, c, result); err != nil {
			return nil, err
		}
		if oracle != nil {
			oracle.count(&row, result)
		}
		if f.write != "" {
			if err := f.keep(c, result); err != nil {
				return nil, err
			}
		}
		if f.verbose {
			f.tell(p.stderr, c, result, prompts, oracle)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// score pairs findings with golden comments: by a model's judgement where a live one is there, else by location.
func (f evalFlags) score(ctx context.Context, model review.Model, row *evalRow, c evalCase, result *review.Result) error {
	pairs, placedOnly := eval.ByLocation(c.pull.Golden, result.Findings), true
	row.Judged = "location"
	if f.model == "live" {
		judged, ok, err := judge(ctx, model, c.pull.Golden, result.Findings)
		if err != nil {
			return err
		}
		if ok {
			pairs, placedOnly, row.Judged = judged, false, "model"
		}
	}
	s := eval.Count(c.pull.Golden, result.Findings, pairs, placedOnly)
	row.Golden, row.Hit = s.Golden, s.Hit
	return nil
}

// keep writes a review as markdown.
func (f evalFlags) keep(c evalCase, result *review.Result) error {
	if err := os.MkdirAll(f.write, 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(f.write, c.id+".md"))
	if err != nil {
		return err
	}
	meta := render.Meta{Repository: cmp.Or(c.pull.Repository, "eval/"+c.id), Head: c.pull.Head, State: result.State()}
	if err := writeMarkdown(file, &c.source.change.Diff, result, meta); err != nil {
		_ = file.Close()
		return fmt.Errorf("write %s: %w", file.Name(), err)
	}
	return file.Close()
}

// writeJSONFile writes a value for a later run.
func writeJSONFile(name string, value any) error {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o600)
}
