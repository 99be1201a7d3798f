package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/finding"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// maxCarried bounds the files that are read, in both revisions, to see what became of earlier findings.
const maxCarried = 20

// earlierFinding is a finding that another review of the pull request showed, and what became of its code since.
type earlierFinding struct {
	store.StoredFinding
	carried finding.Carried
}

// now gives the finding where its code stands in this revision.
func (e *earlierFinding) now() finding.Finding {
	if e.carried.Fate == finding.Stands {
		return e.carried.Onto(e.Finding)
	}
	return e.Finding
}

// earlier gives the findings that other reviews of the pull request showed, each carried into this revision.
func (a *attempt) earlier(ctx context.Context) ([]earlierFinding, error) {
	shown, err := a.store.ShownFindings(ctx, a.row.RepositoryID, a.row.Number)
	if err != nil {
		return nil, err
	}
	var out []earlierFinding
	contents := map[[2]string][]byte{}
	read := func(ref, path string) ([]byte, error) {
		key := [2]string{ref, path}
		content, ok := contents[key]
		if !ok {
			if len(contents) >= 2*maxCarried {
				return nil, errNotRead
			}
			if content, err = a.gh.File(ctx, a.row.Repository, ref, path); err != nil {
				return nil, err
			}
			contents[key] = content
		}
		return content, nil
	}
	for _, f := range shown {
		if f.Review == a.row.ID {
			continue
		}
		e := earlierFinding{StoredFinding: f}
		// What stood in the walkthrough only is told there again, wherever its code is.
		if f.Shown == store.ShownComment && f.Head != a.row.Head && f.Finding.Anchor.Side == diff.New {
			e.carried, err = a.carry(f, read)
			if k := github.KindOf(err); k == github.RateLimited || k == github.Unavailable || k == github.Unauthorized {
				return nil, fmt.Errorf("read a file of %s: %w", f.Head, err)
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// errNotRead says that enough files were read.
var errNotRead = errors.New("not read: too many files")

// carry sees what became of the code of a finding. On an error its fate is unknown.
func (a *attempt) carry(f store.StoredFinding, read func(ref, path string) ([]byte, error)) (finding.Carried, error) {
	p := finding.Passage{Path: finding.Successor(a.diff, f.Finding.Path), Newer: a.diff}
	var err error
	if p.After, err = read(a.row.Head, p.Path); err != nil {
		return finding.Carried{}, err
	}
	if p.Before, err = read(f.Head, f.Finding.Path); err != nil && github.KindOf(err) != github.NotFound {
		return finding.Carried{}, err // a head that a force-push took away is not known: that is for Carry to judge
	}
	return finding.Carry(f.Finding, p), nil
}

// fixed says whether a finding that had a comment is not there any more: its code is gone, and this review, which saw
// everything, does not say the same of other code.
func fixed(e *earlierFinding, result *review.Result) bool {
	if e.Shown != store.ShownComment || e.carried.Fate != finding.Gone || result.Partial {
		return false
	}
	for _, f := range result.Findings {
		if f.Fingerprint == e.Finding.Fingerprint || finding.Same(f, e.Finding) || f.Path == e.Finding.Path && strings.EqualFold(f.Title, e.Finding.Title) {
			return false
		}
	}
	return true
}

// noteThreads writes down which thread each comment of a posted review began. It finds them by their marker; those that
// GitHub does not list yet are found by the look that follows a while later.
func (o *Orchestrator) noteThreads(ctx context.Context, id review.ID, gitHubReview int64, comments []github.ReviewComment) error {
	var threads []store.Thread
	for _, c := range comments {
		fingerprint, ok := render.ParseFindingMarker(c.Body)
		if ok && c.Own && c.InReplyTo == 0 && c.ReviewID == gitHubReview {
			threads = append(threads, store.Thread{CommentID: c.ID, Fingerprint: fingerprint})
		}
	}
	return o.store.AddThreads(ctx, id, threads)
}

// answerFixed replies, once, to the thread of each finding that this revision fixed, and resolves it where the App was
// given what that takes. A thread with a person in it is left alone.
func (a *attempt) answerFixed(ctx context.Context, session *pg.LockSession, earlier []earlierFinding, result *review.Result) error {
	gone := map[finding.Fingerprint]bool{}
	for i := range earlier {
		if fixed(&earlier[i], result) {
			gone[earlier[i].Finding.Fingerprint] = true
		}
	}
	open, err := a.store.OpenThreads(ctx, a.row.RepositoryID, a.row.Number)
	if err != nil {
		return err
	}
	var due []store.Thread
	for _, t := range open {
		if gone[t.Fingerprint] || t.State == store.ThreadAnswering {
			due = append(due, t)
		}
	}
	if len(due) == 0 {
		return nil
	}
	comments, err := a.gh.ReviewComments(ctx, a.row.Repository, a.row.Number)
	if err != nil {
		return fmt.Errorf("look at the threads: %w", err)
	}
	known := a.threadNodes(ctx)
	for _, t := range due {
		if err := a.answer(ctx, session, t, comments, known); err != nil {
			return err
		}
	}
	return nil
}

// threadNodes gives GitHub's threads by the comment that began each; none where it does not say. Without them no thread
// is resolved, and all else goes on.
func (a *attempt) threadNodes(ctx context.Context) map[int64]github.ReviewThread {
	threads, err := a.gh.ReviewThreads(ctx, a.row.Repository, a.row.Number)
	if err != nil {
		a.log.WarnContext(ctx, "threads not listed: none is resolved", telemetry.KeyError, err)
	}
	return threads
}

// answer brings one thread to its end.
func (a *attempt) answer(ctx context.Context, session *pg.LockSession, t store.Thread, comments []github.ReviewComment, known map[int64]github.ReviewThread) error {
	set := func(state store.ThreadState) error {
		t.State = state
		return a.store.SetThread(ctx, a.row.RepositoryID, t)
	}
	begun, answered, person := lookAt(t, comments)
	node := known[t.CommentID]
	t.NodeID = node.ID
	switch {
	case answered:
		return a.resolve(ctx, t, node)
	case person || node.Resolved:
		return set(store.ThreadLeft)
	case !begun:
		// Somebody deleted our comment, or it is not listed yet: a later review looks again.
		return nil
	case t.State == store.ThreadAnswering && time.Since(t.AttemptedAt) < a.cfg.Settle:
		return &pause{after: a.cfg.Settle - time.Since(t.AttemptedAt), why: "settle"}
	}
	if t.FixedIn == "" {
		t.FixedIn = a.row.Head
	}
	// The intent before the effect: whoever comes after a lost answer looks for the reply before it makes another.
	if err := set(store.ThreadAnswering); err != nil {
		return err
	}
	if err := a.stillOurs(ctx, session); err != nil {
		return err
	}
	if err := a.fail(ctx, "answering"); err != nil {
		return err
	}
	_, err := a.gh.Reply(ctx, a.row.Repository, a.row.Number, t.CommentID, render.Addressed(t.FixedIn, t.Fingerprint))
	if k := github.KindOf(err); k == github.NotFound || k == github.Forbidden || k == github.Invalid {
		// The comment was deleted, the conversation locked: there is nobody to answer.
		a.log.WarnContext(ctx, "fixed finding not answered", telemetry.KeyError, err)
		return set(store.ThreadLeft)
	}
	if err != nil {
		return ambiguous(err, a.Orchestrator)
	}
	a.metrics.threads.WithLabelValues("answered").Inc()
	return a.resolve(ctx, t, node)
}

// lookAt says what a listing shows of a thread: our comment that began it, our reply, a person's.
func lookAt(t store.Thread, comments []github.ReviewComment) (begun, answered, person bool) {
	for _, c := range comments {
		switch {
		case c.ID == t.CommentID:
			begun = true
		case c.InReplyTo != t.CommentID:
		case c.Own && render.IsAddressed(c.Body, t.Fingerprint):
			answered = true
		case !c.Own:
			person = true
		}
	}
	return begun, answered, person
}

// resolve resolves an answered thread if the App may. What fails is logged, and not tried again.
func (a *attempt) resolve(ctx context.Context, t store.Thread, node github.ReviewThread) error {
	t.State, t.NodeID = store.ThreadAnswered, node.ID
	may, err := a.gh.MayResolve(ctx)
	if may && err == nil && node.ID != "" && !node.Resolved {
		if err = a.gh.ResolveThread(ctx, node.ID); err == nil {
			t.State = store.ThreadResolved
			a.metrics.threads.WithLabelValues("resolved").Inc()
		}
	}
	if err != nil {
		a.log.WarnContext(ctx, "thread answered and not resolved", telemetry.KeyError, err)
	}
	return a.store.SetThread(ctx, a.row.RepositoryID, t)
}
