package review

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/openrabbit/openrabbit/internal/prompt"
)

// leakWords is how many words in a row of a system prompt an answer may not repeat. Shorter runs are everybody's.
const leakWords = 10

// leaks knows the system prompts, to keep them out of what is posted: whoever talks a model into reciting them gets
// nothing.
type leaks map[string]bool

// newLeaks reads the system prompts, which hold no data.
func newLeaks(prompts *prompt.Set) (leaks, error) {
	finder, err := prompts.Finder(prompt.FinderInput{})
	if err != nil {
		return nil, fmt.Errorf("read system prompts: %w", err)
	}
	verifier, err := prompts.Verifier(prompt.VerifierInput{})
	if err != nil {
		return nil, fmt.Errorf("read system prompts: %w", err)
	}
	summary, err := prompts.Summary(prompt.SummaryInput{})
	if err != nil {
		return nil, fmt.Errorf("read system prompts: %w", err)
	}
	l := leaks{}
	for _, p := range []prompt.Prompt{finder, verifier, summary} {
		eachRun(p.System, func(run string) bool { l[run] = true; return false })
	}
	return l, nil
}

// in says whether one of some texts recites a system prompt.
func (l leaks) in(texts ...string) bool {
	for _, text := range texts {
		if eachRun(text, func(run string) bool { return l[run] }) {
			return true
		}
	}
	return false
}

// eachRun calls stop for every run of words, without regard to case and signs, until it says true.
func eachRun(text string, stop func(run string) bool) bool {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i := 0; i+leakWords <= len(words); i++ {
		if stop(strings.Join(words[i:i+leakWords], " ")) {
			return true
		}
	}
	return false
}
