package diff

import (
	"reflect"
	"strings"
	"testing"
)

func equal(a, b Diff) bool { return reflect.DeepEqual(a, b) }

// mustParse reads a patch that has nothing wrong.
func mustParse(t *testing.T, patch string) Diff {
	t.Helper()
	d, err := Parse(strings.NewReader(patch), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// facts sums a file up for comparison in a table.
type facts struct {
	old, new         string
	status           Status
	oldMode, newMode string
	binary, sub      bool
	added, deleted   int
}

func factsOf(f *File) facts {
	added, deleted := f.Counts()
	return facts{f.OldPath, f.NewPath, f.Status, f.OldMode, f.NewMode, f.Binary, f.Submodule, added, deleted}
}

func lines(l ...string) string { return strings.Join(l, "\n") + "\n" }

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		patch string
		want  []facts
	}{
		"modified, counts of 1 left out": {
			lines("diff --git a/x b/x", "index 1..2 100644", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "-a", "+b"),
			[]facts{{"x", "x", StatusModified, "100644", "100644", false, false, 1, 1}},
		},
		"added": {
			lines("diff --git a/x b/x", "new file mode 100755", "index 0000000..2", "--- /dev/null", "+++ b/x", "@@ -0,0 +1,2 @@", "+a", "+b"),
			[]facts{{"", "x", StatusAdded, "", "100755", false, false, 2, 0}},
		},
		"added and empty": {
			lines("diff --git a/x b/x", "new file mode 100644", "index 0000000..e69de29"),
			[]facts{{"", "x", StatusAdded, "", "100644", false, false, 0, 0}},
		},
		"deleted": {
			lines("diff --git a/x b/x", "deleted file mode 100644", "index 2..0000000", "--- a/x", "+++ /dev/null", "@@ -1 +0,0 @@", "-a"),
			[]facts{{"x", "", StatusDeleted, "100644", "", false, false, 0, 1}},
		},
		"renamed without a change": {
			lines("diff --git a/old name b/new name", "similarity index 100%", "rename from old name", "rename to new name"),
			[]facts{{"old name", "new name", StatusRenamed, "", "", false, false, 0, 0}},
		},
		"renamed and edited": {
			lines("diff --git a/d/x b/e/x", "similarity index 90%", "rename from d/x", "rename to e/x", "index 1..2 100644", "--- a/d/x", "+++ b/e/x", "@@ -3,0 +4 @@ func f()", "+a"),
			[]facts{{"d/x", "e/x", StatusRenamed, "100644", "100644", false, false, 1, 0}},
		},
		"copied": {
			lines("diff --git a/x b/y", "similarity index 100%", "copy from x", "copy to y"),
			[]facts{{"x", "y", StatusCopied, "", "", false, false, 0, 0}},
		},
		"mode changed": {
			lines("diff --git a/x b/x", "old mode 100644", "new mode 100755"),
			[]facts{{"x", "x", StatusModified, "100644", "100755", false, false, 0, 0}},
		},
		"binary": {
			lines("diff --git a/x.png b/x.png", "index 1..2 100644", "Binary files a/x.png and b/x.png differ",
				"diff --git a/y b/y", "new file mode 100644", "index 0..2", "Binary files /dev/null and b/y differ"),
			[]facts{{"x.png", "x.png", StatusModified, "100644", "100644", true, false, 0, 0}, {"", "y", StatusAdded, "", "100644", true, false, 0, 0}},
		},
		"binary patch": {
			lines("diff --git a/x b/x", "index 1..2 100644", "GIT binary patch", "literal 3", "KcmZQzVB}y}00IC4", "", "literal 0", "HcmV?d00001", "",
				"diff --git a/y b/y", "old mode 100644", "new mode 100755"),
			[]facts{{"x", "x", StatusModified, "100644", "100644", true, false, 0, 0}, {"y", "y", StatusModified, "100644", "100755", false, false, 0, 0}},
		},
		"submodule": {
			lines("diff --git a/sub b/sub", "index 1234567..89abcde 160000", "--- a/sub", "+++ b/sub", "@@ -1 +1 @@", "-Subproject commit 1234567", "+Subproject commit 89abcde"),
			[]facts{{"sub", "sub", StatusModified, "160000", "160000", false, true, 1, 1}},
		},
		"submodule as a log": {
			lines("Submodule lib/sub 1234567..89abcde:", "  > a commit", "Submodule new 0000000...89abcde (new submodule)"),
			[]facts{{"lib/sub", "lib/sub", StatusModified, "160000", "160000", false, true, 0, 0}, {"", "new", StatusAdded, "", "160000", false, true, 0, 0}},
		},
		"blanks in a name": {
			lines("diff --git a/b file b.txt b/b file b.txt", "index 1..2 100644", "--- a/b file b.txt\t", "+++ b/b file b.txt\t", "@@ -1 +1 @@", "-a", "+b"),
			[]facts{{"b file b.txt", "b file b.txt", StatusModified, "100644", "100644", false, false, 1, 1}},
		},
		"a name that looks like two": {
			lines("diff --git a/x b/x b/x b/x", "old mode 100644", "new mode 100755"),
			[]facts{{"x b/x", "x b/x", StatusModified, "100644", "100755", false, false, 0, 0}},
		},
		"quoted names": {
			lines(`diff --git "a/gr\303\274n \"x\"\\y\t.txt" "b/gr\303\274n \"x\"\\y\t.txt"`, "index 1..2 100644", `--- "a/gr\303\274n \"x\"\\y\t.txt"`, `+++ "b/gr\303\274n \"x\"\\y\t.txt"`, "@@ -1 +1 @@", "-a", "+b"),
			[]facts{{"grün \"x\"\\y\t.txt", "grün \"x\"\\y\t.txt", StatusModified, "100644", "100644", false, false, 1, 1}},
		},
		"one name quoted": {
			lines(`diff --git a/plain "b/gr\303\274n"`, "similarity index 100%", "rename from plain", `rename to "gr\303\274n"`),
			[]facts{{"plain", "grün", StatusRenamed, "", "", false, false, 0, 0}},
		},
		"unicode not quoted": {
			lines("diff --git a/grün.txt b/grün.txt", "--- a/grün.txt", "+++ b/grün.txt", "@@ -1 +1 @@", "-ä", "+ö"),
			[]facts{{"grün.txt", "grün.txt", StatusModified, "", "", false, false, 1, 1}},
		},
		"no prefix": {
			lines("diff --git a/dir/x a/dir/x", "index 1..2 100644", "--- a/dir/x", "+++ a/dir/x", "@@ -1 +1 @@", "-a", "+b",
				"diff --git new new", "new file mode 100644", "--- /dev/null", "+++ new", "@@ -0,0 +1 @@", "+a"),
			[]facts{{"a/dir/x", "a/dir/x", StatusModified, "100644", "100644", false, false, 1, 1}, {"", "new", StatusAdded, "", "100644", false, false, 1, 0}},
		},
		"mnemonic and other prefixes": {
			lines("diff --git i/x w/x", "--- i/x", "+++ w/x", "@@ -1 +1 @@", "-a", "+b",
				"diff --git old/y newer/y", "--- old/y", "+++ newer/y", "@@ -1 +1 @@", "-a", "+b",
				"diff --git x/src/z yy/src/z", "deleted file mode 100644", "--- x/src/z", "+++ /dev/null", "@@ -1 +0,0 @@", "-a"),
			[]facts{{"x", "x", StatusModified, "", "", false, false, 1, 1}, {"y", "y", StatusModified, "", "", false, false, 1, 1}, {"src/z", "", StatusDeleted, "100644", "", false, false, 0, 1}},
		},
		"two files compared without an index": {
			lines("diff --git a/one.txt b/two.txt", "index 1..2 100644", "--- a/one.txt", "+++ b/two.txt", "@@ -1 +1 @@", "-a", "+b"),
			[]facts{{"one.txt", "two.txt", StatusRenamed, "100644", "100644", false, false, 1, 1}},
		},
		"plain, with times after the names": {
			lines("Only in x: y", "diff -ru old/dir/x new/dir/x", "--- old/dir/x\t2024-01-01 00:00:00.0 +0000", "+++ new/dir/x\t2024-01-02 00:00:00.0 +0000", "@@ -1,2 +1,2 @@", " a", "-b", "+c",
				"--- a/y", "+++ b/y", "@@ -1 +1 @@", "-a", "+b", "--- /dev/null", "+++ b/z", "@@ -0,0 +1 @@", "+a", "Binary files a/i.png and b/i.png differ"),
			[]facts{{"dir/x", "dir/x", StatusModified, "", "", false, false, 1, 1}, {"y", "y", StatusModified, "", "", false, false, 1, 1}, {"", "z", StatusAdded, "", "", false, false, 1, 0}, {"i.png", "i.png", StatusModified, "", "", true, false, 0, 0}},
		},
		"a mail around it": {
			lines("From 123 Mon Sep 17 00:00:00 2001", "Subject: [PATCH] x", "", "text", "--- not a name", "---", " x | 2 +-", "", "diff --git a/x b/x", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "-a", "+b", "-- ", "2.39.5", ""),
			[]facts{{"x", "x", StatusModified, "", "", false, false, 1, 1}},
		},
		"lines that look like headers": {
			lines("diff --git a/x b/x", "--- a/x", "+++ b/x", "@@ -1,3 +1,3 @@", "--- a/y", "+++ b/y", " @@ -1 +1 @@", "-diff --git a/z b/z", "+-- "),
			[]facts{{"x", "x", StatusModified, "", "", false, false, 2, 2}},
		},
		"context stripped of its blank": {
			lines("diff --git a/x b/x", "--- a/x", "+++ b/x", "@@ -1,3 +1,3 @@", " a", "", "-b", "+c"),
			[]facts{{"x", "x", StatusModified, "", "", false, false, 1, 1}},
		},
		"a file that became a link": {
			lines("diff --git a/x b/x", "deleted file mode 100644", "--- a/x", "+++ /dev/null", "@@ -1 +0,0 @@", "-a",
				"diff --git a/x b/x", "new file mode 120000", "--- /dev/null", "+++ b/x", "@@ -0,0 +1 @@", "+y", "\\ No newline at end of file"),
			[]facts{{"x", "", StatusDeleted, "100644", "", false, false, 0, 1}, {"", "x", StatusAdded, "", "120000", false, false, 1, 0}},
		},
		"headers ending in CRLF": {
			"diff --git a/x b/x\r\nindex 1..2 100644\r\n--- a/x\r\n+++ b/x\r\n@@ -1 +1 @@\r\n-a\r\n+b\r\n",
			[]facts{{"x", "x", StatusModified, "100644", "100644", false, false, 1, 1}},
		},
		"nothing":   {"", nil},
		"all blank": {"\n \n", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := mustParse(t, test.patch)
			var got []facts
			for i := range d.Files {
				got = append(got, factsOf(&d.Files[i]))
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			if again := mustParse(t, Format(d)); !equal(d, again) {
				t.Errorf("printed and read again:\n%s\ngot  %+v\nwant %+v", Format(d), again, d)
			}
		})
	}
}

func TestParseNumbersLines(t *testing.T) {
	t.Parallel()
	d := mustParse(t, "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -10,3 +20,4 @@ func f() {\n"+
		" a\r\n-b\n-c\n\\ No newline at end of file\n+d\n+e\n+\xff\n\\ No newline at end of file\n")
	want := []Line{
		{Context, 10, 20, "a\r", false},
		{Deleted, 11, 0, "b", false},
		{Deleted, 12, 0, "c", true},
		{Added, 0, 21, "d", false},
		{Added, 0, 22, "e", false},
		{Added, 0, 23, "\xff", true},
	}
	h := d.Files[0].Hunks[0]
	if !reflect.DeepEqual(h.Lines, want) || h.Section != "func f() {" {
		t.Errorf("got %+v", h)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	git := func(l ...string) string {
		return lines(append([]string{"diff --git a/x b/x", "--- a/x", "+++ b/x"}, l...)...)
	}
	tests := map[string]struct{ patch, problem string }{
		"fewer lines than promised":     {git("@@ -1,3 +1,3 @@", " a", "-b", "+c"), "fewer lines"},
		"more lines than promised":      {git("@@ -1 +1 @@", "-a", "+b", "+c"), "more lines"},
		"more context than promised":    {git("@@ -1 +1 @@", "-a", "+b", " c"), "more lines"},
		"too many on one side":          {git("@@ -1,1 +1,3 @@", "-a", "-b", "+c"), "other lines"},
		"more after a blank line":       {git("@@ -1 +1 @@", "-a", "+b", "", "+c"), "more lines"},
		"a hunk after a blank line":     {git("@@ -1 +1 @@", "-a", "+b", "", "@@ -5 +5 @@", "-a", "+b"), "more lines"},
		"text inside a hunk":            {git("@@ -1,2 +1,2 @@", "-a", "what", "+b"), "fewer lines"},
		"numbers beyond counting":       {git("@@ -99999999999999999999 +1 @@", "-a", "+b"), "malformed"},
		"counts beyond counting":        {git("@@ -1,9223372036854775807 +1,9223372036854775807 @@", "-a", "+b"), "malformed"},
		"the largest numbers":           {git("@@ -2147483647,2147483647 +1 @@", "-a", "+b"), "fewer lines"},
		"negative numbers":              {git("@@ --1 +1 @@", "-a", "+b"), "malformed"},
		"an empty hunk":                 {git("@@ -0,0 +0,0 @@"), "empty"},
		"line 0":                        {git("@@ -0 +1 @@", "-a", "+b"), "from 0"},
		"hunks out of order":            {git("@@ -5 +5 @@", "-a", "+b", "@@ -1 +1 @@", "-a", "+b"), "overlap"},
		"hunks that overlap":            {git("@@ -1,2 +1,2 @@", " a", " b", "@@ -2 +2 @@", "-a", "+b"), "overlap"},
		"a line after the last":         {git("@@ -1,2 +1 @@", "-a", "\\ No newline at end of file", "-b", "+c"), "ends the file"},
		"a hunk after the last line":    {git("@@ -1 +1 @@", "-a", "+b", "\\ No newline at end of file", "@@ -5 +5 @@", "-a", "+b"), "ends the file"},
		"a mark twice":                  {git("@@ -1 +1 @@", "-a", "\\ No newline", "\\ No newline", "+b"), "mark"},
		"a mark first":                  {git("@@ -1 +1 @@", "\\ No newline", "-a", "+b"), "mark"},
		"no hunk after the names":       {git(), "no hunk"},
		"no second name":                {lines("diff --git a/x b/x", "--- a/x", "@@ -1 +1 @@", "-a", "+b"), "not followed"},
		"lines without a hunk":          {lines("diff --git a/x b/x", "index 1..2 100644", "+a"), "no hunk header"},
		"a hunk without names":          {lines("diff --git a/x b/x", "@@ -1 +1 @@", "-a", "+b"), "before the names"},
		"names that disagree":           {lines("diff --git a/x b/x", "--- a/y", "+++ b/y", "@@ -1 +1 @@", "-a", "+b"), "disagree"},
		"a rename that disagrees":       {lines("diff --git a/x b/y", "rename from x", "rename to y", "--- a/x", "+++ b/z", "@@ -1 +1 @@", "-a", "+b"), "disagree"},
		"half a rename":                 {lines("diff --git a/x b/y", "rename from x"), "lacks"},
		"names nobody can tell":         {lines("diff --git a b c d", "old mode 100644", "new mode 100755"), "tell"},
		"out of the repository":         {lines("diff --git a/../x b/../x", "old mode 100644", "new mode 100755"), "leaves the repository"},
		"an absolute name":              {lines("diff --git /etc/x /etc/x", "old mode 100644", "new mode 100755"), "leaves the repository"},
		"a NUL in a name":               {lines(`diff --git "a/x\000" "b/x\000"`, "old mode 100644", "new mode 100755"), "NUL"},
		"a combined diff":               {lines("diff --cc x", "index 1,2..3", "--- a/x", "+++ b/x", "@@@ -1 -1 +1 @@@", "- a", " -b", "++c"), "combined"},
		"a combined diff by --combined": {lines("diff --combined dir/x", "index 1,2..3", "--- a/x", "+++ b/x", "@@@ -1 -1 +1 @@@", "- a", " -b", "++c"), "combined"},
		"an added file with old lines":  {lines("diff --git a/x b/x", "new file mode 100644", "--- /dev/null", "+++ b/x", "@@ -1 +1 @@", "-a", "+b"), "does not exist"},
		"added and deleted":             {lines("diff --git a/x b/x", "new file mode 100644", "deleted file mode 100644"), "both added and deleted"},
		"a bad mode":                    {lines("diff --git a/x b/x", "old mode rwx", "new mode 100755"), "mode"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := lines("diff --git a/first b/first", "--- a/first", "+++ b/first", "@@ -1 +1 @@", "-a", "+b")
			after := lines("diff --git a/last b/last", "--- a/last", "+++ b/last", "@@ -1 +1 @@", "-a", "+b")
			d, err := Parse(strings.NewReader(before+test.patch+after), Limits{})
			files, whole := SplitErrors(err)
			if len(files) != 1 || whole != nil {
				t.Fatalf("got %v, want one broken file", err)
			}
			if !strings.Contains(files[0].Problem, test.problem) || files[0].Line < 6 || files[0].Path == "" {
				t.Errorf("got %q at line %d of %q, want %q", files[0].Problem, files[0].Line, files[0].Path, test.problem)
			}
			if len(d.Files) != 2 || d.Files[0].Path() != "first" || d.Files[1].Path() != "last" {
				t.Errorf("the intact files are %+v", d.Files)
			}
			if !strings.Contains(err.Error(), files[0].Path) {
				t.Errorf("%q does not name the file", err)
			}
		})
	}
}

func TestParseRefusesAPlainFileWithTooManyLines(t *testing.T) {
	t.Parallel()
	for name, extra := range map[string]string{
		"a deleted line": "-- x\n",
		"two lines":      "--- x\n+++ y\n what\n",
		"at the end":     "--- x\n",
		"an added line":  "+x\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Parse(strings.NewReader("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"+extra+"--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n"), Limits{})
			files, _ := SplitErrors(err)
			if len(files) != 1 || files[0].Path != "x" || len(d.Files) != 1 || d.Files[0].Path() != "y" {
				t.Errorf("got %+v, %v", d.Files, err)
			}
		})
	}
}

func TestParseRefusesAFileThatStandsTwice(t *testing.T) {
	t.Parallel()
	one := lines("diff --git a/x b/x", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "-a", "+b")
	d, err := Parse(strings.NewReader(one+"commit 2\n\n    message\n\n"+one), Limits{})
	files, whole := SplitErrors(err)
	if len(files) != 1 || whole != nil || len(d.Files) != 1 || !strings.Contains(files[0].Problem, "twice") {
		t.Errorf("got %+v, %v", d.Files, err)
	}
}
