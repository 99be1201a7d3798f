// Package store is all SQL of OpenRabbit's own tables, but for the index's (internal/recall).
//
// It promises that whatever several processes may decide at once is decided by a lock or a constraint in Postgres:
//
//   - A delivery counts once, by its GUID and by its meaning (RecordDelivery).
//   - Deliveries of one pull request are ordered by the row of the pull request, which RequestReview and
//     ClosePullRequest lock. The newest head wins by the time GitHub gave the event, whatever the order of arrival; see
//     order.go for two heads in one second.
//   - A review ends once: every change to an end state is conditional on its not having ended.
//   - Spending is reserved under a lock for each installation, so concurrent reservations cannot pass a limit together.
//
// The states of a review:
//
//	queued ─▶ running ─▶ clean | findings | partial | skipped | failed
//	   └──────────┴────▶ superseded | cancelled
//
// Methods that take a Tx take part in the caller's transaction; the others commit before they return. Every change of
// a review's state or stage notifies the channel "openrabbit_review" with the review's id.
package store
