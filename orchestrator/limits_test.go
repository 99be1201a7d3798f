package orchestrator

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/github/githubtest/fixture"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// traffic is a day at GitHub in which no time passes but on its own clock.
type traffic struct {
	t       *testing.T
	github  *githubtest.Server
	app     *github.App
	store   *store.Store
	now     time.Time
	jobs    agenda
	done    map[review.InstallationID]int
	waited  map[review.InstallationID]time.Duration // the longest wait of one step
	refused int
}

// publication is one job: the steps of a publication, one after the other.
type publication struct {
	at           time.Time
	installation review.InstallationID
	repo         string
	number       int
	head         string
	step         int
	draft        int64
	since        time.Time // when the step was first tried
}

// agenda is a heap of publications by time.
type agenda []*publication

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(p any)        { *a = append(*a, p.(*publication)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// take carries out the next step of a publication, with the clients and the gate that the workers use.
func (tr *traffic) take(ctx context.Context, p *publication) error {
	gh := tr.app.Installation(p.installation).Behind(tr.store.Gate(p.installation, store.ContentLimits{Minute: defaultContentMinute, Hour: defaultContentHour},
		func() time.Time { return tr.now }))
	forge := gh.Forge(p.repo, p.number, "")
	var err error
	switch p.step {
	case 0:
		_, err = forge.Own(ctx)
	case 1:
		var comments []post.Comment
		for i := range 1 + p.number%6 {
			comments = append(comments, post.Comment{Anchor: diff.Anchor{Path: "cart.go", Side: diff.New, Start: 4 + i, End: 4 + i}, Body: "b"})
		}
		p.draft, err = forge.Draft(ctx, p.head, "b", comments)
	case 2:
		err = forge.Submit(ctx, p.draft)
	case 3:
		_, err = gh.CreateComment(ctx, p.repo, p.number, "walkthrough")
	}
	return err
}

// run works the agenda until it is empty or its time is over.
func (tr *traffic) run(ctx context.Context, until time.Time) {
	const steps = 4
	for len(tr.jobs) > 0 {
		p := heap.Pop(&tr.jobs).(*publication)
		if p.at.After(until) {
			return
		}
		if p.at.After(tr.now) {
			tr.now = p.at
		}
		if p.since.IsZero() {
			p.since = tr.now
		}
		err := tr.take(ctx, p)
		var e *github.Error
		switch {
		case err == nil:
			tr.waited[p.installation] = max(tr.waited[p.installation], tr.now.Sub(p.since))
			if p.step++; p.step == steps {
				tr.done[p.installation]++
				continue
			}
			p.since, p.at = time.Time{}, tr.now.Add(300*time.Millisecond)
		case errors.As(err, &e) && e.Kind == github.RateLimited:
			if e.Resource != github.ResourceOwn {
				tr.refused++
			}
			p.at = tr.now.Add(e.RetryAfter) // as the job snoozes
		default:
			tr.t.Fatalf("step %d of %s#%d: %v", p.step, p.repo, p.number, err)
		}
		heap.Push(&tr.jobs, p)
	}
}

// TestHoursOfTraffic simulates hours in which one installation wants to post more than GitHub allows and meets limits of
// all kinds, beside two quiet ones. Nothing is sent inside a window, no window holds more than 80 and 500, and the others
// notice nothing.
func TestHoursOfTraffic(t *testing.T) {
	t.Parallel()
	hours, err := strconv.Atoi(os.Getenv("OPENRABBIT_SIMULATED_HOURS"))
	if err != nil || hours <= 0 {
		hours = 1
	}
	tr := &traffic{t: t, now: time.Now().Truncate(time.Microsecond), store: store.New(pgtest.New(t)),
		done: map[review.InstallationID]int{}, waited: map[review.InstallationID]time.Duration{}}
	tr.github = fixture.New(t, githubtest.Options{
		// A token outlives the simulation: an App signs in by the real clock.
		Now: func() time.Time { return tr.now }, TokenLifetime: 1000 * time.Hour,
		RateLimit: 100_000, ContentMinute: 80, ContentHour: 500,
	})
	if tr.app, err = github.NewApp(github.AppConfig{AppID: tr.github.AppID, PrivateKey: config.NewSecret(tr.github.PrivateKeyPEM()), APIURL: tr.github.URL}, nil); err != nil {
		t.Fatal(err)
	}
	const busy = review.InstallationID(1)
	length := time.Duration(hours) * time.Hour
	for _, tenant := range []struct {
		id    review.InstallationID
		every time.Duration
	}{{busy, 75 * time.Second}, {2, 3 * time.Minute}, {3, 5 * time.Minute}} {
		repo := fmt.Sprintf("tenant%d/shop", tenant.id)
		if _, err := tr.github.AddRepository(repo, int64(tenant.id), int64(tenant.id), baseFiles); err != nil {
			t.Fatal(err)
		}
		if _, err := tr.app.Installation(tenant.id).Forge(repo, 1, "").Look(t.Context()); github.KindOf(err) != github.NotFound {
			t.Fatal(err) // this fetches the token
		}
		if _, err := tr.app.Installation(tenant.id).Login(t.Context()); err != nil {
			t.Fatal(err)
		}
		for at := time.Duration(0); at < length; at += tenant.every {
			number, head, err := tr.github.OpenPullRequest(repo, githubtest.PullRequestSpec{Title: "Change", Head: headFiles})
			if err != nil {
				t.Fatal(err)
			}
			p := &publication{at: tr.now.Add(at), installation: tenant.id, repo: repo, number: number, head: head}
			heap.Push(&tr.jobs, p)
			if tenant.id == busy && at%(20*time.Minute) < tenant.every { // bursts of ten
				for range 9 {
					number, head, err := tr.github.OpenPullRequest(repo, githubtest.PullRequestSpec{Title: "Change", Head: headFiles})
					if err != nil {
						t.Fatal(err)
					}
					heap.Push(&tr.jobs, &publication{at: p.at, installation: tenant.id, repo: repo, number: number, head: head})
				}
			}
		}
	}
	began := tr.now
	var limits []*githubtest.Restraint
	told := []struct {
		retryAfter string
		window     time.Duration
	}{
		{"17", 17 * time.Second}, {"", time.Minute}, {"-1", time.Minute}, {"soon", time.Minute}, {"600", 10 * time.Minute}, {"date", 90 * time.Second},
		{"99999999999999999999", time.Minute}, {"3600", time.Hour},
	}
	for i := range 8 {
		next := began.Add(time.Duration(i) * length / 8)
		tr.run(t.Context(), next)
		tr.now = next
		limit := told[i%len(told)]
		f := githubtest.Fault{Status: http.StatusForbidden, RetryAfter: limit.retryAfter, Body: `{"message":"You have exceeded a secondary rate limit."}`}
		if limit.retryAfter == "date" {
			f.RetryAfter = time.Now().UTC().Add(limit.window + 10*time.Second).Format(http.TimeFormat) // answers carry the real date, which goes on
		}
		limits = append(limits, tr.github.Restrain(int64(busy), limit.window, f))
	}
	tr.run(t.Context(), began.Add(length))
	landed, trespasses := 0, 0
	for _, l := range limits {
		trespasses += l.Trespasses()
		if l.Landed() {
			landed++
		}
	}
	seen := tr.github.ContentSeen(int64(busy))
	t.Logf("%d hours: %v publications by installation, %d left waiting; %d limits met, %d calls inside their windows; at most %d within a minute and %d within an hour; the longest wait of a step, by installation: %v",
		hours, tr.done, len(tr.jobs), landed, trespasses, seen.MinuteUnits, seen.HourUnits, tr.waited)
	switch {
	case trespasses > 0:
		t.Errorf("%d calls inside a window", trespasses)
	case seen.MinuteUnits > 80 || seen.HourUnits > 500:
		t.Errorf("created %+v", seen)
	case landed < 6 || landed != tr.refused || seen.MinuteUnits < 40:
		t.Errorf("%d of %d limits landed, %d refused, %+v created: too little to prove anything", landed, len(limits), tr.refused, seen)
	case tr.waited[2] > time.Second || tr.waited[3] > time.Second:
		t.Errorf("the quiet ones waited %v", tr.waited)
	}
	for id := review.InstallationID(2); id <= 3; id++ {
		if tr.done[id] == 0 {
			t.Errorf("installation %d posted nothing", id)
		}
	}
}

// TestNoRoomToPost: a review for which there is no room waits, costs no attempt, and does not read from GitHub each time
// it looks whether there is.
func TestNoRoomToPost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(t)
	// Room for the check run and no more.
	w.exec(`INSERT INTO content_requests (installation_id, units, at) VALUES ($1, 79, now())`, int64(w.installation))
	number, head := w.open(githubtest.PullRequestSpec{})
	id := w.request(number, head).Review.ID
	waits := func() bool {
		row := w.review(id)
		state, _ := w.job(row.JobID)
		return row.Stage == review.StagePublish && state == "scheduled"
	}
	w.eventually("it waits", waits)
	calls := len(w.github.Requests())
	wake := func() {
		w.exec(`UPDATE river_job SET state = 'available', scheduled_at = now() WHERE id = $1`, w.review(id).JobID)
	}
	ended := w.attemptsEnded()
	wake()
	w.eventually("it looked again", func() bool { return w.attemptsEnded() > ended && waits() })
	if n := len(w.github.Requests()) - calls; n != 0 || len(w.github.Reviews(w.repo, number)) != 0 {
		t.Errorf("%d calls to find that there is no room, %d reviews", n, len(w.github.Reviews(w.repo, number)))
	}
	w.exec(`UPDATE content_requests SET at = now() - interval '2 minutes'`)
	wake()
	row := w.ended(id)
	if _, attempt := w.job(row.JobID); row.State != review.Findings || attempt != 1 {
		t.Errorf("state %s (%s), %d attempts", row.State, row.Reason, attempt)
	}
	w.once(number, 2)
}
