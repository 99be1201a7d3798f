package orchestrator

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/render"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// mendedFiles is the change with the second of its findings mended, and lines before the first.
var mendedFiles = githubtest.With(headFiles, map[string]string{
	"cart.go": "package shop\n\n// total adds the prices up.\nfunc total(prices []int) int {\n\tsum := 0\n\tfor i := range prices {\n\t\tsum += prices[i+1]\n\t}\n\treturn sum\n}\n",
})

const replyRoute = "POST " + pullRoute + "/comments/{comment_id}/replies"

// reviewed opens a pull request, waits for its review, and gives the comments of its two findings.
func (w *world) reviewed() (number int, standing, mended githubtest.ReviewComment) {
	w.t.Helper()
	number, head := w.open(githubtest.PullRequestSpec{})
	if row := w.ended(w.request(number, head, func(r *store.Wanted) { r.EventAt = time.Now().Add(-time.Minute) }).Review.ID); row.State != review.Findings {
		w.t.Fatalf("state %s (%s)", row.State, row.Reason)
	}
	shown := w.submitted(number)
	if len(shown) != 1 || len(shown[0].Comments) != 2 {
		w.t.Fatalf("reviews %+v", shown)
	}
	return number, shown[0].Comments[0], shown[0].Comments[1]
}

// mend pushes the mended files and waits for their review.
func (w *world) mend(number int) store.Review {
	w.t.Helper()
	// The same problem in other words, some lines further down.
	w.finds(bug("cart.go", "\t\tsum += prices[i+1]", "Reads one beyond the last price"))
	head, err := w.github.Push(w.repo, number, mendedFiles)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.ended(w.request(number, head).Review.ID)
}

// replies gives our replies to a comment.
func (w *world) replies(number int, comment int64) []string {
	var out []string
	for _, c := range w.github.ReviewComments(w.repo, number) {
		if c.InReplyTo == comment && strings.HasSuffix(c.Author, "[bot]") {
			out = append(out, c.Body)
		}
	}
	return out
}

// threads gives the state of each thread of the world's pull request, by comment.
func (w *world) threads() map[int64]store.ThreadState {
	w.t.Helper()
	rows, err := w.db.Pool().Query(w.t.Context(), `SELECT comment_id, state FROM threads WHERE repository_id = $1`, int64(w.repoID))
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	out := map[int64]store.ThreadState{}
	for rows.Next() {
		var id int64
		var state store.ThreadState
		if err := rows.Scan(&id, &state); err != nil {
			w.t.Fatal(err)
		}
		out[id] = state
	}
	return out
}

// TestFixedFindingsAreAnswered: a finding whose code is gone gets one reply, whatever happens on the way; one whose code
// stands is neither answered nor said again.
func TestFixedFindingsAreAnswered(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.start(t)
	answered := func(w *world, number int, standing, mended githubtest.ReviewComment, want store.ThreadState) {
		t := w.t
		t.Helper()
		row := w.mend(number)
		if row.State != review.Findings {
			t.Errorf("state %s (%s)", row.State, row.Reason)
		}
		if got := w.replies(number, mended.ID); len(got) != 1 || !strings.HasPrefix(got[0], "Addressed in "+row.Head[:7]+".") {
			t.Errorf("replies %q", got)
		}
		if got := w.replies(number, standing.ID); len(got) != 0 {
			t.Errorf("the finding that stands was answered: %q", got)
		}
		if shown := w.submitted(number); len(shown) != 1 {
			t.Errorf("%d reviews: the finding that stands was said again", len(shown))
		}
		if got := w.threads(); got[mended.ID] != want || got[standing.ID] != store.ThreadOpen {
			t.Errorf("threads %v, want %s and open", got, want)
		}
		resolved := ""
		if want == store.ThreadResolved {
			resolved = "openrabbit[bot]"
		}
		if by := w.github.Resolved(w.repo, number, mended.ID); by != resolved {
			t.Errorf("resolved by %q, want %q", by, resolved)
		}
		// A review of another revision does not say it again.
		head, err := w.github.Push(w.repo, number, githubtest.With(mendedFiles, map[string]string{"y.go": "package shop\n"}))
		if err != nil {
			t.Fatal(err)
		}
		w.ended(w.request(number, head).Review.ID)
		if n := len(w.replies(number, mended.ID)); n != 1 {
			t.Errorf("%d replies after another revision", n)
		}
	}
	t.Run("answered", func(t *testing.T) {
		w := h.world(t)
		number, standing, mended := w.reviewed()
		answered(w, number, standing, mended, store.ThreadAnswered)
	})
	t.Run("resolved, with the permission", func(t *testing.T) {
		w := h.world(t)
		h.github.Grant(int64(w.installation), "contents", "write")
		number, standing, mended := w.reviewed()
		answered(w, number, standing, mended, store.ThreadResolved)
	})
	t.Run("the permission was taken back", func(t *testing.T) {
		w := h.world(t)
		h.github.Grant(int64(w.installation), "contents", "write")
		number, standing, mended := w.reviewed()
		h.github.Grant(int64(w.installation), "contents", "read") // the token still says otherwise
		answered(w, number, standing, mended, store.ThreadAnswered)
		if n := strings.Count(h.log.String(), "thread answered and not resolved"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
	for name, fault := range map[string]githubtest.Fault{
		"graphql fails":            {Route: "POST /graphql", Status: http.StatusBadGateway},
		"graphql says null":        {Route: "POST /graphql", Status: http.StatusOK, Body: `{"data":{"repository":null},"errors":[{"message":"no"}]}`},
		"graphql shows no threads": {Route: "POST /graphql", Status: http.StatusOK, Body: `{"data":{"repository":{"pullRequest":{"reviewThreads":{"nodes":[null]}}}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := h.world(t)
			h.github.Grant(int64(w.installation), "contents", "write")
			armed := h.github.Inject(fault)
			defer armed.Disarm()
			number, standing, mended := w.reviewed()
			answered(w, number, standing, mended, store.ThreadAnswered)
			if armed.Landed() == 0 {
				t.Error("the fault did not land")
			}
		})
	}
	for name, fault := range map[string]githubtest.Fault{
		"the answer is lost":        {When: githubtest.AfterCommit, Status: http.StatusBadGateway},
		"the request is lost":       {When: githubtest.Before, Status: http.StatusBadGateway},
		"the connection is reset":   {When: githubtest.AfterCommit, Reset: true},
		"it is applied later":       {When: githubtest.Later, ApplyAfter: 20 * time.Millisecond, Status: http.StatusBadGateway},
		"github limits the replies": {Status: http.StatusForbidden, RetryAfter: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := h.world(t)
			fault.Route, fault.Times = replyRoute, 1
			armed := h.github.Inject(fault)
			number, standing, mended := w.reviewed()
			answered(w, number, standing, mended, store.ThreadAnswered)
			if armed.Landed() != 1 {
				t.Errorf("the fault landed %d times", armed.Landed())
			}
		})
	}
	t.Run("the worker dies", func(t *testing.T) {
		w := h.world(t)
		number, standing, mended := w.reviewed()
		var landed atomic.Bool
		w.fails(at("answering", func(context.Context) error {
			landed.Store(true)
			return errors.New("the worker dies")
		}))
		answered(w, number, standing, mended, store.ThreadAnswered)
		if !landed.Load() {
			t.Error("it did not die")
		}
	})
}

// TestThreadsThatAreLeftAlone: where a person is in a thread, where the review did not see everything, and where the
// conversation is locked, nothing is said.
func TestThreadsThatAreLeftAlone(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.start(t)
	for name, tt := range map[string]struct {
		prepare func(w *world, number int, mended int64) error
		want    store.ThreadState
	}{
		"a person replied": {func(w *world, number int, mended int64) error {
			_, err := w.github.ReplyTo(w.repo, number, mended, "octocat", "I disagree.")
			return err
		}, store.ThreadLeft},
		"a person resolved it": {func(w *world, number int, mended int64) error {
			return w.github.Resolve(w.repo, number, mended, "octocat")
		}, store.ThreadLeft},
		"github refuses the reply": {func(w *world, _ int, _ int64) error {
			w.github.Inject(githubtest.Fault{Route: replyRoute, Status: http.StatusForbidden, Times: 1, Body: `{"message":"locked"}`})
			return nil
		}, store.ThreadLeft},
		"the review is partial": {func(w *world, _ int, _ int64) error {
			w.answers(modelUnavailable)
			return nil
		}, store.ThreadOpen},
	} {
		t.Run(name, func(t *testing.T) {
			w := h.world(t)
			number, _, mended := w.reviewed()
			if err := tt.prepare(w, number, mended.ID); err != nil {
				t.Fatal(err)
			}
			w.mend(number)
			if got := w.replies(number, mended.ID); len(got) != 0 {
				t.Errorf("replies %q", got)
			}
			if got := w.threads(); got[mended.ID] != tt.want {
				t.Errorf("threads %v, want %s", got, tt.want)
			}
		})
	}
}

// TestVerify: what is there twice a while after it was posted is told, and taken back.
func TestVerify(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.cfg.VerifyAfter = time.Hour
	h.start(t)
	// look makes the world's postings due and waits until they were looked at.
	look := func(w *world) {
		w.t.Helper()
		const ours = ` FROM reviews r WHERE r.id = p.review_id AND r.repository_id = $1`
		w.exec(`UPDATE postings p SET verify_at = now()`+ours, int64(w.repoID))
		w.eventually("it was looked at", func() bool {
			var left int
			if err := w.db.Pool().QueryRow(w.t.Context(), `SELECT count(*) FROM postings p, reviews r
				WHERE r.id = p.review_id AND r.repository_id = $1 AND p.verify_at IS NOT NULL`, int64(w.repoID)).Scan(&left); err != nil {
				w.t.Fatal(err)
			}
			return left == 0
		})
	}
	told := func(w *world, kind string) int {
		return strings.Count(w.log.String(), "kind="+kind+" ")
	}
	t.Run("as it should be", func(t *testing.T) {
		w := h.world(t)
		number, standing, mended := w.reviewed()
		w.exec(`DELETE FROM threads WHERE repository_id = $1`, int64(w.repoID)) // as when the list lagged
		look(w)
		if got := w.threads(); len(got) != 2 || got[standing.ID] != store.ThreadOpen || got[mended.ID] != store.ThreadOpen {
			t.Errorf("threads %v", got)
		}
		w.once(number, 2)
		if n := strings.Count(w.log.String(), "posting is not as it should be"); n != 0 {
			t.Errorf("told %d times", n)
		}
	})
	t.Run("a second review", func(t *testing.T) {
		w := h.world(t)
		number, standing, mended := w.reviewed()
		double := w.submitted(number)[0]
		if _, err := w.github.AddReview(w.repo, number, double); err != nil {
			t.Fatal(err)
		}
		// AddReview keeps the comments' ids, which GitHub would not: give them their own.
		ids := w.github.Renumber(w.repo, number, 1)
		if _, err := w.github.ReplyTo(w.repo, number, ids[1], "octocat", "Why twice?"); err != nil {
			t.Fatal(err)
		}
		look(w)
		shown := w.submitted(number)
		if len(shown) != 2 || len(shown[0].Comments) != 2 || shown[1].Body != render.Collapsed || len(shown[1].Comments) != 1 || shown[1].Comments[0].ID != ids[1] {
			t.Errorf("reviews %+v", shown)
		}
		if n := told(w, "review_twice"); n != 1 {
			t.Errorf("told %d times", n)
		}
		if got := w.threads(); len(got) != 2 || got[standing.ID] == "" || got[mended.ID] == "" {
			t.Errorf("threads %v", got)
		}
		look(w)
		if n := told(w, "review_twice"); n != 1 {
			t.Errorf("told %d times after a second look", n)
		}
	})
	t.Run("a walkthrough that github wrote late", func(t *testing.T) {
		w := h.world(t)
		armed := h.github.Inject(githubtest.Fault{
			Route: commentRoute, When: githubtest.Later, ApplyAfter: time.Second, Status: http.StatusBadGateway, Times: 1,
		})
		number, _, _ := w.reviewed()
		w.eventually("there are two", func() bool { return len(w.walkthroughs(number)) == 2 })
		kept := slices.MinFunc(w.walkthroughs(number), func(a, b githubtest.IssueComment) int { return int(a.ID - b.ID) })
		look(w)
		if left := w.walkthroughs(number); len(left) != 1 || left[0].ID != kept.ID || armed.Landed() != 1 || told(w, "walkthrough_twice") != 1 {
			t.Errorf("walkthroughs %+v, told %d times", left, told(w, "walkthrough_twice"))
		}
	})
	t.Run("github lied", func(t *testing.T) {
		w := h.world(t)
		h.github.Inject(githubtest.Fault{Route: submitRoute, Lie: true, Times: 1})
		number, head := w.open(githubtest.PullRequestSpec{})
		w.ended(w.request(number, head).Review.ID)
		look(w)
		if n := told(w, "review_missing"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}
