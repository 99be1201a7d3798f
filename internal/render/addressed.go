package render

import (
	"strings"

	"github.com/openrabbit/openrabbit/internal/finding"
)

const addressedMarker = markerStart + "addressed="

// Addressed is the reply to the thread of a finding that a revision fixed. Its hidden line keeps it from being made
// twice.
func Addressed(head string, p finding.Fingerprint) string {
	if len(head) > 7 {
		head = head[:7]
	}
	text := "Addressed in " + head + "."
	if !p.Valid() {
		return text
	}
	return text + "\n\n" + addressedMarker + string(p) + markerEnd
}

// IsAddressed says whether a comment is our reply to the thread of a finding. Whoever asks must know that its author is
// our own app.
func IsAddressed(body string, p finding.Fingerprint) bool {
	return p.Valid() && strings.HasSuffix(strings.TrimSpace(body), addressedMarker+string(p)+markerEnd)
}

// Collapsed takes the place of the body of a review that was posted although another one of the same stood there.
const Collapsed = "This review was posted twice by mistake; its comments stand under the other one." +
	"\n\n" + markerStart + "collapsed" + markerEnd
