//go:build unix

package torture

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/openrabbit/openrabbit/internal/config"
	"github.com/openrabbit/openrabbit/internal/github/githubtest"
	"github.com/openrabbit/openrabbit/internal/llmtest"
)

// standIns starts GitHub and the model.
func (r *runner) standIns() (err error) {
	now := func() time.Time { return time.Now().Add(-time.Duration(r.behind.Load())) }
	if r.github, err = githubtest.New(githubtest.Options{Seed: r.plan.Seed, RateLimit: 1 << 30, Now: now}); err != nil {
		return fmt.Errorf("start the stand-in for GitHub: %w", err)
	}
	if _, err = r.github.AddRepository(repository, repositoryID, installationID, map[string]string{"main.go": "package main\n"}); err != nil {
		return fmt.Errorf("make the repository: %w", err)
	}
	for _, f := range r.plan.GitHub {
		r.injured = append(r.injured, injury{name: fmt.Sprintf("github/%s/%d", f.Route, f.Status), armed: r.github.Inject(f)})
	}
	script, err := llmtest.ParseScript(fmt.Appendf(nil, `{"rules": [
		{"match": {"schema": "findings"}, "delay_ms": %d, "answer": {"findings": [{"path": "work.go", "quote": "\treturn a / b", "start_line": 1,
			"end_line": 1, "severity": "high", "category": "bug", "title": "Division by zero", "body": "b may be 0, and then this panics.",
			"suggestion": null, "confidence": 0.9}]}},
		{"match": {"schema": "verdict"}, "delay_ms": %[1]d, "answer": {"verdict": "keep", "severity": "high", "quote": "\treturn a / b", "reason": "Nothing checks b."}}
	]}`, r.plan.ModelDelay.Milliseconds()))
	if err != nil {
		return fmt.Errorf("script the model: %w", err)
	}
	if r.model, err = llmtest.New(llmtest.Options{Script: script, NumberModels: true, ForgetText: true}); err != nil {
		return fmt.Errorf("start the stand-in for a model: %w", err)
	}
	return nil
}

// processes gives every process of the mesh, not yet started.
func (r *runner) processes(bin, databaseURL string) ([]*process, error) {
	base := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "OPENRABBIT_LOG_LEVEL=warn"}
	addr := map[string]string{}
	for _, name := range []string{"gateway", "gateway_grpc", "gateway_admin", "parser", "parser_admin", "llm", "llm_admin"} {
		free, err := config.FreeAddr()
		if err != nil {
			return nil, err
		}
		addr[name] = free
	}
	r.gateway = "http://" + addr["gateway"] + "/webhooks/github"
	one := func(name, service string, env ...string) *process {
		return &process{fleet: r.fleet, name: name, service: service, path: filepath.Join(bin, service),
			env: append(append([]string{}, base...), env...)}
	}
	all := []*process{
		one("parsersvc", "parsersvc", "OPENRABBIT_PARSER_ADDR="+addr["parser"], "OPENRABBIT_PARSER_ADMIN_ADDR="+addr["parser_admin"]),
		one("llmsvc", "llmsvc", "OPENRABBIT_LLM_ADDR="+addr["llm"], "OPENRABBIT_LLM_ADMIN_ADDR="+addr["llm_admin"],
			"OPENAI_BASE_URL="+r.model.URL, "OPENRABBIT_MODEL_MAIN=m", "OPENRABBIT_MODEL_FAST=m"),
		one("gateway", "gateway", "DATABASE_URL="+databaseURL, "GITHUB_WEBHOOK_SECRET="+r.github.WebhookSecret,
			"GITHUB_APP_ID="+fmt.Sprint(r.github.AppID), "OPENRABBIT_GATEWAY_ADDR="+addr["gateway"],
			"OPENRABBIT_GATEWAY_GRPC_ADDR="+addr["gateway_grpc"], "OPENRABBIT_GATEWAY_ADMIN_ADDR="+addr["gateway_admin"]),
	}
	for i := range r.plan.Orchestrators {
		free, err := config.FreeAddr()
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("orchestrator-%d", i+1)
		named, err := namedSessions(databaseURL, name)
		if err != nil {
			return nil, err
		}
		env := []string{"DATABASE_URL=" + named, "GITHUB_API_URL=" + r.github.URL, "GITHUB_APP_ID=" + fmt.Sprint(r.github.AppID),
			"GITHUB_APP_PRIVATE_KEY=" + r.github.PrivateKeyPEM(), "OPENRABBIT_PARSER_TARGET=" + addr["parser"],
			"OPENRABBIT_LLM_TARGET=" + addr["llm"], "OPENRABBIT_ORCHESTRATOR_ADMIN_ADDR=" + free,
			"OPENRABBIT_WORKERS=" + fmt.Sprint(r.plan.Workers), "OPENRABBIT_GITHUB_TIMEOUT=2s",
			// What the protocol lets through is to be seen, not mended.
			"OPENRABBIT_VERIFY_AFTER=24h",
			// A run makes in minutes what GitHub allows in hours, all for one installation.
			"OPENRABBIT_GITHUB_CONTENT_PER_MINUTE=0", "OPENRABBIT_GITHUB_CONTENT_PER_HOUR=0"}
		if r.plan.JobTimeout > 0 {
			env = append(env, "OPENRABBIT_JOB_TIMEOUT="+r.plan.JobTimeout.String())
		}
		if r.plan.RescueAfter > 0 {
			env = append(env, "OPENRABBIT_RESCUE_AFTER="+r.plan.RescueAfter.String())
		}
		env = append(env, r.plan.OrchestratorEnv...)
		all = append(all, one(name, "orchestrator", env...))
	}
	return all, nil
}

// namedSessions gives the database's URL with the name that a process's sessions are to have there, so that they can be
// told from another's.
func namedSessions(databaseURL, name string) (string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", errors.New("the database URL cannot be read")
	}
	q := u.Query()
	q.Set("application_name", name)
	u.RawQuery = q.Encode()
	return u.String(), nil
}
