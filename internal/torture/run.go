package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/llmtest"
	"github.com/openrabbit/openrabbit/internal/pg"
)

// Plan is one run.
type Plan struct {
	// Seed chooses which deliveries are sent again and which pull requests get a second push.
	Seed uint64
	// PullRequests are opened, one after the other.
	PullRequests int
	// Redeliver and Supersede are shares, from 0 to 1: deliveries sent again with their GUID, and pull requests that get a
	// second push at once.
	Redeliver, Supersede float64
	// Orchestrators is how many there are; 0 means 2.
	Orchestrators int
	// Faults are armed one at a time in each process of their service.
	Faults []Fault
	// GitHub are faults of the stand-in: a request applied and then answered with 502, for example.
	GitHub []githubtest.Fault
	// JobTimeout and RescueAfter are the orchestrator's horizons; 0 means its defaults.
	JobTimeout, RescueAfter time.Duration
	// ModelDelay is how long the model takes for an answer.
	ModelDelay time.Duration
	// Patience bounds the wait until all is drained, Quiet is how long nothing new may happen after it.
	Patience, Quiet time.Duration
}

const (
	owner          = "torture/repo"
	repositoryID   = 1
	installationID = 7
)

// Run carries out a plan with the binaries in bin and the database db, which must be migrated. Processes write to output.
func Run(ctx context.Context, plan Plan, bin string, db *pg.DB, databaseURL string, log *Log, output io.Writer) (Verdict, error) {
	if plan.Orchestrators == 0 {
		plan.Orchestrators = 2
	}
	r := &runner{plan: plan, log: log, output: &lockedWriter{w: output}, db: db, faults: &faults{left: append([]Fault(nil), plan.Faults...)}, heads: map[int]string{}}
	if err := r.standIns(); err != nil {
		return Verdict{}, err
	}
	defer r.github.Close()
	defer r.model.Close()
	processes, err := r.processes(bin, databaseURL)
	if err != nil {
		return Verdict{}, err
	}
	running, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	for _, p := range processes {
		all.Go(func() { p.run(running) })
	}
	if err := r.send(ctx); err != nil {
		return Verdict{}, err
	}
	if err := r.drain(ctx, processes); err != nil {
		return Verdict{}, err
	}
	stop()
	all.Wait()
	if problems := r.github.Violations(); len(problems) > 0 {
		return Verdict{}, fmt.Errorf("requests that GitHub would not understand: %s", strings.Join(problems, "; "))
	}
	return Check(log.Events(), r.shown()), nil
}

type runner struct {
	plan    Plan
	log     *Log
	output  io.Writer
	db      *pg.DB
	faults  *faults
	github  *githubtest.Server
	model   *llmtest.Server
	gateway string
	injured []*githubtest.Armed
	numbers []int
	heads   map[int]string // the head of each pull request now
}

func (r *runner) standIns() (err error) {
	if r.github, err = githubtest.New(githubtest.Options{Seed: r.plan.Seed, RateLimit: 1 << 30}); err != nil {
		return fmt.Errorf("start the stand-in for GitHub: %w", err)
	}
	if _, err = r.github.AddRepository(owner, repositoryID, installationID, map[string]string{"main.go": "package main\n"}); err != nil {
		return err
	}
	for _, f := range r.plan.GitHub {
		r.injured = append(r.injured, r.github.Inject(f))
	}
	script, err := llmtest.ParseScript([]byte(fmt.Sprintf(`{"rules": [
		{"match": {"schema": "findings"}, "delay_ms": %d, "answer": {"findings": [{"path": "work.go", "quote": "\treturn a / b", "start_line": 1,
			"end_line": 1, "severity": "high", "category": "bug", "title": "Division by zero", "body": "b may be 0, and then this panics.",
			"suggestion": null, "confidence": 0.9}]}},
		{"match": {"schema": "verdict"}, "delay_ms": %[1]d, "answer": {"verdict": "keep", "severity": "high", "quote": "\treturn a / b", "reason": "Nothing checks b."}}
	]}`, r.plan.ModelDelay.Milliseconds())))
	if err != nil {
		return err
	}
	if r.model, err = llmtest.New(llmtest.Options{Script: script}); err != nil {
		return fmt.Errorf("start the stand-in for a model: %w", err)
	}
	return nil
}

// processes gives every process of the mesh, not yet started.
func (r *runner) processes(bin, databaseURL string) ([]*process, error) {
	base := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "OPENRABBIT_LOG_LEVEL=warn"}
	addr := map[string]string{}
	for _, name := range []string{"gateway", "gateway_grpc", "gateway_admin", "parser", "parser_admin", "llm", "llm_admin"} {
		free, err := freeAddr()
		if err != nil {
			return nil, err
		}
		addr[name] = free
	}
	r.gateway = "http://" + addr["gateway"] + "/webhooks/github"
	make := func(name, service string, env ...string) *process {
		return &process{name: name, service: service, path: filepath.Join(bin, service), env: append(append([]string{}, base...), env...),
			faults: r.faults, log: r.log, output: r.output}
	}
	all := []*process{
		make("parsersvc", "parsersvc", "OPENRABBIT_PARSER_ADDR="+addr["parser"], "OPENRABBIT_PARSER_ADMIN_ADDR="+addr["parser_admin"]),
		make("llmsvc", "llmsvc", "OPENRABBIT_LLM_ADDR="+addr["llm"], "OPENRABBIT_LLM_ADMIN_ADDR="+addr["llm_admin"],
			"OPENAI_BASE_URL="+r.model.URL, "OPENRABBIT_MODEL_MAIN=m", "OPENRABBIT_MODEL_FAST=m"),
		make("gateway", "gateway", "DATABASE_URL="+databaseURL, "GITHUB_WEBHOOK_SECRET="+r.github.WebhookSecret,
			"GITHUB_APP_ID="+fmt.Sprint(r.github.AppID), "OPENRABBIT_GATEWAY_ADDR="+addr["gateway"],
			"OPENRABBIT_GATEWAY_GRPC_ADDR="+addr["gateway_grpc"], "OPENRABBIT_GATEWAY_ADMIN_ADDR="+addr["gateway_admin"]),
	}
	for i := range r.plan.Orchestrators {
		free, err := freeAddr()
		if err != nil {
			return nil, err
		}
		env := []string{"DATABASE_URL=" + databaseURL, "GITHUB_API_URL=" + r.github.URL, "GITHUB_APP_ID=" + fmt.Sprint(r.github.AppID),
			"GITHUB_APP_PRIVATE_KEY=" + r.github.PrivateKeyPEM(), "OPENRABBIT_PARSER_TARGET=" + addr["parser"],
			"OPENRABBIT_LLM_TARGET=" + addr["llm"], "OPENRABBIT_ORCHESTRATOR_ADMIN_ADDR=" + free,
			"OPENRABBIT_WORKERS=4", "OPENRABBIT_GITHUB_TIMEOUT=2s"}
		if r.plan.JobTimeout > 0 {
			env = append(env, "OPENRABBIT_JOB_TIMEOUT="+r.plan.JobTimeout.String(), "OPENRABBIT_RESCUE_AFTER="+r.plan.RescueAfter.String())
		}
		all = append(all, make(fmt.Sprintf("orchestrator-%d", i+1), "orchestrator", env...))
	}
	return all, nil
}

// send opens the pull requests and delivers their events, trying a refused delivery again as a redelivery.
func (r *runner) send(ctx context.Context) error {
	dice := rand.New(rand.NewPCG(r.plan.Seed, 1))
	for i := range r.plan.PullRequests {
		files := map[string]string{"main.go": "package main\n", "work.go": source(i, 0)}
		number, head, err := r.github.OpenPullRequest(owner, githubtest.PullRequestSpec{Title: fmt.Sprintf("Change %d", i), Head: files})
		if err != nil {
			return err
		}
		r.numbers, r.heads[number] = append(r.numbers, number), head
		if err := r.deliver(ctx, number, head, "opened", nil, dice.Float64() < r.plan.Redeliver); err != nil {
			return err
		}
		if dice.Float64() >= r.plan.Supersede {
			continue
		}
		before := head
		if head, err = r.github.Push(owner, number, githubtest.With(files, map[string]string{"work.go": source(i, 1)})); err != nil {
			return err
		}
		r.heads[number] = head
		more := map[string]any{"before": before, "after": head}
		if err := r.deliver(ctx, number, head, "synchronize", more, dice.Float64() < r.plan.Redeliver); err != nil {
			return err
		}
	}
	return nil
}

func source(i, push int) string {
	return fmt.Sprintf("package main\n\n// change %d, push %d\nfunc div%d(a, b int) int {\n\treturn a / b\n}\n", i, push, i)
}

// deliver sends one event until it is acknowledged, as GitHub's redelivery would, and once more if it is to be repeated.
func (r *runner) deliver(ctx context.Context, number int, head, action string, more map[string]any, again bool) error {
	payload, err := r.github.PullRequestEvent(owner, number, action, more)
	if err != nil {
		return err
	}
	d := githubtest.Delivery{Event: "pull_request", Payload: payload}
	for deadline := time.Now().Add(time.Minute); ; {
		r.log.Add(Event{Kind: Sent, GUID: d.GUID, Number: number, Head: head})
		status, guid, err := r.github.Deliver(ctx, r.gateway, d)
		if guid != "" {
			d.GUID = guid
		}
		r.log.Add(Event{Kind: Answered, GUID: d.GUID, Number: number, Head: head, Status: status})
		switch {
		case status/100 == 2 && again:
			again = false
			continue
		case status/100 == 2:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("the gateway does not take #%d: status %d, %w", number, status, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// drain waits until every review has ended and every fault was armed, thaws what is frozen once others have done its
// work, waits again, and then watches that nothing more is posted.
func (r *runner) drain(ctx context.Context, processes []*process) error {
	if err := r.ended(ctx); err != nil {
		return err
	}
	for _, p := range processes {
		p.thaw()
	}
	if err := r.ended(ctx); err != nil {
		return err
	}
	r.log.Add(Event{Kind: Drained})
	before := r.writes()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(r.plan.Quiet):
	}
	if after := r.writes(); after != before {
		return fmt.Errorf("%d writes to GitHub came after all reviews had ended", after-before)
	}
	for _, a := range r.injured {
		if a.Landed() == 0 {
			return errors.New("a fault of GitHub never struck")
		}
	}
	return nil
}

func (r *runner) ended(ctx context.Context) error {
	deadline := time.Now().Add(r.plan.Patience)
	for {
		var live, unfinished int
		err := r.db.Pool().QueryRow(ctx, `SELECT
			(SELECT count(*) FROM reviews WHERE state IN ('queued', 'running')),
			(SELECT count(*) FROM river_job WHERE kind = 'review_pull_request' AND finalized_at IS NULL)`).Scan(&live, &unfinished)
		if err == nil && live == 0 && unfinished == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(err, fmt.Errorf("after %s %d reviews had not ended and %d jobs were not finished; %d faults were never armed",
				r.plan.Patience, live, unfinished, r.faults.remaining()))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// writes counts the requests that changed something visible on GitHub.
func (r *runner) writes() int {
	n := 0
	for _, q := range r.github.Requests() {
		if q.Applied && q.Method != "GET" && !strings.Contains(q.Path, "access_tokens") {
			n++
		}
	}
	return n
}

func (r *runner) shown() []Shown {
	var out []Shown
	bot := r.github.Slug + "[bot]"
	checks := r.github.CheckRuns(owner)
	for _, number := range r.numbers {
		s := Shown{Number: number, Head: r.heads[number]}
		for _, review := range r.github.Reviews(owner, number) {
			if review.Author != bot {
				continue
			}
			if review.State == "PENDING" {
				s.Pending++
				continue
			}
			p := Posted{ID: review.ID, Head: review.CommitID}
			for _, c := range review.Comments {
				p.Places = append(p.Places, fmt.Sprintf("%s %s:%d", review.CommitID, c.Path, c.Line))
			}
			s.Reviews = append(s.Reviews, p)
		}
		for _, c := range r.github.IssueComments(owner, number) {
			if c.Author == bot {
				s.Walkthroughs++
			}
		}
		for _, c := range checks {
			if c.Head == s.Head {
				s.Conclusions = append(s.Conclusions, c.Conclusion)
			}
		}
		out = append(out, s)
	}
	return out
}

// Build compiles the services into a directory.
func Build(ctx context.Context, dir string) error {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return errors.New("find the source of the services")
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator), "./cmd/gateway", "./cmd/orchestrator",
		"./cmd/parsersvc", "./cmd/llmsvc")
	cmd.Dir = filepath.Join(filepath.Dir(file), "..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the services: %w\n%s", err, out)
	}
	return nil
}

func freeAddr() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// lockedWriter lets processes write whole lines at once.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
