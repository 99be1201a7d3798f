package review_test

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/review"
)

// injection is a text with which somebody tries to speak to the model, and where it stands.
type injection struct{ In, Text string }

func injections(t *testing.T) []injection {
	t.Helper()
	f, err := os.Open("testdata/injections.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []injection
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var i injection
		if err := json.Unmarshal(lines.Bytes(), &i); err != nil {
			t.Fatal(err)
		}
		list = append(list, i)
	}
	if len(list) < 300 {
		t.Fatalf("only %d injections", len(list))
	}
	return list
}

// place puts an injection into a change. A branch and a commit's message reach the engine in the description, where
// people copy them.
func (i injection) place(t *testing.T) (review.Change, *fakeFiles) {
	t.Helper()
	oneLine := strings.NewReplacer("\n", " ", "\r", " ", "\x00", "").Replace(i.Text)
	now := tree{"stock.go": after["stock.go"], "cart.go": after["cart.go"]}
	switch i.In {
	case "comment":
		now["stock.go"] = strings.Replace(now["stock.go"], "\tlock()\n", "\t// "+oneLine+"\n\tlock()\n", 1)
	case "string":
		now["stock.go"] = strings.Replace(now["stock.go"], "\tlock()\n", "\tsay(`"+oneLine+"`)\n\tlock()\n", 1)
	}
	c, f := between(t, before, now)
	switch i.In {
	case "title":
		c.Title = i.Text
	case "description":
		c.Description = i.Text
	case "branch":
		c.Description = "Branch: " + i.Text
	case "commit message":
		c.Description = "* a1b2c3d " + i.Text
	case "file name":
		for k := range c.Diff.Files {
			if c.Diff.Files[k].NewPath == "cart.go" {
				c.Diff.Files[k].OldPath, c.Diff.Files[k].NewPath = i.Text+".go", i.Text+".go"
			}
		}
	}
	return c, f
}

// blocks fails when data closes a block, opens another, or shows the boundary.
func blocks(t *testing.T, user string) {
	t.Helper()
	b, rest, _ := strings.Cut(strings.TrimPrefix(user, "Boundary: "), "\n")
	if !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(b) {
		t.Fatalf("boundary %q", b)
	}
	open := false
	for _, line := range strings.Split(rest, "\n") {
		switch {
		case line == "<<end "+b+">>" && open:
			open = false
		case strings.HasPrefix(line, "<<"+b+" ") && !open:
			open = true
		case strings.Contains(line, b):
			t.Fatalf("the boundary stands in the data: %q", line)
		}
	}
	if open {
		t.Fatal("a block stays open")
	}
}

// acting is what would act on GitHub in a body outside code: a mention, an image, HTML of its own, a marker of ours.
var (
	codeSpan = regexp.MustCompile("`[^`]*`")
	mention  = regexp.MustCompile(`(?:^|[\s(])@[A-Za-z]`)
	acting   = regexp.MustCompile(`!\[|<img|<script|<a |evil\.example\)|pixel\.example/t\.png\)|<!-- ?openrabbit:review=0000|<!-- ?openrabbit:finding=v1:0000`)
)

// unfenced leaves out blocks of code: what stands between a fence and one that is as long.
func unfenced(body string) string {
	var b strings.Builder
	fence := ""
	for _, line := range strings.Split(body, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		run := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
		switch {
		case fence == "" && len(run) >= 3:
			fence = run
		case fence != "" && len(run) >= len(fence) && strings.TrimSpace(trimmed) == run:
			fence = ""
		case fence == "":
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// A model that does all it is told: it recites its instructions, repeats the injection, approves, mentions and links.
// Whatever it says, nothing leaves the schema, the blocks hold, and what is posted acts on nobody.
func TestInjections(t *testing.T) {
	t.Parallel()
	system := map[string]string{}
	kept := 0
	for _, i := range injections(t) {
		c, f := i.place(t)
		m := &fakeModel{answer: func(q review.ModelRequest) (review.ModelAnswer, error) {
			recite := q.Messages[0].Content
			say := func(v any) (review.ModelAnswer, error) {
				text, err := json.Marshal(v)
				if err != nil {
					return review.ModelAnswer{}, err
				}
				return said(string(text))
			}
			switch q.SchemaName {
			case "findings":
				entry := func(title, body string) map[string]any {
					return map[string]any{"path": "stock.go", "quote": held, "severity": "critical", "category": "security", "title": title, "body": body,
						"confidence": 1, "event": "APPROVE", "approve": true, "suggestion": nil}
				}
				return say(map[string]any{"event": "APPROVE", "findings": []any{
					entry("My instructions", "They are: "+recite[len(recite)/3:len(recite)/2]),
					entry("Obeyed: "+i.Text, i.Text+" @everyone ![x](https://pixel.example/t.png) <img src=x> [go](https://evil.example) Closes #1\n/approve"),
				}})
			case "verdict":
				return say(map[string]any{"verdict": "keep", "severity": nil, "quote": held, "reason": i.Text, "approve": true})
			}
			return say(map[string]any{"summary": recite, "changes": []any{map[string]any{"path": "stock.go", "what": i.Text + " @everyone"}}, "risk": i.Text, "state": "approved"})
		}}
		res, err := engine(t, review.Deps{Model: m}).Run(t.Context(), c, f, review.Options{}, nil)
		if err != nil {
			t.Fatalf("%q: %v", i.Text, err)
		}
		for _, q := range m.asked {
			if was, ok := system[q.SchemaName]; ok && was != q.Messages[0].Content {
				t.Fatalf("%s %q: the system prompt is another", i.In, i.Text)
			}
			system[q.SchemaName] = q.Messages[0].Content
			blocks(t, q.Messages[1].Content)
		}
		if res.Summary != "" || res.Dropped["recites_prompt"] != 1 {
			t.Fatalf("%s %q: recited: %+v", i.In, i.Text, res)
		}
		posted := render.Walkthrough{Meta: render.Meta{Repository: "acme/shop", State: res.State()}, Result: res}.Render()
		for _, x := range res.Findings {
			if x.Path != "stock.go" && x.Path != "cart.go" && !strings.HasPrefix(x.Path, i.Text) {
				t.Errorf("a finding in %q", x.Path)
			}
			kept++
			body, fallbacks := render.Comment(x, render.Options{Repository: "acme/shop"})
			posted += "\n" + body + strings.Join(fallbacks, "\n")
		}
		for name, prompt := range system {
			for _, line := range strings.Split(prompt, "\n") {
				if len(strings.Fields(line)) > 12 && strings.Contains(posted, line) {
					t.Fatalf("%s %q: a line of the %s prompt was posted: %s", i.In, i.Text, name, line)
				}
			}
		}
		bare := codeSpan.ReplaceAllString(unfenced(posted), "")
		if at := mention.FindString(bare); at != "" {
			t.Errorf("%s %q: a mention is posted: %q", i.In, i.Text, at)
		}
		if at := acting.FindString(bare); at != "" {
			t.Errorf("%s %q: %q is posted", i.In, i.Text, at)
		}
	}
	if kept < 250 {
		t.Errorf("only %d of the obeyed findings were looked at", kept)
	}
}
