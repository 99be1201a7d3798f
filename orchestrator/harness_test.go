package orchestrator

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/openrabbit/openrabbit/internal/config"
	llmv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/llm/v1"
	parserv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/parser/v1"
	"github.com/openrabbit/openrabbit/internal/github"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/github/githubtest/fixture"
	"github.com/openrabbit/openrabbit/internal/pg"
	"github.com/openrabbit/openrabbit/internal/pg/pgtest"
	"github.com/openrabbit/openrabbit/internal/queue"
	"github.com/openrabbit/openrabbit/internal/review"
	"github.com/openrabbit/openrabbit/internal/store"
)

// patience is how long anything may take, on a machine that is busy.
const patience = 60 * time.Second

// hall is one orchestrator with everything around it: GitHub, Postgres and the other tiers.
type hall struct {
	github *githubtest.Server
	db     *pg.DB
	store  *store.Store
	jobs   *queue.Inserter
	model  *fakeModel
	parser *fakeParser
	cfg    Config
	deps   Deps
	log    *logBuffer

	// ago is how far GitHub's clock is behind while something is made that is to be old. No call is accepted then.
	ago atomic.Int64

	mu         sync.Mutex
	failpoints map[string]failpoint // by repository
	worlds     int64
}

type failpoint func(ctx context.Context, name string) error

// world is one repository in a hall, with an installation of its own.
type world struct {
	*hall
	t            *testing.T
	repo         string
	repoID       review.RepositoryID
	installation review.InstallationID
	// inJob changes the job before any worker sees it.
	inJob string
}

// logBuffer keeps the log of a test, to be shown when it fails.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

var baseFiles = map[string]string{
	"README.md": "# Shop\n",
	"cart.go":   "package shop\n\nfunc total(prices []int) int {\n\tsum := 0\n\treturn sum\n}\n",
}

var headFiles = githubtest.With(baseFiles, map[string]string{
	"cart.go": "package shop\n\nfunc total(prices []int) int {\n\tsum := 0\n\tfor i := range prices {\n\t\tsum += prices[i+1]\n\t}\n\tfirst := prices[0]\n\treturn sum / first\n}\n",
})

var defaultFindings = []scripted{
	bug("cart.go", "\t\tsum += prices[i+1]", "Reads beyond the last price"),
	bug("cart.go", "\tfirst := prices[0]", "Panics without prices"),
}

func newHall(t *testing.T) *hall {
	t.Helper()
	h := &hall{model: newFakeModel(), parser: &fakeParser{}, log: &logBuffer{}, failpoints: map[string]failpoint{}}
	server := fixture.New(t, githubtest.Options{Now: func() time.Time { return time.Now().Add(-time.Duration(h.ago.Load())) }})
	app, err := github.NewApp(github.AppConfig{
		AppID: server.AppID, PrivateKey: config.NewSecret(server.PrivateKeyPEM()), APIURL: server.URL, Timeout: 10 * time.Second,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	db := pgtest.New(t)
	jobs, err := queue.NewInserter(db)
	if err != nil {
		t.Fatal(err)
	}
	h.github, h.db, h.store, h.jobs = server, db, store.New(db), jobs
	h.cfg = Config{
		JobTimeout: 40 * time.Second, RescueAfter: time.Minute, Settle: 50 * time.Millisecond, StopTimeout: 2 * time.Second,
		RetryBase: 20 * time.Millisecond, Patience: -1, AdminAddr: adminOff, SweepEvery: 200 * time.Millisecond,
		Workers: Workers{Fast: 6, Slow: 1, Index: 1, Interactive: 1},
		// Tests of the periodic jobs begin them by themselves.
		Missed: Missed{Every: -1, SweepEvery: -1, Pace: time.Millisecond},
	}
	h.deps = Deps{
		Log: slog.New(slog.NewTextHandler(h.log, nil)), Registry: newRegistry(), DB: db, GitHub: app,
		Parser:    dialMemory(t, func(s *grpc.Server) { parserv1.RegisterParserServiceServer(s, h.parser) }),
		Model:     dialMemory(t, func(s *grpc.Server) { llmv1.RegisterLLMServiceServer(s, h.model) }),
		Secrets:   noSecrets{},
		Failpoint: h.failpoint,
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", h.log)
		}
	})
	return h
}

// world adds a repository.
func (h *hall) world(t *testing.T) *world {
	t.Helper()
	h.mu.Lock()
	h.worlds++
	n := h.worlds
	h.mu.Unlock()
	w := &world{
		hall: h, t: t, repo: fmt.Sprintf("acme/shop%d", n), repoID: review.RepositoryID(7000 + n),
		installation: review.InstallationID(9000 + n),
	}
	if _, err := h.github.AddRepository(w.repo, int64(w.repoID), int64(w.installation), baseFiles); err != nil {
		t.Fatal(err)
	}
	w.finds(defaultFindings...)
	return w
}

// newWorld is a world in a hall of its own, which is to be started.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newHall(t).world(t)
}

func (h *hall) failpoint(ctx context.Context, name string) error {
	h.mu.Lock()
	f := h.failpoints[JobOf(ctx).Repository]
	h.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx, name)
}

// fails sets the failpoint of the world's jobs.
func (w *world) fails(f failpoint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failpoints[w.repo] = f
}

// title is the title of the world's pull requests.
func (w *world) title() string { return "Sum the prices of " + w.repo + "." }

// finds sets what the model finds.
func (w *world) finds(f ...scripted) {
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	w.model.findings[w.title()] = f
}

// answers sets what the model tier answers instead.
func (w *world) answers(f override) {
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	w.model.overrides[w.title()] = f
}

// asked gives what the model was asked.
func (w *world) asked() []string {
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	return slices.Clone(w.model.asked[w.title()])
}

type noSecrets struct{}

func (noSecrets) Scan(string) []review.Secret { return nil }

// start runs an orchestrator until the test ends, or until the function that it gives is called.
func (h *hall) start(t *testing.T) (stop func()) {
	t.Helper()
	o, err := New(h.cfg, h.deps)
	if err != nil {
		t.Fatal(err)
	}
	o.poll = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- o.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the orchestrator ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// open opens a pull request with the change.
func (w *world) open(spec githubtest.PullRequestSpec) (number int, head string) {
	w.t.Helper()
	spec.Title = w.title()
	if spec.Head == nil {
		spec.Head = headFiles
	}
	number, head, err := w.github.OpenPullRequest(w.repo, spec)
	if err != nil {
		w.t.Fatal(err)
	}
	return number, head
}

// request asks for a review as the gateway does.
func (w *world) request(number int, head string, change ...func(*store.Wanted)) store.Requested {
	w.t.Helper()
	wanted := store.Wanted{
		InstallationID: w.installation, RepositoryID: w.repoID, Repository: w.repo, DefaultBranch: "main",
		Number: number, Head: head, EventAt: time.Now(), Action: "synchronize",
	}
	for _, c := range change {
		c(&wanted)
	}
	var got store.Requested
	err := pg.InTx(w.t.Context(), w.db, func(ctx context.Context, tx pg.Tx) (err error) {
		if got, err = w.store.RequestReview(ctx, tx, wanted); err != nil || !got.Created {
			return err
		}
		for _, old := range got.Superseded {
			if err := w.jobs.Cancel(ctx, tx, old.JobID); err != nil {
				return err
			}
		}
		id, err := w.jobs.Review(ctx, tx, queue.ReviewArgs{
			ReviewID: got.Review.ID, InstallationID: w.installation, RepositoryID: w.repoID, Repository: w.repo,
			Number: number, Head: got.Review.Head, Generation: got.Review.Generation,
		}, false)
		if err != nil {
			return err
		}
		if w.inJob != "" {
			if _, err := tx.Exec(ctx, `UPDATE river_job SET `+w.inJob+` WHERE id = $1`, id); err != nil {
				return err
			}
		}
		return w.store.SetJob(ctx, tx, got.Review.ID, id)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// ended waits for the end of a review.
func (w *world) ended(id review.ID) store.Review {
	w.t.Helper()
	var row store.Review
	w.eventually("the review ends", func() bool {
		var err error
		if row, err = w.store.Review(w.t.Context(), id); err != nil {
			w.t.Fatal(err)
		}
		return row.State.Terminal()
	})
	return row
}

// eventually polls until it is so.
func (w *world) eventually(what string, so func() bool) {
	w.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			w.t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

// checkRun gives the check run of a review.
func (w *world) checkRun(id review.ID) (githubtest.CheckRun, bool) {
	runs := w.github.CheckRuns(w.repo)
	i := slices.IndexFunc(runs, func(r githubtest.CheckRun) bool { return r.ExternalID == string(id) })
	if i < 0 {
		return githubtest.CheckRun{}, false
	}
	return runs[i], true
}

// concluded waits for the end of a check run and compares it.
func (w *world) concluded(id review.ID, want string) githubtest.CheckRun {
	w.t.Helper()
	var run githubtest.CheckRun
	w.eventually("the check run is "+want, func() bool {
		run, _ = w.checkRun(id)
		return run.Status == "completed"
	})
	if run.Conclusion != want {
		w.t.Errorf("check run %q concludes %q, want %q", run.Title, run.Conclusion, want)
	}
	return run
}

// submitted gives the reviews that people see. A reply in a thread, which GitHub keeps as a review of its own, is none.
func (w *world) submitted(number int) []githubtest.Review {
	var out []githubtest.Review
	for _, r := range w.github.Reviews(w.repo, number) {
		if reply := len(r.Comments) == 1 && r.Comments[0].InReplyTo != 0; r.State != "PENDING" && !reply {
			out = append(out, r)
		}
	}
	return out
}

// walkthroughs gives our comments in the conversation.
func (w *world) walkthroughs(number int) []githubtest.IssueComment {
	var out []githubtest.IssueComment
	for _, c := range w.github.IssueComments(w.repo, number) {
		if strings.HasSuffix(c.Author, "[bot]") {
			out = append(out, c)
		}
	}
	return out
}

// review gives a review's row.
func (w *world) review(id review.ID) store.Review {
	w.t.Helper()
	row, err := w.store.Review(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return row
}

// newest gives the newest review of the world.
func (w *world) newest() store.Review {
	w.t.Helper()
	rows, _, err := w.store.Reviews(w.t.Context(), store.Filter{Repository: w.repo}, store.Page{})
	if err != nil || len(rows) == 0 {
		w.t.Fatalf("no reviews, %v", err)
	}
	return rows[0]
}

// job reads a job: its state and how many attempts it took.
func (w *world) job(id int64) (state string, attempt int) {
	w.t.Helper()
	if err := w.db.Pool().QueryRow(w.t.Context(), `SELECT state, attempt FROM river_job WHERE id = $1`, id).Scan(&state, &attempt); err != nil {
		w.t.Fatal(err)
	}
	return state, attempt
}

// once checks that everything that people see is there once: a review with so many comments, a walkthrough and a check
// run.
func (w *world) once(number, comments int) {
	w.t.Helper()
	all := w.github.Reviews(w.repo, number)
	if shown := w.submitted(number); len(shown) != 1 || len(shown[0].Comments) != comments || len(all) != 1 {
		w.t.Errorf("reviews = %+v, want one with %d comments", all, comments)
	}
	if n := len(w.walkthroughs(number)); n != 1 {
		w.t.Errorf("%d walkthroughs", n)
	}
	if n := len(w.github.CheckRuns(w.repo)); n != 1 {
		w.t.Errorf("%d check runs", n)
	}
}

// at makes a failpoint that acts once.
func at(name string, do func(ctx context.Context) error) failpoint {
	var done atomic.Bool
	return func(ctx context.Context, at string) error {
		if at != name || !done.CompareAndSwap(false, true) {
			return nil
		}
		return do(ctx)
	}
}

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }
