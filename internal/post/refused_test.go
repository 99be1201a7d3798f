package post

import (
	"slices"
	"testing"
)

func TestRefusedIn(t *testing.T) {
	t.Parallel()
	const marker = "<!-- mark r1 -->"
	p := &publication{draft: Draft{Marker: marker, Body: "text"}}
	for body, want := range map[string][]int{
		"":                        nil,
		"text":                    nil,
		p.body(nil):               nil,
		p.body([]int{3}):          {3},
		p.body([]int{0, 7, 29}):   {0, 7, 29},
		p.body([]int{1}) + "\r\n": {1},
		// Only ours, right above the marker, counts.
		refusedMarker([]int{1}) + "\n\ntext\n\n" + marker:                            nil,
		refusedMarker([]int{1}) + "\n\n" + refusedMarker([]int{2}) + "\n\n" + marker: {2},
		refusedMarker([]int{1}):                              nil,
		refusedOpen + "1,x" + refusedClose + "\n\n" + marker: nil,
		refusedOpen + "-1" + refusedClose + "\n\n" + marker:  nil,
		refusedOpen + "1,1" + refusedClose + "\n\n" + marker: nil,
		refusedOpen + "1" + "\n\n" + marker:                  nil,
		refusedOpen + refusedClose + "\n\n" + marker:         nil,
	} {
		if got := p.refusedIn(body); !slices.Equal(got, want) {
			t.Errorf("refusedIn(%q) = %v, want %v", body, got, want)
		}
	}
}

func FuzzParseRefused(f *testing.F) {
	f.Add(refusedMarker([]int{1, 2}))
	f.Add(refusedOpen + "99999999999999999999" + refusedClose)
	f.Fuzz(func(t *testing.T, line string) {
		got := parseRefused(line)
		if len(got) == 0 {
			return
		}
		if again := parseRefused(refusedMarker(got)); !slices.Equal(got, again) {
			t.Errorf("%v became %v", got, again)
		}
	})
}
