package render

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestSanitize(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ markdown, want string }{
		"prose":                    {"Two *words*, a **bold** one and `code`.", "Two *words*, a **bold** one and `code`.\n"},
		"paragraphs":               {"a\nb\n\n\n\nc", "a\nb\n\nc\n"},
		"a list":                   {"- a\n  - b\n1. c", "- a\n  - b\n1. c\n"},
		"a heading and a quote":    {"# a\n> b", "# a\n> b\n"},
		"a block of code":          {"x\n```go\nif a < b && c[0] {\n```\ny", "x\n```go\nif a < b && c[0] {\n```\ny\n"},
		"a block in a list":        {"- x\n  ```\n  code\n    more\n  ```", "- x\n```\ncode\n  more\n```\n"},
		"a block left open":        {"```go\ncode", "```go\ncode\n```\n"},
		"a fence in a block":       {"~~~\n```\nx\n```\n~~~", "````\n```\nx\n```\n````\n"},
		"an index":                 {"read a[0] and b[i](x)", "read a\\[0\\] and b\\[i\\] (`x`)\n"},
		"a generic type":           {"List<String> & Map", "List&lt;String&gt; &amp; Map\n"},
		"entities that were meant": {"List&lt;String&gt;", "List&lt;String&gt;\n"},
		"a link to the source":     {"see [here](https://github.com/acme/shop/blob/main/a.go#L3-L5)", "see [here](https://github.com/acme/shop/blob/main/a.go#L3-L5)\n"},
		"the bare source":          {"see https://github.com/acme/shop/blob/main/a.go.", "see [`https://github.com/acme/shop/blob/main/a.go`](https://github.com/acme/shop/blob/main/a.go).\n"},
		"a link elsewhere":         {"see [docs](https://evil.example/x)", "see docs (`https://evil.example/x`)\n"},
		"a link with a title":      {"[docs](https://evil.example \"t\")", "docs (`https://evil.example`)\n"},
		"an image":                 {"![alt](https://evil.example/x.png)", "\\[image left out: alt\\]\n"},
		"a bare address":           {"see https://evil.example/x.", "see `https://evil.example/x`.\n"},
		"a mention":                {"ask @octocat, please", "ask `@octocat`, please\n"},
		"an annotation":            {"add @Override here", "add `@Override` here\n"},
		"an address":               {"mail a@b.example!", "mail `a@b.example`!\n"},
		"references":               {"fixes #12, GH-3 and acme/shop#4", "fixes `#12`, `GH-3` and `acme/shop#4`\n"},
		"no reference":             {"C# and F#", "C# and F#\n"},
		"a mention in code":        {"`@octocat`", "`@octocat`\n"},
		"a mention in bold":        {"**@octocat**", "**`@octocat`**\n"},
		"an entity":                {"&#64;octocat", "`@octocat`\n"},
		"an escape":                {`\@octocat \*x\* a\b`, "`@octocat` \\*x\\* a\\\\b\n"},
		"commands":                 {"/approve\n and /lgtm", "`/approve`\n and /lgtm\n"},
		"a command in a block":     {"```\n/approve\n```", " ```\n /approve\n ```\n"},
		"a suggestion":             {"```suggestion\nx\n```", "```\nx\n```\n"},
		"a diagram":                {"```mermaid\nx\n```", "```\nx\n```\n"},
		"a table":                  {"a|b\n-|-\n`c|@d`|e", "a|b\n\\-|-\n`c|@d`|e\n"},
		"HTML":                     {"<details open>x</details>", "&lt;details open&gt;x&lt;/details&gt;\n"},
		"a comment":                {"<!-- x -->", "&lt;!-- x --&gt;\n"},
		"hidden in prose":          {"a\u200bb\u202ec\U000E0041", "abc\n"},
		"hidden in code":           {"```\na\u202eb\n```", "```\na[U+202E]b\n```\n"},
		"joiners of a script":      {"می\u200cخواهم x\u200cy", "می\u200cخواهم xy\n"},
		"money":                    {"$5 and $6", "&#36;5 and &#36;6\n"},
		"a marker in code":         {"`<!-- openrabbit:review=x -->`", "`<!- - openrabbit:review=x -->`\n"},
		"a code span of two lines": {"`a\nb`", "`a b`\n"},
		"code spans side by side":  {"`a`#1", "`a` `#1`\n"},
		"backticks in a span":      {"`` a`b ``", "``a`b``\n"},
		"an open span":             {"`a @b", "\\`a `@b`\n"},
		"indented prose":           {"a\n\n      b < c", "a\n\nb &lt; c\n"},
		"carriage returns":         {"a\rb\r\nc", "a\nb\nc\n"},
		"nothing":                  {"", ""},
		"blank":                    {" \n\n", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Sanitize(test.markdown, "acme/shop")
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			harmless(t, got)
		})
	}
}

func TestLinksOnlyIntoTheSourceOfTheRepository(t *testing.T) {
	t.Parallel()
	w := writer{repository: "acme/shop"}
	for address, want := range map[string]bool{
		"https://github.com/acme/shop/blob/main/a.go":               true,
		"https://github.com/Acme/Shop/blob/0123abc/dir/a_b-c.go#L1": true,
		"https://github.com/acme/shop/tree/main/dir":                true,
		"https://github.com/acme/shop/commit/0123abc":               true,
		"https://github.com/acme/shop/issues/1":                     false, // a reference
		"https://github.com/acme/shop/pull/1":                       false,
		"https://github.com/acme/shop/blob/":                        false,
		"https://github.com/acme/shop":                              false,
		"https://github.com/acme/shopping/blob/x":                   false,
		"https://github.com/acme/shop/blob/../../../evil":           false,
		"https://github.com/acme/shop/blob/%2e%2e/x":                false,
		"https://github.com/acme/shop/blob/x?y=z":                   false,
		"https://github.com/acme/shop/blob/x\\y":                    false,
		"https://github.com/acme/shop/blob//evil":                   false,
		"https://github.com/acme/shop/blob/x#evil":                  false,
		"https://github.com.evil.example/acme/shop/blob/x":          false,
		"https://github.com@evil.example/acme/shop/blob/x":          false,
		"http://github.com/acme/shop/blob/x":                        false,
		"//github.com/acme/shop/blob/x":                             false,
		"javascript:alert(1)":                                       false,
		"a.go":                                                      false,
	} {
		if got := w.allowed(address); got != want {
			t.Errorf("%s: got %v", address, got)
		}
	}
	for _, repository := range []string{"", "acme", "../x", "acme/..", "acme/shop/blob", "a b/c"} {
		w := writer{repository: repository}
		if w.allowed("https://github.com/" + repository + "/blob/x") {
			t.Errorf("a link into %q passed", repository)
		}
	}
}

func TestNastyTextsAreHarmless(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	for _, text := range nasty {
		harmless(t, Sanitize(text, "acme/shop"))
		harmless(t, "**"+line(text, "acme/shop", 300, false)+"**")
	}
	glue := []string{"", " ", "\n", "\n\n", "*", "`", "```\n", "> ", "- ", "|", "[", "](", ")", "\\", "&", "~~~\n"}
	for range 2000 {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			b.WriteString(nasty[r.IntN(len(nasty))])
			b.WriteString(glue[r.IntN(len(glue))])
		}
		harmless(t, Sanitize(b.String(), "acme/shop"))
		cell := line(b.String(), "acme/shop", 300, true)
		if harmless(t, "| "+cell); strings.ContainsAny(cell, "|\n") {
			t.Fatalf("%q breaks a table", cell)
		}
	}
}

func TestLongTextsAreCutAndSaySo(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"word ", "$", "<", "`a` ", "```\n", "é", "\n\n", "[x](y) ", "```go\ncode\n"} {
		for _, limit := range []int{0, 10, 100, 1000} {
			got := sanitize(strings.Repeat(unit, 5000), "acme/shop", limit)
			if len(got) > limit || !utf8.ValidString(got) {
				t.Errorf("%q cut to %d has %d bytes", unit, limit, len(got))
			}
			if limit >= 100 && strings.TrimSpace(unit) != "" && !strings.Contains(got, "is cut here") {
				t.Errorf("%q cut to %d does not say so: %q", unit, limit, got)
			}
			harmless(t, got)
		}
	}
}

func TestSanitizeTakesTimeInLine(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"[", "](", "[a](", "`", "` `` ", "&", "&#", "\\", "![", "<", "@a", "[a](b \"", "*", "~", "|", "> "} {
		start := time.Now()
		Sanitize(strings.Repeat(unit, 1<<20/len(unit)), "acme/shop")
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("1 MiB of %q took %s", unit, took)
		}
	}
}

func FuzzSanitize(f *testing.F) {
	for _, text := range nasty {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Sanitize(text, "acme/shop")
		if len(got) > maxText || !utf8.ValidString(got) {
			t.Fatalf("%d bytes", len(got))
		}
		harmless(t, got)
		cell := line(text, "acme/shop", 300, true)
		if harmless(t, "| "+cell); strings.ContainsAny(cell, "|\n") {
			t.Fatalf("%q breaks a table", cell)
		}
		plain := plainLine(text, 100)
		if harmless(t, "x "+plain); strings.ContainsAny(plain, "<>&@#`[]()*_~|$\\!:\n") {
			t.Fatalf("%q is not plain", plain)
		}
	})
}
