package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
	"github.com/openrabbit/openrabbit/internal/telemetry"
)

// Reasons why a review ended, for a reader. The store has more, for what deliveries decide.
const (
	reasonClosed       = "the pull request is closed"
	reasonLocked       = "the conversation of the pull request is locked"
	reasonGone         = "the pull request is not there any more, or the App has no access to it"
	reasonTooOld       = "it could not be finished within a day"
	reasonTooManySlice = "it took too many slices of time"
	reasonWorkersDied  = "the workers that had it died"
	reasonJobCancelled = "its job was cancelled"
	reasonJobGone      = "its job was deleted"
	reasonInternal     = "an internal error; the log has it under the review's id"
)

// maxDeaths is how many workers a job may kill before it is left alone.
const maxDeaths = 3

// finishTimeout bounds ending a review when the attempt's own time is over.
const finishTimeout = 20 * time.Second

// errEnded says that the review has ended already: somebody superseded or cancelled it, or an earlier attempt ended it.
var errEnded = errors.New("the review has ended")

// ending is the decision to end a review.
type ending struct {
	state  review.State
	reason string
	// quiet leaves a pull request alone that has no check run yet.
	quiet bool
}

// Error makes an ending something that a stage can return.
func (e *ending) Error() string { return fmt.Sprintf("the review ends as %s: %s", e.state, e.reason) }

// pause is the decision to go on later.
type pause struct {
	after time.Duration
	why   string
	err   error
}

// Error says how long and why.
func (p *pause) Error() string {
	if p.err != nil {
		return fmt.Sprintf("pause for %s (%s): %v", p.after, p.why, p.err)
	}
	return fmt.Sprintf("pause for %s (%s)", p.after, p.why)
}

func (p *pause) Unwrap() error { return p.err }

// reviewWorker works jobs of the kind review_pull_request.
type reviewWorker struct {
	river.WorkerDefaults[queue.ReviewArgs]
	*Orchestrator
}

// Work implements river.Worker: one attempt, and what its end means for the job.
func (w *reviewWorker) Work(ctx context.Context, job *river.Job[queue.ReviewArgs]) error {
	began := time.Now()
	ctx = context.WithValue(ctx, jobKey{}, job.Args)
	a := newAttempt(ctx, w.Orchestrator, job)
	err := a.run(ctx)
	outcome, why, result := a.verdict(ctx, err)
	w.metrics.attempts.WithLabelValues(outcome, why).Inc()
	w.metrics.slice.Observe(time.Since(began).Seconds())
	switch outcome {
	case outcomeRetry:
		a.log.WarnContext(ctx, "attempt failed", "attempt", job.Attempt, telemetry.KeyError, err)
	case outcomeSnooze:
		a.log.InfoContext(ctx, "attempt goes on later", "why", why, telemetry.KeyError, err)
	}
	return result
}

type jobKey struct{}

// JobOf says whose job a failpoint was reached in.
func JobOf(ctx context.Context) queue.ReviewArgs {
	args, _ := ctx.Value(jobKey{}).(queue.ReviewArgs)
	return args
}

// How an attempt ends.
const (
	outcomeDone   = "done"
	outcomeSnooze = "snooze"
	outcomeRetry  = "retry"
	outcomeStop   = "stopped"
)

// verdict turns what an attempt ended with into what River is told. It ends the review where that follows.
func (a *attempt) verdict(ctx context.Context, err error) (outcome, why string, result error) {
	var end *ending
	var later *pause
	var wait *post.ErrWait
	switch {
	case err == nil:
		return outcomeDone, "", nil
	case errors.Is(err, errEnded):
		a.tidy(ctx)
		return outcomeDone, "ended", nil
	case errors.As(err, &end):
		if err := a.finish(ctx, *end); err != nil {
			return a.verdict(ctx, err)
		}
		return outcomeDone, string(end.state), nil
	case ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return a.stopped(ctx, err)
	case errors.As(err, &later):
		return outcomeSnooze, later.why, river.JobSnooze(max(0, later.after))
	case errors.As(err, &wait):
		return outcomeSnooze, "settle", river.JobSnooze(max(0, time.Until(wait.Until)))
	default:
		return a.again(ctx, err)
	}
}

// stopped is the end of an attempt whose context was cancelled: its job was, or the process stops.
func (a *attempt) stopped(ctx context.Context, err error) (outcome, why string, result error) {
	cause := context.Cause(ctx)
	if !errors.Is(cause, river.ErrJobCancelledRemotely) {
		// River puts the job back without counting the attempt when it sees its own cancellation.
		return outcomeStop, "shutdown", fmt.Errorf("%w: %w", cause, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	row, rerr := a.store.Review(ctx, a.row.ID)
	switch {
	case rerr != nil:
		a.log.WarnContext(ctx, "cancelled review not read", telemetry.KeyError, rerr)
	case row.State.Terminal():
		a.row.State = row.State
		a.tidy(ctx)
	default:
		if err := a.finish(ctx, ending{state: review.Cancelled, reason: reasonJobCancelled}); err != nil {
			a.log.WarnContext(ctx, "cancelled review not ended", telemetry.KeyError, err)
		}
	}
	return outcomeStop, "cancelled", cause
}

// again maps an error to a snooze or a retry, and ends the review when it was the last attempt.
func (a *attempt) again(ctx context.Context, err error) (outcome, why string, result error) {
	if after, ok := limited(err); ok {
		return outcomeSnooze, "github limit", river.JobSnooze(after + spread(after))
	}
	// What the App may not do, it may not do the next time either.
	if a.job.Attempt < a.job.MaxAttempts && github.KindOf(err) != github.Forbidden {
		return outcomeRetry, kindOf(err), err
	}
	finishing, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	if ferr := a.conclude(finishing, a.row, ending{state: review.Failed, reason: reasonOf(err)}); ferr != nil {
		a.log.ErrorContext(ctx, "failed review not ended", telemetry.KeyError, ferr)
		return outcomeRetry, "last attempt", err
	}
	if a.job.Attempt < a.job.MaxAttempts {
		err = river.JobCancel(err)
	}
	return outcomeRetry, "last attempt", err
}

// spread is how much later than the limits allow a job comes back, so that not all do at once.
func spread(wait time.Duration) time.Duration { return rand.N(min(wait/5, 20*time.Second) + 1) }

// limited says how long GitHub wants to be left alone. The client has told every other worker.
func limited(err error) (time.Duration, bool) {
	var e *github.Error
	if !errors.As(err, &e) || e.Kind != github.RateLimited {
		return 0, false
	}
	return max(e.RetryAfter, time.Second), true
}

// kindOf names the kind of an error for metrics.
func kindOf(err error) string {
	if k := github.KindOf(err); k != github.KindUnknown {
		return "github " + k.String()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, post.ErrLost):
		return "lock lost"
	}
	return "error"
}

// reasonOf says to a reader why a review failed. GitHub's errors hold no credentials; others may hold anything.
func reasonOf(err error) string {
	var e *github.Error
	switch {
	case errors.As(err, &e):
		return sentence(e.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return "it ran out of time"
	case errors.Is(err, errParserTier):
		return errParserTier.Error()
	}
	return reasonInternal
}

// lastAttempt ends reviews whose job ends for reasons that the worker did not see: a panic, arguments that cannot be
// read.
type lastAttempt struct{ *Orchestrator }

// HandleError implements river.ErrorHandler.
func (h lastAttempt) HandleError(ctx context.Context, job *rivertype.JobRow, _ error) *river.ErrorHandlerResult {
	h.end(ctx, job)
	return nil
}

// HandlePanic implements river.ErrorHandler.
func (h lastAttempt) HandlePanic(ctx context.Context, job *rivertype.JobRow, value any, trace string) *river.ErrorHandlerResult {
	h.log.ErrorContext(ctx, "worker panicked", telemetry.KeyJob, job.ID, "panic", fmt.Sprint(value), "trace", trace)
	h.end(ctx, job)
	return nil
}

func (h lastAttempt) end(ctx context.Context, job *rivertype.JobRow) {
	var args queue.ReviewArgs
	if job.Kind != queue.KindReview || job.Attempt < job.MaxAttempts || json.Unmarshal(job.EncodedArgs, &args) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	row, err := h.store.Review(ctx, args.ReviewID)
	if err == nil && !row.State.Terminal() {
		err = h.conclude(ctx, row, ending{state: review.Failed, reason: reasonInternal})
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		h.log.ErrorContext(ctx, "failed review not ended", telemetry.KeyReview, args.ReviewID, telemetry.KeyError, err)
	}
}

// deaths counts the attempts that ended with the worker's death: River's rescuer wrote their error.
func deaths(job *rivertype.JobRow) int {
	n := 0
	for _, e := range job.Errors {
		if strings.HasPrefix(e.Error, "Stuck job rescued") {
			n++
		}
	}
	return n
}
