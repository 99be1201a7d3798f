package failpoint

import (
	"strings"
	"testing"
)

func TestLandsAsOftenAsArmed(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	s, err := Parse("a:kill:2,b:freeze:1", &out)
	if err != nil {
		t.Fatal(err)
	}
	var landed []Action
	s.signal = func(a Action) { landed = append(landed, a) }
	for _, name := range []string{"a", "other", "b", "a", "a", "b"} {
		s.Hit(name)
	}
	if len(landed) != 3 || landed[0] != Kill || landed[1] != Freeze || landed[2] != Kill {
		t.Errorf("landed %v", landed)
	}
	if want := "failpoint landed: a:kill\nfailpoint landed: b:freeze\nfailpoint landed: a:kill\n"; out.String() != want {
		t.Errorf("wrote %q, want %q", out.String(), want)
	}
}

func TestSkipsPassings(t *testing.T) {
	t.Parallel()
	s, err := Parse("a:kill:1:2", &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	landed := 0
	s.signal = func(Action) { landed++ }
	for pass, want := range []int{0, 0, 1, 1} {
		if s.Hit("a"); landed != want {
			t.Errorf("after passing %d it landed %d times, want %d", pass+1, landed, want)
		}
	}
}

func TestInertWithoutRules(t *testing.T) {
	t.Parallel()
	s, err := Parse("", nil)
	if s != nil || err != nil {
		t.Fatal(s, err)
	}
	s.Hit("anything")
}

func TestBadRulesAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a", "a:kill", "a:kill:0", "a:kill:x", "a:maim:1", ":kill:1", "a:kill:1,", "a:kill:1:x", "a:kill:1:-1", "a:kill:1:1:1"} {
		if s, err := Parse(text, nil); err == nil || s != nil {
			t.Errorf("%q was accepted", text)
		}
	}
}
