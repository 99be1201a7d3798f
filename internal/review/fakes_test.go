package review_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

// tree is a repository at one end of a change.
type tree map[string]string

// between makes the change from one tree to another.
func between(t testing.TB, old, new tree) (review.Change, *fakeFiles) {
	t.Helper()
	var names []string
	for p := range old {
		names = append(names, p)
	}
	for p := range new {
		names = append(names, p)
	}
	slices.Sort(names)
	var text strings.Builder
	for _, p := range slices.Compact(names) {
		before, had := old[p]
		after, has := new[p]
		if before == after && had == has {
			continue
		}
		fmt.Fprintf(&text, "diff --git a/%s b/%s\n", p, p)
		from, to := "a/"+p, "b/"+p
		if !had {
			text.WriteString("new file mode 100644\n")
			from = "/dev/null"
		}
		if !has {
			text.WriteString("deleted file mode 100644\n")
			to = "/dev/null"
		}
		text.WriteString(unified(from, to, before, after))
	}
	return parseChange(t, text.String()), &fakeFiles{old: old, new: new}
}

// unified compares two texts by their longest common lines, with three lines of context.
func unified(from, to, before, after string) string {
	a, b := strings.SplitAfter(before, "\n"), strings.SplitAfter(after, "\n")
	a, b = a[:len(a)-1], b[:len(b)-1] // all texts here end with a newline
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	type line struct {
		text     string
		old, new int // how many lines stand before it on each side
		changed  bool
	}
	var lines []line
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			lines = append(lines, line{" " + a[i], i, j, false})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			lines = append(lines, line{"-" + a[i], i, j, true})
			i++
		default:
			lines = append(lines, line{"+" + b[j], i, j, true})
			j++
		}
	}
	if len(lines) == 0 {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", from, to)
	for i := 0; i < len(lines); {
		if !lines[i].changed {
			i++
			continue
		}
		first, last := max(0, i-3), i
		for k := i; k < len(lines) && k <= last+6; k++ {
			if lines[k].changed {
				last = k
			}
		}
		end := min(len(lines), last+4)
		var olds, news int
		var text strings.Builder
		for _, l := range lines[first:end] {
			text.WriteString(l.text)
			if l.text[0] != '+' {
				olds++
			}
			if l.text[0] != '-' {
				news++
			}
		}
		start := func(before, n int) int { return before + min(n, 1) }
		fmt.Fprintf(&out, "@@ -%d,%d +%d,%d @@\n%s", start(lines[first].old, olds), olds, start(lines[first].new, news), news, text.String())
		i = end
	}
	return out.String()
}

func parseChange(t testing.TB, text string) review.Change {
	t.Helper()
	d, err := diff.Parse(strings.NewReader(text), diff.Limits{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return review.Change{Repository: "acme/shop", Number: 7, Title: "Reserve the whole order", Description: "Closes #6.", Author: "somebody", Base: "base", Head: "head", Diff: d}
}

// fakeFiles reads from two trees.
type fakeFiles struct {
	old, new tree
	err      error
}

func (f *fakeFiles) Read(_ context.Context, side diff.Side, path string) ([]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	from := f.new
	if side == diff.Old {
		from = f.old
	}
	if text, ok := from[path]; ok {
		return []byte(text), nil
	}
	return nil, nil
}

// fakeParser knows two languages, .go and .kt, and of them functions that begin with "func name(" in the first column
// and end with "}" there, the calls in them, and one syntax error: the word SYNTAX.
type fakeParser struct {
	err    error
	status map[string]syntax.Status
	mu     sync.Mutex
	checks []string
}

var (
	fakeFunc   = regexp.MustCompile(`^func (\w+)\(`)
	fakeCall   = regexp.MustCompile(`(?:(\w+)\.)?(\w+)\(`)
	fakeImport = regexp.MustCompile(`^import "(.+)"$`)
)

func (p *fakeParser) Analyze(_ context.Context, sources []syntax.Source) ([]syntax.Analysis, error) {
	if p.err != nil {
		return nil, p.err
	}
	list := make([]syntax.Analysis, len(sources))
	for i, s := range sources {
		list[i].Facts = p.outline(s)
	}
	return list, nil
}

func (p *fakeParser) outline(s syntax.Source) syntax.Facts {
	f := syntax.Facts{Path: s.Path, Language: "go", Status: syntax.StatusOK, Generated: bytes.HasPrefix(s.Content, []byte("GENERATED"))}
	if st := p.status[s.Path]; st != "" {
		f.Status = st
		return f
	}
	if !strings.HasSuffix(s.Path, ".go") && !strings.HasSuffix(s.Path, ".kt") {
		f.Language, f.Status = "", syntax.StatusUnsupported
		return f
	}
	open := -1
	for i, line := range strings.Split(string(s.Content), "\n") {
		at := syntax.Range{StartLine: i + 1, EndLine: i + 1, StartByte: i, EndByte: i + 1}
		if m := fakeFunc.FindStringSubmatch(line); m != nil {
			open = len(f.Symbols)
			f.Symbols = append(f.Symbols, syntax.Symbol{Name: m[1], Kind: syntax.Function, Range: at, Signature: strings.TrimSuffix(line, " {"), NameRange: at, Parent: -1, MinArguments: -1, MaxArguments: -1})
		} else if open >= 0 {
			for _, m := range fakeCall.FindAllStringSubmatch(line, -1) {
				f.References = append(f.References, syntax.Reference{Name: m[2], Receiver: m[1], Kind: syntax.Call, Range: at, Enclosing: open, Arguments: -1})
			}
		}
		if m := fakeImport.FindStringSubmatch(line); m != nil {
			f.Imports = append(f.Imports, syntax.Import{Module: m[1], Range: at})
		}
		if line == "}" && open >= 0 {
			f.Symbols[open].Range.EndLine, f.Symbols[open].Range.EndByte = i+1, i+1
			open = -1
		}
		if strings.Contains(line, "SYNTAX") {
			f.Errors = append(f.Errors, syntax.Error{Range: at, Message: "unexpected SYNTAX"})
		}
	}
	return f
}

func (p *fakeParser) CheckSuggestion(_ context.Context, s syntax.Source, start, end int, text string) (syntax.Verdict, string, error) {
	p.mu.Lock()
	p.checks = append(p.checks, fmt.Sprintf("%s %d-%d %q", s.Path, start, end, text))
	p.mu.Unlock()
	switch {
	case strings.Contains(text, "breaks"):
		return syntax.VerdictBreaks, "", nil
	case strings.Contains(text, "reindent"):
		return syntax.VerdictReindented, "\tmended()", nil
	case strings.Contains(text, "unknown"):
		return syntax.VerdictUnknown, "", nil
	case strings.Contains(text, "nochange"):
		return syntax.VerdictNoChange, "", nil
	}
	return syntax.VerdictOK, text, nil
}

// fakeModel answers by a function and remembers what it was asked. Like the ledger in front of a real one, it gives the
// same answer to the same question again without a call.
type fakeModel struct {
	answer func(review.ModelRequest) (review.ModelAnswer, error)
	off    string
	mu     sync.Mutex
	asked  []review.ModelRequest
}

func (m *fakeModel) Available(context.Context) (bool, string) { return m.off == "", m.off }

func (m *fakeModel) Ask(ctx context.Context, q review.ModelRequest) (review.ModelAnswer, error) {
	if err := ctx.Err(); err != nil {
		return review.ModelAnswer{}, err
	}
	m.mu.Lock()
	m.asked = append(m.asked, q)
	m.mu.Unlock()
	return m.answer(q)
}

// requests gives all questions as canonical JSON, sorted: side by side means in any order.
func (m *fakeModel) requests() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	for _, q := range m.asked {
		text, err := json.Marshal(q)
		if err != nil {
			return []string{err.Error()}
		}
		list = append(list, string(text))
	}
	slices.Sort(list)
	return list
}

func (m *fakeModel) of(schema string) []review.ModelRequest {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []review.ModelRequest
	for _, q := range m.asked {
		if q.SchemaName == schema {
			list = append(list, q)
		}
	}
	return list
}

func said(content string) (review.ModelAnswer, error) {
	return review.ModelAnswer{Outcome: review.OutcomeOK, Content: content, Model: "fake-1", Usage: review.Usage{InputTokens: 10, OutputTokens: 5, CostMicros: 3, Calls: 1}}, nil
}

func outcome(o review.Outcome) (review.ModelAnswer, error) {
	return review.ModelAnswer{Outcome: o}, nil
}

// script answers summaries and verdicts as a friendly model would, and findings as it is told.
func script(findings func(q review.ModelRequest) string, verdict func(q review.ModelRequest) string) *fakeModel {
	return &fakeModel{answer: func(q review.ModelRequest) (review.ModelAnswer, error) {
		switch q.SchemaName {
		case "summary":
			return said(`{"summary":"It reserves.","changes":[{"path":"stock.go","what":"Reserves all."},{"path":"no/such.go","what":"x"}],"risk":"Stock."}`)
		case "findings":
			return said(findings(q))
		default:
			return said(verdict(q))
		}
	}}
}

func always(s string) func(review.ModelRequest) string {
	return func(review.ModelRequest) string { return s }
}

const keep = `{"verdict":"keep","severity":null,"quote":"","reason":"r"}`

// one writes a finder's answer with the given entries.
func report(entries ...map[string]any) string {
	list := make([]map[string]any, 0, len(entries))
	for _, e := range entries {
		full := map[string]any{
			"path": "stock.go", "quote": "", "start_line": 0, "end_line": 0, "severity": "high", "category": "bug",
			"title": "A title", "body": "A body.", "suggestion": nil, "confidence": 0.9,
		}
		for k, v := range e {
			full[k] = v
		}
		list = append(list, full)
	}
	text, err := json.Marshal(map[string]any{"findings": list})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// fakeRecall gives what it is told.
type fakeRecall struct {
	found   []review.Snippet
	why     string
	err     error
	hang    bool
	mu      sync.Mutex
	queries [][]string
}

func (r *fakeRecall) Similar(ctx context.Context, queries []string, _ int) ([]review.Snippet, string, error) {
	r.mu.Lock()
	r.queries = append(r.queries, queries)
	r.mu.Unlock()
	if r.hang {
		<-ctx.Done()
		return nil, "", ctx.Err()
	}
	return r.found, r.why, r.err
}

// fakeSecrets finds words that begin with SECRET_, from there to the end of the word, and keys between KEY< and >KEY.
type fakeSecrets struct{}

var fakeSecret = regexp.MustCompile(`(?s)SECRET_\w+|KEY<.*?>KEY`)

func (fakeSecrets) Scan(text string) []review.Secret {
	var list []review.Secret
	for _, m := range fakeSecret.FindAllStringIndex(text, -1) {
		list = append(list, review.Secret{
			Line: 1 + strings.Count(text[:m[0]], "\n"), EndLine: 1 + strings.Count(text[:m[1]], "\n"), Start: m[0], End: m[1],
			Rule: "fake-token", Description: "Uncovered a Fake Token, potentially bad.",
		})
	}
	return list
}

// engine makes an engine of fakes.
func engine(t testing.TB, d review.Deps) *review.Engine {
	t.Helper()
	if d.Parser == nil {
		d.Parser = &fakeParser{}
	}
	if d.Secrets == nil {
		d.Secrets = fakeSecrets{}
	}
	e, err := review.NewEngine(d)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func run(t testing.TB, d review.Deps, c review.Change, f review.Files, o review.Options) *review.Result {
	t.Helper()
	res, err := engine(t, d).Run(t.Context(), c, f, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// at prints where a finding stands.
func at(res *review.Result) string {
	var list []string
	for _, f := range res.Findings {
		s := f.Path
		if f.Anchored() {
			s = f.Anchor.String()
		}
		list = append(list, fmt.Sprintf("%s %s %s", f.Severity, s, f.Title))
	}
	return strings.Join(list, "\n")
}
