package post

import (
	"errors"
	"fmt"
	"time"
)

// What ends a publication for good, or hands it to somebody else.
var (
	// ErrSuperseded says that the pull request is at another head.
	ErrSuperseded = errors.New("a newer revision arrived")
	// ErrClosed says that the pull request is closed.
	ErrClosed = errors.New("the pull request is closed")
	// ErrLost says that the lock is not ours any more: another worker may be posting.
	ErrLost = errors.New("the posting lock is lost")
)

// errGone says that a draft we know of is not at GitHub.
var errGone = errors.New("the draft is gone")

// ErrWait says that nothing may be done before a time: an effect of this or of an earlier attempt may still show. The
// worker snoozes until then.
type ErrWait struct {
	Until time.Time
	// Err is the answer that left us not knowing, nil when an earlier attempt left only its intent.
	Err error
}

// Error says until when.
func (e *ErrWait) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("wait until %s to see what came of it: %v", e.Until.Format(time.RFC3339), e.Err)
	}
	return fmt.Sprintf("wait until %s for an earlier attempt to settle", e.Until.Format(time.RFC3339))
}

// Unwrap gives the answer that left us not knowing.
func (e *ErrWait) Unwrap() error { return e.Err }

// Forge's errors say what they are by having these methods; each is looked for by itself. An error that has none of
// them counts as one that changed nothing and that a later attempt may mend.
type (
	// Ambiguity is an error after which a write may or may not have been done.
	Ambiguity interface{ Ambiguous() bool }
	// Refusal is GitHub's 422: it understood and said no.
	Refusal interface{ Refused() bool }
	// Blame is a refusal that names the comments it is about, by their index in the request. GitHub seldom does.
	Blame interface{ RefusedComments() []int }
	// Absence says that what was asked for is not there, or not for us.
	Absence interface{ Gone() bool }
	// Limit asks us to come back later.
	Limit interface {
		RetryAfterHint() (time.Duration, bool)
	}
)

func ambiguous(err error) bool {
	var e Ambiguity
	return errors.As(err, &e) && e.Ambiguous()
}

func refused(err error) bool {
	var e Refusal
	return errors.As(err, &e) && e.Refused()
}

func gone(err error) bool {
	var e Absence
	return errors.As(err, &e) && e.Gone()
}

func limited(err error) bool {
	var e Limit
	if !errors.As(err, &e) {
		return false
	}
	_, ok := e.RetryAfterHint()
	return ok
}
