package diff

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestForeignCorpora reads every diff in the folders of OPENRABBIT_DIFFS, such as the test data of other parsers: each is
// parsed, or refused with a reason. Where git can read the diff as well, both must count the same lines.
func TestForeignCorpora(t *testing.T) {
	t.Parallel()
	folders := os.Getenv("OPENRABBIT_DIFFS")
	if folders == "" {
		t.Skip("OPENRABBIT_DIFFS is not set: no foreign diffs were read")
	}
	parsed, refused, counted, apart := 0, 0, 0, 0
	for _, folder := range filepath.SplitList(folders) {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !slices.Contains([]string{".diff", ".patch", ".reversed"}, filepath.Ext(path)) {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, _ := filepath.Rel(folder, path)
			d, err := Parse(bytes.NewReader(text), Limits{})
			if errors.Is(err, ErrNoDiff) && bytes.HasPrefix(text, []byte("@@ ")) {
				// Hunks without a header, as GitHub gives them.
				var f File
				if f, err = ParsePatch("x", "x", StatusModified, string(text)); err == nil {
					d.Files = append(d.Files, f)
				}
				text = append([]byte("--- a/x\n+++ b/x\n"), text...)
			}
			for i := range d.Files {
				check(t, &d.Files[i])
			}
			again, failed := Parse(strings.NewReader(Format(d)), Limits{})
			if len(d.Files) > 0 && (failed != nil || !equal(d, again)) {
				t.Errorf("%s does not survive printing: %v", name, failed)
			}
			broken, whole := SplitErrors(err)
			switch {
			case err == nil:
				parsed++
			case whole != nil && !errors.Is(whole, ErrNoDiff):
				t.Errorf("%s: %v", name, whole)
			default:
				refused++
				t.Logf("%s: %d files, and refused: %s", name, len(d.Files), strings.ReplaceAll(err.Error(), "\n", "; "))
			}
			for _, b := range broken {
				if b.Problem == "" || b.Line == 0 {
					t.Errorf("%s is refused without a reason: %v", name, b)
				}
			}
			if begun := bytes.Count(append([]byte("\n"), text...), []byte("\ndiff --git ")); begun > len(d.Files)+len(broken) {
				t.Errorf("%s: %d files begin, %d are told of", name, begun, len(d.Files)+len(broken))
			}
			rows, ok := gitCounts(t, text)
			if !ok || err != nil || slices.ContainsFunc(d.Files, func(f File) bool { return f.Binary }) {
				return nil
			}
			var ours []string
			for i := range d.Files {
				added, deleted := d.Files[i].Counts()
				ours = append(ours, strconv.Itoa(added)+" "+strconv.Itoa(deleted))
			}
			if counted++; !slices.Equal(ours, rows) {
				apart++
				t.Errorf("%s: we count %q, git %q", name, ours, rows)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d parsed, %d refused; %d of them counted by git too, %d differ", parsed, refused, counted, apart)
	if parsed == 0 {
		t.Errorf("no diffs in %s", folders)
	}
}

// gitCounts gives the added and deleted lines of each file as git reads them; false when it does not take the diff.
func gitCounts(t *testing.T, patch []byte) (rows []string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "apply", "--numstat", "--allow-empty", "-z", "-")
	cmd.Stdin = bytes.NewReader(patch)
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		return nil, false
	}
	for _, row := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if fields := strings.SplitN(row, "\t", 3); len(fields) == 3 {
			rows = append(rows, fields[0]+" "+fields[1])
		}
	}
	return rows, true
}
