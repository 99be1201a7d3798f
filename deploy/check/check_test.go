package check

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

const root = "../../"

// project loads docker-compose.yml as `docker compose config` would, with every variable of .env.example filled in.
func project(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{root + "docker-compose.yml"}, cli.WithEnv(exampleEnv(t)), cli.WithResolvedPaths(false))
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatalf("docker-compose.yml: %v", err)
	}
	return p
}

func exampleEnv(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(root + ".env.example")
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			env = append(env, name+"=x")
		}
	}
	return env
}

func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	text, err := os.ReadFile(root + "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("Dockerfile: %v", err)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, where []parser.Range) {
		t.Errorf("Dockerfile: %s: %s (%v)", rule, message, where)
	}})
	all, _, err := instructions.Parse(result.AST, lint)
	if err != nil {
		t.Fatalf("Dockerfile: %v", err)
	}
	return all
}

func TestComposeHasTheWholeMesh(t *testing.T) {
	t.Parallel()
	p := project(t)
	want := []string{"gateway", "llmsvc", "migrate", "orchestrator", "parsersvc", "postgres", "qdrant", "riverui"}
	got := p.ServiceNames()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("services %v, want %v", got, want)
	}
	for name, s := range p.Services {
		if name != "migrate" && s.HealthCheck == nil {
			t.Errorf("%s has no health check", name)
		}
		for dependency := range s.DependsOn {
			if _, ok := p.Services[dependency]; !ok {
				t.Errorf("%s depends on %s, which is no service", name, dependency)
			}
		}
	}
}

func TestScaledServicesPublishNothing(t *testing.T) {
	t.Parallel()
	p := project(t)
	for _, name := range []string{"parsersvc", "orchestrator", "llmsvc"} {
		s := p.Services[name]
		if len(s.Ports) > 0 || s.ContainerName != "" {
			t.Errorf("%s publishes %v as %q: a second replica could not start", name, s.Ports, s.ContainerName)
		}
	}
}

func TestOnlyTheWebhookIsPublishedToOthers(t *testing.T) {
	t.Parallel()
	for name, s := range project(t).Services {
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" && (name != "gateway" || port.Target != 8080) {
				t.Errorf("%s publishes %d on %q: only the webhook may be reached from outside", name, port.Target, port.HostIP)
			}
		}
	}
}

func TestKeysReachOnlyTheirOwner(t *testing.T) {
	t.Parallel()
	owners := map[string]string{
		"OPENAI_API_KEY": "llmsvc", "GITHUB_APP_PRIVATE_KEY_FILE": "orchestrator", "GITHUB_WEBHOOK_SECRET": "gateway",
	}
	seen := map[string]bool{}
	for name, s := range project(t).Services {
		for key := range s.Environment {
			if owner, ok := owners[key]; ok {
				seen[key] = true
				if name != owner {
					t.Errorf("%s is given %s, which belongs to %s alone", name, key, owner)
				}
			}
		}
		if name == "parsersvc" && len(s.Environment) > 3 {
			t.Errorf("parsersvc is given %d variables: it needs no secret and no database", len(s.Environment))
		}
	}
	if len(seen) != len(owners) {
		t.Errorf("only %v of the keys are given to anybody", seen)
	}
}

func TestEveryTargetExistsAndIsNotRoot(t *testing.T) {
	t.Parallel()
	byName := map[string]instructions.Stage{}
	for _, s := range stages(t) {
		byName[s.Name] = s
	}
	for name, s := range project(t).Services {
		if s.Build == nil {
			continue
		}
		stage, ok := byName[s.Build.Target]
		if !ok {
			t.Errorf("%s: the Dockerfile has no target %s", name, s.Build.Target)
			continue
		}
		if stage.BaseName != "base" {
			t.Errorf("target %s is built on %s, not on the base that is not root", stage.Name, stage.BaseName)
		}
	}
	user := regexp.MustCompile(`^[1-9][0-9]*`)
	if !slices.ContainsFunc(byName["base"].Commands, func(c instructions.Command) bool {
		u, ok := c.(*instructions.UserCommand)
		return ok && user.MatchString(u.User)
	}) {
		t.Error("the base image does not set a numbered user")
	}
}

func TestOnlyTheParserIsBuiltWithCgo(t *testing.T) {
	t.Parallel()
	cgo := map[string]string{}
	for _, s := range stages(t) {
		for _, c := range s.Commands {
			if env, ok := c.(*instructions.EnvCommand); ok {
				for _, kv := range env.Env {
					if kv.Key == "CGO_ENABLED" {
						cgo[s.Name] = kv.Value
					}
				}
			}
			if cp, ok := c.(*instructions.CopyCommand); ok && cp.From == "build-parser" && s.Name != "parsersvc" {
				t.Errorf("target %s takes the build with cgo", s.Name)
			}
		}
	}
	if cgo["build-static"] != "0" || cgo["build-parser"] != "1" {
		t.Errorf("cgo by stage: %v", cgo)
	}
}

// TestABrokenFileIsRefused shows that these checks can fail.
func TestABrokenFileIsRefused(t *testing.T) {
	t.Parallel()
	result, err := parser.Parse(strings.NewReader("FROM scratch\nRUNN x\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := instructions.Parse(result.AST, linter.New(&linter.Config{})); err == nil {
		t.Error("an unknown instruction was accepted")
	}
}
