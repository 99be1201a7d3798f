package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/riverqueue/river"

	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

const (
	// sweepCalls is how many calls to GitHub a sweep makes before it pauses.
	sweepCalls = 50
	// pullsOverlap is how far a sweep looks back beyond the beginning of the one before.
	pullsOverlap = time.Hour
	// requestTries is how often a transaction is tried that lost a race with another.
	requestTries = 3
)

// pulls is an installation as GitHub shows it. github.Client implements it.
type pulls interface {
	Repositories(ctx context.Context) ([]github.Repository, error)
	OpenPulls(ctx context.Context, repo string, since time.Time) (all []github.OpenPull, calls int, err error)
	CommittedAt(ctx context.Context, repo, sha string) (time.Time, error)
}

// syncWorker works jobs of the kind sync_installation: it looks through the open pull requests for heads that were never
// reviewed, because GitHub never told of them or because nobody was there to hear it.
//
// It asks for a review of a head only if the head is newer than our acquaintance with the installation: the pull request
// was opened since, or deliveries named another head of it before, or the commit was made since. That a pull request was
// updated since is not enough: a comment is an update too, and a bot that comments on all stale pull requests would
// have them all reviewed on the day after the App was installed.
type syncWorker struct {
	river.WorkerDefaults[queue.SyncArgs]
	*Orchestrator
	installations func(context.Context) ([]github.Installation, error)
	pulls         func(review.InstallationID) pulls
}

func newSyncWorker(o *Orchestrator) *syncWorker {
	return &syncWorker{Orchestrator: o, installations: o.app.Installations,
		pulls: func(id review.InstallationID) pulls { return o.installation(id) }}
}

// Work implements river.Worker.
func (w *syncWorker) Work(ctx context.Context, job *river.Job[queue.SyncArgs]) error {
	if job.Args.InstallationID == 0 {
		err := w.spread(ctx)
		if wait, limited := retryAfter(err); limited {
			return river.JobSnooze(wait)
		}
		return err
	}
	p := &sweepPass{syncWorker: w, installation: job.Args.InstallationID, gh: w.pulls(job.Args.InstallationID),
		last: job.Attempt >= job.MaxAttempts, until: time.Now().Add(w.cfg.JobTimeout - w.cfg.reserve())}
	more, err := p.run(ctx)
	switch wait, limited := retryAfter(err); {
	case limited:
		return river.JobSnooze(wait)
	case errors.Is(err, store.ErrNotFound), goneForGood(err):
		return river.JobCancel(fmt.Errorf("sweep installation %d: %w", job.Args.InstallationID, err))
	case err != nil:
		return fmt.Errorf("sweep installation %d: %w", job.Args.InstallationID, err)
	case more:
		return river.JobSnooze(w.cfg.Missed.SweepPause)
	}
	return nil
}

// spread gives each installation that is due a job, in the course of the time over which they are spread.
func (w *syncWorker) spread(ctx context.Context) error {
	all, err := w.installations(ctx)
	if err != nil {
		return err
	}
	var ids []review.InstallationID
	var accounts []string
	for _, i := range all {
		if !i.Suspended {
			ids, accounts = append(ids, i.ID), append(accounts, i.Account)
		}
	}
	return pg.InTx(ctx, w.db, func(ctx context.Context, tx pg.Tx) error {
		due, err := w.store.DueSweeps(ctx, tx, ids, accounts, w.cfg.Missed.SweepEvery)
		if err != nil {
			return err
		}
		for _, id := range due {
			if err := w.jobs.Sync(ctx, tx, queue.SyncArgs{InstallationID: id}, time.Now().Add(w.place(id))); err != nil {
				return err
			}
		}
		return nil
	})
}

// place is where in the spread an installation begins: always at the same.
func (w *syncWorker) place(id review.InstallationID) time.Duration {
	h := fnv.New32a()
	_, _ = fmt.Fprint(h, id) // a hash takes everything
	return time.Duration(float64(w.cfg.Missed.SweepSpread) * float64(h.Sum32()%1000) / 1000)
}

// sweepPass is one attempt at the sweep of one installation.
type sweepPass struct {
	*syncWorker
	installation review.InstallationID
	gh           pulls
	sweep        store.Sweep
	// last is set in the job's last attempt: what cannot be read is then left out.
	last  bool
	until time.Time
	calls int
}

// run says whether there is more to do.
func (p *sweepPass) run(ctx context.Context) (more bool, err error) {
	if p.sweep, err = p.store.BeginSweep(ctx, p.installation, pullsOverlap); err != nil {
		return false, err
	}
	if !p.sweep.Listed {
		if err := p.list(ctx); err != nil {
			return false, err
		}
	}
	var failed error
	for after := review.RepositoryID(0); ; {
		repo, ok, err := p.store.NextSwept(ctx, p.sweep, after)
		if err != nil {
			return false, err
		}
		if !ok {
			break
		}
		if p.calls >= sweepCalls || time.Now().After(p.until) {
			return true, nil
		}
		after = repo.ID
		switch err := p.repository(ctx, repo); {
		case ctx.Err() != nil, github.KindOf(err) == github.RateLimited, ofInstallation(err):
			return false, err
		case err != nil && github.KindOf(err) != github.NotFound:
			// The others need not wait for it.
			p.log.WarnContext(ctx, "repository not swept", telemetry.KeyInstallation, p.installation, telemetry.KeyRepository, repo.FullName, telemetry.KeyError, err)
			failed = err
			continue
		}
		if err := p.store.DoneSwept(ctx, repo); err != nil {
			return false, err
		}
		if err := p.fail(ctx, "repository_swept"); err != nil {
			return false, err
		}
	}
	if failed != nil && !p.last {
		return false, failed
	}
	left, err := p.store.FinishSweep(ctx, p.sweep)
	if err == nil {
		p.log.InfoContext(ctx, "open pull requests swept", telemetry.KeyInstallation, p.installation, "since", p.sweep.Since, "repositories_left_out", left)
	}
	return false, err
}

// ofInstallation says that an error is not about a repository: the installation is suspended, or gone.
func ofInstallation(err error) bool {
	var e *github.Error
	return errors.As(err, &e) && e.NoToken()
}

// list writes down which repositories are to be looked at.
func (p *sweepPass) list(ctx context.Context) error {
	all, err := p.gh.Repositories(ctx)
	if err != nil {
		return err
	}
	p.calls += len(all)/100 + 1
	var busy []store.Repository
	for _, r := range all {
		if !r.Quiet {
			busy = append(busy, store.Repository{ID: r.ID, InstallationID: p.installation, FullName: r.Name, DefaultBranch: r.DefaultBranch})
		}
	}
	return p.store.ListForSweep(ctx, p.sweep, busy)
}

// repository asks for reviews of one repository's heads that have none.
func (p *sweepPass) repository(ctx context.Context, repo store.Repository) error {
	found, calls, err := p.gh.OpenPulls(ctx, repo.FullName, p.sweep.Since)
	p.calls += calls
	if err != nil {
		return err
	}
	for _, pull := range found {
		outcome, err := p.pull(ctx, repo, pull)
		if err != nil {
			return err
		}
		p.metrics.swept.WithLabelValues(outcome).Inc()
	}
	return nil
}

// pull looks at one pull request and says what came of it.
func (p *sweepPass) pull(ctx context.Context, repo store.Repository, pull github.OpenPull) (outcome string, err error) {
	if pull.AuthorIsBot {
		return "bot_author", nil // as package intake has it
	}
	known, err := p.store.HeadKnown(ctx, repo.ID, pull.Number, pull.Head)
	if err != nil {
		return "", err
	}
	if known.Reviewed {
		return "reviewed", nil
	}
	if !known.Moved && pull.CreatedAt.Before(p.sweep.KnownSince) {
		p.calls++
		at, err := p.gh.CommittedAt(ctx, repo.FullName, pull.Head)
		if err != nil {
			return "", err
		}
		if at.Before(p.sweep.KnownSince) {
			return "old_head", nil
		}
	}
	got, err := p.request(ctx, store.Wanted{
		InstallationID: p.installation, RepositoryID: repo.ID, Repository: repo.FullName, DefaultBranch: repo.DefaultBranch,
		Number: pull.Number, Head: pull.Head, EventAt: pull.UpdatedAt,
	})
	if err != nil {
		return "", err
	}
	if !got.Created {
		return got.Reason, nil
	}
	p.log.InfoContext(ctx, "head without a review found", telemetry.KeyInstallation, p.installation, telemetry.KeyRepository, repo.FullName,
		telemetry.KeyPullRequest, pull.Number, telemetry.KeyHead, pull.Head, telemetry.KeyReview, string(got.Review.ID))
	return "requested", nil
}

// request asks for a review as a delivery does, and gives it its job in the same transaction. The job waits in the slow
// queue: the list does not say how large the pull request is, and the review is late already.
func (o *Orchestrator) request(ctx context.Context, w store.Wanted) (got store.Requested, err error) {
	for try := 1; ; try++ {
		err = pg.InTx(ctx, o.db, func(ctx context.Context, tx pg.Tx) (err error) {
			if got, err = o.store.RequestReview(ctx, tx, w); err != nil {
				return err
			}
			for _, old := range got.Superseded {
				if err := o.jobs.Cancel(ctx, tx, old.JobID); err != nil {
					return err
				}
			}
			if !got.Created {
				return nil
			}
			r := got.Review
			id, err := o.jobs.Review(ctx, tx, queue.ReviewArgs{
				ReviewID: r.ID, InstallationID: r.InstallationID, RepositoryID: r.RepositoryID, Repository: r.Repository,
				Number: r.Number, Head: r.Head, Generation: r.Generation,
			}, true)
			if err != nil {
				return err
			}
			return o.store.SetJob(ctx, tx, r.ID, id)
		})
		if err == nil || try == requestTries || !store.Retryable(err) {
			return got, err
		}
	}
}
