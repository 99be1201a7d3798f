package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
)

// config lists the mistakes of the configuration.
func (w Walkthrough) config(b *strings.Builder, r room) {
	if len(w.ConfigProblems) == 0 {
		return
	}
	b.WriteString("🔧 **`.openrabbit.yaml` on the base branch has " + count(len(w.ConfigProblems), "mistake") + "**")
	if slices.ContainsFunc(w.ConfigProblems, func(p ConfigProblem) bool { return p.Fatal }) {
		b.WriteString(" and was not used")
	}
	b.WriteString(":\n\n")
	for i, p := range w.ConfigProblems {
		if i == r.config {
			more(b, len(w.ConfigProblems)-i)
			break
		}
		where := ""
		if p.Line > 0 {
			where = fmt.Sprintf("line %d: ", p.Line)
		}
		b.WriteString("- " + where + line(p.Message, w.Repository, 300, false) + "\n")
	}
	b.WriteString("\n")
}

// more says how many items a list leaves out.
func more(b *strings.Builder, n int) {
	fmt.Fprintf(b, "- … and %d more\n", n)
}

// unplaced tells the findings that have no comment in the diff, in full.
func (w Walkthrough) unplaced(b *strings.Builder, fs []finding.Finding, r room) {
	if len(fs) == 0 {
		return
	}
	b.WriteString("### Outside the diff\n\n")
	for i, f := range fs {
		if i == r.findings {
			fmt.Fprintf(b, "… and %d more.\n\n", len(fs)-i)
			return
		}
		b.WriteString(heading(f, Options{Repository: w.Repository}) + "\n" + place(f) + "\n\n")
		if text := strings.TrimSpace(sanitize(f.Body, w.Repository, r.finding)); text != "" {
			b.WriteString(text + "\n\n")
		}
		if quote := strings.TrimRight(newlines(f.Quote), "\n"); strings.TrimSpace(quote) != "" && len(quote) <= r.finding {
			b.WriteString(fence(quote, "") + "\n")
		}
	}
}

// place writes where a finding is.
func place(f finding.Finding) string {
	if f.Path == "" {
		return ""
	}
	where := codeLine(f.Path, false)
	if f.Anchored() {
		where += " " + lines(f)
	}
	return where
}

// lines writes the lines of an anchored finding.
func lines(f finding.Finding) string {
	if f.Anchor.Start == f.Anchor.End {
		return fmt.Sprintf("line %d", f.Anchor.Start)
	}
	return fmt.Sprintf("lines %d to %d", f.Anchor.Start, f.Anchor.End)
}

// summary tells what the change does.
func (w Walkthrough) summary(b *strings.Builder, r room) {
	text := strings.TrimSpace(sanitize(w.Result.Summary, w.Repository, r.summary))
	if text != "" {
		b.WriteString("### Summary\n\n" + text + "\n\n")
	}
	if risk := line(w.Result.Risk, w.Repository, 500, false); risk != "" {
		b.WriteString("**Risk:** " + risk + "\n\n")
	}
}

// beyond lists the findings over the cap, a line each.
func (w Walkthrough) beyond(b *strings.Builder, fs []finding.Finding, r room) {
	if len(fs) == 0 {
		return
	}
	details(b, count(len(fs), "more finding")+" beyond the cap of comments", func() {
		for i, f := range fs {
			if i == r.beyond {
				more(b, len(fs)-i)
				return
			}
			b.WriteString("- " + badge(f.Severity) + ": " + title(f, Options{Repository: w.Repository}) + " (" + place(f) + ")\n")
		}
	})
}

// changes is the table of files.
func (w Walkthrough) changes(b *strings.Builder, r room) {
	if len(w.Result.Changes) == 0 {
		return
	}
	details(b, "What changed in "+count(len(w.Result.Changes), "file"), func() {
		b.WriteString("| File | Change |\n|---|---|\n")
		for i, c := range w.Result.Changes {
			if i == r.changes {
				fmt.Fprintf(b, "| … | and %d more |\n", len(w.Result.Changes)-i)
				return
			}
			b.WriteString("| " + codeLine(c.Path, true) + " | " + line(c.What, w.Repository, 240, true) + " |\n")
		}
	})
}

// omissions says what was not looked at.
func (w Walkthrough) omissions(b *strings.Builder, r room) {
	res, all := w.Result, omissionsOf(w.Result)
	if len(all) == 0 {
		return
	}
	counts := map[string]int{}
	var reasons []string
	for _, o := range all {
		if counts[o.Reason]++; counts[o.Reason] == 1 {
			reasons = append(reasons, o.Reason)
		}
	}
	slices.SortStableFunc(reasons, func(a, b string) int { return counts[b] - counts[a] })
	short := fmt.Sprintf("%d of %s reviewed; left out: ", res.FilesReviewed, count(res.FilesChanged, "file"))
	for i, reason := range reasons {
		if i == 5 {
			short += ", …"
			break
		}
		if i > 0 {
			short += ", "
		}
		short += plainLine(reason, 60)
		if n := counts[reason]; n > 1 {
			short += fmt.Sprintf(" (%d)", n)
		}
	}
	details(b, short, func() {
		for i, o := range all {
			if i == r.omissions {
				more(b, len(all)-i)
				return
			}
			b.WriteString("- ")
			if o.Path != "" {
				b.WriteString(codeLine(o.Path, false) + ": ")
			}
			b.WriteString(line(o.Reason, w.Repository, 200, false) + "\n")
		}
	})
}

// omissionsOf gives what is to be told of what was left out: all of it, but for what the review is told to be partial for.
func omissionsOf(r *review.Result) []finding.Omission {
	return slices.DeleteFunc(slices.Clone(r.Omissions), func(o finding.Omission) bool {
		return r.Partial && o.Path == "" && o.Reason == r.PartialReason
	})
}

// details writes a part that a reader opens. The summary is ours or plain.
func details(b *strings.Builder, summary string, content func()) {
	b.WriteString("<details>\n<summary>" + summary + "</summary>\n\n")
	content()
	b.WriteString("\n</details>\n\n")
}

// plainLine writes a text without any markup, for a place where markdown is not read, such as a line of HTML or a title.
func plainLine(s string, limit int) string {
	words := strings.Fields(strings.Map(func(r rune) rune {
		if strings.ContainsRune("<>&@#`[]()*_~|$\\!:", r) {
			return ' '
		}
		return r
	}, oneLine(s, limit)))
	for i, word := range words {
		if acts(word) { // GH-1, www.
			words[i] = strings.NewReplacer("-", " ", ".", " ").Replace(word)
		}
	}
	return strings.Join(words, " ")
}

// footer tells what was cut by the review itself, and what it cost.
func (w Walkthrough) footer(b *strings.Builder) {
	res := w.Result
	var parts []string
	if res.FilesChanged > 0 && len(omissionsOf(res)) == 0 {
		parts = append(parts, fmt.Sprintf("%d of %s reviewed", res.FilesReviewed, count(res.FilesChanged, "file")))
	}
	if dropped := droppedWords(res.Dropped); dropped != "" {
		parts = append(parts, "not shown: "+dropped)
	}
	if len(res.Models) > 0 {
		names := make([]string, 0, len(res.Models))
		for _, m := range res.Models {
			names = append(names, plainLine(m, 60))
		}
		parts = append(parts, strings.Join(names, ", "))
	}
	if u := res.Usage; u.Calls > 0 {
		parts = append(parts, fmt.Sprintf("%s, %d tokens in and %d out", count(u.Calls, "call"), u.InputTokens, u.OutputTokens))
		if u.CostMicros > 0 {
			parts = append(parts, fmt.Sprintf("$%.4f", float64(u.CostMicros)/1e6))
		}
	}
	if len(parts) > 0 {
		b.WriteString("<sub>" + strings.ReplaceAll(strings.Join(parts, " · "), "$", "&#36;") + "</sub>\n\n")
	}
}

// droppedWords lists the candidates that were cut, by why.
func droppedWords(dropped map[string]int) string {
	var keys []string
	for key, n := range dropped {
		if n > 0 {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for i, key := range keys {
		keys[i] = fmt.Sprintf("%d %s", dropped[key], plainLine(key, 40))
	}
	return strings.Join(keys, ", ")
}
