package finding

import (
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// rounds is how many generated cases a property is held against.
func rounds(t *testing.T, usual int) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("OPENRABBIT_TRIALS"))
	if err != nil || n <= 0 {
		return usual
	}
	return n
}

// tally counts how answers stand to the truth.
type tally struct{ stands, gone, unknownStands, unknownGone, sameContent int }

// TestCarryThroughGeneratedHistories carries anchors through histories of which the fate of each line is known, push by
// push and from the first version to the last at once.
func TestCarryThroughGeneratedHistories(t *testing.T) {
	t.Parallel()
	var counts tally
	for seed := range rounds(t, 4000) {
		h := &history{r: rand.New(rand.NewPCG(uint64(seed), 11))}
		versions := [][]idLine{h.file(6 + h.r.IntN(60))}
		first := versions[0]
		at := span{from: h.r.IntN(len(first))}
		at.to = min(at.from+h.r.IntN(4), len(first)-1)
		if squeeze(first[at.from].text) == "" || squeeze(first[at.to].text) == "" {
			continue
		}
		for range 1 + h.r.IntN(4) {
			next := versions[len(versions)-1]
			for range h.r.IntN(6) {
				next = h.edit(next, at.from)
			}
			versions = append(versions, next)
		}
		f := Finding{Path: "x.go", Anchor: diff.Anchor{Path: "x.go", Side: diff.New, Start: at.from + 1, End: at.to + 1}}
		judgeCarry(t, &counts, seed, f, first, versions[len(versions)-1])
		for i := 1; i < len(versions); i++ {
			c := judgeCarry(t, &counts, seed, f, versions[i-1], versions[i])
			if c.Fate != Stands {
				break
			}
			f = c.Onto(f)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%+v, 0 wrong", counts)
	if counts.stands < 1000 || counts.gone < 500 {
		t.Errorf("too few cases say anything: %+v", counts)
	}
}

// judgeCarry carries a finding and holds the answer against the truth.
func judgeCarry(t *testing.T, counts *tally, seed int, f Finding, before, after []idLine) Carried {
	t.Helper()
	p := Passage{Before: contentOf(before), After: contentOf(after), Path: f.Path, Newer: &diff.Diff{}}
	got := Carry(f, p)
	if again := Carry(f, p); !reflect.DeepEqual(got, again) {
		t.Fatalf("seed %d: two answers", seed)
	}
	at := span{f.Anchor.Start - 1, f.Anchor.End - 1}
	now, intact := trueFate(before, after, at)
	complain := func(what string) {
		t.Helper()
		t.Errorf("seed %d: %s: got %+v, truth %+v %v, anchor %+v\n-- before\n%s-- after\n%s", seed, what, got, now, intact, at, contentOf(before), contentOf(after))
	}
	switch got.Fate {
	case Stands:
		to := span{got.Anchor.Start - 1, got.Anchor.End - 1}
		switch {
		case squeeze(strings.Join(linesOf(p.Before)[at.from:at.to+1], "\n")) != squeeze(strings.Join(linesOf(p.After)[to.from:to.to+1], "\n")):
			complain("other code")
		case intact && to == now:
			counts.stands++
		case intact:
			complain("wrong place")
		case sameContent(before, after, at, to):
			counts.sameContent++
		default:
			complain("stands, though it is gone")
		}
	case Gone:
		if counts.gone++; intact {
			complain("gone, though it stands")
		}
	case FateUnknown:
		if got.Why == "" || !got.Anchor.IsZero() {
			complain("no reason")
		}
		if intact {
			counts.unknownStands++
		} else {
			counts.unknownGone++
		}
	}
	return got
}

// passage makes a passage of a file's versions.
func passage(before, after string, newer *diff.Diff) Passage {
	p := Passage{Path: "x.go", Newer: newer}
	if before != "" {
		p.Before = []byte(before)
	}
	if after != "" {
		p.After = []byte(after)
	}
	return p
}

func TestCarry(t *testing.T) {
	t.Parallel()
	const file = "package x\n\nfunc a() {\n\tresult := computeTheResult(1)\n\tsend(result)\n}\n\nfunc b() {\n\tsend(2)\n}\n"
	const quote = "\tresult := computeTheResult(1)\n\tsend(result)"
	f := Finding{Path: "x.go", Quote: quote, Anchor: diff.Anchor{Path: "x.go", Side: diff.New, Start: 4, End: 5}}
	with := func(change func(*Finding)) Finding { g := f; change(&g); return g }
	unanchored := with(func(f *Finding) { f.Anchor = diff.Anchor{} })
	secret := with(func(f *Finding) { f.Rule, f.Quote = "secret", "\tresult := ⟦secret⟧" })
	added := func(path, text string) *diff.Diff {
		d, err := diff.Parse(strings.NewReader("diff --git a/"+path+" b/"+path+"\nnew file mode 100644\n--- /dev/null\n+++ b/"+path+"\n@@ -0,0 +1 @@\n+"+text+"\n"), diff.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return &d
	}
	empty := &diff.Diff{}
	tests := map[string]struct {
		f     Finding
		p     Passage
		fate  Fate
		start int
	}{
		"nothing changed":             {f, passage(file, file, empty), Stands, 4},
		"lines above":                 {f, passage(file, "// c\n// d\n"+file, empty), Stands, 6},
		"indented":                    {f, passage(file, strings.ReplaceAll(file, "\t", "        "), empty), Stands, 4},
		"carriage returns":            {f, passage(file, strings.ReplaceAll(file, "\n", "\r\n"), empty), Stands, 4},
		"wrapped":                     {f, passage(file, strings.Replace(file, "computeTheResult(1)", "computeTheResult(\n\t\t1)", 1), empty), Stands, 4},
		"moved to the end":            {f, passage(file, "package x\n\nfunc b() {\n\tsend(2)\n}\n\nfunc a() {\n\tresult := computeTheResult(1)\n\tsend(result)\n}\n", empty), Stands, 8},
		"changed":                     {f, passage(file, strings.Replace(file, "(1)", "(2)", 1), empty), Gone, 0},
		"a line between":              {f, passage(file, strings.Replace(file, "(1)\n", "(1)\n\tcheck()\n", 1), empty), Gone, 0},
		"removed":                     {f, passage(file, strings.Replace(file, quote+"\n", "", 1), empty), Gone, 0},
		"copied":                      {f, passage(file, strings.Replace(file, "\tsend(2)", quote, 1), empty), FateUnknown, 0},
		"the file is gone":            {f, passage(file, "", empty), Gone, 0},
		"the file is gone, no diff":   {f, passage(file, "", nil), FateUnknown, 0},
		"moved to another file":       {f, passage(file, "package x\n", added("y.go", "result := computeTheResult(1); send(result)")), Gone, 0},
		"moved there as it was":       {with(func(f *Finding) { f.Anchor.End, f.Quote = 4, "result := computeTheResult(1)" }), passage(file, "package x\n", added("y.go", "result := computeTheResult(1)")), FateUnknown, 0},
		"another file was made":       {f, passage(file, "package x\n", added("y.go", "x := 1")), Gone, 0},
		"the older file is not known": {f, passage("", file, empty), FateUnknown, 0},
		"nor is the code there":       {f, passage("", "package x\n", empty), Gone, 0},
		"another older file":          {f, passage("package y\n\n\na\nb\n", file, empty), FateUnknown, 0},
		"a shorter older file":        {f, passage("package x\n", file, empty), FateUnknown, 0},
		"no anchor, code there":       {unanchored, passage(file, file, empty), FateUnknown, 0},
		"no anchor, code gone":        {unanchored, passage(file, "package x\n", empty), Gone, 0},
		"a masked quote":              {secret, passage(file, "// c\n"+file, empty), Stands, 5},
		"a masked quote, gone":        {secret, passage(file, "package x\n", empty), Gone, 0},
		"a masked quote only":         {secret, passage("", "package x\n", empty), FateUnknown, 0},
		"neither anchor nor quote":    {with(func(f *Finding) { f.Anchor, f.Quote = diff.Anchor{}, "" }), passage(file, file, empty), FateUnknown, 0},
		"blank lines":                 {with(func(f *Finding) { f.Anchor.Start, f.Anchor.End, f.Quote = 2, 2, "" }), passage(file, file, empty), FateUnknown, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Carry(test.f, test.p)
			if got.Fate != test.fate || got.Anchor.Start != test.start || (got.Why == "") != (got.Fate == Stands) {
				t.Errorf("got %+v", got)
			}
			if on := got.Onto(test.f); on.Anchor != got.Anchor || on.Path != "x.go" || on.Quote != test.f.Quote {
				t.Errorf("onto: %+v", on)
			}
		})
	}
}

// TestCarryDeletedCode carries findings on the old side, whose lines are those of the base.
func TestCarryDeletedCode(t *testing.T) {
	t.Parallel()
	const base = "package x\n\nfunc a() {\n\tcheckThePermissions()\n\tsend()\n}\n"
	const head = "package x\n\nfunc a() {\n\tsend()\n}\n"
	parse := func(patch string) *diff.Diff {
		d, err := diff.Parse(strings.NewReader(patch), diff.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return &d
	}
	const header = "diff --git a/x.go b/x.go\n--- a/x.go\n+++ b/x.go\n"
	deleted := parse(header + "@@ -3,3 +3,2 @@\n func a() {\n-\tcheckThePermissions()\n \tsend()\n")
	lower := parse(header + "@@ -4,3 +4,2 @@\n func a() {\n-\tcheckThePermissions()\n \tsend()\n")
	renamed := parse("diff --git a/x.go b/y.go\nsimilarity index 90%\nrename from x.go\nrename to y.go\n--- a/x.go\n+++ b/y.go\n@@ -3,3 +3,2 @@\n func a() {\n-\tcheckThePermissions()\n \tsend()\n")
	other := parse(header + "@@ -1 +1 @@\n-package x\n+package y\n")
	whole := parse("diff --git a/x.go b/x.go\ndeleted file mode 100644\n--- a/x.go\n+++ /dev/null\n@@ -1,6 +0,0 @@\n-package x\n-\n-func a() {\n-\tcheckThePermissions()\n-\tsend()\n-}\n")
	unseen := &diff.Diff{Files: []diff.File{{OldPath: "x.go", NewPath: "x.go", Status: diff.StatusModified, Unseen: true}}}
	f := Finding{Path: "x.go", Quote: "\tcheckThePermissions()", Anchor: diff.Anchor{Path: "x.go", Side: diff.Old, Start: 4, End: 4}}
	wide := f
	wide.Anchor.End, wide.Quote = 5, "\tcheckThePermissions()\n\tsend()"
	tests := map[string]struct {
		f     Finding
		p     Passage
		fate  Fate
		start int
	}{
		"still deleted":           {f, Passage{[]byte(base), []byte(base), "x.go", deleted}, Stands, 4},
		"with context":            {wide, Passage{[]byte(base), []byte(base), "x.go", deleted}, Stands, 4},
		"the base has moved":      {f, Passage{[]byte(base), []byte("// c\n" + base), "x.go", lower}, Stands, 5},
		"renamed":                 {f, Passage{[]byte(base), []byte(base), "y.go", renamed}, Stands, 4},
		"the file was deleted":    {f, Passage{[]byte(base), []byte(base), "x.go", whole}, Stands, 4},
		"back, other changes":     {f, Passage{[]byte(base), []byte(base), "x.go", other}, Gone, 0},
		"back, no changes":        {f, Passage{[]byte(base), []byte(base), "x.go", &diff.Diff{}}, Gone, 0},
		"not to be seen":          {f, Passage{[]byte(base), []byte(base), "x.go", unseen}, FateUnknown, 0},
		"no diff":                 {f, Passage{[]byte(base), []byte(base), "x.go", nil}, FateUnknown, 0},
		"the base lost it itself": {f, Passage{[]byte(base), []byte(head), "x.go", &diff.Diff{}}, FateUnknown, 0},
		"no base":                 {f, Passage{nil, []byte(base), "x.go", deleted}, FateUnknown, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Carry(test.f, test.p)
			if got.Fate != test.fate || got.Anchor.Start != test.start || got.Fate == Stands && test.p.Newer.Valid(got.Anchor) != nil {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestSuccessor(t *testing.T) {
	t.Parallel()
	d := &diff.Diff{Files: []diff.File{
		{OldPath: "a", NewPath: "b", Status: diff.StatusRenamed}, {OldPath: "c", NewPath: "d", Status: diff.StatusCopied},
		{NewPath: "a", Status: diff.StatusAdded}, {OldPath: "e", Status: diff.StatusDeleted}, {OldPath: "f", NewPath: "g", Status: diff.StatusRenamed},
	}}
	for path, want := range map[string]string{"a": "a", "b": "b", "c": "c", "d": "d", "e": "e", "f": "g", "other": "other"} {
		if got := Successor(d, path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}
