package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/openrabbit/openrabbit/internal/eval"
	"github.com/openrabbit/openrabbit/internal/review"
)

// evalTotal adds rows up.
func evalTotal(rows []evalRow) (total evalRow, score eval.Score) {
	total = evalRow{ID: "all", Dropped: map[string]int{}, Judged: "location"}
	for _, r := range rows {
		total.Files += r.Files
		total.Findings += r.Findings
		total.Comments += r.Comments
		total.Golden += r.Golden
		total.Hit += r.Hit
		total.Prompts += r.Prompts
		total.PromptTokens += r.PromptTokens
		total.Largest = max(total.Largest, r.Largest)
		total.Definitions += r.Definitions
		total.Included += r.Included
		total.Usage.Add(r.Usage)
		total.Seconds += r.Seconds
		total.Omissions += r.Omissions
		total.Real += r.Real
		total.Kept += r.Kept
		total.Invented += r.Invented
		total.Slipped += r.Slipped
		for why, n := range r.Dropped {
			total.Dropped[why] += n
		}
		if r.Judged == "model" {
			total.Judged = "model"
		}
	}
	return total, eval.Score{Golden: total.Golden, Hit: total.Hit, Found: total.Findings}
}

// print writes the rows of one round and what they come to.
func (f evalFlags) print(w io.Writer, budget int, rows []evalRow) error {
	total, score := evalTotal(rows)
	if f.format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", " ")
		return encoder.Encode(map[string]any{"prompt_tokens": budget, "pulls": rows, "all": total,
			"precision": score.Precision(), "recall": score.Recall(), "f1": score.F1()})
	}
	if budget > 0 {
		fmt.Fprintf(w, "prompts of at most %d tokens\n", budget)
	}
	head := []string{"pull request", "files", "findings", "hit/golden", "prompts", "tokens", "largest", "definitions shown", "omissions", "seconds"}
	line := func(r evalRow) []string {
		return []string{r.ID, fmt.Sprint(r.Files), fmt.Sprint(r.Findings), fmt.Sprintf("%d/%d", r.Hit, r.Golden), fmt.Sprint(r.Prompts),
			fmt.Sprint(r.PromptTokens), fmt.Sprint(r.Largest), fmt.Sprintf("%d/%d", r.Included, r.Definitions), fmt.Sprint(r.Omissions), fmt.Sprintf("%.1f", r.Seconds)}
	}
	lines := [][]string{head}
	for _, r := range rows {
		lines = append(lines, line(r))
	}
	lines = append(lines, line(total))
	if f.format == "markdown" {
		for i, cells := range lines {
			fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
			if i == 0 {
				fmt.Fprintln(w, strings.Repeat("|---", len(cells))+"|")
			}
		}
	} else {
		table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		for _, cells := range lines {
			fmt.Fprintln(table, strings.Join(cells, "\t"))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "\n"+summary(total, score, len(rows)))
	return err
}

func summary(total evalRow, score eval.Score, pulls int) string {
	var b strings.Builder
	how := "by location; golden comments without a place are left out"
	if total.Judged == "model" {
		how = "as a model judges"
	}
	fmt.Fprintf(&b, "precision %.3f, recall %.3f, F1 %.3f (%s); %.1f comments a pull request\n",
		score.Precision(), score.Recall(), score.F1(), how, float64(total.Comments)/float64(max(pulls, 1)))
	fmt.Fprintf(&b, "%d calls, %d tokens in and %d out", total.Usage.Calls, total.Usage.InputTokens, total.Usage.OutputTokens)
	if total.Usage.CostMicros > 0 {
		fmt.Fprintf(&b, ", $%.4f", float64(total.Usage.CostMicros)/1e6)
	}
	fmt.Fprintf(&b, "; %.1f s a pull request\n", total.Seconds/float64(max(pulls, 1)))
	if total.Definitions > 0 {
		fmt.Fprintf(&b, "%d of %d definitions that a change uses stand in a prompt beside their use (%.0f %%)\n",
			total.Included, total.Definitions, 100*float64(total.Included)/float64(total.Definitions))
	}
	if total.Real > 0 {
		fmt.Fprintf(&b, "oracle: %d of %d real comments survived (%.1f %%), %d of %d invented ones\n",
			total.Kept, total.Real, 100*float64(total.Kept)/float64(total.Real), total.Slipped, total.Invented)
	}
	if words := cutWords(total.Dropped); words != "" {
		b.WriteString("cut: " + words + "\n")
	}
	return b.String()
}

// cutWords lists how many candidates were cut, by why.
func cutWords(dropped map[string]int) string {
	var words []string
	for _, why := range slices.Sorted(maps.Keys(dropped)) {
		words = append(words, fmt.Sprintf("%d %s", dropped[why], why))
	}
	return strings.Join(words, ", ")
}

// tell lists what a table has no room for.
func (f evalFlags) tell(w io.Writer, c evalCase, result *review.Result, prompts []eval.Shown, oracle *oracleModel) {
	for i := range result.Findings {
		x := &result.Findings[i]
		where := x.Path
		if x.Anchored() {
			where = x.Anchor.String()
		}
		fmt.Fprintf(w, "%s: %s %s %s %s\n", c.id, where, x.Severity, x.Rule, x.Title)
		if x.Rule != "" {
			fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(x.Body, "\n", "\n    "))
		}
	}
	for _, d := range eval.Missing(c.definitions, prompts) {
		fmt.Fprintf(w, "%s: not shown: %s at %s:%d\n", c.id, d.Symbol, d.Path, d.Line)
	}
	if oracle == nil {
		return
	}
	for _, claim := range oracle.golden {
		if !oracle.survived(claim, result) {
			fmt.Fprintf(w, "%s: lost: %s:%d %.100q\n", c.id, claim.path, claim.start, claim.body)
		}
	}
}
