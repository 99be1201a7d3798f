package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/review"
)

const pullsRoute = "GET /repos/{owner}/{repo}/pulls"

// swept is a world whose sweeps a test makes by itself.
type swept struct {
	*world
	o *Orchestrator
}

func newSwept(t *testing.T) *swept {
	t.Helper()
	w := newWorld(t)
	w.github.DateCommits(w.repo)
	w.cfg.Missed.SweepEvery = 24 * time.Hour
	o, err := New(w.cfg, w.deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return &swept{world: w, o: o}
}

// known makes the installation one that became known so long ago.
func (s *swept) known(ago time.Duration) {
	s.t.Helper()
	s.exec(`INSERT INTO installations (id, created_at) VALUES ($1, now() - $2::interval)`, int64(s.installation), ago)
}

func (s *swept) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Pool().Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

// then does something as if it were so long ago.
func (s *swept) then(ago time.Duration, do func() error) {
	s.t.Helper()
	s.ago.Store(int64(ago))
	defer s.ago.Store(0)
	if err := do(); err != nil {
		s.t.Fatal(err)
	}
}

// opened opens a pull request so long ago.
func (s *swept) opened(ago time.Duration, spec githubtest.PullRequestSpec) (number int, head string) {
	s.t.Helper()
	s.then(ago, func() error { number, head = s.open(spec); return nil })
	return number, head
}

// work makes one attempt, and gives the snooze that it ended with, negative without one.
func (s *swept) work(id review.InstallationID, attempt int) (snooze time.Duration, err error) {
	err = newSyncWorker(s.o).Work(s.t.Context(), &river.Job[queue.SyncArgs]{Args: queue.SyncArgs{InstallationID: id},
		JobRow: &rivertype.JobRow{Attempt: attempt, MaxAttempts: queue.UpkeepMaxAttempts}})
	if later := (*river.JobSnoozeError)(nil); errors.As(err, &later) {
		return later.Duration, nil
	}
	return -1, err
}

// sweep makes a whole sweep in one attempt.
func (s *swept) sweep() {
	s.t.Helper()
	if snooze, err := s.work(s.installation, 1); err != nil || snooze >= 0 {
		s.t.Fatalf("snooze %s, %v", snooze, err)
	}
	if v := s.github.Violations(); len(v) > 0 {
		s.t.Errorf("GitHub would not understand: %s", strings.Join(v, "\n"))
	}
}

// requested gives the heads, each with its repository, that have a review and a job that waits for nobody.
func (s *swept) requested() map[string]int {
	s.t.Helper()
	rows, err := s.db.Pool().Query(s.t.Context(), `SELECT p.full_name || ' ' || r.head FROM reviews r
		JOIN repositories p ON p.id = r.repository_id JOIN river_job j ON j.id = r.job_id WHERE j.queue = 'slow' AND j.state = 'available' AND j.args->>'review_id' = r.id::text`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	heads := map[string]int{}
	for rows.Next() {
		var head string
		if err := rows.Scan(&head); err != nil {
			s.t.Fatal(err)
		}
		heads[head]++
	}
	return heads
}

func (s *swept) wants(heads ...string) {
	s.t.Helper()
	want := map[string]int{}
	for _, h := range heads {
		if !strings.Contains(h, " ") {
			h = s.repo + " " + h
		}
		want[h] = 1
	}
	if got := s.requested(); !maps.Equal(got, want) {
		s.t.Errorf("requested %v, want %v", got, want)
	}
}

func TestTheSweepFindsHeadsThatNobodyReviewed(t *testing.T) {
	t.Parallel()
	s := newSwept(t)
	s.known(48 * time.Hour)
	comment := func(number int) {
		s.then(time.Hour, func() error { _, err := s.github.Comment(s.repo, number, "ann", "ping"); return err })
	}
	_, never := s.opened(24*time.Hour, githubtest.PullRequestSpec{})
	_, draft := s.opened(23*time.Hour, githubtest.PullRequestSpec{Draft: true}) // the worker's to decide
	s.opened(24*time.Hour, githubtest.PullRequestSpec{Author: "renovate[bot]"})
	s.opened(100*time.Hour, githubtest.PullRequestSpec{}) // before we came
	commented, _ := s.opened(100*time.Hour, githubtest.PullRequestSpec{})
	comment(commented)
	number, _ := s.opened(100*time.Hour, githubtest.PullRequestSpec{})
	var pushed, moved string
	s.then(10*time.Hour, func() (err error) { pushed, err = s.github.Push(s.repo, number, baseFiles); return err })
	number, first := s.opened(100*time.Hour, githubtest.PullRequestSpec{})
	s.exec(`INSERT INTO repositories (id, installation_id, full_name) VALUES ($1, $2, $3)`, int64(s.repoID), int64(s.installation), s.repo)
	s.exec(`INSERT INTO pull_requests (repository_id, number, latest_head, event_at) VALUES ($1, $2, $3, now() - interval '99 hours')`, int64(s.repoID), number, first)
	s.then(98*time.Hour, func() (err error) { moved, err = s.github.Push(s.repo, number, baseFiles); return err })
	comment(number)
	failed, head := s.opened(20*time.Hour, githubtest.PullRequestSpec{})
	old := s.request(failed, head)
	s.exec(`UPDATE reviews SET state = 'failed', ended_at = now() WHERE id = $1`, string(old.Review.ID))
	closed, _ := s.opened(20*time.Hour, githubtest.PullRequestSpec{})
	s.then(time.Hour, func() error { return s.github.ClosePullRequest(s.repo, closed, true) })

	s.sweep()
	s.wants(never, draft, pushed, moved)
	// Tomorrow's looks at what is new.
	listed := s.github.Count(pullsRoute)
	s.sweep()
	s.wants(never, draft, pushed, moved)
	if n := s.github.Count(pullsRoute) - listed; n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
	_, next := s.opened(0, githubtest.PullRequestSpec{})
	s.sweep()
	s.wants(never, draft, pushed, moved, next)
}

func TestTheFirstSweepOfAnInstallationReviewsNothingOld(t *testing.T) {
	t.Parallel()
	s := newSwept(t)
	for range 3 {
		number, _ := s.opened(2*time.Hour, githubtest.PullRequestSpec{})
		if _, err := s.github.Comment(s.repo, number, "stale[bot]", "still wanted?"); err != nil {
			t.Fatal(err)
		}
	}
	if snooze, err := s.work(0, 1); err != nil || snooze >= 0 { // makes the installation known
		t.Fatalf("snooze %s, %v", snooze, err)
	}
	s.sweep()
	s.wants()
	_, head := s.opened(-2*time.Second, githubtest.PullRequestSpec{})
	s.sweep()
	s.wants(head)
}

func TestTheSweepReadsAllPages(t *testing.T) {
	t.Parallel()
	s := newSwept(t)
	s.known(48 * time.Hour)
	var want []string
	for i := range 120 {
		_, head := s.opened(time.Duration(i)*time.Minute, githubtest.PullRequestSpec{})
		want = append(want, head)
	}
	s.sweep()
	s.wants(want...)
	if n := s.github.Count(pullsRoute); n != 3 {
		t.Errorf("%d calls", n)
	}
}

// more adds repositories with an open pull request each.
func (s *swept) more(n int) (heads []string) {
	s.t.Helper()
	for i := range n {
		name := fmt.Sprintf("%s-%d", s.repo, i)
		if _, err := s.github.AddRepository(name, int64(s.repoID)*1000+int64(i), int64(s.installation), baseFiles); err != nil {
			s.t.Fatal(err)
		}
		_, head, err := s.github.OpenPullRequest(name, githubtest.PullRequestSpec{Head: headFiles, Title: name})
		if err != nil {
			s.t.Fatal(err)
		}
		heads = append(heads, name+" "+head)
	}
	return heads
}

func TestTheSweepTakesItsTime(t *testing.T) {
	t.Parallel()
	s := newSwept(t) // its first repository has no pull request and is not asked for any
	s.known(48 * time.Hour)
	heads := s.more(70)
	if snooze, err := s.work(s.installation, 1); err != nil || snooze != 3*time.Minute {
		t.Fatalf("snooze %s, %v; want 3 m", snooze, err)
	}
	if n := len(s.requested()); n == 0 || n > sweepCalls {
		t.Errorf("%d requested by the first %d calls", n, sweepCalls)
	}
	s.sweep()
	s.wants(heads...)
	if n := s.github.Count(pullsRoute); n != 70 {
		t.Errorf("%d listings of 70 repositories", n)
	}
}

func TestTheSweepWaitsAndGoesOn(t *testing.T) {
	t.Parallel()
	s := newSwept(t)
	s.known(48 * time.Hour)
	heads := s.more(6)
	fault := s.github.Inject(githubtest.Fault{Route: pullsRoute, After: 3, Times: 1, Status: 429, RetryAfter: "61"})
	if snooze, err := s.work(s.installation, 1); err != nil || snooze != 61*time.Second || fault.Landed() != 1 {
		t.Fatalf("snooze %s, %v; want 61 s", snooze, err)
	}
	// Reviews of the installation wait as well.
	if snooze, err := s.work(s.installation, 1); err != nil || snooze < 55*time.Second || s.github.Count(pullsRoute) != 4 {
		t.Errorf("while the limit lasts: snooze %s, %v", snooze, err)
	}
	s.exec(`DELETE FROM rate_limits`)
	s.sweep()
	s.wants(heads...)
	if n := s.github.Count(pullsRoute); n != 6+1 {
		t.Errorf("%d listings, want six and the refused one", n)
	}
}

func TestOneRepositoryDoesNotKeepTheOthers(t *testing.T) {
	t.Parallel()
	s := newSwept(t)
	s.known(48 * time.Hour)
	heads := s.more(4)
	sick := s.github.Inject(githubtest.Fault{Route: pullsRoute, Times: 2, Status: 500})
	if _, err := s.work(s.installation, 1); err == nil {
		t.Fatal("no error: nobody would try again")
	}
	s.wants(heads[2:]...)
	s.sweep()
	s.wants(heads...)
	if sick.Landed() != 2 {
		t.Errorf("%d faults", sick.Landed())
	}
	s.github.Inject(githubtest.Fault{Route: pullsRoute, Times: 1, Status: 500})
	if _, err := s.work(s.installation, queue.UpkeepMaxAttempts); err != nil {
		t.Errorf("the last attempt leaves out what cannot be read, and says so; got %v", err)
	}
	if !strings.Contains(s.log.String(), "repositories_left_out=1") {
		t.Error("what was left out is not told")
	}
}

func TestASuspendedInstallationIsSweptLater(t *testing.T) {
	t.Parallel()
	s := newSwept(t)
	s.known(48 * time.Hour)
	heads := s.more(3)
	s.failpoints[""] = at("repository_swept", func(context.Context) error {
		s.github.Suspend(int64(s.installation), true)
		return nil
	})
	_, err := s.work(s.installation, 1)
	if cancel := (*river.JobCancelError)(nil); !errors.As(err, &cancel) {
		t.Fatalf("the job ends with %v, want it cancelled", err)
	}
	jobs := func() (n int) {
		if err := s.db.Pool().QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'sync_installation'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := s.work(0, 1); err != nil || jobs() != 0 {
		t.Errorf("%v; %d jobs of a suspended installation", err, jobs())
	}
	s.github.Suspend(int64(s.installation), false)
	for range 2 {
		if _, err := s.work(0, 1); err != nil || jobs() != 1 {
			t.Errorf("%v; %d jobs of the installation, want one", err, jobs())
		}
	}
	s.sweep()
	s.wants(heads...)
	if _, err := s.work(0, 1); err != nil {
		t.Error(err)
	}
	s.exec(`DELETE FROM river_job`)
	if _, err := s.work(0, 1); err != nil || jobs() != 0 {
		t.Errorf("%v; %d jobs though the sweep was just made", err, jobs())
	}
}

func TestSweepsAreSpread(t *testing.T) {
	t.Parallel()
	w := newSyncWorker(newSwept(t).o)
	var places []time.Duration
	for id := range review.InstallationID(200) {
		p := w.place(id)
		if p < 0 || p >= w.cfg.Missed.SweepSpread || p != w.place(id) {
			t.Fatalf("place %s", p)
		}
		places = append(places, p)
	}
	slices.Sort(places)
	if places[50] < 5*time.Minute || places[150] > 55*time.Minute {
		t.Errorf("a quarter begins before %s, another after %s", places[50], places[150])
	}
}

// TestWhatTheSweepFindsIsReviewed runs the whole: the leader's job, the sweep, the review.
func TestWhatTheSweepFindsIsReviewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := &swept{world: w}
	s.known(48 * time.Hour)
	number, head := w.open(githubtest.PullRequestSpec{})
	w.cfg.Missed.SweepEvery, w.cfg.Missed.SweepSpread = time.Hour, time.Millisecond
	w.start(t)
	w.eventually("a review is made", func() bool { return len(w.submitted(number)) == 1 })
	if r := w.ended(w.newest().ID); r.Head != head || r.State != review.Findings {
		t.Errorf("reviewed %s: %s (%s)", r.Head, r.State, r.Reason)
	}
	w.once(number, 2)
}
