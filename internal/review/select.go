package review

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/go-enry/go-enry/v2"
	"github.com/go-enry/go-enry/v2/data"

	"github.com/openrabbit/openrabbit/internal/diff"
)

// pattern is one of linguist's rules on paths.
type pattern interface{ MatchString(string) bool }

// ownCode are linguist's rules for vendored paths that say more about statistics of languages than about who wrote the
// code: people keep code of their own there, and want it reviewed.
var ownCode = []string{
	"internal/cache/lru.go", "src/env/load.ts", "src/types/api.d.ts", ".github/workflows/ci.yml", "Jenkinsfile", "Vagrantfile", "fabfile.py",
	".gitignore", ".gitattributes", ".gitmodules", "dependencies/auth.py", "deps/auth.ex", ".vscode/settings.json", ".teamcity/settings.kts",
	"src/controls.js", "src/effects.js", "src/prototype.js", "src/import.css", "proguard-rules.pro", ".gitpod.Dockerfile",
	"src/test/dist/UpdateTest.java", // what is built into dist/ is for browsers
}

// built are the files that builds leave in dist/.
var built = regexp.MustCompile(`(?:^|/)dist/(?:.*/)?[^/]+\.(?:[cm]?js|css|map|html|json|d\.ts|wasm|svg|whl|tar|gz|zip)$`)

// vendoredPatterns gives linguist's rules without those that match code of one's own.
func vendoredPatterns() []pattern {
	kept := []pattern{built}
	for _, m := range data.VendorMatchers {
		if m != nil && !slices.ContainsFunc(ownCode, m.MatchString) {
			kept = append(kept, m)
		}
	}
	return kept
}

// lockFiles are what package managers write. linguist knows only some.
var lockFiles = map[string]bool{
	"go.sum": true, "go.work.sum": true, "package-lock.json": true, "npm-shrinkwrap.json": true, "yarn.lock": true, "pnpm-lock.yaml": true,
	"bun.lock": true, "bun.lockb": true, "deno.lock": true, "cargo.lock": true, "poetry.lock": true, "pipfile.lock": true, "pdm.lock": true,
	"uv.lock": true, "pixi.lock": true, "conda-lock.yml": true, "composer.lock": true, "gemfile.lock": true, "mix.lock": true, "rebar.lock": true,
	"pubspec.lock": true, "podfile.lock": true, "cartfile.resolved": true, "package.resolved": true, "gradle.lockfile": true,
	"buildscript-gradle.lockfile": true, "packages.lock.json": true, "paket.lock": true, "flake.lock": true, "gopkg.lock": true, "glide.lock": true,
	"module.bazel.lock": true, ".terraform.lock.hcl": true, "conan.lock": true, "manifest.toml.lock": true, "stack.yaml.lock": true,
	"cabal.project.freeze": true, "buf.lock": true, "chart.lock": true, "vcpkg-lock.json": true, "renv.lock": true, "shard.lock": true, "spago.lock": true,
}

// vendored are linguist's rules on vendored paths, read once.
var vendored = vendoredPatterns()

// OwnCode says whether a file may by its name be one that people wrote in this repository.
func OwnCode(name string) bool { return notOwn(name) == "" }

// notOwn says why a file of this name is none that people wrote here; "" when it may be one.
func notOwn(name string) string {
	switch {
	case lockFiles[strings.ToLower(path.Base(name))]:
		return "lock file"
	case slices.ContainsFunc(vendored, func(m pattern) bool { return m.MatchString(name) }):
		if minifiedName.MatchString(name) {
			return "minified"
		}
		return "vendored"
	case enry.IsGenerated(name, nil):
		return "generated"
	}
	return ""
}

// leftOut says by the path and the diff alone why a file is not reviewed; "" when it is. Policy is false when it
// should have been.
func (r *run) leftOut(f *diff.File) (reason string, policy bool) {
	p := f.Path()
	switch {
	case matchesAny(r.options.Exclude, p):
		return "excluded by path_filters", true
	case len(r.options.Include) > 0 && !matchesAny(r.options.Include, p):
		return "not included by path_filters", true
	case notOwn(p) != "":
		return notOwn(p), true
	case f.Submodule:
		return "submodule", true
	case f.Binary:
		return "binary", true
	case f.Unseen:
		return "its lines were not delivered, the diff is too large", false
	case len(f.Hunks) > 0:
		return "", false
	}
	switch {
	case f.Status == diff.StatusRenamed:
		return "renamed without a change", true
	case f.Status == diff.StatusCopied:
		return "copied without a change", true
	case f.Status == diff.StatusAdded, f.Status == diff.StatusDeleted:
		return "empty file", true
	case f.OldMode != f.NewMode:
		return "only its mode changed", true
	}
	return "no lines changed", true
}

var minifiedName = regexp.MustCompile(`[.-]min\.(?:js|css|mjs)$`)

func matchesAny(globs []string, p string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { return doublestar.MatchUnvalidated(g, p) })
}

// choose fills subjects with the files to review, within the limits on their number and lines.
func (r *run) choose() {
	var chosen []*subject
	for i := range r.change.Diff.Files {
		f := &r.change.Diff.Files[i]
		if reason, policy := r.leftOut(f); reason != "" {
			r.omit(f.Path(), reason, policy)
			continue
		}
		chosen = append(chosen, &subject{file: f, path: f.Path(), index: i})
	}
	// The limits fall on what matters least: documents, then tests, then the rest in the order of the diff.
	slices.SortStableFunc(chosen, func(a, b *subject) int { return a.weight() - b.weight() })
	lines := 0
	for _, s := range chosen {
		added, deleted := s.file.Counts()
		switch {
		case len(r.subjects) == r.options.MaxFiles:
			r.omit(s.path, fmt.Sprintf("beyond the limit of %d files", r.options.MaxFiles), false)
		case lines+added+deleted > r.options.MaxChangedLines:
			r.omit(s.path, fmt.Sprintf("beyond the limit of %d changed lines", r.options.MaxChangedLines), false)
		default:
			lines += added + deleted
			r.subjects = append(r.subjects, s)
		}
	}
	slices.SortFunc(r.subjects, func(a, b *subject) int { return a.index - b.index })
}

// weight orders files by what a review of them is worth: less is more.
func (s *subject) weight() int {
	switch {
	case s.file.Status == diff.StatusDeleted:
		return 3
	case enry.IsDocumentation(s.path), slices.Contains([]string{".md", ".rst", ".txt", ".adoc"}, path.Ext(s.path)):
		return 2
	case enry.IsTest(s.path):
		return 1
	}
	return 0
}

// maxLineLength is the longest average line of a text that people write.
const maxLineLength = 400

// machineMade says by its content why a file is not reviewed, or "".
func (s *subject) machineMade() string {
	content, facts := s.new, s.after
	if s.file.NewPath == "" {
		content, facts = s.old, s.before
	}
	switch {
	case facts != nil && facts.Generated, generatedHeader(content), enry.IsGenerated(s.path, content):
		return "generated"
	case enry.IsBinary(content):
		return "binary"
	case len(content) > 0 && len(content)/(bytes.Count(content, []byte("\n"))+1) > maxLineLength:
		return "minified"
	}
	return ""
}

// generatedMark is what generators write into a comment at the top.
var generatedMark = regexp.MustCompile(`(?mi)^\s*(?://|#|/?\*|--|<!--|;|%|"""|'''|\(\*|\{-)[^\n]*(?:code generated .*do not edit|@generated|(?:auto|automatically|machine)[ -]?generated\b.*\bdo not (?:edit|modify|change)|this file (?:was|is|has been) (?:auto|automatically)[ -]?generated)`)

func generatedHeader(content []byte) bool {
	head := content[:min(len(content), 2048)]
	return generatedMark.Match(head)
}
