package finding

import (
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
)

func TestReindent(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ anchored, suggestion, want string }{
		"right already":                {"\t\tx()", "\t\ty()", "\t\ty()"},
		"a newline at the end":         {"\t\tx()", "\t\ty()\n", "\t\ty()"},
		"at the margin":                {"\t\tx()", "y()", "\t\ty()"},
		"a block at the margin":        {"\tx()", "if ok {\n\tx()\n}", "\tif ok {\n\t\tx()\n\t}"},
		"a block in place":             {"\tx()", "\tif ok {\n\t\tx()\n\t}", "\tif ok {\n\t\tx()\n\t}"},
		"only the first line lost":     {"\t\tif a {\n\t\t\tb()\n\t\t}", "if c {\n\t\t\tb()\n\t\t}", "\t\tif c {\n\t\t\tb()\n\t\t}"},
		"a block without an end":       {"    x()", "if ok:\n    x()\n    y()", "    if ok:\n        x()\n        y()"},
		"of which the first line lost": {"    x()\n        z()", "if ok:\n        x()\n        y()", "    if ok:\n        x()\n        y()"},
		"too deep":                     {"\tx()", "\t\t\ty()\n\t\t\t\tz()", "\ty()\n\t\tz()"},
		"blanks for tabs":              {"\t\tx()", "        if ok {\n            x()\n        }", "\t\tif ok {\n\t\t\tx()\n\t\t}"},
		"two blanks for tabs":          {"\tx()", "  if ok {\n    x()\n  }", "\tif ok {\n\t\tx()\n\t}"},
		"tabs for blanks":              {"    x()\n        y()", "\tx()\n\t\tz()", "    x()\n        z()"},
		"tabs for two blanks":          {"  x()\n    y()", "\tx()\n\t\tz()", "  x()\n    z()"},
		"an indentation that is wrong": {"        return x", "    return x", "    return x"},
		"blank lines stay blank":       {"\tx()", "a()\n  \nb()", "\ta()\n\n\tb()"},
		"no indentation, none given":   {"x", "y\n  z", "y\n  z"},
		"no indentation, some given":   {"x", "    y\n      z", "y\n  z"},
		"a fence":                      {"\tx()", "```go\ny()\n```", "\ty()"},
		"a fence in a file of fences":  {"```\nx\n```", "```\ny\n```", "```\ny\n```"},
		"CRLF":                         {"\tx()\r", "y()\r\nz()\r\n", "\ty()\n\tz()"},
		"nothing":                      {"\tx()", "", ""},
		"only a newline":               {"\tx()", "\n", ""},
		"nothing anchored":             {"", "  y", "  y"},
		"alignment after tabs":         {"\tcall(a,\n\t     b)", "call(a,\n     c)", "\tcall(a,\n\t     c)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			anchored := strings.Split(test.anchored, "\n")
			got := Reindent(anchored, test.suggestion)
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if again := Reindent(anchored, got); again != got {
				t.Errorf("once more: %q, then %q", got, again)
			}
		})
	}
}

func FuzzReindent(f *testing.F) {
	f.Add("\tx()\n\t\ty()", "if ok {\n    x()\n}")
	f.Add("  a\n    b", "\ta\n\t\tb\n")
	f.Add("", "```\nx\n```")
	f.Fuzz(func(t *testing.T, anchored, suggestion string) {
		lines := strings.Split(anchored, "\n")
		got := Reindent(lines, suggestion)
		if text := squeeze(got); text != squeeze(suggestion) && len(unfence(trimBlank(splitSuggestion(suggestion)))) == len(trimBlank(splitSuggestion(suggestion))) {
			t.Fatalf("%q became %q", suggestion, got)
		}
		if strings.Count(got, "\n") > strings.Count(suggestion, "\n") {
			t.Fatalf("%q became %q", suggestion, got)
		}
	})
}

func TestSuggestionProblem(t *testing.T) {
	t.Parallel()
	d := parse(t, shopPatch)
	const path = "shop/shop.go"
	sum := diff.Anchor{Path: path, Side: diff.New, Start: 15, End: 15}
	block := diff.Anchor{Path: path, Side: diff.New, Start: 12, End: 14}
	tests := map[string]struct {
		a          diff.Anchor
		suggestion string
		want       string
	}{
		"good":                     {sum, "\t\tsum += item.Cost * item.Count", ""},
		"longer":                   {sum, "\t\tif ok {\n\t\t\tsum++\n\t\t}", ""},
		"delete the lines":         {block, "", ""},
		"with a fence inside":      {sum, "\t\ts := \"```\"", ""},
		"nothing changes":          {sum, "\t\tsum += item.Price * item.Count", "changes nothing"},
		"blanks at the end change": {sum, "\t\tsum += item.Price * item.Count  \n", "changes nothing"},
		"indentation changes":      {sum, "\tsum += item.Price * item.Count", ""},
		"the next line again":      {block, "\t\tif item.Count < 1 {\n\t\t\tcontinue\n\t\t}\n\t\tsum += item.Price * item.Count", "after"},
		"the line before again":    {block, "\tfor _, item := range items {\n\t\tif item.Count < 1 {", "before"},
		"a brace again is no sign": {diff.Anchor{Path: path, Side: diff.New, Start: 13, End: 13}, "\t\t\tbreak\n\t\t}", ""},
		"code left out":            {block, "\t\tif x {\n\t\t\t// ... existing code ...\n\t\t}", "leaves code out"},
		"a diff":                   {block, "-\t\tif x {\n+\t\tif y {", "as a diff"},
		"a hunk":                   {block, "@@ -1 +1 @@\n+x", "as a diff"},
		"turned around":            {sum, "\t\tsum += 1 // \u202eevil", "invisible"},
		"nothing wide":             {sum, "\t\tsum\u200b += 1", "invisible"},
		"control":                  {sum, "\t\tsum += 1\x1b[31m", "invisible"},
		"no UTF-8":                 {sum, "\t\tsum += \xff", "invisible"},
		"long":                     {sum, strings.Repeat("x\n", 200), "too long"},
		"wide":                     {sum, strings.Repeat("x", 10_000), "too long"},
		"no lines":                 {diff.Anchor{}, "x", "no lines"},
		"lines between the hunks":  {diff.Anchor{Path: path, Side: diff.New, Start: 30, End: 31}, "x", "no lines"},
		"deleted lines":            {diff.Anchor{Path: path, Side: diff.Old, Start: 12, End: 12}, "x", "old side"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := SuggestionProblem(d, test.a, test.suggestion)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
