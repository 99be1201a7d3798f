package render

import (
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/finding"
)

func TestAddressed(t *testing.T) {
	t.Parallel()
	p, other := finding.Fingerprint("v1:"+strings.Repeat("0a", 16)), finding.Fingerprint("v1:"+strings.Repeat("0b", 16))
	body := Addressed("0123456789abcdef", p)
	if !strings.HasPrefix(body, "Addressed in 0123456.\n") || !IsAddressed(body+"\n", p) {
		t.Errorf("%q", body)
	}
	for name, is := range map[string]bool{
		"another finding": IsAddressed(body, other), "no finding": IsAddressed("Addressed in 0123456.", ""),
		"text after it": IsAddressed(body+"\nmore", p), "a comment": IsAddressed(FindingMarker(p), p),
		"a fingerprint that is none": IsAddressed(Addressed("0123456", "x"), "x"),
	} {
		if is {
			t.Errorf("%s passes", name)
		}
	}
	if _, ok := ParseMarker([]byte("secret"), Collapsed); ok || IsWalkthrough(Collapsed) {
		t.Error("a collapsed review passes for another")
	}
}
