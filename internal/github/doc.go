// Package github is the adapter over GitHub's REST API: an App with its installations, and for each of them a Client in
// the words of the domain.
//
// It promises:
//   - GitHub's own words (LEFT and RIGHT, event names, media types) stay inside it.
//   - Every call has a deadline, every body a cap, and no call sleeps: a rate limit is an error that says how long.
//   - A write is sent once. When its outcome is not known the error is Ambiguous, and the caller has to look before it
//     writes again. A read is repeated only after a 401, once, with a fresh token (and by net/http when a connection
//     that was idle turns out to be dead).
//   - A credential goes to the configured host and to no other, follows no redirect elsewhere, and stands in no error.
//   - Nothing is ever approved: the only event that a review is submitted with is COMMENT.
package github
