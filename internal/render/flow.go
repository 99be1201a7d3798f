package render

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// drawable is what may stand in a diagram: names and paths, nothing that its language reads.
var drawable = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_./ -]{0,79}$`)

// flow draws the calls between components that the change adds, as a sequence diagram. The diagram is made of checked
// names, in the order of the code; a name that the diagram's language might read as its own leaves its step out.
func (w Walkthrough) flow(b *strings.Builder) {
	var components []string
	var steps []string
	for _, s := range w.Result.Flow {
		if !drawable.MatchString(s.From) || !drawable.MatchString(s.To) || !oneWord.MatchString(s.Call) || strings.EqualFold(s.Call, "end") {
			continue
		}
		var at [2]int
		for i, name := range []string{s.From, s.To} {
			if name == "." {
				name = "root"
			}
			if at[i] = slices.Index(components, name); at[i] < 0 {
				at[i] = len(components)
				components = append(components, name)
			}
		}
		steps = append(steps, fmt.Sprintf("    C%d->>C%d: %s()\n", at[0], at[1], s.Call))
	}
	if len(steps) < 2 {
		return
	}
	details(b, "New calls between components", func() {
		b.WriteString("```mermaid\nsequenceDiagram\n")
		lead := commonLead(components)
		for i, name := range components {
			name = name[len(lead):]
			fmt.Fprintf(b, "    participant C%d as %s\n", i, name)
		}
		for _, s := range steps {
			b.WriteString(s)
		}
		b.WriteString("```\n")
	})
}

var oneWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,59}$`)

// commonLead is the path, with its slash, that all components begin with, so that none of them is named by nothing else.
func commonLead(components []string) string {
	lead := components[0][:strings.LastIndexByte(components[0], '/')+1]
	for _, c := range components {
		for !strings.HasPrefix(c, lead) || len(c) == len(lead) {
			lead = lead[:strings.LastIndexByte(strings.TrimSuffix(lead, "/"), '/')+1]
		}
	}
	return lead
}
