package github_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/diff"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/github/githubtest/fixture"
	"github.com/openrabbit/openrabbit/internal/post"
	"github.com/openrabbit/openrabbit/internal/review"
)

// trials is how many publications meet a fault.
func trials(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("OPENRABBIT_TRIALS"))
	if err != nil || n <= 0 {
		return 150
	}
	return n
}

// bench is GitHub with a clock of its own, on which all waiting is done.
type bench struct {
	*githubtest.Server
	client *github.Client
	mu     sync.Mutex
	now    time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{now: time.Now()}
	b.Server = fixture.New(t, githubtest.Options{Now: b.clock, RateLimit: 1 << 30})
	if _, err := b.AddRepository(repo, 10, installation, base()); err != nil {
		t.Fatal(err)
	}
	// A person's token does not end, however far the clock is moved.
	c, err := github.NewTokenClient(config.NewSecret(b.AddUserToken("us")), b.URL)
	if err != nil {
		t.Fatal(err)
	}
	b.client = c.Impatient(250 * time.Millisecond)
	return b
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	b.now = b.now.Add(d)
	b.mu.Unlock()
	b.Ripen()
}

// trial is one publication and what is in its way.
type trial struct {
	*bench
	number int
	head   string
	draft  post.Draft
	want   int // comments that GitHub takes
	state  post.State
	armed  []*githubtest.Armed
}

func (tr *trial) Load(context.Context) (post.State, error) { return tr.state, nil }

func (tr *trial) Advance(_ context.Context, stage post.Stage, id int64) error {
	tr.state.Stage, tr.state.ReviewID, tr.state.AttemptedAt = stage, id, tr.clock()
	return nil
}

func (tr *trial) Learn(_ context.Context, tried []post.Tried) error {
	tr.state.Tried = tried
	return nil
}

func (tr *trial) Check(context.Context) error { return nil }

// settleTime is that of the default timeout of a call and a second more.
const settleTime = 21 * time.Second

// newTrial sets up the fault of that number of the fault matrix, 41 to 46.
func (b *bench) newTrial(t *testing.T, fault int, dice *rand.Rand) *trial {
	t.Helper()
	number, head, err := b.OpenPullRequest(repo, githubtest.PullRequestSpec{
		Title: "Change", Head: githubtest.With(base(), map[string]string{"main.go": lines("other", 40)}),
	})
	if err != nil {
		t.Fatal(err)
	}
	id := review.ID(fmt.Sprintf("trial-%d", number))
	tr := &trial{bench: b, number: number, head: head, want: 1 + dice.IntN(4)}
	mark := func(id review.ID) string { return "<!-- mark=" + string(id) + " -->" }
	tr.draft = post.Draft{ReviewID: id, Marker: mark(id), Head: head, ParseMarker: func(body string) (review.ID, bool) {
		return id, strings.HasSuffix(body, mark(id))
	}}
	b.SetReadLag(0)
	b.LeaveOnRefusal(githubtest.LeaveNothing)
	if fault == 45 {
		tr.want = 29
	}
	for i := range tr.want {
		tr.draft.Comments = append(tr.draft.Comments, post.Comment{
			Anchor: diff.Anchor{Path: "main.go", Side: diff.New, Start: i + 1, End: i + 1}, Body: fmt.Sprintf("comment %d", i),
		})
	}
	inject := func(f githubtest.Fault) {
		f.Route, f.Times = []string{reviewsRoute, eventsRoute}[dice.IntN(2)], 1+dice.IntN(2)
		tr.armed = append(tr.armed, b.Inject(f))
	}
	lost := []githubtest.Fault{{Status: 502}, {Status: 500, Body: "<html>"}, {Reset: true}}[dice.IntN(3)]
	if dice.IntN(8) == 0 {
		lost = githubtest.Fault{Hang: true} // it takes real time
	}
	switch fault {
	case 41:
		lost.When = githubtest.AfterCommit
		if dice.IntN(5) == 0 {
			lost = githubtest.Fault{When: githubtest.AfterCommit, CutBody: 1 + dice.IntN(200)}
		}
		inject(lost)
	case 42:
		inject(lost)
	case 43:
		lost.When, lost.ApplyAfter = githubtest.Later, time.Duration(dice.IntN(int(20*time.Second)))
		inject(lost)
	case 44:
		b.SetReadLag(time.Duration(dice.IntN(int(30 * time.Second))))
		lost.When = githubtest.AfterCommit
		inject(lost)
	case 45:
		bad := dice.IntN(30)
		tr.draft.Comments = slices.Insert(tr.draft.Comments, bad, post.Comment{
			Anchor: diff.Anchor{Path: "main.go", Side: diff.New, Start: 999, End: 999}, Body: "nowhere",
		})
		if left := githubtest.Left(dice.IntN(3)); left != githubtest.LeaveNothing {
			if b.LeaveOnRefusal(left); left == githubtest.LeaveSubmitted {
				tr.want = 0 // what stands there is the body alone: the comments go to the walkthrough
			}
		}
	case 46:
		if _, err := b.AddReview(repo, number, githubtest.Review{Author: "us", State: "PENDING"}); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// queue works the job as the queue does, until it is done or given up.
func (tr *trial) queue(ctx context.Context, body func(context.Context, post.Forge) error) error {
	var err error
	for range 40 {
		err = body(ctx, tr.client.Forge(repo, tr.number, "us"))
		var wait *post.ErrWait
		switch {
		case err == nil:
			return nil
		case errors.As(err, &wait):
			tr.pass(wait.Until.Sub(tr.clock()))
		default:
			tr.pass(10 * time.Second)
		}
	}
	return err
}

// protocol publishes as we do.
func (tr *trial) protocol(ctx context.Context, forge post.Forge) error {
	_, err := post.Publish(ctx, post.Deps{
		Forge: forge, Record: tr, Fence: tr, Clock: tr.clock, Settle: settleTime,
		Pause: func(_ context.Context, d time.Duration) error { tr.pass(d); return nil },
	}, tr.draft)
	return err
}

// naive publishes as everybody does first: and once more when anything went wrong.
func (tr *trial) naive(ctx context.Context, forge post.Forge) error {
	own, err := forge.Own(ctx)
	if err != nil {
		return err
	}
	for _, o := range own {
		if o.Pending {
			if err := forge.Discard(ctx, o.ID); err != nil {
				return err
			}
		}
	}
	id, err := forge.Draft(ctx, tr.head, tr.draft.Marker, tr.draft.Comments[:min(tr.want, 29)])
	if err != nil {
		return err
	}
	return forge.Submit(ctx, id)
}

// outcome counts what GitHub shows in the end.
func (tr *trial) outcome() (reviews, pending, comments int, twice bool) {
	said := map[string]int{}
	for _, r := range tr.Reviews(repo, tr.number) {
		if r.State == "PENDING" {
			pending++
			continue
		}
		reviews++
		comments += len(r.Comments)
		for _, c := range r.Comments {
			said[c.Body]++
		}
	}
	for _, n := range said {
		twice = twice || n > 1
	}
	return reviews, pending, comments, twice
}

// TestAmbiguousWritesByTheMatrix sends publications through the faults 41 to 46 against the stand-in: answers lost before
// and after the effect, effects that come up to 20 s late, lists that lag up to 30 s, one bad comment among thirty with
// everything that a refusal may leave behind, drafts left by others. Each is posted once. The naive body beside it is not.
func TestAmbiguousWritesByTheMatrix(t *testing.T) {
	t.Parallel()
	n := trials(t)
	for name, c := range map[string]struct {
		trials int
		body   func(*trial) func(context.Context, post.Forge) error
	}{
		"protocol": {n, func(tr *trial) func(context.Context, post.Forge) error { return tr.protocol }},
		"naive":    {150, func(tr *trial) func(context.Context, post.Forge) error { return tr.naive }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, dice := newBench(t), rand.New(rand.NewPCG(41, 46))
			duplicated, lost, landed := 0, 0, 0
			for i := range c.trials {
				fault := 41 + i%6
				if name == "naive" && fault >= 45 {
					continue // it has no answer to a refusal
				}
				tr := b.newTrial(t, fault, dice)
				err := tr.queue(t.Context(), c.body(tr))
				b.SetReadLag(0)
				b.pass(time.Hour)
				struck := fault >= 45
				for _, a := range tr.armed {
					struck = struck || a.Landed() > 0
					a.Disarm()
				}
				if struck {
					landed++
				}
				reviews, pending, comments, twice := tr.outcome()
				switch {
				case reviews > 1 || twice:
					duplicated++
				case err != nil || reviews == 0 || comments != tr.want || pending > 0:
					lost++
				}
				if name == "protocol" && (reviews != 1 || twice || comments != tr.want || pending > 0 || err != nil) {
					t.Errorf("trial %d, fault %d: %d reviews, %d drafts left, %d comments of %d, one twice: %v; %v", i, fault, reviews, pending, comments, tr.want, twice, err)
				}
			}
			t.Logf("%d publications, a fault struck %d: %d duplicated, %d lost", c.trials, landed, duplicated, lost)
			if landed < c.trials*6/10 {
				t.Errorf("a fault struck only %d of %d", landed, c.trials)
			}
			if name == "naive" && duplicated < 20 {
				t.Errorf("the naive body made %d duplicates: the faults don't bite", duplicated)
			}
		})
	}
}
