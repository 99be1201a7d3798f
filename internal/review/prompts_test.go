package review_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/prompt"
	"github.com/openrabbit/openrabbit/internal/review"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// prompts gives all texts that went to the model.
func (m *fakeModel) prompts() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for _, q := range m.asked {
		for _, msg := range q.Messages {
			b.WriteString(msg.Content)
		}
	}
	return b.String()
}

// The prompts of a small change, as a reader sees them: scope, markers, numbers, callers, definitions.
func TestGoldenPrompts(t *testing.T) {
	t.Parallel()
	old := tree{
		"stock.go": before["stock.go"],
		"web.go":   "package web\n\nfunc Handle() {\n" + strings.Repeat("\tfiller()\n", 130) + "\tif err := Reserve(\"a\"); err != nil {\n\t\tfail(err)\n\t}\n" + strings.Repeat("\tmore()\n", 40) + "}\n\nfunc fail(err error) {\n\tlog(err)\n}\n",
	}
	c, f := between(t, old, tree{"stock.go": after["stock.go"], "web.go": strings.Replace(old["web.go"], "\tmore()\n}", "\tmore()\n\tflush()\n}", 1), "extra.txt": "one\ntwo\n"})
	m := script(always(report(map[string]any{"quote": held, "title": "The lock stays held", "body": "When n is larger than Left, see web.go, the lock stays held.", "suggestion": "\t\tunlock()\n\t\treturn errShort"})), always(keep))
	run(t, review.Deps{Model: m}, c, f, review.Options{Language: "German", Guidelines: "Be kind.", Instructions: []review.PathInstruction{{Path: "*.go", Instructions: "Mind locks."}, {Path: "*.py", Instructions: "No."}}})
	for _, schema := range []string{"summary", "findings", "verdict"} {
		asked := m.of(schema)
		if len(asked) != 1 {
			t.Fatalf("%s was asked %d times", schema, len(asked))
		}
		got := asked[0].Messages[1].Content
		name := filepath.Join("testdata", schema+".golden")
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; run with -update and read the difference:\n%s", name, got)
		}
	}
}

// Nothing that is a credential reaches the model, wherever it stands.
func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	const token, other = "SECRET_aaaabbbbcccc", "SECRET_ddddeeeeffff"
	key := "KEY<line one\nline two\n" + strings.Repeat("line of the key\n", 40) + "last line>KEY"
	old := tree{
		"a.go": "package a\n\nfunc Use() {\n\tconnect(\"" + other + "\")\n\trun()\n}\n\nfunc Far() {\n\tx := `" + key + "`\n\tcall(x)\n}\n",
		"b.go": "package b\n\nfunc B() {\n\tUse()\n\tgone(\"" + other + "\")\n}\n",
	}
	c, f := between(t, old, tree{
		"a.go": strings.NewReplacer("run()", "run(\""+token+"\")", "call(x)", "call(x, 1)").Replace(old["a.go"]),
		"b.go": strings.Replace(old["b.go"], "\tgone(\""+other+"\")\n", "\tUse()\n\tplain(`aaaabbbbcccc`)\n", 1),
	})
	c.Title = "Use " + token
	c.Description = "The key is " + other + ", or\n" + key
	recall := &fakeRecall{found: []review.Snippet{{Path: "c.go", StartLine: 1, Text: "old := \"SECRET_fromtheindex\""}}}
	m := script(always(report(
		map[string]any{"path": "a.go", "quote": "\tcall(x, 1)", "title": "It calls"},
		map[string]any{"path": "a.go", "quote": "\trun(", "title": "It runs"},
		map[string]any{"path": "b.go", "quote": "\tgone(\"⟦secret⟧\")", "title": "It is gone"},
	)), always(keep))
	res := run(t, review.Deps{Model: m, Recall: recall}, c, f, review.Options{
		Guidelines: "Never use " + other, Instructions: []review.PathInstruction{{Path: "**", Instructions: "Not " + token}},
	})
	text := m.prompts() + fmt.Sprint(recall.queries)
	for _, word := range []string{"SECRET_", "line of the key", "KEY<", ">KEY", "line two"} {
		if i := strings.Index(text, word); i >= 0 {
			t.Errorf("%q reached the model: …%s", word, text[max(0, i-120):min(len(text), i+80)])
		}
	}
	if !strings.Contains(text, "run(\"⟦secret⟧\")") || !strings.Contains(text, "-\tgone(\"⟦secret⟧\")") || !strings.Contains(text, "plain(`aaaabbbbcccc`)") {
		t.Error("more than the credentials was masked")
	}
	if got := fmt.Sprintf("%+v", res); strings.Contains(got, "SECRET_") {
		t.Errorf("the result holds a credential: %s", got)
	}
	if !strings.Contains(at(res), "high a.go:5-5 (new) A credential is committed (fake-token)") {
		t.Errorf("got %s", at(res))
	}
}

// A credential that only its context shows is masked where it stands bare, too.
func TestKnownSecretsAreMaskedElsewhere(t *testing.T) {
	t.Parallel()
	c, f := between(t, tree{"a.go": "package a\n"}, tree{"a.go": "package a\n\n// KEY<abcdefghijklmnop>KEY\nvar x = 1\n"})
	c.Description = "See KEY<abcdefghijklmnop>KEY."
	m := script(always(report()), always(keep))
	run(t, review.Deps{Model: m}, c, f, review.Options{})
	if strings.Contains(m.prompts(), "abcdefghijklmnop") {
		t.Error("it reached the model")
	}
}

// random makes a change of many files, in which every added line and every deleted line has a word of its own.
func random(t testing.TB, seed uint64) (review.Change, *fakeFiles, []string) {
	rng := rand.New(rand.NewPCG(seed, 1))
	old, new := tree{}, tree{}
	var words []string
	word := func(kind string) string {
		w := fmt.Sprintf("%s%06d", kind, len(words))
		words = append(words, w)
		return w
	}
	for i := range 1 + rng.IntN(8) {
		path := fmt.Sprintf("pkg%d/file%d.%s", i%4, i, []string{"kt", "txt", "py"}[rng.IntN(3)])
		var a, b strings.Builder
		whole := rng.IntN(6)
		lines := rng.IntN(160)
		for n := range lines {
			line := fmt.Sprintf("\tstep%d(%d) // %s\n", rng.IntN(9), n, strings.Repeat("x", rng.IntN(60)))
			switch rng.IntN(30) {
			case 0:
				line = "\n"
			case 1:
				line = fmt.Sprintf("}\n\nfunc F%d(%d) {\n", rng.IntN(20), n)
			}
			switch {
			case whole == 0: // a new file
				fmt.Fprintf(&b, "%s %s\n", strings.TrimRight(line, "\n"), word("ADD"))
			case whole == 1: // a deleted file, shown in part
				a.WriteString(line)
			case rng.IntN(12) == 0:
				fmt.Fprintf(&b, "added %s\n", word("ADD"))
				a.WriteString(line)
				b.WriteString(line)
			case rng.IntN(15) == 0:
				fmt.Fprintf(&a, "deleted %s\n", word("DEL"))
			default:
				a.WriteString(line)
				b.WriteString(line)
			}
		}
		if whole != 0 {
			old[path] = a.String()
		}
		if whole != 1 {
			new[path] = b.String()
		}
	}
	c, f := between(t, old, new)
	return c, f, words
}

// Whatever the change and the size of a prompt: each changed line is shown to a finder or named as an omission, no
// prompt is larger than it may be, and all is asked in the same words a second time.
func TestEveryChangedLineIsShown(t *testing.T) {
	t.Parallel()
	for seed := range uint64(28) {
		c, f, words := random(t, seed)
		if len(words) == 0 {
			continue
		}
		size := []int{3500, 4000, 8000, 16000}[seed%4]
		var requests [2][]string
		for i := range requests {
			m := script(always(report()), always(keep))
			res := run(t, review.Deps{Model: m}, c, f, review.Options{PromptTokens: size})
			requests[i] = m.requests()
			if i > 0 {
				continue
			}
			for _, q := range m.asked {
				if n := prompt.Tokens(q.Messages[0].Content + q.Messages[1].Content); n > size {
					t.Errorf("seed %d: a prompt for %s has %d tokens, more than %d", seed, q.SchemaName, n, size)
				}
			}
			var all strings.Builder
			for _, q := range m.of("findings") {
				all.WriteString(q.Messages[1].Content)
			}
			for _, w := range words {
				if !strings.Contains(all.String(), w) {
					t.Fatalf("seed %d: %s was shown to nobody (omissions %+v)", seed, w, res.Omissions)
				}
			}
			if res.State() != review.Clean {
				t.Errorf("seed %d: %s, %s", seed, res.State(), res.PartialReason)
			}
		}
		if !slices.Equal(requests[0], requests[1]) {
			t.Errorf("seed %d: the second run asks differently", seed)
		}
	}
}

// What exceeds a review is named, file by file.
func TestTooManyBundles(t *testing.T) {
	t.Parallel()
	old, new := tree{}, tree{}
	for i := range 130 {
		new[fmt.Sprintf("f%03d.go", i)] = strings.Repeat(fmt.Sprintf("line of file %d, which is of some length and says nothing at all\n", i), 60)
	}
	c, f := between(t, old, new)
	m := script(always(report()), always(keep))
	res := run(t, review.Deps{Model: m}, c, f, review.Options{PromptTokens: 4000})
	if n := len(m.of("findings")); n != 40 {
		t.Fatalf("%d finders", n)
	}
	named := map[string]bool{}
	for _, o := range res.Omissions {
		named[o.Path] = true
	}
	all := m.of("findings")
	for p := range new {
		shown := slices.ContainsFunc(all, func(q review.ModelRequest) bool { return strings.Contains(q.Messages[1].Content, "path: "+p+"\n") })
		if shown == named[p] && !shown {
			t.Errorf("%s is neither shown nor named", p)
		}
	}
	if !res.Partial || res.FilesReviewed+len(named) < 130 {
		t.Errorf("%d reviewed, %d named", res.FilesReviewed, len(named))
	}
}

// In a file that is too large to be searched as a whole, what is shown was searched all the same.
func TestLargeFile(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("package big\n\n")
	for i := range 4000 {
		fmt.Fprintf(&b, "func F%d() {\n\tcall(%d, \"SECRET_number%08d\")\n\tdone()\n}\n\n", i, i, i)
	}
	text := "diff --git a/big.go b/big.go\n--- a/big.go\n+++ b/big.go\n@@ -10003,3 +10003,4 @@\n func F2000() {\n \tcall(2000, \"SECRET_number00002000\")\n+\tadded()\n \tdone()\n"
	c := parseChange(t, text)
	f := &fakeFiles{old: tree{"big.go": b.String()}, new: tree{"big.go": strings.Replace(b.String(), "2000\")\n\tdone()", "2000\")\n\tadded()\n\tdone()", 1)}}
	m := script(always(report(map[string]any{"path": "big.go", "quote": "\tadded()", "title": "It is added"})), always(keep))
	res := run(t, review.Deps{Model: m}, c, f, review.Options{})
	if len(res.Findings) != 1 || res.Findings[0].Scope != "F2000" || len(res.Notes) != 0 {
		t.Errorf("got %+v", res)
	}
	p := m.prompts()
	if strings.Contains(p, "SECRET_") || !strings.Contains(p, "10004  \tcall(2000, \"⟦secret⟧\")") || !strings.Contains(p, "10007  }") {
		t.Errorf("the function is not shown whole and masked:\n%s", m.of("findings")[0].Messages[1].Content)
	}
}
