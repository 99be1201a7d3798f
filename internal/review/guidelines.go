package review

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxGuidelines is how much of a repository's own guidelines is put before the model, in bytes.
const maxGuidelines = 8 << 10

// GuidelineFiles are where repositories keep what they tell those who work on them, the most particular first.
func GuidelineFiles() []string { return []string{"AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md"} }

// ReadGuidelines puts together what some files of the base branch say, each under its name, within what a prompt has room
// for. read gives nil for a file that is not there. A file that only points to another, or repeats it, is told once.
func ReadGuidelines(ctx context.Context, names []string, read func(ctx context.Context, name string) ([]byte, error)) (string, error) {
	var b strings.Builder
	told := map[string]bool{}
	for _, name := range names {
		if b.Len() >= maxGuidelines {
			break
		}
		content, err := read(ctx, name)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		text := string(bytes.TrimSpace(content))
		if text == "" || !utf8.ValidString(text) || told[text] {
			continue
		}
		told[text] = true
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString("From " + name + ":\n" + text)
	}
	return cutBytes(b.String(), maxGuidelines), nil
}

// cutBytes shortens a text to a number of bytes, at a rune.
func cutBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
