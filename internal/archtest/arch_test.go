package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/openrabbit/openrabbit"

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath string
	Name       string
	Standard   bool
	Imports    []string
	Deps       []string
	Module     *struct{ Path string }
}

// list runs `go list -deps -json` once for each setting of cgo.
var list = [2]func() (map[string]pkg, error){
	sync.OnceValues(func() (map[string]pkg, error) { return goList("0") }),
	sync.OnceValues(func() (map[string]pkg, error) { return goList("1") }),
}

func goList(cgo string) (map[string]pkg, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Name,Standard,Imports,Deps,Module", module+"/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	pkgs := map[string]pkg{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("decode go list: %w", err)
		}
		pkgs[p.ImportPath] = p
	}
}

// packages gives the graph with cgo, which sees every file that a release build sees.
func packages(t *testing.T) map[string]pkg {
	t.Helper()
	pkgs, err := list[1]()
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 20 {
		t.Fatalf("go list gave %d packages: the rule would be checked on nothing", len(pkgs))
	}
	return pkgs
}

var (
	services = []string{"gateway", "orchestrator", "parsersvc", "llmsvc"}
	domain   = []string{"diff", "syntax", "finding", "prompt", "facts", "resolve", "review", "eval", "intake", "post", "render"}
	adapters = []string{"github", "store", "queue", "recall", "secrets", "repoconfig", "pbconv", "rpc", "pg", "localpg"}
	plumbing = []string{"config", "lifecycle", "telemetry", "failpoint"}
)

// layer is the height of a package in the house; an arrow may only point to a lower or equal one.
func layer(path string) (height int, name string) {
	rel := strings.TrimPrefix(path, module+"/")
	first, rest, _ := strings.Cut(rel, "/")
	if first == "cmd" {
		return 60, "cmd"
	}
	if slices.Contains(services, first) {
		return 50, "service"
	}
	if first == "migrations" {
		return 10, "migrations"
	}
	second, _, _ := strings.Cut(rest, "/")
	switch {
	case first != "internal":
		return 0, "?"
	case slices.Contains([]string{"e2e", "torture", "load"}, second):
		return 70, "harness"
	case second == "archtest":
		return 0, "archtest"
	case rest == "pg/pgtest", rest == "github/githubtest", strings.HasPrefix(rest, "github/githubtest/"),
		rest == "recall/qdranttest", second == "llmtest":
		return 45, "stand-in"
	case slices.Contains(adapters, second):
		return 40, "adapter"
	case slices.Contains(plumbing, second):
		return 30, "plumbing"
	case slices.Contains(domain, second):
		return 20, "domain"
	case second == "gen":
		return 10, "gen"
	}
	return 0, "?"
}

// adapter gives the name of the adapter a package belongs to.
func adapter(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, module+"/internal/"), "/")
	return name
}

func ours(pkgs map[string]pkg) []pkg {
	var all []pkg
	for _, p := range pkgs {
		if p.ImportPath == module || strings.HasPrefix(p.ImportPath, module+"/") {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return all
}

func isOurs(path string) bool { return strings.HasPrefix(path, module+"/") }

func TestEveryPackageHasALayer(t *testing.T) {
	t.Parallel()
	for _, p := range ours(packages(t)) {
		if _, name := layer(p.ImportPath); name == "?" {
			t.Errorf("%s has no place in the house: put it into a layer of architecture.md", p.ImportPath)
		}
	}
}

func TestArrowsPointDown(t *testing.T) {
	t.Parallel()
	for _, p := range ours(packages(t)) {
		from, fromName := layer(p.ImportPath)
		for _, imp := range p.Imports {
			if !isOurs(imp) {
				continue
			}
			if to, toName := layer(imp); to > from {
				t.Errorf("%s (%s) imports %s (%s): arrows point down", p.ImportPath, fromName, imp, toName)
			}
		}
	}
}

func TestServicesMeetOverTheWireOnly(t *testing.T) {
	t.Parallel()
	for _, p := range ours(packages(t)) {
		for _, imp := range p.Imports {
			if _, name := layer(imp); !isOurs(imp) || name != "service" {
				continue
			}
			from := strings.SplitN(strings.TrimPrefix(p.ImportPath, module+"/"), "/", 2)[0]
			to := strings.SplitN(strings.TrimPrefix(imp, module+"/"), "/", 2)[0]
			if _, fromName := layer(p.ImportPath); fromName == "service" && from != to {
				t.Errorf("service %s imports service %s", p.ImportPath, imp)
			} else if fromName != "service" && fromName != "cmd" && fromName != "harness" {
				t.Errorf("%s imports a service (%s): only cmd and the end-to-end tests may", p.ImportPath, imp)
			}
		}
	}
}

func TestAdaptersDoNotImportEachOther(t *testing.T) {
	t.Parallel()
	allowed := map[string][]string{"store": {"pg"}, "queue": {"pg"}, "recall": {"pg"}}
	for _, p := range ours(packages(t)) {
		if _, name := layer(p.ImportPath); name != "adapter" {
			continue
		}
		from := adapter(p.ImportPath)
		for _, imp := range p.Imports {
			if _, name := layer(imp); !isOurs(imp) || name != "adapter" || adapter(imp) == from {
				continue
			}
			if !slices.Contains(allowed[from], adapter(imp)) {
				t.Errorf("adapter %s imports adapter %s", p.ImportPath, imp)
			}
		}
	}
}

func TestDomainIsPure(t *testing.T) {
	t.Parallel()
	pkgs := packages(t)
	banned := []string{"os", "os/exec", "net", "net/http", "database/sql", "syscall", "C"}
	// Third-party modules that the domain may reach, transitively: pure functions on strings and bytes.
	thirdParty := []string{"github.com/go-enry/go-enry/v2", "github.com/go-enry/go-oniguruma", "github.com/bmatcuk/doublestar/v4",
		"github.com/rogpeppe/go-internal"}
	order := map[string][]string{
		"diff": {}, "syntax": {"diff"}, "resolve": {"syntax"}, "eval": {"diff", "finding"}, "finding": {"diff", "syntax"}, "prompt": {"diff", "syntax", "finding"},
		"facts": {"diff", "syntax", "finding", "resolve"},
	}
	for _, p := range ours(pkgs) {
		if _, name := layer(p.ImportPath); name != "domain" {
			continue
		}
		for _, imp := range p.Imports {
			if slices.Contains(banned, imp) {
				t.Errorf("domain %s imports %s: the domain does no I/O", p.ImportPath, imp)
			}
			allowed, ordered := order[adapter(p.ImportPath)]
			if _, name := layer(imp); isOurs(imp) && name == "domain" && ordered &&
				adapter(imp) != adapter(p.ImportPath) && !slices.Contains(allowed, adapter(imp)) {
				t.Errorf("domain %s imports %s: inside the domain it is diff ← syntax, finding ← prompt, facts ← review", p.ImportPath, imp)
			}
		}
		for _, dep := range p.Deps {
			d := pkgs[dep]
			if d.Standard || isOurs(dep) || d.Module == nil {
				if strings.HasPrefix(dep, module+"/internal/gen") {
					t.Errorf("domain %s reaches proto types (%s)", p.ImportPath, dep)
				}
				continue
			}
			if !slices.Contains(thirdParty, d.Module.Path) {
				t.Errorf("domain %s reaches %s: not on the short list of archtest", p.ImportPath, dep)
			}
		}
	}
}

func TestEverySDKHasOneOwner(t *testing.T) {
	t.Parallel()
	owners := map[string][]string{
		"github.com/google/go-github":         {"internal/github"},
		"github.com/bradleyfalzon":            {"internal/github"},
		"github.com/jackc/pgx":                {"internal/pg", "internal/store", "internal/queue", "internal/recall"},
		"github.com/riverqueue/river":         {"internal/queue", "orchestrator", "cmd/openrabbit", "internal/load"}, // load compares with its plain use
		"riverqueue.com/riverui":              {"cmd/openrabbit"},
		"github.com/qdrant/go-client":         {"internal/recall"},
		"github.com/zricethezav/gitleaks":     {"internal/secrets"},
		"gopkg.in/yaml.v3":                    {"internal/repoconfig"},
		"github.com/sashabaranov/go-openai":   {"llmsvc"},
		"github.com/smacker/go-tree-sitter":   {"parsersvc"},
		"github.com/tiktoken-go":              {"llmsvc"},
		"github.com/prometheus/client_golang": {"internal/telemetry", "internal/rpc", "gateway", "orchestrator", "parsersvc", "llmsvc", "cmd"},
	}
	for _, p := range ours(packages(t)) {
		rel := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imp := range p.Imports {
			for sdk, allowed := range owners {
				if imp != sdk && !strings.HasPrefix(imp, sdk+"/") {
					continue
				}
				if !slices.ContainsFunc(allowed, func(o string) bool { return rel == o || strings.HasPrefix(rel, o+"/") }) {
					t.Errorf("%s imports %s, which belongs to %s", p.ImportPath, imp, strings.Join(allowed, ", "))
				}
			}
		}
	}
}

func TestProtoTypesStopAtTheDoor(t *testing.T) {
	t.Parallel()
	for _, p := range ours(packages(t)) {
		_, name := layer(p.ImportPath)
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, module+"/internal/gen/") && name != "service" && name != "gen" && name != "harness" &&
				name != "cmd" && adapter(p.ImportPath) != "pbconv" {
				t.Errorf("%s imports %s: proto types stop at pbconv, a service's handlers and clients in cmd", p.ImportPath, imp)
			}
		}
	}
}

func TestStandInsStayOutOfServices(t *testing.T) {
	t.Parallel()
	for _, p := range ours(packages(t)) {
		_, name := layer(p.ImportPath)
		for _, imp := range p.Imports {
			if _, to := layer(imp); isOurs(imp) && to == "stand-in" && name != "stand-in" && name != "harness" && name != "cmd" {
				t.Errorf("%s imports the stand-in %s outside a test", p.ImportPath, imp)
			}
		}
	}
}

// TestBinariesLinkOnlyTheirOwn keeps cgo and keys apart as a fact of linking.
func TestBinariesLinkOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	const (
		pgx        = "github.com/jackc/pgx/"
		goGitHub   = "github.com/google/go-github/"
		goOpenAI   = "github.com/sashabaranov/go-openai"
		treeSitter = "github.com/smacker/go-tree-sitter"
	)
	standIns := []string{module + "/internal/llmtest", module + "/internal/github/githubtest", module + "/internal/pg/pgtest"}
	never := map[string][]string{
		"cmd/gateway":      append([]string{treeSitter, goOpenAI, goGitHub}, standIns...),
		"cmd/orchestrator": append([]string{treeSitter, goOpenAI}, standIns...),
		"cmd/parsersvc":    append([]string{pgx, goGitHub, goOpenAI}, standIns...),
		"cmd/llmsvc":       append([]string{pgx, goGitHub, treeSitter}, standIns...),
	}
	for cgo, get := range list {
		pkgs, err := get()
		if err != nil {
			t.Fatal(err)
		}
		if cgo == 0 {
			never["cmd/openrabbit"] = []string{treeSitter}
		} else {
			delete(never, "cmd/openrabbit")
		}
		for main, banned := range never {
			p, ok := pkgs[module+"/"+main]
			if !ok || p.Name != "main" {
				t.Errorf("no binary %s", main)
				continue
			}
			for _, dep := range p.Deps {
				for _, b := range banned {
					if strings.HasPrefix(dep, b) {
						t.Errorf("%s (CGO_ENABLED=%d) links %s", main, cgo, dep)
					}
				}
			}
		}
	}
}
