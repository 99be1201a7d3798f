package prompt_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/openrabbit/openrabbit/internal/prompt"
)

func TestVisible(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain\ttext\n":             "plain\ttext\n",
		"naïve 日本語 Привет":          "naïve 日本語 Привет",
		"a\u202eb":                  "a⟦U+202E⟧b",
		"\u2066x\u2069":             "⟦U+2066⟧x⟦U+2069⟧",
		"ad\u00admin":               "ad⟦U+00AD⟧min",
		"is\u200bAdmin":             "is⟦U+200B⟧Admin",
		"is\u200dAdmin":             "is⟦U+200D⟧Admin",
		"\ufeffpackage":             "⟦U+FEFF⟧package",
		"x\x00y\x1b[0m\x7f":         "x⟦U+0000⟧y⟦U+001B⟧[0m⟦U+007F⟧",
		"\U000e0041\U000e0042":      "⟦U+E0041⟧⟦U+E0042⟧",
		"👩\u200d💻 ❤\ufe0f 1\ufe0f⃣": "👩\u200d💻 ❤\ufe0f 1\ufe0f⃣",
		"a\ufe01\ufe02":             "a⟦U+FE01⟧⟦U+FE02⟧",
		"😀\ufe01\ufe02\ufe03":       "😀\ufe01⟦U+FE02⟧⟦U+FE03⟧",
		"می\u200cخواهم":             "می\u200cخواهم",
		"bad \xff bytes":            "bad \ufffd bytes",
		"one\rtwo":                  "one⟦U+000D⟧two",
		"\u3164 = 1":                "⟦U+3164⟧ = 1",
	} {
		if got := prompt.Visible(in); got != want {
			t.Errorf("Visible(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("a\u202eb⟦U+202E⟧")
	f.Fuzz(func(t *testing.T, s string) {
		got := prompt.Visible(s)
		for _, r := range got {
			if prompt.Hidden(r) {
				t.Fatalf("%q still holds %U", got, r)
			}
		}
		if prompt.Visible(got) != got {
			t.Fatalf("not stable: %q", got)
		}
		if utf8.ValidString(s) && !strings.Contains(s, "⟦U+") && prompt.Restore(got) != s {
			t.Fatalf("Restore(%q) is not %q", got, s)
		}
	})
}
