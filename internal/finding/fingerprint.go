package finding

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Assign gives each finding its fingerprint: a hash of the repository, the path, the enclosing scope, the anchored
// code without white space, and an ordinal among findings that have all of these equal. Line numbers and the model's
// words are not in it, so it outlives both. Findings are told apart by their lines, so their order does not matter.
//
// Path must be the path under which the finding was first seen; for a file that was renamed since then, the caller
// passes the older path and sets the newer one afterwards.
func Assign(repository string, fs []Finding) {
	order := make([]int, len(fs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &fs[i], &fs[j]
		return cmp.Or(
			cmp.Compare(a.Anchor.Side, b.Anchor.Side),
			cmp.Compare(a.Anchor.Start, b.Anchor.Start),
			cmp.Compare(a.Anchor.End, b.Anchor.End),
			cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Category, b.Category),
			cmp.Compare(a.Title, b.Title),
			cmp.Compare(a.Body, b.Body),
		)
	})
	ordinals := map[string]int{}
	for _, i := range order {
		f := &fs[i]
		key := f.identity(repository)
		f.Fingerprint = fingerprint(key, ordinals[key])
		ordinals[key]++
	}
}

// identity is what is hashed, without the ordinal. Each part has its length before it, so that no two sets of parts
// give the same text.
func (f *Finding) identity(repository string) string {
	var b strings.Builder
	for _, part := range []string{strings.ToLower(repository), f.Path, f.Scope, squeeze(f.Quote)} {
		b.WriteString(strconv.Itoa(len(part)))
		b.WriteByte(':')
		b.WriteString(part)
	}
	return b.String()
}

// fingerprint hashes an identity and an ordinal.
func fingerprint(identity string, ordinal int) Fingerprint {
	h := sha256.New()
	_, _ = io.WriteString(h, identity+"#"+strconv.Itoa(ordinal)) // a hash takes everything
	return Fingerprint("v1:" + hex.EncodeToString(h.Sum(nil)[:16]))
}

// Valid says whether the fingerprint has the form that Assign gives.
func (p Fingerprint) Valid() bool {
	digits, ok := strings.CutPrefix(string(p), "v1:")
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}
