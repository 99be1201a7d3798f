// Package post brings one finished review to GitHub effectively once.
//
// It is a state machine over three small interfaces: what GitHub shows (Forge), what we have written down (Record) and
// the lock that makes us the only one (Fence). Intent is written before effect; after an ambiguous answer nothing is
// posted again before a settle time has passed and our own reviews were searched for the marker; the visible step is
// one small call behind a fence. It does not claim exactly-once: a process frozen between fence and submit for longer
// than a rescue takes can still post late, and the second pending review is refused by GitHub meanwhile.
package post

import (
	"context"
	"time"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// Comment is one comment of a review, already rendered.
type Comment struct {
	Anchor diff.Anchor
	Body   string
	// Fallbacks are plainer bodies to try when GitHub refuses the comment (422): without its suggestion, and so on.
	Fallbacks []string
}

// Posted is a review of ours that GitHub shows. Forge lists only reviews whose author is our own app.
type Posted struct {
	ID      int64
	Body    string
	Head    string
	Pending bool
}

// PullRequest is what matters of a pull request just before posting.
type PullRequest struct {
	Head string
	Open bool
	// Draft is for whoever wraps the Forge: whether drafts are reviewed is not Publish's to know.
	Draft bool
}

// Forge is one pull request on GitHub, in domain words. Its errors have the kinds of this package (Kind).
type Forge interface {
	// Look reads the pull request as it is now.
	Look(ctx context.Context) (PullRequest, error)
	// Own lists all our own reviews of the pull request, every page, pending ones included.
	Own(ctx context.Context) ([]Posted, error)
	// Draft creates a pending review with its comments and gives its id.
	Draft(ctx context.Context, head, body string, comments []Comment) (int64, error)
	// Submit makes a pending review visible, as a COMMENT.
	Submit(ctx context.Context, id int64) error
	// Discard deletes a pending review.
	Discard(ctx context.Context, id int64) error
}

// Stage is how far a posting came.
type Stage string

// The stages. The empty one means that nothing was intended yet.
const (
	StageNone      Stage = ""
	StageIntent    Stage = "intent"
	StageDrafted   Stage = "drafted"
	StageSubmitted Stage = "submitted"
	StageDone      Stage = "done"
)

// State is what the record says.
type State struct {
	Stage Stage
	// ReviewID is GitHub's id of our review, 0 when it is not known.
	ReviewID int64
	// AttemptedAt is when an attempt last may have reached GitHub.
	AttemptedAt time.Time
	// Tried is what Learn wrote last.
	Tried []Tried
}

// Tried is what refused requests taught about one comment of a publication.
type Tried struct {
	// Comment tells which one: a hash of its place and its body.
	Comment string `json:"comment"`
	// Form is the form that is to be tried next, counted from the richest.
	Form int `json:"form"`
	// Cleared is set when GitHub took just this form, Refused when it takes none.
	Cleared bool `json:"cleared,omitempty"`
	Refused bool `json:"refused,omitempty"`
}

// Record is the durable memory of one posting. Each method commits before it returns.
type Record interface {
	// Load reads the state.
	Load(ctx context.Context) (State, error)
	// Advance writes stage and id; it also sets AttemptedAt to now.
	Advance(ctx context.Context, stage Stage, reviewID int64) error
	// Learn writes what requests taught so far, so that an attempt after a pause or a crash does not ask again.
	Learn(ctx context.Context, tried []Tried) error
}

// Fence proves that we are still the only one who may post.
type Fence interface {
	// Check asks the lock's own session whether it still holds the lock. An error means: stop.
	Check(ctx context.Context) error
}
