package review

import (
	"regexp"
	"strings"
)

// What is said in a title that is praise, or that a formatter or a linter says by itself. Only whole titles of these
// forms count: a finding that mentions formatting in passing is not one of them.
var (
	praise = regexp.MustCompile(`(?i)^(?:(?:good|great|nice|excellent) (?:job|work|catch|idea|change|fix|refactor(?:ing)?|improvement|cleanup|test coverage|use of)\b|well[- ]done\b|lgtm\b|kudos\b|thank(?:s| you)\b|(?:this |it )?looks? (?:good|great|fine)\b)`)
	but    = regexp.MustCompile(`(?i)\b(?:but|however|although|though|except|yet|not|never|breaks?|fails?)\b`)
	style  = regexp.MustCompile(`(?i)^(?:(?:there is |the file has )?(?:a )?missing (?:a )?(?:trailing newline|newline at (?:the )?end of (?:the )?file|docstrings?|doc comments?|javadocs?|jsdocs?|trailing commas?)\b[^,;]{0,60}$|no newline at (?:the )?end of (?:the )?file|trailing white ?space\b[^,;]{0,40}$|inconsistent (?:indentation|white ?space|quotes?|quoting|formatting|import order(?:ing)?)\b[^,;]{0,40}$|line (?:is )?too long|imports? (?:are )?(?:not sorted|unsorted|out of order)|unused imports?\b[^,;]{0,60}$|(?:typo|spelling|grammar)(?: mistake| error)? in (?:a |the )?(?:comment|doc|docstring|documentation|readme)\b|(?:consider )?(?:add(?:ing)?|writ(?:e|ing)) (?:a |an |more |some )?(?:doc )?(?:comments?|docstrings?|documentation|javadocs?)\b)`)
)

// noise says whether a candidate is one of those that nobody wants to read.
func noise(title string) bool {
	title = strings.TrimLeft(strings.TrimSpace(title), "*_#>- ")
	return praise.MatchString(title) && !but.MatchString(title) || style.MatchString(title)
}
