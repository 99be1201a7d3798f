package review

// ID identifies one review of one revision: a UUID in its usual text form.
type ID string

// InstallationID is GitHub's number for our app on one account. 0 means "not said".
type InstallationID int64

// RepositoryID is GitHub's number for a repository; it survives a rename. 0 means "not said".
type RepositoryID int64
