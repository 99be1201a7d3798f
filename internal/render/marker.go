package render

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/review"
)

const (
	reviewMarker  = markerStart + "review="
	findingMarker = markerStart + "finding="
	markerEnd     = " -->"
	// walkthroughMarker is the same for every walkthrough: the comment outlives reviews. It counts only in a comment
	// whose author is our own app.
	walkthroughMarker = markerStart + "walkthrough" + markerEnd
)

// Marker writes the hidden line by which a review is found again: its id, and a MAC of it that only we can make. Without
// a proper id it is empty.
func Marker(secret []byte, id review.ID) string {
	if !isUUID(string(id)) {
		return ""
	}
	return reviewMarker + string(id) + "." + hex.EncodeToString(mac(secret, id)) + markerEnd
}

// ParseMarker finds the review that a body of ours belongs to. Only the last line that is not blank counts: that is
// where we put it, and no text of others stands there. The MAC is compared in constant time. Whoever looks must check
// that the author is our own app, too: anyone can copy a marker.
func ParseMarker(secret []byte, body string) (id review.ID, ok bool) {
	body = strings.TrimSpace(body)
	last := strings.TrimSpace(body[strings.LastIndexByte(body, '\n')+1:])
	rest, ok := strings.CutPrefix(last, reviewMarker)
	if !ok {
		return "", false
	}
	rest, ok = strings.CutSuffix(rest, markerEnd)
	if !ok {
		return "", false
	}
	uuid, digits, ok := strings.Cut(rest, ".")
	given, err := hex.DecodeString(digits)
	if !ok || err != nil || !isUUID(uuid) {
		return "", false
	}
	if !hmac.Equal(given, mac(secret, review.ID(uuid))) {
		return "", false
	}
	return review.ID(uuid), true
}

// mac authenticates an id.
func mac(secret []byte, id review.ID) []byte {
	h := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(h, "openrabbit review marker v1\n"+string(id)) // a hash takes everything
	return h.Sum(nil)[:16]
}

// FindingMarker writes the hidden line that ties a comment to its finding; empty for a fingerprint that is none.
func FindingMarker(p finding.Fingerprint) string {
	if !p.Valid() {
		return ""
	}
	return findingMarker + string(p) + markerEnd
}

// ParseFindingMarker reads the fingerprint on the last line of a comment of ours.
func ParseFindingMarker(body string) (finding.Fingerprint, bool) {
	body = strings.TrimSpace(body)
	last := strings.TrimSpace(body[strings.LastIndexByte(body, '\n')+1:])
	rest, ok := strings.CutPrefix(last, findingMarker)
	if !ok {
		return "", false
	}
	rest, ok = strings.CutSuffix(rest, markerEnd)
	p := finding.Fingerprint(rest)
	return p, ok && p.Valid()
}

// IsWalkthrough says whether a body is that of a walkthrough. Whoever asks must know that the author is our own app.
func IsWalkthrough(body string) bool {
	return strings.HasPrefix(strings.TrimSpace(body), walkthroughMarker)
}

// isUUID says whether a text is a UUID in its usual form, in lower case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case !digit(c) && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}
