//go:build unix

package torture

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
)

// count asks the database for a number; when it cannot be asked, the number is a large one, so that nobody takes it for
// an end.
func (r *runner) count(ctx context.Context, query string) int {
	var n int
	if err := r.db.Pool().QueryRow(ctx, query).Scan(&n); err != nil {
		return math.MaxInt32
	}
	return n
}

// running counts the reviews that a worker has.
func (r *runner) running(ctx context.Context) int {
	return r.count(ctx, `SELECT count(*) FROM reviews WHERE state = 'running'`)
}

// live counts the reviews that have not ended.
func (r *runner) live(ctx context.Context) int {
	return r.count(ctx, `SELECT count(*) FROM reviews WHERE state IN ('queued', 'running')`)
}

// unfinished counts those and the jobs that have not ended.
func (r *runner) unfinished(ctx context.Context) int {
	return r.count(ctx, `SELECT (SELECT count(*) FROM reviews WHERE state IN ('queued', 'running')) +
		(SELECT count(*) FROM river_job WHERE kind = 'review_pull_request' AND finalized_at IS NULL)`)
}

// rescued counts those of the reviews whose job was taken from a worker that did not answer.
func (r *runner) rescued(ctx context.Context, reviews []string) int {
	var n int
	err := r.db.Pool().QueryRow(ctx, `SELECT count(*) FROM reviews r JOIN river_job j ON j.id = r.job_id
		WHERE r.id::text = ANY($1) AND EXISTS (SELECT FROM unnest(j.errors) e WHERE e->>'error' LIKE 'Stuck job rescued%')`, reviews).Scan(&n)
	if err != nil {
		return 0 // not proven, so not counted
	}
	return n
}

// cut ends the database sessions of a process.
func (r *runner) cut(ctx context.Context, name string) (int, error) {
	var n int
	err := r.db.Pool().QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1`, name).Scan(&n)
	return n, err
}

// stuck says what did not end in time.
func (r *runner) stuck(ctx context.Context) error {
	_, waiting := r.faults.count()
	text := fmt.Sprintf("after %s %d reviews had not ended, %d faults had not landed, %d processes were frozen", r.plan.Patience, r.live(ctx),
		waiting, r.frozen.Load())
	rows, err := r.db.Pool().Query(ctx, `SELECT format('#%s %s %s: job %s, attempt %s, %s, %s', r.number, r.state, r.stage, j.state, j.attempt,
		j.scheduled_at, coalesce(j.errors[cardinality(j.errors)]->>'error', '')) FROM reviews r LEFT JOIN river_job j ON j.id = r.job_id
		WHERE r.state IN ('queued', 'running') ORDER BY r.number LIMIT 10`)
	if err != nil {
		return fmt.Errorf("%s; which, cannot be read: %w", text, err)
	}
	lines, err := collect(rows)
	if err != nil {
		return fmt.Errorf("%s; which, cannot be read: %w", text, err)
	}
	return fmt.Errorf("%s\n%s", text, strings.Join(lines, "\n"))
}

// rows is what collect needs of an answer of Postgres.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

func collect(r rows) ([]string, error) {
	defer r.Close()
	var out []string
	for r.Next() {
		var text string
		if err := r.Scan(&text); err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, r.Err()
}

// writes lists the requests that put something into a pull request's conversation. The end of a superseded review's
// check run is tidying, and may come later.
func (r *runner) writes() []string {
	var out []string
	for _, q := range r.github.Requests() {
		if q.Applied && q.Method != "GET" && (strings.Contains(q.Path, "/pulls/") || strings.Contains(q.Path, "/issues/")) {
			out = append(out, fmt.Sprintf("%s %s %d", q.Method, q.Path, q.Status))
		}
	}
	return out
}

// shown is what GitHub shows in the end.
func (r *runner) shown() []Shown {
	var out []Shown
	bot := r.github.Slug + "[bot]"
	checks := map[string][]githubtest.CheckRun{}
	for _, c := range r.github.CheckRuns(repository) {
		checks[c.Head] = append(checks[c.Head], c)
	}
	for _, number := range r.numbers {
		s := Shown{Number: number, Head: r.heads[number]}
		for _, review := range r.github.Reviews(repository, number) {
			if review.Author != bot {
				continue
			}
			if review.State == "PENDING" {
				s.Pending++
				continue
			}
			p := Posted{ID: review.ID, Head: review.CommitID, At: review.Submitted}
			for _, c := range review.Comments {
				p.Places = append(p.Places, fmt.Sprintf("%s:%d", c.Path, c.Line))
			}
			s.Reviews = append(s.Reviews, p)
		}
		for _, c := range r.github.IssueComments(repository, number) {
			if c.Author == bot {
				s.Walkthroughs++
			}
		}
		for _, c := range checks[s.Head] {
			s.Conclusions = append(s.Conclusions, c.Conclusion)
			s.Says = append(s.Says, c.Title)
		}
		out = append(out, s)
	}
	return out
}

// storedAnswers lists the answers that the database holds.
func (r *runner) storedAnswers(ctx context.Context) ([]Stored, error) {
	rows, err := r.db.Pool().Query(ctx, `SELECT answer->>'model', settled_at FROM model_calls WHERE answer IS NOT NULL AND settled_at IS NOT NULL`)
	if err != nil {
		return nil, fmt.Errorf("list stored answers: %w", err)
	}
	defer rows.Close()
	var out []Stored
	for rows.Next() {
		var model string
		var s Stored
		if err := rows.Scan(&model, &s.At); err != nil {
			return nil, fmt.Errorf("list stored answers: %w", err)
		}
		s.Number = numberOf(model)
		out = append(out, s)
	}
	return out, rows.Err()
}
