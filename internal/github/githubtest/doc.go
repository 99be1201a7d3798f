// Package githubtest is a stand-in for GitHub: a stateful server that speaks enough of its REST API for a whole review,
// for tests, the demo and the fault harness. It imports no testing.
//
// It promises to be as strict as GitHub is. Every request and every answer is checked against GitHub's own OpenAPI
// description, and what deviates is in Violations. Apps sign in with a JWT, installation tokens end, commits have the
// hashes that git would give them, diffs are computed from the files, a comment outside the diff is refused with
// GitHub's words, a user has one pending review for each pull request, and only its author sees it.
//
// Faults make it misbehave as GitHub does on a bad day: before a request is carried out, after, or later.
package githubtest
