package render

import (
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
)

const someID review.ID = "0191c1a4-1111-7222-8333-444455556666"

func TestMarkers(t *testing.T) {
	t.Parallel()
	secret := []byte("0123456789abcdef0123456789abcdef")
	marker := Marker(secret, someID)
	// Markers of older versions are found for as long as their reviews live.
	if want := "<!-- openrabbit:review=0191c1a4-1111-7222-8333-444455556666.e570f001a4b02d069ae71991683f360a -->"; marker != want {
		t.Errorf("the marker is %s", marker)
	}
	for _, body := range []string{marker, "text\n\n" + marker + "\n", "text\r\n\r\n" + marker + "\r\n", "  " + marker + " \n\n"} {
		if id, ok := ParseMarker(secret, body); !ok || id != someID {
			t.Errorf("%q: got %q, %v", body, id, ok)
		}
	}
	other := "0191c1a4-1111-7222-8333-444455556667"
	mac := strings.TrimSuffix(marker[strings.IndexByte(marker, '.')+1:], " -->")
	for name, body := range map[string]string{
		"another secret":   Marker([]byte("another"), someID),
		"no secret":        Marker(nil, someID),
		"another id":       strings.Replace(marker, string(someID), other, 1),
		"no MAC":           "<!-- openrabbit:review=" + string(someID) + " -->",
		"an empty MAC":     "<!-- openrabbit:review=" + string(someID) + ". -->",
		"a cut MAC":        "<!-- openrabbit:review=" + string(someID) + "." + mac[:30] + " -->",
		"a longer MAC":     "<!-- openrabbit:review=" + string(someID) + "." + mac + "00 -->",
		"a wrong digit":    strings.Replace(marker, mac, strings.Map(func(r rune) rune { return r ^ 1 }, mac), 1),
		"no hexadecimal":   "<!-- openrabbit:review=" + string(someID) + ".zz -->",
		"text after it":    marker + "\nmore",
		"text on its line": "x " + marker,
		"inside a block":   "```\n" + marker + "\n```",
		"no id":            "<!-- openrabbit:review=." + mac + " -->",
		"upper case":       strings.Replace(marker, string(someID), strings.ToUpper(string(someID)), 1),
		"nothing":          "",
	} {
		if id, ok := ParseMarker(secret, body); ok {
			t.Errorf("%s: %q passed as %s", name, body, id)
		}
	}
	for _, id := range []review.ID{"", "x", "0191c1a4-1111-7222-8333-44445555666", "0191c1a4-1111-7222-8333-44445555666 -->", "0191c1a4x1111-7222-8333-444455556666"} {
		if m := Marker(secret, id); m != "" {
			t.Errorf("%q has the marker %s", id, m)
		}
	}
}

func TestFindingMarkers(t *testing.T) {
	t.Parallel()
	p := finding.Fingerprint("v1:" + strings.Repeat("0a", 16))
	if got, ok := ParseFindingMarker("text\n\n" + FindingMarker(p) + "\n"); !ok || got != p {
		t.Errorf("got %q, %v", got, ok)
	}
	for _, bad := range []finding.Fingerprint{"", "v1:x", "v1:" + finding.Fingerprint(strings.Repeat("0a", 15)) + "->"} {
		if FindingMarker(bad) != "" {
			t.Errorf("%q has a marker", bad)
		}
	}
	for _, body := range []string{"", "x", FindingMarker(p) + "\nmore", "<!-- openrabbit:finding=v1:zz -->"} {
		if got, ok := ParseFindingMarker(body); ok {
			t.Errorf("%q passed as %s", body, got)
		}
	}
}

func FuzzParseMarker(f *testing.F) {
	secret := []byte("secret")
	f.Add(Marker(secret, someID))
	f.Add("x\n<!-- openrabbit:review=a.b -->\n")
	f.Fuzz(func(t *testing.T, body string) {
		if id, ok := ParseMarker(secret, body); ok && !strings.HasSuffix(strings.TrimSpace(body), Marker(secret, id)) {
			t.Fatalf("%q passed as %s", body, id)
		}
	})
}
