package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/repoconfig"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// largeChange is how many files make a pull request one for the slow queue.
const largeChange = 100

// stages in their order.
var stages = []review.Stage{
	review.StageLoad, review.StageAnalyze, review.StageRetrieve, review.StageReview, review.StageVerify, review.StagePublish,
}

// attempt is one slice of work on one review.
type attempt struct {
	*Orchestrator
	job *river.Job[queue.ReviewArgs]
	log *slog.Logger
	row store.Review
	gh  *github.Client
	// pr is the pull request as it was when the attempt began.
	pr       github.PullRequest
	config   repoconfig.Config
	problems []repoconfig.Problem
	// diff is the change, nil until it was read.
	diff *diff.Diff
	// guidelines are the files of guidelines that were read, by name; nil for one that is not there.
	guidelines map[string][]byte
	// stored is what an earlier attempt found, nil when none got so far.
	stored *review.Result
	mu     sync.Mutex
	// reached is the stage that the engine told of last.
	reached review.Stage
	// parserDown says whether the parser tier did not answer in this attempt.
	parserDown func() bool
	// resumed is set when an earlier attempt got as far as GitHub.
	resumed bool
	// withheld says why the review is not to be shown any more although the pull request is open.
	withheld string
	// deadline is when the attempt is cut.
	deadline time.Time
}

func newAttempt(ctx context.Context, o *Orchestrator, job *river.Job[queue.ReviewArgs]) *attempt {
	a := &attempt{Orchestrator: o, job: job, row: store.Review{ID: job.Args.ReviewID, InstallationID: job.Args.InstallationID}}
	a.log = o.log.With(telemetry.KeyReview, job.Args.ReviewID, telemetry.KeyInstallation, job.Args.InstallationID,
		telemetry.KeyRepository, job.Args.Repository, telemetry.KeyPullRequest, job.Args.Number)
	if job.Args.Head != "" {
		a.log = a.log.With(telemetry.KeyHead, job.Args.Head)
	}
	var ok bool
	if a.deadline, ok = ctx.Deadline(); !ok {
		a.deadline = time.Now().Add(o.cfg.JobTimeout)
	}
	return a
}

// run takes a review as far as this attempt can.
func (a *attempt) run(ctx context.Context) error {
	if err := a.begin(ctx); err != nil {
		return err
	}
	if err := a.load(ctx); err != nil {
		return err
	}
	result, err := a.result(ctx)
	if err != nil {
		return err
	}
	return a.publish(ctx, result)
}

// begin takes the row and decides whether there is anything to do at all.
func (a *attempt) begin(ctx context.Context) error {
	row, err := a.store.Start(ctx, a.row.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return errEnded // the installation was deleted
	case err != nil:
		return err
	}
	a.row, a.resumed = row, row.Stage != ""
	switch {
	case row.State.Terminal():
		return errEnded
	case deaths(a.job.JobRow) >= maxDeaths:
		return &ending{state: review.Failed, reason: reasonWorkersDied}
	case time.Since(row.CreatedAt) > a.cfg.ReviewLife:
		return &ending{state: review.Failed, reason: reasonTooOld}
	}
	a.gh = a.installation(row.InstallationID)
	if err := a.room(ctx); err != nil {
		return err
	}
	return a.enter(ctx, review.StageLoad)
}

// enter is a stage's boundary: it writes the stage and sees whether the review was ended meanwhile. A resumed attempt
// does not go back to a stage that was passed.
func (a *attempt) enter(ctx context.Context, stage review.Stage) error {
	var state review.State
	if slices.Index(stages, stage) > slices.Index(stages, a.row.Stage) {
		var err error
		if state, err = a.store.SetStage(ctx, a.row.ID, stage); err != nil {
			return err
		}
		a.row.Stage = stage
	} else {
		row, err := a.store.Review(ctx, a.row.ID)
		if err != nil {
			return err
		}
		state = row.State
	}
	if state.Terminal() {
		a.row.State = state
		return errEnded
	}
	return nil
}

// load reads the pull request as it is now, and if the review is to go on, all that can be read without knowing more, side
// by side: each call to GitHub takes as long as the longest of them.
func (a *attempt) load(ctx context.Context) (err error) {
	pr, err := a.gh.PullRequestNow(ctx, a.row.Repository, a.row.Number)
	if err != nil {
		return a.unreadable(ctx, err)
	}
	a.pr = pr
	if err := a.current(ctx); err != nil {
		return err
	}
	if a.stored, err = a.store.Result(ctx, a.row.ID); err != nil {
		return err
	}
	if err := a.fail(ctx, "loaded"); err != nil {
		return err
	}
	if err := a.loadAll(ctx); err != nil {
		return err
	}
	if err := a.fail(ctx, "check_run"); err != nil {
		return err
	}
	if pr.Locked {
		return &ending{state: review.Skipped, reason: reasonLocked}
	}
	if why := a.skips(pr.Draft); why != "" {
		return &ending{state: review.Skipped, reason: why}
	}
	return nil
}

// loadAll reads the merge base, the configuration, the guidelines and the diff, and shows that the review is under way.
func (a *attempt) loadAll(ctx context.Context) error {
	pr := a.pr
	var mergeBase string
	calls := []func(context.Context) error{
		func(ctx context.Context) (err error) {
			if mergeBase, err = a.gh.MergeBase(ctx, a.row.Repository, pr.Base, pr.Head); err != nil {
				return a.unreadable(ctx, err)
			}
			return nil
		},
		a.readConfig, a.ensureCheckRun,
	}
	if a.stored == nil { // else what is to be posted is known; choose reads the diff if it needs it
		calls = append(calls, a.readGuidelines, func(ctx context.Context) error {
			d, err := a.gh.Diff(ctx, a.row.Repository, a.row.Number, pr)
			if err != nil {
				return fmt.Errorf("read the diff: %w", err)
			}
			a.diff = &d
			return nil
		})
	}
	if err := together(ctx, calls...); err != nil {
		return err
	}
	a.pr.MergeBase = mergeBase
	return nil
}

// skips says why the repository's configuration wants no review of the pull request, "" when it wants one.
func (a *attempt) skips(draft bool) string {
	return a.config.Skip(repoconfig.PullRequest{Draft: draft, Labels: a.pr.Labels, Base: a.pr.BaseRef})
}

// unreadable maps a failure to read the pull request.
func (a *attempt) unreadable(ctx context.Context, err error) error {
	var e *github.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Kind {
	case github.NotFound:
		if a.job.Attempt < 2 {
			return err // it may not be everywhere yet
		}
		// A head that a force-push took away has no merge base any more.
		if now, lerr := a.gh.Forge(a.row.Repository, a.row.Number, "").Look(ctx); lerr == nil {
			if !now.Open {
				return &ending{state: review.Skipped, reason: reasonClosed, quiet: true}
			}
			return fmt.Errorf("read the pull request: %w", err)
		}
		return &ending{state: review.Skipped, reason: reasonGone, quiet: true}
	case github.Forbidden:
		return &ending{state: review.Failed, reason: sentence(e.Error()), quiet: true}
	default:
		return err
	}
}

// current checks that the pull request is open and at the head that is to be reviewed.
func (a *attempt) current(ctx context.Context) error {
	if !a.pr.Open {
		return &ending{state: review.Skipped, reason: reasonClosed, quiet: true}
	}
	if a.row.Head == "" {
		row, err := a.store.ResolveHead(ctx, a.row.ID, a.pr.Head)
		if err != nil {
			return err
		}
		row.Stage = a.row.Stage
		if a.row = row; row.State.Terminal() {
			return errEnded
		}
		a.log = a.log.With(telemetry.KeyHead, row.Head)
	}
	if a.row.Head != a.pr.Head {
		return a.moved(ctx)
	}
	return nil
}

// moved ends a review whose head is not the pull request's any more, and makes sure that the new head gets one.
func (a *attempt) moved(ctx context.Context) error {
	var got store.Requested
	err := pg.InTx(ctx, a.db, func(ctx context.Context, tx pg.Tx) error {
		var err error
		got, err = a.store.RequestReview(ctx, tx, store.Wanted{
			InstallationID: a.row.InstallationID, RepositoryID: a.row.RepositoryID, Repository: a.row.Repository,
			Number: a.row.Number, Head: a.pr.Head, EventAt: a.pr.UpdatedAt,
		})
		if err != nil {
			return err
		}
		for _, old := range got.Superseded {
			// Our own job ends by itself, and orderly.
			if old.ID == a.row.ID || old.JobID == 0 {
				continue
			}
			if err := a.jobs.Cancel(ctx, tx, old.JobID); err != nil {
				return err
			}
		}
		if !got.Created {
			return nil
		}
		jobID, err := a.jobs.Review(ctx, tx, queue.ReviewArgs{
			ReviewID: got.Review.ID, InstallationID: a.row.InstallationID, RepositoryID: a.row.RepositoryID,
			Repository: a.row.Repository, Number: a.row.Number, Head: got.Review.Head, Generation: got.Review.Generation,
		}, a.pr.ChangedFiles > largeChange)
		if err != nil {
			return err
		}
		return a.store.SetJob(ctx, tx, got.Review.ID, jobID)
	})
	switch {
	case err != nil:
		return fmt.Errorf("request review of the new head: %w", err)
	case slices.ContainsFunc(got.Superseded, func(r store.Review) bool { return r.ID == a.row.ID }):
		a.row.State = review.Superseded
		return errEnded
	case got.Stale, got.Review.ID == a.row.ID:
		// A delivery told us of a newer head than GitHub shows here: its reads lag.
		return fmt.Errorf("github shows head %s, a delivery named %s after it", a.pr.Head, a.row.Head)
	}
	return &ending{state: review.Superseded, reason: store.EndedByRevision, quiet: true}
}

// readConfig reads the repository's configuration from the tip of the base branch: never from the head, which belongs
// to whom the review is about.
func (a *attempt) readConfig(ctx context.Context) error {
	content, err := a.gh.File(ctx, a.row.Repository, a.pr.BaseRef, repoconfig.FileName)
	if github.KindOf(err) == github.NotFound {
		content, err = a.gh.File(ctx, a.row.Repository, a.pr.Base, repoconfig.FileName)
	}
	if github.KindOf(err) == github.TooLarge {
		a.config = repoconfig.Default()
		a.problems = []repoconfig.Problem{{Message: "the file is too large, everything has its default", Fatal: true}}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", repoconfig.FileName, err)
	}
	a.config, a.problems = repoconfig.Parse(content)
	return nil
}
