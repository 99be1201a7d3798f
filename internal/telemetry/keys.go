package telemetry

// The keys of log records. One thing has one key in every service.
const (
	KeyService      = "service"
	KeyDelivery     = "delivery"
	KeyInstallation = "installation"
	KeyRepository   = "repository"
	KeyPullRequest  = "pull_request"
	KeyHead         = "head"
	KeyReview       = "review"
	KeyJob          = "job"
	KeyMethod       = "method"
	KeyPeer         = "peer"
	KeyError        = "error"
)
