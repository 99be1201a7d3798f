package intake

import (
	"fmt"
	"math"
	"strings"

	"github.com/openrabbit/openrabbit/internal/review"
)

func malformed(problem string) error { return fmt.Errorf("%w: %s", ErrMalformed, problem) }

// check refuses values that no field of GitHub's has, before anything is made of them. Absent ones pass.
func (p *payload) check() error {
	pr := &p.pullRequest
	switch {
	case p.repository.id < 0 || p.installation.id < 0 || min(p.checkRun.id, p.checkSuite.id) < 0:
		return malformed("an id is negative")
	case pr.number < 0 || pr.number > math.MaxInt32:
		return malformed("the number of a pull request is out of range")
	case p.repository.name != "" && !isFullName(p.repository.name):
		return malformed("full_name is not owner/name")
	case min(pr.changedFiles, pr.additions, pr.deletions) < 0 || max(pr.additions, pr.deletions) > math.MaxInt32:
		return malformed("a count is out of range")
	}
	for _, sha := range []string{pr.head, pr.before, p.checkRun.headSHA, p.checkSuite.headSHA} {
		if sha != "" && !isSHA(sha) {
			return malformed("a revision is no SHA")
		}
	}
	for _, r := range append(p.added, p.removed...) {
		if r.id <= 0 || !isFullName(r.name) {
			return malformed("a repository of the list has no id or name")
		}
	}
	return nil
}

// isSHA accepts a revision of either of git's hashes.
func isSHA(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

// isFullName accepts "owner/name" of the characters that GitHub allows in names.
func isFullName(s string) bool {
	owner, name, ok := strings.Cut(s, "/")
	if !ok || owner == "" || name == "" || len(s) > 200 {
		return false
	}
	for _, c := range []byte(owner + name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// isUUID accepts the usual form, which is the form of our reviews' ids.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// word makes an action fit to be stored and logged: one that is not of the usual form is not kept.
func word(action string) string {
	if len(action) > 64 || strings.Trim(action, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return action
}

// meaning joins what makes two deliveries say the same.
func meaning(parts ...any) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = fmt.Sprint(p)
	}
	return strings.Join(texts, "/")
}

func list(rs []repository) []Repository {
	var out []Repository
	for _, r := range rs {
		if r.id != 0 && r.name != "" {
			out = append(out, Repository{ID: review.RepositoryID(r.id), Name: r.name, DefaultBranch: r.branch})
		}
	}
	return out
}
