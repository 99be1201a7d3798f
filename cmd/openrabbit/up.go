package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/openrabbit/openrabbit/internal/lifecycle"
	"github.com/openrabbit/openrabbit/internal/localpg"
)

func up(ctx context.Context, args []string) error {
	flags := newFlags("up", "Runs everything on this machine until Ctrl-C: Postgres (found or fetched, unless DATABASE_URL is set), the\n"+
		"services and River UI. Configuration comes from the environment; see the README.")
	dataDir := flags.String("data", "", "where data is kept (default: the user's data directory)")
	uiAddr := flags.String("riverui", "127.0.0.1:8081", "where to serve River UI")
	if _, err := parse(flags, args, 0); err != nil {
		return err
	}
	if *dataDir == "" {
		dir, err := localpg.DefaultDataDir()
		if err != nil {
			return err
		}
		*dataDir = dir
	}
	env := environment()
	notes, err := fillIn(env, *dataDir)
	if err != nil {
		return err
	}
	m := &mesh{env: env, dataDir: *dataDir, output: os.Stderr, uiAddr: *uiAddr, withoutReviews: !hasApp(env)}
	return m.run(ctx, func(c meshConfig) { banner(os.Stdout, m, c, *dataDir, notes) })
}

// run runs the mesh until ctx ends; started is called once everything is.
func (m *mesh) run(ctx context.Context, started func(meshConfig)) error {
	c, err := m.configure()
	if err != nil {
		return err
	}
	services, err := m.services(c)
	if err != nil {
		return err
	}
	if m.withoutReviews {
		c.logs["openrabbit"].Warn("no GitHub App: no reviews, no redelivery of missed deliveries, no sweep of open pull requests")
	}
	services = append(services, lifecycle.Service{Name: "started", Run: func(ctx context.Context, ready func()) error {
		ready()
		started(c)
		<-ctx.Done()
		return nil
	}})
	return lifecycle.Run(ctx, c.logs["openrabbit"], services...)
}

// hasApp says whether a GitHub App is configured, whole or in part: a part is complained about by its reader.
func hasApp(env map[string]string) bool {
	for _, name := range []string{"GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY", "GITHUB_APP_PRIVATE_KEY_FILE"} {
		if env[name] != "" {
			return true
		}
	}
	return false
}

// fillIn gives what a first start lacks, and says what it did.
func fillIn(env map[string]string, dataDir string) (notes []string, err error) {
	if env["GITHUB_WEBHOOK_SECRET"] == "" && env["GITHUB_WEBHOOK_SECRET_FILE"] == "" {
		file, err := webhookSecret(dataDir)
		if err != nil {
			return nil, err
		}
		env["GITHUB_WEBHOOK_SECRET_FILE"] = file
		notes = append(notes, "GITHUB_WEBHOOK_SECRET is not set: the one in "+file+" is used. Give it to the GitHub App.")
	}
	if !hasApp(env) {
		notes = append(notes, "No GitHub App is configured: deliveries are kept, their reviews wait, and nobody looks for missed ones until\n"+
			"  GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY_FILE are set. `openrabbit demo` shows a review without one.")
	}
	if env["OPENAI_API_KEY"] == "" && env["OPENAI_API_KEY_FILE"] == "" && env["OPENAI_BASE_URL"] == "" {
		notes = append(notes, "No model is configured: reviews are made without one, and say so. Set OPENAI_API_KEY, or OPENAI_BASE_URL and\n"+
			"  OPENRABBIT_MODEL_MAIN for any compatible server.")
	}
	return notes, nil
}

// webhookSecret gives the file of this installation's own secret, made at the first start.
func webhookSecret(dataDir string) (string, error) {
	if err := os.MkdirAll(dataDir, 0o755); err != nil {
		return "", fmt.Errorf("make the data directory: %w", err)
	}
	file := filepath.Join(dataDir, "webhook-secret")
	if text, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(text)) != "" {
		return file, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the webhook secret: %w", err)
	}
	if err := os.WriteFile(file, []byte(randomHex()+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep a webhook secret: %w", err)
	}
	return file, nil
}

func randomHex() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return hex.EncodeToString(b)
}

func banner(w io.Writer, m *mesh, c meshConfig, dataDir string, notes []string) {
	var b strings.Builder
	fmt.Fprintf(&b, "\nOpenRabbit is up. Ctrl-C stops it.\n\n")
	fmt.Fprintf(&b, "  webhook     http://%s/webhooks/github\n", reachable(c.gateway.Addr))
	fmt.Fprintf(&b, "  River UI    http://%s/\n", reachable(m.uiAddr))
	fmt.Fprintf(&b, "  gRPC        gateway %s, parsersvc %s, llmsvc %s\n", c.gateway.GRPCAddr, c.parserAddr, c.llm.Addr)
	fmt.Fprintf(&b, "  data        %s\n", dataDir)
	for _, note := range notes {
		fmt.Fprintf(&b, "\n  %s\n", note)
	}
	fmt.Fprintln(&b)
	_, _ = io.WriteString(w, b.String())
}

// reachable is an address as a person on this machine would type it.
func reachable(addr string) string {
	if strings.HasPrefix(addr, ":") {
		return "localhost" + addr
	}
	return strings.Replace(addr, "0.0.0.0:", "localhost:", 1)
}
