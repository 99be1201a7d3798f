//go:build cgo

package analysis

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"

	"github.com/go-enry/go-enry/v2/data"
)

// vendorRule is one of go-enry's rules for paths of code that is not a project's own, with a text that every path has
// which it matches; empty where there is none.
type vendorRule struct {
	needs string
	rule  *regexp.Regexp
}

// vendorRules are go-enry's.
var vendorRules = sync.OnceValue(func() []vendorRule {
	var out []vendorRule
	for _, m := range data.VendorMatchers {
		if m != nil {
			out = append(out, vendorRule{needs(m.String()), m})
		}
	}
	return out
})

// IsVendored says what enry.IsVendor says. That runs all of a hundred rules in one over the path, which takes as long as
// parsing a small file; here those are left out which need a text that the path does not have.
func IsVendored(path string) bool {
	for _, r := range vendorRules() {
		if strings.Contains(path, r.needs) && r.rule.MatchString(path) {
			return true
		}
	}
	return false
}

// needs gives the longest text that everything has which an expression matches.
func needs(expression string) string {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return ""
	}
	return literalOf(parsed)
}

// literalOf is needs of a part of an expression.
func literalOf(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return string(re.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return literalOf(re.Sub[0])
	case syntax.OpConcat:
		longest := ""
		for _, sub := range re.Sub {
			if l := literalOf(sub); len(l) > len(longest) {
				longest = l
			}
		}
		return longest
	default:
	}
	return ""
}
