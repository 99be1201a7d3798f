package store

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func second(n int) time.Time { return time.Date(2026, 11, 1, 12, 0, n, 0, time.UTC) }

func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	opened := moment{at: second(0), head: "a", opened: true}
	for name, chain := range map[string][]moment{
		"later seconds": {opened, push(1, "a", "b"), push(2, "b", "c"), push(3, "c", "d")},
		"one second":    {opened, push(0, "a", "b"), push(0, "b", "c"), push(0, "c", "d"), push(0, "d", "e")},
		"two seconds":   {opened, push(0, "a", "b"), push(1, "b", "c"), push(1, "c", "d"), push(1, "d", "e")},
		"and ready":     {opened, push(0, "a", "b"), {at: second(0), head: "b"}, push(0, "b", "c"), {at: second(0), head: "c"}},
		"replayed":      {opened, push(0, "a", "b"), push(0, "b", "c"), push(0, "a", "b"), opened},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := chain[len(chain)-1].head
			if name == "replayed" {
				want = "c"
			}
			permute(chain, func(order []moment) {
				var p position
				for _, m := range order {
					p = p.after(m)
				}
				if p.head != want {
					t.Errorf("%s: head %q, want %q", show(order), p.head, want)
				}
			})
		})
	}
}

func TestOrderOfTwo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		first, second moment
		want          string
	}{
		{"older by time", push(5, "a", "b"), push(4, "x", "y"), "b"},
		{"older by time though it continues the head", push(5, "a", "b"), push(4, "b", "c"), "b"},
		{"newer by time though its head was left", push(5, "a", "b"), moment{at: second(6), head: "a"}, "a"},
		{"unknown within a second: the last to arrive", push(5, "a", "b"), push(5, "c", "d"), "d"},
		{"an opening is the first of its second", push(5, "b", "c"), moment{at: second(5), head: "a", opened: true}, "c"},
		{"there and back within a second", push(5, "a", "b"), push(5, "b", "a"), "a"},
		{"no head", push(5, "a", "b"), moment{at: second(6)}, "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := (position{}).after(c.first).after(c.second); got.head != c.want {
				t.Errorf("head %q, want %q", got.head, c.want)
			}
		})
	}
}

// TestTheNewestOfASecondStays: pushes of one second, in any order. Whenever at most one gap is left in what has arrived,
// counted from where the second began, the newest that has arrived is the head: it is not given up for an older one.
func TestTheNewestOfASecondStays(t *testing.T) {
	t.Parallel()
	for name, begins := range map[string][]moment{
		"after an earlier second":   {{at: second(0), head: "0"}},
		"after the opening":         {{at: second(5), head: "0", opened: true}},
		"the opening among them":    nil,
		"after others of a second":  {{at: second(1), head: "x"}, push(4, "x", "y"), push(4, "y", "0")},
		"and what names no way":     {{at: second(0), head: "0"}, {at: second(5), head: "0"}},
		"after one that was closed": {{at: second(3), head: "0"}, {at: second(4), head: "0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const pushes = 6
			var chain []moment
			for i := range pushes {
				chain = append(chain, push(5, fmt.Sprint(i), fmt.Sprint(i+1)))
			}
			if begins == nil {
				chain[0] = moment{at: second(5), head: "1", opened: true}
			}
			permute(chain, func(order []moment) {
				var p position
				for _, m := range begins {
					p = p.after(m)
				}
				based := begins != nil
				arrived := map[string]bool{}
				for _, m := range order {
					p = p.after(m)
					arrived[m.head] = true
					based = based || m.opened
					newest, gaps := "", 0
					for i := 1; i <= pushes; i++ {
						if arrived[fmt.Sprint(i)] {
							if newest = fmt.Sprint(i); i > 1 && !arrived[fmt.Sprint(i-1)] {
								gaps++
							}
						}
					}
					if based && gaps <= 1 && p.head != newest {
						t.Fatalf("%s: after %s>%s the head is %s, want %s", show(order), m.before, m.head, p.head, newest)
					}
				}
				if p.head != fmt.Sprint(pushes) {
					t.Fatalf("%s: the head is %s at the end", show(order), p.head)
				}
			})
		})
	}
}

func TestOrderIsBounded(t *testing.T) {
	t.Parallel()
	var p position
	for i := range 3 * maxTied {
		p = p.after(push(0, fmt.Sprint(i), fmt.Sprint(i+1)))
	}
	if len(p.heads) > maxTied || len(p.befores) > maxTied {
		t.Errorf("%d heads and %d befores are remembered, want at most %d", len(p.heads), len(p.befores), maxTied)
	}
}

func push(at int, before, head string) moment {
	return moment{at: second(at), before: before, head: head}
}

func show(order []moment) string {
	s := ""
	for _, m := range order {
		s += fmt.Sprintf(" %s>%s@%d", m.before, m.head, m.at.Second())
	}
	return s
}

// permute calls f with every order.
func permute(all []moment, f func([]moment)) {
	var rec func(done, rest []moment)
	rec = func(done, rest []moment) {
		if len(rest) == 0 {
			f(done)
			return
		}
		for i := range rest {
			rec(append(slices.Clone(done), rest[i]), slices.Delete(slices.Clone(rest), i, i+1))
		}
	}
	rec(nil, all)
}
