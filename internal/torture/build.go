package torture

import (
	"context"
	_ "embed" // the naive body
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Build compiles the services into a directory.
func Build(ctx context.Context, dir string) error { return build(ctx, dir, "") }

//go:embed naive/publish.go.txt
var naivePublish []byte

// BuildNaive compiles the services with another body of the posting step: one that posts, and posts again when anything
// went wrong. It is what the protocol is measured against. The sources are replaced for this build only.
func BuildNaive(ctx context.Context, dir string) error {
	root, err := sourceRoot()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "openrabbit-naive-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(work)
	forge, err := submitsAtOnce(filepath.Join(root, "internal", "github", "forge.go"))
	if err != nil {
		return err
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	// An empty name leaves a file out: the parts of the protocol that Publish no longer calls.
	for _, name := range []string{"degrade.go", "sift.go", "steps.go", "refused.go", "tried.go"} {
		overlay.Replace[filepath.Join(root, "internal", "post", name)] = ""
	}
	for name, content := range map[string][]byte{"post/publish.go": naivePublish, "github/forge.go": forge} {
		file := filepath.Join(work, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return fmt.Errorf("write the naive body: %w", err)
		}
		overlay.Replace[filepath.Join(root, "internal", filepath.FromSlash(name))] = file
	}
	content, err := json.Marshal(overlay)
	if err != nil {
		return fmt.Errorf("write the overlay: %w", err)
	}
	file := filepath.Join(work, "overlay.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return fmt.Errorf("write the overlay: %w", err)
	}
	return build(ctx, dir, file)
}

// submitsAtOnce gives the source of our forge with a Draft that submits.
func submitsAtOnce(file string) ([]byte, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the forge: %w", err)
	}
	const draft = `request := &gh.PullRequestReviewRequest{CommitID: &head, Body: &body}`
	if n := strings.Count(string(content), draft); n != 1 {
		return nil, fmt.Errorf("the forge makes its draft in %d places, want 1: the naive body must follow a change there", n)
	}
	return []byte(strings.Replace(string(content), draft,
		`event := "COMMENT"
	request := &gh.PullRequestReviewRequest{CommitID: &head, Body: &body, Event: &event}`, 1)), nil
}

func sourceRoot() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("find the source of the services")
	}
	return filepath.Join(filepath.Dir(file), "..", ".."), nil
}

func build(ctx context.Context, dir, overlay string) error {
	root, err := sourceRoot()
	if err != nil {
		return err
	}
	args := []string{"build"}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	args = append(args, "-o", dir+string(filepath.Separator), "./cmd/gateway", "./cmd/orchestrator", "./cmd/parsersvc", "./cmd/llmsvc")
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the services: %w\n%s", err, out)
	}
	return nil
}
