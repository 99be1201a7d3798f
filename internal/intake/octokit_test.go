package intake_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openrabbit/openrabbit/internal/intake"
)

var update = flag.Bool("update", false, "write the golden file anew, and with OPENRABBIT_DATA the reduced payloads")

// octokitSelf is who we are in the examples: the App whose check suite is asked for again there.
var octokitSelf = intake.Identity{AppID: 29310, Login: "openrabbit[bot]"}

// example is one payload of @octokit/webhooks-examples, reduced to the fields that Decide reads: testdata/octokit.json.
type example struct {
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
}

// TestOctokitExamples decides on all example payloads that the makers of GitHub's client libraries collected. The golden
// file was read line by line.
func TestOctokitExamples(t *testing.T) {
	t.Parallel()
	if *update && os.Getenv("OPENRABBIT_DATA") != "" {
		writeReduced(t)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "octokit.json"))
	if err != nil {
		t.Fatal(err)
	}
	var examples []example
	if err := json.Unmarshal(text, &examples); err != nil {
		t.Fatal(err)
	}
	if len(examples) != 329 {
		t.Errorf("%d examples, want 329", len(examples))
	}
	var b strings.Builder
	count := map[string]int{}
	for _, e := range examples {
		d, err := intake.Decide(e.Event, e.Payload, octokitSelf)
		if err != nil {
			t.Fatalf("%s: %v", e.Event, err)
		}
		count[e.Event]++
		fmt.Fprintf(&b, "%s %d: %s\n", e.Event, count[e.Event], describe(d))
	}
	golden := filepath.Join("testdata", "octokit.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Error(d)
	}
}

// describe says a decision in one line.
func describe(d intake.Decision) string {
	words := []string{d.Action, "→", string(d.Kind)}
	add := func(format string, value any, is bool) {
		if is {
			words = append(words, fmt.Sprintf(format, value))
		}
	}
	add("because %s", d.Reason, d.Reason != "")
	add("of %s", d.Repository.Name, d.Repository.Name != "")
	add("#%d", d.Number, d.Number != 0)
	add("head %.7s", d.Head, d.Head != "")
	add("from %.7s", d.Before, d.Before != "")
	add("at %s", d.EventAt.Format(time.RFC3339), !d.EventAt.IsZero())
	add("%s", "again", d.Force)
	add("%s", "large", d.Large)
	add("installation %d", d.InstallationID, d.InstallationID != 0)
	add("on %s", d.Account, d.Account != "")
	add("adds %v", d.Added, len(d.Added) > 0)
	add("removes %v", d.Removed, len(d.Removed) > 0)
	return strings.TrimSpace(strings.Join(words, " "))
}

// read says which fields of a payload are read, in whichever event.
var read = map[string]any{
	"action": true, "number": true, "before": true,
	"repository":   fields("id full_name default_branch"),
	"installation": map[string]any{"id": true, "updated_at": true, "account": fields("login type")},
	"sender":       fields("login type"),
	"pull_request": map[string]any{
		"state": true, "updated_at": true, "changed_files": true, "additions": true, "deletions": true,
		"user": fields("login type"), "head": fields("sha"),
	},
	"changes":   map[string]any{"base": map[string]any{}},
	"check_run": map[string]any{"id": true, "external_id": true, "head_sha": true, "completed_at": true, "app": fields("id")},
	"check_suite": map[string]any{
		"id": true, "head_sha": true, "updated_at": true, "app": fields("id"),
	},
	"comment":              map[string]any{"user": fields("login type"), "performed_via_github_app": fields("id")},
	"review":               map[string]any{"user": fields("login type"), "performed_via_github_app": fields("id")},
	"repositories":         fields("id full_name default_branch"),
	"repositories_added":   fields("id full_name default_branch"),
	"repositories_removed": fields("id full_name default_branch"),
}

func fields(names string) map[string]any {
	m := map[string]any{}
	for _, name := range strings.Fields(names) {
		m[name] = true
	}
	return m
}

// reduce keeps what is read.
func reduce(value any, keep any) any {
	wanted, ok := keep.(map[string]any)
	if !ok {
		return value
	}
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, field := range v {
			if k, ok := wanted[name]; ok {
				out[name] = reduce(field, k)
			}
		}
		return out
	case []any:
		for i := range v {
			v[i] = reduce(v[i], keep)
		}
	}
	return value
}

// octokitData reads the whole payloads, where a checkout has them.
func octokitData(t *testing.T) []example {
	t.Helper()
	data := os.Getenv("OPENRABBIT_DATA")
	if data == "" {
		t.Skip("OPENRABBIT_DATA is not set")
	}
	text, err := os.ReadFile(filepath.Join(data, "webhooks", "octokit-examples.json"))
	if err != nil {
		t.Fatal(err)
	}
	var events []struct {
		Name     string
		Examples []json.RawMessage
	}
	if err := json.Unmarshal(text, &events); err != nil {
		t.Fatal(err)
	}
	var all []example
	for _, e := range events {
		for _, payload := range e.Examples {
			all = append(all, example{e.Name, payload})
		}
	}
	return all
}

func reduced(t *testing.T, e example) example {
	t.Helper()
	var payload any
	decoder := json.NewDecoder(strings.NewReader(string(e.Payload)))
	decoder.UseNumber()
	if err := decoder.Decode(&payload); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(reduce(payload, read))
	if err != nil {
		t.Fatal(err)
	}
	return example{e.Event, text}
}

func writeReduced(t *testing.T) {
	t.Helper()
	lines := []string{}
	for _, e := range octokitData(t) {
		line, err := json.Marshal(reduced(t, e))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	text := "[\n" + strings.Join(lines, ",\n") + "\n]\n"
	if err := os.WriteFile(filepath.Join("testdata", "octokit.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOnlyWhatIsReadMatters: the whole payloads give the decisions of the reduced ones.
func TestOnlyWhatIsReadMatters(t *testing.T) {
	t.Parallel()
	events := []string{}
	for _, e := range octokitData(t) {
		want, err := intake.Decide(e.Event, e.Payload, octokitSelf)
		if err != nil {
			t.Fatalf("%s: %v", e.Event, err)
		}
		got, err := intake.Decide(e.Event, reduced(t, e).Payload, octokitSelf)
		if err != nil {
			t.Fatalf("%s: %v", e.Event, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s %s: %s", e.Event, want.Action, d)
		}
		events = append(events, e.Event)
	}
	slices.Sort(events)
	t.Logf("%d payloads of %d events", len(events), len(slices.Compact(events)))
}
