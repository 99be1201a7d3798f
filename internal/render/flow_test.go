package render_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/review"
)

var diagramLine = regexp.MustCompile(`^(?:sequenceDiagram|    participant C\d+ as [A-Za-z0-9_.][A-Za-z0-9_./ -]*|    C\d+->>C\d+: [A-Za-z_]\w*\(\))$`)

func TestFlow(t *testing.T) {
	t.Parallel()
	steps := []review.FlowStep{
		{From: "web", To: "shop/stock", Call: "ReserveAll"}, {From: "shop/stock", To: ".", Call: "lock"}, {From: "web", To: "shop/stock", Call: "end"},
		{From: "web", To: "x;\nNote over A: hi", Call: "a"}, {From: "web", To: "shop", Call: "a%%{init}"}, {From: "```", To: "shop", Call: "b"},
	}
	draw := func(steps []review.FlowStep) string {
		return render.Walkthrough{Result: &review.Result{Flow: steps}}.Render()
	}
	got := draw(steps)
	_, rest, ok := strings.Cut(got, "```mermaid\n")
	diagram, _, closed := strings.Cut(rest, "\n```")
	if !ok || !closed {
		t.Fatalf("no diagram in %s", got)
	}
	for _, line := range strings.Split(diagram, "\n") {
		if !diagramLine.MatchString(line) {
			t.Errorf("line %q", line)
		}
	}
	if !strings.Contains(diagram, "C0->>C1: ReserveAll()\n    C1->>C2: lock()") || !strings.Contains(diagram, "as root") || strings.Count(diagram, "->>") != 2 {
		t.Errorf("got %s", diagram)
	}
	deep := draw([]review.FlowStep{{From: "app/a/x", To: "app/a/y", Call: "f"}, {From: "app/a/x", To: "app/a", Call: "g"}})
	if !strings.Contains(deep, "C0 as a/x\n") || !strings.Contains(deep, "C2 as a\n") {
		t.Errorf("got %s", deep)
	}
	if got := draw(steps[:1]); strings.Contains(got, "mermaid") {
		t.Error("one call is no flow")
	}
}
