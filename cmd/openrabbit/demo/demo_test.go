package demo

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestScriptQuotesTheShippedFiles keeps script and files together: every quote but the invented one stands in the head.
func TestScriptQuotesTheShippedFiles(t *testing.T) {
	t.Parallel()
	head, err := Head()
	if err != nil {
		t.Fatal(err)
	}
	text, err := Script()
	if err != nil {
		t.Fatal(err)
	}
	var script struct {
		Rules []struct {
			Match struct {
				Schema   string
				Contains []string
			}
			Answer struct {
				Findings []struct{ Path, Quote, Title string }
				Quote    string
			}
		}
	}
	if err := json.Unmarshal(text, &script); err != nil {
		t.Fatal(err)
	}
	var found, invented, verdicts int
	titles := map[string]bool{}
	for _, rule := range script.Rules {
		for _, f := range rule.Answer.Findings {
			if strings.Contains(head[f.Path], f.Quote) {
				found++
				titles[f.Title] = true
			} else {
				invented++
			}
		}
	}
	for _, rule := range script.Rules {
		if rule.Match.Schema != "verdict" {
			continue
		}
		verdicts++
		var about bool
		for title := range titles {
			about = about || strings.Contains(title, rule.Match.Contains[0])
		}
		if !about {
			t.Errorf("a verdict on %q, which no finding states", rule.Match.Contains[0])
		}
	}
	if found != 5 || invented != 1 || verdicts != 5 {
		t.Errorf("%d findings quote the files, %d do not, %d verdicts; want 5, 1, 5", found, invented, verdicts)
	}
}

func TestTheCredentialIsOnlyInTheHead(t *testing.T) {
	t.Parallel()
	base, err := Base()
	if err != nil {
		t.Fatal(err)
	}
	head, err := Head()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(head["pricing/receipt.py"], credential()) || strings.Contains(head["pricing/receipt.py"], marker) {
		t.Error("the head does not hold the demonstration's credential")
	}
	for path, text := range base {
		if strings.Contains(text, credential()) {
			t.Errorf("the base holds the credential in %s", path)
		}
	}
	if len(head) != len(base) || len(head) != 7 {
		t.Errorf("%d files before, %d after; want 7 each", len(base), len(head))
	}
}
