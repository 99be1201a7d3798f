package githubtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// TestNumbersOfManyEdits makes random edits, several to a hunk and several hunks to a file, and holds every line of the
// diff against the line of that number.
func TestNumbersOfManyEdits(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(3, 4))
	hunks := 0
	for n := range 500 {
		var before, after strings.Builder
		for i := range dice.IntN(80) {
			line := fmt.Sprintf("line %d of %d\n", i, n)
			switch dice.IntN(12) {
			case 0:
				before.WriteString(line)
			case 1:
				after.WriteString(line)
			case 2:
				before.WriteString(line)
				after.WriteString("changed " + line)
			default:
				before.WriteString(line)
				after.WriteString(line)
			}
		}
		text := unified([]*change{newChange("modified", "f.txt", "f.txt", before.String(), after.String())})
		d, err := diff.Parse(strings.NewReader(text), diff.Limits{})
		if err != nil || len(d.Files) != 1 {
			t.Fatalf("%v\n%s", err, text)
		}
		hunks += len(d.Files[0].Hunks)
		if err := diff.Verify(&d.Files[0], []byte(before.String()), []byte(after.String())); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	if hunks < 600 {
		t.Errorf("only %d hunks: files with several are what is tested", hunks)
	}
}
