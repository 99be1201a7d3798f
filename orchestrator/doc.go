// Package orchestrator works the jobs: it drives one review of one revision from the job table to GitHub and back.
//
// It promises:
//
//   - A job carries ids; everything else is read again, so a worker may die at any instant and the next attempt finds in
//     Postgres and on GitHub what was done. What was paid for is not paid for twice, what is posted is not posted twice.
//   - A review never ends without its row saying how: clean, findings, partial, skipped, superseded, cancelled or failed.
//     The check run says the same, and is never green on an error.
//   - A limit of GitHub or of a model makes the job wait in the queue, not in a worker, and costs it no attempt.
//   - A newer revision, a close or a cancellation stops a review at the next boundary of a stage, and at the fence before
//     anything becomes visible.
//
// # The stages of an attempt
//
//	load     the row, the pull request, .openrabbit.yaml of the base branch: may the review go on, and with what options?
//	analyze, retrieve, review, verify   the engine (internal/review), over the parser, recall and model tiers
//	publish  one review, one walkthrough comment edited in place, one check run; then the findings and the end state
//
// An attempt is a slice. When its time runs out it goes back to the queue and the next slice resumes from what is stored:
// the answers of the model, then the engine's result, then the posting's stage.
package orchestrator
