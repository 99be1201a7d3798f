package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/openrabbit/openrabbit/cmd/openrabbit/demo"
	"github.com/openrabbit/openrabbit/internal/config"
	reviewv1 "github.com/openrabbit/openrabbit/internal/gen/openrabbit/review/v1"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/llmtest"
	"github.com/openrabbit/openrabbit/internal/rpc"
)

const (
	demoRepositoryID   = 1001
	demoInstallationID = 42
	// demoPatience is how long the demonstration waits for its review.
	demoPatience = 3 * time.Minute
)

// demonstration is one run of `openrabbit demo`.
type demonstration struct {
	out  io.Writer
	keep bool

	github  *githubtest.Server
	model   *llmtest.Server // nil when a real model is configured
	mesh    *mesh
	number  int
	started time.Time
}

func runDemo(ctx context.Context, args []string) error {
	flags := newFlags("demo", "Reviews a small pull request that ships with OpenRabbit, end to end on this machine: a stand-in for GitHub sends the\n"+
		"signed webhook to the real gateway, and the real services do the rest. Needs no Docker, no keys and no GitHub.\n"+
		"With OPENAI_API_KEY or OPENAI_BASE_URL set a real model answers; else a scripted one does.")
	keep := flags.Bool("keep", false, "leave everything running after the review, until Ctrl-C")
	withoutModel := flags.Bool("no-model", false, "show what can be known without a model")
	if _, err := parse(flags, args, 0); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "openrabbit-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary directory: %w", err)
	}
	// As root Postgres runs as another user, who must be able to pass through.
	if err := os.Chmod(dir, 0o711); err != nil {
		return fmt.Errorf("open the temporary directory: %w", err)
	}
	d := &demonstration{out: os.Stdout, keep: *keep}
	logFile := filepath.Join(dir, "openrabbit.log")
	if err := d.run(ctx, dir, logFile, *withoutModel); err != nil {
		fmt.Fprintf(os.Stderr, "The log is %s\n", logFile)
		return err
	}
	return os.RemoveAll(dir)
}

func (d *demonstration) run(ctx context.Context, dir, logFile string, withoutModel bool) error {
	log, err := os.Create(logFile)
	if err != nil {
		return err
	}
	defer log.Close()
	if err := d.standIns(withoutModel); err != nil {
		return err
	}
	defer d.github.Close()
	if d.model != nil {
		defer d.model.Close()
	}
	env, err := d.environment(dir, withoutModel)
	if err != nil {
		return err
	}
	ui, err := config.FreeAddr()
	if err != nil {
		return err
	}
	d.mesh = &mesh{env: env, dataDir: filepath.Join(dir, "postgres"), output: log, uiAddr: ui}
	d.say("starting Postgres, gateway, orchestrator, parsersvc, llmsvc and River UI on this machine …")
	d.started = time.Now()

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	result := make(chan error, 1)
	err = d.mesh.run(ctx, func(c meshConfig) {
		d.say("all are up after %s", since(d.started))
		result <- d.review(ctx, c)
		stop()
	})
	select {
	case reviewed := <-result:
		return errors.Join(reviewed, err)
	default:
		if err == nil {
			err = context.Canceled
		}
		return err
	}
}

// standIns starts GitHub's stand-in with the shipped pull request and, unless a model is configured, the scripted model.
func (d *demonstration) standIns(withoutModel bool) error {
	base, err := demo.Base()
	if err != nil {
		return err
	}
	head, err := demo.Head()
	if err != nil {
		return err
	}
	if d.github, err = githubtest.New(githubtest.Options{}); err != nil {
		return fmt.Errorf("start the stand-in for GitHub: %w", err)
	}
	if _, err := d.github.AddRepository(demo.Repository, demoRepositoryID, demoInstallationID, base); err != nil {
		return err
	}
	d.number, _, err = d.github.OpenPullRequest(demo.Repository, githubtest.PullRequestSpec{Title: demo.Title, Body: demo.Body,
		Author: demo.Author, Head: head, HeadRef: "discount-codes"})
	if err != nil {
		return err
	}
	d.say("a stand-in for GitHub's API serves %s#%d at %s", demo.Repository, d.number, d.github.URL)
	if withoutModel || realModel() {
		return nil
	}
	text, err := demo.Script()
	if err != nil {
		return err
	}
	script, err := llmtest.ParseScript(text)
	if err != nil {
		return err
	}
	if d.model, err = llmtest.New(llmtest.Options{Script: script}); err != nil {
		return fmt.Errorf("start the scripted model: %w", err)
	}
	return nil
}

// realModel says whether the user configured a model.
func realModel() bool {
	return os.Getenv("OPENAI_API_KEY") != "" || os.Getenv("OPENAI_API_KEY_FILE") != "" || os.Getenv("OPENAI_BASE_URL") != ""
}

// environment is the configuration of the mesh: the user's model settings, everything else the demonstration's own.
func (d *demonstration) environment(dir string, withoutModel bool) (map[string]string, error) {
	env := map[string]string{
		"GITHUB_API_URL": d.github.URL, "GITHUB_APP_ID": fmt.Sprint(d.github.AppID),
		"GITHUB_APP_PRIVATE_KEY": d.github.PrivateKeyPEM(), "GITHUB_WEBHOOK_SECRET": d.github.WebhookSecret,
	}
	for _, name := range []string{"OPENRABBIT_GATEWAY_ADDR", "OPENRABBIT_GATEWAY_GRPC_ADDR", "OPENRABBIT_GATEWAY_ADMIN_ADDR",
		"OPENRABBIT_ORCHESTRATOR_ADMIN_ADDR", "OPENRABBIT_PARSER_ADDR", "OPENRABBIT_PARSER_ADMIN_ADDR", "OPENRABBIT_LLM_ADDR",
		"OPENRABBIT_LLM_ADMIN_ADDR"} {
		addr, err := config.FreeAddr()
		if err != nil {
			return nil, err
		}
		env[name] = addr
	}
	env["OPENRABBIT_PARSER_TARGET"], env["OPENRABBIT_LLM_TARGET"] = env["OPENRABBIT_PARSER_ADDR"], env["OPENRABBIT_LLM_ADDR"]
	user := environment()
	for _, name := range []string{"PATH", "HOME", "OPENRABBIT_POSTGRES_ARCHIVE_URL"} {
		if user[name] != "" {
			env[name] = user[name]
		}
	}
	switch {
	case withoutModel:
		d.say("no model: only what can be known without one is posted")
	case d.model != nil:
		d.say("no model is configured: a SCRIPTED stand-in at %s answers, with answers written for this pull request", d.model.URL)
		env["OPENAI_BASE_URL"] = d.model.URL
		env["OPENRABBIT_MODEL_FAST"], env["OPENRABBIT_MODEL_MAIN"], env["OPENRABBIT_MODEL_EMBED"] = "scripted", "scripted", "scripted"
	default:
		d.say("your model answers")
		for name, value := range user {
			if strings.HasPrefix(name, "OPENAI_") || strings.HasPrefix(name, "OPENRABBIT_MODEL_") {
				env[name] = value
			}
		}
	}
	return env, nil
}

// review sends the webhook, follows the review and prints what was posted.
func (d *demonstration) review(ctx context.Context, c meshConfig) error {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	payload, err := d.github.PullRequestEvent(demo.Repository, d.number, "opened", nil)
	if err != nil {
		return err
	}
	url := "http://" + c.gateway.Addr + "/webhooks/github"
	sent := time.Now()
	status, guid, err := d.github.Deliver(ctx, url, githubtest.Delivery{Event: "pull_request", Payload: payload})
	if err != nil {
		return fmt.Errorf("deliver the webhook: %w", err)
	}
	d.say("delivery %s: the gateway answered %d after %s", guid, status, since(sent))
	if status/100 != 2 {
		return fmt.Errorf("the gateway refused the delivery with %d", status)
	}
	final, err := d.watch(ctx, c, sent)
	if err != nil {
		return err
	}
	d.print(final, since(sent))
	if problems := d.github.Violations(); len(problems) > 0 {
		return fmt.Errorf("GitHub would not have understood what was sent: %s", strings.Join(problems, "; "))
	}
	if d.keep {
		d.say("everything stays up until Ctrl-C")
		<-ctx.Done()
	}
	return nil
}

// watch follows the review by its stages until it ends.
func (d *demonstration) watch(ctx context.Context, c meshConfig, sent time.Time) (*reviewv1.Review, error) {
	conn, err := rpc.Dial(c.gateway.GRPCAddr, rpc.ClientConfig{Name: "gateway", WaitForReady: true})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	client := reviewv1.NewReviewServiceClient(conn)
	list, err := client.ListReviews(ctx, &reviewv1.ListReviewsRequest{Repository: demo.Repository}, grpc.WaitForReady(true))
	if err != nil {
		return nil, fmt.Errorf("list reviews: %w", err)
	}
	if len(list.GetReviews()) == 0 {
		return nil, errors.New("the delivery made no review")
	}
	stream, err := client.WatchReview(ctx, &reviewv1.WatchReviewRequest{Id: list.GetReviews()[0].GetId()})
	if err != nil {
		return nil, fmt.Errorf("watch the review: %w", err)
	}
	var last *reviewv1.Review
	stage, begun := "", sent
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) && last != nil {
			d.say("  %-9s %s", stage, since(begun))
			return last, nil
		}
		if err != nil {
			return nil, fmt.Errorf("watch the review: %w", err)
		}
		last = answer.GetReview()
		now := last.GetStage()
		if last.GetState() == reviewv1.State_STATE_QUEUED {
			now = "queued"
		}
		if now != stage {
			if stage != "" {
				d.say("  %-9s %s", stage, since(begun))
			}
			stage, begun = now, time.Now()
		}
	}
}

func (d *demonstration) say(format string, args ...any) {
	fmt.Fprintf(d.out, "• "+format+"\n", args...)
}

func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Microsecond) }
