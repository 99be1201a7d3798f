package intake

import (
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/review"
)

// Kind is what is to be done about a delivery.
type Kind string

// The kinds.
const (
	// Ignore: nothing; see the reason.
	Ignore Kind = "ignore"
	// Ping: answer.
	Ping Kind = "ping"
	// Review: the head of a pull request is to be reviewed.
	Review Kind = "review"
	// Rerun: the head of the review ReviewID is to be reviewed again, or, without one, the head Head of whichever pull
	// request it was last reviewed for.
	Rerun Kind = "rerun"
	// Close: a pull request was closed; its reviews that have not ended are not wanted.
	Close Kind = "close"
	// Install, Uninstall, Suspend and Unsuspend are of the installation.
	Install   Kind = "install"
	Uninstall Kind = "uninstall"
	Suspend   Kind = "suspend"
	Unsuspend Kind = "unsuspend"
	// Repositories: Added are named (again), Removed are gone.
	Repositories Kind = "repositories"
)

// Reason says why a delivery is ignored.
type Reason string

// The reasons. The store adds its own: stale, closed, under_way, already_reviewed.
const (
	// NoReason: it is not ignored.
	NoReason Reason = ""
	// BotAuthor: a bot did it, or the pull request is a bot's.
	BotAuthor Reason = "bot_author"
	// OwnEvent: we did it ourselves.
	OwnEvent Reason = "own_event"
	// NotOurCheck: the check run is another App's.
	NotOurCheck Reason = "not_our_check"
	// NoInstallation: it comes from a hook of a repository or organisation, not from our App.
	NoInstallation Reason = "no_installation"
	// MissingField: something that such a delivery always has is absent or null.
	MissingField Reason = "missing_field"
	// PullRequestClosed: something happened to a pull request that is closed.
	PullRequestClosed Reason = "closed"
	// NothingToDo: we know the action, and nothing follows from it.
	NothingToDo Reason = "nothing_to_do"
	// NotSupportedYet: there is no worker for it.
	NotSupportedYet Reason = "not_supported_yet"
	// UnknownEvent and UnknownAction: we have not heard of it.
	UnknownEvent  Reason = "unknown_event"
	UnknownAction Reason = "unknown_action"
)

// Identity is who we are on GitHub. What is zero is not compared.
type Identity struct {
	// AppID is the App's number, Login its user, "<slug>[bot]".
	AppID int64
	Login string
}

// Repository is a repository as a delivery names it.
type Repository struct {
	ID review.RepositoryID
	// Name is "owner/name". DefaultBranch may be empty.
	Name, DefaultBranch string
}

// Decision is what follows from a delivery. Fields that the payload does not name are zero.
type Decision struct {
	Kind   Kind
	Reason Reason
	// Action is the payload's, made fit for a column.
	Action         string
	InstallationID review.InstallationID
	// Account is the login that the installation is on, in deliveries about installations.
	Account    string
	Repository Repository
	Number     int
	// Head is the revision; Before the one that a synchronize moved away from.
	Head, Before string
	// EventAt is pull_request.updated_at: GitHub's order of events, in seconds.
	EventAt time.Time
	// Force asks for a review although this head was reviewed.
	Force bool
	// Large pull requests wait in a queue of their own.
	Large bool
	// ReviewID is the review whose check run was asked for again.
	ReviewID review.ID
	// Added and Removed are of Repositories and Install.
	Added, Removed []Repository
	// Meaning is the same for two deliveries that say the same under different GUIDs: a replay, or an App and a
	// repository hook at once. Empty when nothing follows.
	Meaning string
}

const (
	// A pull request with more than this is large.
	largeFiles = 100
	largeLines = 4000
	// More repositories than this in one delivery make themselves known by their own deliveries.
	maxAdded   = 500
	maxRemoved = 20_000
)

// Decide reads a payload and decides. The error wraps ErrMalformed.
func Decide(event string, data []byte, self Identity) (Decision, error) {
	p, err := decode(event, data)
	if err != nil {
		return Decision{}, err
	}
	d := Decision{
		Kind: Ignore, Action: word(p.action), InstallationID: review.InstallationID(p.installation.id),
		Repository: Repository{
			ID: review.RepositoryID(p.repository.id), Name: p.repository.name, DefaultBranch: p.repository.branch,
		},
	}
	if err := p.check(); err != nil {
		return Decision{}, err
	}
	switch event {
	case "ping":
		d.Kind = Ping
	case "pull_request":
		err = d.pullRequest(p, self)
	case "check_run":
		err = d.checkRun(p, self)
	case "installation":
		d.installation(p)
	case "installation_repositories":
		d.installationRepositories(p)
	case "repository":
		d.repository(p)
	case "issue_comment", "pull_request_review_comment", "pull_request_review", "pull_request_review_thread":
		d.comment(p, self)
	case "push":
		d.Reason = NotSupportedYet
	case "check_suite":
		d.checkSuite(p, self)
	default:
		d.Reason = UnknownEvent
	}
	if err != nil {
		return Decision{}, err
	}
	if d.Kind != Ignore && d.Kind != Ping && d.InstallationID == 0 {
		d.ignore(NoInstallation)
	}
	return d, nil
}

func (d *Decision) ignore(why Reason) {
	d.Kind, d.Reason, d.Meaning = Ignore, why, ""
}

func (d *Decision) pullRequest(p *payload, self Identity) error {
	pr := &p.pullRequest
	d.Number, d.Head = int(pr.number), pr.head
	switch p.action {
	case "opened", "reopened", "synchronize", "ready_for_review":
		d.Kind = Review
	case "edited":
		if d.Kind = Review; !pr.baseChanged {
			d.ignore(NothingToDo)
			return nil
		}
	case "closed":
		d.Kind = Close
	case "assigned", "auto_merge_disabled", "auto_merge_enabled", "converted_to_draft", "demilestoned", "dequeued",
		"enqueued", "labeled", "locked", "milestoned", "review_request_removed", "review_requested", "unassigned",
		"unlabeled", "unlocked":
		d.ignore(NothingToDo)
		return nil
	default:
		d.ignore(UnknownAction)
		return nil
	}
	switch {
	case d.InstallationID == 0:
		d.ignore(NoInstallation)
		return nil
	case d.Repository.ID == 0 || d.Repository.Name == "" || d.Number == 0 || d.Head == "" || pr.updated == "":
		d.ignore(MissingField)
		return nil
	}
	at, err := time.Parse(time.RFC3339, pr.updated)
	if err != nil || at.Year() < 1970 || at.Year() > 9999 {
		return malformed("updated_at is no time")
	}
	d.EventAt = at.UTC()
	d.Meaning = meaning("pull_request", p.action, d.Repository.ID, int64(d.Number), d.Head, d.EventAt.Unix())
	if d.Kind == Close {
		return nil
	}
	d.Before = pr.before
	// Another base is another diff of the same head: what was reviewed was not this.
	d.Force = p.action == "edited"
	d.Large = pr.changedFiles > largeFiles || pr.additions+pr.deletions > largeLines
	switch {
	case self.is(p.sender):
		d.ignore(OwnEvent)
	// A bot may push to a person's pull request (a formatter, a merge of the base) or give it another base (a tool for
	// stacked changes): its diff is still to be reviewed.
	case pr.author.bot(), p.sender.bot() && p.action != "synchronize" && p.action != "edited":
		d.ignore(BotAuthor)
	case pr.state == "closed":
		d.ignore(PullRequestClosed)
	}
	return nil
}

func (d *Decision) checkRun(p *payload, self Identity) error {
	run := &p.checkRun
	d.Head = run.headSHA
	switch {
	case p.action != "rerequested":
		if d.ignore(NothingToDo); p.action == "" {
			d.ignore(UnknownAction)
		}
	case p.sender.bot():
		d.ignore(BotAuthor)
	case self.AppID != 0 && run.app != self.AppID || !isUUID(run.externalID):
		d.ignore(NotOurCheck)
	case d.Repository.ID == 0 || run.id == 0:
		d.ignore(MissingField)
	default:
		d.Kind, d.ReviewID = Rerun, review.ID(strings.ToLower(run.externalID))
		d.Meaning = meaning("check_run", p.action, d.Repository.ID, run.id, string(d.ReviewID), run.completedAt)
	}
	return nil
}

// checkSuite is "Re-run all checks". A suite of ours has one check run for each review of its head.
func (d *Decision) checkSuite(p *payload, self Identity) {
	suite := &p.checkSuite
	d.Head = suite.headSHA
	switch {
	case p.action != "rerequested":
		if d.ignore(NothingToDo); p.action == "" {
			d.ignore(UnknownAction)
		}
	case p.sender.bot():
		d.ignore(BotAuthor)
	// Every App's suite has a head, so only our number tells that it is ours.
	case self.AppID == 0 || suite.app != self.AppID:
		d.ignore(NotOurCheck)
	case d.Repository.ID == 0 || suite.id == 0 || suite.headSHA == "":
		d.ignore(MissingField)
	default:
		d.Kind = Rerun
		d.Meaning = meaning("check_suite", p.action, d.Repository.ID, suite.id, suite.headSHA, suite.updatedAt)
	}
}

func (d *Decision) installation(p *payload) {
	d.Account = p.installation.account
	switch p.action {
	case "created":
		d.Kind, d.Added = Install, list(p.added)
	case "deleted":
		d.Kind = Uninstall
	case "suspend":
		d.Kind = Suspend
	case "unsuspend":
		d.Kind = Unsuspend
	case "new_permissions_accepted":
		d.Reason = NothingToDo
	default:
		d.Reason = UnknownAction
	}
	if d.Kind != Ignore {
		// An installation is made and deleted once; updated_at tells the others apart.
		d.Meaning = meaning("installation", p.action, p.installation.id, p.installation.updated)
	}
}

func (d *Decision) installationRepositories(p *payload) {
	switch p.action {
	case "added", "removed":
		d.Kind, d.Added, d.Removed = Repositories, list(p.added), list(p.removed)
		d.Account = p.installation.account
	default:
		d.Reason = UnknownAction
	}
}

func (d *Decision) repository(p *payload) {
	switch p.action {
	case "renamed", "transferred", "edited":
		d.Kind, d.Added = Repositories, list([]repository{p.repository})
	case "deleted":
		d.Kind, d.Removed = Repositories, list([]repository{p.repository})
		d.Meaning = meaning("repository", p.action, p.repository.id)
	case "archived", "created", "privatized", "publicized", "unarchived":
		d.Reason = NothingToDo
	default:
		d.Reason = UnknownAction
	}
}

func (d *Decision) comment(p *payload, self Identity) {
	switch c := &p.comment; {
	case self.is(p.sender), self.is(c.author), self.AppID != 0 && c.app == self.AppID:
		d.Reason = OwnEvent
	case p.sender.bot(), c.author.bot():
		d.Reason = BotAuthor
	default:
		d.Reason = NotSupportedYet
	}
}

func (i Identity) is(a actor) bool { return i.Login != "" && strings.EqualFold(i.Login, a.login) }
