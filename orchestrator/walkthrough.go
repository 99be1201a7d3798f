package orchestrator

import (
	"context"
	"fmt"
	"strings"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/render"
)

// writeWalkthrough creates the pull request's one summary comment or edits it in place. Its id is remembered; where it
// isn't, the comment is looked for among our own. One that somebody deleted is written anew.
func (a *attempt) writeWalkthrough(ctx context.Context, body string) error {
	id, err := a.store.WalkthroughComment(ctx, a.row.RepositoryID, a.row.Number)
	if err != nil {
		return err
	}
	if id == 0 {
		found, ok, err := a.gh.FindOwnComment(ctx, a.row.Repository, a.row.Number, render.IsWalkthrough)
		if err != nil {
			return fmt.Errorf("look for the walkthrough: %w", err)
		}
		if ok {
			id = found.ID
			if err := a.store.SetWalkthroughComment(ctx, a.row.RepositoryID, a.row.Number, id); err != nil {
				return err
			}
		}
	}
	if id != 0 {
		err := a.gh.EditComment(ctx, a.row.Repository, id, body)
		if github.KindOf(err) != github.NotFound {
			return ambiguous(err, a.Orchestrator)
		}
		if err := a.store.SetWalkthroughComment(ctx, a.row.RepositoryID, a.row.Number, 0); err != nil {
			return err
		}
	}
	made, err := a.gh.CreateComment(ctx, a.row.Repository, a.row.Number, body)
	if err != nil {
		return ambiguous(fmt.Errorf("write the walkthrough: %w", err), a.Orchestrator)
	}
	return a.store.SetWalkthroughComment(ctx, a.row.RepositoryID, a.row.Number, made.ID)
}

// maxAnnotated bounds the files that are read to find lines for findings outside the diff.
const maxAnnotated = 20

// annotations shows, at lines of the head's files, the findings that have no comment: GitHub refused it, or their code is
// outside the diff. What is not found exactly once in its file gets none.
func (a *attempt) annotations(ctx context.Context, chosen *selection, posted post.Result) []github.Annotation {
	var out []github.Annotation
	add := func(f finding.Finding, at diff.Anchor) {
		if at.Side == diff.New {
			out = append(out, github.Annotation{Anchor: at, Level: level(f.Severity), Title: f.Title, Message: a.annotation(f)})
		}
	}
	for _, i := range posted.Refused {
		add(chosen.comments[i], chosen.comments[i].Anchor)
	}
	files := a.gh.Files(a.row.Repository, a.pr.MergeBase, a.row.Head)
	read := map[string][]byte{}
	for _, f := range chosen.told.Findings {
		if f.Anchored() || f.Path == "" || strings.TrimSpace(f.Quote) == "" || chosen.repeats[f.Fingerprint] {
			continue
		}
		content, ok := read[f.Path]
		if !ok && len(read) < maxAnnotated {
			// An annotation is a courtesy: a file that cannot be read has none.
			content, _ = files.Read(ctx, diff.New, f.Path)
			read[f.Path] = content
		}
		add(f, whereOnce(f.Path, content, f.Quote))
	}
	return out
}

// annotation is the text of an annotation.
func (a *attempt) annotation(f finding.Finding) string {
	text := f.Body
	if text == "" {
		text = f.Title
	}
	return strings.TrimSpace(render.Sanitize(text, a.row.Repository))
}

// whereOnce finds the lines of a quote in a file, if they stand there exactly once.
func whereOnce(path string, content []byte, quote string) diff.Anchor {
	want := strings.Split(strings.Trim(quote, "\n"), "\n")
	have := strings.Split(string(content), "\n")
	var at diff.Anchor
	for i := 0; i+len(want) <= len(have); i++ {
		if !sameLines(have[i:i+len(want)], want) {
			continue
		}
		if !at.IsZero() {
			return diff.Anchor{}
		}
		at = diff.Anchor{Path: path, Side: diff.New, Start: i + 1, End: i + len(want)}
	}
	return at
}

func sameLines(have, want []string) bool {
	for i := range want {
		if strings.TrimSpace(have[i]) != strings.TrimSpace(want[i]) {
			return false
		}
	}
	return true
}
