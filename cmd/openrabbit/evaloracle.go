package main

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/eval"
	"github.com/openrabbit/openrabbit/internal/review"
)

// oracleModel reports the golden comments of the files it is shown, and for each an invented one whose quoted code stands
// nowhere. As a verifier it keeps everything. It measures the filters, not a model.
type oracleModel struct {
	source *local
	golden []oracleClaim
	// invented are the bodies of what it made up.
	invented map[string]bool
}

// oracleClaim is a golden comment with the code that it is about.
type oracleClaim struct {
	path, quote string
	start, end  int
	body        string
	// lie is the quote of its invented companion.
	lie string
}

var _ review.Model = (*oracleModel)(nil)

func newOracle(c *evalCase) *oracleModel {
	m := &oracleModel{source: &c.source, invented: map[string]bool{}}
	for i, g := range c.pull.Golden {
		claim, ok := m.claim(g)
		if !ok {
			continue
		}
		claim.body = strings.TrimSpace(g.Text)
		claim.lie = m.lie(claim, i)
		m.golden = append(m.golden, claim)
	}
	return m
}

// claim finds the code of a golden comment: its lines, or where it has none, the added line that shares most words with it.
func (m *oracleModel) claim(g eval.Golden) (oracleClaim, bool) {
	d := &m.source.change.Diff
	if g.Placed() {
		a := diff.Anchor{Path: g.Path, Side: g.Side, Start: g.Start, End: g.End}
		lines := d.Text(a)
		if lines == nil {
			content, err := m.source.files.Read(context.Background(), g.Side, g.Path)
			if all := strings.Split(string(content), "\n"); err == nil && g.End <= len(all) {
				lines = all[g.Start-1 : g.End]
			}
		}
		text := strings.Join(lines, "\n")
		return oracleClaim{path: g.Path, quote: text, start: g.Start, end: g.End}, strings.TrimSpace(text) != ""
	}
	words := map[string]bool{}
	for _, w := range identifier.FindAllString(g.Text, -1) {
		words[w] = true
	}
	var best oracleClaim
	most := 0
	for i := range d.Files {
		for _, l := range d.Files[i].NewLines() {
			n := 0
			for _, w := range identifier.FindAllString(l.Text, -1) {
				if words[w] {
					n += len(w)
				}
			}
			if n > most {
				most, best = n, oracleClaim{path: d.Files[i].Path(), quote: l.Text, start: l.New, end: l.New}
			}
		}
	}
	return best, most > 0
}

var identifier = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]{2,}`)

// lie makes a line of the file's own words that stands nowhere in it.
func (m *oracleModel) lie(c oracleClaim, i int) string {
	names := identifier.FindAllString(c.quote, -1)
	names = append(names, "session", "account")
	h := fnv.New32a()
	fmt.Fprint(h, c.path, c.quote, i)
	pick := func(n uint32) string { return names[int((h.Sum32()/n)%uint32(len(names)))] }
	forms := []string{
		"if (%s.revoke(%s, %q)) {",
		"%s = await retry(%s, { attempts: 9, label: %q });",
		"for _, leftover := range %s.Drain(%s, %q) {",
		"return %s.unsafeMerge(%s, %q)",
	}
	return fmt.Sprintf(forms[i%len(forms)], pick(1), pick(7), fmt.Sprintf("invented-%d", i))
}

// Available implements review.Model.
func (m *oracleModel) Available(context.Context) (bool, string) { return true, "" }

// Ask implements review.Model.
func (m *oracleModel) Ask(_ context.Context, q review.ModelRequest) (review.ModelAnswer, error) {
	var content any
	switch q.SchemaName {
	case "findings":
		content = map[string]any{"findings": m.report(q.Messages[len(q.Messages)-1].Content)}
	case "verdict":
		content = map[string]any{"verdict": "keep", "severity": nil, "quote": "", "reason": "It holds."}
	default:
		content = map[string]any{"summary": "A change.", "changes": []any{}, "risk": ""}
	}
	text, err := json.Marshal(content)
	return review.ModelAnswer{Outcome: review.OutcomeOK, Content: string(text), Model: "oracle"}, err
}

func (m *oracleModel) report(prompt string) []map[string]any {
	list := []map[string]any{}
	for i, c := range m.golden {
		if !strings.Contains(prompt, "\npath: "+c.path+"\n") {
			continue
		}
		title, _, _ := strings.Cut(c.body, ". ")
		title, _, _ = strings.Cut(title, "\n")
		entry := map[string]any{"path": c.path, "quote": c.quote, "start_line": c.start, "end_line": c.end, "severity": "medium", "category": "bug",
			"title": title, "body": c.body, "suggestion": nil, "confidence": 0.8}
		lie := map[string]any{"path": c.path, "quote": c.lie, "start_line": c.start, "end_line": c.end, "severity": "high", "category": "security",
			"title": fmt.Sprintf("Invented defect %d", i), "body": fmt.Sprintf("Invented: %s", c.lie), "suggestion": nil, "confidence": 0.99}
		list = append(list, lie, entry)
	}
	return list
}

// count says what survived to the review.
func (m *oracleModel) count(row *evalRow, result *review.Result) {
	row.Real, row.Invented = len(m.golden), len(m.golden)
	for _, c := range m.golden {
		if m.survived(c, result) {
			row.Kept++
		}
	}
	for i := range result.Findings {
		if strings.HasPrefix(result.Findings[i].Title, "Invented defect") {
			row.Slipped++
		}
	}
}

func (m *oracleModel) survived(c oracleClaim, result *review.Result) bool {
	for i := range result.Findings {
		if f := &result.Findings[i]; f.Path == c.path && strings.HasPrefix(c.body, strings.TrimSuffix(f.Body, "…")) {
			return true
		}
	}
	return false
}
