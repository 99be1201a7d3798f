package diff

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// words are lines that a parser of diffs may stumble over.
var words = []string{
	"", " ", "a", "b", "}", "\treturn nil", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "diff --git a/x b/x", "-- ", "+", "-", "\\ No newline at end of file",
	"ä\u202e", "\xff\xfe", "x\r", "\r", "Binary files a and b differ", strings.Repeat("long ", 300),
}

// content gives the lines of a random file.
func content(r *rand.Rand) []string {
	text := make([]string, r.IntN(40))
	for i := range text {
		text[i] = words[r.IntN(len(words))]
	}
	return text
}

// edit gives a random edit of lines.
func edit(r *rand.Rand, before []string) []string {
	var after []string
	for _, line := range before {
		switch r.IntN(12) {
		case 0: // deleted
		case 1:
			after = append(after, words[r.IntN(len(words))])
		case 2:
			after = append(after, line, words[r.IntN(len(words))])
		default:
			after = append(after, line)
		}
	}
	return after
}

// bytesOf joins lines; a file of lines may lack its last newline.
func bytesOf(lines []string, newline bool) []byte {
	if len(lines) == 0 {
		return nil
	}
	text := strings.Join(lines, "\n")
	if newline || lines[len(lines)-1] == "" {
		text += "\n"
	}
	return []byte(text)
}

// compare makes the diff of two files in the simplest way: all of one go, all of the other come, with common lines at
// both ends as context. An independent way to a correct diff.
func compare(before, after []byte, around int) []Hunk {
	a, b := splitLines(before), splitLines(after)
	head := 0
	for head < len(a) && head < len(b) && bytes.Equal(a[head], b[head]) {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && bytes.Equal(a[len(a)-1-tail], b[len(b)-1-tail]) {
		tail++
	}
	if head == len(a) && head == len(b) {
		return nil
	}
	from := max(0, head-around)
	h := Hunk{OldStart: from + 1, NewStart: from + 1, Section: "func x() {"}
	add := func(kind LineKind, i, j int, text []byte) {
		line, whole := bytes.CutSuffix(text, []byte("\n"))
		h.Lines = append(h.Lines, Line{Kind: kind, Old: i, New: j, Text: string(line), NoEOL: !whole})
		if i > 0 {
			h.OldCount++
		}
		if j > 0 {
			h.NewCount++
		}
	}
	for i := from; i < head; i++ {
		add(Context, i+1, i+1, a[i])
	}
	for i := head; i < len(a)-tail; i++ {
		add(Deleted, i+1, 0, a[i])
	}
	for j := head; j < len(b)-tail; j++ {
		add(Added, 0, j+1, b[j])
	}
	for k := 0; k < min(tail, around); k++ {
		add(Context, len(a)-tail+k+1, len(b)-tail+k+1, a[len(a)-tail+k])
	}
	if h.OldCount == 0 {
		h.OldStart--
	}
	if h.NewCount == 0 {
		h.NewStart--
	}
	return []Hunk{h}
}

func TestRandomEditsSurvivePrinting(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	paths := []string{"x", "dir/file.go", "with blank/b file.txt", "a/b", "grün/\t\"q\"\\.txt", "x b/x", "trailing ", "b/x"}
	for round := range 3000 {
		before := content(r)
		one, two := bytesOf(before, r.IntN(4) > 0), bytesOf(edit(r, before), r.IntN(4) > 0)
		f := File{OldPath: paths[r.IntN(len(paths))], Status: StatusModified, OldMode: "100644", NewMode: "100644", Hunks: compare(one, two, r.IntN(4))}
		f.NewPath = f.OldPath
		switch {
		case r.IntN(4) == 0:
			f.NewPath, f.Status = "moved/"+f.NewPath, StatusRenamed
		case len(f.Hunks) > 0 && f.Hunks[0].OldCount == 0 && one == nil:
			f.OldPath, f.OldMode, f.Status = "", "", StatusAdded
		case len(f.Hunks) > 0 && f.Hunks[0].NewCount == 0 && two == nil:
			f.NewPath, f.NewMode, f.Status = "", "", StatusDeleted
		}
		d := Diff{Files: []File{f, {OldPath: "last", NewPath: "last", Status: StatusModified, OldMode: "100644", NewMode: "100755"}}}
		again, err := Parse(strings.NewReader(Format(d)), Limits{})
		if err != nil || !equal(d, again) {
			t.Fatalf("round %d: %v\n%s\ngot  %+v\nwant %+v", round, err, Format(d), again, d)
		}
		if err := Verify(&again.Files[0], one, two); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := applies(&again.Files[0], one, two); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		checkLookup(t, &again.Files[0])
		// One wrong byte anywhere is noticed.
		if len(f.Hunks) > 0 && len(two) > 0 {
			wrong := bytes.Clone(two)
			h := f.Hunks[0]
			if news := h.Side(New); len(news) > 0 && len(news[0].Text) > 0 {
				at := len(bytes.Join(splitLines(two)[:news[0].New-1], nil))
				wrong[at] ^= 1
				if Verify(&again.Files[0], one, wrong) == nil {
					t.Fatalf("round %d: a wrong line passed", round)
				}
			}
		}
	}
}

// checkLookup holds Lookup, Text and Valid against the lines themselves.
func checkLookup(t *testing.T, f *File) {
	t.Helper()
	d := Diff{Files: []File{*f}}
	for _, side := range []Side{Old, New} {
		want := map[int]Line{}
		for _, h := range f.Hunks {
			count := h.OldCount
			if side == New {
				count = h.NewCount
			}
			if lines := h.Side(side); len(lines) != count {
				t.Fatalf("%s side of %+v has %d lines", side, h, len(lines))
			}
			for _, l := range h.Side(side) {
				want[l.Number(side)] = l
			}
		}
		for number := range want {
			for n := number - 2; n <= number+2; n++ {
				got, ok := f.Lookup(side, n)
				line, there := want[n]
				if ok != there || got != line {
					t.Fatalf("line %d of the %s side: got %+v, %v, want %+v", n, side, got, ok, line)
				}
				a := Anchor{Path: f.Path(), Side: side, Start: n, End: n}
				if (d.Valid(a) == nil) != there || there && !reflect.DeepEqual(d.Text(a), []string{line.Text}) {
					t.Fatalf("%s: %v, %q", a, d.Valid(a), d.Text(a))
				}
			}
		}
	}
}

// TestGitItself lets git make diffs of random files under nasty names, in several of its styles.
func TestGitItself(t *testing.T) {
	t.Parallel()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed: its own diffs were not tried")
	}
	r := rand.New(rand.NewPCG(7, 7))
	dir := t.TempDir()
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), git, append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "core.autocrlf=false"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, stderr.String())
		}
		return string(out)
	}
	run("init", "-q")
	names := []string{
		"plain.go", "b file b.txt", "x b/x", "dir with blank/and file", "grün.txt", "tab\there", "quo\"te", "back\\slash", "trailing ", " leading",
		"a/a", "b/b", "new\nline", "dev/null", "-dash", "emoji🐇", "moved.txt", "gone.txt", "mode.sh", "link", "binary.bin", "crlf.txt", "empty",
	}
	write := func(name string, content []byte) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := map[string][]string{}
	for _, name := range names {
		before[name] = append(content(r), "line", "of", "each", "file", name)
		write(name, bytesOf(before[name], r.IntN(3) > 0))
	}
	write("binary.bin", []byte("\x00\x01\x02"))
	run("add", "-A")
	run("commit", "-qm", "one")
	for _, name := range names {
		write(name, bytesOf(edit(r, before[name]), r.IntN(3) > 0))
	}
	write("binary.bin", []byte("\x00\x01\x03"))
	write("added\tone.txt", []byte("x\r\ny\r\n"))
	write("empty now", nil)
	for _, name := range []string{"gone.txt", "moved.txt", "link"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("moved to/here.txt", bytesOf(append(before["moved.txt"], "more"), true))
	if err := os.Symlink("plain.go", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "mode.sh"), 0o700); err != nil {
		t.Fatal(err)
	}
	run("add", "-A")
	run("commit", "-qm", "two")

	for _, style := range [][]string{
		{}, {"-U0"}, {"-U10"}, {"--no-prefix"}, {"--src-prefix=old/", "--dst-prefix=newer/"}, {"-c", "core.quotePath=false"}, {"--binary"},
		{"-R"}, {"--function-context"}, {"--patience"}, {"--full-index"}, {"-C", "--find-copies-harder"}, {"-c", "diff.mnemonicPrefix=true"},
	} {
		args := []string{"diff", "-M"}
		if len(style) > 0 && style[0] == "-c" {
			args = append(style[:2:2], args...)
		} else {
			args = append(args, style...)
		}
		patch := run(append(args, "HEAD~", "HEAD")...)
		d, err := Parse(strings.NewReader(patch), Limits{})
		if err != nil {
			t.Errorf("%s: %v", style, err)
			continue
		}
		counting := slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
			return strings.HasPrefix(arg, "-U") || arg == "--function-context" || arg == "--binary" // these ask for a patch
		})
		compareNumstat(t, d, run(append(counting, "--numstat", "-z", "HEAD~", "HEAD")...), strings.Join(style, " "))
		from, to := "HEAD~", "HEAD"
		if len(style) > 0 && style[0] == "-R" {
			from, to = to, from
		}
		for i := range d.Files {
			f := &d.Files[i]
			var one, two []byte
			if f.OldPath != "" {
				one = []byte(run("show", from+":"+f.OldPath))
			}
			if f.NewPath != "" {
				two = []byte(run("show", to+":"+f.NewPath))
			}
			if err := Verify(f, one, two); err != nil {
				t.Errorf("%s: %v", style, err)
			}
			if err := applies(f, one, two); err != nil && !f.Binary {
				t.Errorf("%s: %v", style, err)
			}
			checkLookup(t, f)
		}
		if again, err := Parse(strings.NewReader(Format(d)), Limits{}); err != nil || !equal(d, again) {
			t.Errorf("%s does not survive printing: %v", style, err)
		}
	}
}

// compareNumstat holds a diff against what git counts itself.
func compareNumstat(t *testing.T, d Diff, numstat, style string) {
	t.Helper()
	fields := strings.Split(strings.TrimSuffix(numstat, "\x00"), "\x00")
	var want, got []string
	for i := 0; i < len(fields); i++ {
		row := strings.SplitN(fields[i], "\t", 3)
		if row[2] == "" { // renamed: two names follow
			row[2] = fields[i+1] + " => " + fields[i+2]
			i += 2
		}
		want = append(want, strings.Join(row, " "))
	}
	for i := range d.Files {
		f := &d.Files[i]
		added, deleted := f.Counts()
		a, b := strconv.Itoa(added), strconv.Itoa(deleted)
		if f.Binary {
			a, b = "-", "-"
		}
		name := f.Path()
		if f.Status == StatusRenamed || f.Status == StatusCopied {
			name = f.OldPath + " => " + f.NewPath
		}
		// A file that became a link is one row for git and two files in its diff.
		if n := len(got); f.Status == StatusAdded && n > 0 && d.Files[i-1].Status == StatusDeleted && d.Files[i-1].OldPath == name {
			_, gone := d.Files[i-1].Counts()
			got[n-1] = fmt.Sprintf("%s %d %s", a, gone, name)
			continue
		}
		got = append(got, a+" "+b+" "+name)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %q\nwant %q", style, got, want)
	}
}

// applies makes the file after the change from the one before it and the hunks, and compares.
func applies(f *File, before, after []byte) error {
	old := splitLines(before)
	var made []byte
	at := 0
	for _, h := range f.Hunks {
		from := first(h.OldStart, h.OldCount) - 1
		made = append(made, bytes.Join(old[at:from], nil)...)
		at = from + h.OldCount
		for _, l := range h.Side(New) {
			if made = append(made, l.Text...); !l.NoEOL {
				made = append(made, '\n')
			}
		}
	}
	if made = append(made, bytes.Join(old[at:], nil)...); !bytes.Equal(made, after) {
		return fmt.Errorf("the diff of %s does not lead from the one file to the other", f.Path())
	}
	return nil
}
