// Package queue is the job table: the arguments of our jobs, and putting jobs into it within a transaction of ours.
//
// Job arguments are a wire format: a job written by one version is worked by another. Fields are only ever added, none
// is renamed or changes its meaning, and golden files hold each version. Whether two reviews are the same is decided by
// the constraints of our own tables; River's unique jobs are not used, as they keep the first job's arguments and
// forget a finished job after a day.
package queue

import "github.com/openrabbit/openrabbit/internal/review"

// The kinds of jobs. A kind is enqueued only once its worker exists.
const (
	KindReview    = "review_pull_request"
	KindIndex     = "index_repository"
	KindRedeliver = "redeliver_missed"
	KindSync      = "sync_installation"
)

// The queues.
const (
	// Fast has the reviews of ordinary pull requests, Slow those of large ones, so that they don't wait behind them.
	Fast = "fast"
	Slow = "slow"
	// Index has the indexing of repositories.
	Index = "index"
	// Interactive has what a person waits for.
	Interactive = "interactive"
	// Upkeep has the periodic jobs, which nobody waits for and which wait for nobody's review.
	Upkeep = "upkeep"
)

// ReviewArgs ask for one review of one revision.
type ReviewArgs struct {
	ReviewID       review.ID             `json:"review_id"`
	InstallationID review.InstallationID `json:"installation_id"`
	RepositoryID   review.RepositoryID   `json:"repository_id"`
	// Repository is "owner/name" as the delivery said it; RepositoryID is what survives a rename.
	Repository string `json:"repository"`
	Number     int    `json:"number"`
	// Head is the revision, empty when it was not known: then the worker asks GitHub.
	Head string `json:"head"`
	// Generation counts the forced reviews of one revision, from 1.
	Generation int `json:"generation"`
}

// Kind names the job to River.
func (ReviewArgs) Kind() string { return KindReview }

// IndexArgs ask for the index of a repository's default branch.
type IndexArgs struct {
	InstallationID review.InstallationID `json:"installation_id"`
	RepositoryID   review.RepositoryID   `json:"repository_id"`
	Repository     string                `json:"repository"`
	// Head is the newest revision that is known, a hint: the worker indexes what the branch is at by then.
	Head string `json:"head"`
}

// Kind names the job to River.
func (IndexArgs) Kind() string { return KindIndex }
