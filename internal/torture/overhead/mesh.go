//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// mesh is the four services as processes.
type mesh struct {
	gateway string
	admin   string // the orchestrator's
	pid     int    // the orchestrator's
	stop    context.CancelFunc
	ended   sync.WaitGroup
}

// startMesh starts the services, in this order, and waits until the gateway and the orchestrator are ready.
func startMesh(ctx context.Context, bin, databaseURL string, s *standIns, workers int, out io.Writer) (*mesh, error) {
	addr := map[string]string{}
	for _, name := range []string{"gateway", "gateway_grpc", "gateway_admin", "parser", "parser_admin", "llm", "llm_admin", "admin"} {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		addr[name] = listener.Addr().String()
		_ = listener.Close() // it was only to find a free port
	}
	ctx, cancel := context.WithCancel(ctx)
	m := &mesh{gateway: "http://" + addr["gateway"] + "/webhooks/github", admin: "http://" + addr["admin"], stop: cancel}
	for _, service := range []struct {
		name string
		env  []string
	}{
		{"parsersvc", []string{"OPENRABBIT_PARSER_ADDR=" + addr["parser"], "OPENRABBIT_PARSER_ADMIN_ADDR=" + addr["parser_admin"]}},
		{"llmsvc", []string{"OPENRABBIT_LLM_ADDR=" + addr["llm"], "OPENRABBIT_LLM_ADMIN_ADDR=" + addr["llm_admin"], "OPENAI_BASE_URL=" + s.model.URL,
			"OPENRABBIT_MODEL_MAIN=m", "OPENRABBIT_MODEL_FAST=m", "OPENRABBIT_MODEL_EMBED=e", "OPENRABBIT_MODEL_CONCURRENCY=1024",
			"OPENRABBIT_MODEL_EMBED_DIMENSIONS=" + strconv.Itoa(dimensions)}},
		{"gateway", []string{"DATABASE_URL=" + databaseURL, "GITHUB_WEBHOOK_SECRET=" + s.github.WebhookSecret, "GITHUB_APP_ID=" + fmt.Sprint(s.github.AppID),
			"OPENRABBIT_GATEWAY_ADDR=" + addr["gateway"], "OPENRABBIT_GATEWAY_GRPC_ADDR=" + addr["gateway_grpc"], "OPENRABBIT_GATEWAY_ADMIN_ADDR=" + addr["gateway_admin"]}},
		{"orchestrator", []string{"DATABASE_URL=" + databaseURL, "GITHUB_API_URL=" + s.githubURL, "GITHUB_APP_ID=" + fmt.Sprint(s.github.AppID),
			"GITHUB_APP_PRIVATE_KEY=" + s.github.PrivateKeyPEM(), "QDRANT_URL=" + s.qdrant.URL(), "OPENRABBIT_PARSER_TARGET=" + addr["parser"],
			"OPENRABBIT_LLM_TARGET=" + addr["llm"], "OPENRABBIT_ORCHESTRATOR_ADMIN_ADDR=" + addr["admin"], "OPENRABBIT_WORKERS=" + strconv.Itoa(workers),
			"OPENRABBIT_BUDGET_REVIEW_TOKENS=0"}},
	} {
		cmd := exec.CommandContext(ctx, filepath.Join(bin, service.name)) //nolint:gosec // the services that were just built
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "OPENRABBIT_LOG_LEVEL=warn"}, service.env...)
		cmd.Stderr = out
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 10 * time.Second
		if err := cmd.Start(); err != nil {
			m.close()
			return nil, fmt.Errorf("start %s: %w", service.name, err)
		}
		m.pid = cmd.Process.Pid
		m.ended.Go(func() { _ = cmd.Wait() }) // it is interrupted in the end; how it ends does not matter
	}
	for _, at := range []string{"http://" + addr["gateway_admin"] + "/readyz", m.admin + "/readyz", "http://" + addr["llm_admin"] + "/readyz", "http://" + addr["parser_admin"] + "/readyz"} {
		if err := ready(ctx, at); err != nil {
			m.close()
			return nil, err
		}
	}
	return m, nil
}

func (m *mesh) close() {
	m.stop()
	m.ended.Wait()
}

func ready(ctx context.Context, at string) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if status, err := get(ctx, at); err == nil && status == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("%s was not ready in a minute", at)
}

func get(ctx context.Context, at string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// resident gives the orchestrator's resident memory in bytes, after a collection if asked for.
func (m *mesh) resident(ctx context.Context, collect bool) (int64, error) {
	if collect {
		if _, err := get(ctx, m.admin+"/debug/pprof/heap?gc=1"); err != nil {
			return 0, fmt.Errorf("collect garbage: %w", err)
		}
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.pid))
	if err != nil {
		return 0, fmt.Errorf("read resident memory: %w", err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS of process %d", m.pid)
}
