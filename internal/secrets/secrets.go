// Package secrets finds credentials in text with gitleaks' rules, in this process.
//
// It promises that what leaves it never holds a credential: a rule, a description and a place. Its order is that of
// the text, and it is safe for concurrent use. The default build uses Go's regexp (about 0.7 s for a megabyte of
// source); the build tag gore2regex, which is gitleaks' own, is some six times faster and 7 MB larger.
package secrets

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/viper"
	"github.com/zricethezav/gitleaks/v8/config"
	"github.com/zricethezav/gitleaks/v8/detect"
	"github.com/zricethezav/gitleaks/v8/report"

	"github.com/openrabbit/openrabbit/internal/review"
)

// GenericRule is the one rule of gitleaks that guesses from the name of a variable. It is right less often than the
// others, which know a format.
const GenericRule = "generic-api-key"

// Scanner finds credentials in text.
type Scanner struct {
	detector *detect.Detector
}

var _ review.SecretScanner = (*Scanner)(nil)

// New reads gitleaks' default rules, which takes some 25 ms.
func New() (*Scanner, error) {
	// Not detect.NewDetectorDefaultConfig: it reads through viper's global state, where two callers race.
	v := viper.New()
	v.SetConfigType("toml")
	if err := v.ReadConfig(strings.NewReader(config.DefaultConfig)); err != nil {
		return nil, fmt.Errorf("read gitleaks rules: %w", err)
	}
	var raw config.ViperConfig
	if err := v.Unmarshal(&raw); err != nil {
		return nil, fmt.Errorf("decode gitleaks rules: %w", err)
	}
	rules, err := raw.Translate()
	if err != nil {
		return nil, fmt.Errorf("compile gitleaks rules: %w", err)
	}
	d := detect.NewDetector(rules)
	// A comment in the pull request must not let a credential through to a model. Whoever reports findings may honour
	// it; whoever masks must not.
	d.IgnoreGitleaksAllow = true
	return &Scanner{detector: d}, nil
}

// Scan finds the credentials in a text, in the order of the text. One that several rules find is given once.
func (s *Scanner) Scan(text string) []review.Secret {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	starts := lineStarts(text)
	var found []review.Secret
	for _, f := range s.detector.DetectString(text) {
		at := place(text, starts, f)
		if f.RuleID == GenericRule && (placeholder(f.Secret) || !likely(text, at)) {
			continue
		}
		found = append(found, at)
	}
	slices.SortFunc(found, func(a, b review.Secret) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End), generic(a)-generic(b), cmp.Compare(a.Rule, b.Rule))
	})
	return withoutNested(found)
}

// withoutNested drops what lies within the one before it. The input is sorted by start, longest first.
func withoutNested(found []review.Secret) []review.Secret {
	kept := found[:0]
	for _, s := range found {
		if n := len(kept); n > 0 && s.End <= kept[n-1].End {
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

// generic sorts the guessing rule after those that know a format.
func generic(s review.Secret) int {
	if s.Rule == GenericRule {
		return 1
	}
	return 0
}

// place turns gitleaks' finding into lines and bytes of the text. gitleaks places the match, of which the secret is a
// part; where the secret is not found within, the whole lines are the place.
func place(text string, starts []int, f report.Finding) review.Secret {
	first := min(max(f.StartLine, 0), len(starts)-1)
	last := min(max(f.EndLine, first), len(starts)-1)
	from, to := starts[first], len(text)
	if last+1 < len(starts) {
		to = starts[last+1] - 1
	}
	if at := strings.Index(text[from:to], f.Secret); at >= 0 && f.Secret != "" {
		from += at
		to = from + len(f.Secret)
	}
	return review.Secret{
		Line:        lineOf(starts, from),
		EndLine:     lineOf(starts, max(from, to-1)),
		Start:       from,
		End:         to,
		Rule:        f.RuleID,
		Description: f.Description,
	}
}

// lineStarts gives the byte at which each line begins.
func lineStarts(text string) []int {
	starts := []int{0}
	for i := range len(text) {
		if text[i] == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// lineOf gives the 1-based line of a byte.
func lineOf(starts []int, at int) int {
	i, exact := slices.BinarySearch(starts, at)
	if exact {
		return i + 1
	}
	return i
}

// likely says whether what a variable's name made suspicious is a value and looks random. What stands bare among other
// words of code, or has hardly a digit, is nearly always a name: a type, a variable, the key of a translation.
func likely(text string, s review.Secret) bool {
	digits, letters := 0, 0
	for _, r := range text[s.Start:s.End] {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	before := strings.TrimRight(text[:s.Start], " \t")
	switch {
	case digits == 0 || letters == 0 || before == "":
		return false
	case strings.ContainsRune("\"'`", rune(before[len(before)-1])):
		return true
	case strings.ContainsRune("=:>", rune(before[len(before)-1])):
		return digits >= 2 && digits*10 >= digits+letters
	}
	return false
}

// placeholder says whether a value that only its variable's name made suspicious says itself that it is none.
func placeholder(value string) bool {
	v := strings.ToLower(value)
	for _, word := range []string{"example", "changeme", "change-me", "placeholder", "dummy", "fake", "your-", "your_", "xxxx", "redacted", "mock", "sample", "insert", "foobar", "12345678"} {
		if strings.Contains(v, word) {
			return true
		}
	}
	return false
}
