package orchestrator

import (
	"context"
	"fmt"
	"time"

	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

const (
	// lockPause is when to ask again for a lock that somebody else holds.
	lockPause = 2 * time.Second
	// turnTimeout is how long a publication waits for its turn among those of its installation. It is politeness, GitHub
	// asks for writes one after the other; the turn of a worker that froze is not waited for longer.
	turnTimeout = 5 * time.Second
	// turnInterval is how often it asks.
	turnInterval = 50 * time.Millisecond
)

// room pauses a review that waits for its turn to be posted while there is none. Where an installation posts more than
// GitHub allows, many reviews wait, and none of them is to read from GitHub before it knows.
func (a *attempt) room(ctx context.Context) error {
	if a.row.Stage != review.StagePublish {
		return nil
	}
	result, err := a.store.Result(ctx, a.row.ID)
	if err != nil || result == nil {
		return err
	}
	units := 1 + min(len(result.Findings), max(0, result.MaxComments), post.MaxComments)
	wait, err := a.gate(a.row.InstallationID).Room(ctx, units)
	if err != nil || wait == 0 {
		return err
	}
	return &pause{after: wait + spread(wait), why: "github limit"}
}

// publish shows a result on GitHub and ends the review.
func (a *attempt) publish(ctx context.Context, result *review.Result) error {
	if time.Until(a.deadline) < a.cfg.reserve()/2 {
		return a.nextSlice(ctx)
	}
	if err := a.enter(ctx, review.StagePublish); err != nil {
		return err
	}
	session, err := pg.Session(ctx, a.db)
	if err != nil {
		return err
	}
	defer session.Close()
	// A worker that froze, or whose machine is gone, must not keep the lock from who does its work after the rescue.
	if err := session.EndWhenIdle(ctx, time.Until(a.deadline)); err != nil {
		return err
	}
	got, err := session.TryLock(ctx, postingLock(a.row.RepositoryID, a.row.Number))
	if err != nil {
		return err
	}
	if !got {
		return &pause{after: jitter(min(lockPause, a.cfg.Settle)), why: "posting lock"}
	}
	if err := a.takeTurn(ctx, session); err != nil {
		return err
	}
	secret, err := a.store.MarkerSecret(ctx)
	if err != nil {
		return err
	}
	chosen, err := a.choose(ctx, result, secret)
	if err != nil {
		return err
	}
	meta := a.meta(result, secret)
	posted, err := a.postReview(ctx, session, &chosen, meta.ReviewMarker, secret)
	if err != nil {
		return a.overtaken(ctx, err)
	}
	// What is visible must be known, or a later review says it again.
	if err := a.saveFindings(ctx, chosen.stored(posted, false)); err != nil {
		return err
	}
	a.threadsOf(ctx, posted)
	a.count(ctx, posted)
	meta.Refused = chosen.refused(posted)
	if err := a.stillOurs(ctx, session); err != nil {
		return err
	}
	shown := render.Walkthrough{Meta: meta, Result: &chosen.told}
	if err := a.writeWalkthrough(ctx, shown.Render()); err != nil {
		return err
	}
	if err := a.saveFindings(ctx, chosen.stored(posted, true)); err != nil {
		return err
	}
	if err := a.fail(ctx, "walkthrough"); err != nil {
		return err
	}
	if err := a.answerFixed(ctx, session, chosen.earlier, result); err != nil {
		return err
	}
	if err := a.completeCheckRun(ctx, shown, &chosen, posted); err != nil {
		return err
	}
	a.closeSuperseded(ctx, a.row)
	if err := a.close(ctx, a.row, ending{state: meta.State, reason: result.PartialReason}); err != nil {
		return err
	}
	a.index(ctx)
	return a.fail(ctx, "done")
}

// postingLock names the lock that whoever posts to a pull request holds.
func postingLock(repository review.RepositoryID, number int) string {
	return fmt.Sprintf("openrabbit posting to %d#%d", repository, number)
}

// takeTurn waits, within bounds, until no other publication of the installation is under way.
func (a *attempt) takeTurn(ctx context.Context, session *pg.LockSession) error {
	name := fmt.Sprintf("openrabbit writes of installation %d", a.row.InstallationID)
	tick := time.NewTicker(turnInterval)
	defer tick.Stop()
	// The deadline is not the context's: a statement that is cut takes the session and the posting lock with it.
	for until := time.Now().Add(min(turnTimeout, a.cfg.reserve()/4)); time.Now().Before(until); {
		if got, err := session.TryLock(ctx, name); err != nil || got {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	a.log.InfoContext(ctx, "publishing out of turn")
	return nil
}

// choose says where each finding is told.
func (a *attempt) choose(ctx context.Context, result *review.Result, secret []byte) (selection, error) {
	if a.diff == nil {
		d, err := a.gh.Diff(ctx, a.row.Repository, a.row.Number, a.pr)
		if err != nil {
			return selection{}, fmt.Errorf("read the diff: %w", err)
		}
		a.diff = &d
	}
	if err := a.heal(ctx, secret); err != nil {
		return selection{}, err
	}
	earlier, err := a.earlier(ctx)
	if err != nil {
		return selection{}, err
	}
	return choose(result, a.diff, earlier), nil
}

// meta is what texts say of the review beside its result.
func (a *attempt) meta(result *review.Result, secret []byte) render.Meta {
	meta := render.Meta{
		Repository: a.row.Repository, Number: a.row.Number, Head: a.row.Head, State: result.State(),
		Reason: result.PartialReason, ReviewMarker: render.Marker(secret, a.row.ID), FailOn: a.config.Reviews.FailCheckOn,
	}
	for _, p := range a.problems {
		meta.ConfigProblems = append(meta.ConfigProblems, render.ConfigProblem{Line: p.Line, Message: p.Message, Fatal: p.Fatal})
	}
	return meta
}

// postReview brings the comments to GitHub.
func (a *attempt) postReview(ctx context.Context, session *pg.LockSession, chosen *selection, marker string, secret []byte) (post.Result, error) {
	steps := &steps{
		attempt: a, Forge: a.gh.Forge(a.row.Repository, a.row.Number, ""), record: a.store.Posting(a.row.ID).Verified(a.cfg.VerifyAfter), session: session,
	}
	return post.Publish(ctx, post.Deps{
		Forge: steps, Record: steps, Fence: steps, Settle: a.cfg.Settle, Log: a.log,
	}, post.Draft{
		ReviewID: a.row.ID, Marker: marker, Head: a.row.Head, Comments: chosen.drafts(a.row.Repository),
		ParseMarker: func(body string) (review.ID, bool) { return render.ParseMarker(secret, body) },
	})
}

// threadsOf notes the threads that the review began. It is looked at once more later, so what fails here is not missed.
func (a *attempt) threadsOf(ctx context.Context, posted post.Result) {
	if len(posted.Posted) == 0 {
		return
	}
	comments, err := a.gh.ReviewComments(ctx, a.row.Repository, a.row.Number)
	if err == nil {
		err = a.noteThreads(ctx, a.row.ID, posted.GitHubReviewID, comments)
	}
	if err != nil {
		a.log.WarnContext(ctx, "threads of the review not noted", telemetry.KeyError, err)
	}
}

// saveFindings writes where the findings were shown, whatever became of the review meanwhile.
func (a *attempt) saveFindings(ctx context.Context, found []store.StoredFinding) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	return a.store.SaveFindings(ctx, a.row.ID, found)
}

func (a *attempt) count(ctx context.Context, posted post.Result) {
	a.metrics.comments.WithLabelValues("posted").Add(float64(len(posted.Posted)))
	a.metrics.comments.WithLabelValues("degraded").Add(float64(len(posted.Degraded)))
	a.metrics.comments.WithLabelValues("refused").Add(float64(len(posted.Refused)))
	if len(posted.Degraded)+len(posted.Refused) > 0 {
		a.log.WarnContext(ctx, "comments refused by github", "degraded", len(posted.Degraded), "refused", len(posted.Refused))
	}
}

// stillOurs is the fence before the walkthrough: an older review must not write over a newer one's.
func (a *attempt) stillOurs(ctx context.Context, session *pg.LockSession) error {
	row, err := a.store.Review(ctx, a.row.ID)
	switch {
	case err != nil:
		return err
	case row.State.Terminal():
		a.row.State = row.State
		return errEnded
	}
	return session.Check(ctx)
}

// index asks for the index of the base branch, as the next review will be glad of it. It is no part of this one.
func (a *attempt) index(ctx context.Context) {
	if err := a.requestIndex(ctx, a.row, a.pr.Base); err != nil {
		a.log.WarnContext(ctx, "indexing not requested", telemetry.KeyError, err)
	}
}

// completeCheckRun ends the check run as the review ended. An update that an earlier attempt got through is not
// repeated: it would show every annotation twice.
func (a *attempt) completeCheckRun(ctx context.Context, shown render.Walkthrough, chosen *selection, posted post.Result) error {
	if a.row.CheckRunID == 0 {
		return nil
	}
	if a.resumed {
		run, found, err := a.gh.FindCheckRun(ctx, a.row.Repository, a.row.Head, a.row.ID)
		if err != nil {
			return fmt.Errorf("look at the check run: %w", err)
		}
		if found && run.Completed {
			return nil
		}
	}
	check := render.CheckRun(shown)
	err := a.gh.UpdateCheckRun(ctx, a.row.Repository, a.row.CheckRunID, github.CheckOutput{
		Conclusion: github.Conclusion(check.Conclusion), Title: check.Title, Summary: check.Summary,
		Annotations: a.annotations(ctx, chosen, posted),
	})
	if err := withoutChecks(err); err != nil {
		return ambiguous(fmt.Errorf("complete the check run: %w", err), a.Orchestrator)
	}
	return nil
}

// level is how loud an annotation is.
func level(s finding.Severity) github.Level {
	switch {
	case s >= finding.High:
		return github.LevelFailure
	case s >= finding.Medium:
		return github.LevelWarning
	default:
		return github.LevelNotice
	}
}
