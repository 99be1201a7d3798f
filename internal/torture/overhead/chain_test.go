//go:build unix

package main

import (
	"testing"
	"time"
)

func TestLongestChain(t *testing.T) {
	t.Parallel()
	at := func(what string, from, to int) call {
		zero := time.Unix(0, 0)
		return call{what: what, start: zero.Add(time.Duration(from) * time.Second), end: zero.Add(time.Duration(to) * time.Second)}
	}
	for name, tt := range map[string]struct {
		calls []call
		want  string
		sum   int
	}{
		"none":                           {nil, "", 0},
		"one by one":                     {[]call{at("b", 2, 3), at("a", 0, 2), at("c", 3, 9)}, "abc", 9},
		"side by side":                   {[]call{at("a", 0, 2), at("b", 0, 5), at("c", 5, 6)}, "bc", 6},
		"a gap":                          {[]call{at("a", 0, 2), at("b", 4, 5)}, "ab", 3},
		"two short ones beat a long one": {[]call{at("a", 0, 4), at("b", 4, 8), at("c", 0, 7)}, "ab", 8},
	} {
		got := ""
		chain := longestChain(tt.calls)
		for _, c := range chain {
			got += c.what
		}
		if got != tt.want || sum(chain) != time.Duration(tt.sum)*time.Second {
			t.Errorf("%s: chain %q of %v, want %q of %d s", name, got, sum(chain), tt.want, tt.sum)
		}
	}
}
