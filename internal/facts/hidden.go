package facts

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
)

// maxHidden bounds the findings of one file.
const maxHidden = 5

// hiding is why a character is reported.
type hiding uint8

const (
	nothing   hiding = iota
	invisible        // takes no room
	reorders         // shows the line in another order than it is read: the "trojan source" attack
	smuggles         // carries text that only a machine reads
)

// hidden finds characters on added lines that make code read otherwise than it is.
func (f *file) hidden() []finding.Finding {
	var found []finding.Finding
	code := program(f.File.NewPath)
	more := 0
	for _, l := range f.added {
		worst, marks := inspect(l, code)
		if worst == nothing {
			continue
		}
		if len(found) == maxHidden {
			more++
			continue
		}
		found = append(found, f.hiddenIn(l, worst, marks))
	}
	if more > 0 {
		found[maxHidden-1].Body += fmt.Sprintf(" %d more lines of this file hold hidden characters.", more)
	}
	return found
}

func (f *file) hiddenIn(l diff.Line, worst hiding, marks []string) finding.Finding {
	found := f.fact(RuleHiddenCharacters, l.New, l.New)
	found.Category = finding.Security
	list := strings.Join(marks[:min(len(marks), 5)], ", ")
	if n := len(marks) - 5; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	switch worst {
	case reorders:
		found.Severity = finding.High
		found.Title = "Bidirectional controls show this line in another order than it runs"
		found.Body = fmt.Sprintf("Line %d holds %s. Editors and this page show what follows in another order than the compiler reads it, so code can pose as a comment or a string (CVE-2021-42574). "+
			"Delete the characters, or write them as escapes if the program needs them.", l.New, list)
	case smuggles:
		found.Severity = finding.High
		found.Title = "Text is hidden in this line"
		found.Body = fmt.Sprintf("Line %d holds %s. Such characters take no room and can carry whole sentences that people don't see and programs, language models among them, do. "+
			"Nothing in source code needs them: delete them.", l.New, list)
	case invisible, nothing:
		found.Severity = finding.Medium
		found.Title = "Invisible characters in this line"
		found.Body = fmt.Sprintf("Line %d holds %s. Two names or strings that look the same then differ, and a search does not find them. "+
			"Delete the characters, or write them as escapes if the program needs them.", l.New, list)
		if TestPath(f.File.NewPath) {
			found.Severity = finding.Low
		}
	}
	return found
}

// inspect looks at one line: the worst it hides, and where.
func inspect(l diff.Line, code bool) (worst hiding, marks []string) {
	if ascii(l.Text) {
		return nothing, nil
	}
	runes := []rune(l.Text)
	rightToLeft := strings.ContainsFunc(l.Text, isRightToLeft)
	for i, r := range runes {
		h := judge(runes, i, code, rightToLeft)
		if h == invisible && r == '\ufeff' && i == 0 && l.New == 1 {
			h = nothing // a byte order mark
		}
		if h == nothing {
			continue
		}
		worst = max(worst, h)
		marks = append(marks, fmt.Sprintf("U+%04X%s at column %d", r, nameOf(r), i+1))
	}
	return worst, marks
}

// judge decides on one character of a line.
func judge(runes []rune, i int, code, rightToLeft bool) hiding {
	r := runes[i]
	switch {
	case r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069:
		if !code && rightToLeft {
			return nothing // text in such a script may need them
		}
		return reorders
	case r == 0x200E || r == 0x200F || r == 0x061C:
		if code && !rightToLeft {
			return invisible
		}
	case r >= 0xE0000 && r <= 0xE007F:
		if !inFlag(runes, i) {
			return smuggles
		}
	case isSelector(r):
		if i > 0 && isSelector(runes[i-1]) {
			return smuggles
		}
	case r == 0x200C || r == 0x200D:
		if code && i > 0 && i+1 < len(runes) && isName(runes[i-1]) && isName(runes[i+1]) {
			return invisible
		}
	case r == 0x200B || r >= 0x2060 && r <= 0x2064 || r == 0xFEFF || r == 0x00AD || r == 0x180E || r == 0x3164 || r == 0x115F || r == 0x1160 || r == 0xFFA0:
		if code {
			return invisible
		}
	}
	return nothing
}

// isSelector says whether a character chooses a variant of the one before.
func isSelector(r rune) bool { return r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0100 && r <= 0xE01EF }

func isName(r rune) bool {
	return r == '_' || r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// inFlag says whether tag characters spell the flag of a region, as that of Wales.
func inFlag(runes []rune, i int) bool {
	for i--; i >= 0; i-- {
		if runes[i] == 0x1F3F4 {
			return true
		}
		if runes[i] < 0xE0020 || runes[i] > 0xE007F {
			return false
		}
	}
	return false
}

func isRightToLeft(r rune) bool {
	return unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// nameOf says in brackets what a common one is called.
func nameOf(r rune) string {
	name := map[rune]string{
		0x202A: "left-to-right embedding", 0x202B: "right-to-left embedding", 0x202C: "pop directional formatting",
		0x202D: "left-to-right override", 0x202E: "right-to-left override", 0x2066: "left-to-right isolate",
		0x2067: "right-to-left isolate", 0x2068: "first strong isolate", 0x2069: "pop directional isolate",
		0x200B: "zero width space", 0x200C: "zero width non-joiner", 0x200D: "zero width joiner", 0x2060: "word joiner",
		0xFEFF: "byte order mark", 0x00AD: "soft hyphen", 0x3164: "Hangul filler", 0x200E: "left-to-right mark", 0x200F: "right-to-left mark",
	}[r]
	if name == "" {
		return ""
	}
	return " (" + name + ")"
}
