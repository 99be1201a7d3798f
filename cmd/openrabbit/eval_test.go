package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// evalFolder writes two small pull requests, one with a golden comment on line 3 of a.go.
func evalFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	patch := "diff --git a/a.go b/a.go\n--- a/a.go\n+++ b/a.go\n@@ -1,2 +1,4 @@\n package a\n \n+var total = price * 100\n+var rest = total %% 7\n"
	put("one/pr.diff", strings.ReplaceAll(patch, "%%", "%"))
	put("one/pr.json", `{"title":"Totals","golden":[{"note":"The price is a float. Cents get lost.","path":"a.go","side":"right","from_line":3,"to_line":3}]}`)
	put("two/pr.diff", strings.ReplaceAll(patch, "%%", "/"))
	put("two/pr.json", `{"title":"Rest","golden":[{"comment":"The rest is divided by 7, total is not a number of weeks.","severity":"High"}]}`)
	return dir
}

func TestEval(t *testing.T) {
	t.Parallel()
	dir, records := evalFolder(t), filepath.Join(t.TempDir(), "answers")
	eval := func(args ...string) map[string]any {
		t.Helper()
		var out, errs bytes.Buffer
		p := process{env: map[string]string{}, stdout: &out, stderr: &errs}
		if err := runEval(t.Context(), p, append(args, "--format", "json", dir)); err != nil {
			t.Fatalf("%v\n%s", err, errs.String())
		}
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		return got
	}
	all := func(got map[string]any, key string) float64 {
		n, _ := got["all"].(map[string]any)[key].(float64)
		return n
	}
	first := eval("--model", "oracle", "--record", records)
	if all(first, "oracle_kept") != 2 || all(first, "oracle_slipped") != 0 || all(first, "hit") != 1 || all(first, "golden") != 1 {
		t.Errorf("got %v", first["all"])
	}
	// The recorded answers give the same review without a model, and no question goes without one.
	again := eval("--model", "silent", "--replay", records)
	if all(again, "findings") != all(first, "findings") || all(again, "hit") != 1 || again["f1"] != first["f1"] {
		t.Errorf("replayed: %v, recorded: %v", again["all"], first["all"])
	}
	for _, name := range []string{"findings", "summary", "verdict"} {
		if files, _ := filepath.Glob(filepath.Join(records, name+"-*.json")); len(files) != 2 {
			t.Errorf("%d records of %s", len(files), name)
		}
	}
	written := t.TempDir()
	if none := eval("--model", "none", "--write", written); all(none, "findings") != 0 || all(none, "finder_prompts") != 0 {
		t.Errorf("without a model: %v", none["all"])
	}
	if text, err := os.ReadFile(filepath.Join(written, "one.md")); err != nil || !strings.Contains(string(text), "no model") {
		t.Errorf("%v: %s", err, text)
	}
}

func TestEvalUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"--model", "nosuch", "."}, {"--depth", "bottomless", "."}, {"--record", "a", "--replay", "b", "."}, {"--prompt-tokens", "12", "."}, {"/no/such/folder"}} {
		if err := runEval(t.Context(), process{env: map[string]string{}}, args); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
