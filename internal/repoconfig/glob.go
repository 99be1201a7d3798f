package repoconfig

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"gopkg.in/yaml.v3"
)

// A glob is matched against every path of a pull request, and the matcher backtracks: these bounds keep the worst
// pattern far under a millisecond.
const (
	maxGlob     = 300
	maxBraces   = 3
	maxWildcard = 12
	maxStars    = 4
)

// glob checks one pattern and complains of it.
func (d *decoder) glob(n *yaml.Node, path, pattern string) bool {
	problem := ""
	switch {
	case len(pattern) > maxGlob:
		problem = "the pattern is too long"
	case strings.HasPrefix(pattern, "/"), strings.HasPrefix(pattern, "./"), strings.HasPrefix(pattern, "../"):
		problem = "patterns begin at the root of the repository, without / or ./"
	case strings.HasPrefix(pattern, "!"):
		problem = "a pattern cannot begin with ! here"
	case pattern == "" || !doublestar.ValidatePattern(pattern):
		problem = "not a valid pattern"
	case strings.Count(pattern, "{") > maxBraces || strings.Count(pattern, ",") > 50:
		problem = "too many alternatives in braces"
	case strings.Count(pattern, "**") > maxStars || strings.Count(pattern, "*")+strings.Count(pattern, "?") > maxWildcard:
		problem = "too many wildcards"
	default:
		return true
	}
	if len(pattern) > 80 {
		pattern = pattern[:80] + "…"
	}
	d.complain(n, "%s: %q is ignored: %s", quoteKey(path), pattern, problem)
	return false
}

// directory reads "docs/" as everything below it.
func directory(pattern string) string {
	if strings.HasSuffix(pattern, "/") {
		return pattern + "**"
	}
	return pattern
}
