package post

import (
	"slices"
	"testing"
)

func TestRefusedMarker(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]int{
		"":                                     nil,
		"text":                                 nil,
		refusedMarker([]int{3}):                {3},
		"a\n" + refusedMarker([]int{0, 7, 29}): {0, 7, 29},
		// The text above may quote one; only ours, below it, counts.
		refusedMarker([]int{1}) + "\n\n" + refusedMarker([]int{2}): {2},
		refusedOpen + "1,x" + refusedClose:                         nil,
		refusedOpen + "-1" + refusedClose:                          nil,
		refusedOpen + "1,1" + refusedClose:                         nil,
		refusedOpen + "1":                                          nil,
		refusedOpen + refusedClose:                                 nil,
	} {
		if got := refusedIn(body); !slices.Equal(got, want) {
			t.Errorf("refusedIn(%q) = %v, want %v", body, got, want)
		}
	}
}

func FuzzRefusedIn(f *testing.F) {
	f.Add("x " + refusedMarker([]int{1, 2}) + " y")
	f.Add(refusedOpen + "99999999999999999999" + refusedClose)
	f.Fuzz(func(t *testing.T, body string) {
		got := refusedIn(body)
		if len(got) == 0 {
			return
		}
		if again := refusedIn(refusedMarker(got)); !slices.Equal(got, again) {
			t.Errorf("%v became %v", got, again)
		}
	})
}
